"""The Gaussian-kernel entropy of features, and the log-determinant that it becomes in high dimension.

Shi et al. (2502.01481 v4) estimate an entropy by  S = -(1/N) sum_i ln p(x_i),  p the Gaussian kernel density of the
same N points, kernel covariance h^2 Sigma_hat. When every point's own kernel outweighs all others (dimension above a
few tens for any N one can afford), p(x_i) = (1/N) (2 pi h^2)^(-d/2) det(Sigma_hat)^(-1/2), and the estimate *is*

    ln N + (d/2) ln 2 pi + d ln h + (1/2) ln det Sigma_hat,

whatever the distribution: a log-determinant, shifted by a constant that holds N and h. `own_share` says how near.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from testbed.core import ConfigError
from testbed.measures.features.spectrum import checked_features

Floats = NDArray[np.float64]

BLOCK = 2**22  # entries of a block of pairs


@dataclass(frozen=True)
class KernelEntropy:
    """What a Gaussian kernel density says of features (n, d), nats.

    entropy         -mean ln p(x_i), own kernel included, as scipy.stats.gaussian_kde would give it
    held_out        -mean ln p(x_i) with x_i's own kernel left out: an upper bound on the entropy, in expectation, up to
                    the kernel's shape being taken from all points
    identity        ln N + (d/2) ln 2 pi + d ln h + (1/2) ln det Sigma_hat
    own_share       mean share of p(x_i) that is x_i's own kernel; at 1, `entropy` is `identity`
    bandwidth       h
    """

    entropy: float
    held_out: float
    identity: float
    own_share: float
    bandwidth: float


def scott_bandwidth(n_samples: int, dimension: int) -> float:
    """h = N^(-1 / (d + 4)) (Scott 1992).

    >>> round(scott_bandwidth(10_000, 4096), 6)     # the paper's "automatic bandwidth"
    0.997756
    """
    return float(n_samples ** (-1.0 / (dimension + 4)))


def kernel_entropy(features: ArrayLike, bandwidth: float | None = None) -> KernelEntropy:
    """The Gaussian-kernel estimate for features (n, d) with kernel covariance h^2 Sigma_hat; Scott's h where left out.

    Time n^2 d. Raises ConfigError where Sigma_hat is singular (n <= d, or features on a plane): there is no density.
    """
    rows = checked_features(features)
    n, d = rows.shape
    h = scott_bandwidth(n, d) if bandwidth is None else bandwidth
    if not 0 < h < np.inf:
        raise ConfigError(f"bandwidth: given {h}, must be positive and finite")
    centred = rows - rows.mean(axis=0)
    _, singular, rotation = np.linalg.svd(centred / np.sqrt(n - 1), full_matrices=False)
    if n <= d or singular[-1] <= singular[0] * max(n, d) * np.finfo(np.float64).eps:
        raise ConfigError(f"features: the covariance of {n} rows in {d} dimensions is singular; project onto its range")
    half_log_det = float(np.log(singular).sum())
    whitened = centred @ rotation.T / (singular * h)
    log_others = _log_sums_of_others(whitened)
    constant = np.log(n) + d / 2 * np.log(2 * np.pi) + d * np.log(h) + half_log_det
    log_all = np.logaddexp(0.0, log_others)
    return KernelEntropy(
        entropy=float(constant - log_all.mean()),
        held_out=float(constant - np.log(n / (n - 1)) - log_others.mean()),
        identity=float(constant),
        own_share=float(np.exp(-log_all).mean()),
        bandwidth=h,
    )


def _log_sums_of_others(points: Floats) -> Floats:
    """(n,): ln sum_(j != i) exp(-|z_i - z_j|^2 / 2)."""
    squares = np.sum(points**2, axis=1)
    sums = np.empty(len(points))
    step = max(1, BLOCK // len(points))
    for first in range(0, len(points), step):
        block = slice(first, min(first + step, len(points)))
        exponents = points[block] @ points.T - 0.5 * (squares[block, None] + squares)
        exponents[np.arange(len(exponents)), np.arange(block.start, block.stop)] = -np.inf
        top = exponents.max(axis=1)
        sums[block] = top + np.log(np.exp(exponents - top[:, None]).sum(axis=1))
    return sums
