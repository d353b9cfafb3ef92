"""Counts of counts: all that an estimator of entropy reads of a sample, whatever the number of bins."""

from collections.abc import Iterable
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from testbed.core import ConfigError

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

LARGEST_COUNT = 2**62


class Fingerprint:
    """How many bins were met n times, for the n > 0 that occur.

    counts            (D,) the different counts n, ascending, float64
    multiplicities    (D,) how many bins have each, float64
    total             N = sum of n over bins
    n_seen            bins with n > 0
    supports          by number of bins, where NSB's posterior lies: found once, and near by for samples alike

    >>> one = Fingerprint.of([3, 0, 1, 1])
    >>> one.counts.tolist(), one.multiplicities.tolist(), one.total, one.n_seen
    ([1.0, 3.0], [2.0, 1.0], 5.0, 3.0)
    """

    def __init__(self, counts: ArrayLike, multiplicities: ArrayLike) -> None:
        """Counts in any order; equal ones are put together, and those met by no bin are dropped."""
        values, where = np.unique(np.asarray(counts, dtype=np.int64), return_inverse=True)
        weights = np.asarray(multiplicities, dtype=np.float64)
        numbers: Floats = np.bincount(where, weights=weights, minlength=len(values)).astype(np.float64)
        kept = (values > 0) & (numbers > 0)
        self.counts: Floats = values[kept].astype(np.float64)
        self.multiplicities: Floats = numbers[kept]
        self.total = float(self.counts @ self.multiplicities)
        self.n_seen = float(self.multiplicities.sum())
        self.supports: dict[float, tuple[float, float]] = {}

    @classmethod
    def of(cls, counts: ArrayLike) -> "Fingerprint":
        """From the counts of bins, zeros among them; ConfigError if they are not integers of 0 .. 2^62."""
        array = np.asarray(counts)
        if array.ndim != 1 or array.dtype.kind not in "uif" or not np.all(np.isfinite(array)):
            raise ConfigError(f"counts: need a list of integers, given {array.dtype} of shape {array.shape}")
        if array.size and (array.min() < 0 or np.any(array != np.floor(array))):
            raise ConfigError(f"counts: need non-negative integers, given {array[(array < 0) | (array % 1 != 0)][0]}")
        if array.size and array.max() > LARGEST_COUNT:
            raise ConfigError(f"counts: given {array.max()}, must be at most 2^62")
        return cls(array, np.ones(array.size))

    @classmethod
    def from_tally(cls, small: Integers, large: ArrayLike) -> "Fingerprint":
        """From small[n] bins for every small n, and the counts of the other bins."""
        few = np.flatnonzero(small)
        values, numbers = np.unique(np.asarray(large, dtype=np.int64), return_counts=True)
        return cls(np.concatenate([few, values]), np.concatenate([small[few], numbers]))

    def moved(self, before: Iterable[int], after: Iterable[int]) -> "Fingerprint":
        """The same sample after some bins, whose counts were `before`, have the counts `after`."""
        lost, gained = np.fromiter(before, np.int64), np.fromiter(after, np.int64)
        if not lost.size:
            return self
        counts = np.concatenate([self.counts.astype(np.int64), lost, gained])
        return Fingerprint(counts, np.concatenate([self.multiplicities, -np.ones(lost.size), np.ones(gained.size)]))

    def number_of(self, count: int) -> float:
        """Bins met exactly so often.

        >>> Fingerprint.of([3, 0, 1, 1]).number_of(1)
        2.0
        """
        place = int(np.searchsorted(self.counts, count))
        return float(self.multiplicities[place]) if place < len(self.counts) and self.counts[place] == count else 0.0

    @cached_property
    def log_counts(self) -> Floats:
        return np.log(self.counts)

    @cached_property
    def digamma_counts(self) -> Floats:
        """psi(n)."""
        from scipy.special import digamma

        return np.asarray(digamma(self.counts))

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Fingerprint)
            and np.array_equal(self.counts, other.counts)
            and np.array_equal(self.multiplicities, other.multiplicities)
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Fingerprint({self.counts.astype(int).tolist()}, {self.multiplicities.astype(int).tolist()})"
