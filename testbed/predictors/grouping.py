"""What came before in the same group: counts and sums over earlier elements, by one stable sort and no tables.

A learner that counts asks at every position how often something stood in the same context before. Contexts are numbered
(`context_groups`), and a running sum along the stably sorted positions gives all answers at once, in O(n log n) time
and without a table of V^k contexts.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def context_groups(tokens: Integers, depth: int) -> Iterator[Integers]:
    """For d = 0 .. depth: (n_sequences, L - depth) numbers of the contexts of d tokens before positions depth .. L - 1.

    Equal numbers mean the same sequence and the same last d tokens.

    >>> for groups in context_groups(np.array([[0, 1, 1, 0, 1]]), 1):
    ...     print(groups)
    [[0 0 0 0]]
    [[0 1 1 0]]
    """
    n_sequences, length = tokens.shape
    n_positions = max(length - depth, 0)
    groups = np.repeat(np.arange(n_sequences)[:, None], n_positions, axis=1)
    yield groups
    span = int(tokens.max(initial=0)) + 1
    for lag in range(1, depth + 1):
        longer = groups * span + tokens[:, depth - lag : depth - lag + n_positions]
        groups = np.unique(longer, return_inverse=True)[1].reshape(groups.shape)
        yield groups


def earlier_counts(groups: Integers) -> Integers:
    """For every element of `groups` (...,): how many earlier elements, in flat order, have the same number.

    >>> earlier_counts(np.array([7, 3, 7, 7]))
    array([0, 0, 1, 2])
    """
    order, starts = _sorted(groups)
    counts = np.empty(groups.size, dtype=np.int64)
    counts[order] = np.arange(groups.size) - starts
    return counts.reshape(groups.shape)


def earlier_sums(groups: Integers, values: Floats) -> Floats:
    """For every element of `groups` (...,): the sum of `values` (...,) over earlier elements with the same number.

    >>> earlier_sums(np.array([7, 3, 7, 7]), np.array([0.5, 1.0, 2.0, 4.0]))
    array([0. , 0. , 0.5, 2.5])
    """
    order, starts = _sorted(groups)
    sums = np.empty(groups.size)
    sums[order] = _running(values.ravel()[order], starts)
    return sums.reshape(groups.shape)


def earlier_symbols(groups: Integers, tokens: Integers, vocab_size: int) -> Integers:
    """(..., V): how often each symbol stands among the `tokens` (...,) of earlier elements with the same number.

    >>> earlier_symbols(np.array([7, 3, 7, 7]), np.array([0, 1, 1, 0]), 2).tolist()
    [[0, 0], [0, 0], [1, 0], [1, 1]]
    """
    order, starts = _sorted(groups)
    ones = np.zeros((groups.size, vocab_size), dtype=np.int64)
    ones[np.arange(groups.size), tokens.ravel()[order]] = 1
    counts = np.empty_like(ones)
    counts[order] = _running(ones, starts)
    return counts.reshape(*groups.shape, vocab_size)


def _sorted(groups: Integers) -> tuple[Integers, Integers]:
    """The stable order that brings equal numbers together, and for each sorted place where its group starts."""
    order = np.argsort(groups.ravel(), kind="stable")
    ordered = groups.ravel()[order]
    first = np.ones(len(ordered), dtype=np.bool_)
    first[1:] = ordered[1:] != ordered[:-1]
    return order, np.maximum.accumulate(np.where(first, np.arange(len(ordered)), 0))


def _running(values: NDArray, starts: Integers) -> NDArray:
    """The sum of the values of the same group that stand before each; `values` are sorted by group along axis 0."""
    before = np.cumsum(values, axis=0)
    before -= values
    result: NDArray = before - before[starts]
    return result
