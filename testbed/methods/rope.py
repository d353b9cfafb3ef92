"""Rotary positions."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from testbed.methods.method import Method, method

if TYPE_CHECKING:
    from torch import Tensor


@method("rope")
class RotaryPositions(Method):
    """Rotate the pair (x_i, x_(i + K/2)) of q and k at position t by the angle t * base^(-2i/K).

    Logits then depend on positions through their difference alone (Su et al. 2021, eq. 15). K must be even.
    """

    slots: ClassVar[frozenset[str]] = frozenset({"position"})
    base: float = Field(10_000.0, gt=1, description="longest wavelength is 2 pi base, in tokens")

    def rotate(self, x_EBHTK: "Tensor", positions_T: "Tensor", parameters: Mapping[str, "Tensor"]) -> "Tensor":
        import torch

        half = x_EBHTK.shape[-1] // 2
        frequency = self.base ** (-torch.arange(half, device=x_EBHTK.device, dtype=torch.float32) / half)
        angle_TK = positions_T[:, None].to(torch.float32) * frequency
        cos, sin = angle_TK.cos().to(x_EBHTK.dtype), angle_TK.sin().to(x_EBHTK.dtype)
        first, second = x_EBHTK[..., :half], x_EBHTK[..., half:]
        return torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1)
