"""Laws for the factor by which logits should grow with the number n of visible keys, from training length m on."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from testbed.core import ConfigError

Floats = NDArray[np.float64]


def infoscale_cosine(n: ArrayLike, head_dim: int) -> Floats | float:
    """I(n) = sqrt(1 - n^(-2/d)): the cosine that the attended ones of n isotropic keys must reach.

    The tilted cosine density peaks where ln n + (d/2) ln(1 - eta^2) = 0, with d for d - 3 (Li et al. 2025, 2501.08570,
    formula from the authors' code; derivation by Laplace's method, re-derived here). n >= 1.
    """
    keys = _at_least_one("n", n)
    _check_head_dim(head_dim, 1)
    return _scalar(np.sqrt(-np.expm1(-2.0 / head_dim * np.log(keys))))


def infoscale_ratio(n: ArrayLike, train_length: float, head_dim: int) -> Floats | float:
    """I(n) / I(m): InfoScale's factor on the logits for n visible keys and training length m > 1.

    Tends to sqrt(ln n / ln m) as d grows: a square-root-log law, weaker than log n. Below m it softens (< 1).

    >>> round(infoscale_ratio(4096, 64, 128), 3)
    1.392
    """
    return _ratio(infoscale_cosine, n, train_length, head_dim)


def sphere_cosine_scale(n: ArrayLike, head_dim: int) -> Floats | float:
    """I(n) n^(2/d): the scale alpha, up to d - 3, that puts the tilted peak alpha = (d-3) eta / (1 - eta^2) at I(n)."""
    keys = _at_least_one("n", n)
    return _scalar(np.asarray(infoscale_cosine(keys, head_dim)) * keys ** (2.0 / head_dim))


def sphere_ratio(n: ArrayLike, train_length: float, head_dim: int) -> Floats | float:
    """I(n) n^(2/d) / (I(m) m^(2/d)): the factor that keeps the tilted peak at the largest cosine of n random keys.

    Grows as the critical scale n^(2/(d-1)) of keys uniform on a sphere (2605.08505).

    >>> round(sphere_ratio(4096, 64, 16), 2)
    2.12
    """
    return _ratio(sphere_cosine_scale, n, train_length, head_dim)


def sphere_limit_ratio(n: ArrayLike, train_length: float, head_dim: int) -> Floats | float:
    """(n / m)^(2/(d-1)): grows with the critical inverse temperature of n keys uniform on the sphere in R^d, at which
    attention passes from averaging over many keys to the nearest one (2605.08505).

    The nearest of n cosines is 1 - O(n^(-2/(d-1))) where ln n is large against d / 2; for smaller n it lies near I(n),
    and the law is `sphere_ratio`.

    >>> round(sphere_limit_ratio(4096, 64, 16), 2)
    1.74
    """
    _check_head_dim(head_dim, 2)
    keys = _at_least_one("n", n)
    if not train_length > 0:
        raise ConfigError(f"train_length: given {train_length}, must be above 0")
    return _scalar((keys / train_length) ** (2.0 / (head_dim - 1)))


def log_ratio(n: ArrayLike, train_length: float) -> Floats | float:
    """ln n / ln m (Su 2021): constant attention mass against equal distractors at a fixed gap."""
    keys = _at_least_one("n", n)
    if not train_length > 1:
        raise ConfigError(f"train_length: given {train_length}, must be above 1")
    return _scalar(np.log(keys) / np.log(train_length))


def yarn_temperature(n: ArrayLike, train_length: float, slope: float = 0.1) -> Floats | float:
    """(0.1 ln(n/m) + 1)^2 on the logits above the training length, 1 below it (Peng et al. 2023, 2309.00071)."""
    keys = _at_least_one("n", n)
    return _scalar((slope * np.log(np.maximum(keys / train_length, 1.0)) + 1.0) ** 2)


def entropy_invariant_ratio(n: ArrayLike, train_length: float, logit_std: float) -> Floats | float:
    """lambda*(n) = sqrt(1 + 2 ln(n/m) / sigma^2): keeps ln n - (lambda sigma)^2 / 2 constant, the entropy of i.i.d.
    Gaussian logits of standard deviation sigma at length m while that is below the freezing point sqrt(2 ln n).

    Raises ConfigError where n is so far below m that no positive factor gives the entropy.
    """
    keys = _at_least_one("n", n)
    if not (logit_std > 0 and train_length >= 1):
        raise ConfigError(
            f"logit_std and train_length: given {logit_std} and {train_length}, need a positive number and one >= 1"
        )
    square = 1.0 + 2.0 * np.log(keys / train_length) / logit_std**2
    if np.any(square <= 0):
        raise ConfigError(f"n: given {n!r}; ln n is below the entropy at length {train_length}, no factor reaches it")
    return _scalar(np.sqrt(square))


def critical_gamma(overlap: float) -> float:
    """gamma_c = 1 / (1 - rho), where scores are gamma ln n <y_i, y_j> and all pairs have inner product rho: below it
    attention averages, above it every token attends to itself (Chen et al. 2025, 2510.05554)."""
    if not 0 <= overlap < 1:
        raise ConfigError(f"overlap: given {overlap}, must lie in [0, 1)")
    return 1.0 / (1.0 - overlap)


def overlap_after_attention(gamma: float, overlap: float, n: float) -> float:
    """Cosine of two outputs of attention with scores gamma ln n <y_i, y_j> over n unit vectors, their own values.

    All pairs are at inner product rho; there is no residual. With the weight w = n^gamma / (n^gamma +
    (n-1) n^(gamma rho)) on oneself and u = (1-w) / (n-1) on each other one it is c / s,

        c = w^2 rho + 2 w u (1 + (n-2) rho) + u^2 (n-2 + ((n-1)^2 - (n-2)) rho)
        s = w^2 + 2 w u (n-1) rho + u^2 (n-1) (1 + (n-2) rho)

    As n grows: 1 below `critical_gamma`, 4 rho / (1 + 3 rho) at it, rho above it (Chen et al. 2025, 2510.05554; the
    form for finite n re-derived).

    >>> [round(overlap_after_attention(gamma, 0.5, 10**9), 3) for gamma in (1.0, 2.0, 3.0)]
    [1.0, 0.8, 0.5]
    """
    from scipy.special import expit

    if not 0 <= overlap < 1 or n < 2:
        raise ConfigError(f"overlap and n: given {overlap} and {n}, need a number in [0, 1) and one of at least 2")
    w = float(expit(gamma * (1.0 - overlap) * math.log(n) - math.log(n - 1)))
    u = (1.0 - w) / (n - 1.0)
    common = w**2 * overlap + 2 * w * u * (1 + (n - 2) * overlap)
    common += u**2 * (n - 2 + ((n - 1) ** 2 - (n - 2)) * overlap)
    square = w**2 + 2 * w * u * (n - 1) * overlap + u**2 * (n - 1) * (1 + (n - 2) * overlap)
    return common / square


def gap_counting_scale(logits: ArrayLike) -> Floats | float:
    """Lambda = sup over t > 0 of ln N(t) / t, with N(t) the number of logits within t of the largest, itself included:
    the critical inverse temperature of a row of logits (Hayase & Karakida 2026, 2605.12697).

    logits (..., n), n >= 1; returns (...). Since N jumps at the gaps only, Lambda = max over j >= 2 of ln j / t_(j)
    with t_(j) the j-th smallest gap. Infinite where the maximum is attained twice, 0 for a single logit. Multiplying
    the logits by c divides Lambda by c.

    >>> round(gap_counting_scale([0.0, -2.0, -2.0, -2.0]), 4)  # equal gaps: ln n / gap
    0.6931
    """
    rows = np.asarray(logits, dtype=np.float64)
    if rows.ndim == 0 or rows.shape[-1] == 0 or not np.all(np.isfinite(rows)):
        raise ConfigError(f"logits: need finite numbers of shape (..., n) with n >= 1, given shape {rows.shape}")
    gaps = np.sort(rows.max(axis=-1, keepdims=True) - rows, axis=-1)[..., 1:]
    counts = np.arange(2, rows.shape[-1] + 1)
    with np.errstate(divide="ignore"):
        return _scalar(np.max(np.log(counts) / gaps, axis=-1, initial=0.0))


def gradient_maximising_scale(n: int, head_dim: int) -> float:
    """The alpha that maximises alpha (1 - sum p^2) for logits alpha cos(q, k) and n keys uniform on the sphere in R^d,
    with sum p^2 taken in the annealed mean Z(2 alpha) / (n Z(alpha)^2),

        Z(alpha) = E e^(alpha cos) = Gamma(d/2) (2/alpha)^(d/2-1) I_(d/2-1)(alpha):

    the scale at which the softmax passes most gradient (Su 2023, 9812; for Gaussian logits 0.84 sqrt(ln n) standard
    deviations). Without the annealed mean there is no maximum: alpha (1 - sum p^2) of random keys rises to a constant.

    >>> round(gradient_maximising_scale(512, 128), 1)  # Su gives about 3.5 ln n, 21.8 here, and 25 to 35 in practice
    24.2
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import gammaln, ive

    if n < 2 or head_dim < 2:
        raise ConfigError(f"n and head_dim: given {n} and {head_dim}, must be at least 2")
    order = head_dim / 2.0 - 1.0

    def log_mean(alpha: float) -> float:
        return float(gammaln(head_dim / 2.0) + order * np.log(2.0 / alpha) + np.log(ive(order, alpha)) + alpha)

    def loss(log_alpha: float) -> float:
        alpha = float(np.exp(log_alpha))
        return -alpha * (1.0 - np.exp(log_mean(2.0 * alpha) - 2.0 * log_mean(alpha)) / n)

    limit = 0.5 * np.log(head_dim) + 0.5 * np.log(np.log(n) + 1.0) + 1.0
    return float(np.exp(minimize_scalar(loss, bounds=(-3.0, limit), method="bounded", options={"xatol": 1e-10}).x))


def _ratio(law, n: ArrayLike, train_length: float, head_dim: int) -> Floats | float:  # type: ignore[no-untyped-def]
    if not train_length > 1:
        raise ConfigError(f"train_length: given {train_length}, must be above 1")
    return _scalar(np.asarray(law(n, head_dim)) / law(train_length, head_dim))


def _at_least_one(name: str, value: ArrayLike) -> Floats:
    array = np.asarray(value, dtype=np.float64)
    if not np.all(array >= 1):
        raise ConfigError(f"{name}: given {value!r}, must be at least 1")
    return array


def _check_head_dim(head_dim: int, smallest: int) -> None:
    if head_dim < smallest:
        raise ConfigError(f"head_dim: given {head_dim}, must be at least {smallest}")


def _scalar(array: ArrayLike) -> Floats | float:
    found = np.asarray(array, dtype=np.float64)
    return float(found) if found.ndim == 0 else found
