"""`Share`: evidence on the mean of shares, of which one replicate among many may stand apart."""

import math
from dataclasses import dataclass

from testbed.studies.judge.evidence import Evidence, Student
from testbed.studies.judge.mean import Mean


@dataclass(frozen=True)
class Share(Evidence):
    """A mean of n independent numbers between 0 and 1: the better of its own bounds and Chernoff's, each at half the
    error rate.

        P(mean <= x) <= exp(-n kl(x, theta)) for x <= theta, and likewise above,    kl that of two coins

    (Hoeffding 1963, J. Am. Stat. Assoc. 58, 13, theorem 1), whatever the law. Where eleven shares are next to 0 and one
    is not, resamples without that one have next to no spread and a studentised bootstrap says nothing; this does.
    Where all are alike, a spread of 0 would claim certainty: Chernoff's bounds stand alone there.

    >>> round(Share(Student(0.0, 1.0, 12)).upper(0.05), 3)      # 1 - 0.025^(1/12)
    0.265
    """

    inner: Evidence

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
        if r <= 0 or r > 1:
            return float(r > 1)
        tail = self._tail(r) if self.estimate > r else 1.0
        return tail if self._alike else min(1.0, 2 * min(self.inner.p_above(r), tail))

    def p_below(self, r: float) -> float:
        if r >= 1 or r < 0:
            return float(r < 0)
        tail = self._tail(r) if self.estimate < r else 1.0
        return tail if self._alike else min(1.0, 2 * min(self.inner.p_below(r), tail))

    def lower(self, alpha: float) -> float:
        if self._alike:
            return self._bound(alpha, 0.0)
        return min(max(self.inner.lower(alpha / 2), self._bound(alpha / 2, 0.0), 0.0), 1.0)

    def upper(self, alpha: float) -> float:
        if self._alike:
            return self._bound(alpha, 1.0)
        return max(min(self.inner.upper(alpha / 2), self._bound(alpha / 2, 1.0), 1.0), 0.0)

    def with_replicates(self, n: int) -> "Share":
        return Share(self.inner.with_replicates(n))

    @property
    def _alike(self) -> bool:
        inner = self.inner.student if isinstance(self.inner, Mean) else self.inner
        return isinstance(inner, Student) and inner.spread == 0

    def _tail(self, r: float) -> float:
        return math.exp(-(self.n_independent or 1) * divergence(self.estimate, r))

    def _bound(self, alpha: float, end: float) -> float:
        """The number between the mean and an end at which the tail is alpha; the end, if it is larger there."""
        inside, outside = self.estimate, end
        if self._tail(end) > alpha:
            return end
        for _ in range(100):
            middle = (inside + outside) / 2
            inside, outside = (inside, middle) if self._tail(middle) <= alpha else (middle, outside)
        return outside


def divergence(x: float, r: float) -> float:
    """KL of a coin of x from one of r, nats; infinite where r excludes what x allows.

    >>> divergence(0.0, 0.5) == math.log(2), divergence(0.3, 0.3), divergence(0.3, 1.0)
    (True, 0.0, inf)
    """
    total = 0.0
    for a, b in ((x, r), (1.0 - x, 1.0 - r)):
        if a > 0:
            total += a * math.log(a / b) if b > 0 else math.inf
    return max(total, 0.0)
