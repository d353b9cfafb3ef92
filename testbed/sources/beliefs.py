"""Mixed states: the beliefs about a machine's state that its output can lead to, and how they follow each other.

A belief b is the law of the hidden state given what was seen. After symbol x it is  b T[x] / p(x | b)  with
p(x | b) = sum of b T[x]. The beliefs reached from a start form a unifilar machine, the mixed-state presentation
(Crutchfield, Riechers & Ellison 2016): its law after l tokens gives h_l = sum over b of p_l(b) H(X | b).
"""

from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from testbed.sources.equivalent_states import EdgeList, scramble

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Number = TypeVar("Number", np.float64, np.int64)

KEY_BITS = 40  # beliefs whose entries agree to 2^-40 of themselves, about 1e-12, are one
NEGLIGIBLE = 2.0**-100  # entries below this do not count in telling beliefs apart
EQUAL = 1e-14  # beliefs merged within this were equal but for rounding
MAX_COST = 12_000_000  # of all expansions, in products and four times the beliefs they make: under a second, 300 MiB
DENSE_ENTRIES = 256  # V S up to which dense products are quicker than sparse ones


class BeliefGraph:
    """The beliefs reached from `starts` (k, S), found level by level, with their transitions.

    Nodes 0 .. k - 1 are the starts. `expand` adds the successors of all nodes that have none yet; nodes found again
    are not added twice. `depth`: levels expanded. A level that would pass
    `max_cost` in all is not expanded, and `expand` says False. `state_values` (S,), any function of the state, is
    averaged over each belief.
    """

    def __init__(
        self,
        edges: EdgeList,
        vocab_size: int,
        starts: Floats,
        state_values: Floats | None = None,
        max_cost: int = MAX_COST,
    ) -> None:
        from scipy.sparse import csr_array

        column = edges.symbols * edges.n_states + edges.successors
        shape = (edges.n_states, vocab_size * edges.n_states)
        self._step = csr_array((edges.probabilities, (edges.origins, column)), shape=shape)
        self._dense_step = self._step.toarray() if shape[1] <= DENSE_ENTRIES else None
        self._n_edges = np.diff(self._step.indptr)
        shown = (edges.n_states, vocab_size)
        self._emissions = csr_array((edges.probabilities, (edges.origins, edges.symbols)), shape=shown)  # adds up
        self._vocab_size, self._n_states = vocab_size, edges.n_states
        self._max_cost = self._cost_left = max_cost
        self.depth = 0
        self._state_values = np.zeros(edges.n_states) if state_values is None else state_values
        self._entropies, self._uncertainties, self._means = (_Growing(np.float64) for _ in range(3))
        self._parents, self._symbols, self._children = (_Growing(np.int64) for _ in range(3))
        self._probabilities = _Growing(np.float64)
        self._keys, self._key_nodes = np.empty(0, dtype=np.uint64), np.empty(0, dtype=np.int64)
        self._projections, self._widest_merge = _Growing(np.float64), 0.0
        self._frontier, self.starts = self._add(csr_array(np.atleast_2d(starts)))
        self._frontier_nodes = np.arange(self.n_nodes)

    # -- what was found
    @property
    def n_nodes(self) -> int:
        return len(self._uncertainties.values)

    @property
    def closed(self) -> bool:
        """Every successor of every node is a node, to the 2^-40 within which beliefs count as one."""
        return self._frontier.shape[0] == 0

    @property
    def finite(self) -> bool:
        """Closed, and all beliefs that were taken for one were equal to rounding: these are all there are."""
        return self.closed and self._widest_merge < EQUAL

    @property
    def entropies(self) -> Floats:
        """(expanded nodes,), or all of them after `look_ahead`: H(X | b) of the next symbol, nats."""
        return self._entropies.values

    @property
    def uncertainties(self) -> Floats:
        """(nodes,): the entropy of b itself, nats: how unsure the state is."""
        return self._uncertainties.values

    @property
    def mean_values(self) -> Floats:
        """(nodes,): the mean of `state_values` under b."""
        return self._means.values

    @property
    def transitions(self) -> tuple[Ints, Ints, Ints, Floats]:
        """(parents, symbols, children, probabilities), each (n,), of the nodes expanded so far, by parent."""
        return self._parents.values, self._symbols.values, self._children.values, self._probabilities.values

    def start_law(self, weights: Floats) -> Floats:
        """(nodes,): start j with probability weights[j]."""
        return bin_sums(self.starts, weights, self.n_nodes)

    def advance(self, law: Floats) -> Floats:
        """The law over nodes one token later; every node of positive probability must have been expanded."""
        parents, _, children, probabilities = self.transitions  # by parent, in ascending order
        possible = np.flatnonzero(law)
        part = slice(*np.searchsorted(parents, [possible[0], possible[-1] + 1]))
        return bin_sums(children[part], law[parents[part]] * probabilities[part], self.n_nodes)

    # -- how it is found
    def expand(self) -> bool:
        """One level more; False where it would pass the limit, and nothing has happened then."""
        products = int(self._n_edges[self._frontier.indices].sum())
        needed = products + 4 * min(products, self._frontier.shape[0] * self._vocab_size)
        if needed > self._cost_left:
            return False
        self._cost_left -= needed
        self.depth += 1
        if self.closed:
            return True
        column, data, row = self._products()
        group = row * self._vocab_size + column // self._n_states
        first = np.flatnonzero(np.append(True, group[1:] != group[:-1]))
        probability = np.add.reduceat(data, first)
        parent, symbol = row[first], group[first] % self._vocab_size
        starts_at = np.append(first, len(group))
        data /= np.repeat(probability, np.diff(starts_at))

        from scipy.sparse import csr_array

        successors = csr_array((data, column % self._n_states, starts_at), shape=(len(first), self._n_states))
        total = np.bincount(parent, probability)  # one, up to rounding
        logs = np.log(probability / total[parent])
        self._entropies.extend(bin_sums(parent, -probability * logs, len(total)) + 0.0)  # never -0.0
        expanded = self._frontier_nodes
        known = self.n_nodes
        self._frontier, children = self._add(successors)
        self._frontier_nodes = np.arange(known, self.n_nodes)
        self._parents.extend(expanded[parent])
        self._symbols.extend(symbol)
        self._children.extend(children)
        self._probabilities.extend(probability / total[parent])
        return True

    def look_ahead(self) -> bool:
        """`entropies` of the frontier too, by p(x | b) alone, where it cannot be expanded; False if it is too large."""
        self._emissions.sum_duplicates()
        if int(np.diff(self._emissions.indptr)[self._frontier.indices].sum()) > self._max_cost:
            return False
        laws = self._frontier @ self._emissions
        laws.data /= np.repeat(laws.sum(axis=1), np.diff(laws.indptr))
        self._entropies.extend(_row_entropies(laws))
        return True

    def _products(self) -> tuple[Ints, Floats, Ints]:
        """The non-zero entries of b T[x] for all b of the frontier and all x: column x S + s', value, row of b."""
        if self._dense_step is not None:
            dense = (self._frontier.toarray() @ self._dense_step).ravel()
            place = np.flatnonzero(dense)
            row, column = np.divmod(place, self._dense_step.shape[1])
            return column, dense[place], row
        product = self._frontier @ self._step
        product.sort_indices()
        row = np.repeat(np.arange(product.shape[0]), np.diff(product.indptr))
        positive = product.data > 0  # underflow would leave zeros
        return product.indices[positive].astype(np.int64), product.data[positive], row[positive]

    def _add(self, beliefs: "csr_array") -> tuple["csr_array", Ints]:
        """The beliefs that are new, as a matrix, and the node of each of them all."""
        keys = self._hash(beliefs)
        unique, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
        place = np.minimum(np.searchsorted(self._keys, unique), max(len(self._keys) - 1, 0))
        is_new = self._keys[place] != unique if len(self._keys) else np.ones(len(unique), dtype=bool)
        unique_nodes = np.empty(len(unique), dtype=np.int64)
        if len(self._keys):
            unique_nodes[~is_new] = self._key_nodes[place[~is_new]]
        rank = np.argsort(np.argsort(first[is_new]))  # new nodes are numbered in the order of their appearance
        unique_nodes[is_new] = self.n_nodes + rank
        new = beliefs[np.sort(first[is_new])]
        nodes = unique_nodes[inverse.ravel()]
        projected = beliefs @ _directions(self._n_states)
        self._projections.extend(projected[np.sort(first[is_new])])
        self._widest_merge = max(
            self._widest_merge, float(np.abs(projected - self._projections.values[nodes]).max(initial=0.0))
        )
        self._uncertainties.extend(_row_entropies(new))
        self._means.extend(new @ self._state_values)
        at = np.searchsorted(self._keys, unique[is_new])
        self._key_nodes = np.insert(self._key_nodes, at, unique_nodes[is_new])
        self._keys = np.insert(self._keys, at, unique[is_new])
        return new, nodes

    def _hash(self, beliefs: "csr_array") -> NDArray[np.uint64]:
        """(n,) a 64-bit key of each belief, its entries rounded to 40 bits of mantissa."""
        mantissa, exponent = np.frexp(np.ldexp(np.rint(np.ldexp(np.frexp(beliefs.data)[0], KEY_BITS)), -KEY_BITS))
        exponent = exponent + np.frexp(beliefs.data)[1]
        digits = np.ldexp(mantissa, KEY_BITS).astype(np.uint64) + (exponent.astype(np.uint64) << np.uint64(48))
        words = scramble(scramble(digits) + beliefs.indices.astype(np.uint64))
        negligible = beliefs.data < NEGLIGIBLE
        if negligible.any():
            words[negligible] = 0
            self._widest_merge = 1.0  # what was taken for one may differ after all
        return np.add.reduceat(words, beliefs.indptr[:-1]) if beliefs.shape[0] else np.empty(0, dtype=np.uint64)


