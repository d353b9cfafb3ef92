"""The closed-form predictors, and how far a law is from each of them at every position.

    uniform     1 / K
    unigram     (n_x + b) / (t + K b)              n_x: how often x stood among the t tokens so far; b = 1 in the paper
    bigram      (n_cx + 1) / (n_c + K)             n_cx: how often x followed the last token c before

The divergence of a predictor s from a model's law q is sum_x s(x) ln(s(x) / q(x)), mean over positions; where s is the
Bayes law it is the excess loss.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from testbed.predictors import add_constant_law
from testbed.predictors.grouping import context_groups, earlier_symbols

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def unigram_laws(tokens: Integers, vocab_size: int, smoothings: Sequence[float]) -> Iterator[Floats]:
    """For each smoothing (N, T, K): smoothed counts of the tokens before each position."""
    rows = np.repeat(np.arange(len(tokens))[:, None], tokens.shape[1], axis=1)
    counts = earlier_symbols(rows, tokens, vocab_size)
    for one in smoothings:
        yield add_constant_law(counts, one)


def bigram_law(tokens: Integers, vocab_size: int) -> Floats:
    """(N, T, K): add-one counts of what followed the last token before; uniform at the first position."""
    laws = np.full((*tokens.shape, vocab_size), 1.0 / vocab_size)
    *_, groups = context_groups(tokens, 1)
    laws[:, 1:] = add_constant_law(earlier_symbols(groups, tokens[:, 1:], vocab_size), 1.0)
    return laws


def divergence(law: Floats, log_q: Floats) -> Floats:
    """(...) KL(s || q) of positive laws (..., K), nats."""
    return np.asarray((law * (np.log(law) - log_q)).sum(axis=-1))


def straight_way(unigram: Floats, bigram: Floats, points: int = 21) -> float:
    """How near the unigram law the straight way from uniform to bigram passes: the least over lambda in 0 .. 1 of the
    mean KL(unigram || q), q proportional to bigram^lambda.

    Were KL a squared distance, with the unigram law at a right angle of the triangle, the way would be as far from all
    three at its middle (Thales), and unigram never the nearest: a model that is nearest to it has left the way.
    """
    logs, least = np.log(bigram), np.inf
    for share in np.linspace(0.0, 1.0, points):
        mixed = share * logs
        mixed = mixed - np.log(np.exp(mixed).sum(axis=-1, keepdims=True))
        least = min(least, float(divergence(unigram, mixed).mean()))
    return least
