"""The slow twin of sources made of trees: every tree is gone through, every string's probability added up."""

import itertools
import math

import numpy as np
import pytest

from testbed.sources.hierarchical.broadcast_tree import BroadcastTree
from testbed.sources.hierarchical.random_hierarchy import RandomHierarchy
from testbed.sources.hierarchical.tree_source import TreeSource

SMALL: list[TreeSource] = [
    RandomHierarchy(vocab_size=4, n_rules=2, branching=2, depth=2, seed=1),
    RandomHierarchy(vocab_size=3, n_rules=3, branching=2, depth=2, seed=4),
    RandomHierarchy(vocab_size=3, n_rules=2, branching=3, depth=1, seed=5, rule_exponent=1.5),
    RandomHierarchy(vocab_size=2, n_rules=1, branching=2, depth=3, seed=3),
    BroadcastTree(theta=0.8, depth=3),
    BroadcastTree(vocab_size=3, theta=-0.4, depth=2),
    BroadcastTree(theta=0.7, branching=3, depth=1),
]
small = pytest.mark.parametrize("source", SMALL, ids=lambda one: f"{one.type_name}-{one.vocab_size}-{one.tree_length}")


def children_of(source: TreeSource, level: int, symbol: int) -> dict[tuple[int, ...], float]:
    """Every tuple of children with its probability, from the integer weights."""
    if isinstance(source, RandomHierarchy):
        rules, weights = source.rules(level), source.rule_weights
        return {tuple(rules[symbol, k].tolist()): weights[k] / 2**32 for k in range(source.n_rules)}
    row = source.channel_weights[symbol] / 2**32
    tuples = itertools.product(range(source.vocab_size), repeat=source.branching)
    return {children: math.prod(row[c] for c in children) for children in tuples}


def leaves_of(source: TreeSource, level: int, symbol: int) -> dict[tuple[int, ...], float]:
    """Every string of leaves under a node, with its probability."""
    if level == source.depth:
        return {(symbol,): 1.0}
    below = {child: leaves_of(source, level + 1, child) for child in range(source.vocab_size)}
    found: dict[tuple[int, ...], float] = {}
    for children, probability in children_of(source, level, symbol).items():
        for parts in itertools.product(*(below[child].items() for child in children)):
            leaves = sum((part for part, _ in parts), ())
            found[leaves] = found.get(leaves, 0.0) + probability * math.prod(p for _, p in parts)
    return found


def tree_law(source: TreeSource) -> np.ndarray:
    """(V,) * T: the probability of every string of leaves of a tree."""
    law = np.zeros((source.vocab_size,) * source.tree_length)
    for symbol, weight in enumerate(source.tree.root_weights):
        for leaves, probability in leaves_of(source, 0, symbol).items():
            law[leaves] += weight / 2**32 * probability
    return law


def entropy(law: np.ndarray) -> float:
    positive = law[law > 0]
    return -float((positive * np.log(positive)).sum())


def stationary_law(source: TreeSource, length: int) -> np.ndarray:
    """(V,) * length: of a stretch that starts anywhere in a tree."""
    law, size = tree_law(source), source.tree_length
    total = 0.0
    for start in range(size):
        stream = law.sum(axis=tuple(range(start)))
        while stream.ndim < length:
            stream = np.multiply.outer(stream, law)
            stream = stream.sum(axis=tuple(range(length, stream.ndim)))
        total = total + stream.sum(axis=tuple(range(length, stream.ndim))) / size
    return total
