"""Exact entropies of a tree's leaves, by going through the beliefs that one can arrive at instead of the sequences.

What the leaves of a complete subtree say of its root is one of finitely many messages u; messages that are equal up to
a factor are merged. They are scaled to sum to one and carry a weight w, with  P(u | root symbol a) = w u(a).  Down the
spine, a belief about a node and what its earlier children say of it give the belief about the next child.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from testbed.sources.hierarchical.tree import Tree
from testbed.sources.sampled_truth import law_entropies
from testbed.sources.source import Floats

BUDGET = 2**24
"""Entries of messages and beliefs that are gone through before it is given up."""
DIGITS = 12
"""Messages that agree to so many decimals are one: an error of 1e-12 in a law, of the order of its rounding."""


class TooMany(Exception):
    """More distinct messages or beliefs than the budget allows."""


@dataclass(frozen=True, eq=False)
class Weighted:
    """Distinct vectors (n, k) with their weights (n,)."""

    values: Floats
    weights: Floats


def _merged(values: Floats, weights: Floats) -> Weighted:
    """Each row scaled to sum to one, its sum moved into the weight; rows that are equal then are one."""
    sums = values.sum(axis=1)
    kept = (sums > 0) & (weights > 0)
    values, weights = values[kept] / sums[kept, None], weights[kept] * sums[kept]
    _, first, which = np.unique(np.round(values, DIGITS) + 0.0, axis=0, return_index=True, return_inverse=True)
    return Weighted(values[first], np.bincount(which.reshape(-1), weights).astype(np.float64))


class Enumeration:
    """Messages and beliefs of one tree; raises TooMany where a budget is spent."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.budget = BUDGET
        self._messages: dict[tuple[int, int], Weighted] = {}
        self._partials: dict[tuple[int, int, int], Weighted] = {}

    def _pairs(self, left: Weighted, right: Weighted, width: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        self.budget -= len(left.weights) * len(right.weights) * width
        if self.budget < 0:
            raise TooMany
        i, j = np.divmod(np.arange(len(left.weights) * len(right.weights)), len(right.weights))
        return i, j

    def leaves_below(self, level: int) -> int:
        """Leaves under a node of this level."""
        return self.tree.n_children ** (self.tree.depth - level)

    def messages(self, level: int, seen: int) -> Weighted:
        """What a node of this level is known to be from the last `seen` leaves under it."""
        if level == self.tree.depth or (self.tree.levels[level].decodes and seen == self.leaves_below(level)):
            return Weighted(np.eye(self.tree.vocab_size), np.ones(self.tree.vocab_size))
        if (level, seen) not in self._messages:
            branching = self.tree.levels[level]
            partial = self.partials(level, branching.n_children, seen)
            self._messages[level, seen] = _merged(branching.inside(partial.values), partial.weights)
        return self._messages[level, seen]

    def partials(self, level: int, n_children: int, seen: int) -> Weighted:
        """`partial` of a node of this level when the last `seen` leaves under its first n children were seen."""
        branching = self.tree.levels[level]
        if n_children == 0 or seen == 0:
            return Weighted(branching.fresh()[None], np.ones(1))
        key = (level, n_children, seen)
        if key not in self._partials:
            last = min(seen, self.leaves_below(level + 1))
            before = self.partials(level, n_children - 1, seen - last)
            message = self.messages(level + 1, last)
            i, j = self._pairs(before, message, branching.width)
            values = branching.absorb(before.values[i], n_children - 1, message.values[j])
            self._partials[key] = _merged(values, before.weights[i] * message.weights[j])
        return self._partials[key]

    def child_beliefs(self, level: int, beliefs: Weighted, child: int, seen: int) -> Weighted:
        """Beliefs about a child, from those about its node and the last `seen` leaves under the children before."""
        branching = self.tree.levels[level]
        partial = self.partials(level, child, seen)
        i, j = self._pairs(beliefs, partial, branching.width)
        values = branching.outside(beliefs.values[i], partial.values[j], child)
        return _merged(values, beliefs.weights[i] * partial.weights[j])

    def losses(self, n: int) -> Iterator[float]:
        """H(X_t | X_0 .. X_(t-1)) for the first n leaves of a tree."""
        yield from self._losses_below(0, Weighted(self.tree.root[None], np.ones(1)), n)

    def _losses_below(self, level: int, beliefs: Weighted, n: int) -> Iterator[float]:
        if level == self.tree.depth:
            yield float(beliefs.weights @ law_entropies(beliefs.values))
            return
        below = self.leaves_below(level + 1)
        for child in range(min(self.tree.n_children, -(-n // below))):
            found = self.child_beliefs(level, beliefs, child, child * below)
            yield from self._losses_below(level + 1, found, min(n - child * below, below))

    def window_loss(self, coordinate: int, seen: int) -> float:
        """H(X_t | X_(t-seen) .. X_(t-1)) for the leaf at this coordinate, within one tree."""
        beliefs = Weighted(self.tree.root[None], np.ones(1))
        for level in range(self.tree.depth):
            child, inner = divmod(coordinate, self.leaves_below(level + 1))
            before = child * self.leaves_below(level + 1)
            beliefs = self.child_beliefs(level, beliefs, child, min(max(0, seen - inner), before))
            coordinate = inner
        return float(beliefs.weights @ law_entropies(beliefs.values))
