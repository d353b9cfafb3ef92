"""Rotary positions."""

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from testbed.methods.method import Method, method

if TYPE_CHECKING:
    from torch import Tensor


@method("rope")
class RotaryPositions(Method):
    """Rotate the pair (x_2i, x_(2i + 1)) of q and k at position t by the angle t * base^(-2i/K).

    Logits then depend on positions through their difference alone (Su et al. 2021, eq. 15). K must be even.
    """

    slots: ClassVar[frozenset[str]] = frozenset({"position"})
    base: float = Field(10_000.0, gt=1, description="longest wavelength is 2 pi base, in tokens")

    def rotate(self, x_EBHTK: "Tensor", positions_T: "Tensor", parameters: Mapping[str, "Tensor"]) -> "Tensor":
        import torch

        half = x_EBHTK.shape[-1] // 2
        # a pair as one complex number: a single pass over x, and another one back
        z_EBHTK = torch.view_as_complex(x_EBHTK.unflatten(-1, (half, 2)))
        return torch.view_as_real(z_EBHTK * _turns(self.base, half, positions_T)).flatten(-2)


@lru_cache(maxsize=256)
def _turns(base: float, half: int, positions_T: "Tensor") -> "Tensor":
    """(T, K/2) exp(i t base^(-2i/K)); kept for each tensor of positions (by identity), of which a model has few."""
    import torch

    frequency_K = base ** (-torch.arange(half, device=positions_T.device, dtype=torch.float32) / half)
    angle_TK = positions_T[:, None] * frequency_K
    return torch.polar(torch.ones_like(angle_TK), angle_TK)
