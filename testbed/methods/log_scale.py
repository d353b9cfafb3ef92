"""Logits that grow with the logarithm of the number of visible keys."""

import math
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from testbed.methods.method import Geometry, Initial, Method, Parameters, method

if TYPE_CHECKING:
    from torch import Tensor


@method("log_n")
class LogScale(Method):
    """Multiply logits by ln n / ln m for n visible keys and training length m (Su 2021).

    Keeps the weight of one key constant against equal distractors at a fixed gap. `clamped`: max(1, .), the form used
    after training (Su 2023, ReRoPE; Qwen). A no-op at n = m.
    """

    excludes: ClassVar[frozenset[str]] = frozenset({"length_scale"})
    count: Literal["query", "window"] = Field(
        "query", description="n: keys that the query sees, or the window's length"
    )
    clamped: bool = Field(False, description="never below one: shorter windows than m are left alone")

    @property
    def counts_whole_window(self) -> bool:
        return self.count == "window"

    def scale(self, n_visible_T: "Tensor", head_dim: int, train_length: int, parameters: Parameters) -> "Tensor":
        ratio_T = n_visible_T.log() / math.log(max(train_length, 2))
        return ratio_T.clamp(min=1.0) if self.clamped else ratio_T


@method("chiang_cholak")
class ChiangCholak(Method):
    """Multiply logits by ln n, in training too (Chiang & Cholak 2022, 2202.12172). No no-op anywhere but at n = e."""

    excludes: ClassVar[frozenset[str]] = frozenset({"length_scale"})

    def scale(self, n_visible_T: "Tensor", head_dim: int, train_length: int, parameters: Parameters) -> "Tensor":
        return n_visible_T.log()


@method("ssmax")
class ScalableSoftmax(Method):
    """Multiply logits by s ln n with s learned for each block and head (Nakanishi 2025, 2501.19399).

    s starts at `initial`, or at 1 / ln m where that is left out: plain softmax at the training length. After training
    it is no no-op anywhere.
    """

    excludes: ClassVar[frozenset[str]] = frozenset({"length_scale"})
    initial: float | None = Field(None, description="first value of s; left out: 1 / ln m")

    def parameters(self, geometry: Geometry) -> dict[str, Initial]:
        first = 1.0 / math.log(max(geometry.train_length, 2)) if self.initial is None else self.initial
        return {"s": Initial((geometry.heads,), std=0.0, mean=first, per_block=True)}

    def scale(self, n_visible_T: "Tensor", head_dim: int, train_length: int, parameters: Parameters) -> "Tensor":
        return parameters["s"][:, None, :, None, None] * n_visible_T.log()[:, None]


@method("ssa")
class SelectiveSelfAttention(Method):
    """Multiply logits by 1 + e^(-e^b) ln n with b learned for each block, from 2 on (Zhang et al. 2024, 2411.12892).

    The position part of the temperature, which is all that the released code keeps. `token` adds the paper's other
    part, read off the query's token: tanh(w . x) + 1 + e^(-e^b) ln n, w learned for each block and head, x the block's
    normed input. (The paper leaves the map under the tanh open; e^(-e^b) is the code's form of its sigmoid. The
    paper's temperature of the values is not part of this.)
    """

    excludes: ClassVar[frozenset[str]] = frozenset({"length_scale"})
    token: bool = Field(False, description="the temperature depends on the query's token too")

    def parameters(self, geometry: Geometry) -> dict[str, Initial]:
        found = {"b": Initial((1,), std=0.0, mean=2.0, per_block=True)}
        if self.token:
            shape, std = (geometry.width, geometry.heads), 0.1 * geometry.width**-0.5
            found["w"] = Initial(shape, std=std, per_block=True, decay=True)
        return found

    def query_scale(self, x_EBTD: "Tensor", n_visible_T: "Tensor", parameters: Parameters) -> "Tensor":
        slope_E = (-parameters["b"].exp()).exp()
        factor = 1.0 + slope_E[:, :, None, None, None] * n_visible_T.log()[:, None]
        if not self.token:
            return factor
        gate_EBTH = (x_EBTD @ parameters["w"][:, None]).tanh()
        return factor + gate_EBTH.transpose(-1, -2)[..., None]
