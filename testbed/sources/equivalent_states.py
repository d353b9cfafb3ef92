"""States of a machine that no future can tell apart, merged: partition refinement on exact weights."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from testbed.sources.edges import TOTAL_WEIGHT, Edges

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


PRIME = 2**31 - 1


class EdgeList(NamedTuple):
    """The edges of positive probability of a machine, one after the other, in the order of their origins.

    origins, symbols, successors  (n,) int64
    probabilities                 (n,) those of one origin sum to one
    """

    origins: Ints
    symbols: Ints
    successors: Ints
    probabilities: Floats
    n_states: int

    @classmethod
    def of(cls, edges: Edges) -> "EdgeList":
        state, edge = np.nonzero(edges.weights)
        symbol, successor = edges.symbols[state, edge], edges.successors[state, edge]
        weight = edges.weights[state, edge] / float(TOTAL_WEIGHT)
        return cls(state, symbol.astype(np.int64), successor.astype(np.int64), weight, edges.n_states)

    @property
    def unifilar(self) -> bool:
        """State and symbol determine the next state."""
        n_symbols = int(self.symbols.max()) + 1
        if len(self.origins) > self.n_states * n_symbols:
            return False
        return len(np.unique(self.origins * n_symbols + self.symbols)) == len(self.origins)

    def entropies(self) -> Floats:
        """(S,): entropy of a state's edges, nats; that of its next symbol where the machine is unifilar."""
        terms = -self.probabilities * np.log(self.probabilities)
        entropies: Floats = np.bincount(self.origins, terms, minlength=self.n_states).astype(np.float64)
        return entropies + 0.0  # never -0.0

    def restrict(self, kept: Ints) -> "EdgeList":
        """Only these states, which no edge may leave, renumbered in the order given."""
        if np.array_equal(kept, np.arange(self.n_states)):
            return self
        number = np.full(self.n_states, -1)
        number[kept] = np.arange(len(kept))
        inside = np.flatnonzero(number[self.origins] >= 0)
        inside = inside[np.argsort(number[self.origins[inside]], kind="stable")]
        origins, successors = number[self.origins[inside]], number[self.successors[inside]]
        return EdgeList(origins, self.symbols[inside], successors, self.probabilities[inside], len(kept))


def state_classes(edges: EdgeList) -> Ints:
    """(S,) class of each state, 0 .. C - 1 in the order of first appearance: the coarsest partition in which the
    states of a class give every (symbol, class of the successor) the same probability, to 2^-40.

    Merged states have equal laws of the future. For a unifilar machine the converse holds too, and the classes are the
    states of its epsilon-machine (Crutchfield & Young 1989); else states with equal futures may remain apart.
    """
    weight = np.rint(np.ldexp(edges.probabilities, 40)).astype(np.int64)
    first = np.flatnonzero(np.append(True, edges.origins[1:] != edges.origins[:-1]))
    classes = np.zeros(edges.n_states, dtype=np.int64)
    n_classes = 1
    while True:
        words = scramble(scramble(edges.symbols) + classes[edges.successors].astype(np.uint64))
        signature = scramble(classes)
        for part in (words >> np.uint64(32), words & np.uint64(2**32 - 1)):
            # Linear in the weights, so that those of one (symbol, class) add up, over a field, so that none cancel.
            hashed = (weight % PRIME) * (part.astype(np.int64) % PRIME) % PRIME
            signature = scramble(signature + np.add.reduceat(hashed, first).astype(np.uint64) % np.uint64(PRIME))
        classes = _by_appearance(signature)
        found = int(classes.max()) + 1
        if found == n_classes:
            return classes
        n_classes = found


def merge(edges: EdgeList, classes: Ints) -> EdgeList:
    """The machine on the classes of `state_classes`: each takes the edges of its first state, equal ones added up."""
    members = np.unique(classes, return_index=True)[1]
    is_member = np.zeros(edges.n_states, dtype=bool)
    is_member[members] = True
    kept = np.flatnonzero(is_member[edges.origins])
    part = EdgeList(
        edges.origins[kept], edges.symbols[kept], edges.successors[kept], edges.probabilities[kept], edges.n_states
    )
    key, first, order = _grouped(part, classes[part.successors])
    probabilities = np.add.reduceat(part.probabilities[order], first)
    origins = classes[key[0]]
    by_class = np.argsort(origins, kind="stable")
    return EdgeList(origins[by_class], key[1][by_class], key[2][by_class], probabilities[by_class], len(members))


def scramble(values: NDArray[np.integer]) -> NDArray[np.uint64]:
    """A well-mixed 64-bit word for each integer (the finaliser of splitmix64, Steele, Lea & Flood 2014)."""
    mixed = values.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def _grouped(edges: EdgeList, reached: Ints) -> tuple[Ints, Ints, Ints]:
    """The distinct (origin, symbol, class reached) as (3, n), where each begins in the sorted edges, and the order
    that sorts them."""
    order = np.lexsort((reached, edges.symbols, edges.origins))
    key = np.stack([edges.origins, edges.symbols, reached])[:, order]
    first = np.flatnonzero(np.append(True, (key[:, 1:] != key[:, :-1]).any(axis=0)))
    return key[:, first], first, order


def _by_appearance(classes: NDArray[np.uint64]) -> Ints:
    """Equal entries are a class; classes are numbered in the order of their first member."""
    _, first, inverse = np.unique(classes, return_index=True, return_inverse=True)
    numbered: Ints = np.argsort(np.argsort(first))[inverse]
    return numbered
