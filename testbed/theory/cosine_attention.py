"""Cosine logits alpha cos(q, k): where attention lies among random keys, and what rotary positions make of it."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from testbed.core import ConfigError
from testbed.theory.logit_scaling import infoscale_cosine

Floats = NDArray[np.float64]


def cosscale_peak(alpha: ArrayLike, head_dim: int, exponent: float | None = None) -> Floats | float:
    """eta_1*: the mode of the attended cosine among isotropic keys, p(eta) ~ (1 - eta^2)^(c/2) e^(alpha eta):

        alpha (1 - eta^2) = c eta,     eta = (-c + sqrt(c^2 + 4 alpha^2)) / (2 alpha),     c = d - 3

    (the reading of eq. 18 of 2501.08570, re-derived: its text was not at hand; c = d - 2 is the mode of the density in
    the angle, and moves eta by at most two per cent). Grows to 1 with alpha (theorem 3.4). `exponent` gives another c.

    >>> round(cosscale_peak(128, 128), 4)
    0.6246
    """
    scale = np.asarray(alpha, dtype=np.float64)
    c = head_dim - 3.0 if exponent is None else float(exponent)
    if not np.all(scale > 0) or c <= 0:
        raise ConfigError(f"alpha and head_dim: given {alpha!r} and {head_dim}, need alpha > 0 and head_dim > 3")
    found = 2.0 * scale / (c + np.sqrt(c**2 + 4.0 * scale**2))  # without the cancellation at small alpha
    return float(found) if found.ndim == 0 else found


def critical_cosine_scale(n: ArrayLike, head_dim: int) -> Floats | float:
    """alpha_c(n) = (d - 3) I(n) n^(2/d): beyond it n random keys have none at the tilted peak, and the attended cosine
    stays at the sample maximum, near I(n)."""
    keys = np.asarray(n, dtype=np.float64)
    found = (head_dim - 3.0) * np.asarray(infoscale_cosine(keys, head_dim)) * keys ** (2.0 / head_dim)
    return float(found) if found.ndim == 0 else found


def random_cosine_density(eta: ArrayLike, head_dim: int) -> Floats:
    """(1 - eta^2)^((d-3)/2) / B(1/2, (d-1)/2): the law of the cosine of two random directions in R^d."""
    from scipy.special import betaln

    x = np.asarray(eta, dtype=np.float64)
    with np.errstate(divide="ignore"):
        log_density = (head_dim - 3.0) / 2.0 * np.log1p(-(x**2)) - betaln(0.5, (head_dim - 1.0) / 2.0)
    return np.exp(log_density)


def rotary_decay(distance: ArrayLike, head_dim: int, base: float = 10_000.0) -> Floats | float:
    """g(Delta) = (2/d) sum_i cos(Delta base^(-2i/d)): the cosine left between aligned q and k at distance Delta, energy
    spread evenly over the d/2 pairs.

    >>> round(rotary_decay(16, 128), 3)
    0.62
    """
    if head_dim % 2 or head_dim < 2:
        raise ConfigError(f"head_dim: given {head_dim}, must be even")
    frequencies = base ** (-2.0 * np.arange(head_dim // 2) / head_dim)
    found = np.cos(np.asarray(distance, dtype=np.float64)[..., None] * frequencies).mean(axis=-1)
    return float(found) if found.ndim == 0 else found


def aligned_weights(alpha: float, n: int, head_dim: int, query: int | None = None, base: float = 10_000.0) -> Floats:
    """(n,): softmax of alpha g(j - i) for the query at i (the centre if left out) among n positions: what attention is
    if all q and k point one way (the limit alpha -> infinity of training, theorem 3.5's regime)."""
    at = n // 2 if query is None else query
    if not 0 <= at < n:
        raise ConfigError(f"query: given {query}, must lie in 0 .. {n - 1}")
    logits = alpha * np.asarray(rotary_decay(np.abs(np.arange(n) - at), head_dim, base))
    weights = np.exp(logits - logits.max())
    return weights / weights.sum()


def window_mass(alpha: float, n: int, head_dim: int, reach: int, base: float = 10_000.0) -> float:
    """M_w: the aligned weight within distance w of the centre query, both sides and itself."""
    weights = aligned_weights(alpha, n, head_dim, base=base)
    return float(weights[np.abs(np.arange(n) - n // 2) <= reach].sum())


def effective_window(alpha: float, n: int, head_dim: int, base: float = 10_000.0) -> float:
    """w_eff = sum over 0 <= Delta < n of e^(-alpha (1 - g(Delta))): bounded in n once alpha exceeds about ln n."""
    decay = np.asarray(rotary_decay(np.arange(n), head_dim, base))
    return float(np.exp(-alpha * (1.0 - decay)).sum())


def rotated_cosine_moments(
    eta: float, distance: ArrayLike, head_dim: int, base: float = 10_000.0
) -> tuple[Floats, Floats]:
    """Mean and variance of the cosine after rotation, for q uniform on the sphere and cos(q, k) = eta before it:

        mean      eta g(Delta)
        variance  eta^2 (mean_i cos^2(Delta theta_i) - g^2) / (d/2 + 1) + (1 - eta^2) (1 - g^2) / (d - 1)

    The second term is approximate: it takes the part of k orthogonal to q as uniform there.
    """
    frequencies = base ** (-2.0 * np.arange(head_dim // 2) / head_dim)
    cosines = np.cos(np.asarray(distance, dtype=np.float64)[..., None] * frequencies)
    g, square = cosines.mean(axis=-1), (cosines**2).mean(axis=-1)
    spread = eta**2 * (square - g**2) / (head_dim / 2 + 1) + (1.0 - eta**2) * (1.0 - g**2) / (head_dim - 1)
    return eta * g, spread
