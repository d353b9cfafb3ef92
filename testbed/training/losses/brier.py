"""The Brier score."""

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from testbed.training.losses.loss import Floats, Loss, loss

if TYPE_CHECKING:
    from torch import Tensor


@loss("brier")
class Brier(Loss):
    """The Brier score, l_y = sum_v (q_v - [v = y])^2 (Brier 1950): strictly proper, S(p, q) = 1 - |p|^2 + |q - p|^2.

    >>> Brier().risk([0.5, 0.5], [1.0, 0.0])
    1.0
    """

    proper: ClassVar[bool] = True

    def by_target(self, logits_EnV: "Tensor", rows_EVD: "Tensor | None" = None) -> "Tensor":
        q = logits_EnV.softmax(dim=-1)
        return 1.0 - 2.0 * q + q.square().sum(dim=-1, keepdim=True)

    def values(self, q: Floats, cost: Floats | None = None) -> Floats:
        return np.asarray(1.0 - 2.0 * q + q @ q)

    def slopes(self, q: Floats, cost: Floats | None = None) -> Floats:
        return np.asarray(2.0 * (q[None, :] - np.eye(len(q))))

    def closed_form(self, p: Floats, cost: Floats | None = None) -> Floats:
        return p
