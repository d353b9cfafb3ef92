"""When a copy under a clamp must fail: by the information in the attended mixture, and by the mass on the target.

One of T keys, of fair bits u_1 .. u_T, stands g above the others; the query's own bit is known, and the token to be
predicted is the target's bit flipped with probability e. What attention hands on is, but for a known factor,

    u + e^(-g) S,     S a sum of T - 2 signs,     to a reader of limited precision u plus Gaussian noise, u / noise
    a = e^g / sqrt(T - 2)

so that the posterior is r = sigmoid(2 a (a + z)), z standard normal, and what is lost of I = ln 2 - H_b(e) is

    E H_b(e + (1 - 2e) r) - H_b(e).

Half of it is lost at one value of a: T* - 2 ~ e^(2g). The mass e^g / (e^g + T) is halved at T = e^g.

"Limited precision" matters: S is a whole number, so that u + e^(-g) S tells u exactly unless 2 e^g is one too. A reader
that resolves steps of e^(-g) among values as wide as sqrt(T) e^(-g) would lose nothing; a smooth one cannot.
"""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
NODES = 200


def binary_entropy(p: ArrayLike) -> Floats:
    """H_b, nats; 0 at 0 and 1."""
    from scipy.special import entr

    q = np.asarray(p, dtype=np.float64)
    return np.asarray(entr(q) + entr(1.0 - q))


def information(noise: float) -> float:
    """ln 2 - H_b(e): what a perfect copy tells of the next token, nats.

    >>> round(information(0.05), 4)
    0.4946
    """
    return math.log(2.0) - float(binary_entropy(noise))


def lost_share(gap: float, length: float, noise: float) -> float:
    """Share of the information that the mixture of T = `length` keys has lost, 0 to 1. T > 2.

    >>> round(lost_share(1.5, 23.0, 0.05), 2)
    0.5
    """
    from scipy.special import expit

    ratio = math.exp(gap) / math.sqrt(length - 2.0)
    nodes, weights = _rule()
    posterior = expit(2.0 * ratio * (ratio + nodes))
    loss = float(weights @ binary_entropy(noise + (1.0 - 2.0 * noise) * posterior))
    return (loss - float(binary_entropy(noise))) / information(noise)


def failing_length(gap: float, noise: float, share: float = 0.5) -> float:
    """T*, at which this share is lost: 2 + e^(2g) / a^2, a the one ratio at which it is.

    >>> round(failing_length(1.5, 0.05), 1), round(failing_length(2.5, 0.05), 1)
    (23.2, 159.0)
    """
    return 2.0 + math.exp(2.0 * gap + _unit(noise, share))


@lru_cache(maxsize=64)
def _unit(noise: float, share: float) -> float:
    """ln(T* - 2) at g = 0."""
    from scipy.optimize import brentq

    return float(brentq(lambda unit: lost_share(0.0, 2.0 + math.exp(unit), noise) - share, -12.0, 12.0))


@lru_cache(maxsize=1)
def _rule() -> tuple[Floats, Floats]:
    """Gauss-Hermite nodes and weights of the standard normal law."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    return nodes, weights / weights.sum()


def crossing(lengths: ArrayLike, shares: ArrayLike, share: float = 0.5) -> float:
    """ln T at which the share lost first reaches `share`, straight lines between the logarithms of rising lengths; nan
    where it does not, or starts beyond.

    >>> round(math.exp(crossing([4.0, 16.0, 64.0], [0.1, 0.3, 0.7])), 6)
    32.0
    """
    x, y = np.log(np.asarray(lengths, dtype=np.float64)), np.asarray(shares, dtype=np.float64)
    above = np.flatnonzero(y >= share)
    if len(above) == 0 or above[0] == 0 or not np.isfinite(y[: above[0] + 1]).all():
        return math.nan
    i = int(above[0])
    return float(x[i - 1] + (x[i] - x[i - 1]) * (share - y[i - 1]) / (y[i] - y[i - 1]))


def others(log_lengths: ArrayLike) -> Floats:
    """ln(T - 2) of ln T: of the number of keys that add noise, of which the laws are powers; nan where T is below 2."""
    lengths = np.exp(np.asarray(log_lengths, dtype=np.float64)) - 2.0
    return np.log(np.where(lengths > 0, lengths, np.nan))


def slope(gaps: ArrayLike, log_lengths: ArrayLike) -> float:
    """Least-squares slope against g; nan where a length is not known."""
    return float(np.polyfit(np.asarray(gaps, float), np.asarray(log_lengths, float), 1)[0])
