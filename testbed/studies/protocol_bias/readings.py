"""What is read off curves and paths: the apparent optimum, the end by early stopping, the average over a block."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def apparent(losses: ArrayLike, lengths: ArrayLike, delta: float) -> Floats:
    """(...) ln l* of losses (..., n_l): the shortest l within delta of the least loss of that run.

    One run a cell, as the published grids are read; the spread of this reading is part of what is measured.

    >>> apparent([[0.5, 0.31, 0.3, 0.4]], [1, 2, 4, 8], 0.02).round(3).tolist()
    [0.693]
    """
    values = np.asarray(losses, dtype=np.float64)
    near = values <= values.min(axis=-1, keepdims=True) + delta
    return np.asarray(np.log(np.asarray(lengths, dtype=np.float64))[np.argmax(near, axis=-1)])


def stopped_at(validation: ArrayLike, patience: int) -> int:
    """Which validation's weights are reported: the best before `patience` of them in a row brought no new least loss.

    >>> stopped_at([3.0, 2.0, 2.5, 2.4, 1.0], 2), stopped_at([3.0, 2.0, 2.5, 2.4, 1.0], 3)
    (1, 4)
    """
    best, least = 0, np.inf
    for at, value in enumerate(np.asarray(validation, dtype=np.float64).tolist()):
        if value < least:
            best, least = at, value
        elif at - best >= patience:
            break
    return best


def block_average(losses: ArrayLike) -> Floats:
    """(..., L + 1) M_l = (L_0 + ... + L_l) / (l + 1) of losses at contexts 0 .. L: what a block of l + 1 targets shows.

    While L falls so does M, and M falls on for as long as L_(l+1) < M_l: its least value lies at l* or beyond.
    """
    values = np.asarray(losses, dtype=np.float64)
    return np.asarray(np.cumsum(values, axis=-1) / np.arange(1, values.shape[-1] + 1))


def block_factor(exponent: float) -> float:
    """ln of the factor by which block averages lengthen l*, at large D: ln(2 / (1 - gamma)) / (1 + gamma).

    L_l = C l^-gamma + k l has its least value at l* = (gamma C / k)^(1 / (1 + gamma)), and its average over 0 .. l,
    C l^-gamma / (1 - gamma) + k l / 2, at l* (2 / (1 - gamma))^(1 / (1 + gamma)). The sum over t <= l of t^-gamma is
    l^(1 - gamma) / (1 - gamma) up to a constant, so that it is exact in the limit.

    >>> round(block_factor(0.5), 4)
    0.9242
    """
    return float(np.log(2.0 / (1.0 - exponent)) / (1.0 + exponent))
