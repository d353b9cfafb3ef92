"""Sequences that the switched pair writes itself, scored by the source.

Teacher forcing measures a switcher on true sequences. What it writes is another law: an error of the small model moves
all that follows, and with it how often the large model is called. Each token is drawn from the law q of the model that
is called; scored is, after what was written,

    KL(p || q)        nats a token,

p the source's law after all of it: what the pair loses at contexts of its own. (The other way round, tokens that q
writes and the source hardly ever does set the number by how small p is there.)

Where the small model is the Bayes law of one token, the large one that of two, and the large one is called with a
probability c(b) that depends on the last token alone, the text has the source's law of pairs: with pi(a, b) that of the
last two tokens, the next pair has

    sum_a pi(a, b) [c(b) p(x | a b) + (1 - c(b)) p(x | b)] = c(b) pi(b, x) + (1 - c(b)) pi(b, x) = pi(b, x)

So the share of calls is that of teacher forcing, and so is the mean of any number of the last two tokens: scored by
p(x | a b), random calls, c constant, keep their share of the gain. The source's law after all that was written is that
law on true sequences alone. The small model writes tokens of probability 1e-9, after which the source doubts which of
its regimes wrote them, as the other's least probability, 2^-32, is not far below, and expects something else: without
a call the excess is 0.27 nats, by p(x | a b) 0.23, that of true sequences. What is kept beyond random calls is nearly
the same by both, 0.371 and 0.369 on `signal`, -0.296 and -0.292 on `noise` (replicates 400 to 411). Trained models, and
entropies averaged over a window, are not covered by the proof: random calls are measured as the switcher is.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.studies.adaptive_decoding.config import Reading
from testbed.studies.adaptive_decoding.switching import Bools, divergences, entropies, rolling
from testbed.studies.tables import Floats

if TYPE_CHECKING:
    from testbed.training.member import TrainedMember

Tokens = NDArray[np.int64]
FORCED_SHARES = (0.25, 0.5, 0.75)
"""Of large calls on true sequences: what the thresholds are set by; and the shares of random calls."""
DRAWS, CALLS = 71, 72


def written(
    member: "TrainedMember", table: Floats, tokens: Tokens, window: int, reading: Reading, device: str
) -> dict[str, Floats]:
    """(5,) each, for thresholds never, at the three shares, always, on entropies averaged over `window` tokens:

    forced   share of calls on the true sequences
    share    share of calls while writing
    excess   KL(p || q), nats a token

    table    (V, V) ln q of the small model
    tokens   (N, T) true sequences, whose first reading.window tokens are given
    """
    first, small = reading.window, entropies(np.exp(table))
    scores = rolling(small[tokens[:, :-1]], window)[:, first - window :]  # of the tokens from number `first` on
    levels = [float(np.quantile(scores, 1 - share)) for share in FORCED_SHARES]
    thresholds = np.array([np.inf, *levels, -np.inf])

    def called(text: Tokens) -> Bools:
        """(5, n) where the next token is the large model's, of texts (5, n, t)."""
        return np.asarray(small[text[..., -window:]].mean(axis=-1) > thresholds[:, None])

    forced = np.array([(scores > one).mean() for one in thresholds])
    return {"forced": forced, **_written(member, table, tokens, reading, called, device)}


def at_random(
    member: "TrainedMember", table: Floats, tokens: Tokens, reading: Reading, device: str
) -> dict[str, Floats]:
    """share, excess (5,) of `written` where calls are random: never, with a probability of each share, always."""
    shares = np.array([0.0, *FORCED_SHARES, 1.0])
    rng = np.random.default_rng([member.spec.initial_seed, CALLS])

    def called(text: Tokens) -> Bools:
        return np.asarray(rng.random(text.shape[1]) < shares[:, None])

    return _written(member, table, tokens, reading, called, device)


def _written(
    member: "TrainedMember",
    table: Floats,
    tokens: Tokens,
    reading: Reading,
    called: Callable[[Tokens], Bools],
    device: str,
) -> dict[str, Floats]:
    """share, excess (5,) of five arms, of which one draw writes."""
    arms, first = len(FORCED_SHARES) + 2, reading.window
    n, length = min(reading.written, len(tokens)), tokens.shape[1]
    rng = np.random.default_rng([member.spec.initial_seed, DRAWS])
    uniform = np.tile(rng.random((n, length)), (arms, 1))
    text = np.zeros((arms * n, length), dtype=np.int64)
    text[:, :first] = np.tile(tokens[:n, :first], (arms, 1))
    calls = np.zeros((arms * n, length), dtype=np.bool_)
    log_laws = np.zeros((arms * n, length, len(table)))
    for t in range(first, length):
        calls[:, t] = called(text[:, :t].reshape(arms, n, t)).ravel()
        log_q = table[text[:, t - 1]]
        rows = np.flatnonzero(calls[:, t])
        log_q[rows] = member.log_laws(text[rows, :t], device)
        ends = np.cumsum(np.exp(log_q), axis=1)
        text[:, t] = (uniform[:, t, None] * ends[:, -1:] >= ends[:, :-1]).sum(axis=1)
        log_laws[:, t] = log_q
    p = member.spec.source.predict(text, positions=range(first, length))
    excess = divergences(p, np.maximum(log_laws[:, first:], np.log(np.finfo(np.float64).tiny)))
    by = (arms, n * (length - first))
    return {"share": calls[:, first:].reshape(by).mean(axis=1), "excess": excess.reshape(by).mean(axis=1)}
