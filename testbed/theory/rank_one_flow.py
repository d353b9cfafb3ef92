"""Gradient flow of a transformer of two parameters on binary chains: where it ends, by where it starts.

Makkuva et al. 2024 (2406.03072) keep one direction of the embedding, of length e, and one of the feed-forward part, of
signed size w: the next symbol is 1 with probability sigmoid(g x + b - e^2 / 2), g = e^2 (1 + 2 w |w|), tied. The
model is that of the authors' code; what is said of its flow, with the bias at its best at all times, is derived here.

The loss depends on g alone and falls towards g* = ln((1-p)(1-q) / (p q)), whose sign is that of 1 - p - q. So

    de/dt = -L'(g) 2 e (1 + 2 w |w|)        dw/dt = -L'(g) 4 e^2 |w|

conserve the energy E = e^2 - w^2 - sign(w) ln |w|, never cross w = 0, and pass w = -1/sqrt(2), where g changes sign,
iff E > -(1 + ln 2) / 2, the energy of (0, -1/sqrt(2)).
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from testbed.core import ConfigError
from testbed.theory.unigram_point import second_eigenvalue

Floats = NDArray[np.float64]

TURNING = -math.sqrt(0.5)
"""The w at which the gain changes sign."""
PASS_ENERGY = -(1.0 + math.log(2.0)) / 2.0
"""Energy above which a flow passes there."""


def rank_one_gain(e: ArrayLike, w: ArrayLike) -> Floats:
    """g = e^2 (1 + 2 w |w|): by how much the logit is higher after a 1 than after a 0."""
    e, w = np.asarray(e, dtype=np.float64), np.asarray(w, dtype=np.float64)
    return np.asarray(e**2 * (1.0 + 2.0 * w * np.abs(w)))


def rank_one_energy(e: ArrayLike, w: ArrayLike) -> Floats:
    """E = e^2 - w^2 - sign(w) ln |w|, conserved; at w = 0 its limit from above, infinity (from below minus that)."""
    e, w = np.asarray(e, dtype=np.float64), np.asarray(w, dtype=np.float64)
    logarithm = np.sign(w) * np.log(np.where(w == 0, 1.0, np.abs(w)))
    logarithm = np.where(w == 0, -np.inf, logarithm)
    return np.asarray(e**2 - w**2 - logarithm)


def best_gain(p: float, q: float) -> float:
    """g* = ln((1-p)(1-q) / (p q)): the gain of the chain's own law.

    >>> round(best_gain(0.5, 0.8), 3), best_gain(0.5, 0.5)
    (-1.386, 0.0)
    """
    second_eigenvalue(p, q)
    return math.log1p(-p) + math.log1p(-q) - math.log(p) - math.log(q)


def ends_at_bigram(p: float, q: float, e: ArrayLike, w: ArrayLike) -> NDArray[np.bool_]:
    """Whether the flow from (e, w) ends at the chain's own law, and not at e = 0, where the model says pi.

        p + q < 1      e != 0 and (w > -1/sqrt(2) or E > -(1 + ln 2) / 2)
        p + q > 1      e != 0 and w < 0 and (w < -1/sqrt(2) or E > -(1 + ln 2) / 2)

    So from a small start of either sign it ends at the chain's law where p + q < 1, and at pi where p + q > 1: there
    e must be large, or w negative enough. Raises ConfigError where p + q = 1, as the two ends are one.

    >>> ends_at_bigram(0.2, 0.3, 0.1, [-0.1, 0.1]).tolist(), ends_at_bigram(0.5, 0.8, 0.1, [-0.1, 0.1]).tolist()
    ([True, True], [False, False])
    """
    if second_eigenvalue(p, q) == 0:
        raise ConfigError(f"p and q: given {p} and {q}; where p + q = 1 the chain's law is pi")
    e, w = np.broadcast_arrays(np.asarray(e, dtype=np.float64), np.asarray(w, dtype=np.float64))
    passes = rank_one_energy(e, w) > PASS_ENERGY
    if second_eigenvalue(p, q) > 0:
        return np.asarray((e != 0) & ((w > TURNING) | passes))
    return np.asarray((e != 0) & (w < 0) & ((w < TURNING) | passes))
