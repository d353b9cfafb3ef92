"""Is an interval what it says? Planted truths, fitted again and again with the same code."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from testbed.core import ConfigError
from testbed.measures.decay.fit import DecayFit, fit_decay, fit_many, profile, profile_intervals, rise
from testbed.measures.decay.laws import DecayLaw
from testbed.measures.decay.projection import Projection

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Coverage:
    """How often the interval of the first parameter held the planted value.

    covered, n_draws
    interval        Clopper-Pearson interval of the coverage, 95 %
    threshold       rise of chi^2 with which the interval would have covered at its level, in these draws; a multiple
                    of chi^2_min / (n - p) where errors are unknown
    open_share      draws whose interval was not closed
    """

    covered: int
    n_draws: int
    interval: tuple[float, float]
    threshold: float
    open_share: float

    @property
    def rate(self) -> float:
        return self.covered / self.n_draws

    def within(self, low: float = 0.93, high: float = 0.97) -> bool:
        """The whole Clopper-Pearson interval lies between these."""
        return low <= self.interval[0] and self.interval[1] <= high

    def __str__(self) -> str:
        return f"covered {self.covered} of {self.n_draws} ({self.interval[0]:.3f} to {self.interval[1]:.3f})"


def coverage_of(
    law: DecayLaw,
    x: ArrayLike,
    parameters: tuple[float, ...],
    constant: float,
    amplitude: float,
    errors: ArrayLike,
    n_draws: int = 1_000,
    seed: int = 0,
    level: float = 0.95,
    known_errors: bool = True,
    constant_known: bool = False,
) -> Coverage:
    """Fit n_draws data sets y = C_0 + C f(x; theta) + Gaussian errors (or of that covariance), and count.

    known_errors    whether the fit is told the errors (they must be equal if not)
    constant_known  whether it is told C_0
    """
    if law.n_shape == 0:
        raise ConfigError("law: the logarithmic law has no shape parameter to cover")
    places, noise = np.asarray(x, dtype=np.float64), np.asarray(errors, dtype=np.float64)
    if not known_errors and (noise.ndim != 1 or np.ptp(noise) > 0):
        raise ConfigError("errors: must be equal where the fit is not told them")
    problem = Projection.of(law, places, noise if known_errors else None, constant if constant_known else None)
    rng = np.random.Generator(np.random.Philox(key=seed))
    shocks = rng.standard_normal((n_draws, len(places)))
    shocks = shocks @ np.linalg.cholesky(noise).T if noise.ndim == 2 else shocks * noise
    y = constant + amplitude * law.values(places, *parameters) + shocks
    theta, least = fit_many(problem, y)
    scale = np.ones(n_draws) if known_errors else least / (len(places) - problem.n_free)
    limits = scale * rise(level, float(len(places) - problem.n_free), len(places), problem.n_free, known_errors)
    data = problem.data(y)
    lower, upper = profile_intervals(problem, data, theta, least, limits)
    covered = int(np.sum((lower <= parameters[0]) & (parameters[0] <= upper)))
    risen = (profile(problem, data, np.log([parameters[0]]))[0][:, 0] - least) / scale
    return Coverage(
        covered,
        n_draws,
        clopper_pearson(covered, n_draws),
        float(np.quantile(risen, level)),
        float(np.mean((lower == 0) | np.isinf(upper))),
    )


def calibrated_fit(
    law: DecayLaw,
    x: ArrayLike,
    y: ArrayLike,
    errors: ArrayLike,
    constant: float | None = None,
    level: float = 0.95,
    n_draws: int = 4_000,
    seed: int = 0,
) -> tuple[DecayFit, Coverage]:
    """A fit with known errors, its interval's coverage at the fitted law, and a wider interval where that falls short.

    The interval is widened, to the rise of chi^2 that covers in simulation, unless the Clopper-Pearson interval of the
    coverage lies above level - 0.02; it is never narrowed. The coverage returned is that of the plain interval.
    """
    fit = fit_decay(law, x, y, errors, constant, level)
    parameters = tuple(fit.parameters.values())
    found = coverage_of(
        law,
        x,
        parameters,
        fit.constant,
        fit.amplitude,
        errors,
        n_draws,
        seed,
        level,
        constant_known=constant is not None,
    )
    if found.interval[0] < level - 0.02 and found.threshold > fit.threshold:
        fit = fit_decay(law, x, y, errors, constant, level, threshold=found.threshold)
    return fit, found


def clopper_pearson(hits: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Exact interval of a binomial share (Clopper & Pearson 1934).

    >>> [round(one, 4) for one in clopper_pearson(950, 1000)]
    [0.9346, 0.9627]
    """
    from scipy.stats import beta

    if not 0 <= hits <= n or n < 1:
        raise ConfigError(f"hits and n: given {hits} of {n}")
    low = float(beta.ppf((1 - level) / 2, hits, n - hits + 1)) if hits > 0 else 0.0
    high = float(beta.ppf((1 + level) / 2, hits + 1, n - hits)) if hits < n else 1.0
    return low, high
