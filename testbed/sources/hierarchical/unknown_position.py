"""The stationary process of trees laid end to end: where in its tree the first token stands is not known.

Every coordinate of 0 .. T - 1 is equally likely at the start, and the tokens tell more and more of it:

    p(x | context) = sum over starts  p(start | context) p(x | context, start)

One `TreeFilter` for each start, T times the work of known positions.
"""

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from testbed.core import Truth
from testbed.sources.hierarchical.filter import TreeFilter
from testbed.sources.hierarchical.tree import Tree
from testbed.sources.randomness import random_words
from testbed.sources.sampled_truth import N_SEQUENCES, TRUTH_SEED, law_entropies
from testbed.sources.source import Floats

ENUMERATION_BUDGET = 2**22
"""Strings x starts x positions x width that `enumerated_entropies` goes through at most."""
SAMPLING_WORK = 2**28
FEWEST = 256
"""Sequences that sampled entropies rest on at least."""
CHUNK_ENTRIES = 2**22
START_STREAM = 2


def laws_at_unknown_position(tree: Tree, tokens: NDArray[np.int64], positions: Sequence[int]) -> Floats:
    """(N, len(positions), V): law of tokens[:, t] given all before it; nan where these are impossible."""
    shape = (len(positions), len(tokens), tree.vocab_size)
    mixed, best = np.zeros(shape), np.full(shape[:2], -np.inf)
    columns = {t: column for column, t in enumerate(positions)}
    for start in range(tree.n_leaves):
        state = TreeFilter(tree, len(tokens), start)
        log_likelihood = np.zeros(len(tokens))
        for t in range(max(positions, default=-1) + 1):
            law = np.nan_to_num(state.law())  # 0 where this start is ruled out
            if t in columns:
                column = columns[t]
                largest = np.maximum(best[column], log_likelihood)
                base = np.where(np.isfinite(largest), largest, 0.0)
                mixed[column] *= np.exp(best[column] - base)[:, None]
                mixed[column] += law * np.exp(log_likelihood - base)[:, None]
                best[column] = largest
            with np.errstate(divide="ignore"):
                log_likelihood = log_likelihood + np.log(law[np.arange(len(tokens)), tokens[:, t]])
            state.observe(tokens[:, t])
    with np.errstate(invalid="ignore"):
        laws: Floats = mixed / mixed.sum(axis=-1, keepdims=True)
    return np.moveaxis(laws, 0, 1)


def affordable_context(tree: Tree, max_context: int) -> int:
    """The longest context, up to this one, whose strings are all gone through within the budget; -1 for none."""
    cost = [
        tree.vocab_size**l * tree.n_leaves * (l + 1) * tree.width
        for l in range(min(max_context, ENUMERATION_BUDGET.bit_length()) + 1)
    ]
    return sum(one <= ENUMERATION_BUDGET for one in cost) - 1


def enumerated_entropies(tree: Tree, max_context: int) -> Floats:
    """h_0 .. h_max_context, nats, from the probability of every string of so many tokens, start by start."""
    vocab_size = tree.vocab_size
    strings = np.array(list(itertools.product(range(vocab_size), repeat=max_context)), dtype=np.int64)
    joint = np.zeros((len(strings), vocab_size))
    for start in range(tree.n_leaves):
        state = TreeFilter(tree, len(strings), start)
        probability = np.ones(len(strings))
        for t in range(max_context):
            probability *= np.nan_to_num(state.law()[np.arange(len(strings)), strings[:, t]])
            state.observe(strings[:, t])
        joint += probability[:, None] * np.nan_to_num(state.law()) / tree.n_leaves
    entropies = np.empty(max_context + 1)
    for l in range(max_context, -1, -1):
        context = joint.sum(axis=1, keepdims=True)
        positive = joint > 0
        law = np.divide(joint, context, out=np.ones_like(joint), where=positive)
        entropies[l] = -float((joint * np.log(law)).sum())
        joint = context.reshape(-1, vocab_size) if l else joint
    return entropies


def sampled_entropies(tree: Tree, max_context: int) -> Truth:
    """h_0 .. h_max_context, nats: means of exact entropies over sequences.

    Every start has equally many sequences, at least two, and the standard error is that within starts, since their
    shares do not vary; but for trees of more than FEWEST leaves starts are drawn.
    """
    size, length = tree.n_leaves, max_context + 1
    wanted = min(SAMPLING_WORK // (size * length * (tree.width + tree.vocab_size)), N_SEQUENCES)
    each = max(2, -(-max(wanted, FEWEST) // size)) if size <= FEWEST else 0
    if each:
        starts = np.repeat(np.arange(size), each)
    else:
        words = random_words(FEWEST, 1, TRUTH_SEED, stream=START_STREAM)[:, 0].astype(np.int64)
        starts = words * size >> 32
    entropies = np.empty((len(starts), length))
    rows = max(1, CHUNK_ENTRIES // max(size + length, (tree.width + tree.vocab_size) * tree.depth))
    for first in range(0, len(starts), rows):
        some = starts[first : first + rows]
        leaves = tree.draw(len(some), size + max_context, TRUTH_SEED, first)
        tokens = np.take_along_axis(leaves, some[:, None] + np.arange(length), axis=1)
        entropies[first : first + rows] = law_entropies(laws_at_unknown_position(tree, tokens, range(length)))
    strata = entropies.reshape(-1, each, length) if each else entropies[None]
    variances = strata.var(axis=1, ddof=1).mean(axis=0) / len(starts)
    return Truth.sampled(entropies.mean(axis=0), np.sqrt(variances))
