"""One fitted decay: numbers, interval, AICc; and the profile-likelihood interval of its first shape parameter."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from testbed.core import ConfigError, UndefinedError
from testbed.measures.decay.laws import DecayLaw
from testbed.measures.decay.projection import Projection

Floats = NDArray[np.float64]

HALVINGS = 36  # of a grid step, to find an interval's end
BASINS, PROFILE_BASINS = 4, 2  # that are searched for a minimum, where the grid has two axes or more


@dataclass(frozen=True, eq=False)
class DecayFit:
    """The least-squares fit of y = C_0 + C f(x; theta).

    parameters      theta by name
    constant, amplitude     C_0 (given or fitted) and C
    interval        of the first parameter; (nan, nan) for the logarithm. An end is 0 or infinite where the search's
                    bound lies inside: the data do not close the interval on that side
    chi_squared     sum of squares over the variances; of plain residuals where errors are unknown
    aicc            less a constant that all laws fitted to the same points share
    at_bound        a parameter stopped at the bound of its search: the law's shape is not what the numbers say
    fitted          (n,) C_0 + C f(x)
    threshold       rise of chi^2 that bounds the interval
    """

    law: DecayLaw
    parameters: dict[str, float]
    constant: float
    amplitude: float
    interval: tuple[float, float]
    chi_squared: float
    n_points: int
    n_free: int
    aicc: float
    at_bound: bool
    fitted: Floats
    threshold: float

    def predict(self, x: ArrayLike) -> Floats:
        """C_0 + C f(x)."""
        return self.constant + self.amplitude * self.law.values(
            np.asarray(x, dtype=np.float64), *self.parameters.values()
        )


def fit_decay(
    law: DecayLaw,
    x: ArrayLike,
    y: ArrayLike,
    errors: ArrayLike | None = None,
    constant: float | None = None,
    level: float = 0.95,
    threshold: float | None = None,
) -> DecayFit:
    """Weighted least squares with a profile-likelihood interval.

    x, y        (n,) places and values, nats
    errors      (n,) standard errors, an (n, n) covariance (points that share data), or None: equal and unknown
    constant    C_0 where the source knows it; fitted where left out
    level       of the interval { theta_1 : min over the rest of chi^2 <= chi^2_min + threshold }
    threshold   chi^2_1's quantile where left out; with unknown errors chi^2_min F_(1, n - p) / (n - p). Larger where a
                simulation asks for it (`coverage_of`)

    Where the data settle gamma, the curvature at the minimum gives nearly the same interval; where they do not (C_0, C
    and gamma are correlated above .95), only the profile shows that it is lopsided, or open.

    >>> from testbed.measures.decay import POWER
    >>> x = np.array([1.0, 2, 4, 8, 16, 32])
    >>> found = fit_decay(POWER, x, 0.5 + 2 * x**-0.7, errors=np.full(6, 1e-3))
    >>> round(found.parameters["gamma"], 6), round(found.constant, 6), [round(one, 2) for one in found.interval]
    (0.7, 0.5, [0.7, 0.7])

    Raises ConfigError for too few places, x the law is not defined at, or errors that are not positive.
    """
    problem = Projection.of(law, x, errors, constant)
    theta, chi_squared = fit_many(problem, np.atleast_2d(np.asarray(y, dtype=np.float64)))
    n, free = len(problem.x), problem.n_free
    if np.ndim(y) != 1:
        raise ConfigError(f"y: need (n,), given shape {np.shape(y)}")
    c_0, amplitude, fitted = problem.linear(np.asarray(y, dtype=np.float64)[None], theta)
    known = errors is not None
    limit = rise(level, chi_squared[0], n, free, known) if threshold is None else threshold
    interval = (np.nan, np.nan)
    if law.n_shape and limit > 0:
        lower, upper = profile_intervals(problem, problem.data(y), theta, chi_squared, np.array([limit]))
        interval = (float(lower[0]), float(upper[0]))
    values = np.exp(theta[0])
    return DecayFit(
        law=law,
        parameters=dict(zip(law.parameters, values.tolist(), strict=True)),
        constant=float(c_0[0]),
        amplitude=float(amplitude[0]),
        interval=interval,
        chi_squared=float(chi_squared[0]),
        n_points=n,
        n_free=free,
        aicc=aicc(float(chi_squared[0]), n, free, known),
        at_bound=bool(at_bounds(problem, theta)[0]),
        fitted=fitted[0],
        threshold=float(limit),
    )


def fit_many(problem: Projection, y: Floats) -> tuple[Floats, Floats]:
    """(M, k) ln theta and (M,) chi^2 of M data sets y (M, n): the grid, then the minimum, the best of several."""
    data = problem.data(y)
    grid, shape = problem.grid(), problem.law.grid
    starts = basins(problem.search(data, grid), shape, axis=1 if len(shape) > 1 else 0)
    return best_of(problem, data, grid[starts])


def best_of(problem: Projection, data: Floats, starts: Floats, held: int = 0) -> tuple[Floats, Floats]:
    """(M, k) ln theta and (M,) chi^2: the best minimum from starts (B, M, k)."""
    theta, least = problem.minimise(data, starts[0], held)
    for start in starts[1:]:
        again, found = problem.minimise(data, start, held)
        better = found < least
        theta[better], least[better] = again[better], found[better]
    return theta, least


def basins(costs: Floats, shape: tuple[int, ...], axis: int, most: int = BASINS) -> NDArray[np.intp]:
    """(B, M) numbers of grid points from which to look for the minimum of costs (M, K) on a grid of this shape.

    The best points for each value on one axis make a curve; its least points, lowest first, are the starts. The best
    point alone is often in a wrong basin: a valley that is narrow slips between the points of the grid. One start
    where the grid has one axis; there it is dense.
    """
    m = len(costs)
    if len(shape) < 2:
        return np.argmin(costs, axis=1)[None]
    numbers = np.moveaxis(np.arange(costs.shape[1]).reshape(shape), axis, 0).reshape(shape[axis], -1)
    slabs = costs[:, numbers]
    at = np.argmin(slabs, axis=2)
    curve = np.take_along_axis(slabs, at[..., None], axis=2)[..., 0]
    padded = np.pad(curve, ((0, 0), (1, 1)), constant_values=np.inf)
    least = (curve <= padded[:, :-2]) & (curve <= padded[:, 2:])
    order = np.argsort(np.where(least, curve, np.inf), axis=1, kind="stable")[:, :most]
    return np.asarray(numbers[order, at[np.arange(m)[:, None], order]].T)


def at_bounds(problem: Projection, log_theta: Floats) -> NDArray[np.bool_]:
    """(M,): some parameter lies at the bound of its search."""
    low, high = problem.log_bounds[:, 0], problem.log_bounds[:, 1]
    return np.asarray(np.any((log_theta <= low + 1e-6) | (log_theta >= high - 1e-6), axis=-1))


def rise(level: float, chi_squared: float, n: int, n_free: int, known: bool) -> float:
    """The rise of chi^2 that bounds an interval for one parameter."""
    from scipy.stats import chi2, f

    if not 0 < level < 1:
        raise ConfigError(f"level: given {level}, must lie in (0, 1)")
    if known:
        return float(chi2.ppf(level, 1))
    if n <= n_free:
        raise UndefinedError(f"errors: unknown, and {n} points leave nothing to estimate them after {n_free} numbers")
    return float(chi_squared * f.ppf(level, 1, n - n_free) / (n - n_free))


def aicc(chi_squared: float, n: int, n_free: int, known: bool) -> float:
    """Akaike's criterion, corrected for few points (Hurvich & Tsai 1989); infinite where n leaves no room for it.

    chi^2 + 2 p + 2 p (p + 1) / (n - p - 1) with known errors; n ln(RSS / n) + the same with p + 1 for p without.
    """
    p = n_free + (not known)
    if n - p - 1 <= 0:
        return np.inf
    fit = chi_squared if known else n * np.log(max(chi_squared, 1e-300) / n)
    return float(fit + 2.0 * p + 2.0 * p * (p + 1) / (n - p - 1))


def profile_intervals(
    problem: Projection, data: Floats, log_theta: Floats, chi_squared: Floats, limits: Floats
) -> tuple[Floats, Floats]:
    """(M,) lower and upper ends of the first parameter, the outermost where chi^2 rises by `limits` (M,)."""
    axis = np.linspace(problem.log_bounds[0, 0], problem.log_bounds[0, 1], problem.law.grid[0])
    costs, rest = profile(problem, data, axis)
    inside = costs <= (chi_squared + limits)[:, None]
    ends = []
    rows, first = np.arange(len(data)), log_theta[:, 0]
    for sign in (-1, 1):  # outwards from the minimum, down and up
        points, known, nested = sign * axis[::sign], inside[:, ::sign], rest[:, ::sign]
        known = known | (points <= sign * first[:, None])  # what lies on this side of the minimum does not bound it
        outermost = len(points) - 1 - np.argmax(known[:, ::-1], axis=1)
        closed = outermost < len(points) - 1
        after = np.minimum(outermost + 1, len(points) - 1)
        inner, outer, warm = np.maximum(points[outermost], sign * first), points[after], nested[rows, after]
        for _ in range(HALVINGS):
            middle = 0.5 * (inner + outer)
            _, found = problem.minimise(data, np.column_stack([sign * middle, warm]), held=1)
            within = found <= chi_squared + limits
            inner, outer = np.where(within, middle, inner), np.where(within, outer, middle)
        ends.append(np.where(closed, np.exp(sign * 0.5 * (inner + outer)), np.inf if sign > 0 else 0.0))
    return ends[0], ends[1]


def profile(problem: Projection, data: Floats, axis: Floats) -> tuple[Floats, Floats]:
    """chi^2 (M, K) with ln theta_1 at each point of the axis and the others at their best, and these, (M, K, k - 1)."""
    m, k = len(data), problem.law.n_shape
    if k == 1:
        return problem.chi_squared(data, axis[:, None]), np.empty((m, len(axis), 0))
    others = problem.grid().reshape(problem.law.grid[0], -1, k)[0, :, 1:]
    pairs = np.concatenate([np.repeat(axis, len(others))[:, None], np.tile(others, (len(axis), 1))], axis=1)
    costs = problem.search(data, pairs).reshape(m * len(axis), -1)
    starts = others[basins(costs, problem.law.grid[1:], 0, PROFILE_BASINS)]
    held = np.broadcast_to(np.tile(axis, m)[:, None], (*starts.shape[:2], 1))
    points = np.concatenate([held, starts], axis=2)
    theta, found = best_of(problem, np.repeat(data, len(axis), axis=0), points, held=1)
    return found.reshape(m, -1), theta[:, 1:].reshape(m, len(axis), k - 1)


def constant_interval(
    law: DecayLaw, x: ArrayLike, y: ArrayLike, errors: ArrayLike | None = None, level: float = 0.95
) -> tuple[float, float]:
    """Profile-likelihood interval of C_0: where fits with the constant held cost less than `rise` in chi^2.

    An end is infinite where no constant within 100 ranges of y is excluded: the data see no limit on that side.
    """
    from scipy.optimize import brentq

    values = np.asarray(y, dtype=np.float64)
    whole = fit_decay(law, x, values, errors, level=level)

    def above(constant: float) -> float:
        held = Projection.of(law, x, errors, constant)
        return float(fit_many(held, values[None])[1][0]) - whole.chi_squared - whole.threshold

    ends = []
    for sign in (-1.0, 1.0):
        step, limit = 1e-3 * float(np.ptp(values)), 100.0 * float(np.ptp(values))
        while step < limit and above(whole.constant + sign * step) < 0:
            step *= 2.0
        if step >= limit:
            ends.append(sign * np.inf)
        else:
            ends.append(brentq(lambda d, s=sign: above(whole.constant + s * d), 0.0, step) * sign + whole.constant)
    return float(ends[0]), float(ends[1])
