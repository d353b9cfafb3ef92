"""Lossy merges of a chain's alphabet: which symbols to take for one, and what they still tell of the next symbol.

T = g(X_t) keeps I(T; X_(t+1)) of the predictive information I(X_t; X_(t+1)). Four ways to choose g with H(T) <= R:

    best         the largest I(T; X_(t+1)) of all partitions
    predictive   the two cells whose merging loses least of it, again and again: the agglomerative information
                 bottleneck (Slonim & Tishby 1999)
    entropy      the largest H(T) = I(X_t; T): entropy-bounded information maximisation (2410.21666), which sees
                 probabilities and no futures
    adjacent     the two cells that stand side by side most often: byte pairs read as merges of an alphabet, our reading
"""

import itertools
from collections.abc import Callable

import numpy as np

from testbed.core import ConfigError
from testbed.measures.couplings.bottleneck import (
    ROOM,
    Labels,
    best_maps,
    cell_laws,
    membership,
    numbered,
    set_partitions,
)
from testbed.measures.couplings.laws import Floats, entropies, entropy


def kept_information(joint: Floats, labels: Labels) -> Floats:
    """(..) I(T; X'), nats, for labels (.., n), from the law (n, m) of X and what comes after it.

    >>> kept_information(np.eye(2) / 2, np.array([[0, 0], [0, 1]])).round(6).tolist()
    [0.0, 0.693147]
    """
    p = _checked_joint(joint)
    cells = np.einsum("xy,...xt->...ty", p, membership(labels))
    pairs = cells.reshape(*cells.shape[:-2], -1)
    told = entropies(cells.sum(axis=-1)) + entropies(cells.sum(axis=-2)) - entropies(pairs)
    return np.asarray(np.maximum(told, 0.0))


def best_kept(joint: Floats, rate: float) -> float:
    """The largest I(T; X'), nats, of all maps with H(T) <= rate; exact, by enumeration."""
    maps = set_partitions(len(joint))
    within = entropies(cell_laws(joint.sum(axis=1), maps)) <= rate + ROOM
    return float(kept_information(joint, maps[within]).max())


def entropy_kept(joint: Floats, rate: float) -> Floats:
    """(B,) I(T; X'), nats, of every map that the entropy criterion could take: those of largest H(T) <= rate."""
    return kept_information(joint, best_maps(joint.sum(axis=1), rate))


def predictive_merges(joint: Floats, rate: float) -> Labels:
    """(n,) the merge that loses least of I(T; X') comes first, until H(T) <= rate."""
    return _merged(joint, rate, lambda labels, one, other: float(kept_information(joint, _join(labels, one, other))))


def adjacent_merges(joint: Floats, rate: float) -> Labels:
    """(n,) the two cells that most often follow each other, in either order, are merged first, until H(T) <= rate.

    Raises ConfigError unless the law is of two symbols of one alphabet, (n, n).
    """
    if joint.shape[0] != joint.shape[1]:
        raise ConfigError(f"joint: given the shape {joint.shape}, must be the square law of a symbol and the next")

    def neighbours(labels: Labels, one: int, other: int) -> float:
        first, second = labels == one, labels == other
        return float(joint[np.ix_(first, second)].sum() + joint[np.ix_(second, first)].sum())

    return _merged(joint, rate, neighbours)


def _merged(joint: Floats, rate: float, worth: Callable[[Labels, int, int], float]) -> Labels:
    """The pair of cells of largest worth is merged until H(T) <= rate; of equal pairs the first."""
    if not rate >= 0:
        raise ConfigError(f"rate: given {rate}, must be at least 0 nats")
    law = _checked_joint(joint).sum(axis=1)
    labels = np.arange(len(law))
    while entropy(cell_laws(law, labels)) > rate + ROOM:
        pairs = list(itertools.combinations(np.unique(labels).tolist(), 2))
        one, other = max(pairs, key=lambda pair: worth(labels, *pair))
        labels = _join(labels, one, other)
    return numbered(labels)


def _join(labels: Labels, one: int, other: int) -> Labels:
    return np.where(labels == other, one, labels)


def _checked_joint(joint: Floats) -> Floats:
    if joint.ndim != 2 or not np.isfinite(joint).all() or joint.min() < 0 or abs(float(joint.sum()) - 1.0) > 1e-9:
        raise ConfigError(f"joint: given the shape {joint.shape}, must be a law (n, m) of two symbols")
    return joint
