"""Rotary positions, and the frequencies that length-extrapolation methods change."""

from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from testbed.methods.method import Method, Parameters, Placement, method

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@method("rope")
class RotaryPositions(Method):
    """Rotate the pair (x_2i, x_(2i + 1)) of q and k at position t by the angle t * base^(-2i/K).

    Logits then depend on positions through their difference alone (Su et al. 2021, eq. 15). K must be even.
    """

    slots: ClassVar[frozenset[str]] = frozenset({"position"})
    needs_even_head_dim: ClassVar[bool] = True
    base: float = Field(10_000.0, gt=1, description="longest wavelength is 2 pi base, in tokens")

    def frequencies(self, head_dim: int, window: int, train_length: int) -> tuple[float, ...]:
        """(K/2,) radians per token in a window of this many positions, for a model trained on `train_length`."""
        return tuple(self.base ** (-2 * i / head_dim) for i in range(head_dim // 2))

    def rotate(self, x_EBHTK: "Tensor", positions_T: "Tensor", at: Placement, parameters: Parameters) -> "Tensor":
        return turned(x_EBHTK, positions_T, _frequencies(self, x_EBHTK.shape[-1], at.n_keys, at.geometry.train_length))


@method("p_rope")
class PartialRotary(RotaryPositions):
    """RoPE without its lowest frequencies: the first `fraction` of the pairs turn, the others do not.

    Barbero et al. 2024 (2410.06205), p-RoPE; scale-invariant attention (2505.17083) takes it. 0 is no positions at all.
    """

    fraction: float = Field(0.75, ge=0, le=1, description="p, share of the pairs that turn; highest frequencies first")

    def frequencies(self, head_dim: int, window: int, train_length: int) -> tuple[float, ...]:
        plain = super().frequencies(head_dim, window, train_length)
        turning = round(self.fraction * len(plain))
        return plain[:turning] + (0.0,) * (len(plain) - turning)


@lru_cache(maxsize=256)
def _frequencies(method: RotaryPositions, head_dim: int, window: int, train_length: int) -> tuple[float, ...]:
    return method.frequencies(head_dim, window, train_length)


def turned(x_EBHTK: "Tensor", positions_T: "Tensor", frequencies: tuple[float, ...]) -> "Tensor":
    """The pair (2i, 2i + 1) of x at position t, rotated by t frequencies[i]."""
    import torch

    if x_EBHTK.dtype == torch.bfloat16:  # of which there are no complex numbers
        return turned(x_EBHTK.float(), positions_T, frequencies).to(torch.bfloat16)
    if torch.compiler.is_compiling():  # which fuses products of real numbers, and none of complex ones
        angle_TK = torch.stack([positions_T * frequency for frequency in frequencies], dim=-1)
        cosine, sine = angle_TK.cos(), angle_TK.sin()
        even, odd = x_EBHTK.unflatten(-1, (-1, 2)).unbind(-1)
        return torch.stack([even * cosine - odd * sine, even * sine + odd * cosine], dim=-1).flatten(-2)
    # a pair as one complex number: a single pass over x, and another one back
    z_EBHTK = torch.view_as_complex(x_EBHTK.view(*x_EBHTK.shape[:-1], len(frequencies), 2))
    return torch.view_as_real(z_EBHTK * _turns(frequencies, positions_T)).flatten(-2)


@lru_cache(maxsize=32)
def _turns(frequencies: tuple[float, ...], positions_T: "Tensor") -> "Tensor":
    """(T, K/2) exp(i t f); kept for each tensor of positions (by identity), of which a model has few."""
    import torch

    angle_TK = positions_T[:, None] * _on_device(frequencies, positions_T.device)
    return torch.polar(torch.ones_like(angle_TK), angle_TK)


@lru_cache(maxsize=256)
def _on_device(frequencies: tuple[float, ...], device: "torch.device") -> "Tensor":
    """(K/2,) kept, because a copy to a GPU in the middle of a step would be waited for."""
    import torch

    return torch.tensor(frequencies, device=device, dtype=torch.float32)
