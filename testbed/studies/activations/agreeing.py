"""`Agreeing`: evidence that decides only where all of its parts do, and alike."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from testbed.studies.judge import Evidence


@dataclass(frozen=True)
class Agreeing(Evidence):
    """Several numbers that are to lie on the same side: the union of their intervals.

        p_above = max_i p_above_i        p_below = max_i p_below_i        lower = min_i lower_i        upper = max_i ...

    A claim holds by it if it holds by each part, and fails if it fails by each; both are intersection-union tests
    (Berger 1982), so that nothing is corrected. The estimate is the mean of the parts'.

    >>> from testbed.studies.judge import Student
    >>> both = Agreeing((Student(1.0, 1.0, 16), Student(3.0, 1.0, 16)))
    >>> both.estimate, both.lower(0.05) == Student(1.0, 1.0, 16).lower(0.05)
    (2.0, True)
    """

    parts: Sequence[Evidence]

    @property
    def estimate(self) -> float:
        return float(np.mean([one.estimate for one in self.parts]))

    @property
    def n_independent(self) -> int | None:
        counts = [one.n_independent for one in self.parts if one.n_independent is not None]
        return min(counts) if counts else None

    @property
    def replicates(self) -> dict[str, int]:
        return self.parts[0].replicates

    @property
    def withheld(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(reason for one in self.parts for reason in one.withheld))

    def p_above(self, r: float) -> float:
        return max(one.p_above(r) for one in self.parts)

    def p_below(self, r: float) -> float:
        return max(one.p_below(r) for one in self.parts)

    def lower(self, alpha: float) -> float:
        return min(one.lower(alpha) for one in self.parts)

    def upper(self, alpha: float) -> float:
        return max(one.upper(alpha) for one in self.parts)

    def with_replicates(self, n: int) -> "Agreeing":
        return Agreeing(tuple(one.with_replicates(n) for one in self.parts))
