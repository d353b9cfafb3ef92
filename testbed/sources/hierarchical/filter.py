"""`TreeFilter`: the law of the next leaf given the leaves before it, by belief propagation along the spine.

A token changes a level of the tree only when it completes a node there, so n tokens cost O(n) steps, each vectorised
over sequences.
"""

import numpy as np
from numpy.typing import NDArray

from testbed.sources.hierarchical.tree import Tree
from testbed.sources.source import Floats


class TreeFilter:
    """The law of the next leaf given the leaves seen so far, for n sequences, tree after tree.

    coordinate  where in its tree the first leaf stands; the leaves before it are not seen
    """

    def __init__(self, tree: Tree, n: int, coordinate: int = 0) -> None:
        self.tree, self.n = tree, n
        self._beliefs: list[Floats] = [np.empty(0)] * tree.depth
        self._partials: list[Floats] = [np.empty(0)] * tree.depth
        s, depth = tree.n_children, tree.depth
        self._digits = [coordinate // s ** (depth - 1 - level) % s for level in range(depth)]
        self._open(0)

    def law(self) -> Floats:
        """(n, V): exact; nan where what was seen is impossible."""
        return self._child_belief(len(self._digits) - 1)

    def observe(self, tokens: NDArray[np.int64]) -> None:
        """Take in the next leaf (n,)."""
        level = len(self._digits) - 1
        message = np.zeros((self.n, self.tree.vocab_size))
        message[np.arange(self.n), tokens] = 1.0
        while True:
            branching, child = self.tree.levels[level], self._digits[level]
            partial = _scaled(branching.absorb(self._partials[level], child, message))
            self._partials[level] = partial
            if child + 1 < branching.n_children:
                self._digits[level] += 1
                self._open(level + 1)
                return
            self._digits[level] = 0
            if level == 0:
                self._open(0)
                return
            message = branching.inside(partial)
            level -= 1

    def _open(self, first_level: int) -> None:
        """Fresh nodes on the spine from this level down."""
        for level in range(first_level, len(self._digits)):
            root = np.broadcast_to(self.tree.root, (self.n, self.tree.vocab_size))
            self._beliefs[level] = root if level == 0 else self._child_belief(level - 1)
            fresh = self.tree.levels[level].fresh()
            self._partials[level] = np.broadcast_to(fresh, (self.n, len(fresh)))

    def _child_belief(self, level: int) -> Floats:
        found = self.tree.levels[level].outside(self._beliefs[level], self._partials[level], self._digits[level])
        with np.errstate(invalid="ignore"):
            law: Floats = found / found.sum(axis=1, keepdims=True)
        return law


def _scaled(values: Floats) -> Floats:
    """Rows with maximum one; a row of zeros, which is impossible, stays."""
    largest = values.max(axis=1, keepdims=True)
    return values / np.where(largest > 0, largest, 1.0)
