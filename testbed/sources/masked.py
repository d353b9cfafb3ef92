"""What a source says of masked tokens: their exact laws given all tokens that are seen, before and after them."""

from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from testbed.core import Truth

if TYPE_CHECKING:
    from testbed.sources.source import Floats, Source, Tokens

FILLINGS = 2**16
"""The ways to fill the masked tokens of a sequence that are summed over, at most."""


class MaskedPrediction:
    """The part of the `Source` contract that is about masked tokens: what bidirectional training is judged against.

    Finite machines, and all sources that can be written as one without rounding, take any number of masked tokens and
    any length: forward-backward. All others are asked for the probability of every sequence that the masked ones could
    make, V^m of them for m masked tokens, which is refused above 2^16 (`most_masked` says so beforehand).
    """

    def predict_masked(self, tokens: "Tokens", masked: NDArray[np.bool_]) -> "Floats":
        """(n, V): the exact law of every masked token given all that are not masked, in the order of np.nonzero.

            p(x_t = v | x_S) = p(x_t = v, x_S) / p(x_S),      S the positions (N, L) where `masked` is False

        What stands at a masked position is not read. nan where the tokens seen are impossible together.

        Raises UndefinedError, with the reason, where the law cannot be had.
        """
        from testbed.sources.masked_laws import masked_laws

        return masked_laws(cast("Source", self), tokens, masked)

    def most_masked(self) -> int | None:
        """How many tokens of a sequence may be masked; None: any number."""
        from testbed.sources.masked_laws import most_filled

        return most_filled(cast("Source", self))

    def masked_losses(self, length: int, n_masked: int = 1) -> Truth:
        """(length,): Bayes loss of token t of a sequence of this length if it is masked, nats.

            n_masked = 1    H(X_t | all other tokens)
            n_masked = m    mean over the choices of m - 1 other masked tokens, all alike, of H(X_t | those not masked)

        Exact where all strings can be listed or a closed form is known, else sampled: the mean of exact conditional
        entropies over drawn sequences and choices. The loss of training on m masked tokens a sequence, drawn uniformly,
        is bounded below by the mean of these. Two sides tell at least as much as one: never above `position_losses` for
        m = 1.
        """
        from testbed.sources.masked_losses import masked_losses

        return masked_losses(cast("Source", self), length, n_masked)
