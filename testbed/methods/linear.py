"""Linear attentions: weights proportional to phi(q) . phi(k), of which a running sum over keys is all that is needed.

Here they are formed as T x T weights, the slow way: as logits ln phi(q) . phi(k) under the softmax. So whatever else
acts on attention acts on them: masks hide keys, a bias b multiplies weights by e^b (decay, with ALiBi's), a factor on
the logits is a power of the kernel, a sink or entmax takes the softmax's place. What multiplies q does just that.

A row whose every phi(q) . phi(k) is zero averages over the keys that it sees (code of such models divides by a small
number instead, and returns zero). So rows are always laws.
"""

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from testbed.methods.method import AttentionContext, Method, Parameters, method
from testbed.methods.rope import turned

if TYPE_CHECKING:
    from torch import Tensor

LEAST = 1e-30
"""Kernel below which a pair counts as zero; it gets no gradient."""
LEAST_SUM = 1e-6
"""Added to a normaliser that may vanish where its numerators do not."""
TINY = 1e-9


class LinearAttention(Method):
    """Base: logits ln s(q, k), s >= 0 the inner product of two feature maps. Explicit path."""

    excludes: ClassVar[frozenset[str]] = frozenset({"scores"})

    @abstractmethod
    def kernel(self, q_EBHTK: "Tensor", k_EBHTK: "Tensor") -> "Tensor":
        """(E, B, H, T, T): s(q_i, k_j) >= 0."""

    def scores(self, context: AttentionContext, parameters: Parameters) -> "Tensor":
        return _log(self.kernel(_wide(context.q_EBHTK), _wide(context.k_EBHTK)))


@method("linear_elu")
class EluAttention(LinearAttention):
    """phi(x) = elu(x) + 1, positive and 1 at 0 (Katharopoulos et al. 2020, 2006.16236, eq. 7)."""

    def kernel(self, q_EBHTK: "Tensor", k_EBHTK: "Tensor") -> "Tensor":
        import torch.nn.functional as F

        return (F.elu(q_EBHTK) + 1.0) @ (F.elu(k_EBHTK) + 1.0).transpose(-1, -2)


@method("linear_relu")
class ReluAttention(LinearAttention):
    """phi(x) = max(x, 0) (Cai et al. 2022, 2205.14756): homogeneous, so that weights do not depend on the length of q.

    No temperature can sharpen it, and its entropy is that of the query's direction.
    """

    def kernel(self, q_EBHTK: "Tensor", k_EBHTK: "Tensor") -> "Tensor":
        return q_EBHTK.relu() @ k_EBHTK.relu().transpose(-1, -2)


@method("linear_taylor")
class TaylorAttention(LinearAttention):
    """s = 1 + x + x^2 / 2, x = q . k / sqrt(K): the exponential to second order (Based; Arora et al. 2024, 2402.18668).

    phi(x) = [1, x / K^(1/4), x x^T / (sqrt(2) sqrt(K))], of 1 + K + K^2 numbers; s >= 1/2, the least at x = -1.
    """

    def kernel(self, q_EBHTK: "Tensor", k_EBHTK: "Tensor") -> "Tensor":
        x_EBHTT = q_EBHTK @ k_EBHTK.transpose(-1, -2) * q_EBHTK.shape[-1] ** -0.5
        return 1.0 + x_EBHTT * (1.0 + 0.5 * x_EBHTT)


