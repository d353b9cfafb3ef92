"""The sources of the study, drawn for each replicate, and how much the symbols of a batch fluctuate, exactly."""

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from testbed.sources import Source
    from testbed.studies.normalisers.config import Family

Floats = NDArray[np.float64]
LEAST = 0.01
"""Smallest entry of a drawn row, before it is normed."""
ROUNDS = 2000
"""Of balancing, at most."""


@lru_cache(maxsize=512)
def kernels(family: "Family", vocab_size: int, tilt: float, seed: int) -> tuple[Floats, Floats]:
    """The transition matrices (V, V) of two regimes.

    burst   rows of the one are Dirichlet with the share `tilt` of their mass on a random half of the symbols, rows of
            the other on the other half: batches in which a regime prevails hold more of its symbols
    flat    the same matrices, their columns and rows scaled in turn until all sum to one (Sinkhorn): odds ratios stay,
            both stationary laws are uniform, and which regime prevails changes no symbol's mean count
    """
    rng = np.random.default_rng([seed, 1])
    order, half = rng.permutation(vocab_size), vocab_size // 2
    found = []
    for own in (order[:half], order[half:]):
        base = np.full(vocab_size, (1 - tilt) / (vocab_size - len(own)))
        base[own] = tilt / len(own)
        rows = np.maximum(rng.dirichlet(vocab_size * base, size=vocab_size), LEAST)
        rows /= rows.sum(axis=1, keepdims=True)
        found.append(rows if family == "burst" else balanced(rows))
    return found[0], found[1]


def balanced(rows: Floats) -> Floats:
    """The doubly stochastic matrix diag(a) rows diag(b)  (Sinkhorn 1964)."""
    for _ in range(ROUNDS):
        if np.abs(rows.sum(axis=0) - 1).max() < 1e-14 * len(rows):
            break
        rows = rows / rows.sum(axis=0)
        rows = rows / rows.sum(axis=1, keepdims=True)
    return rows


def stationary(kernel: Floats) -> Floats:
    """(V,) the law that the kernel keeps."""
    n = len(kernel)
    system = np.vstack([kernel.T - np.eye(n), np.ones(n)])
    return np.asarray(np.linalg.lstsq(system, np.append(np.zeros(n), 1.0), rcond=None)[0])


@lru_cache(maxsize=2048)
def switching(family: "Family", vocab_size: int, tilt: float, stay: float, seed: int) -> "Source":
    """Two regimes of a mean stay; a regime starts in its stationary law."""
    from testbed.sources.combinators.regime_switching import RegimeSwitchingSource
    from testbed.sources.markov import MarkovSource

    return RegimeSwitchingSource([MarkovSource(one) for one in kernels(family, vocab_size, tilt, seed)], dwell=stay)


def fluctuation(pair: tuple[Floats, Floats], stay: float, length: int, n_sequences: int) -> float:
    """Root of the summed variances of the shares of all symbols in a batch of independent sequences, exactly.

        Var = sum_v sum_(s,t) Cov(x_s = v, x_t = v) / (T^2 N)

    The pair (regime, symbol) is a Markov chain: Q[(r, i), (r', j)] = (1 - 1/B) K_r[i, j] for r' = r, pi_r'[j] / B else.
    """
    size = len(pair[0])
    laws = [stationary(one) for one in pair]
    parts = np.zeros((2, size, 2, size))
    for r in range(2):
        parts[r, :, r, :] = (1 - 1 / stay) * pair[r]
        parts[r, :, 1 - r, :] = laws[1 - r] / stay
    q = parts.reshape(2 * size, 2 * size)
    start = np.concatenate(laws) / 2
    symbol = np.tile(np.eye(size), (2, 1))
    mean = start @ symbol
    total, step = 0.0, np.eye(2 * size)
    for lag in range(length):
        joint = float(np.einsum("sv,st,tv->", symbol * start[:, None], step, symbol))
        total += (length - lag) * (1 if lag == 0 else 2) * (joint - float(mean @ mean))
        step = step @ q
    return float(np.sqrt(total / (length**2 * n_sequences)))
