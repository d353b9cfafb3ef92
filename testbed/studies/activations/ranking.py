"""Rank correlations over activations, with the exact null of all relabellings."""

from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from testbed.studies.memory_profile.ranks import ranks

Floats = NDArray[np.float64]


def rank_rows(values: Floats) -> Floats:
    """Ranks over the second axis of (R, activations, sources), of mean 0 and norm 1: products are rank correlations."""
    centred = ranks(np.moveaxis(values, 1, -1))
    norm = np.sqrt((centred**2).sum(axis=-1, keepdims=True))
    return np.moveaxis(centred / np.where(norm > 0, norm, 1.0), -1, 1)


def correlations(entropy: Floats, excess: Floats) -> tuple[Floats, float]:
    """(R,) rank correlations over activations averaged over sources, of arrays (R, activations, sources); and the share
    of all relabellings of the activations, the same for all sources and replicates, whose mean is as large or larger:
    the exact p-value of "which activation is which says nothing"."""
    x, y = rank_rows(entropy), rank_rows(excess)
    table = np.einsum("ras,rbs->ab", x, y) / (x.shape[0] * x.shape[2])
    n = x.shape[1]
    relabelled = table[np.array(list(permutations(range(n)))), np.arange(n)].sum(axis=1)
    own = float(np.trace(table))
    return (x * y).sum(axis=1).mean(axis=1), float((relabelled >= own - 1e-12).mean())
