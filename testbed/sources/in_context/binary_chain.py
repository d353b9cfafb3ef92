"""Bayes losses of the binary order-1 chain with Dirichlet rows, exact, by summing over its transition counts."""

import math
from fractions import Fraction

import numpy as np

from testbed.sources.sampled_truth import law_entropies
from testbed.sources.source import Floats

MAX_LENGTH = 512


def binary_chain_losses(concentration: Fraction, length: int) -> Floats:
    """(length,): Bayes loss of every position, nats, of the chain that starts uniformly. Time O(length^3).

    A string that starts with 0 is known by its counts n_00, n_01, n_10, n_11 up to order, where n_01 - n_10 is 0 or 1
    and the last symbol follows from it. With r_0, r_1 runs of each symbol there are
    C(n_00 + r_0 - 1, r_0 - 1) C(n_11 + r_1 - 1, r_1 - 1) such strings, of equal probability. Strings that start with 1
    are the same with symbols exchanged.
    """
    losses = np.full(length, math.log(2.0))
    for t in range(2, length):
        probabilities, laws = _counts_after(t, float(concentration))
        losses[t] = float(probabilities @ law_entropies(laws)) / float(probabilities.sum())
    return losses


def _counts_after(t: int, a: float) -> tuple[Floats, Floats]:
    """Probability (n,) of every set of transition counts after t tokens, and the law (n, 2) of the token that follows:
    stay, switch."""
    from scipy.special import gammaln

    stays, stays_0 = np.tril_indices(t)  # 0 <= stays_0 <= stays < t
    stays_1, switches = stays - stays_0, t - 1 - stays
    n_01, n_10 = (switches + 1) // 2, switches // 2
    runs_0, runs_1 = n_10 + 1, n_01
    possible = (runs_1 > 0) | (stays_1 == 0)
    n_00, n_01, n_10, n_11 = stays_0[possible], n_01[possible], n_10[possible], stays_1[possible]
    runs_0, runs_1, switches = runs_0[possible], runs_1[possible], switches[possible]

    log_gamma = gammaln(np.arange(2 * t + 2.0))
    log_gamma_a, log_gamma_2a = gammaln(np.arange(t + 1) + a), gammaln(np.arange(2 * t + 1) + 2 * a)

    def log_arrangements(extra: np.ndarray, runs: np.ndarray) -> Floats:
        """ln C(extra + runs - 1, runs - 1); 0 where there is nothing to arrange."""
        found: Floats = log_gamma[extra + runs] - log_gamma[extra + 1] - log_gamma[np.maximum(runs, 1)]
        return np.where(runs > 0, found, 0.0)

    def log_urn(first: np.ndarray, second: np.ndarray) -> Floats:
        drawn: Floats = log_gamma_a[first] + log_gamma_a[second] - log_gamma_2a[first + second]
        return drawn - (2 * log_gamma_a[0] - log_gamma_2a[0])

    logs = log_arrangements(n_00, runs_0) + log_arrangements(n_11, runs_1) + log_urn(n_00, n_01) + log_urn(n_11, n_10)
    at_0 = switches % 2 == 0
    stay, switch = np.where(at_0, n_00, n_11) + a, np.where(at_0, n_01, n_10) + a
    return np.exp(logs), np.stack([stay, switch], axis=1) / (stay + switch)[:, None]
