"""The limit of a curve: C_0 in y = C_0 + sum_k C_k f_k(x; theta), with its interval, from a dense grid of shapes.

At one theta the sum of squares is a parabola in C_0 once the C_k are at their best,

    min_C chi^2(c; theta) = chi^2_theta + (c - c_theta)^2 / v_theta,

so that the profile-likelihood interval of C_0 is the union, over all theta of the grid, of

    c_theta -+ sqrt(v_theta (chi^2_min + rise - chi^2_theta)_+),

exact but for the grid. Three laws are fitted in this way:

    power           C_0 + C x^-gamma
    stretched       C_0 + C exp(-(x / tau)^beta)
    two sizes       C_0 + A N^-a + B D^-b       (Hoffmann et al. 2022, 2203.15556, Eq. 2)
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from testbed.measures.decay import DecayLaw

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

POINTS = {1: (3001,), 2: (121, 181)}
"""Points of the grid on each axis, by the number of shape parameters."""
LOCAL = {1: (801,), 2: (41, 41)}
"""Points of a second grid, two steps of the first to either side of its best point."""
EXPONENTS = (0.01, 4.0)
"""Least and largest of the law of two sizes, each."""
FLAT = 1e-6
"""A shape that varies by less, of its largest value, tells C_0 and C apart by rounding alone; it is left out."""


@dataclass(frozen=True)
class Limit:
    """C_0 with its interval. An end is infinite where it is reached at a bound of the search: there the search ends,
    not the interval."""

    estimate: float
    lower: float
    upper: float
    theta: tuple[float, ...]
    chi_squared: float

    def covers(self, value: float) -> bool:
        """Whether the interval holds this value."""
        return self.lower <= value <= self.upper


@dataclass(frozen=True, eq=False)
class Shapes:
    """Shapes f(theta) at n places.

    log_bounds  (P, 2) of ln theta
    values      theta (G, P) -> (G, K, n)
    """

    log_bounds: Floats
    values: Callable[[Floats], Floats]

    def grid(self, centre: Floats | None = None) -> tuple[Floats, Floats, Bools]:
        """ln theta (G, P), shapes (G, K, n), and which lie at a bound: over all, or two steps around a centre."""
        n_shape = len(self.log_bounds)
        spans = [tuple(one) for one in self.log_bounds.tolist()]
        points = POINTS[n_shape]
        if centre is not None:
            steps = [(high - low) / (n - 1) for (low, high), n in zip(spans, points, strict=True)]
            spans = [
                (max(low, float(at) - 2 * step), min(high, float(at) + 2 * step))
                for (low, high), at, step in zip(spans, centre, steps, strict=True)
            ]
            points = LOCAL[n_shape]
        axes = [np.linspace(low, high, n) for (low, high), n in zip(spans, points, strict=True)]
        log_theta = np.stack([one.ravel() for one in np.meshgrid(*axes, indexing="ij")], axis=1)
        values = self.values(np.exp(log_theta))
        values = values / np.maximum(np.abs(values).max(axis=2, keepdims=True), 1e-300)
        low, high = self.log_bounds.T
        at_bound = np.any((log_theta <= low + 1e-9) | (log_theta >= high - 1e-9), axis=1)
        kept = np.all(np.ptp(values, axis=2) > FLAT, axis=1)
        return log_theta[kept], values[kept], at_bound[kept]


def limit_of(law: DecayLaw, x: ArrayLike, y: ArrayLike, errors: ArrayLike, rise: float) -> Limit:
    """The limit of y (n,), standard errors (n,), at places x (n,), under a law of one size."""
    shapes, first = _one_size(law, tuple(np.asarray(x, dtype=np.float64).tolist()))
    return _fitted(shapes, first, y, errors, rise)


def two_size_limit(n: ArrayLike, d: ArrayLike, y: ArrayLike, errors: ArrayLike, rise: float) -> Limit:
    """The limit of y (m,) at numbers of parameters n (m,) and of targets d (m,)."""
    numbers, targets = (np.asarray(one, dtype=np.float64) / np.min(one) for one in (n, d))
    bounds = np.log(np.array([EXPONENTS, EXPONENTS]))
    shapes = Shapes(bounds, lambda theta: np.stack([numbers ** -theta[:, :1], targets ** -theta[:, 1:]], axis=1))
    return _fitted(shapes, shapes.grid(), y, errors, rise)


@lru_cache(maxsize=64)
def _one_size(law: DecayLaw, x: tuple[float, ...]) -> tuple[Shapes, tuple[Floats, Floats, Bools]]:
    places = np.array(x)
    shapes = Shapes(np.log(law.bounds(places)), lambda theta: law.values(places, *theta.T[..., None])[:, None, :])
    return shapes, shapes.grid()


def _fitted(shapes: Shapes, first: tuple[Floats, Floats, Bools], y: ArrayLike, errors: ArrayLike, rise: float) -> Limit:
    """Weighted least squares on the grid, then on a finer one around its best point; `rise` bounds the interval."""
    values, w = np.asarray(y, dtype=np.float64), np.asarray(errors, dtype=np.float64) ** -2.0
    found = _scan(first[1], values, w)
    second = shapes.grid(first[0][np.argmin(found[1])])
    closer = _scan(second[1], values, w)
    c, chi, variance = (np.concatenate(pair) for pair in zip(found, closer, strict=True))
    at_bound = np.concatenate([first[2], second[2]])
    best = int(np.argmin(chi))
    reach = chi[best] + rise - chi
    inside = reach >= 0
    half, edge = np.sqrt(np.maximum(variance[inside], 0.0) * reach[inside]), at_bound[inside]
    lows, highs = c[inside] - half, c[inside] + half
    low, high = int(np.argmin(lows)), int(np.argmax(highs))
    theta = np.exp(np.concatenate([first[0], second[0]])[best])
    return Limit(
        estimate=float(c[best]),
        lower=-np.inf if edge[low] else float(lows[low]),
        upper=np.inf if edge[high] else float(highs[high]),
        theta=tuple(theta.tolist()),
        chi_squared=float(chi[best]),
    )


def _scan(shapes: Floats, y: Floats, w: Floats) -> tuple[Floats, Floats, Floats]:
    """(G,) c_theta, chi^2_theta and v_theta of y (n,) with weights w (n,), for shapes (G, K, n).

    Shapes and data are centred first: then the C_k are a regression without a constant, and nothing cancels.
    """
    share = w / w.sum()
    middle = float(share @ y)
    centred, means = y - middle, shapes @ share
    basis = shapes - means[..., None]
    gram = np.einsum("gkn,n,gln->gkl", basis, w, basis, optimize=True)
    moments = np.einsum("gkn,n->gk", basis, w * centred, optimize=True)
    solved = np.linalg.solve(gram, np.stack([moments, means], axis=2))
    amplitudes, leverage = solved[..., 0], solved[..., 1]
    c = middle - np.einsum("gk,gk->g", amplitudes, means)
    residual = centred - np.einsum("gk,gkn->gn", amplitudes, basis, optimize=True)
    return c, (residual**2) @ w, 1.0 / w.sum() + np.einsum("gk,gk->g", means, leverage)


def smoothed_errors(x: ArrayLike, runs: ArrayLike) -> Floats:
    """(n,) standard errors of the mean of runs (n, S) at places x: ln spread a straight line in ln x, less its bias.

    A spread of S runs alone is off by a factor 1 -+ 1 / sqrt(2 (S - 1)); the line pools all places. With m = S - 1 the
    logarithm of a spread of normal values is too small by (ln (m / 2) - psi(m / 2)) / 2 in the mean.
    """
    from scipy.special import digamma

    values = np.asarray(runs, dtype=np.float64)
    m = values.shape[1] - 1
    low = 0.5 * (np.log(m / 2) - digamma(m / 2))
    places, spread = np.log(np.asarray(x, dtype=np.float64)), values.std(axis=1, ddof=1)
    slope, level = np.polyfit(places, np.log(np.maximum(spread, 1e-300)), 1)
    return np.asarray(np.exp(slope * places + level + low) / np.sqrt(m + 1))
