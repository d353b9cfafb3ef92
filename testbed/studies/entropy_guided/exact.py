"""What is exact: the best entropies of heads, how much overload they leave, and what the penalty asks of the best head.

A causal row of n visible keys (n = 1 .. T, the begin symbol's among them) has an entropy of at most ln n. On the three
sources a head that is needed, if its values are read out linearly, has a known entropy:

    copy      0, all weight on the token of the lag
    coin      ln n: the Bayes law (n_x + 1/2) / (t + 1) is the uniform average over the t tokens and the begin symbol,
              whose value is the prior (1/2, 1/2)
    markov    a head of the first layer on the previous token, 0; one of the second on the m tokens that followed the
              present one and on the begin symbol, uniformly, ln(m + 1), for the same reason

Other heads are free, and none of these is the only one: with an MLP behind, weights that depend on the token averaged
are as good as even ones on the coin.
"""

import math

import numpy as np
from numpy.typing import NDArray

from testbed.studies.entropy_guided.config import DEPTHS, HMAX, Place

Floats = NDArray[np.float64]
OVER, UNDER = 0.75, 0.25
"""Of Hmax: overload above the first, collapse below the second."""


def maxima(length: int, hmax: str) -> Floats:
    """(T,) Hmax of the rows of n = 1 .. T keys: ln T of the window, ln n of the row."""
    n = np.arange(1, length + 1)
    return np.log(n if hmax == "row" else np.full(length, length))


def tails(entropy: Floats, hmax: str) -> tuple[Floats, Floats]:
    """Overload and collapse: shares of rows (..., T) with H > 3/4 Hmax and H < 1/4 Hmax, that of one key left out."""
    largest = maxima(entropy.shape[-1], hmax)[1:]
    over, under = entropy[..., 1:] > OVER * largest, entropy[..., 1:] < UNDER * largest
    return over.mean(axis=-1), under.mean(axis=-1)


def mean_ceiling(length: int) -> float:
    """ln(T!) / T, the largest mean entropy of the rows of a causal head.

    >>> round(mean_ceiling(128), 3), round(math.log(128), 3)
    (3.878, 4.852)
    """
    return math.lgamma(length + 1) / length


def early(length: int, tolerance: float) -> NDArray[np.bool_]:
    """(T,) rows of n < T^(1 - tau) keys: the penalty with ln T and theta = 1 counts them even where they are uniform.
    The row of one key is left out."""
    n = np.arange(1, length + 1)
    return np.asarray((n > 1) & (np.log(n) < (1 - tolerance) * math.log(length)))


def late(length: int, tolerance: float) -> NDArray[np.bool_]:
    """(T,) the others."""
    return np.asarray((np.arange(1, length + 1) > 1) & ~early(length, tolerance))


def uniform_penalty(length: int, tolerance: float, theta: Floats, hmax: str) -> Floats:
    """sum over rows of d^2 [|d| > tau Hmax] of a head that is uniform in every row, d = ln n - theta Hmax; c = 1.

    With ln n it is zero for theta >= 1 - tau; with ln T, for T > 1 and tau < 1/2, for no theta: the row of one key asks
    for theta <= tau, that of T keys for theta >= 1 - tau.

    >>> uniform_penalty(16, 0.2, np.array([0.8, 1.0]), "row").tolist()
    [0.0, 0.0]
    """
    largest = maxima(length, hmax)
    d = np.log(np.arange(1, length + 1)) - np.asarray(theta)[..., None] * largest
    beyond = np.abs(d) > tolerance * largest + 1e-12
    found: Floats = np.sum(np.where(beyond, d * d, 0.0), axis=-1)
    return found


def free_rows(length: int, tolerance: float, theta: float) -> tuple[float, float]:
    """Entropies that ln T leaves free in every row: (theta - tau) ln T .. (theta + tau) ln T."""
    return (theta - tolerance) * math.log(length), (theta + tolerance) * math.log(length)


def needed(place: Place, tokens: NDArray[np.int64], lag: int) -> list[Floats]:
    """(N, T) entropies of each head that is needed, in the row that predicts token t; nan where nothing is needed."""
    n, length = tokens.shape
    rows = np.broadcast_to(np.arange(1, length + 1), (n, length))
    if place == "coin":
        return [np.log(rows)]
    if place == "copy":
        return [np.where(rows > lag, 0.0, np.nan)]
    matches = np.zeros((n, length))
    for t in range(2, length):
        matches[:, t] = (tokens[:, : t - 1] == tokens[:, t - 1 : t]).sum(axis=1)
    return [np.where(rows > 1, 0.0, np.nan), np.log(matches + 1)]


def overload_range(place: Place, tokens: NDArray[np.int64], lag: int, heads: int, hmax: str) -> tuple[float, float]:
    """Least and largest overload of a model whose needed heads are as above, its other heads and rows being free."""
    length = tokens.shape[1]
    largest = maxima(length, hmax)
    can = np.log(np.arange(1, length + 1)) > OVER * largest  # rows that can be in overload at all
    low = high = 0.0
    found = needed(place, tokens, lag)
    for one in found:
        asked = ~np.isnan(one)
        over = np.where(asked, np.nan_to_num(one) > OVER * largest, False)
        low += float(over[:, 1:].mean())
        high += float(np.where(asked, over, can)[:, 1:].mean())
    spare = heads * DEPTHS[place] - len(found)
    return low / (spare + len(found)), (high + spare * float(can[1:].mean())) / (spare + len(found))


__all__ = ["HMAX", "early", "free_rows", "late", "maxima", "mean_ceiling", "needed", "overload_range", "tails"]
