"""`Max` and `Min`: evidence on the largest or smallest of several numbers. The proof stands in `evidence.py`."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from testbed.studies.judge.evidence import Evidence, check_alpha


@dataclass(frozen=True, init=False)
class _Extreme(Evidence):
    parts: tuple[Evidence, ...]

    def __init__(self, parts: Iterable[Evidence]) -> None:
        object.__setattr__(self, "parts", tuple(parts))
        if not self.parts:
            raise ValueError(f"{type(self).__name__} needs at least one part")

    @property
    def n_independent(self) -> int | None:
        counts = [part.n_independent for part in self.parts if part.n_independent is not None]
        return min(counts) if counts else None

    @property
    def replicates(self) -> dict[str, int]:
        """The design of the part with the fewest independent units."""
        n = self.n_independent
        return next((part.replicates for part in self.parts if n is not None and part.n_independent == n), {})

    @property
    def withheld(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(reason for part in self.parts for reason in part.withheld))

    def _bonferroni(self, p_of: Callable[[Evidence], float]) -> float:
        return min(1.0, len(self.parts) * min(p_of(part) for part in self.parts))

    def _share(self, alpha: float) -> float:
        check_alpha(alpha)
        return alpha / len(self.parts)


@dataclass(frozen=True, init=False)
class Max(_Extreme):
    """Evidence on max_i theta_i, the largest of the *true* numbers (not the mean of the largest).

    The estimate is the largest of the estimates (biased upwards when parts are close; no bound rests on it). Above by
    Bonferroni, below by intersection-union (Berger 1982).

    >>> from testbed.studies.judge.evidence import Student
    >>> both = Max([Student(0.0, 1.0, 8), Student(0.5, 1.0, 8)])
    >>> both.upper(0.05) == Student(0.5, 1.0, 8).upper(0.05)
    True
    >>> both.lower(0.05) == Student(0.5, 1.0, 8).lower(0.025)
    True
    """

    @property
    def estimate(self) -> float:
        return max(part.estimate for part in self.parts)

    def p_above(self, r: float) -> float:
        return self._bonferroni(lambda part: part.p_above(r))

    def p_below(self, r: float) -> float:
        return max(part.p_below(r) for part in self.parts)

    def lower(self, alpha: float) -> float:
        share = self._share(alpha)
        return max(part.lower(share) for part in self.parts)

    def upper(self, alpha: float) -> float:
        return max(part.upper(alpha) for part in self.parts)

    def with_replicates(self, n: int) -> Evidence:
        return Max(part.with_replicates(n) for part in self.parts)


@dataclass(frozen=True, init=False)
class Min(_Extreme):
    """Evidence on min_i theta_i: the mirror image of `Max`, min_i theta_i = -max_i(-theta_i)."""

    @property
    def estimate(self) -> float:
        return min(part.estimate for part in self.parts)

    def p_above(self, r: float) -> float:
        return max(part.p_above(r) for part in self.parts)

    def p_below(self, r: float) -> float:
        return self._bonferroni(lambda part: part.p_below(r))

    def lower(self, alpha: float) -> float:
        return min(part.lower(alpha) for part in self.parts)

    def upper(self, alpha: float) -> float:
        share = self._share(alpha)
        return min(part.upper(share) for part in self.parts)

    def with_replicates(self, n: int) -> Evidence:
        return Min(part.with_replicates(n) for part in self.parts)
