"""`Open`: evidence on a claim that is left undecided for a reason of its own, such as an arm that has not learnt."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from testbed.studies.judge.evidence import Evidence, Student
from testbed.studies.judge.mean import Mean
from testbed.studies.judge.replicates import Replicates


@dataclass(frozen=True)
class Open(Evidence):
    """A number that is shown and decides nothing, however many replicates there are.

    reason   why, as the end of "Undecided, because ..."

    A shift, a maximum or a minimum of it is left undecided as well, for the same reason.
    """

    known: Evidence
    reason: str

    @property
    def estimate(self) -> float:
        return self.known.estimate

    @property
    def n_independent(self) -> int | None:
        return self.known.n_independent

    @property
    def replicates(self) -> dict[str, int]:
        return self.known.replicates

    @property
    def withheld(self) -> tuple[str, ...]:
        return (self.reason,)

    def p_above(self, r: float) -> float:
        return self.known.p_above(r)

    def p_below(self, r: float) -> float:
        return self.known.p_below(r)

    def lower(self, alpha: float) -> float:
        return self.known.lower(alpha)

    def upper(self, alpha: float) -> float:
        return self.known.upper(alpha)

    def with_replicates(self, n: int) -> "Open":
        return Open(self.known.with_replicates(n), self.reason)


def unknown(reason: str, estimate: float = 0.0) -> Open:
    """No evidence at all, at an estimate for the reader: its interval is the whole line.

    >>> unknown("nothing was learnt").interval(0.05)
    (-inf, inf)
    """
    return Open(Student(estimate, math.inf, 1), reason)


def mean_if_known(values: ArrayLike, replicates: Replicates) -> Evidence:
    """The `Mean` of (R,) values over replicates; open where some of them are not finite."""
    array = np.asarray(values, dtype=np.float64)
    if np.isfinite(array).all():
        return Mean(array, replicates)
    missing = int((~np.isfinite(array)).sum())
    return unknown(f"its number is not known in {missing} of {array.size} replicates")
