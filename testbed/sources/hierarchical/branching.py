"""How one level of a tree hangs on the next: what sampling, belief propagation and enumeration need of it.

A node with symbol a has s children with symbols c_1 .. c_s, drawn from p(c_1 .. c_s | a). While the children are seen
from left to right, a vector `partial` of some width keeps what they tell of the node,

    fresh -> absorb(child 0) -> absorb(child 1) -> ... -> inside: the likelihood of the node's symbol

and `outside` turns it, with a belief about the node itself, into a belief about the next child. A message is the
likelihood (..., V) of a symbol given the leaves seen below it; a child none of whose leaves are seen is passed over.
"""

import math
from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from testbed.sources.randomness import TOTAL, choose
from testbed.sources.source import Floats

Integers = NDArray[np.object_]
"""Python integers of any size, for laws that must be told apart exactly."""


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

    # -- in integers
    @abstractmethod
    def independent_children(self, node: list[int]) -> list[int] | None:
        """The law of a child of independent nodes that have the law `node`, both as integer weights, if all children
        are independent and have one law; else None."""

    @abstractmethod
    def child_sums(self, values: Integers, child: int) -> Integers:
        """(V,): 2^32 sum_x p(child = x | node) values[x]."""

    @abstractmethod
    def pair_sums(self, left_values: Integers, right_values: Integers, left: int, right: int) -> Integers:
        """(V,): 2^64 sum_x,y p(child `left` = x, child `right` = y | node) left_values[x] right_values[y]."""


def _in_lowest_terms(weights: list[int]) -> Integers:
    return np.array(weights, dtype=object) // math.gcd(*weights)


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

    def independent_children(self, node: list[int]) -> list[int] | None:
        """Tuples are all different, so theirs is a product law if every one that occurs has its product's weight."""
        chances = np.outer(_in_lowest_terms(node), _in_lowest_terms(self.weights.tolist())).ravel()
        occurs = chances > 0
        chances, tuples = chances[occurs], self._flat[occurs]
        laws = np.zeros((self.n_children, self.vocab_size), dtype=object)
        for law, symbols in zip(laws, tuples.T, strict=True):
            np.add.at(law, symbols, chances)
        if (laws != laws[0]).any():
            return None
        scale = int(chances.sum()) ** (self.n_children - 1)
        same = all(
            chance * scale == math.prod(laws[0][symbols]) for chance, symbols in zip(chances, tuples, strict=True)
        )
        return laws[0].tolist() if same else None

    def child_sums(self, values: Integers, child: int) -> Integers:
        return np.asarray(values[self.children[:, :, child]] @ self.weights.astype(object))

    def pair_sums(self, left_values: Integers, right_values: Integers, left: int, right: int) -> Integers:
        both = left_values[self.children[:, :, left]] * right_values[self.children[:, :, right]]
        return np.asarray(both @ self.weights.astype(object) * TOTAL)


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

    def independent_children(self, node: list[int]) -> list[int] | None:
        """Rows of nodes that occur are one: else siblings have their node in common."""
        rows = self.weights[np.array(node, dtype=object) > 0]
        return None if (rows != rows[0]).any() else [int(weight) for weight in rows[0]]

    def child_sums(self, values: Integers, child: int) -> Integers:
        return np.asarray(self.weights.astype(object) @ values)

    def pair_sums(self, left_values: Integers, right_values: Integers, left: int, right: int) -> Integers:
        return np.asarray(self.child_sums(left_values, left) * self.child_sums(right_values, right))
