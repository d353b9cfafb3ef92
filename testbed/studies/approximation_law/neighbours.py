"""Regression by nearest neighbours on the torus: learners whose exponents are known, whatever they are given.

averaging     the mean of the k nearest labels, with half a count of each label added. On the torus neighbours lie
              round a point on all sides, so that its bias is of second order (s = 2) and, with k at its best,
              the excess is D^(-4 / (4 + d)) with noisy labels (Stone 1982)
nearest       the law of the nearest point, where laws are shown and not labels: D^(-2 / d), s = 1
local plane   log odds on a plane through the 3 (d + 1) nearest, where laws are shown: D^(-4 / d), s = 2
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MOST = 4096  # neighbours; the best k stays below it at the sizes of this study


def neighbours(seen: Floats, asked: Floats, k: int) -> tuple[Floats, NDArray[np.int64]]:
    """Distances (N, k) and numbers (N, k) of the nearest of `seen` (D, l) on the torus [-1, 1)^l, nearest first."""
    from scipy.spatial import cKDTree

    tree = cKDTree(np.mod(seen + 1.0, 2.0), boxsize=2.0)
    distances, which = tree.query(np.mod(asked + 1.0, 2.0), k=k)
    return np.asarray(distances).reshape(len(asked), k), np.asarray(which, dtype=np.int64).reshape(len(asked), k)


def averaged(seen: Floats, labels: Floats, asked: Floats) -> Floats:
    """(K, N, C): for each k = 1, 2, 4, ..., at most half of all, the add-half mean of the k nearest labels (D, C)."""
    ks = 2 ** np.arange(int(np.log2(min(len(seen), 2 * MOST))))
    _, which = neighbours(seen, asked, int(ks[-1]))
    sums = np.cumsum(labels[which], axis=1)[:, ks - 1]
    found = (sums + 0.5) / (ks[None, :, None] + 0.5 * labels.shape[1])
    return np.moveaxis(found, 1, 0)


def nearest(seen: Floats, laws: Floats, asked: Floats) -> Floats:
    """(N, C): the law of the nearest point."""
    return np.asarray(laws[neighbours(seen, asked, 1)[1][:, 0]])


def local_plane(seen: Floats, laws: Floats, asked: Floats) -> Floats:
    """(N, C): log laws on a plane through the 3 (l + 1) nearest, by least squares, normalised."""
    d = seen.shape[1]
    _, which = neighbours(seen, asked, 3 * (d + 1))
    steps = np.mod(seen[which] - asked[:, None] + 1.0, 2.0) - 1.0
    design = np.concatenate([np.ones((*steps.shape[:2], 1)), steps], axis=2)
    values = np.log(laws[which])
    logs = (np.linalg.pinv(design)[:, :1] @ values)[:, 0]
    lowest, highest = values.min(axis=1) - 1.0, values.max(axis=1) + 1.0  # a plane is not extended far
    found = np.exp(np.clip(logs, lowest, highest))
    return np.asarray(found / found.sum(axis=1, keepdims=True))
