"""Learners without a network, each with its loss above the Bayes loss, at every dataset size and context length.

    table       counts of what followed each context of n tokens, add one half (KT)
    tree        context-tree weighting up to a depth: it has no context length to choose
    pairs       least squares on the last n tokens, from correlations of pairs alone
    screened    the same on those lags alone whose correlation stands out of the noise of D targets, from a uniform
                law unless the targets' own stands out: the horizon law's own argument made a learner

The loss is the mean KL of the exact law given all of the past, so it is L(D) - h without the noise of targets.
"""

import numpy as np
from numpy.typing import NDArray

from testbed.predictors import ContextTree, add_constant_law
from testbed.studies.memory_profile.config import Horizon
from testbed.studies.memory_profile.families import Drawn, Stream

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def divergence(laws: Floats, guess: Floats) -> float:
    """Mean KL, nats."""
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(laws > 0, laws * (np.log(laws) - np.log(guess)), 0.0)
    return float(terms.sum(axis=1).mean())


def geometric_lengths(longest: int) -> Integers:
    """0, 1, 2, 3, 4, 6, 8, 11, .. longest: two to each doubling."""
    steps = int(np.floor(2 * np.log2(longest)))
    return np.unique(np.append([0, longest], np.rint(2 ** (np.arange(steps + 1) / 2)).astype(np.int64)))


def measured(drawn: Drawn, settings: Horizon) -> dict[str, Floats]:
    """The losses (n_sizes, n_lengths) of tables and pairs with their lengths, those (n_sizes,) of tree and screened."""
    first = drawn.streams[0]
    most = min(int(np.log(settings.table_entries) / np.log(first.vocab_size)), first.longest)
    orders, lengths = np.arange(most + 1), geometric_lengths(first.longest)
    pairs = [pair_losses(one, settings, lengths) for one in drawn.streams]
    n = np.array(drawn.counts, dtype=np.float64)  # components alike lose alike
    return {
        "table_lengths": orders.astype(np.float64),
        "table": np.tensordot(n, [table_losses(one, settings, orders) for one in drawn.streams], axes=1),
        "tree": n @ np.array([tree_losses(one, settings) for one in drawn.streams]),
        "pairs_lengths": lengths.astype(np.float64),
        "pairs": np.tensordot(n, [one[0] for one in pairs], axes=1),
        "screened": n @ np.array([one[1] for one in pairs]),
    }


def table_losses(one: Stream, settings: Horizon, orders: Integers) -> Floats:
    """(n_sizes, n_orders)."""
    v, found = one.vocab_size, np.empty((len(settings.sizes), len(orders)))
    codes = np.zeros(len(one.targets), dtype=np.int64)
    tested = np.zeros(len(one.tested), dtype=np.int64)
    for column, order in enumerate(orders.tolist()):
        if order:  # the token further back counts most
            codes += one.contexts[:, -order].astype(np.int64) * v ** (order - 1)
            tested += one.tested[:, -order].astype(np.int64) * v ** (order - 1)
        counts = np.zeros((v**order, v), dtype=np.int64)
        before = 0
        for row, size in enumerate(settings.sizes):
            new = slice(before, size)
            counts += np.bincount(codes[new] * v + one.targets[new], minlength=v ** (order + 1)).reshape(-1, v)
            found[row, column] = divergence(one.laws, add_constant_law(counts[tested]))
            before = size
    return found


def tree_losses(one: Stream, settings: Horizon) -> Floats:
    """(n_sizes,)."""
    depth = min(settings.tree_depth, one.longest)
    learner = ContextTree(one.vocab_size, depth)
    return np.array(
        [
            divergence(one.laws, learner.fit(one.contexts[:n, -depth:], one.targets[:n]).laws(one.tested[:, -depth:]))
            for n in settings.sizes
        ]
    )


def pair_losses(one: Stream, settings: Horizon, lengths: Integers) -> tuple[Floats, Floats]:
    """(n_sizes, n_lengths) of all lags up to n, and (n_sizes,) of the lags that stand out."""
    from scipy.stats import chi2

    v, width = one.vocab_size, one.vocab_size - 1
    n_features = one.longest * width
    gram, cross = np.zeros((n_features, n_features)), np.zeros((n_features, width))
    sums, target_sums, squares = np.zeros(n_features), np.zeros(width), np.zeros((width, width))
    tested = coded(one.tested, v)
    dense, screened = np.empty((len(settings.sizes), len(lengths))), np.empty(len(settings.sizes))
    threshold = float(chi2.isf(settings.screening / one.longest, width**2))
    uneven_from = float(chi2.isf(settings.screening, width))
    before = 0
    for row, size in enumerate(settings.sizes):
        for start in range(before, size, CHUNK):
            end = min(start + CHUNK, size)
            features, targets = coded(one.contexts[start:end], v), coded(one.targets[start:end, None], v)
            gram += features.T @ features
            cross += features.T @ targets
            squares += targets.T @ targets
            sums += features.sum(axis=0)
            target_sums += targets.sum(axis=0)
        before = size
        mean, target = sums / size, target_sums / size
        covariance = gram / size - np.outer(mean, mean)
        shared = cross / size - np.outer(mean, target)
        centred = tested - mean
        spread = np.linalg.pinv(squares / size - np.outer(target, target))
        blocks = shared.reshape(one.longest, width, width)
        own = covariance.reshape(one.longest, width, one.longest, width)[
            np.arange(one.longest), :, np.arange(one.longest)
        ]
        statistic = size * np.einsum("lab,bc,ldc,lda->l", blocks, spread, blocks, np.linalg.pinv(own))
        kept = np.flatnonzero(np.repeat(statistic > threshold, width))
        for column, length in enumerate(lengths.tolist()):
            used = np.arange(length * width)
            dense[row, column] = _loss(one, settings, covariance, shared, centred, target, used, size)
        all_targets = np.append(1.0 - target.sum(), target)
        uneven = size * v * float(np.sum((all_targets - 1.0 / v) ** 2)) > uneven_from
        known = target if uneven else np.full(width, 1.0 / v)
        screened[row] = _loss(one, settings, covariance, shared, centred, known, kept, size)
    return dense, screened


CHUNK = 2**14


def coded(tokens: NDArray[np.integer], vocab_size: int) -> NDArray[np.float32]:
    """(n, m (V - 1)) indicators of all symbols but the first, nearest token first; sums over a chunk are exact."""
    nearest = np.asarray(tokens)[:, ::-1]
    if vocab_size == 2:
        return nearest.astype(np.float32)
    hot = nearest[:, :, None] == np.arange(1, vocab_size)
    return hot.reshape(len(nearest), -1).astype(np.float32)


def _loss(
    one: Stream, settings: Horizon, covariance: Floats, shared: Floats, centred: Floats, target: Floats,
    used: Integers, size: int,
) -> float:  # fmt: skip
    guess = np.tile(target, (len(centred), 1))
    if len(used):
        ridge = RIDGE / size * np.eye(len(used))
        weights = np.linalg.solve(covariance[np.ix_(used, used)] + ridge, shared[used])
        guess = guess + centred[:, used] @ weights
    law = np.maximum(np.column_stack([1.0 - guess.sum(axis=1), guess]), settings.least)
    return divergence(one.laws, law / law.sum(axis=1, keepdims=True))


RIDGE = 1.0
"""Over D: a prior of unit variance on the coefficients, so that n lags on fewer targets have a solution."""
