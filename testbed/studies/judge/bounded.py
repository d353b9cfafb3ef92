"""`Bounded`: evidence on a number that can only lie in a range, such as a share."""

import math
from dataclasses import dataclass

from testbed.studies.judge.evidence import Evidence


@dataclass(frozen=True)
class Bounded(Evidence):
    """A number that lies between `low` and `high` by what it is, as a share does: its bounds are cut there.

    Cutting loses no coverage, and no verdict changes on a region whose ends lie within.

    >>> from testbed.studies.judge import Student
    >>> Bounded(Student(0.9, 1.0, 5), 0.0, 1.0).interval(0.01)
    (0.0, 1.0)
    """

    inner: Evidence
    low: float = -math.inf
    high: float = math.inf

    @property
    def estimate(self) -> float:
        return self.inner.estimate

    @property
    def n_independent(self) -> int | None:
        return self.inner.n_independent

    @property
    def replicates(self) -> dict[str, int]:
        return self.inner.replicates

    def p_above(self, r: float) -> float:
        return 0.0 if r <= self.low else 1.0 if r > self.high else self.inner.p_above(r)

    def p_below(self, r: float) -> float:
        return 0.0 if r >= self.high else 1.0 if r < self.low else self.inner.p_below(r)

    def lower(self, alpha: float) -> float:
        return min(max(self.inner.lower(alpha), self.low), self.high)

    def upper(self, alpha: float) -> float:
        return max(min(self.inner.upper(alpha), self.high), self.low)

    def with_replicates(self, n: int) -> "Bounded":
        return Bounded(self.inner.with_replicates(n), self.low, self.high)
