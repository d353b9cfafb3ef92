"""Constraints that couple only positions within w of each other: exact inference, linear in the length.

Each clique belongs to the window of w + 1 positions that ends where it ends (the first window for the earliest). Time
O(n V^(w+1)), memory O(n V^(w+1)); the law comes out as a chain of order w.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from testbed.core import ResourceError
from testbed.maxent.checks import exceeds
from testbed.maxent.constraint import Floats, Positions
from testbed.maxent.dense import table_index
from testbed.maxent.faces import bandwidth

MAX_BAND_CELLS = 2**25
"""The most numbers in all windows and their indices together (256 MiB)."""


@dataclass(frozen=True, eq=False)
class BandGrid:
    """Tables over cliques of a band, laid behind each other in one vector in the order of their windows.

    `order` holds the numbers of the given cliques in that order.
    """

    vocab_size: int
    length: int
    given: tuple[Positions, ...]

    def __post_init__(self) -> None:
        arrays = self.n_windows + len(set(self._relative))  # factors, and one index a pattern
        if exceeds(self.vocab_size, self.width + 1, MAX_BAND_CELLS // arrays):
            raise ResourceError(
                f"a band of {self.n_windows} windows over {self.vocab_size}^{self.width + 1} sequences, with"
                f" {arrays - self.n_windows} patterns of tables as large, has more cells than the limit of"
                f" {MAX_BAND_CELLS:.3g}; take a smaller lag, or conditional maximum entropy"
            )

    @cached_property
    def width(self) -> int:
        """w: a window has w + 1 positions."""
        return min(max(bandwidth(self.given), 1), self.length - 1)

    @property
    def n_windows(self) -> int:
        return self.length - self.width

    @cached_property
    def order(self) -> list[int]:
        """Numbers of the given cliques, by window."""
        return sorted(range(len(self.given)), key=lambda i: (self._window_of(self.given[i]), i))

    @cached_property
    def cliques(self) -> tuple[Positions, ...]:
        return tuple(self.given[i] for i in self.order)

    def _window_of(self, clique: Positions) -> int:
        return max(clique[-1] - self.width, 0)

    @cached_property
    def _relative(self) -> list[Positions]:
        """Each clique's positions within its window."""
        return [tuple(p - self._window_of(clique) for p in clique) for clique in self.cliques]

    @cached_property
    def offset(self) -> NDArray[np.int64]:
        """(K + 1,) where each table begins."""
        return np.cumsum([0] + [self.vocab_size ** len(clique) for clique in self.cliques], dtype=np.int64)

    @property
    def n_cells(self) -> int:
        return int(self.offset[-1])

    @cached_property
    def layout(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """index (patterns, V^(w+1)): the entry a cell reads; pattern (K,) and window (K,) of each clique."""
        windows = [self._window_of(clique) for clique in self.cliques]
        known = {shape: number for number, shape in enumerate(dict.fromkeys(self._relative))}
        index = [table_index(self.vocab_size, self.width + 1, shape) for shape in known]
        none = np.zeros((0, self.vocab_size ** (self.width + 1)), dtype=np.int64)
        return (
            np.stack(index) if index else none,
            np.array([known[shape] for shape in self._relative], dtype=np.int64),
            np.array(windows, dtype=np.int64),
        )

    @cached_property
    def first_clique(self) -> NDArray[np.int64]:
        """(n_windows + 1,) the cliques of window k are first_clique[k] .. first_clique[k + 1] - 1."""
        return np.searchsorted(self.layout[2], np.arange(self.n_windows + 1)).astype(np.int64)

    def flatten(self, tables: Sequence[Floats]) -> Floats:
        """Tables of the given cliques, as one vector in the band's order."""
        return np.concatenate([np.ravel(tables[i]) for i in self.order]) if tables else np.empty(0)

    def unflatten(self, vector: Floats) -> tuple[Floats, ...]:
        """The vector as tables of the given cliques again, in their order."""
        found: list[Floats] = [np.empty(0)] * len(self.given)
        for place, number in enumerate(self.order):
            shape = (self.vocab_size,) * len(self.given[number])
            found[number] = vector[self.offset[place] : self.offset[place + 1]].reshape(shape)
        return tuple(found)

    def log_factors(self, vector: Floats) -> Floats:
        """(n_windows, V^(w+1)): the tables added up in their windows."""
        from testbed.maxent._kernels.band import add_band_tables

        factors = np.zeros((self.n_windows, self.vocab_size ** (self.width + 1)))
        add_band_tables(factors, *self.layout, self.offset, vector)
        return factors

    def new_messages(self) -> tuple[Floats, Floats]:
        """Room for the messages on both sides of every window."""
        shape = (self.n_windows + 1, self.vocab_size**self.width)
        return np.zeros(shape), np.zeros(shape)

    def log_partition_and_marginals(self, factors: Floats) -> tuple[float, Floats]:
        """ln Z and the marginal of every clique, (n_cells,)."""
        from testbed.maxent._kernels.band import band_marginals, messages

        forward, backward = self.new_messages()
        log_partition = messages(factors, self.vocab_size, forward, backward)
        out = np.empty(self.n_cells)
        band_marginals(factors, self.vocab_size, *self.layout, self.offset, forward, backward, out)
        return float(log_partition), out

    def kernels(self, factors: Floats) -> tuple[Floats, ...]:
        """q(x_t | the last min(t, w) tokens) for every t; uniform after what has probability zero."""
        from testbed.maxent._kernels.band import messages, window_law

        forward, backward = self.new_messages()
        messages(factors, self.vocab_size, forward, backward)
        first = np.empty(factors.shape[1])
        window_law(forward[0], factors[0], backward[1], self.vocab_size, first)
        joints = [first.reshape((self.vocab_size,) * (self.width + 1))]
        while joints[-1].ndim > 1:
            joints.append(joints[-1].sum(axis=-1))
        kernels = [_conditional(joint) for joint in joints[::-1]]
        states = np.arange(factors.shape[1]) % backward.shape[1]
        for k in range(1, self.n_windows):
            logs = (factors[k] + backward[k + 1][states]).reshape(-1, self.vocab_size)
            largest = logs.max(axis=1, keepdims=True)
            weights = np.exp(logs - np.where(np.isfinite(largest), largest, 0.0))
            kernels.append(_conditional(weights.reshape(joints[0].shape)))
        return tuple(kernels)


def _conditional(joint: Floats) -> Floats:
    total = joint.sum(axis=-1, keepdims=True)
    uniform = np.full(joint.shape, 1.0 / joint.shape[-1])
    return np.divide(joint, total, out=uniform, where=total > 0)
