"""Cross-entropy, the default."""

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from testbed.training.losses.loss import Floats, Loss, loss

if TYPE_CHECKING:
    from torch import Tensor


@loss("cross_entropy")
class CrossEntropy(Loss):
    """Cross-entropy, l_y = -ln q_y: strictly proper, S(p, q) = H(p) + KL(p || q).

    >>> CrossEntropy().fixed_point([0.7, 0.3]).tolist()
    [0.7, 0.3]
    """

    proper: ClassVar[bool] = True

    def by_target(self, logits_EnV: "Tensor", rows_EVD: "Tensor | None" = None) -> "Tensor":
        return -logits_EnV.log_softmax(dim=-1)

    def values(self, q: Floats, cost: Floats | None = None) -> Floats:
        return np.asarray(-np.log(q))

    def slopes(self, q: Floats, cost: Floats | None = None) -> Floats:
        return np.diag(-1.0 / q)

    def closed_form(self, p: Floats, cost: Floats | None = None) -> Floats:
        return p
