"""EMO as it is trained: with cross-entropy, each weighed by the other."""

from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from testbed.training.losses.emo import SMALL, EmbeddingCost
from testbed.training.losses.loss import Floats, loss, needed

if TYPE_CHECKING:
    from torch import Tensor


@loss("adaptive_emo")
class AdaptiveEMO(EmbeddingCost):
    """EMO as released: cross-entropy ce_y and distance d_y = sum_v q_v C(y, v), one scaled to the other (2310.04691).

    scaled = distance         l_y = (ce_y + [ce_y / d_y] d_y) / 2          for pre-training and fine-tuning
    scaled = cross_entropy    l_y = [d_y / ce_y] ce_y + d_y                for tuning on little data

    What stands in brackets is held fixed, token by token, so the loss is no function whose gradient is followed, and
    its value (that of ce_y, and of 2 d_y) says nothing of it. Stationary laws are where the slopes, with brackets
    fixed, are alike:

        p_v / q_v = m + sum_y p_y [ce_y / d_y] C(y, v)                                    scaled = distance
        [d_v / ce_v] p_v / q_v = m + sum_y p_y C(y, v)                                    scaled = cross_entropy

    Neither is p in general, nor a point mass unless p is one: as q_v -> 0 the pull p_v / q_v grows faster than any
    cost, in the second form too, where d_v / ce_v falls as 1 / -ln q_v alone.
    """

    scaled: Literal["distance", "cross_entropy"] = Field("distance", description="which of the two is scaled")

    def by_target(self, logits_EnV: "Tensor", rows_EVD: "Tensor | None" = None) -> "Tensor":
        log_q = logits_EnV.log_softmax(dim=-1)
        distance = self.distances(log_q, rows_EVD)
        if self.scaled == "distance":
            return 0.5 * ((-log_q / (distance + SMALL)).detach() * distance - log_q)
        return distance - (distance / (SMALL - log_q)).detach() * log_q

    def values(self, q: Floats, cost: Floats | None = None) -> Floats:
        if self.scaled == "distance":
            return np.asarray(-np.log(q))
        return np.asarray(2.0 * needed(cost) @ q)

    def slopes(self, q: Floats, cost: Floats | None = None) -> Floats:
        costs = needed(cost)
        distance, surprise = costs @ q, -np.log(q)
        if self.scaled == "distance":
            return np.asarray(0.5 * ((surprise / (distance + SMALL))[:, None] * costs - np.diag(1.0 / q)))
        return np.asarray(costs - np.diag(distance / (surprise + SMALL) / q))
