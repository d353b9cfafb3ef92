"""The spherical score."""

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from testbed.training.losses.loss import Floats, Loss, loss

if TYPE_CHECKING:
    from torch import Tensor


@loss("spherical")
class Spherical(Loss):
    """The spherical score, l_y = 1 - q_y / |q|: strictly proper, S(p, q) = 1 - |p| cos(p, q).

    Gneiting & Raftery 2007, JASA 102, 359.

    >>> round(Spherical().risk([0.6, 0.4], [0.6, 0.4]), 4)
    0.2789
    """

    proper: ClassVar[bool] = True

    def by_target(self, logits_EnV: "Tensor", rows_EVD: "Tensor | None" = None) -> "Tensor":
        q = logits_EnV.softmax(dim=-1)
        return 1.0 - q / q.norm(dim=-1, keepdim=True)

    def values(self, q: Floats, cost: Floats | None = None) -> Floats:
        return np.asarray(1.0 - q / np.sqrt(q @ q))

    def slopes(self, q: Floats, cost: Floats | None = None) -> Floats:
        length = np.sqrt(q @ q)
        return np.asarray(np.outer(q, q) / length**3 - np.eye(len(q)) / length)

    def closed_form(self, p: Floats, cost: Floats | None = None) -> Floats:
        return p
