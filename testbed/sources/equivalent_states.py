"""States of a machine that no future can tell apart, merged: partition refinement on exact weights."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from testbed.sources.edges import TOTAL_WEIGHT, Edges

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

EQUAL = 2.0**-40  # relatively; sums of weights over 2^32 that differ at all differ by more


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
    states of a class give every (symbol, class of the successor) the same probability.

    Dyadic weights over 2^32 are compared exactly, probabilities that carry rounding to 2^-40 of themselves.

    Merged states have equal laws of the future. For a unifilar machine the converse holds too, and the classes are the
    states of its epsilon-machine (Crutchfield & Young 1989); else states with equal futures may remain apart.
    """
    order = np.lexsort((edges.symbols, edges.origins))
    origins, symbols = edges.origins[order], edges.symbols[order]
    edges = EdgeList(origins, symbols, edges.successors[order], edges.probabilities[order], edges.n_states)
    unifilar, amounts = edges.unifilar, _levels(edges.probabilities)
    classes = np.zeros(edges.n_states, dtype=np.int64)
    n_classes = 1
    while True:
        reached = classes[edges.successors]
        if not unifilar:
            (origins, symbols, reached), begin, order = _grouped(edges, reached)
            amounts = _levels(np.add.reduceat(edges.probabilities[order], begin))
        classes = _split(classes, origins, np.stack([symbols, reached, amounts]))
        found = int(classes.max()) + 1
        if found == n_classes:
            return classes
        n_classes = found


def _levels(probabilities: Floats) -> Ints:
    """(n,) integers, the same for probabilities that count as equal."""
    weights = np.ldexp(probabilities, 32)
    if np.array_equal(weights, np.rint(weights)):
        return weights.astype(np.int64)
    values, inverse = np.unique(probabilities, return_inverse=True)
    levels: Ints = np.cumsum(np.append(False, values[1:] > values[:-1] * (1.0 + EQUAL)))[inverse.ravel()]
    return levels


def _split(classes: Ints, origins: Ints, columns: Ints) -> Ints:
    """(S,) finer classes: states of one class with the same rows. `columns` (3, n) are rows, sorted within each origin.

    States are brought together by a hash; every one is then compared with the first of its class.
    """
    first = np.flatnonzero(np.append(True, origins[1:] != origins[:-1]))
    words = scramble(scramble(scramble(columns[0]) + columns[1].astype(np.uint64)) + columns[2].astype(np.uint64))
    found = _by_appearance(scramble(classes) + np.add.reduceat(words, first))
    leader = np.unique(found, return_index=True)[1][found]
    n_rows = np.diff(np.append(first, len(origins)))
    same = (classes == classes[leader]) & (n_rows == n_rows[leader])
    if same.all():
        twin = np.arange(len(origins)) + (first[leader] - first)[origins]
        if (columns == columns[:, twin]).all():
            return found
    return _split_slowly(classes, first, columns)


def _split_slowly(classes: Ints, first: Ints, columns: Ints) -> Ints:
    """What `_split` gives, without hashes, where two of these were equal by chance."""
    numbers: dict[tuple[int, bytes], int] = {}
    parts = np.split(columns.T, first[1:])
    keys = zip(classes.tolist(), (part.tobytes() for part in parts), strict=True)
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)


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
    n_symbols, n_reached = int(edges.symbols.max()) + 1, int(reached.max()) + 1
    number = (edges.origins * n_symbols + edges.symbols) * n_reached + reached  # below 2^63: at most 2^22 states
    order = np.argsort(number, kind="stable")
    first = np.flatnonzero(np.append(True, np.diff(number[order]) != 0))
    key = np.stack([edges.origins, edges.symbols, reached])[:, order]
    return key[:, first], first, order


def _by_appearance(classes: NDArray[np.uint64]) -> Ints:
    """Equal entries are a class; classes are numbered in the order of their first member."""
    _, first, inverse = np.unique(classes, return_index=True, return_inverse=True)
    numbered: Ints = np.argsort(np.argsort(first))[inverse]
    return numbered
