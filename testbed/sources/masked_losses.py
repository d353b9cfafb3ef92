"""Bayes losses of masked tokens: exact where all strings can be listed, else means of exact conditional entropies."""

import itertools
import math

import numpy as np
from numpy.typing import NDArray

from testbed.core import Truth
from testbed.sources.masked_checks import check_sites
from testbed.sources.sampled_truth import N_SEQUENCES, TRUTH_SEED, law_entropies
from testbed.sources.source import Floats, Source

LISTED_STRINGS, LISTED_CHOICES = 2**14, 2**10
SAMPLED_TOKENS = 2**22
"""Tokens of masked sequences that are read for a sampled truth, roughly; eight times as many by forward-backward."""
FEWEST = 64
CHUNK_ENTRIES = 2**22


def masked_losses(source: Source, length: int, n_masked: int = 1) -> Truth:
    """`Source.masked_losses`: listed, or sampled."""
    length, n_masked = check_sites(source, length, n_masked)
    if length == 0:
        return Truth.exact(np.empty(0))
    if source.vocab_size == 1:
        return Truth.exact(np.zeros(length))
    if not source.takes_inputs and source.vocab_size**length <= LISTED_STRINGS:
        strings = np.indices((source.vocab_size,) * length).reshape(length, -1).T
        with np.errstate(invalid="ignore", divide="ignore"):
            logs = np.nan_to_num(source.log_probs(strings), nan=-np.inf, neginf=-np.inf).sum(axis=1)
        law = np.exp(logs).reshape((source.vocab_size,) * length)
        if math.comb(length, n_masked) <= LISTED_CHOICES:
            return Truth.exact(listed_losses(law, n_masked))
    return sampled_losses(source, length, n_masked)


def listed_losses(law: Floats, n_masked: int) -> Floats:
    """(L,) from the law of all strings, (V,) * L:  H(X_t | seen) = H(X_t, seen) - H(seen), mean over the choices."""
    length = law.ndim
    total, count = np.zeros(length), np.zeros(length)
    for choice in itertools.combinations(range(length), n_masked):
        seen = _entropy(law.sum(axis=choice))
        for t in choice:
            total[t] += _entropy(law.sum(axis=tuple(other for other in choice if other != t))) - seen
            count[t] += 1
    return np.maximum(total / count, 0.0)  # rounding could go below


def sampled_losses(source: Source, length: int, n_masked: int = 1, n_sequences: int | None = None) -> Truth:
    """(L,): mean over sequences of the entropy of every token's exact law, with its standard error.

    In every sequence the positions, in an order drawn for it, are cut into groups of n_masked that are masked together,
    so that each position is looked at once; the last group is filled up with positions that are not counted again. The
    positions share sequences, so their errors are correlated.
    """
    groups = -(-length // n_masked)
    if n_sequences is None:
        tokens_read = SAMPLED_TOKENS * (8 if source.most_masked() is None else 1)
        n_sequences = min(N_SEQUENCES, max(FEWEST, tokens_read // (groups * length)))
    rng = np.random.Generator(np.random.Philox(TRUTH_SEED))
    step = max(1, CHUNK_ENTRIES // (groups * length))
    found = np.empty((n_sequences, length))
    for first in range(0, n_sequences, step):
        n = min(step, n_sequences - first)
        tokens = source.batch(n, length, seed=TRUTH_SEED, first_sequence=first).tokens
        order = np.argsort(rng.random((n, length)), axis=1) if n_masked > 1 else np.tile(np.arange(length), (n, 1))
        found[first : first + n] = _entropies_in_groups(source, tokens, order, n_masked)
    error = found.std(axis=0, ddof=1) / np.sqrt(n_sequences)
    return Truth.sampled(found.mean(axis=0), error)


def _entropies_in_groups(source: Source, tokens: NDArray, order: NDArray[np.int64], n_masked: int) -> Floats:
    """(N, L): entropy of the law of each position, masked with the others of its group of `order` (N, L)."""
    n, length = tokens.shape
    result = np.empty((n, length))
    rows = np.arange(n)
    for start in range(0, length, n_masked):
        group = order[:, start : start + n_masked]
        missing = n_masked - group.shape[1]
        masked = np.zeros(tokens.shape, dtype=np.bool_)
        masked[rows[:, None], np.concatenate([group, order[:, :missing]], axis=1)] = True
        entropies = np.zeros(tokens.shape)
        entropies[masked] = law_entropies(source.predict_masked(tokens, masked))
        result[rows[:, None], group] = np.take_along_axis(entropies, group, axis=1)
    return result


def _entropy(law: Floats) -> float:
    return float(law_entropies(np.asarray(law).ravel()))
