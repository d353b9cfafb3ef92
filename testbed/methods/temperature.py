"""Temperatures fixed by length or position: YaRN's, Llama 4's, and one read off each head."""

import math
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from testbed.methods.method import Geometry, Method, Parameters, method

if TYPE_CHECKING:
    from torch import Tensor


@method("yarn_temperature")
class YarnTemperature(Method):
    """Multiply logits by (slope ln(n/m) + 1)^2 beyond the training length m (Peng et al. 2023, 2309.00071, sec. 3.4).

    There q and k each get the root. A no-op up to n = m.
    """

    excludes: ClassVar[frozenset[str]] = frozenset({"length_scale"})
    slope: float = Field(0.1, ge=0, description="growth per factor e of length")
    count: Literal["query", "window"] = Field("window", description="n: the window's length, or keys the query sees")

    @property
    def counts_whole_window(self) -> bool:
        return self.count == "window"

    def scale(self, n_visible_T: "Tensor", head_dim: int, train_length: int, parameters: Parameters) -> "Tensor":
        return (self.slope * (n_visible_T / train_length).clamp(min=1.0).log() + 1.0) ** 2


@method("llama4_temperature")
class Llama4Temperature(Method):
    """Multiply logits by 1 + c ln(1 + floor(n / F)) for the n-th query: one up to n = F - 1.

    The released model has c = 0.1 and F = 8192, on its layers without positions. F defaults to m + 1, so that training
    at length m is untouched.
    """

    excludes: ClassVar[frozenset[str]] = frozenset({"length_scale"})
    slope: float = Field(0.1, ge=0, description="c")
    floor: int | None = Field(None, gt=0, description="F, positions a step; left out: m + 1")

    def scale(self, n_visible_T: "Tensor", head_dim: int, train_length: int, parameters: Parameters) -> "Tensor":
        steps_T = n_visible_T // (train_length + 1 if self.floor is None else self.floor)
        return 1.0 + self.slope * steps_T.to(n_visible_T.log().dtype).log1p()


@method("headwise_lambda")
class HeadwiseLambda(Method):
    """Multiply a head's logits by sqrt(1 + 2 ln(n/m) / sigma_h^2), which keeps the entropy of Gaussian logits constant.

    The entropy of n i.i.d. Gaussian logits is ln n - (lambda sigma_h)^2 / 2; sigma_h, the standard deviation of the
    head's logits at the training length, is read off the trained model. A no-op up to n = m.
    """

    excludes: ClassVar[frozenset[str]] = frozenset({"length_scale"})
    least_std: float = Field(0.05, gt=0, description="heads flatter than this are taken to be this wide")

    def calibrate(self, logit_std_LEH: "Tensor", geometry: Geometry) -> "dict[str, Tensor]":
        return {"logit_std": logit_std_LEH}

    def scale(self, n_visible_T: "Tensor", head_dim: int, train_length: int, parameters: Parameters) -> "Tensor":
        std_EH = parameters["logit_std"].clamp(min=self.least_std)
        growth_T = 2.0 * (n_visible_T.log() - math.log(train_length)).clamp(min=0.0)
        return (1.0 + growth_T[:, None] / std_EH[:, None, :, None, None] ** 2).sqrt()
