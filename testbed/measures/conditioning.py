"""How evenly a matrix stretches: condition number, flatness of its singular values, entropy of what it puts out.

For y = W x with W (n, n) of singular values s and x standard normal,

    h(y) = n/2 ln(2 pi e) + sum ln s_i  <=  n/2 ln(2 pi e |W|^2 / n)

by the inequality of the means, with equality where all s_i are equal. The gap is n/2 ln(1 / flatness), with

    flatness = GM(s_i^2) / AM(s_i^2)     in [0, 1],   1 iff the condition number kappa = s_1 / s_n is 1

so that at a fixed norm entropy is a function of flatness. It is none of kappa: of two matrices of equal norm the one of
larger kappa may have more entropy, as singular values (1, 1, 1, 0.3) against (1, 0.35, 0.35, 0.35) show, each scaled
to norm 1: kappa 3.33 against 2.86, flatness 0.71 against 0.61.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from testbed.core import ConfigError

Floats = NDArray[np.float64]


def singular_values(matrix: ArrayLike) -> Floats:
    """(..., min(m, n)) of matrices (..., m, n), falling, in float64.

    Raises ConfigError for what is no matrix of finite numbers.
    """
    array = np.asarray(matrix, dtype=np.float64)
    if array.ndim < 2 or 0 in array.shape or not np.isfinite(array).all():
        raise ConfigError(f"matrix: needs finite numbers of shape (..., m, n), given shape {array.shape}")
    return np.asarray(np.linalg.svd(array, compute_uv=False), dtype=np.float64)


def condition_number(matrix: ArrayLike) -> Floats:
    """kappa = s_1 / s_n, at least 1; infinite where the smallest singular value is 0.

    >>> round(float(condition_number([[3.0, 0.0], [0.0, 2.0]])), 12)
    1.5
    """
    s = singular_values(matrix)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.where(s[..., -1] > 0, s[..., 0] / s[..., -1], np.inf)
    return np.asarray(found)


def flatness(matrix: ArrayLike) -> Floats:
    """GM(s^2) / AM(s^2) in [0, 1]: 0 for a singular matrix, 1 where all singular values are equal; c W has W's.

    >>> [round(float(flatness(np.diag(s))), 2) for s in ([1, 1, 1, 0.3], [1, 0.35, 0.35, 0.35])]
    [0.71, 0.61]
    """
    squares = singular_values(matrix) ** 2
    largest = squares[..., :1]
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = squares / largest  # so that neither mean over- nor underflows
        found = np.exp(np.log(scaled).mean(axis=-1)) / scaled.mean(axis=-1)
    return np.where(largest[..., 0] > 0, np.minimum(found, 1.0), 0.0)


def output_entropy(matrix: ArrayLike) -> Floats:
    """h(W x), nats, of x standard normal and W (..., n, n): n/2 ln(2 pi e) + sum ln s_i; -inf where W is singular.

    Raises ConfigError for matrices that are not square, whose image has no density of the same dimension.
    """
    shape = np.shape(matrix)
    s = singular_values(matrix)
    if shape[-1] != shape[-2]:
        raise ConfigError(f"matrix: given shape {shape}, must be square")
    with np.errstate(divide="ignore"):
        return np.asarray(shape[-1] / 2 * np.log(2 * np.pi * np.e) + np.log(s).sum(axis=-1))


def entropy_bound(matrix: ArrayLike) -> Floats:
    """n/2 ln(2 pi e |W|^2 / n), nats: the most that `output_entropy` can be at this Frobenius norm."""
    s = singular_values(matrix)
    with np.errstate(divide="ignore"):
        return np.asarray(s.shape[-1] / 2 * np.log(2 * np.pi * np.e * (s**2).sum(axis=-1) / s.shape[-1]))
