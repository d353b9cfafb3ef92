"""Cut cross-entropy: cross-entropy whose gradient leaves out what is small."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike
from pydantic import Field

from testbed.training.losses.cross_entropy import CrossEntropy
from testbed.training.losses.loss import Floats, Loss, _laws, loss

if TYPE_CHECKING:
    from torch import Tensor

HALVINGS = 200
"""Of the interval that holds the drift; more than float64 tells apart."""


@loss("cut_cross_entropy")
class CutCrossEntropy(Loss):
    """Cross-entropy with the gradient filter of cut cross-entropy: q_v < e is not pushed down (2411.09009).

    Value l_y = -ln q_y, to the bit; gradient in the logit of v, with the label never filtered,

        q_v [q_v >= e or v = y] - [v = y]                       off by less than V e in L1

    and its mean over labels of law p, the field,

        F_v = q_v - p_v   where q_v >= e            F_v = -p_v (1 - q_v)   where q_v < e

    The filter is applied entry by entry (this project's reading; the released kernel skips blocks of targets by tokens
    none of whose |q_v - [v = y]| reaches e: less, but for a label that is known to within e) and to the gradients of
    classifier and hidden state alike.

    Where it ends (ours). F vanishes at no law, unless all p_v >= e: it does not even sum to zero, and logits rise
    together for ever at a rate c. The law obeys d q_v / dt = -q_v (F_v - q . F), the replicator flow of the concave

        sum_v p_v q_v - q_v^2 / 2, its slope p_v (1 - q_v) below e,

    whose one maximum q* it reaches from every positive law (d KL(q* || q) / dt < 0), with a jump of the field at e on
    which tokens slide (Filippov). There F_v = -c wherever q_v > 0, and c >= 0 is the root of sum_v q_v = 1 in

        q_v = p_v - c                where p_v >= c + e                  a little too little
        q_v = e                      where c / (1 - e) <= p_v <= c + e   slides on the threshold: p_v < e too much
        q_v = 1 - c / p_v            between c and c / (1 - e)
        q_v = 0                      where p_v <= c                      starved, as exp(-(c - p_v) t)

    So the tail is over-estimated down to p_v = c and lost below: what is not pushed down is not safe, since everything
    else rises. The excess of q* is infinite where a token starves, and a path is near q* after times of 1 / e in units
    of logits; an optimiser that weighs coordinates (Adam) has another c for each token. e = 0 is cross-entropy.

    full_classifier leaves the classifier's gradient whole and filters that of the hidden states alone, as the release
    has it for pre-training (its full_c). There is no field in the logits then; the classifier rests at q = p alone.

    >>> CutCrossEntropy(threshold=0.1).fixed_point([0.8, 0.09, 0.08, 0.03]).round(3).tolist()
    [0.771, 0.1, 0.1, 0.029]
    """

    threshold: float = Field(2.0**-12, ge=0, le=1, description="probability e below which nothing is pushed down")
    full_classifier: bool = Field(False, description="leave the classifier's gradient whole; of untied heads")

    # -- in training
    @property
    def head_loss(self) -> Loss | None:
        return CrossEntropy() if self.full_classifier else None

    def by_target(self, logits_EnV: "Tensor", rows_EVD: "Tensor | None" = None) -> "Tensor":
        log_q = logits_EnV.log_softmax(dim=-1)
        moved, removed = self._removed(logits_EnV, log_q)
        return removed - log_q - removed.sum(dim=-1, keepdim=True) if moved else -log_q

    def losses(self, logits_EnV: "Tensor", target_En: "Tensor", rows_EVD: "Tensor | None" = None) -> "Tensor":
        log_q, label = logits_EnV.log_softmax(dim=-1), target_En[..., None]
        own = log_q.gather(-1, label)[..., 0]
        moved, removed = self._removed(logits_EnV, log_q)
        return removed.gather(-1, label)[..., 0] - own - removed.sum(dim=-1) if moved else -own

    def _removed(self, logits: "Tensor", log_q: "Tensor") -> "tuple[bool, Tensor]":
        """Zeros whose gradient in the logits is what the filter takes out of a gradient without labels."""
        q = log_q.detach().exp()
        small = q.masked_fill(q >= self.threshold, 0.0)
        return self.threshold > 0, small * (logits - logits.detach())

    # -- on a known law
    def values(self, q: Floats, cost: Floats | None = None) -> Floats:
        return np.asarray(-np.log(q))

    def slopes(self, q: Floats, cost: Floats | None = None) -> Floats:
        """Of no function: those whose gradient in the logits is the filtered one less its mean over v."""
        gradient = np.where(q >= self.threshold, q, q * np.eye(len(q))) - np.eye(len(q))
        return np.asarray((gradient - gradient.mean(axis=1, keepdims=True)) / q)

    def field(self, p: ArrayLike, q: ArrayLike, cost: ArrayLike | None = None) -> Floats:
        """(V,) F, the mean filtered gradient in the logits; a part common to all v moves no law. With a full classifier
        that of the hidden state."""
        law, model, _ = _laws(p, q, cost)
        return np.asarray(np.where(model >= self.threshold, model - law, -law * (1.0 - model)))

    def closed_form(self, p: Floats, cost: Floats | None = None) -> Floats:
        if self.full_classifier:
            return p
        found = self._held(p, self.drift(p))
        return np.asarray(found / found.sum())

    def drift(self, p: ArrayLike) -> float:
        """c, the rate at which all logits rise together at the fixed point, by bisection: the sum of q_v falls in c."""
        law, _, _ = _laws(p, p, None)
        low, high = 0.0, float(law.max())
        if self._held(law, low).sum() <= 1.0:
            return 0.0
        for _ in range(HALVINGS):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if self._held(law, middle).sum() > 1.0 else (low, middle)
        return 0.5 * (low + high)

    def starves(self, p: ArrayLike) -> bool:
        """Whether the rarest token has none of the fixed point: p_v <= c, by one look instead of a bisection."""
        law, _, _ = _laws(p, p, None)
        return bool(self._held(law, float(law.min())).sum() >= 1.0)

    def _held(self, p: Floats, c: float) -> Floats:
        """(V,) q_v at which F_v = -c, on the jump included; 0 where there is none."""
        with np.errstate(divide="ignore", invalid="ignore"):
            below = np.where(p > c, 1.0 - c / p, 0.0)
        return np.asarray(np.maximum(p - c, np.clip(below, 0.0, self.threshold)))
