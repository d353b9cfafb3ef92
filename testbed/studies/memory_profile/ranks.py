"""Rank correlations that hold a third quantity fixed, and how often chance gives as much."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def ranks(values: Floats) -> Floats:
    """(..., n) ranks along the last axis, ties shared, centred; infinite values last."""
    ordered = np.sort(values, axis=-1)[..., None, :]
    below = (ordered < values[..., None]).sum(axis=-1)
    upto = (ordered <= values[..., None]).sum(axis=-1)
    found = (below + upto + 1) / 2.0
    return np.asarray(found - found.mean(axis=-1, keepdims=True))


def correlation(x: Floats, y: Floats) -> Floats:
    """Along the last axis, of centred values; 0 where one of them does not vary."""
    norm = np.sqrt((x**2).sum(axis=-1) * (y**2).sum(axis=-1))
    return np.asarray(np.divide((x * y).sum(axis=-1), norm, out=np.zeros(norm.shape), where=norm > 1e-12))


def partial_rank_correlation(x: Floats, y: Floats, z: Floats) -> Floats:
    """Spearman's correlation of x and y with z held fixed, along the last axis:

        (r_xy - r_xz r_yz) / ( (1 - r_xz^2) (1 - r_yz^2) )^(1/2)

    0 where z leaves nothing of x or y.

    >>> x, z = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, -1.0, -1.0, 1.0])
    >>> float(partial_rank_correlation(x, x, z).round(6)), float(partial_rank_correlation(x, z, z))
    (1.0, 0.0)
    """
    return _partial(ranks(x), ranks(y), ranks(z))


def chance(x: Floats, y: Floats, z: Floats, n: int, seed: int) -> float:
    """Share of n permutations of y within each replicate (rows) whose mean partial correlation with x is as far from 0.

    The permutation test of "y has nothing to do with x and z"; at least 1 / (n + 1).
    """
    rng = np.random.Generator(np.random.Philox(key=seed))
    a, b, c = ranks(x), ranks(y), ranks(z)
    shuffled = rng.permuted(np.broadcast_to(b, (n, *b.shape)), axis=-1)  # ranks move with what they rank
    found = np.abs(_partial(a, shuffled, c).mean(axis=-1))
    return float((1 + np.sum(found >= abs(_partial(a, b, c).mean()) - 1e-12)) / (n + 1))


def _partial(a: Floats, b: Floats, c: Floats) -> Floats:
    r_xy, r_xz, r_yz = correlation(a, b), correlation(a, c), correlation(b, c)
    left = np.maximum(1 - r_xz**2, 0.0) * np.maximum(1 - r_yz**2, 0.0)
    found = np.divide(r_xy - r_xz * r_yz, np.sqrt(left), out=np.zeros(np.shape(left)), where=left > 1e-12)
    return np.asarray(found.clip(-1.0, 1.0))
