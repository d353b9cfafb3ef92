"""Sizes of a cloud of features read off its covariance spectrum lambda_1 >= lambda_2 >= ... >= lambda_d.

None of these is an entropy of what the features encode. All but the log-determinant are blind to scale; none is
invariant to invertible linear maps of the features, which can give the spectrum any values of the same rank.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from testbed.core import ConfigError

Floats = NDArray[np.float64]


def covariance_eigenvalues(features: ArrayLike) -> Floats:
    """(min(n - 1, d),) eigenvalues of the sample covariance (divisor n - 1) of features (n, d), falling.

    From singular values of the centred features, so that an eigenvalue is known to about 1e-16 sqrt(lambda_1 lambda_i),
    not 1e-16 lambda_1: spectra are read far below 1e-9 here.

    Raises ConfigError for fewer than two rows, entries that are not finite, or features that never vary.
    """
    rows = checked_features(features)
    singular = np.linalg.svd(rows - rows.mean(axis=0), compute_uv=False)
    values = np.asarray(singular[: min(len(rows) - 1, rows.shape[1])] ** 2 / (len(rows) - 1))
    if not values[0] > 0:
        raise ConfigError("features: all rows are equal; they have no spectrum")
    return values


def relative_eigenvalues(eigenvalues: ArrayLike) -> Floats:
    """lambda_i / lambda_1."""
    values = _checked(eigenvalues)
    return values / values[0]


def intrinsic_dimension(eigenvalues: ArrayLike, threshold: float) -> int:
    """How many i have lambda_i / lambda_1 > theta (Shi et al. 2502.01481; their code's 0-based index is one less).

    >>> intrinsic_dimension([4.0, 1.0, 0.04], threshold=0.02)
    2
    """
    if not 0 <= threshold < 1:
        raise ConfigError(f"threshold: given {threshold}, must lie in [0, 1)")
    return int(np.sum(relative_eigenvalues(eigenvalues) > threshold))


def log_spectrum_sum(eigenvalues: ArrayLike, n_terms: int) -> float:
    """S_N = sum_(i <= N) ln(lambda_i / lambda_1), the paper's entropy proxy: no factor 1/2, no cell size.

    With N = d it is ln det Sigma - d ln lambda_1.

    Raises ConfigError where N exceeds the rank: the sum is -infinity there, or noise of rounding.
    """
    relative = relative_eigenvalues(eigenvalues)
    _check_terms(relative, n_terms)
    return float(np.log(relative[:n_terms]).sum())


def half_log_determinant(eigenvalues: ArrayLike, n_terms: int | None = None) -> float:
    """(1/2) sum_(i <= N) ln lambda_i; plus (N/2) ln(2 pi e), the entropy of a Gaussian in nats. Moves by N ln a under
    x -> a x."""
    values = _checked(eigenvalues)
    terms = len(values) if n_terms is None else n_terms
    _check_terms(values, terms)
    return float(0.5 * np.log(values[:terms]).sum())


def log_determinant_bias(n_samples: int, dimension: int) -> float:
    """E (1/2) ln det Sigma_hat - (1/2) ln det Sigma for n Gaussian rows in d dimensions (divisor n - 1), nats, exactly:

        (1/2) sum_(i < d) ( psi((n - 1 - i) / 2) + ln(2 / (n - 1)) )        (Bartlett's decomposition)

    It is large unless n >> d^2.

    >>> round(log_determinant_bias(10_000, 4096))
    -493
    """
    from scipy.special import digamma

    freedom = n_samples - 1
    if not 1 <= dimension <= freedom:
        raise ConfigError(f"dimension: given {dimension}, must lie in 1 .. n_samples - 1 = {freedom}")
    return float(0.5 * np.sum(digamma((freedom - np.arange(dimension)) / 2.0) + np.log(2.0 / freedom)))


def participation_ratio(eigenvalues: ArrayLike) -> float:
    """(sum lambda)^2 / sum lambda^2: d for a sphere, 1 for a line.

    >>> participation_ratio([1.0, 1.0, 1.0, 0.0])
    3.0
    """
    values = relative_eigenvalues(eigenvalues)
    return float(values.sum() ** 2 / np.sum(values**2))


def rank_me(features: ArrayLike) -> float:
    """RankMe (Garrido et al. 2023): exp of the entropy of the singular values of features (n, d), p = s / sum s.

    Of the features as they are, not centred, as its authors have it. Between 1 and the rank.

    >>> round(rank_me(np.eye(5)), 6)
    5.0
    """
    return float(np.exp(entropy_of(np.linalg.svd(checked_features(features), compute_uv=False))))


def alpha_req(eigenvalues: ArrayLike, first: int = 1, last: int | None = None) -> float:
    """alpha-ReQ (Agrawal et al. 2022): the exponent of lambda_i ~ i^(-alpha), by least squares of ln lambda_i on ln i.

    first, last     the eigenvalues used, numbered from 1, both included; its value rests on this choice

    >>> round(alpha_req(np.arange(1, 101.0) ** -0.7), 6)
    0.7
    """
    values = _checked(eigenvalues)
    last = len(values) if last is None else last
    if not 1 <= first < last <= len(values) or values[last - 1] <= 0:
        raise ConfigError(
            f"first and last: given {first} and {last}, need 1 <= first < last <= {len(values)}, lambda_last > 0"
        )
    ranks = np.log(np.arange(first, last + 1))
    return float(-np.polyfit(ranks, np.log(values[first - 1 : last]), 1)[0])


def entropy_of(weights: NDArray[np.floating]) -> float:
    """-sum p ln p for p = weights / sum; zeros carry nothing."""
    total = weights.sum()
    if not total > 0:
        raise ConfigError("features: all entries are zero; they have no spectrum")
    p = weights[weights > 0] / total
    p = p[p > 0]
    return float(-np.sum(p * np.log(p)))


def checked_features(features: ArrayLike) -> Floats:
    """(n, d), n >= 2, finite."""
    rows = np.asarray(features, dtype=np.float64)
    if rows.ndim != 2 or len(rows) < 2 or rows.shape[1] < 1 or not np.isfinite(rows).all():
        raise ConfigError(f"features: need finite numbers (n, d) with n >= 2, given shape {rows.shape}")
    return rows


def _checked(eigenvalues: ArrayLike) -> Floats:
    values = np.asarray(eigenvalues, dtype=np.float64)
    if values.ndim != 1 or len(values) == 0 or not values[0] > 0 or np.any(np.diff(values) > 0) or values[-1] < 0:
        raise ConfigError("eigenvalues: need (m,) numbers that fall from one above 0 and are nowhere negative")
    return values


def _check_terms(values: Floats, n_terms: int) -> None:
    rank = int(np.sum(values > values[0] * (len(values) * np.finfo(np.float64).eps) ** 2))
    if not 1 <= n_terms <= rank:
        raise ConfigError(f"n_terms: given {n_terms}, must lie in 1 .. rank = {rank}")
