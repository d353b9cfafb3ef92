"""Without training: entropies of random rows against |q|, and what soft weights cost a linear read-out of a copy."""

from functools import lru_cache
from itertools import combinations
from math import comb
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.studies.linear_attention_entropy.config import KERNELS, METHODS, Reading

if TYPE_CHECKING:
    from torch import Tensor

Floats = NDArray[np.float64]
GAINS = (1e-3, 1e5)
"""Gains between which the read-out's best is sought; what it loses is convex in the gain."""
MOST_ROWS = 20_000
"""Compositions up to which all are summed over; of more, as many are drawn."""
N_WEIGHTS = 240
"""Entropies at which the price is computed."""


def entropies(reading: Reading, seed: int) -> Floats:
    """(kernels, norms, draws): nats, of one query of each length over its own random keys, both standard normal.

    The query is a direction times |q|; the softmax has logits q . k / sqrt(K). The kernels are those of the methods.
    """
    import torch

    from testbed.methods.method import methods

    rng = np.random.default_rng([seed, 20])
    q, k = (rng.standard_normal(shape) for shape in _shapes(reading))
    q /= np.linalg.norm(q, axis=-1, keepdims=True)
    direction, keys = torch.from_numpy(q), torch.from_numpy(k)
    found = np.empty((len(KERNELS), len(reading.norms), reading.n_draws))
    for place, arm in enumerate(KERNELS):
        method = methods.build(METHODS[arm][0]) if METHODS[arm] else None
        for column, norm in enumerate(reading.norms):
            asked = norm * direction
            if method is None:
                w = (asked @ keys.transpose(-1, -2) * reading.size**-0.5).softmax(dim=-1)
            else:
                w = rows(method.kernel(asked, keys))  # type: ignore[attr-defined]
            found[place, column] = torch.special.entr(w).sum(dim=-1)[:, 0].numpy()
    return found


def rows(kernel: "Tensor") -> "Tensor":
    """Kernels over their sum; a row of zeros averages, as in the methods."""
    total = kernel.sum(dim=-1, keepdim=True)
    return (kernel / total.clamp(min=1e-300)).where(total > 0, 1.0 / kernel.shape[-1])


def _shapes(reading: Reading) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    return (reading.n_draws, 1, reading.size), (reading.n_draws, reading.n_keys, reading.size)


@lru_cache(maxsize=16)
def demand(vocab_size: int, n_keys: int) -> tuple[Floats, Floats]:
    """(W,) entropies, evenly spaced from 0 to ln n_keys, and (W,) excess of a copy read with them, nats.

    A head puts weight w on the key of the token to be copied and shares the rest evenly among n_keys - 1 keys, whose
    tokens are uniform. m_x is the weight on symbol x, and the read-out is linear in it: softmax(g m), at the gain g of
    least mean excess E[-ln softmax(g m)_x]. What MLPs and later layers could make of m beyond that is not in it. The
    mean is over all counts of symbols; where these are more than MOST_ROWS, over as many that are drawn.
    """
    counts, chances = _counts(vocab_size, n_keys - 1)
    entropy = np.linspace(0.0, np.log(n_keys), N_WEIGHTS)
    own = weights_of(entropy, n_keys)
    excess = np.empty(N_WEIGHTS)
    for place, w in enumerate(own):
        mass = counts * ((1.0 - w) / max(n_keys - 1, 1))
        mass[:, 0] += w  # which symbol is copied does not matter
        excess[place] = _least_excess(mass - mass[:, :1], chances)
    return entropy, excess


def weights_of(entropy: Floats, n_keys: int) -> Floats:
    """(W,) the weight w >= 1 / n of one key, the rest even, of each entropy: which falls as w rises."""
    low, high = np.full(entropy.shape, 1.0 / n_keys), np.ones(entropy.shape)
    for _ in range(60):
        w = (low + high) / 2
        rest = 1.0 - w
        h = -w * np.log(w) - rest * np.log(np.maximum(rest, 1e-300) / max(n_keys - 1, 1))
        low, high = np.where(h > entropy, w, low), np.where(h > entropy, high, w)
    found: Floats = (low + high) / 2
    return found


def _counts(vocab_size: int, n: int) -> tuple[Floats, Floats]:
    """(C, V) counts of n uniform tokens, those of symbols other than the first sorted, and (C,) their chances."""
    from scipy.special import gammaln

    if comb(n + vocab_size - 1, vocab_size - 1) > MOST_ROWS:
        drawn = np.random.default_rng(21).multinomial(n, np.full(vocab_size, 1 / vocab_size), size=MOST_ROWS)
        return drawn.astype(np.float64), np.full(MOST_ROWS, 1 / MOST_ROWS)
    bars = np.array(list(combinations(range(n + vocab_size - 1), vocab_size - 1))).reshape(-1, vocab_size - 1)
    ends = np.pad(bars, ((0, 0), (1, 1)), constant_values=((0, 0), (-1, n + vocab_size - 1)))
    every = np.diff(ends, axis=1) - 1
    chances = np.exp(gammaln(n + 1) - gammaln(every + 1).sum(axis=1) - n * np.log(vocab_size))
    every[:, 1:].sort(axis=1)
    kept, place = np.unique(every, axis=0, return_inverse=True)
    return kept.astype(np.float64), np.asarray(np.bincount(place.ravel(), weights=chances), dtype=np.float64)


def _least_excess(gap: Floats, chances: Floats) -> float:
    """Least over the gain, by golden section in its logarithm."""
    low, high = np.log(GAINS[0]), np.log(GAINS[1])
    step = (np.sqrt(5.0) - 1) / 2
    left, right = high - step * (high - low), low + step * (high - low)
    of_left, of_right = (_excess(gap, chances, float(np.exp(one))) for one in (left, right))
    while high - low > 1e-3:
        if of_left <= of_right:
            high, right, of_right = right, left, of_left
            left = high - step * (high - low)
            of_left = _excess(gap, chances, float(np.exp(left)))
        else:
            low, left, of_left = left, right, of_right
            right = low + step * (high - low)
            of_right = _excess(gap, chances, float(np.exp(right)))
    return min(of_left, of_right)


def _excess(gap: Floats, chances: Floats, gain: float) -> float:
    """Mean of ln sum_x e^(g (m_x - m_copied))."""
    scaled = gain * gap
    top = scaled.max(axis=1)
    return float(chances @ (top + np.log(np.exp(scaled - top[:, None]).sum(axis=1))))
