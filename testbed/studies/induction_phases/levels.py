"""The losses of the closed-form predictors on a law of chains: the levels of the training curve.

For K = 2 and Dirichlet(1) rows they are exact. Of t tokens with first f and last l, and n_00, n_01 transitions from 0,

    n_10 = n_01 - [f = 0, l = 1] + [f = 1, l = 0],     n_11 = t - 1 - n_00 - n_01 - n_10

so that (f, l, n_00, n_01) is a state of which the next law is known, and the law of the state moves on token by token.
Sums over it give the loss of any predictor that counts, and the least loss of every law that sees

    counts          how often each symbol stood
    counts_last     these, and which symbol stands last: all that one uniform average and the residual stream know

Elsewhere they are means of exact conditional losses over drawn sequences.
"""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from testbed.studies.induction_phases.config import Arm
from testbed.studies.induction_phases.predictors import bigram_law, unigram_laws
from testbed.training.streams import first_sequence

Floats = NDArray[np.float64]
LEVELS_SEED = 1
LONGEST_EXACT = 256


@lru_cache(maxsize=8)
def exact_binary_levels(length: int, smoothings: tuple[float, ...]) -> dict[str, Floats]:
    """Losses of every position, nats, K = 2 and rows from Dirichlet(1): bayes, counts, counts_last (length,), and
    unigram (length, n_smoothings). Time O(length^3).

    law_of_counts_last   (length, length, 2, 2): the law of the next symbol by position, zeros so far, last symbol
    """
    names = ("bayes", "counts", "counts_last")
    found = {name: np.full(length, math.log(2.0)) for name in names}
    found["unigram"] = np.full((length, len(smoothings)), math.log(2.0))
    found["law_of_counts_last"] = np.full((length, length, 2, 2), 0.5)
    n_00, n_01 = np.indices((length, length))
    states = {(f, l): np.zeros((length, length)) for f in (0, 1) for l in (0, 1)}
    states[0, 0][0, 0] = states[1, 1][0, 0] = 0.5
    added = np.array(smoothings)
    for t in range(1, length):
        joint = np.zeros((t + 1, 2, 2))  # zeros so far, last, next
        bayes, after = 0.0, {key: np.zeros((length, length)) for key in states}
        for (first, last), law in states.items():
            at = law > 0
            from_0, to_1, weight = n_00[at], n_01[at], law[at]
            back = to_1 - int((first, last) == (0, 1)) + int((first, last) == (1, 0))
            stay_1 = t - 1 - from_0 - to_1 - back
            zero, one = (from_0, to_1) if last == 0 else (back, stay_1)
            next_law = np.stack([zero + 1, one + 1], axis=1) / (zero + one + 2)[:, None]
            bayes -= float((weight[:, None] * next_law * np.log(next_law)).sum())
            np.add.at(joint[:, last], from_0 + to_1 + (last == 0), weight[:, None] * next_law)
            for symbol in (0, 1):
                moved = from_0 + (last == 0 and symbol == 0), to_1 + (last == 0 and symbol == 1)
                np.add.at(after[first, symbol], moved, weight * next_law[:, symbol])
        states = after
        zeros = np.arange(t + 1)
        guess = np.stack([zeros, t - zeros], axis=1)[..., None] + added  # (t + 1, next, smoothing)
        found["unigram"][t] = -np.einsum("zx,zxb->b", joint.sum(axis=1), np.log(guess / guess.sum(axis=1)[:, None]))
        met = joint.sum(axis=-1) > 0
        found["law_of_counts_last"][t, : t + 1][met] = joint[met] / joint[met].sum(axis=-1, keepdims=True)
        found["bayes"][t] = bayes
        found["counts"][t], found["counts_last"][t] = _least(joint.sum(axis=1)), _least(joint)
    return found


def _least(joint: Floats) -> float:
    """H(next | the rest) of a joint law (..., next)."""
    total = joint.sum(axis=-1, keepdims=True)
    logs = np.log(joint / np.where(total > 0, total, 1.0), out=np.zeros_like(joint), where=joint > 0)
    return float(-(joint * logs).sum())


def sampled_levels(arm: Arm, length: int, smoothings: tuple[float, ...], n_sequences: int) -> dict[str, Floats]:
    """Losses of every sequence and position: bayes, bigram (N, length), unigram (N, length, n_smoothings)."""
    source = arm.source
    start = first_sequence("probe")
    tokens = source.sample(n_sequences, length, seed=LEVELS_SEED, first_sequence=start).astype(np.int64)
    laws = source.predict(tokens)

    def loss(law: Floats) -> Floats:
        return np.asarray(-(laws * np.log(law)).sum(axis=-1))

    counted = unigram_laws(tokens, arm.vocab_size, smoothings)
    unigram = np.stack([loss(law) for law in counted], axis=-1)
    return {"bayes": loss(laws), "bigram": loss(bigram_law(tokens, arm.vocab_size)), "unigram": unigram}


def counts_last_law(tokens: NDArray[np.int64]) -> Floats:
    """(N, T, 2): the best law of what counts and the last symbol tell, K = 2, at every position of sequences."""
    length = tokens.shape[1]
    table = exact_binary_levels(length, (1.0,))["law_of_counts_last"]
    zeros = np.cumsum(tokens == 0, axis=1)
    laws = np.full((*tokens.shape, 2), 0.5)
    laws[:, 1:] = table[np.arange(1, length), zeros[:, :-1], tokens[:, :-1]]
    return laws


def has_exact(arm: Arm, length: int) -> bool:
    """Whether the levels are sums over states."""
    return arm.vocab_size == 2 and arm.prior == "dirichlet" and length <= LONGEST_EXACT
