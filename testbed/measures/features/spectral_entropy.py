"""Entropies of a spectrum: of the Gram matrix, and of the diffusion matrix of the cloud."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from testbed.core import ConfigError, ResourceError
from testbed.measures.features.spectrum import checked_features, entropy_of

Floats = NDArray[np.float64]

MAX_ROWS = 8_192
"""Rows of the densest diffusion matrix that is decomposed (n^2 numbers, n^3 time)."""


def matrix_entropy(features: ArrayLike) -> float:
    """S(Z) = -sum l ln l, l the eigenvalues of Z Z^T / tr Z Z^T, nats, for features Z (n, d), not centred.

    S(Z) = S(Z^T) (the dual Gram matrix has the same spectrum), 0 <= S <= ln min(n, d); unmoved by Z -> c Z and by
    rotations (von Neumann's entropy of the Gram matrix).

    >>> round(matrix_entropy(np.eye(4)), 6)  # ln 4
    1.386294
    """
    return entropy_of(np.linalg.svd(checked_features(features), compute_uv=False) ** 2)


def diffusion_spectral_entropy(features: ArrayLike, bandwidth: float, steps: float = 1.0) -> float:
    """Entropy of |eigenvalues|^t of the diffusion matrix of features (n, d), nats (Liu et al. 2312.04823, bits there):

        G_ij = exp(-|x_i - x_j|^2 / (2 s^2)),    K = D^(-1/2) G D^(-1/2),    D = diag(row sums of G)

    K shares its spectrum with the random walk D^(-1) G. As t grows, what is left is ln of the number of clusters that
    no walk leaves; at most ln n. Exact decomposition, n at most 8,192.

    >>> clusters = np.repeat([[0.0], [50.0], [90.0]], 20, axis=0)
    >>> round(float(np.exp(diffusion_spectral_entropy(clusters, bandwidth=1.0))), 6)
    3.0
    """
    rows = checked_features(features)
    if not (0 < bandwidth**2 < np.inf and 0 < steps < np.inf):
        raise ConfigError(f"bandwidth and steps: given {bandwidth} and {steps}, must be positive and finite")
    if len(rows) > MAX_ROWS:
        raise ResourceError(f"features: {len(rows)} rows, a diffusion matrix of at most {MAX_ROWS} is decomposed")
    gram = rows @ rows.T
    squares = np.diag(gram)
    distances = np.maximum(squares[:, None] + squares - 2.0 * gram, 0.0)
    affinity = np.exp(-distances / (2.0 * bandwidth**2))
    degree = np.sqrt(affinity.sum(axis=1))
    values = np.minimum(np.abs(np.linalg.eigvalsh(affinity / degree[:, None] / degree)), 1.0)
    return entropy_of(values**steps)


def diffusion_mutual_information(features: ArrayLike, labels: ArrayLike, bandwidth: float, steps: float = 1.0) -> float:
    """DSE(all) - sum_c p_c DSE(rows of label c), nats (2312.04823); classes of one row have entropy 0.

    A difference of entropies of different sample sizes, and no mutual information: it may exceed ln of the number of
    labels.
    """
    rows, names = checked_features(features), np.asarray(labels)
    if names.shape != (len(rows),):
        raise ConfigError(f"labels: given shape {names.shape}, need one for each of {len(rows)} rows")
    whole = diffusion_spectral_entropy(rows, bandwidth, steps)
    for name, count in zip(*np.unique(names, return_counts=True), strict=True):
        if count > 1:
            whole -= count / len(rows) * diffusion_spectral_entropy(rows[names == name], bandwidth, steps)
    return whole
