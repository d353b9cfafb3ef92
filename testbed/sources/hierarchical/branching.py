"""How one level of a tree hangs on the next: what sampling, belief propagation and enumeration need of it.

A node with symbol a has s children with symbols c_1 .. c_s, drawn from p(c_1 .. c_s | a). While the children are seen
from left to right, a vector `partial` of some width keeps what they tell of the node,

    fresh -> absorb(child 0) -> absorb(child 1) -> ... -> inside: the likelihood of the node's symbol

and `outside` turns it, with a belief about the node itself, into a belief about the next child. A message is the
likelihood (..., V) of a symbol given the leaves seen below it; a child none of whose leaves are seen is passed over.
"""

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from testbed.sources.randomness import TOTAL, choose
from testbed.sources.source import Floats


class Branching(ABC):
    """p(children | node) of one level, from integer weights over 2^32."""

    n_children: int
    vocab_size: int
    width: int
    """Entries of `partial`."""
    decodes: bool
    """The children determine the node, so that the message of a node whose leaves are all seen is a unit vector."""

    @abstractmethod
    def fresh(self) -> Floats:
        """(width,): `partial` before any child is seen."""

    @abstractmethod
    def absorb(self, partial: Floats, child: int, message: Floats) -> Floats:
        """(n, width): `partial` with the message (n, V) of a child."""

    @abstractmethod
    def inside(self, partial: Floats) -> Floats:
        """(n, V): likelihood of the node's symbol given what its absorbed children say."""

    @abstractmethod
    def outside(self, belief: Floats, partial: Floats, child: int) -> Floats:
        """(n, V): belief about a child not yet seen; its sum is the likelihood of what is absorbed, under `belief`."""

    @property
    @abstractmethod
    def words_per_node(self) -> int:
        """32-bit words that `draw` takes."""

    @abstractmethod
    def draw(self, nodes: NDArray[np.int64], words: NDArray[np.uint32]) -> NDArray[np.int64]:
        """(N, n s) children of nodes (N, n), by words (N, n words_per_node)."""

    @abstractmethod
    def mirrored(self) -> "Branching":
        """The same with the children in opposite order."""

    @property
    @abstractmethod
    def weights_bytes(self) -> bytes:
        """Everything that determines the children, for the fingerprint."""


class RuleBranching(Branching):
    """Rule k of symbol a, children[a, k], is used with weights[k] / 2^32, for every symbol alike.

    No two rules (of one symbol or of two) have the same children.
    """

    decodes = True
    words_per_node = 1

    def __init__(self, children: NDArray[np.int64], weights: NDArray[np.int64]) -> None:
        self.children, self.weights = children, weights
        self.vocab_size, self.n_rules, self.n_children = children.shape
        self.width = self.vocab_size * self.n_rules
        self._flat = children.reshape(self.width, self.n_children)
        self._parents = np.repeat(np.arange(self.vocab_size), self.n_rules)
        self._places = []  # for each child, its rules sorted by symbol, and where each symbol that occurs starts
        for child in range(self.n_children):
            order = np.argsort(self._flat[:, child], kind="stable")
            symbols, starts = np.unique(self._flat[order, child], return_index=True)
            self._places.append((order, symbols, starts))

    def fresh(self) -> Floats:
        return np.tile(self.weights / float(TOTAL), self.vocab_size)

    def absorb(self, partial: Floats, child: int, message: Floats) -> Floats:
        return partial * message[:, self._flat[:, child]]

    def inside(self, partial: Floats) -> Floats:
        return partial.reshape(-1, self.vocab_size, self.n_rules).sum(axis=2)

    def outside(self, belief: Floats, partial: Floats, child: int) -> Floats:
        order, symbols, starts = self._places[child]
        found = np.zeros((len(belief), self.vocab_size))
        found[:, symbols] = np.add.reduceat((belief[:, self._parents] * partial)[:, order], starts, axis=1)
        return found

    def draw(self, nodes: NDArray[np.int64], words: NDArray[np.uint32]) -> NDArray[np.int64]:
        return self.children[nodes, choose(words, self.weights)].reshape(len(nodes), -1)

    def mirrored(self) -> "RuleBranching":
        return RuleBranching(np.ascontiguousarray(self.children[:, :, ::-1]), self.weights)

    @property
    def weights_bytes(self) -> bytes:
        return self.children.astype("<i8").tobytes() + self.weights.astype("<i8").tobytes()


class ChannelBranching(Branching):
    """Every child is drawn from row a of one channel, weights (V, V) over 2^32, independently of the others."""

    decodes = False

    def __init__(self, weights: NDArray[np.int64], n_children: int) -> None:
        self.weights, self.n_children = weights, n_children
        self.vocab_size = self.width = len(weights)
        self.channel = weights / float(TOTAL)
        self._ends = (np.cumsum(weights, axis=1) + TOTAL * np.arange(self.vocab_size)[:, None]).reshape(-1)

    def fresh(self) -> Floats:
        return np.ones(self.width)

    def absorb(self, partial: Floats, child: int, message: Floats) -> Floats:
        return partial * (message @ self.channel.T)

    def inside(self, partial: Floats) -> Floats:
        return partial

    def outside(self, belief: Floats, partial: Floats, child: int) -> Floats:
        return (belief * partial) @ self.channel

    @property
    def words_per_node(self) -> int:
        return self.n_children

    def draw(self, nodes: NDArray[np.int64], words: NDArray[np.uint32]) -> NDArray[np.int64]:
        parents = np.repeat(nodes, self.n_children, axis=1)
        place = np.searchsorted(self._ends, words.astype(np.int64) + TOTAL * parents, side="right")
        return place - self.vocab_size * parents  # inverse CDF of row a, all rows laid end to end

    def mirrored(self) -> "ChannelBranching":
        return self

    @property
    def weights_bytes(self) -> bytes:
        return self.weights.astype("<i8").tobytes()
