"""`Replicates`: the design of a study (kernel x data draw x initialisation) and its resamples, made once for all means.

A row is one measured value; its labels name its unit at every level, top level first. Lower labels are read within the
upper ones (draw 0 of kernel 0 is not draw 0 of kernel 1). Only the top units are independent. Every unit counts
equally within its parent: the estimand is the mean over top units of the mean over their draws of the mean over ...

The resamples follow the hierarchy: n top units with replacement, within each its draws with replacement, within each
its initialisations. For speed the resamples *within* a top unit come from a pool of 1,000 made once per unit, and each
slot of a resample points at one entry of it; `resampled_unit_means` recentres the pool, so that its finite size moves
no mean.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
POOL = 1_000  # resamples within each top unit


@dataclass(frozen=True, init=False, eq=False)
class Replicates:
    """Labels of the rows, and the seeded resampling that every contrast on these rows shares.

    labels          {level: one label a row}, top level (the independent unit) first
    seed            of the resampling; equal seeds and labels give equal resamples
    n_resamples     at least 9,999

    Raises ValueError for labels of different lengths, no rows, and rows that carry the same labels throughout.

    >>> Replicates({"kernel": [0, 0, 1, 1], "draw": [0, 1, 0, 1]}, seed=0).counts
    {'kernel': 2, 'draw': 4}
    """

    labels: dict[str, tuple[object, ...]]
    seed: int
    n_resamples: int

    def __init__(self, labels: Mapping[str, Sequence[object]], *, seed: int, n_resamples: int = 9_999) -> None:
        columns = {str(level): tuple(column) for level, column in labels.items()}
        lengths = {level: len(column) for level, column in columns.items()}
        if not columns or len(set(lengths.values())) != 1 or 0 in lengths.values():
            raise ValueError(f"labels need one level at least and the same number of rows (> 0) in each, not {lengths}")
        if n_resamples < 9_999:
            raise ValueError(f"n_resamples is at least 9999, not {n_resamples}")
        rows = list(zip(*columns.values(), strict=True))
        if len(set(rows)) != len(rows):
            twice = next(row for row in rows if rows.count(row) > 1)
            raise ValueError(f"two rows carry the same labels, {dict(zip(columns, twice, strict=True))}")
        for name, value in (("labels", columns), ("seed", seed), ("n_resamples", n_resamples)):
            object.__setattr__(self, name, value)

    @classmethod
    def grid(cls, counts: Mapping[str, int], *, seed: int, n_resamples: int = 9_999) -> "Replicates":
        """The balanced design whose rows are the cells of an array of shape `counts`, in C order.

        >>> Replicates.grid({"kernel": 2, "draw": 3}, seed=0).n_rows
        6
        """
        cells = np.indices(tuple(counts.values())).reshape(len(counts), -1)
        return cls(dict(zip(counts, cells.tolist(), strict=True)), seed=seed, n_resamples=n_resamples)

    @property
    def levels(self) -> tuple[str, ...]:
        return tuple(self.labels)

    @property
    def n_rows(self) -> int:
        return len(self.labels[self.levels[0]])

    @property
    def n_independent(self) -> int:
        return len(self._units)

    @cached_property
    def counts(self) -> dict[str, int]:
        """Distinct units at each level, over the whole design."""
        prefixes = list(zip(*self.labels.values(), strict=True))
        return {level: len({row[: depth + 1] for row in prefixes}) for depth, level in enumerate(self.levels)}

    def name_of(self, row: int) -> str:
        """`kernel=2, draw=0`: the labels of a row, for messages."""
        return ", ".join(f"{level}={column[row]}" for level, column in self.labels.items())

    def unit_means(self, values: ArrayLike) -> Floats:
        """Mean of every top unit, (n_rows,) -> (n_independent,), each unit counting equally within its parent."""
        array = np.asarray(values, dtype=np.float64)
        return np.array([array[rows] @ weights for rows, weights in zip(self._units, self._weights, strict=True)])

    def resampled_unit_means(self, values: ArrayLike) -> Floats:
        """The unit means of every resample, (n_rows,) -> (n_independent, n_resamples): one column a resample."""
        rows, pool = self._pool
        array = np.asarray(values, dtype=np.float64)
        table = (pool @ array[rows][:, :, None])[:, :, 0]  # (n, pool)
        table += (self.unit_means(array) - table.mean(axis=1))[:, None]
        resampled: Floats = table.ravel()[self._slots]
        return resampled

    @cached_property
    def _units(self) -> list[list[int]]:
        """Rows of every top unit, in order of first appearance."""
        return _split(self.labels[self.levels[0]], range(self.n_rows))

    @cached_property
    def _weights(self) -> list[Floats]:
        return [self._inner_weights(rows, 1, 1, None)[0] for rows in self._units]

    @cached_property
    def _pool(self) -> tuple[NDArray[np.int64], Floats]:
        """Rows of every top unit, (n, widest), and weights of the rows in each inner resample, (n, pool, widest)."""
        widest = max(len(rows) for rows in self._units)
        size = 1 if widest == 1 else POOL
        rng = np.random.default_rng([self.seed, 1])
        padded = np.zeros((self.n_independent, widest), dtype=np.int64)
        pool = np.zeros((self.n_independent, size, widest))
        for unit, rows in enumerate(self._units):
            padded[unit, : len(rows)] = rows
            pool[unit, :, : len(rows)] = self._inner_weights(rows, 1, size, rng)
        return padded, pool

    def _inner_weights(self, rows: list[int], depth: int, size: int, rng: np.random.Generator | None) -> Floats:
        """Weights (size, len(rows)) of one unit's rows in `size` resamples of the levels below; as is without rng."""
        if depth == len(self.levels) or len(rows) == 1:
            return np.full((size, len(rows)), 1 / len(rows))
        children = _split(self.labels[self.levels[depth]], rows)
        place = {row: column for column, row in enumerate(rows)}
        weights = np.zeros((size, len(rows)))
        for slot, usual in enumerate(children):
            picks = np.full(size, slot) if rng is None else rng.integers(len(children), size=size)
            for index, child in enumerate(children if rng is not None else [usual]):
                chosen = np.flatnonzero(picks == index) if rng is not None else np.arange(size)
                inner = self._inner_weights(child, depth + 1, len(chosen), rng)
                weights[chosen[:, None], np.array([place[row] for row in child])] += inner / len(children)
        return weights

    @cached_property
    def _slots(self) -> NDArray[np.int64]:
        """(n, n_resamples): for every slot of every resample, the flat index (top unit, pool entry) that fills it."""
        rng = np.random.default_rng([self.seed, 0])
        shape, size = (self.n_independent, self.n_resamples), self._pool[1].shape[1]
        slots: NDArray[np.int64] = rng.integers(self.n_independent, size=shape) * size + rng.integers(size, size=shape)
        return slots


def _split(column: Sequence[object], rows: Sequence[int]) -> list[list[int]]:
    """`rows` grouped by their label in `column`, in order of first appearance."""
    groups: dict[object, list[int]] = {}
    for row in rows:
        groups.setdefault(column[row], []).append(row)
    return list(groups.values())
