"""Many curves at once against five laws, and the rule that accepts or rejects C_0 + C / l^gamma."""

import numpy as np
from numpy.typing import NDArray

from testbed.measures.decay import LAWS, POWER, DecayLaw
from testbed.measures.decay.fit import aicc, fit_many, profile_intervals, rise
from testbed.measures.decay.projection import Projection
from testbed.studies.bayes_risk_law.config import Rule

Floats = NDArray[np.float64]
LEVEL = 0.95
SEEN = 1 / 8
"""Share of the longest context up to which an extrapolated fit looks; in a short window, its middle."""


def power_fits(lengths: Floats, curves: Floats) -> tuple[Floats, Floats, Floats]:
    """(R,) gamma and C_0 of the least-squares power law, and (R,) R^2, of curves (R, n)."""
    problem = Projection.of(POWER, lengths, None, None)
    theta, least = fit_many(problem, curves)
    constant, _, _ = problem.linear(curves, theta)
    total = np.sum((curves - curves.mean(axis=1, keepdims=True)) ** 2, axis=1)
    return np.exp(theta[:, 0]), constant, 1.0 - least / total


def power_intervals(lengths: Floats, curves: Floats, error: Floats) -> Floats:
    """(R, 2) profile-likelihood intervals of gamma, curves (R, n) measured with standard errors (R,)."""
    scaled = curves / error[:, None]
    problem = Projection.of(POWER, lengths, np.ones(len(lengths)), None)
    theta, least = fit_many(problem, scaled)
    limits = np.full(len(curves), rise(LEVEL, 0.0, len(lengths), problem.n_free, known=True))
    lower, upper = profile_intervals(problem, problem.data(scaled), theta, least, limits)
    return np.column_stack([lower, upper])


def scores(lengths: Floats, curves: Floats, error: Floats) -> Floats:
    """(R, n_laws) AICc of every law on curves (R, n) measured with standard errors (R,)."""
    scaled = curves / error[:, None]
    found = []
    for law in LAWS:
        problem = Projection.of(law, lengths, np.ones(len(lengths)), None)
        least = fit_many(problem, scaled)[1]
        found.append([aicc(float(one), len(lengths), problem.n_free, known=True) for one in least])
    return np.array(found).T


def seen_part(lengths: Floats) -> NDArray[np.bool_]:
    """(n,) the lengths that an extrapolated fit sees."""
    longest = float(lengths.max())
    return np.asarray(lengths <= max(SEEN * longest, float(np.sqrt(lengths.min() * longest))))


def extrapolated(lengths: Floats, curves: Floats, law: DecayLaw = POWER) -> Floats:
    """(R, n) the law fitted to the part of the lengths that is seen, at all lengths."""
    seen = seen_part(lengths)
    problem = Projection.of(law, lengths[seen], None, None)
    theta, _ = fit_many(problem, curves[:, seen])
    constant, amplitude, _ = problem.linear(curves[:, seen], theta)
    shapes = np.array([law.values(lengths, *np.exp(one)) for one in theta])
    return np.asarray(constant[:, None] + amplitude[:, None] * shapes)


def ruled(lengths: Floats, measured: Floats, error: Floats, memory: Floats, rule: Rule) -> dict[str, Floats]:
    """What the rule says of curves (R, n) measured with standard errors (R,); memory (R,) is h_0 - h.

    accepted        (R,) 1 or 0
    above           (R,) AICc of the power law above the best law's
    best            (R,) number of the best law, in the order of LAWS
    extrapolation   (R,) rms error where the fit did not look, over the fall
    limit           (R,) C_0, nats
    r_squared       (R,) of the power law
    gamma           (R,) fitted
    lower, upper    (R,) profile interval of gamma
    """
    fall = fall_of(measured)
    found = scores(lengths, measured, error)
    above = found[:, LAWS.index(POWER)] - found.min(axis=1)
    held_out = ~seen_part(lengths)
    missed = (extrapolated(lengths, measured) - measured)[:, held_out]
    extrapolation = np.sqrt(np.mean(missed**2, axis=1)) / fall
    gamma, limit, r_squared = power_fits(lengths, measured)
    intervals = power_intervals(lengths, measured, error)
    accepted = (
        (above <= rule.aicc)
        & (extrapolation <= rule.extrapolation)
        & (limit >= -rule.negative * fall)
        & (fall >= rule.least_fall * memory)
    )
    return {
        "accepted": accepted.astype(np.float64),
        "above": above,
        "best": np.argmin(found, axis=1).astype(np.float64),
        "extrapolation": extrapolation,
        "limit": limit,
        "r_squared": r_squared,
        "gamma": gamma,
        "lower": intervals[:, 0],
        "upper": intervals[:, 1],
    }


def fall_of(curves: Floats) -> Floats:
    """(R,) how far each curve falls over its window, at least a rounding error."""
    return np.asarray(np.maximum(np.ptp(curves, axis=1), 1e-15))
