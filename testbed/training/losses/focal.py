"""Focal loss: cross-entropy that cares less for what is predicted well."""

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from testbed.training.losses.loss import Floats, Loss, loss

if TYPE_CHECKING:
    from torch import Tensor

SMALLEST = 1e-12
"""Below it 1 - q counts as constant: the slope of its power may be infinite at 0, where the loss is flat."""


@loss("focal")
class Focal(Loss):
    """Focal loss, l_y = -(1 - q_y)^c ln q_y (Lin et al. 2017, 1708.02002).

    Not proper for c > 0 (Charoenphakdee et al. 2021, 2011.09172): with u(q) = (1 - q)^(c-1) ((1 - q) / q - c ln q),
    which falls from infinity to 0, a minimum has p_v u(q_v) = m for one m and all v, so that

        p_v is proportional to 1 / u(q_v)

    Point masses and uniform laws are kept. Else q_v / p_v is proportional to q_v u(q_v), which rises with q_v at first
    (c = 2: up to 0.104) and falls from there on: a likely token gets too little, but among tokens that are all unlikely
    the likelier ones get too much.

    >>> Focal(focus=2.0).fixed_point([0.8, 0.2]).round(3).tolist()
    [0.627, 0.373]
    """

    focus: float = Field(2.0, ge=0, le=100, description="exponent c; 0 is cross-entropy")

    def by_target(self, logits_EnV: "Tensor", rows_EVD: "Tensor | None" = None) -> "Tensor":
        log_q = logits_EnV.log_softmax(dim=-1)
        return -((-log_q.expm1()).clamp(min=SMALLEST) ** self.focus) * log_q

    def values(self, q: Floats, cost: Floats | None = None) -> Floats:
        return np.asarray(-((1.0 - q) ** self.focus) * np.log(q))

    def slopes(self, q: Floats, cost: Floats | None = None) -> Floats:
        return np.diag(-self.pull(q))

    def pull(self, q: Floats) -> Floats:
        """u(q) = -d l / d q."""
        rest = np.maximum(1.0 - q, SMALLEST)
        return np.asarray(rest**self.focus / q - self.focus * rest ** (self.focus - 1.0) * np.log(q))

    def closed_form(self, p: Floats, cost: Floats | None = None) -> Floats:
        """By the root in ln m of sum_v u^-1(m / p_v) = 1, which falls in m."""
        from testbed.training.losses.fixed_points import falling_root

        if p.max() >= 1.0:
            return p
        some = p > 0

        def law(log_m: float) -> Floats:
            with np.errstate(divide="ignore"):  # u is 0 in float64 near q = 1 where c is large
                return falling_root(lambda x: np.log(self.pull(x)), log_m - np.log(p[some]))

        # some token has q >= 1 / n, hence m <= u(1 / n), and all but one q <= 1 / 2, hence m >= u(1 / 2) min p
        least, most = np.log(self.pull(np.array([0.5, 1.0 / some.sum()])))
        low, high = float(least + np.log(p[some].min())), float(most)
        for _ in range(60):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if law(middle).sum() > 1.0 else (low, middle)
        found = np.zeros(len(p))
        found[some] = law(0.5 * (low + high))
        return np.asarray(found / found.sum())
