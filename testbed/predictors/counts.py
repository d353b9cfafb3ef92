"""Learners that count: the reference that a network is held against."""

import numpy as np
from numpy.typing import NDArray

from testbed.core import ConfigError

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def add_constant_law(counts: NDArray[np.integer], constant: float | Floats = 0.5) -> Floats:
    """The order-l table learner: q(x | c) = (n(c, x) + a) / sum_x (n(c, x) + a), for counts (n_contexts, V).

    a = 1/2 is the Krichevsky-Trofimov estimator, whose redundancy against any order-l source is (V - 1) / 2 ln n + O(1)
    nats a context (Krichevsky & Trofimov 1981). For rows drawn from a Dirichlet law with parameter a (a scalar, or one
    for each symbol) it is the Bayes mixture given the contexts: no learner that takes those as fixed does better.

    A context that was never seen gets the prior's mean.

    >>> add_constant_law(np.array([[3, 0], [0, 0]]))
    array([[0.875, 0.125],
           [0.5  , 0.5  ]])
    """
    if np.any(np.asarray(constant) <= 0):
        raise ConfigError(f"constant: given {constant}, must be positive")
    smoothed = np.asarray(counts, dtype=np.float64) + constant
    return smoothed / smoothed.sum(axis=-1, keepdims=True)


def finite_mixture_law(counts: NDArray[np.integer], kernels: Floats, prior: Floats | None = None) -> Floats:
    """The Bayes mixture over finitely many kernels:  q(x | c) = sum_i w_i p_i(x | c),  w_i ~ prior_i prod p_i^counts.

    counts (n_contexts, V); kernels (n, n_contexts, V); prior (n,), uniform if left out. Returns (n_contexts, V), the
    posterior mean law given the contexts: it does not use what the frequency of a context says of the kernel. Kernels
    that exclude what was seen get weight zero; if all do, ConfigError.
    """
    n = len(kernels)
    log_prior = np.log(np.full(n, 1.0 / n) if prior is None else prior)
    with np.errstate(divide="ignore"):
        log_kernels = np.log(kernels)
    terms = np.where(counts > 0, counts * log_kernels, 0.0)
    log_posterior = log_prior + terms.sum(axis=(1, 2))
    best = log_posterior.max()
    if not np.isfinite(best):
        raise ConfigError("kernels: none of them gives the counts a positive probability")
    weights = np.exp(log_posterior - best)
    return np.einsum("i,icx->cx", weights / weights.sum(), kernels)
