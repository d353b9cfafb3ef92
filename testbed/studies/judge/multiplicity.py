"""Adjusted p-values for several hypotheses at once.

Adjusted means: the hypothesis is rejected at family level alpha iff its adjusted value is <= alpha.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def holm(p: ArrayLike) -> Floats:
    """Holm's step-down adjustment: family-wise error <= alpha under any dependence (Holm 1979, Scand. J. Stat. 6, 65).

    adjusted_(j) = max_{i <= j} min(1, (m - i + 1) p_(i)), p_(1) <= ... <= p_(m), in the order given. p (m,) -> (m,).
    Raises ValueError for values outside [0, 1].

    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    p = _checked(p)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate((len(p) - np.arange(len(p))) * p[order])
    return _unsorted(np.minimum(1.0, stepped), order)


def holm_level(p: ArrayLike, alpha: float) -> float:
    """The level c at which Holm's procedure stops: it rejects exactly the hypotheses with p <= c.

    With J rejections, c = alpha / max(1, m - J): a rejected p_(j) is <= alpha / (m - j + 1) <= c, and the first one
    kept, hence every one kept, is > alpha / (m - J) = c.

    >>> holm_level([0.01, 0.04, 0.03], 0.05)          # one rejection of three
    0.025
    """
    p = _checked(p)
    rejected = int(np.sum(holm(p) <= alpha))
    return alpha / max(1, len(p) - rejected)


def benjamini_hochberg(p: ArrayLike) -> Floats:
    """Benjamini and Hochberg's adjustment: false discovery rate <= alpha for independent or positively dependent p.

    adjusted_(j) = min_{i >= j} min(1, m p_(i) / i), (m,) -> (m,) (Benjamini & Hochberg 1995, JRSS B 57, 289).
    Over a ledger of verdicts, p is `Verdict.p_decisive`. Raises ValueError for values outside [0, 1].

    >>> benjamini_hochberg([0.01, 0.04, 0.03]).round(12).tolist()
    [0.03, 0.04, 0.04]
    """
    p = _checked(p)
    order = np.argsort(p, kind="stable")
    stepped = p[order] * len(p) / np.arange(1, len(p) + 1)
    return _unsorted(np.minimum(1.0, np.minimum.accumulate(stepped[::-1])[::-1]), order)


def _checked(p: ArrayLike) -> Floats:
    array = np.asarray(p, dtype=np.float64)
    if array.ndim != 1 or not np.all((array >= 0) & (array <= 1)):
        raise ValueError(f"p-values are a list of numbers in [0, 1], not {array.tolist()}")
    return array


def _unsorted(adjusted: Floats, order: NDArray[np.intp]) -> Floats:
    result = np.empty_like(adjusted)
    result[order] = adjusted
    return result
