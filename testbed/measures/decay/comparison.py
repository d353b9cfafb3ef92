"""Which law? AICc on the same points, and prediction of points that the fit did not see."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from testbed.core import ConfigError
from testbed.measures.decay.fit import DecayFit, fit_decay
from testbed.measures.decay.laws import LAWS, LOGARITHMIC, DecayLaw

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Extrapolation:
    """A fit to small x, held against large x.

    rmse            root mean square of prediction - y on the points held out, nats
    largest_z       largest |prediction - y| / error there; nan where errors are unknown or a covariance
    predicted       at the points held out
    """

    fit: DecayFit
    rmse: float
    largest_z: float
    predicted: Floats


@dataclass(frozen=True, eq=False)
class LawComparison:
    """One law among several on the same points.

    aicc_above_best     0 for the best; a law more than 10 above it is as good as excluded (Burnham & Anderson 2002)
    weight              Akaike weight, exp(-above / 2) normalised over the laws compared
    extrapolation       None where too few points are left to fit
    """

    fit: DecayFit
    aicc_above_best: float
    weight: float
    extrapolation: Extrapolation | None


def extrapolation_of(
    law: DecayLaw,
    x: ArrayLike,
    y: ArrayLike,
    errors: ArrayLike | None = None,
    constant: float | None = None,
    fitted_share: float = 1 / 8,
) -> Extrapolation:
    """Fit the points with x <= fitted_share max(x), predict the others."""
    places, values = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if not 0 < fitted_share < 1:
        raise ConfigError(f"fitted_share: given {fitted_share}, must lie in (0, 1)")
    seen = places <= fitted_share * places.max()
    noise = None if errors is None else np.asarray(errors, dtype=np.float64)
    of_seen = None if noise is None else noise[seen] if noise.ndim == 1 else noise[np.ix_(seen, seen)]
    fit = fit_decay(law, places[seen], values[seen], of_seen, constant, threshold=0.0)
    predicted = fit.predict(places[~seen])
    missed = predicted - values[~seen]
    largest = float(np.abs(missed / noise[~seen]).max()) if noise is not None and noise.ndim == 1 else np.nan
    return Extrapolation(fit, float(np.sqrt(np.mean(missed**2))), largest, predicted)


def compare_laws(
    x: ArrayLike,
    y: ArrayLike,
    errors: ArrayLike | None = None,
    constant: float | None = None,
    laws: Sequence[DecayLaw] = LAWS,
    fitted_share: float = 1 / 8,
) -> list[LawComparison]:
    """Every law on the same points, best AICc first. The logarithm always has a constant of its own.

    AICc compares fits; which law extrapolates is another question, and the one that matters for l -> infinity.
    """
    fits = [fit_decay(law, x, y, errors, None if law is LOGARITHMIC else constant) for law in laws]
    scores = np.array([fit.aicc for fit in fits])
    best = scores.min()
    if not np.isfinite(best):
        raise ConfigError(f"x: {len(np.atleast_1d(x))} points are too few to compare laws by AICc")
    weights = np.exp(-(scores - best) / 2)
    weights /= weights.sum()
    found = []
    for at in np.argsort(scores, kind="stable"):
        law, ahead = laws[at], None
        places = np.asarray(x, dtype=np.float64)
        n_seen = len(np.unique(places[places <= fitted_share * places.max()]))
        if n_seen > fits[at].n_free:
            given = None if law is LOGARITHMIC else constant
            ahead = extrapolation_of(law, x, y, errors, given, fitted_share)
        found.append(LawComparison(fits[at], float(scores[at] - best), float(weights[at]), ahead))
    return found
