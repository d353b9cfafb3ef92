"""EMO: earth mover distance between the model's law and the token that came, by the angle of embeddings."""

from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from testbed.training.losses.loss import Floats, Loss, even_law, loss, needed

if TYPE_CHECKING:
    from torch import Tensor

SMALL = 1e-10
"""Added to what is divided by, as the authors do."""


class EmbeddingCost(Loss):
    """C(y, v) = 1 - cos(e_y, e_v): what it costs to move probability from v to y. The vectors are never trained by it.

    head      the rows of the model's read-out, as they are at each step (the authors' `adaptive_emo`)
    random    vectors that stay as they are, in the place of those of a trained model (the authors' `emo` and the
              pre-trained one's `cost_embedding`): standard normal, so that their truth is known beforehand
    """

    vectors: Literal["head", "random"] = Field("head", description="embeddings: of the read-out, or drawn once")
    dimension: int = Field(3, ge=1, le=65_536, description="random: dimension of the vectors")
    draw: int = Field(0, ge=0, le=2**32, description="random: seed of the vectors")

    @property
    def reads_head(self) -> bool:
        return self.vectors == "head"

    def rows(self, vocab_size: int) -> Floats | None:
        """(V, D) unit vectors of random embeddings."""
        if self.reads_head:
            return None
        drawn = np.random.default_rng(self.draw).standard_normal((vocab_size, self.dimension))
        return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True))

    def distances(self, log_q: "Tensor", rows_EVD: "Tensor | None") -> "Tensor":
        """(E, n, V): sum_v q_v C(y, v) for each y, by way of the mean vector."""
        assert rows_EVD is not None
        rows = rows_EVD.expand(log_q.shape[0], -1, -1)
        return 1.0 - (log_q.exp() @ rows) @ rows.transpose(1, 2)


def cost_of(rows: Floats) -> Floats:
    """(V, V) 1 - cos of vectors (V, D), no less than 0 and 0 on the diagonal.

    >>> cost_of(np.eye(2)).tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    cost = np.maximum(1.0 - unit @ unit.T, 0.0)
    np.fill_diagonal(cost, 0.0)
    return np.asarray(cost)


@loss("emo")
class EMO(EmbeddingCost):
    """EMO's distance alone, l_y = sum_v q_v (1 - cos(e_y, e_v)) (Ren et al. 2023, 2310.04691).

    The paper bounds the earth mover distance between the target law and q by sum p_y q_v C(y, v), exact for a target
    that is one token. That is linear in q: its minimum is the point mass on the token v of least sum_y p_y C(y, v),
    which need not even be the likeliest (where several are, every law on them). The paper trains `adaptive_emo`, with
    cross-entropy beside it.
    """

    def by_target(self, logits_EnV: "Tensor", rows_EVD: "Tensor | None" = None) -> "Tensor":
        return self.distances(logits_EnV.log_softmax(dim=-1), rows_EVD)

    def values(self, q: Floats, cost: Floats | None = None) -> Floats:
        return np.asarray(needed(cost) @ q)

    def slopes(self, q: Floats, cost: Floats | None = None) -> Floats:
        return needed(cost)

    def closed_form(self, p: Floats, cost: Floats | None = None) -> Floats:
        """From the uniform law on, tokens whose mean costs are equal stay equally likely."""
        costs = p @ needed(cost)
        return even_law(np.isclose(costs, costs.min(), rtol=1e-12, atol=1e-15))
