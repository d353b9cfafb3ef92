"""Dimension and entropy of a cloud of features from distances to nearest neighbours.

All rest on a density that is smooth at the scale of the neighbour distances, and refuse points that coincide: a law on
finitely many points has dimension 0 and no density.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from testbed.core import ConfigError
from testbed.measures.features.spectrum import checked_features

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class DimensionEstimate:
    """A dimension with its interval, which allows for neighbours that share their distances."""

    value: float
    lower: float
    upper: float


def neighbour_distances(features: ArrayLike, n_neighbours: int) -> Floats:
    """(n, k) Euclidean distances of every row of features (n, d) to its k nearest others, rising; exact, by a k-d tree.

    Raises ConfigError for k outside 1 .. n - 1, or rows that coincide.
    """
    return _neighbours(features, n_neighbours)[0]


def _neighbours(features: ArrayLike, n_neighbours: int) -> tuple[Floats, NDArray[np.int64]]:
    """Distances (n, k) and which rows they are to (n, k)."""
    from scipy.spatial import cKDTree

    rows = checked_features(features)
    if not 1 <= n_neighbours < len(rows):
        raise ConfigError(f"n_neighbours: given {n_neighbours}, must lie in 1 .. n - 1 = {len(rows) - 1}")
    distances, which = cKDTree(rows).query(rows, k=n_neighbours + 1)
    coincide = int(np.sum(distances[:, 1] == 0))
    if coincide:
        raise ConfigError(f"features: {coincide} of {len(rows)} rows coincide with another; keep one of each")
    return np.asarray(distances[:, 1:]), np.asarray(which[:, 1:])


def two_nn_dimension(features: ArrayLike, discarded: float = 0.1) -> float:
    """Two-nearest-neighbour dimension (Facco et al. 2017): mu = r_2 / r_1 has P(mu > m) = m^(-d), so d is the slope of
    -ln(1 - F(mu)) on ln mu through the origin; the share `discarded` of largest mu is left out, as its authors do.
    """
    if not 0 <= discarded < 1:
        raise ConfigError(f"discarded: given {discarded}, must lie in [0, 1)")
    distances = neighbour_distances(features, 2)
    log_ratio = np.sort(np.log(distances[:, 1] / distances[:, 0]))
    n = len(log_ratio)
    kept = max(1, int(n * (1 - discarded)))
    height = -np.log1p(-np.arange(1, kept + 1) / (n + 1))
    x = log_ratio[:kept]
    if not x[-1] > 0:
        raise ConfigError(
            "features: first and second neighbours are equally far everywhere; a lattice has no ratio law"
        )
    return float(x @ height / (x @ x))


def knn_dimension(features: ArrayLike, n_neighbours: int = 10, level: float = 0.95) -> DimensionEstimate:
    """Maximum-likelihood dimension from k nearest neighbours (Levina & Bickel 2004, pooled as MacKay & Ghahramani do):

        d = (n (k - 1) - 1) / sum_i sum_(j < k) ln(r_k(i) / r_j(i))

    Under a locally constant density each point's terms have mean (k - 1) / d; independent ones would sum to
    Gamma(n (k - 1), 1/d), which is where the -1 comes from. They are not: points share their neighbours, and intervals
    from the Gamma law cover 85 % instead of 95 % (k = 2, in the plane). Here the variance of the sum counts the
    products of all pairs that are among the 4 k nearest of either, and ln d is taken as normal. Curvature and borders
    bias d and are not in the interval: keep k small beside n. k = 2 is the maximum-likelihood form of the
    two-nearest-neighbour dimension.
    """
    from scipy.sparse import csr_matrix
    from scipy.stats import norm

    if n_neighbours < 2:
        raise ConfigError(f"n_neighbours: given {n_neighbours}, must be at least 2")
    if not 0 < level < 1:
        raise ConfigError(f"level: given {level}, must lie in (0, 1)")
    rows = checked_features(features)
    distances = neighbour_distances(rows, n_neighbours)
    each = np.log(distances[:, -1:] / distances[:, :-1]).sum(axis=1)
    total = float(each.sum())
    if not total > 0:
        raise ConfigError("features: all k neighbours are equally far everywhere; a lattice has no ratio law")
    n = len(rows)
    linked = _neighbours(rows, min(4 * n_neighbours, n - 1))[1]
    pairs = csr_matrix((np.ones(linked.size), linked.ravel(), np.arange(n + 1) * linked.shape[1]), shape=(n, n))
    deviation = each - each.mean()
    variance = max(float(deviation @ (deviation + pairs.maximum(pairs.T) @ deviation)), float(deviation @ deviation))
    value = (n * (n_neighbours - 1) - 1) / total
    factor = float(np.exp(norm.ppf((1 + level) / 2) * np.sqrt(variance) / total))
    return DimensionEstimate(value, value / factor, value * factor)


def knn_entropy(features: ArrayLike, n_neighbours: int = 3) -> float:
    """Differential entropy, nats, from the k-th neighbour (Kozachenko & Leonenko 1987; form of Kraskov et al. 2004):

        psi(n) - psi(k) + ln V_d + (d / n) sum_i ln r_k(i),      V_d = pi^(d/2) / Gamma(d/2 + 1)

    Moves by d ln a under x -> a x, by ln |det M| under a linear map only while neighbourhoods stay small; its bias
    grows quickly with d.
    """
    from scipy.special import digamma, gammaln

    rows = checked_features(features)
    n, d = rows.shape
    radius = neighbour_distances(rows, n_neighbours)[:, -1]
    log_ball = d / 2 * np.log(np.pi) - gammaln(d / 2 + 1)
    return float(digamma(n) - digamma(n_neighbours) + log_ball + d * np.log(radius).mean())
