"""Biases that fall with the logarithm or a power of the distance: harmonic, and KERPLE's two.

None of them fills the slot `position`: alone they are all that tells positions, beside `rope` they multiply its weights
by a prior over lags.
"""

from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from testbed.methods.method import Geometry, Initial, Method, Parameters, Placement, method

if TYPE_CHECKING:
    import torch
    from torch import Tensor

EULER = 0.5772156649015329


@method("harmonic")
class HarmonicBias(Method):
    """Logits a - m_h Harm(|i - j|), Harm(d) = sum_{r=1}^d 1/r, near ln d + 0.577: weights fall like d^(-m_h).

    This project's reading of "RoPE x ALiBi with harmonic series" (Fulu Li 2024, 2410.18441, whose formulas are not
    available to it): ALiBi's slopes with harmonic numbers in place of distances. Between ALiBi, whose weights fall
    exponentially, and no bias; KERPLE's logarithm with r_2 = 1 behaves alike from a few steps on.
    """

    slots: ClassVar[frozenset[str]] = frozenset({"bias"})
    slope: float | None = Field(
        None, gt=0, le=1e3, description="m of all heads; left out: ALiBi's, 2^(-8 h / H) for head h = 1 .. H"
    )

    def slopes(self, heads: int) -> tuple[float, ...]:
        """m_h."""
        if self.slope is not None:
            return (self.slope,) * heads
        return tuple(2.0 ** (-8.0 * (head + 1) / heads) for head in range(heads))

    def bias(self, at: Placement, parameters: Parameters) -> "Tensor":
        import torch

        harmonic_TT, slopes = _harmonic(at), self.slopes(at.geometry.heads)
        if torch.compiler.is_compiling():  # which sees through the cache, and would copy the slopes at every step
            return -torch.stack([harmonic_TT * slope for slope in slopes])
        return -_on_device(slopes, at.keys_T.device)[:, None, None] * harmonic_TT


def _harmonic(at: Placement) -> "Tensor":
    """(T, T) Harm(|i - j|), from a table where distances are known to lie within the window."""
    import torch

    distances_TT = at.distances_TT.abs()
    if at.counts_up and not torch.compiler.is_compiling():
        return _table(at.n_keys, at.keys_T.device)[distances_TT]
    return torch.digamma(distances_TT.float() + 1.0) + EULER


@lru_cache(maxsize=64)
def _table(n: int, device: "torch.device") -> "Tensor":
    """(n,) Harm(0) .. Harm(n - 1); kept, because a copy to a GPU in the middle of a step would be waited for."""
    import torch

    terms = 1.0 / torch.arange(n, dtype=torch.float64).clamp(min=1.0)
    terms[0] = 0.0
    return terms.cumsum(dim=0).float().to(device)


@lru_cache(maxsize=64)
def _on_device(slopes: tuple[float, ...], device: "torch.device") -> "Tensor":
    """(H,) kept, for the same reason."""
    import torch

    return torch.tensor(slopes, device=device)


class Kerple(Method):
    """Base: a bias of the distance with two positive numbers r_1, r_2 learned for each block and head.

    What is learned are u_1 and u_2, drawn normal around 0 with standard deviation `spread`; r_1 = e^(u_1), so that it
    stays positive (the released code draws r uniformly and clips it at 0.01).
    """

    slots: ClassVar[frozenset[str]] = frozenset({"bias"})
    spread: float = Field(0.5, ge=0, le=10, description="standard deviation of u at the start, over heads and blocks")

    def parameters(self, geometry: Geometry) -> dict[str, Initial]:
        return {name: Initial((geometry.heads,), std=self.spread, per_block=True) for name in ("u1", "u2")}


@method("kerple_log")
class KerpleLog(Kerple):
    """Logits a - r_1 ln(1 + r_2 |i - j|), r_2 = e^(u_2) (Chi et al. 2022, 2205.09921): weights fall like d^(-r_1)."""

    def bias(self, at: Placement, parameters: Parameters) -> "Tensor":
        r1, r2 = (_per_head(parameters[name]).exp() for name in ("u1", "u2"))
        return -r1 * (r2 * at.distances_TT.abs()).log1p()


@method("kerple_power")
class KerplePower(Kerple):
    """Logits a - r_1 |i - j|^(r_2), r_2 = 2 sigmoid(u_2) in (0, 2) (Chi et al. 2022, 2205.09921); ALiBi is r_2 = 1."""

    def bias(self, at: Placement, parameters: Parameters) -> "Tensor":
        r1, r2 = _per_head(parameters["u1"]).exp(), 2.0 * _per_head(parameters["u2"]).sigmoid()
        return -r1 * at.distances_TT.abs().to(r2.dtype) ** r2


def _per_head(u_EH: "Tensor") -> "Tensor":
    """(E, 1, H, 1, 1) in float32: narrow numbers cannot tell one long distance from the next."""
    return u_EH[:, None, :, None, None].float()
