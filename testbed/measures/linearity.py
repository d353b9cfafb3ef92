"""Is y a linear function of S? Curvature and residuals; a correlation near 1 does not say so.

On ten points that rise together Pearson's r exceeds .97 for plainly curved laws (.981 for the exact truth of a source
on which the linear law is false). What decides is whether the quadratic term is zero within its interval and how
large the residuals of the best line are.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from testbed.core import ConfigError
from testbed.measures.decay.fit import aicc

Floats = NDArray[np.float64]

ROUNDING = 64 * np.finfo(np.float64).eps
"""Of y: noise that a law without any has still."""


@dataclass(frozen=True, eq=False)
class Linearity:
    """The line y = a + b S by (weighted) least squares, and what speaks against it.

    slope, intercept
    pearson             r of (S, y), unweighted: shown as a warning, never as a test
    largest_residual    max |residual| / range of y
    curvature           c of  y = a + b t + c t^2,  t = S scaled to [-1, 1], in units of y's range; its interval
    isotonic_ratio      residual sum of squares of the line over that of the best monotone curve; infinite where y is
                        monotone in S and not linear
    aicc_gain           AICc of the line less AICc of the parabola: above 0, the parabola is preferred
    """

    slope: float
    intercept: float
    pearson: float
    largest_residual: float
    curvature: float
    curvature_interval: tuple[float, float]
    isotonic_ratio: float
    aicc_gain: float

    def is_linear(self, most: float = 0.02) -> bool:
        """The curvature's interval covers 0 and no residual exceeds a share `most` of y's range."""
        low, high = self.curvature_interval
        return low <= 0.0 <= high and self.largest_residual < most


def linearity(s: ArrayLike, y: ArrayLike, errors: ArrayLike | None = None, level: float = 0.95) -> Linearity:
    """Hold y (n,) against a line in s (n,), n >= 5.

    errors      (n,) standard errors of y: normal intervals; None: equal and unknown, Student's t with n - 3 degrees.
                For exact truths (no noise at all) the residuals of the parabola stand in for noise, and the interval
                says only how far a parabola is from being the whole story.

    >>> found = linearity(np.arange(10.0), 3 * np.arange(10.0) ** 2)
    >>> round(found.pearson, 3), round(found.largest_residual, 3), round(found.curvature, 3), found.is_linear()
    (0.963, 0.148, 0.25, False)
    """
    from scipy.optimize import isotonic_regression
    from scipy.stats import norm, t

    at, values = np.asarray(s, dtype=np.float64), np.asarray(y, dtype=np.float64)
    n = len(np.atleast_1d(at))
    if at.shape != (n,) or values.shape != (n,) or n < 5 or not (np.isfinite(at).all() and np.isfinite(values).all()):
        raise ConfigError(f"s and y: need finite numbers (n,), n >= 5, given {at.shape} and {values.shape}")
    if len(np.unique(at)) < 3 or not np.ptp(values) > 0:
        raise ConfigError("s and y: need three different s and a y that varies")
    sigma = np.ones(n) if errors is None else np.asarray(errors, dtype=np.float64)
    if sigma.shape != (n,) or not np.all((sigma > 0) & np.isfinite(sigma)):
        raise ConfigError("errors: need (n,) positive and finite")
    scaled = 2 * (at - at.min()) / np.ptp(at) - 1
    design = np.column_stack([np.ones(n), scaled, scaled**2]) / sigma[:, None]
    line, rss_line, _ = _least_squares(design[:, :2], values / sigma)
    parabola, rss_parabola, spread = _least_squares(design, values / sigma)
    known = errors is not None
    quantile = norm.ppf((1 + level) / 2) if known else t.ppf((1 + level) / 2, n - 3)
    noise = 1.0 if known else np.sqrt(rss_parabola / (n - 3))
    noise = max(noise, ROUNDING * float(np.abs(values / sigma).max()))
    half = float(quantile * noise * spread[2])
    reach = float(np.ptp(values))
    residuals = values - line[0] - line[1] * scaled
    rising = bool(line[1] > 0)
    _, which = np.unique(at, return_inverse=True)  # one value of a curve for all y at the same s
    weights = np.bincount(which, weights=sigma**-2)
    means = np.bincount(which, weights=sigma**-2 * values) / weights
    monotone = isotonic_regression(means, weights=weights, increasing=rising).x[which]
    rss_monotone = float(np.sum(((values - monotone) / sigma) ** 2))
    slope = 2 * line[1] / np.ptp(at)
    return Linearity(
        slope=float(slope),
        intercept=float(line[0] - line[1] - slope * at.min()),
        pearson=float(np.corrcoef(at, values)[0, 1]),
        largest_residual=float(np.abs(residuals).max()) / reach,
        curvature=float(parabola[2]) / reach,
        curvature_interval=((float(parabola[2]) - half) / reach, (float(parabola[2]) + half) / reach),
        isotonic_ratio=rss_line / rss_monotone if rss_monotone > 0 else np.inf,
        aicc_gain=aicc(rss_line, n, 2, known) - aicc(rss_parabola, n, 3, known),
    )


def _least_squares(design: Floats, values: Floats) -> tuple[Floats, float, Floats]:
    """Coefficients, residual sum of squares, and standard errors for unit noise."""
    found = np.linalg.lstsq(design, values, rcond=None)[0]
    rss = float(np.sum((values - design @ found) ** 2))
    return np.asarray(found, dtype=np.float64), rss, np.asarray(np.sqrt(np.diag(np.linalg.inv(design.T @ design))))
