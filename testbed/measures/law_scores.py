"""How good a predicted law is by other scores than the loss, exactly under the true one; and one number over lengths.

p true laws, q predicted ones, (..., V). Both scores are expectations over the next token, so that nothing is sampled.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def brier_excess(laws: Floats, log_q: Floats) -> Floats:
    """(...,): the Brier score of q above that of p, sum_v (q_v - p_v)^2, between 0 and 2.

    The score itself is E |q - e_x|^2 with e_x the one-hot token x ~ p (Brier 1950); its least is 1 - sum p^2, at q = p.

    >>> brier_excess(np.array([0.75, 0.25]), np.log([0.5, 0.5])).item()
    0.125
    """
    found: Floats = np.sum((np.exp(log_q) - laws) ** 2, axis=-1)
    return found


def accuracy(laws: Floats, log_q: Floats) -> Floats:
    """(...,): the chance that the most likely token of q comes next; where several tie, the mean over them.

    >>> accuracy(np.array([0.75, 0.25]), np.log([0.2, 0.8])).item()
    0.25
    """
    best = log_q == log_q.max(axis=-1, keepdims=True)
    found: Floats = np.sum(laws * best, axis=-1) / best.sum(axis=-1)
    return found


def mean_over_log_length(lengths: ArrayLike, values: ArrayLike) -> float:
    """The area under values against ln n, by trapezoids, over the range of ln n: a mean in the unit of the values.

    With values the excess at n = m, 2 m, 4 m, ... it is the area under KL against ln(n / m), for tables of one number a
    method. ValueError where the lengths do not rise or fewer than two are given.

    >>> mean_over_log_length([64, 256, 1024], [0.0, 0.1, 0.4])
    0.15
    """
    x, y = np.log(np.asarray(lengths, dtype=np.float64)), np.asarray(values, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape or len(x) < 2 or not np.all(np.diff(x) > 0):
        raise ValueError(f"lengths: must rise, with a value each, given {lengths!r} and {values!r}")
    return float(np.trapezoid(y, x) / (x[-1] - x[0]))
