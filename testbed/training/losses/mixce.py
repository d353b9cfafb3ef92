"""MixCE: cross-entropy mixed with what can be had of the reverse one."""

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from testbed.training.losses.loss import Floats, Loss, loss

if TYPE_CHECKING:
    from torch import Tensor


@loss("mixce")
class MixCE(Loss):
    """MixCE, l_y = -e ln q_y - (1 - e) q_y (Zhang et al. 2023, 2305.16958).

    The paper mixes H(p, q) with H(q, p) = -sum q ln p. As p is not known it takes -sum q p for the latter, whose
    gradient is that of cross-entropy times q_y, held fixed: (e + (1 - e) q_y) grad(-ln q_y), as here.

    S(p, .) is convex, with its minimum where p_v (e / q_v + 1 - e) = m for one m and all v:

        q_v = e p_v / (m - (1 - e) p_v)                     sharper than p, unless p is uniform or a point mass

    >>> MixCE(mixing=0.5).fixed_point([0.6, 0.4]).round(3).tolist()
    [0.646, 0.354]
    """

    mixing: float = Field(0.5, gt=0, le=1, description="weight e of cross-entropy")

    def by_target(self, logits_EnV: "Tensor", rows_EVD: "Tensor | None" = None) -> "Tensor":
        log_q = logits_EnV.log_softmax(dim=-1)
        return -self.mixing * log_q - (1.0 - self.mixing) * log_q.exp()

    def values(self, q: Floats, cost: Floats | None = None) -> Floats:
        return np.asarray(-self.mixing * np.log(q) - (1.0 - self.mixing) * q)

    def slopes(self, q: Floats, cost: Floats | None = None) -> Floats:
        return np.diag(-self.mixing / q - (1.0 - self.mixing))

    def closed_form(self, p: Floats, cost: Floats | None = None) -> Floats:
        """By the root m of sum q = 1, which lies between (1 - e) max p and that + e."""
        high_p = float(p.max())
        low, high = 0.0, self.mixing  # of m - (1 - e) max p
        rest = (1.0 - self.mixing) * (high_p - p)
        for _ in range(200):
            middle = 0.5 * (low + high)
            total = float(np.sum(self.mixing * p / (middle + rest)))
            low, high = (middle, high) if total > 1.0 else (low, middle)
        q = self.mixing * p / (0.5 * (low + high) + rest)
        return np.asarray(q / q.sum())
