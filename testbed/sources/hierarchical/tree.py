"""`Tree`: the law of one tree, and how trees are drawn."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from testbed.sources.hierarchical.branching import Branching
from testbed.sources.randomness import TOTAL, choose, random_words
from testbed.sources.source import Floats

ROOT_STREAM, LEVEL_STREAM = 3, 4


@dataclass(frozen=True, eq=False)
class Tree:
    """The law of one tree: integer weights (V,) over 2^32 of its root, and how its levels branch, the root's first."""

    root_weights: NDArray[np.int64]
    levels: Sequence[Branching]

    @property
    def root(self) -> Floats:
        """(V,) law of the root's symbol, exact."""
        return self.root_weights / float(TOTAL)

    @property
    def vocab_size(self) -> int:
        return len(self.root_weights)

    @property
    def depth(self) -> int:
        return len(self.levels)

    @property
    def n_children(self) -> int:
        return self.levels[0].n_children

    @property
    def n_leaves(self) -> int:
        return int(self.n_children**self.depth)

    @property
    def width(self) -> int:
        """The longest vector kept for a node."""
        return max(level.width for level in self.levels)

    def mirrored(self) -> "Tree":
        """The law of the leaves read backwards; the same object where it is the same."""
        levels = [level.mirrored() for level in self.levels]
        same = all(new is old for new, old in zip(levels, self.levels, strict=True))
        return self if same else Tree(self.root_weights, levels)

    def draw(self, n_sequences: int, length: int, seed: int, first_sequence: int) -> NDArray[np.int64]:
        """(N, length) leaves of trees laid end to end, each drawn from its root down.

        Words are counted by the node's number at its level, so that a longer sequence goes on where a shorter ends.
        """
        size = self.n_leaves
        nodes = choose(
            random_words(n_sequences, -(-length // size), seed, first_sequence, ROOT_STREAM), self.root_weights
        )
        for number, level in enumerate(self.levels):
            n_words = nodes.shape[1] * level.words_per_node
            words = random_words(n_sequences, n_words, seed, first_sequence, LEVEL_STREAM + number)
            size //= self.n_children
            nodes = level.draw(nodes, words)[:, : -(-length // size)]
        return nodes
