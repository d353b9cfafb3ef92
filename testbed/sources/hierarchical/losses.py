"""Bayes losses of the leaves of one tree read from left to right: by enumeration of beliefs, else by sampling."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from testbed.core import Truth
from testbed.sources.hierarchical.enumeration import Enumeration, TooMany
from testbed.sources.hierarchical.filter import TreeFilter
from testbed.sources.hierarchical.tree import Tree
from testbed.sources.sampled_truth import N_SEQUENCES, TRUTH_SEED, law_entropies
from testbed.sources.source import Floats

CHUNK_ENTRIES = 2**22
WINDOW_WORK = 2**28
"""Leaves x entries that sampled window entropies go through, about."""


class Losses(NamedTuple):
    """h_t = H(leaf t | leaves before it in its tree), t = 0 .. n - 1, nats; of all T leaves also their sum, and

    ramp = sum over t of ((T - 1 - t) / T - (T - 1) / (2 T)) h_t, the mean over r < T of H(first r leaves) - r h.
    """

    positions: Truth
    total: Truth
    ramp: Truth


def tree_losses(tree: Tree, n: int) -> Losses:
    """Losses of the first n leaves, 0 <= n <= T: exact where the beliefs can be gone through, else sampled."""
    try:
        exact = np.fromiter(Enumeration(tree).losses(n), dtype=np.float64, count=n)
    except TooMany:
        return _sampled_losses(tree, n)
    return Losses(Truth.exact(exact), Truth.exact(float(exact.sum())), Truth.exact(float(exact @ _ramp(tree, n))))


def _ramp(tree: Tree, n: int) -> Floats:
    size = tree.n_leaves
    return (size - 1 - np.arange(n)) / size - (size - 1) / (2 * size)


def _sampled_losses(tree: Tree, n: int) -> Losses:
    """Means over N_SEQUENCES trees of the exact entropy of each leaf's law."""
    sums, squares = np.zeros(n), np.zeros(n)
    scalars = np.zeros((2, N_SEQUENCES))
    rows = _rows(tree, n)
    for first in range(0, N_SEQUENCES, rows):
        chunk = slice(first, min(first + rows, N_SEQUENCES))
        tokens = tree.draw(chunk.stop - first, n, TRUTH_SEED, first)
        state = TreeFilter(tree, len(tokens))
        for t, slope in enumerate(_ramp(tree, n)):
            entropies = law_entropies(state.law())
            sums[t] += entropies.sum()
            squares[t] += (entropies**2).sum()
            scalars[:, chunk] += np.stack([entropies, slope * entropies])
            state.observe(tokens[:, t])
    total, ramp = scalars
    return Losses(
        _mean(sums, squares, N_SEQUENCES),
        _mean(total.sum(), (total**2).sum(), N_SEQUENCES),
        _mean(ramp.sum(), (ramp**2).sum(), N_SEQUENCES),
    )


def window_losses(tree: Tree, max_context: int) -> Truth:
    """(max_context + 1,): H(last leaf | the nearest l leaves), l = 0 .. max_context < T, position known."""
    last = tree.n_leaves - 1
    found = Enumeration(tree)
    exact: list[float] = []
    try:
        exact.extend(found.window_loss(last, l) for l in range(max_context + 1))
    except TooMany:
        return _sampled_windows(tree, max_context, np.array(exact))
    return Truth.exact(np.array(exact))


def _sampled_windows(tree: Tree, max_context: int, exact: Floats) -> Truth:
    """The entries that are known keep a standard error of zero."""
    cost = (max_context + 1) ** 2 // 2 * tree.width
    n = int(np.clip(WINDOW_WORK // cost, 256, N_SEQUENCES))
    mean, error = np.zeros(max_context + 1), np.zeros(max_context + 1)
    mean[: len(exact)] = exact
    tokens = _leaves(tree, n)
    for l in range(len(exact), max_context + 1):
        state = TreeFilter(tree, n, tree.n_leaves - 1 - l)
        for t in range(tree.n_leaves - 1 - l, tree.n_leaves - 1):
            state.observe(tokens[:, t])
        entropies = law_entropies(state.law())
        one = _mean(entropies.sum(), (entropies**2).sum(), n)
        mean[l], error[l] = one.lower, one.standard_error
    return Truth.sampled(mean, error)


def _leaves(tree: Tree, n: int) -> NDArray[np.int64]:
    rows = _rows(tree, tree.n_leaves)
    parts = [tree.draw(min(rows, n - first), tree.n_leaves, TRUTH_SEED, first) for first in range(0, n, rows)]
    return np.concatenate(parts)


def _rows(tree: Tree, length: int) -> int:
    return max(1, CHUNK_ENTRIES // max(1, length, tree.width * tree.depth))


def _mean(total: Floats, squares: Floats, n: int) -> Truth:
    mean = np.asarray(total) / n
    variance = np.maximum(np.asarray(squares) / n - mean**2, 0.0) / (n - 1)
    return Truth.sampled(mean, np.sqrt(variance))