@method("nala")
class NormAwareAttention(LinearAttention):
    """Powers that grow with the query's length, in place of what linear attention loses of it (NaLaFormer, 2506.21137):

        phi(q) = [max(u, 0)^p, max(-u, 0)^p],  u = q / |q|,  p = lam (1/2 + tanh |q|)
        phi(k) = [max(k, 0)^3, max(-k, 0)^3]

    coordinate by coordinate; lam = 3 in the released code. p lies in [lam/2, 3 lam/2], so a row's entropy has a floor:
    beyond |q| of about 3 nothing gets sharper. Positions that rotate q and k enter before the features here.

    Two ablations, this project's own, have as many features, but none that feels |q|: with `power = "constant"`,
    p = lam, the middle of that range; with "one", queries and keys have the power 1: ReLU of both signs.
    """

    lam: float = Field(3.0, ge=2, le=100, description="lam, slope of the power in tanh |q|")
    power: Literal["norm", "constant", "one"] = Field("norm", description="of queries: grows with |q|, lam, or 1")

    def features(self, q_EBHTK: "Tensor", k_EBHTK: "Tensor") -> "tuple[Tensor, Tensor]":
        """phi(q), phi(k), twice as wide."""
        norm_EBHT1 = q_EBHTK.norm(dim=-1, keepdim=True)
        u_EBHTK = q_EBHTK / (norm_EBHT1 + TINY)
        if self.power == "one":
            return _both_signs(u_EBHTK, 1.0), _both_signs(k_EBHTK, 1.0)
        power_EBHT1 = self.lam * (0.5 + norm_EBHT1.tanh()) if self.power == "norm" else self.lam
        return _both_signs(u_EBHTK, power_EBHT1), _both_signs(k_EBHTK, 3)

    def kernel(self, q_EBHTK: "Tensor", k_EBHTK: "Tensor") -> "Tensor":
        phi_q, phi_k = self.features(q_EBHTK, k_EBHTK)
        return phi_q @ phi_k.transpose(-1, -2)


@method("nala_rope")
class NormAwareRotary(NormAwareAttention):
    """NaLa with rotary positions in the numerator alone, as in its released code:

        w_ij = R_i phi(q_i) . R_j phi(k_j) / sum_j phi(q_i) . phi(k_j)

    R_t turns the pair (2i, 2i + 1) of the 2 K features by t base^(-i/K) (which pairs turn together is this project's
    reading). Weights may be negative and rows do not sum to one: they are no laws. 1e-6 is added to the normaliser,
    which can vanish where numerators do not. Biases multiply numerator and normaliser alike.
    """

    slots: ClassVar[frozenset[str]] = frozenset({"position", "normaliser"})
    excludes: ClassVar[frozenset[str]] = frozenset({"scores", "sums_of_rows"})
    base: float = Field(10_000.0, gt=1, description="longest wavelength is 2 pi base, in tokens")

    def normalise(self, a_EBHTT: "Tensor", context: AttentionContext, parameters: Parameters) -> "Tensor":
        phi_q, phi_k = self.features(_wide(context.q_EBHTK), _wide(context.k_EBHTK))
        kernel_EBHTT = phi_q @ phi_k.transpose(-1, -2)
        log_decay = a_EBHTT - _log(kernel_EBHTT)  # what biases added; -inf where a key is not visible
        decay = (log_decay - log_decay.amax(dim=-1, keepdim=True).detach()).exp()
        K = context.q_EBHTK.shape[-1]
        frequencies = tuple(self.base ** (-i / K) for i in range(K))
        turned_q = turned(phi_q, context.at.queries_T, frequencies)
        turned_k = turned(phi_k, context.at.keys_T, frequencies)
        total = (_wide(kernel_EBHTT) * decay).sum(dim=-1, keepdim=True) + LEAST_SUM
        return _wide(turned_q @ turned_k.transpose(-1, -2)) * decay / total


def _both_signs(x: "Tensor", power: "Tensor | float") -> "Tensor":
    """[max(x, 0)^p, max(-x, 0)^p]."""
    import torch

    return torch.cat([x.relu() ** power, (-x).relu() ** power], dim=-1)


def _wide(x: "Tensor") -> "Tensor":
    """In float32 at least: powers and logarithms of narrow numbers keep no digits."""
    import torch

    return x.float() if x.dtype == torch.bfloat16 else x


def _log(kernel: "Tensor") -> "Tensor":
    return _wide(kernel).clamp(min=LEAST).log()
