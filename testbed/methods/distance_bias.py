"""Logits that depend on distance: ALiBi, and scale-invariant attention."""

import math
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import Field, model_validator

from testbed.methods.method import AttentionContext, Method, Parameters, Placement, method

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@method("alibi")
class LinearBiases(Method):
    """Logits a - slope |i - j| with slope 2^(-8 h / H) for head h = 1 .. H and no other positions (Press et al. 2021).

    `released_code`: as in the code of 2501.08570, one slope 2^-8 for all heads, added before the division by sqrt(d).
    """

    slots: ClassVar[frozenset[str]] = frozenset({"position"})
    released_code: bool = Field(False, description="the slope of the code released with 2501.08570")
    slope: float | None = Field(
        None, gt=0, le=1e3, description="of all heads; left out: the paper's, 2^(-8 h / H) for head h = 1 .. H"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.released_code and self.slope is not None:
            raise ValueError(f"slope: given {self.slope}, but released_code says what it is; leave one out")
        return self

    def bias(self, at: Placement, parameters: Parameters) -> "Tensor":
        import torch

        heads = at.geometry.heads
        if self.released_code:
            slopes = (2.0**-8 / math.sqrt(at.geometry.head_dim),) * heads
        elif self.slope is not None:
            slopes = (self.slope,) * heads
        else:
            slopes = tuple(2.0 ** (-8.0 * (head + 1) / heads) for head in range(heads))
        distances_TT = at.distances_TT.abs()
        if torch.compiler.is_compiling():  # which sees through the cache, and would copy the slopes at every step
            return -torch.stack([distances_TT * slope for slope in slopes])
        return -_on_device(slopes, at.keys_T.device)[:, None, None] * distances_TT


@lru_cache(maxsize=64)
def _on_device(slopes: tuple[float, ...], device: "torch.device") -> "Tensor":
    """(H,) kept, because a copy to a GPU in the middle of a step would be waited for."""
    import torch

    return torch.tensor(slopes, device=device)


@method("scale_invariant")
class ScaleInvariant(Method):
    """A key t steps back gets the logit a_t z + m_t, a_t = sqrt(1 + 2 ln(1 + t / tau)), m_t = 1 - a_t^2 (2505.17083).

    Keeps the expected weight of each decade of distances the same for Gaussian logits. The paper combines it with QK
    norm and RoPE without its lowest frequencies. Explicit path.
    """

    excludes: ClassVar[frozenset[str]] = frozenset({"length_scale"})
    tau: float = Field(10.0, gt=0, description="distance at which the correction begins, tokens")

    def logits(self, a_EBHTT: "Tensor", context: AttentionContext, parameters: Parameters) -> "Tensor":
        square_TT = 1.0 + 2.0 * (context.at.distances_TT.abs() / self.tau).log1p()
        return a_EBHTT * square_TT.sqrt() + (1.0 - square_TT)
