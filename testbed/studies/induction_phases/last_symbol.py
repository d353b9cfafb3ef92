"""The least loss of laws of the counts and the last symbol, for more symbols than two: sampled.

The prior is the same for all symbols, so that such a law depends on how often the last symbol stood, how often the
others did, in any order, and whether a symbol is the last one. Its best value in each such case is the mean Bayes law
over sequences; it is fitted to half of them and scored on the others. What the fit costs makes the level an upper
bound, by about the number of cases over twice that of scored positions.
"""

import numpy as np
from numpy.typing import NDArray

from testbed.predictors.grouping import earlier_symbols
from testbed.sources import Source
from testbed.studies.induction_phases.levels import LEVELS_SEED
from testbed.training.streams import first_sequence

Floats = NDArray[np.float64]


def counts_last_losses(source: Source, length: int, n_sequences: int) -> Floats:
    """(length,) mean loss at every position, nats, of the law fitted to the first half, on the second half."""
    k = source.vocab_size
    start = first_sequence("evaluation")
    tokens = source.sample(n_sequences, length, seed=LEVELS_SEED, first_sequence=start).astype(np.int64)
    laws = source.predict(tokens)
    rows = np.repeat(np.arange(n_sequences)[:, None], length, axis=1)
    counts = earlier_symbols(rows, tokens, k)
    losses = np.full(length, np.log(k))
    half = n_sequences // 2
    for t in range(1, length):
        order, cases = sorted_cases(counts[:, t], tokens[:, t - 1])
        law = np.take_along_axis(laws[:, t], order, axis=1)
        number = np.unique(cases, axis=0, return_inverse=True)[1].ravel()
        total = np.full((number.max() + 1, k), 1.0 / k)  # weight one of the uniform law, for cases that are not met
        np.add.at(total, number[:half], law[:half])
        fitted = total / total.sum(axis=1, keepdims=True)
        losses[t] = -(law[half:] * np.log(fitted[number[half:]])).sum(axis=1).mean()
    return losses


def sorted_cases(counts: NDArray[np.int64], last: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of counts (N, K) with the last symbols (N,): the symbols (N, K), the last one first, then the others by falling
    count; and their counts in that order."""
    keys = counts.astype(np.float64)
    keys[np.arange(len(counts)), last] = np.inf
    order = np.argsort(-keys, axis=1, kind="stable")
    return order, np.take_along_axis(counts, order, axis=1)
