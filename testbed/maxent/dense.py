"""Laws over all V^n sequences at once: where each table's cells lie, sums, and the exponential family.

For tables lam_c over cliques c,   q(x) = exp(sum_c lam_c(x_c)) / Z   on the support.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from testbed.core import ResourceError
from testbed.maxent.checks import exceeds, power
from testbed.maxent.constraint import Floats, Positions

Layout = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]

MAX_CELLS = 2**24
"""The largest V^n that is laid out as an array (128 MiB), four of which a solver may hold."""


def check_cells(vocab_size: int, length: int, limit: int = MAX_CELLS, what: str = "a dense law") -> None:
    """Refuse V^n above the limit, before anything is allocated."""
    if exceeds(vocab_size, length, limit):
        raise ResourceError(
            f"{what} over {power(vocab_size, length)} sequences is over the limit of {limit:.3g}"
            f" ({8 * limit / 2**20:.3g} MiB an array); take fewer positions or a banded set"
        )


@dataclass(frozen=True, eq=False)
class DenseGrid:
    """Tables over cliques of n positions, laid behind each other in one vector of `n_cells` numbers.

    The methods work on arrays (H, L) = the dense law, in place where they say so.
    """

    vocab_size: int
    length: int
    cliques: tuple[Positions, ...]

    def __post_init__(self) -> None:
        check_cells(self.vocab_size, self.length)

    @property
    def shape(self) -> tuple[int, int]:
        """(H, L): sequences of the first and of the last positions."""
        return self.vocab_size ** (self.length - self.n_low_positions), self.vocab_size**self.n_low_positions

    @property
    def n_low_positions(self) -> int:
        return (self.length + 1) // 2

    @cached_property
    def offset(self) -> NDArray[np.int64]:
        """(K + 1,) where each table begins."""
        return np.cumsum([0] + [self.vocab_size ** len(clique) for clique in self.cliques], dtype=np.int64)

    @property
    def n_cells(self) -> int:
        return int(self.offset[-1])

    @cached_property
    def layout(self) -> Layout:
        """high (K, H), low (K, L), n_high (K,), n_low (K,): which row and column of each table a cell reads."""
        return _layout(self.vocab_size, self.length, self.n_low_positions, self.cliques)

    def buffer(self) -> Floats:
        """Room for one table, expanded to the columns of the grid."""
        return np.empty((int(self.layout[2].max()), self.shape[1]))

    def flatten(self, tables: Sequence[Floats]) -> Floats:
        """The tables as one vector."""
        return np.concatenate([np.ravel(table) for table in tables])

    def unflatten(self, vector: Floats) -> tuple[Floats, ...]:
        """The vector as tables again."""
        parts = np.split(vector, self.offset[1:-1])
        return tuple(part.reshape((self.vocab_size,) * len(c)) for part, c in zip(parts, self.cliques, strict=True))

    def marginals(self, law: Floats) -> Floats:
        """(n_cells,): the law summed onto every clique."""
        from testbed.maxent._kernels.dense import all_marginals

        out = np.empty(self.n_cells)
        all_marginals(law.reshape(self.shape), *self.layout, self.offset, self.buffer(), out)
        return out

    def add_tables(self, law: Floats, vector: Floats) -> None:
        """law += sum_c table_c(x_c), in place."""
        from testbed.maxent._kernels.dense import add_tables

        add_tables(law.reshape(self.shape), *self.layout, self.offset, vector, self.buffer())

    def family_law(self, multipliers: Floats, support: NDArray[np.bool_] | None) -> tuple[Floats, float]:
        """q of shape (H, L) and ln Z, computed from logarithms."""
        law = np.zeros(self.shape)
        self.add_tables(law, multipliers)
        if support is not None:
            law[~support.reshape(self.shape)] = -np.inf
        largest = law.max()
        law -= largest
        np.exp(law, out=law)
        total = law.sum()
        law /= total
        return law, float(largest + np.log(total))

    def support(self, targets: Floats) -> NDArray[np.bool_] | None:
        """(H, L): where no target is zero; None if none is."""
        if targets.min() > 0:
            return None
        zeros = np.zeros(self.shape)
        self.add_tables(zeros, (targets == 0).astype(np.float64))
        return zeros == 0


@lru_cache(maxsize=32)
def _layout(vocab_size: int, length: int, n_low: int, cliques: tuple[Positions, ...]) -> Layout:
    first_low = length - n_low
    split = [([p for p in c if p < first_low], [p - first_low for p in c if p >= first_low]) for c in cliques]
    high = np.stack([table_index(vocab_size, first_low, part) for part, _ in split])
    low = np.stack([table_index(vocab_size, n_low, part) for _, part in split])
    sizes = np.array([[vocab_size ** len(part) for part in parts] for parts in split], dtype=np.int64)
    return high, low, np.ascontiguousarray(sizes[:, 0]), np.ascontiguousarray(sizes[:, 1])


def table_index(vocab_size: int, n_positions: int, kept: Sequence[int]) -> NDArray[np.int64]:
    """(V^n,): the number of each sequence's symbols at the kept positions, the first position most significant."""
    index = np.zeros((1,) * n_positions, dtype=np.int64)
    for position in kept:
        shape = [1] * n_positions
        shape[position] = vocab_size
        index = index * vocab_size + np.arange(vocab_size).reshape(shape)
    return np.ascontiguousarray(np.broadcast_to(index, (vocab_size,) * n_positions)).reshape(-1)


def entropy(law: Floats) -> float:
    """-sum q ln q in nats, 0 ln 0 = 0; a piece at a time, so that a large law needs no second array."""
    flat = law.reshape(-1)
    total = 0.0
    for first in range(0, flat.size, 2**16):
        part = flat[first : first + 2**16]
        part = part[part > 0]
        total -= float(np.sum(part * np.log(part)))
    return total
