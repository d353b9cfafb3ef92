"""Entropy of softmax attention in closed form: what a row's norm, size and spread allow."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from testbed.core import ConfigError

Floats = NDArray[np.float64]


def attention_entropy_floor(logit_norm: ArrayLike, n_keys: int) -> Floats | float:
    """The least entropy of softmax(z) over z in R^T with |z|_2 <= sigma, in nats:

        ln(1 + (T-1) b) + sigma sqrt(T (T-1)) b / (1 + (T-1) b),     b = exp(-sigma sqrt(T / (T-1)))

    attained by one high logit with all others equal (Zhai et al. 2023, 2303.06296, theorem 3.1; re-derived).

    >>> round(attention_entropy_floor(4.0, 64), 2)
    2.88
    """
    norm = np.asarray(logit_norm, dtype=np.float64)
    if n_keys < 1 or not np.all(norm >= 0):
        raise ConfigError(f"logit_norm and n_keys: given {logit_norm!r} and {n_keys}, need numbers >= 0 and one >= 1")
    if n_keys == 1:
        floor = np.zeros_like(norm)
    else:
        others = n_keys - 1
        gap = norm * math.sqrt(n_keys / others)
        weight = np.exp(-gap)
        floor = np.log1p(others * weight) + gap * others * weight / (1.0 + others * weight)
    return float(floor) if floor.ndim == 0 else floor


def freezing_std(n: ArrayLike) -> Floats | float:
    """sigma_c = sqrt(2 ln n): i.i.d. Gaussian logits wider than this put their weight on O(1) keys (random energy
    model; Derrida 1981)."""
    found = np.sqrt(2.0 * np.log(np.asarray(n, dtype=np.float64)))
    return float(found) if found.ndim == 0 else found


def gaussian_logit_entropy(n: ArrayLike, logit_std: ArrayLike) -> Floats | float:
    """Mean entropy of softmax over n i.i.d. Gaussian logits of standard deviation sigma, to leading order in n:

        ln n - sigma^2 / 2                        sigma < sigma_c = sqrt(2 ln n)       (annealed)
        psi(1) - psi(1 - sigma_c / sigma)         sigma > sigma_c                      (frozen)

    In the frozen phase the weights are Poisson-Dirichlet(sigma_c / sigma, 0), whose mean entropy is the second line
    (Pitman & Yor 1997). Near sigma_c and beyond, finite-n means lie well off (0.76 against 0.94 at n = 65,536 and
    sigma = 12): a landmark, not a table.
    """
    from scipy.special import digamma

    keys, std = np.broadcast_arrays(np.asarray(n, dtype=np.float64), np.asarray(logit_std, dtype=np.float64))
    critical = np.sqrt(2.0 * np.log(keys))
    annealed = np.log(keys) - std**2 / 2.0
    with np.errstate(divide="ignore", invalid="ignore"):
        frozen = digamma(1.0) - digamma(1.0 - critical / std)
    found = np.where(std < critical, annealed, frozen)
    return float(found) if found.ndim == 0 else found


def mass_on_one(gap: ArrayLike, n_keys: ArrayLike) -> Floats | float:
    """Weight 1 / (1 + (T-1) e^(-g)) on one key whose logit stands g above T - 1 equal ones."""
    from scipy.special import expit

    found = expit(np.asarray(gap, dtype=np.float64) - np.log(np.asarray(n_keys, dtype=np.float64) - 1.0))
    return float(found) if np.ndim(found) == 0 else np.asarray(found)


def required_gap(mass: ArrayLike, n_keys: ArrayLike) -> Floats | float:
    """The gap ln((T-1) w / (1-w)) that gives one key the weight w against T - 1 equal distractors: the mass law,
    T ~ e^g."""
    w = np.asarray(mass, dtype=np.float64)
    if not np.all((w > 0) & (w < 1)):
        raise ConfigError(f"mass: given {mass!r}, must lie in (0, 1)")
    found = np.log(np.asarray(n_keys, dtype=np.float64) - 1.0) + np.log(w) - np.log1p(-w)
    return float(found) if found.ndim == 0 else found


def copy_information_loss(gap: float, n_keys: int) -> float:
    """H(v | attended value), nats, where v, one of T fair +-1 values, stands g above T - 1 random ones: a copy's loss.

    The attended value is w (v + e^(-g) S) with S a sum of T - 1 signs, so the binary input sees, for large T, Gaussian
    noise at signal-to-noise ratio a = e^g / sqrt(T-1), and the loss is the mean of ln(1 + exp(-2 a (a + z))), z
    standard normal. Decoding fails near T ~ e^(2g): mass is not information. By Gauss-Hermite quadrature.

    >>> round(copy_information_loss(5.0, 4096), 3)
    0.028
    """
    if n_keys < 1:
        raise ConfigError(f"n_keys: given {n_keys}, must be at least 1")
    if n_keys == 1:
        return 0.0
    ratio = math.exp(gap) / math.sqrt(n_keys - 1)
    nodes, weights = np.polynomial.hermite_e.hermegauss(200)
    loss = np.logaddexp(0.0, -2.0 * ratio * (ratio + nodes))
    return float(weights @ loss / weights.sum())


def top_two_gap_bound(r: ArrayLike) -> Floats | float:
    """p_1 - p_2 <= r / ((1-r) e) for inverse temperature r Lambda, r < 1, Lambda the gap-counting scale of the row
    (consequence of 2605.12697 at finite n). 1 where the bound says nothing."""
    ratio = np.asarray(r, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.where(ratio < 1.0, np.minimum(ratio / ((1.0 - ratio) * math.e), 1.0), 1.0)
    return float(found) if found.ndim == 0 else found


def gap_entropy_bound(r: ArrayLike) -> Floats | float:
    """H <= ln(r/(r-1)) + r / (r-1)^2 for inverse temperature r Lambda, r > 1 (consequence of 2605.12697 at finite n).
    Infinite where the bound says nothing."""
    ratio = np.asarray(r, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.where(ratio > 1.0, np.log(ratio / (ratio - 1.0)) + ratio / (ratio - 1.0) ** 2, np.inf)
    return float(found) if found.ndim == 0 else found
