"""The levels of the loss on chains of order k: what is gained without their whole context.

All are excess over the Bayes law, nats, means of exact divergences over drawn sequences:

    uniform     no counts
    counts_j    order j < k: how often x followed the last j tokens, with the smoothing that suits it best
    edge        order k - 1 and one token more: the best law of how often each symbol followed the last k - 1 tokens,
                and of the token before these. It is fitted to half of the sequences and scored on the others

The gap of order k is counts_(k - 1), what a model that knows one token less still loses; of order 0, uniform. `edge` is
what can be had without counting in contexts of k tokens although all of them are seen: whoever is to have learnt order
k must lie below it.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from testbed.predictors import add_constant_law
from testbed.predictors.grouping import context_groups, earlier_symbols
from testbed.sources import Source, build
from testbed.training.streams import first_sequence

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
LEVELS_SEED = 1


def chains(vocab_size: int, order: int) -> Source:
    """Sequences, each of a chain of its own: rows are drawn from Dirichlet(1)."""
    return build({"type": "dirichlet_markov", "vocab_size": vocab_size, "order": order})


def excess_of(laws: Floats, log_q: Floats) -> Floats:
    """(N,) mean KL(p || q) over the positions of each sequence; laws and log_q (N, T, V)."""
    return np.asarray((laws * (np.log(laws) - log_q)).sum(axis=-1).mean(axis=-1))


def row_counts(tokens: Integers, order: int, vocab_size: int) -> Integers:
    """(N, T, V): how often each symbol followed the last `order` tokens before; zeros where there are fewer."""
    found = np.zeros((*tokens.shape, vocab_size), dtype=np.int64)
    *_, groups = context_groups(tokens, order)
    found[:, order:] = earlier_symbols(groups, tokens[:, order:], vocab_size)
    return found


def count_laws(tokens: Integers, order: int, vocab_size: int, smoothings: tuple[float, ...]) -> Iterator[Floats]:
    """For each smoothing (N, T, V): (n_cx + a) / (n_c + V a)."""
    counts = row_counts(tokens, order, vocab_size)
    for added in smoothings:
        yield add_constant_law(counts, added)


def level_rows(source: Source, order: int, length: int, n: int, smoothings: tuple[float, ...]) -> dict[str, Floats]:
    """(n,) excess of every sequence: uniform, counts_0 .. counts_(k - 1), each with its best smoothing; for k >= 1
    `edge` (n // 2,) too."""
    k = source.vocab_size
    start = first_sequence("probe")
    tokens = source.sample(n, length, seed=LEVELS_SEED, first_sequence=start).astype(np.int64)
    laws = source.predict(tokens)
    found = {"uniform": excess_of(laws, np.full_like(laws, -np.log(k)))}
    for j in range(order):
        rows = [excess_of(laws, np.log(law)) for law in count_laws(tokens, j, k, smoothings)]
        found[f"counts_{j}"] = min(rows, key=lambda one: float(one.mean()))
    if order:
        found["edge"] = edge_rows(tokens, laws, order)
    return found


def edge_rows(tokens: Integers, laws: Floats, order: int) -> Floats:
    """(n - n // 2,) excess of the law of the row of order k - 1 and the token before it.

    The prior is the same for all symbols, so that cases which are alike but for the symbols' names share a law: symbols
    are sorted, the token before the row first, the others by falling count.
    """
    n, length, k = laws.shape
    counts, half = row_counts(tokens, order - 1, k), n // 2
    total = np.zeros(n - half)
    for t in range(length):
        law, seen = laws[:, t], counts[:, t]
        if t < order:  # the Bayes law is uniform there
            continue
        keys = seen.astype(np.float64)
        keys[np.arange(n), tokens[:, t - order]] = np.inf
        by_rank = np.argsort(-keys, axis=1, kind="stable")
        cases = np.take_along_axis(seen, by_rank, axis=1)
        if order > 1:  # whether that token is the one before it too: symbols have names no more
            same = (tokens[:, t - order : t - order + 1] == tokens[:, t - order + 1 : t]).astype(np.int64)
            cases = np.concatenate([cases, same], axis=1)
        number = np.unique(cases, axis=0, return_inverse=True)[1].ravel()
        sorted_law = np.take_along_axis(law, by_rank, axis=1)
        fitted = np.full((number.max() + 1, k), 1.0 / k)  # weight one of the uniform law, for cases that are not met
        np.add.at(fitted, number[:half], sorted_law[:half])
        fitted /= fitted.sum(axis=1, keepdims=True)
        held = sorted_law[half:]
        total += (held * (np.log(held) - np.log(fitted[number[half:]]))).sum(axis=1)
    return total / length