class _Growing(Generic[Number]):
    """An array that is appended to in amortised constant time."""

    def __init__(self, dtype: type[Number]) -> None:
        self._array: NDArray[Number] = np.empty(16, dtype=dtype)
        self._n = 0

    @property
    def values(self) -> NDArray[Number]:
        return self._array[: self._n]

    def extend(self, more: NDArray[Number]) -> None:
        n = self._n + len(more)
        if n > len(self._array):
            grown = np.empty(max(n, 2 * len(self._array)), dtype=self._array.dtype)
            grown[: self._n] = self.values
            self._array = grown
        self._array[self._n : n] = more
        self._n = n


def _directions(n_states: int) -> Floats:
    """(S,) a fixed vector in general position: beliefs that differ have different products with it."""
    return 1.0 + scramble(np.arange(n_states)).astype(np.float64) / 2.0**64


def _row_entropies(beliefs: "csr_array") -> Floats:
    """-sum b ln b of every row."""
    logs = np.log(beliefs.data, out=np.zeros_like(beliefs.data), where=beliefs.data > 0)
    row = np.repeat(np.arange(beliefs.shape[0]), np.diff(beliefs.indptr))
    return bin_sums(row, -beliefs.data * logs, beliefs.shape[0])


def bin_sums(place: Ints, values: Floats, size: int) -> Floats:
    """(size,): the sum of the values that fall on each place."""
    return np.bincount(place, values, minlength=size).astype(np.float64)
