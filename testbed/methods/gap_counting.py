"""Temperatures read off each row of logits: gap counting, and the entropy-driven one."""

import math
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from testbed.methods.method import AttentionContext, Method, Parameters, method

if TYPE_CHECKING:
    from torch import Tensor

LARGEST_FACTOR = 1e4
"""Where a row's largest logit is attained twice its critical temperature is zero; the factor stops here."""


@method("gap_counting")
class GapCounting(Method):
    """Multiply each row of logits by r Lambda, its critical inverse temperature (Hayase & Karakida 2026, 2605.12697):

        Lambda = sup over t > 0 of ln N(t) / t,     N(t) the number of visible keys within t of the row's largest logit

    r well below 1 levels the two largest weights, r well above 1 leaves one. Explicit path. No no-op at n = m.
    """

    excludes: ClassVar[frozenset[str]] = frozenset({"length_scale"})
    r: float = Field(1.0, gt=0, description="inverse temperature in units of the critical one")

    def logits(self, a_EBHTT: "Tensor", context: AttentionContext, parameters: Parameters) -> "Tensor":
        seen = a_EBHTT.masked_fill(~context.visible_TT, -math.inf)
        return a_EBHTT * (self.r * critical_inverse_temperature(seen, LARGEST_FACTOR / self.r))[..., None]


def critical_inverse_temperature(a: "Tensor", largest: float = math.inf) -> "Tensor":
    """(...,): the smaller of Lambda and `largest` for each row of logits (..., n); -inf entries are not there.

    Lambda is infinite for a tie at the top; where `largest` stands in for it, its gradient is zero.
    """
    import torch

    gaps = (a.amax(dim=-1, keepdim=True) - a).sort(dim=-1).values[..., 1:]
    if gaps.shape[-1] == 0:
        return torch.zeros_like(a[..., 0])
    counts = torch.arange(2, a.shape[-1] + 1, device=a.device, dtype=a.dtype)
    return (counts.log() / gaps.maximum(counts.log() / largest)).amax(dim=-1)


@method("adaptive_temperature")
class AdaptiveTemperature(Method):
    """Multiply each row of logits by max(1, P(H)) where its softmax has an entropy H above 0.5.

    P(H) = -.037 H^4 + .481 H^3 - 2.3 H^2 + 4.917 H - 1.791 (Velickovic et al. 2024, 2410.01104, fitted there). P
    falls below 1 again near H = 6: it turns itself off for diffuse heads beyond some 400 keys. Explicit path.
    """

    excludes: ClassVar[frozenset[str]] = frozenset({"length_scale"})
    coefficients: tuple[float, ...] = Field(
        (-1.791, 4.917, -2.3, 0.481, -0.037), description="of P, lowest power first; refit them for long windows"
    )
    threshold: float = Field(0.5, ge=0, description="rows of less entropy are left alone, nats")

    def logits(self, a_EBHTT: "Tensor", context: AttentionContext, parameters: Parameters) -> "Tensor":
        import torch

        log_w = a_EBHTT.masked_fill(~context.visible_TT, -math.inf).log_softmax(dim=-1)
        entropy = -(log_w.exp() * log_w.masked_fill(~context.visible_TT, 0.0)).sum(dim=-1)
        fitted = sum(c * entropy**power for power, c in enumerate(self.coefficients))
        factor = torch.where(entropy > self.threshold, torch.as_tensor(fitted).clamp(min=1.0), 1.0)
        return a_EBHTT * factor[..., None]
