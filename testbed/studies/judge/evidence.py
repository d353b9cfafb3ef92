"""What the data say of one number, and the algebra that carries it through shifts, maxima and minima.

An *evidence* on a number theta answers with one-sided p-values and one-sided confidence bounds that are each other's
inverse. With error rate alpha on each side,

    P(lower(alpha) > theta) <= alpha        P(upper(alpha) < theta) <= alpha
    p_above(r) <= alpha  iff  lower(alpha) >= r
    p_below(r) <= alpha  iff  upper(alpha) <= r

so p_above(r) is the p-value of the hypothesis theta < r: small means that the data place theta at r or above. (Whether
theta = r is in the hypothesis matters only for evidence without spread; so an exact 0 lies in the region [0, 0].)

Kinds: `Exact`, `Student` here, `Mean` (data) in `mean.py`; `Affine`, `Max` and `Min` combine any of them and nest.

Maximum of m numbers, theta = max_i theta_i, for any dependence between the parts:

    upper(alpha) = max_i upper_i(alpha)       The true maximum sits at a fixed index k, and max_i upper_i >= upper_k, so
    p_below(r)   = max_i p_below_i(r)         P(upper < theta) <= P(upper_k < theta_k) <= alpha. Nothing is corrected:
                                              intersection-union test (Berger 1982, Technometrics 24, 295).
    lower(alpha) = max_i lower_i(alpha / m)   lower > theta needs some lower_i(alpha / m) > theta >= theta_i, which has
    p_above(r)   = min(1, m min_i p_above_i(r))   probability at most m alpha / m, by the union bound: Bonferroni.

The minimum is the mirror image, min_i theta_i = -max_i(-theta_i). Both lines prove the inverse relation for the
composite from that of its parts, hence for any nesting.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

MINIMUM_REPLICATES = 5  # with fewer independent units no verdict is given


class Evidence(ABC):
    """What the data say of one number theta. See the module's text for the contract that every kind keeps."""

    @property
    @abstractmethod
    def estimate(self) -> float:
        """The point estimate of theta."""

    @property
    @abstractmethod
    def n_independent(self) -> int | None:
        """Number of independent units behind it; the least of the parts'; None for an exact number."""

    @property
    @abstractmethod
    def replicates(self) -> dict[str, int]:
        """Units at each level of the design, top level first: {"kernel": 8, "draw": 16}."""

    @abstractmethod
    def p_above(self, r: float) -> float:
        """p-value against theta < r; small is evidence that theta >= r. 0 at r = -inf, 1 at r = inf."""

    @abstractmethod
    def p_below(self, r: float) -> float:
        """p-value against theta > r; small is evidence that theta <= r. 0 at r = inf, 1 at r = -inf."""

    @abstractmethod
    def lower(self, alpha: float) -> float:
        """Lower confidence bound that exceeds theta with probability at most alpha, 0 < alpha < 1."""

    @abstractmethod
    def upper(self, alpha: float) -> float:
        """Upper confidence bound that falls below theta with probability at most alpha, 0 < alpha < 1."""

    @abstractmethod
    def with_replicates(self, n: int) -> "Evidence":
        """The evidence that n independent units of the same mean and spread would give (Student's t: for planning)."""

    @property
    def too_few(self) -> bool:
        """Fewer than 5 independent units: verdicts on it are undecided."""
        return self.n_independent is not None and self.n_independent < MINIMUM_REPLICATES

    @property
    def withheld(self) -> tuple[str, ...]:
        """Why no verdict may rest on it, however many units there are (`Open`); of parts, why not on any of them."""
        return ()

    def interval(self, alpha: float) -> tuple[float, float]:
        """Two-sided interval whose ends err with probability alpha *each*: level 1 - 2 alpha."""
        return self.lower(alpha), self.upper(alpha)

    def __add__(self, shift: float) -> "Evidence":
        return Affine(self, 1, float(shift))

    __radd__ = __add__

    def __sub__(self, shift: float) -> "Evidence":
        return self + (-float(shift))

    def __neg__(self) -> "Evidence":
        return Affine(self, -1, 0.0)

    def __rsub__(self, value: float) -> "Evidence":
        return -self + value


def check_alpha(alpha: float) -> None:
    if not 0 < alpha < 1:
        raise ValueError(f"an error rate lies strictly between 0 and 1, not {alpha}")


@dataclass(frozen=True)
class Exact(Evidence):
    """A number known exactly, such as a difference of exact entropies; at home beside data with any replicates.

    >>> Exact(0.5).p_above(0.4), Exact(0.5).p_above(0.6), Exact(0.5).interval(0.05)
    (0.0, 1.0, (0.5, 0.5))
    """

    value: float

    def __post_init__(self) -> None:
        if math.isnan(self.value):
            raise ValueError("an exact number cannot be nan")

    @property
    def estimate(self) -> float:
        return self.value

    @property
    def n_independent(self) -> int | None:
        return None

    @property
    def replicates(self) -> dict[str, int]:
        return {}

    def p_above(self, r: float) -> float:
        return 0.0 if self.value >= r else 1.0

    def p_below(self, r: float) -> float:
        return 0.0 if self.value <= r else 1.0

    def lower(self, alpha: float) -> float:
        check_alpha(alpha)
        return self.value

    upper = lower

    def with_replicates(self, n: int) -> Evidence:
        return self

    def __add__(self, shift: float) -> Evidence:
        return Exact(self.value + float(shift))

    __radd__ = __add__

    def __neg__(self) -> Evidence:
        return Exact(-self.value)


