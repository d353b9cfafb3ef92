"""In what share of the pairs two numbers have one order, and its jackknife over replicates.

Pairs that are tied in the first number, overload, say nothing of it and are left out of numerator and denominator: on
copies most runs have none at all, and ties that counted half would pull the share to 1/2, to 1 - (their share) / 2 at
most.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from testbed.studies.judge import Bounded, Evidence, Mean, Open, Replicates, Student, unknown
from testbed.studies.judge.share import Share

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Concordance:
    """Sums over the pairs that are compared.

    agree      pairs in one order, those tied in the second number counting half
    told       pairs that differ in the first
    count      all
    agree_without, told_without   (R,) the same without the pairs of one replicate
    units      independent terms that the share is a mean of, at least
    even       whether it is the plain mean of one share a replicate
    """

    agree: float
    told: float
    count: float
    agree_without: Floats
    told_without: Floats
    units: int
    even: bool

    @property
    def share(self) -> float:
        """Of the pairs that differ, those in one order; 1/2 by chance, nan if none differs."""
        return self.agree / self.told if self.told else float("nan")

    @property
    def tied(self) -> float:
        """Of all pairs, those tied in the first number."""
        return 1 - self.told / self.count

    @property
    def ceiling(self) -> float:
        """The largest share that could be reached if ties counted half."""
        return 1 - self.tied / 2

    def pseudo(self) -> Floats:
        """(R,) pseudo-values n s - (n - 1) s_without of the ratio s, moved so that their mean is s: their spread is its
        jackknife error (Arvesen 1969, Ann. Math. Stat. 40, 2076)."""
        n = len(self.agree_without)
        known = self.told_without > 0
        without = np.where(known, self.agree_without / np.where(known, self.told_without, 1.0), self.share)
        found = n * self.share - (n - 1) * without
        return np.asarray(found - found.mean() + self.share)

    def number(self) -> Evidence:
        """Evidence on the share, whatever is tied: the jackknife, and Chernoff's bound as well where the share is a
        mean of one a replicate. Where the pairs of each replicate say the same there is no spread, and Chernoff's bound
        stands alone, with as many terms as are independent (Hoeffding 1963, section 5: n // 2 for pairs of n)."""
        if not self.told:
            return unknown("all pairs are tied in overload", 0.5)
        values = self.pseudo()
        if np.ptp(values) <= 1e-12:
            return Share(Student(self.share, 0.0, self.units, "replicate"))
        mean = Mean(values, Replicates({"replicate": list(range(len(values)))}, seed=0))
        return Share(mean) if self.even else Bounded(mean, 0.0, 1.0)

    def evidence(self, most_tied: float, overload: str) -> Evidence:
        """`number`; open where more pairs are tied than `most_tied`. `overload` says of what in the reason."""
        found = self.number()
        if self.tied <= most_tied:
            return found
        return Open(found, f"{self.tied:.0%} of the pairs are tied in {overload}, more than {most_tied:.0%}")


def compared(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """(..., n, n) of (..., n): what each ordered pair adds to `agree` and to `told`: half of it."""
    of_x, of_y = (
        (one[..., :, None] > one[..., None, :]).astype(float) - (one[..., :, None] < one[..., None, :])
        for one in (x, y)
    )
    told = (of_x != 0) / 2
    return told * (1 + of_x * of_y) / 2, told


def across(x: Floats, y: Floats) -> Concordance:
    """Pairs of cells within each replicate; x, y (C, R).

    >>> across(np.array([[1.0, 0.0], [2.0, 0.0], [3.0, 1.0]]), np.array([[0.1, 1.0], [0.3, 2.0], [0.2, 3.0]])).share
    0.8
    """
    agree, told = (one.sum(axis=(1, 2)) for one in compared(x.T, y.T))
    cells, replicates = x.shape
    count = replicates * cells * (cells - 1) / 2
    return Concordance(
        agree=float(agree.sum()),
        told=float(told.sum()),
        count=count,
        agree_without=agree.sum() - agree,
        told_without=told.sum() - told,
        units=max(1, int(told.sum() / max(told.max(), 1.0))),
        even=bool(np.ptp(told) == 0),
    )


def within(x: Floats, y: Floats) -> Concordance:
    """Pairs of replicates of each cell; x, y (C, R).

    >>> within(np.array([[1.0, 2.0, 3.0]]), np.array([[0.1, 0.3, 0.2]])).share
    0.6666666666666666
    """
    agree, told = (one.sum(axis=0) for one in compared(x, y))
    cells, replicates = x.shape
    count = cells * replicates * (replicates - 1) / 2
    return Concordance(
        agree=float(agree.sum()),
        told=float(told.sum()),
        count=count,
        agree_without=agree.sum() - 2 * agree.sum(axis=1),
        told_without=told.sum() - 2 * told.sum(axis=1),
        units=max(1, replicates // 2),
        even=False,
    )
