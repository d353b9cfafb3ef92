"""Total variation to the token that came."""

from typing import TYPE_CHECKING

import numpy as np

from testbed.training.losses.loss import Floats, Loss, even_law, loss

if TYPE_CHECKING:
    from torch import Tensor


@loss("total_variation")
class TotalVariation(Loss):
    """Total variation to the law that is sure of y, l_y = 1 - q_y.

    Total variation to p itself has its minimum at p, but p is not known: of tokens that come one at a time the mean is
    S(p, q) = 1 - p . q, linear in q. Its minimum is the point mass on the likeliest token (where several are, every law
    on them). Ji et al. 2023 (2302.13344) train on a bound of it for that reason.

    >>> TotalVariation().fixed_point([0.4, 0.6]).tolist()
    [0.0, 1.0]
    """

    def by_target(self, logits_EnV: "Tensor", rows_EVD: "Tensor | None" = None) -> "Tensor":
        return 1.0 - logits_EnV.softmax(dim=-1)

    def values(self, q: Floats, cost: Floats | None = None) -> Floats:
        return np.asarray(1.0 - q)

    def slopes(self, q: Floats, cost: Floats | None = None) -> Floats:
        return -np.eye(len(q))

    def closed_form(self, p: Floats, cost: Floats | None = None) -> Floats:
        """From the uniform law on, tokens that are equally likely stay so."""
        return even_law(np.isclose(p, p.max(), rtol=1e-12, atol=0.0))
