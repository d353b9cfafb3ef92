"""Intervals from replicates: the hierarchical bootstrap of a whole curve, refitted every time.

Only the top units (data draws) are independent, so they are resampled first, within each its seeds, within each its
evaluation sequences, all with replacement. All points of a curve go together: errors that they share stay shared.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from testbed.core import ConfigError
from testbed.measures.decay.fit import at_bounds, fit_many
from testbed.measures.decay.laws import DecayLaw
from testbed.measures.decay.projection import Projection

Floats = NDArray[np.float64]

LEAST_UNITS = 8
CHUNK_ENTRIES = 2**22


@dataclass(frozen=True, eq=False)
class BootstrapFit:
    """The first shape parameter with bootstrap intervals.

    estimate            fitted to the mean curve
    percentile, bca     intervals; bca is corrected for bias and acceleration (Efron 1987; jackknife over top units)
    resampled           (B,) fitted to the resampled curves
    bound_share         resamples whose fit stopped at the bound of the search; where many, intervals mean little
    """

    estimate: float
    percentile: tuple[float, float]
    bca: tuple[float, float]
    resampled: Floats
    bound_share: float


def hierarchical_means(values: ArrayLike, n_resamples: int, seed: int = 0) -> Floats:
    """(B, n) means of resampled curves from values (units, ..., n): every axis but the last is a level, top first."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim < 2 or array.size == 0 or not np.isfinite(array).all():
        raise ConfigError(f"values: need finite numbers (units, ..., n), given shape {array.shape}")
    levels, units = array.shape[:-1], int(np.prod(array.shape[:-1]))
    flat = array.reshape(units, -1)
    rng = np.random.Generator(np.random.Philox(key=seed))
    means = np.empty((n_resamples, flat.shape[1]))
    step = max(1, CHUNK_ENTRIES // units)
    for first in range(0, n_resamples, step):
        n = min(step, n_resamples - first)
        drawn = np.zeros((n, 1), dtype=np.int64)
        for size in levels:  # every slot drawn so far draws its own units of the next level
            below = rng.integers(size, size=(*drawn.shape, size))
            drawn = (drawn[..., None] * size + below).reshape(n, -1)
        drawn += units * np.arange(n)[:, None]
        times = np.bincount(drawn.ravel(), minlength=n * units).reshape(n, units)
        means[first : first + n] = times @ flat / units
    return means


def bootstrap_fit(
    law: DecayLaw,
    x: ArrayLike,
    values: ArrayLike,
    constant: float | None = None,
    n_resamples: int = 2_000,
    level: float = 0.95,
    seed: int = 0,
) -> BootstrapFit:
    """Fit the mean curve of values (units, ..., n), top level first, and every resample of it.

    The weights are the same in all fits: one over the variance of the resampled means at each place.

    Raises ConfigError for fewer than 8 top units (use Student's t on their own fits), or a curve that never varies.
    """
    from scipy.stats import norm

    array = np.asarray(values, dtype=np.float64)
    if len(array) < LEAST_UNITS:
        raise ConfigError(
            f"values: {len(array)} top units, the bootstrap needs {LEAST_UNITS}; use Student's t on their fits"
        )
    means = hierarchical_means(array, n_resamples, seed)
    spread = means.std(axis=0)
    if not np.all(spread > 0):
        raise ConfigError("values: some place of the curve never varies; its error is unknown")
    if law.n_shape == 0:
        raise ConfigError("law: the logarithmic law has no shape parameter")
    problem = Projection.of(law, x, spread, constant)
    units = array.reshape(len(array), -1, array.shape[-1]).mean(axis=1)
    left_out = (units.sum(axis=0) - units) / (len(units) - 1)
    theta, _ = fit_many(problem, np.concatenate([units.mean(axis=0)[None], left_out, means]))
    whole, jackknife, resampled = np.split(theta[:, 0], [1, 1 + len(units)])
    tails = np.array([(1 - level) / 2, (1 + level) / 2])
    share = (np.sum(resampled < whole) + 0.5 * np.sum(resampled == whole)) / n_resamples
    bias = norm.ppf(np.clip(share, 0.5 / n_resamples, 1 - 0.5 / n_resamples))
    pull = jackknife.mean() - jackknife
    acceleration = np.sum(pull**3) / (6 * max(np.sum(pull**2), 1e-300) ** 1.5)
    z = bias + norm.ppf(tails)
    corrected = norm.cdf(bias + z / (1 - acceleration * z))
    ends, moved = np.exp(np.quantile(resampled, tails)), np.exp(np.quantile(resampled, corrected))
    return BootstrapFit(
        float(np.exp(whole[0])),
        (float(ends[0]), float(ends[1])),
        (float(moved[0]), float(moved[1])),
        np.exp(resampled),
        float(at_bounds(problem, theta[1 + len(units) :]).mean()),
    )
