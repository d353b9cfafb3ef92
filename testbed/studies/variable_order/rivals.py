"""Learners without a network: fixed orders, their interpolation by counts, and the learner who knows the tree.

Every one of them takes the first D tokens for uniform and counts targets from position D on, as the source does.

    fixed order l       (n(c x) + a) / (n(c) + V a) for the last l tokens c, the Bayes law if every tree were full to l
    interpolation       q_D = p_D,  q = g_D(n_D) p_D + (1 - g_D(n_D)) (g_(D-1)(n_(D-1)) p_(D-1) + ...),  g_0 = 1:
                        how far each order l is believed depends on how often its context was seen (n_l), not on which
                        order has done well in this sequence (Jelinek & Mercer 1980). The g are fitted by
                        expectation-maximisation to fresh sequences, against the Bayes law: the best linear blend with
                        one gate for each order and count
    knows the tree      counts of its leaf; what it gains over context-tree weighting is the price of not knowing it
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from testbed.predictors.context_tree import context_tree_law
from testbed.predictors.grouping import context_groups, earlier_counts, earlier_symbols
from testbed.sources.in_context import ContextTreeSource
from testbed.training.sequences import draw_sequences
from testbed.training.streams import first_sequence

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

BINS = np.array([0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 256, 512, 1024])
"""Counts from which a weight of its own begins."""


def divergence(laws: Floats, others: Floats) -> Floats:
    """(...,) KL(p || q) of laws (..., V), nats; q positive wherever p is."""
    logs = np.log(laws, out=np.zeros_like(laws), where=laws > 0)
    return np.asarray((laws * (logs - np.log(others))).sum(axis=-1))


def tree_law(
    tokens: Integers, start: int, vocab_size: int, branching: float, concentration: float, depth: int
) -> Floats:
    """(N, L - start, V): context-tree weighting that counts from position `start` on, or from its own depth on where
    that is more; the laws of positions before are uniform."""
    laws = context_tree_law(tokens[:, max(start - depth, 0) :], vocab_size, depth, branching, concentration)
    return laws[:, min(start, depth) :]


def order_laws(tokens: Integers, source: ContextTreeSource) -> Floats:
    """(D + 1, N, L - D, V): the laws of orders 0 .. D at positions from D on."""
    v, d, a = source.vocab_size, source.depth, float(source.alpha)
    return np.stack([tree_law(tokens, d, v, 1.0, a, order) for order in range(d + 1)])


def seen(tokens: Integers, depth: int) -> Integers:
    """(D + 1, N, L - D): how often the last 0 .. D tokens stood before a target."""
    return np.stack([earlier_counts(groups) for groups in context_groups(tokens, depth)])


def count_bins(tokens: Integers, depth: int) -> Integers:
    """(D + 1, N, L - D): the bins of these counts."""
    return np.asarray(np.searchsorted(BINS, seen(tokens, depth), side="right") - 1)


@dataclass(frozen=True, eq=False)
class Interpolation:
    """gates (D + 1, n_bins): how far each order is believed by the count of its context; those of order 0 are 1."""

    gates: Floats

    def weights(self, bins: Integers) -> Floats:
        """(D + 1, ...) weights of the orders, which sum to one."""
        taken = np.stack([gate[one] for gate, one in zip(self.gates, bins, strict=True)])
        left = np.ones_like(taken)  # what deeper orders have left over
        for order in range(len(taken) - 2, -1, -1):
            left[order] = left[order + 1] * (1.0 - taken[order + 1])
        return np.asarray(taken * left)

    def laws(self, bins: Integers, orders: Floats) -> Floats:
        """(..., V): the interpolated laws."""
        return np.asarray(np.einsum("o...,o...v->...v", self.weights(bins), orders))


def steep_gates(depth: int) -> Interpolation:
    """Gates that are fitted to nothing: an order is hardly believed until its context was seen four times."""
    gates = np.ones((depth + 1, len(BINS)))
    gates[1:] = np.where(BINS < 4, 0.05, 0.95)
    return Interpolation(gates)


def fitted(orders: Floats, bins: Integers, bayes: Floats, steps: int) -> Interpolation:
    """The gates of largest mean of E_bayes[ln q], climbing by expectation-maximisation.

    orders (D + 1, n, V), bins (D + 1, n), bayes (n, V)
    """
    n_bins = len(BINS)
    found = Interpolation(np.full((len(orders), n_bins), 0.5))
    found.gates[0] = 1.0
    for _ in range(steps):
        weights = found.weights(bins)
        mixed = np.einsum("on,onv->nv", weights, orders)
        share = weights * np.einsum("nv,onv->on", bayes / mixed, orders)  # posterior shares of the orders
        below = np.cumsum(share, axis=0)
        for order in range(1, len(orders)):
            own = np.bincount(bins[order], share[order], n_bins)
            reached = np.bincount(bins[order], below[order], n_bins)
            found.gates[order] = np.divide(own, reached, out=np.full(n_bins, 0.5), where=reached > 0)
    return found


@lru_cache(maxsize=4)
def interpolation(source: ContextTreeSource, length: int, n: int, steps: int, seed: int) -> Interpolation:
    """Fitted to n fresh sequences of the source."""
    tokens = tokens_of(source, seed, n, length)
    bayes, orders = source.predict(tokens)[:, source.depth :], order_laws(tokens, source)
    bins, v = count_bins(tokens, source.depth), source.vocab_size
    return fitted(orders.reshape(len(orders), -1, v), bins.reshape(len(bins), -1), bayes.reshape(-1, v), steps)


def leaves_of(tokens: Integers, source: ContextTreeSource, seed: int) -> tuple[Integers, Integers]:
    """(N, V^D) the leaf of each context in every sequence's tree, (N, L - D) the context at each position; tokens are
    the first of the seed's probe stream."""
    v, d = source.vocab_size, source.depth
    leaves = source.trees(len(tokens), seed, first_sequence("probe"))
    context = sum(tokens[:, d - lag : tokens.shape[1] - lag] * v ** (lag - 1) for lag in range(1, d + 1))
    return leaves.astype(np.int64), np.asarray(context)


def known_tree_laws(tokens: Integers, source: ContextTreeSource, seed: int) -> Floats:
    """(N, L - D, V): the law of who knows each sequence's tree; tokens as in `leaves_of`."""
    v, d = source.vocab_size, source.depth
    leaf = np.take_along_axis(*leaves_of(tokens, source, seed), axis=1)
    groups = leaf + v**d * np.arange(len(tokens))[:, None]
    counts = earlier_symbols(groups, tokens[:, d:], v) + float(source.alpha)
    return np.asarray(counts / counts.sum(axis=-1, keepdims=True))


def tokens_of(source: ContextTreeSource, seed: int, n: int, length: int) -> Integers:
    """Fresh sequences."""
    return draw_sequences(source, "probe", seed, n, length).tokens.astype(np.int64)
