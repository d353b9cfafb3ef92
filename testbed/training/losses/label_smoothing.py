"""Label smoothing: cross-entropy with targets that are a little uniform."""

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from testbed.training.losses.loss import Floats, Loss, loss

if TYPE_CHECKING:
    from torch import Tensor


@loss("label_smoothing")
class LabelSmoothing(Loss):
    """Label smoothing, l_y = -(1 - e) ln q_y - (e / V) sum_v ln q_v (Szegedy et al. 2016, 1512.00567, sec. 7).

    Cross-entropy against (1 - e) p + e / V, which is therefore its only minimum: too flat, unless p is uniform; on a
    deterministic source too, where it leaves e (V - 1) / V to tokens that never come.

    >>> LabelSmoothing(amount=0.2).fixed_point([0.5, 0.5, 0.0, 0.0]).round(3).tolist()
    [0.45, 0.45, 0.05, 0.05]
    """

    amount: float = Field(0.1, ge=0, lt=1, description="weight e of the uniform law in the target")

    def by_target(self, logits_EnV: "Tensor", rows_EVD: "Tensor | None" = None) -> "Tensor":
        log_q = logits_EnV.log_softmax(dim=-1)
        return -(1.0 - self.amount) * log_q - self.amount * log_q.mean(dim=-1, keepdim=True)

    def values(self, q: Floats, cost: Floats | None = None) -> Floats:
        return np.asarray(-(1.0 - self.amount) * np.log(q) - self.amount * np.log(q).mean())

    def slopes(self, q: Floats, cost: Floats | None = None) -> Floats:
        return np.asarray(-((1.0 - self.amount) * np.eye(len(q)) + self.amount / len(q)) / q)

    def closed_form(self, p: Floats, cost: Floats | None = None) -> Floats:
        return np.asarray((1.0 - self.amount) * p + self.amount / len(p))
