"""Sums over the keys of a Santa Fe process: what is not yet seen, and what was last seen how long ago."""

import numpy as np

from testbed.sources.bits import LN2
from testbed.sources.source import Floats

BLOCK = 256


def santa_fe_excess(probabilities: Floats, max_context: int, counts: Floats | float = 1.0) -> Floats:
    """(max + 1,): ln 2 sum_k n_k p_k (1 - p_k)^l, the loss on bits not yet seen after l tokens.

    >>> zipf = np.arange(1, 10**5) ** -2.0
    >>> (santa_fe_excess(zipf / zipf.sum(), 10)[[1, 10]] / np.log(2)).round(3)
    array([0.6  , 0.211])
    """
    mass = np.asarray(counts * probabilities, dtype=np.float64)
    with np.errstate(divide="ignore"):
        log_missed = np.log1p(-probabilities)
    result = np.empty(max_context + 1)
    result[0] = mass.sum()
    for l in range(1, max_context + 1):
        result[l] = np.exp(l * log_missed) @ mass
    return LN2 * result


def power_series(q: Floats, coefficients: Floats) -> Floats:
    """sum_{a=1}^{A} c_a q^(a-1) for each q (n,), by blocks of ages; no term is negative where c is not."""
    powers = q[:, None] ** np.arange(BLOCK)
    result = np.zeros(len(q))
    for first in range(0, len(coefficients), BLOCK):
        block = coefficients[first : first + BLOCK]
        result += q**first * (powers[:, : len(block)] @ block)
    return result
