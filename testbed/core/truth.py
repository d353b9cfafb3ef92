"""`Truth`: a quantity that is known, and how well."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Kind = Literal["exact", "bracket", "sampled"]


@dataclass(frozen=True, eq=False)
class Truth:
    """A known quantity: scalar or array, in nats unless its source says otherwise.

    lower, upper    float64 arrays of one shape; equal for `exact` and `sampled`
    kind            exact    float64 arithmetic on the exact law
                    bracket  rigorous bounds, rounded outward
                    sampled  unbiased mean of exact conditional quantities, with `standard_error`
    standard_error  of a sampled truth; every verdict that rests on it adds it

    Values may be infinite. Indexing an array-valued truth gives the truth of the element.

    >>> Truth.exact([3.0, 1.0])[1].value
    1.0
    """

    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    kind: Kind
    standard_error: NDArray[np.float64]

    def __post_init__(self) -> None:
        lower, upper, error = np.broadcast_arrays(
            *(np.asarray(x, dtype=np.float64) for x in (self.lower, self.upper, self.standard_error))
        )
        if np.isnan(lower).any() or np.isnan(upper).any() or np.any(lower > upper):
            raise ValueError(f"a truth needs lower <= upper, not {self.lower} and {self.upper}")
        if self.kind != "bracket" and np.any(lower != upper):
            raise ValueError(f"a truth of kind {self.kind} has one value, not {self.lower} and {self.upper}")
        if not np.all(error >= 0) or (self.kind != "sampled" and np.any(error > 0)):
            raise ValueError(f"a truth of kind {self.kind} cannot have the standard error {self.standard_error}")
        for name, array in (("lower", lower), ("upper", upper), ("standard_error", error)):
            array = array.copy()
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    @classmethod
    def exact(cls, value: ArrayLike) -> "Truth":
        return cls(value, value, "exact", 0.0)  # type: ignore[arg-type]

    @classmethod
    def bracket(cls, lower: ArrayLike, upper: ArrayLike) -> "Truth":
        return cls(lower, upper, "bracket", 0.0)  # type: ignore[arg-type]

    @classmethod
    def sampled(cls, mean: ArrayLike, standard_error: ArrayLike) -> "Truth":
        return cls(mean, mean, "sampled", standard_error)  # type: ignore[arg-type]

    @property
    def value(self) -> NDArray[np.float64] | float:
        """The midpoint of the bounds, nan between -inf and inf; a float for a scalar truth."""
        equal = self.lower == self.upper
        with np.errstate(invalid="ignore"):  # halved first: upper - lower could overflow, and inf - inf is nan
            middle = np.where(equal, self.lower, self.lower / 2 + self.upper / 2)
        return float(middle) if middle.ndim == 0 else middle

    @property
    def shape(self) -> tuple[int, ...]:
        return self.lower.shape

    def __len__(self) -> int:
        return len(self.lower)

    def __getitem__(self, index: Any) -> "Truth":
        return Truth(
            self.lower[index],
            self.upper[index],
            self.kind,
            self.standard_error[index],
        )

    def __repr__(self) -> str:
        if self.kind == "bracket":
            return f"Truth.bracket({self.lower}, {self.upper})"
        error = f", {self.standard_error}" if self.kind == "sampled" else ""
        return f"Truth.{self.kind}({self.lower}{error})"
