"""The context lengths that the rival laws name, from facts of the source and the kind of learner alone.

    tabular     minimises h_l - h + 2^l / (2 D)
    parameter   minimises h_l - h + p l / (2 D),                    p numbers a context token
    horizon     the farthest lag whose correlation with the target exceeds D^(-1/2)
    quanta      the farthest token that matters in more than `threshold` of D targets

No number is fitted. The fifth, the paper's own, has four numbers that no source gives (`dimension_choice`): they are
fitted to the smaller half of the sizes, and it names l for the others.
"""

import math

import numpy as np
from numpy.typing import NDArray

from testbed.core import ConfigError
from testbed.theory import DimensionLaw, ParameterLaw, QuantaLaw, TabularLaw, optimal_context

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

LAWS = ("tabular", "parameter", "horizon", "quanta")
NAMES = {
    "tabular": "table of contexts",
    "parameter": "parameters",
    "horizon": "signal-to-noise horizon",
    "quanta": "quanta",
    "paper": "the paper's, fitted",
}
MOST_TABULAR = 40


def named_lengths(
    missing: Floats, correlations: Floats, frequencies: Floats, per_token: float, threshold: float, sizes: Floats
) -> dict[str, Floats]:
    """(n_sizes,) the l that each law names, at most m.

    missing         (m + 1,) h_l - h, l = 0 .. m
    correlations    (m,) |C(n)| of the target with lag n
    frequencies     (m,) share of targets in which lag n matters
    """
    rounding = np.minimum.accumulate(np.maximum(missing, 0.0))
    above = correlations[None] > sizes[:, None] ** -0.5
    farthest = np.where(above.any(axis=1), above.shape[1] - np.argmax(above[:, ::-1], axis=1), 0)
    learnt = frequencies[None] * sizes[:, None] > threshold
    last = np.where(learnt.any(axis=1), learnt.shape[1] - np.argmax(learnt[:, ::-1], axis=1), 0)
    return {
        "tabular": optimal_context(TabularLaw(2), rounding[: MOST_TABULAR + 1], sizes).astype(np.float64),
        "parameter": optimal_context(ParameterLaw(per_token), rounding, sizes).astype(np.float64),
        "horizon": farthest.astype(np.float64),
        "quanta": last.astype(np.float64),
    }


def quanta_by_library(missing: Floats, frequencies: Floats, threshold: float, sizes: Floats) -> Floats:
    """The same as the last of `named_lengths`, by the losses of `QuantaLaw`; for tests."""
    return optimal_context(QuantaLaw(frequencies.tolist(), threshold), missing, sizes).astype(np.float64)


def dimension_fit(missing: Floats, excess: Floats, sizes: Floats) -> DimensionLaw:
    """The paper's law A D^(-c / dim(l)), dim(l) = dim_inf - (h_l - h) / s, fitted to ln excess (n_sizes, n_lengths).

    Four numbers by least squares from several starts; A, c, s, dim_inf > max (h_l - h) / s.
    """
    from scipy.optimize import least_squares

    logs, target = np.log(sizes)[:, None], np.log(np.maximum(excess, 1e-9))
    most = float(missing.max())

    def dims(theta: Floats) -> Floats:
        slope, spare = np.exp(theta[2]), np.exp(theta[3])
        return np.asarray(spare + (most - missing) / slope)

    def errors(theta: Floats) -> Floats:
        return np.asarray(theta[0] - np.exp(theta[1]) * logs / dims(theta)[None] - target).ravel()

    best, found = math.inf, None
    for scale in (0.1, 1.0, 10.0):
        for spare in (0.3, 1.0, 3.0):
            start = np.array([0.0, 0.0, math.log(most / scale), math.log(spare)])
            bounds = ([-10, -6, -25, -6], [10, 8, 12, 8])
            tried = least_squares(errors, start, bounds=bounds, max_nfev=400)
            if tried.cost < best:
                best, found = tried.cost, tried.x
    if found is None:
        raise ConfigError("excess: no start of the fit of the paper's law came to an end")
    a, c, s, spare = np.exp(found)
    return DimensionLaw(float(a), float(c), float(s), float(spare + most / s))


def dimension_choice(law: DimensionLaw, missing: Floats, sizes: Floats) -> Integers:
    """(n_sizes,) the place, among the lengths of `missing`, of the least loss that the paper's law predicts."""
    return np.asarray(np.argmin(law.losses(missing, sizes), axis=1))
