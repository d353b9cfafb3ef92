"""A trie of words, as arrays, and what it says of a stream of words of which only the last letters are in sight."""

import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from testbed.core import Truth
from testbed.sources.dyadic import quantise
from testbed.sources.edges import TOTAL_WEIGHT, Edges
from testbed.sources.sampled_truth import law_entropies
from testbed.sources.source import PREDICT_LIMIT_BYTES, Floats, require_memory

Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Trie:
    """Node 0 is the empty prefix; nodes are ordered by depth.

    parent, letter, depth  (S,) parent and letter of node 0 mean nothing
    ends                   (n_words,) node of each whole word
    """

    parent: Integers
    letter: Integers
    depth: Integers
    ends: Integers

    @classmethod
    def of(cls, words: list[tuple[int, ...]], n_letters: int) -> Self:
        """The trie of words over the letters 0 .. n_letters - 1."""
        lengths = np.array([len(word) for word in words])
        letters = np.zeros((len(words), int(lengths.max())), dtype=np.int64)
        for row, word in enumerate(words):
            letters[row, : len(word)] = word
        at = np.zeros(len(words), dtype=np.int64)
        parents, own, depths, n_nodes = [np.zeros(1, np.int64)], [np.zeros(1, np.int64)], [np.zeros(1, np.int64)], 1
        for depth in range(letters.shape[1]):
            longer = np.flatnonzero(lengths > depth)
            found, number = np.unique(at[longer] * n_letters + letters[longer, depth], return_inverse=True)
            parents.append(found // n_letters)
            own.append(found % n_letters)
            depths.append(np.full(len(found), depth + 1))
            at[longer] = n_nodes + number
            n_nodes += len(found)
        return cls(np.concatenate(parents), np.concatenate(own), np.concatenate(depths), at)

    @property
    def n_nodes(self) -> int:
        return len(self.parent)

    def levels(self) -> list[Integers]:
        """The nodes of depth 1, 2, ..."""
        bounds = np.searchsorted(self.depth, np.arange(1, int(self.depth[-1]) + 2))
        return [np.arange(begin, end) for begin, end in itertools.pairwise(bounds)]


@dataclass(frozen=True, eq=False)
class WordStream:
    """Independent words, each followed by a delimiter, as a machine over the nodes of a trie: the node is the prefix of
    the present word. Edges are quantised node by node; the words' law is what they multiply out to.

    Of the stationary stream with l tokens in sight, the node is known if a delimiter is among them. Otherwise the depth
    is at least l and the last l letters are all that is known: classes of nodes, refined from l to l + 1 by
    (class of the parent, last letter).
    """

    trie: Trie
    n_letters: int
    given: Floats
    """(n_words,) the law of the words before it is quantised."""

    @property
    def vocab_size(self) -> int:
        return self.n_letters + 1

    @cached_property
    def _steps(self) -> tuple[Integers, Integers, Integers]:
        """Origin, symbol and target of every edge: to each node from its parent, then from each word's end to 0."""
        trie = self.trie
        origin = np.concatenate([trie.parent[1:], trie.ends])
        symbol = np.concatenate([trie.letter[1:], np.full(len(trie.ends), self.n_letters)])
        target = np.concatenate([np.arange(1, trie.n_nodes), np.zeros(len(trie.ends), dtype=np.int64)])
        return origin, symbol, target

    @cached_property
    def _slots(self) -> Integers:
        """The place of every edge among those of its origin."""
        origin = self._steps[0]
        order = np.argsort(origin, kind="stable")
        begin = np.searchsorted(origin[order], np.arange(self.trie.n_nodes))
        slots = np.empty_like(origin)
        slots[order] = np.arange(len(origin)) - begin[origin[order]]
        return slots

    @cached_property
    def edges(self) -> Edges:
        trie = self.trie
        mass = np.bincount(trie.ends, self.given, minlength=trie.n_nodes)
        for nodes in reversed(trie.levels()):
            np.add.at(mass, trie.parent[nodes], mass[nodes])
        origin, symbol, target = self._steps
        shape = (trie.n_nodes, int(self._slots.max()) + 1)
        chances = np.zeros(shape)
        chances[origin, self._slots] = np.concatenate([mass[1:], self.given]) / mass[origin]
        symbols, successors = np.zeros((2, *shape), dtype=np.int32)
        symbols[origin, self._slots], successors[origin, self._slots] = symbol, target
        return Edges(symbols, successors, quantise(chances / chances.sum(axis=1, keepdims=True)))

    @cached_property
    def chances(self) -> Floats:
        """(n_edges,) probability of every edge, in the order of `_steps`."""
        return self.edges.weights[self._steps[0], self._slots] / TOTAL_WEIGHT

    @cached_property
    def reach(self) -> Floats:
        """(S,) probability that a word passes through each node."""
        reach = np.ones(self.trie.n_nodes)
        for nodes in self.trie.levels():
            reach[nodes] = reach[self.trie.parent[nodes]] * self.chances[nodes - 1]
        return reach

    @cached_property
    def word_law(self) -> Floats:
        """(n_words,) probability of each word, as quantised."""
        return self.reach[self.trie.ends] * self.chances[self.trie.n_nodes - 1 :]

    @cached_property
    def node_law(self) -> Floats:
        """(S,) stationary law of the node: reach / (E[length] + 1)."""
        return self.reach / self.reach.sum()

    @cached_property
    def _classes(self) -> list[tuple[Integers, Integers]]:
        """For l = 0, 1, ...: the nodes of depth l or more, and their classes by the last l letters."""
        trie = self.trie
        classes = np.zeros(trie.n_nodes, dtype=np.int64)
        found = [(np.arange(trie.n_nodes), classes.copy())]
        for l in range(1, int(trie.depth[-1]) + 1):
            nodes = np.arange(np.searchsorted(trie.depth, l), trie.n_nodes)
            pairs = classes[trie.parent[nodes]] * self.n_letters + trie.letter[nodes]
            numbers = np.unique(pairs, return_inverse=True)[1]
            classes[nodes] = numbers
            found.append((nodes, numbers))
        return found

    # -- the mixed states: known nodes, then the classes for l = 0, 1, ...
    @cached_property
    def _offsets(self) -> Integers:
        sizes = [self.trie.n_nodes, *(int(numbers.max()) + 1 for _, numbers in self._classes)]
        return np.cumsum([0, *sizes])

    @cached_property
    def mixed_laws(self) -> Floats:
        """(M, V): the law of the next token in each mixed state."""
        size = self.vocab_size
        require_memory(
            16 * int(self._offsets[-1]) * size,
            PREDICT_LIMIT_BYTES,
            f"the tables of {self._offsets[-1]} contexts over {size} symbols",
            "take fewer or shorter words",
        )
        origin, symbol, _ = self._steps
        laws = np.zeros((int(self._offsets[-1]), size))
        laws[origin, symbol] = self.chances
        for offset, (nodes, numbers) in zip(self._offsets[1:], self._classes, strict=False):
            number = np.full(self.trie.n_nodes, -1)
            number[nodes] = numbers
            here = number[origin] >= 0
            cells = (offset + number[origin[here]]) * size + symbol[here]
            laws += np.bincount(cells, self.node_law[origin[here]] * self.chances[here], minlength=laws.size).reshape(
                laws.shape
            )
        return laws / laws.sum(axis=1, keepdims=True)

    @cached_property
    def mixed_successors(self) -> NDArray[np.int32]:
        """(M, V): the mixed state after each token, -1 where it is impossible."""
        origin, symbol, target = self._steps
        table = np.full(self.mixed_laws.shape, -1, dtype=np.int32)
        table[origin, symbol] = target
        last = len(self._classes) - 1
        for l, (nodes, numbers) in enumerate(self._classes):
            number = np.full(self.trie.n_nodes, -1)
            number[nodes] = numbers
            here = number[origin] >= 0
            rows = self._offsets[l + 1] + number[origin[here]]
            following = np.zeros(int(here.sum()), dtype=np.int64)  # a delimiter makes the node known
            letter = target[here] > 0
            if l < last:
                longer = np.full(self.trie.n_nodes, -1)
                longer[self._classes[l + 1][0]] = self._classes[l + 1][1]
                following[letter] = self._offsets[l + 2] + longer[target[here][letter]]
            table[rows, symbol[here]] = following
        return table

    @property
    def start(self) -> int:
        """The mixed state that has seen nothing."""
        return self.trie.n_nodes

    def conditional_entropies(self, max_context: int) -> Truth:
        """h_0 .. h_max, exact: constant once a delimiter must be in sight."""
        entropies = law_entropies(self.mixed_laws)
        n = self.trie.n_nodes
        known = np.bincount(self.trie.depth, self.node_law * entropies[:n])  # by depth; in sight from l = depth + 1 on
        h = [0.0, *np.cumsum(known)]
        for l, (nodes, numbers) in enumerate(self._classes):
            share = np.bincount(numbers, self.node_law[nodes])
            h[l] += float(share @ entropies[self._offsets[l + 1] : self._offsets[l + 2]])
        return Truth.exact(np.minimum.accumulate(h)[np.minimum(np.arange(max_context + 1), len(h) - 1)])