@dataclass(frozen=True)
class Student(Evidence):
    """A mean with Student's t on n - 1 degrees of freedom, from summary numbers.

    mean      of n independent units
    spread    their standard deviation (divisor n - 1); 0 makes the mean a point, inf (n = 1) makes every bound infinite
    n         at least 1

    lower(alpha) = mean - t_{1-alpha}(n - 1) spread / sqrt(n). Exact for normal units, and the usual approximation else.

    >>> round(Student(1.0, 0.5, 5).lower(0.025), 4)      # 1 - 2.7764 x 0.5 / sqrt(5)
    0.3792
    """

    mean: float
    spread: float
    n: int
    level: str = "replicate"

    def __post_init__(self) -> None:
        if not (math.isfinite(self.mean) and self.spread >= 0 and self.n >= 1):
            raise ValueError(f"needs a finite mean, spread >= 0 and n >= 1, not {self.mean}, {self.spread}, {self.n}")
        if self.n == 1:
            object.__setattr__(self, "spread", math.inf)

    @property
    def estimate(self) -> float:
        return self.mean

    @property
    def n_independent(self) -> int | None:
        return self.n

    @property
    def replicates(self) -> dict[str, int]:
        return {self.level: self.n}

    @property
    def standard_error(self) -> float:
        return self.spread / math.sqrt(self.n)

    def p_above(self, r: float) -> float:
        return self._p(self.mean - r)

    def p_below(self, r: float) -> float:
        return self._p(r - self.mean)

    def _p(self, distance: float) -> float:
        """P(T >= distance / standard error)."""
        if self.spread == 0 or math.isinf(distance):
            return 0.0 if distance >= 0 else 1.0
        return 1.0 if math.isinf(self.spread) else student_tail(distance / self.standard_error, self.n - 1)

    def lower(self, alpha: float) -> float:
        return self.mean - self._reach(alpha)

    def upper(self, alpha: float) -> float:
        return self.mean + self._reach(alpha)

    def _reach(self, alpha: float) -> float:
        check_alpha(alpha)
        if self.spread == 0 or math.isinf(self.spread):
            return self.spread
        return self.standard_error * student_quantile(alpha, self.n - 1)

    def with_replicates(self, n: int) -> Evidence:
        return Student(self.mean, self.spread, n, self.level)


def student_tail(t: float, degrees: int) -> float:
    """P(T >= t) for Student's t."""
    from scipy.special import stdtr

    return float(stdtr(degrees, -t))


def student_quantile(alpha: float, degrees: int) -> float:
    """The t with P(T >= t) = alpha."""
    from scipy.special import stdtrit

    return -float(stdtrit(degrees, alpha))


@dataclass(frozen=True)
class Affine(Evidence):
    """theta = sign x part + shift; a shift moves every bound by as much, a sign of -1 swaps above and below."""

    part: Evidence
    sign: int
    shift: float

    def __post_init__(self) -> None:
        if self.sign not in (1, -1) or not math.isfinite(self.shift):
            raise ValueError(f"needs a sign of 1 or -1 and a finite shift, not {self.sign} and {self.shift}")

    @property
    def estimate(self) -> float:
        return self.sign * self.part.estimate + self.shift

    @property
    def n_independent(self) -> int | None:
        return self.part.n_independent

    @property
    def replicates(self) -> dict[str, int]:
        return self.part.replicates

    @property
    def withheld(self) -> tuple[str, ...]:
        return self.part.withheld

    def p_above(self, r: float) -> float:
        return self.part.p_above(r - self.shift) if self.sign == 1 else self.part.p_below(self.shift - r)

    def p_below(self, r: float) -> float:
        return self.part.p_below(r - self.shift) if self.sign == 1 else self.part.p_above(self.shift - r)

    def lower(self, alpha: float) -> float:
        return self.part.lower(alpha) + self.shift if self.sign == 1 else self.shift - self.part.upper(alpha)

    def upper(self, alpha: float) -> float:
        return self.part.upper(alpha) + self.shift if self.sign == 1 else self.shift - self.part.lower(alpha)

    def with_replicates(self, n: int) -> Evidence:
        return Affine(self.part.with_replicates(n), self.sign, self.shift)

    def __add__(self, shift: float) -> Evidence:
        return Affine(self.part, self.sign, self.shift + float(shift))

    def __neg__(self) -> Evidence:
        return Affine(self.part, -self.sign, -self.shift)
