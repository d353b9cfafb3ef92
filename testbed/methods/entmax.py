"""Sparse normalisers: 1.5-entmax, and its adaptive, length-scaled form."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from testbed.methods.method import AttentionContext, Geometry, Initial, Method, Parameters, method

if TYPE_CHECKING:
    from torch import Tensor


def entmax15(z: "Tensor") -> "Tensor":
    """p = max(z/2 - tau, 0)^2 along the last axis, with tau such that p sums to one (Peters et al. 2019, 1905.05702).

    tau is exact, from sorted scores; -inf scores get weight 0. The gradient is s (g - <s, g> / <s, 1>), s = sqrt(p).
    """
    from testbed.methods._kernels.entmax import Entmax15

    found: Tensor = Entmax15.apply(z)
    return found


@method("entmax15")
class Entmax15(Method):
    """1.5-entmax in place of the softmax: weights max(z/2 - tau, 0)^2, exactly zero far below the top.

    Peters, Niculae & Martins 2019 (1905.05702). Explicit path.
    """

    slots: ClassVar[frozenset[str]] = frozenset({"normaliser"})

    def normalise(self, a_EBHTT: "Tensor", context: AttentionContext, parameters: Parameters) -> "Tensor":
        return entmax15(a_EBHTT)


@method("asentmax")
class ASEntmax(Entmax15):
    """1.5-entmax of z (delta + beta ln(n + 1)^gamma) for n visible keys, beta and gamma learned.

    beta = softplus(w_b x) and gamma = 2 tanh(w_g x) for each block, head and token, delta = 1 (Vasylenko et al. 2025,
    2506.16640). Explicit path.
    """

    excludes: ClassVar[frozenset[str]] = frozenset({"length_scale"})
    delta: float = Field(1.0, ge=0, description="the part that does not grow")
    gamma_range: float = Field(2.0, gt=0, description="gamma lies within this of 0")

    def parameters(self, geometry: Geometry) -> dict[str, Initial]:
        shape, std = (geometry.width, geometry.heads), 0.1 * geometry.width**-0.5
        return {name: Initial(shape, std=std, per_block=True, decay=True) for name in ("w_beta", "w_gamma")}

    def logits(self, a_EBHTT: "Tensor", context: AttentionContext, parameters: Parameters) -> "Tensor":
        import torch.nn.functional as F

        beta_EBHT = F.softplus(_per_head(context, parameters["w_beta"]))
        gamma_EBHT = self.gamma_range * _per_head(context, parameters["w_gamma"]).tanh()
        log_T = (context.visible_TT.sum(dim=-1) + 1).log()
        return a_EBHTT * (self.delta + beta_EBHT * log_T**gamma_EBHT)[..., None]


def _per_head(context: AttentionContext, matrix_EDH: "Tensor") -> "Tensor":
    """(E, B, H, T): a number for each query and head."""
    return (context.x_EBTD @ matrix_EDH[:, None]).transpose(-1, -2)
