"""Laws of decay, y = C_0 + C f(x): the shapes f that entropies and excess losses are fitted with.

    POWER          x^(-gamma)
    EXPONENTIAL    exp(-kappa x)
    STRETCHED      exp(-(x / tau)^beta)
    LOGARITHMIC    -ln x
    BROKEN_POWER   x^(-gamma) (1 + x / x_b)^(gamma - delta)         exponent gamma before x_b, delta after

The first parameter of each is the one that intervals are made for. All are searched on a logarithmic scale within
bounds that depend on x: a fit at a bound is no fit (`DecayFit.at_bound`).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class DecayLaw:
    """A shape f(x; theta).

    name        as it is reported
    parameters  names of theta
    log_shape   (x (n,), theta (..., k, 1) split into k arrays (..., 1)) -> ln f (..., n); None for the logarithm
    bounds      x (n,) -> (k, 2) least and largest theta searched
    grid        points on each axis of the first search
    """

    name: str
    parameters: tuple[str, ...]
    log_shape: Callable[..., Floats] | None
    bounds: Callable[[Floats], Floats]
    grid: tuple[int, ...]

    @property
    def n_shape(self) -> int:
        """k, the number of shape parameters."""
        return len(self.parameters)

    def values(self, x: Floats, *theta: float) -> Floats:
        """f(x; theta)."""
        if self.log_shape is None:
            return -np.log(x)
        return np.asarray(np.exp(self.log_shape(x, *theta)))


def _spans(x: Floats) -> tuple[float, float, float]:
    """Least gap between neighbours, whole range, largest."""
    ordered = np.unique(x)
    return float(np.diff(ordered).min()), float(ordered[-1] - ordered[0]), float(ordered[-1])


def _exponential_bounds(x: Floats) -> Floats:
    gap, span, _ = _spans(x)
    return np.array([[1e-2 / span, 20.0 / gap]])


def _stretched_bounds(x: Floats) -> Floats:
    gap, _, largest = _spans(x)
    return np.array([[0.1, 4.0], [1e-9 * gap, 10.0 * largest]])


def _broken_bounds(x: Floats) -> Floats:
    return np.array([[0.01, 8.0], [0.01, 8.0], [float(x[x > 0].min()), _spans(x)[2]]])


POWER = DecayLaw(
    "power",
    ("gamma",),
    lambda x, gamma: -gamma * np.log(x),
    lambda x: np.array([[5e-4, 12.0]]),
    (121,),
)
EXPONENTIAL = DecayLaw("exponential", ("kappa",), lambda x, kappa: -kappa * x, _exponential_bounds, (121,))
STRETCHED = DecayLaw(
    "stretched exponential", ("beta", "tau"), lambda x, beta, tau: -((x / tau) ** beta), _stretched_bounds, (31, 61)
)
LOGARITHMIC = DecayLaw("logarithmic", (), None, lambda x: np.empty((0, 2)), ())
BROKEN_POWER = DecayLaw(
    "broken power",
    ("gamma", "delta", "x_b"),
    lambda x, gamma, delta, x_b: -gamma * np.log(x) - (delta - gamma) * np.log1p(x / x_b),
    _broken_bounds,
    (25, 21, 15),
)

LAWS = (POWER, EXPONENTIAL, STRETCHED, LOGARITHMIC, BROKEN_POWER)
