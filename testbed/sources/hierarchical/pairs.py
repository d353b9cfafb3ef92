"""Joint laws of two leaves, through their lowest common ancestor, exactly."""

from collections.abc import Sequence

import numpy as np

from testbed.core import ConfigError, ResourceError, Truth
from testbed.sources.hierarchical.branching import Branching
from testbed.sources.hierarchical.tree import Tree
from testbed.sources.randomness import TOTAL, in_range, random_words
from testbed.sources.source import Floats

MAX_ENTRIES = 2**24
BORDER_SEED = 0x626F_7264


def child_law(branching: Branching, child: int) -> Floats:
    """(V, V): p(child | node), a row for each symbol of the node."""
    fresh = np.tile(branching.fresh(), (branching.vocab_size, 1))
    return branching.outside(np.eye(branching.vocab_size), fresh, child)


def pair_law(branching: Branching, left: int, right: int) -> Floats:
    """(V, V, V): p(child `left` = x, child `right` = y | node = a) at [a, x, y], left < right."""
    v = branching.vocab_size
    fresh = np.tile(branching.fresh(), (v, 1))
    seen = branching.absorb(fresh, left, np.eye(v))
    return np.stack([branching.outside(np.tile(node, (v, 1)), seen, right) for node in np.eye(v)])


def two_point(tree: Tree, lags: int | Sequence[int]) -> Truth:
    """kappa(m) = (P(x_t = x_(t+m)) - sum p^2) / (1 - sum p^2) at these lags, exact, of trees laid end to end.

    P is a mean over the T places of the first of the two leaves. Pairs within a tree are summed level by level,

        D(a, m) = sum over pairs m apart under a node a of P(they are equal | a)
    """
    wanted = np.asarray(lags)
    if wanted.dtype.kind not in "ui":
        raise ConfigError(f"lags: given {lags!r}, must be integers")
    entries = tree.n_leaves * tree.vocab_size**2
    if entries > MAX_ENTRIES:
        raise ResourceError(f"two-point correlations of {entries} leaf laws' entries are over the limit of 2^24")
    laws = _leaf_laws(tree)
    marginals = tree.root @ laws[-1]
    p = marginals.mean(axis=0)
    same = float(p @ p)
    found = []
    for lag in wanted.ravel():
        lag = in_range("lags", int(lag), 2**62)
        total = float(tree.root @ _matches_below(tree, laws, 0, lag))
        apart = np.arange(max(0, tree.n_leaves - lag), tree.n_leaves)  # their partners lie in later trees
        total += float((marginals[apart] * marginals[(apart + lag) % tree.n_leaves]).sum())
        found.append((total / tree.n_leaves - same) / (1.0 - same))
    return Truth.exact(np.array(found).reshape(wanted.shape))


def _leaf_laws(tree: Tree) -> list[Floats]:
    """For heights 0 .. depth the laws (n, V, V) of the n leaves under a node: p(leaf = z | a) at [leaf, a, z]."""
    laws = [np.eye(tree.vocab_size)[None]]
    for level in tree.levels[::-1]:
        laws.append(np.concatenate([child_law(level, child) @ laws[-1] for child in range(level.n_children)]))
    return laws


def _matches_below(tree: Tree, laws: list[Floats], level: int, lag: int) -> Floats:
    """(V,) D(a, lag) of a node of this level."""
    if level == tree.depth:
        return np.full(tree.vocab_size, float(lag == 0))
    branching, leaves = tree.levels[level], laws[tree.depth - level - 1]
    n, s = len(leaves), tree.n_children
    total = np.zeros(tree.vocab_size)
    if lag < n:
        below = _matches_below(tree, laws, level + 1, lag)
        total += sum(child_law(branching, child) @ below for child in range(s))
    for gap in range(1, s):
        shift = lag - gap * n  # the second leaf's place under its child, less the first one's
        if abs(shift) < n:
            first = leaves[max(0, -shift) : n - max(0, shift)]
            second = leaves[max(0, shift) : n + min(0, shift)]
            equal = np.tensordot(first, second, axes=([0, 2], [0, 2]))  # [x, y]: summed over places and symbols
            for left in range(s - gap):
                total += np.einsum("axy,xy->a", pair_law(branching, left, left + gap), equal)
    return total


def independent_leaves(tree: Tree) -> bool:
    """Whether the leaves are independent and of one law; decided on the integer weights, level by level.

    Levels of one kind only, as trees here have them: siblings that depend on each other through a channel hand that on
    to their leaves, and where rules determine the parent, independent leaves have independent parents.
    """
    law: list[int] | None = [int(weight) for weight in tree.root_weights]
    for level in tree.levels:
        if law is None:
            return False
        law = level.independent_children(law)
    return law is not None


def borders_differ(tree: Tree) -> dict[int, bool]:
    """For each prime factor p of s: whether leaves T / p - 1 and T / p of a tree are seen to differ in law from the
    last leaf of a tree and the first of the next, p(x, y) from last(x) first(y).

    The two laws are compared by the means of one product of functions f(x) g(y), in integers: unequal means are proof,
    and for laws that differ the means do but for one choice of f and g in 2^31.
    """
    s = tree.n_children
    last, first = (words.astype(object) for words in random_words(2, tree.vocab_size, BORDER_SEED))
    for level in tree.levels[:0:-1]:  # values of a node: means over the last or the first leaf under it
        last, first = level.child_sums(last, s - 1), level.child_sums(first, 0)
    top, root = tree.levels[0], tree.root_weights.astype(object)
    apart = (root @ top.child_sums(last, s - 1)) * (root @ top.child_sums(first, 0))
    primes = [p for p in range(2, s + 1) if s % p == 0 and all(p % q for q in range(2, p))]
    return {p: TOTAL * (root @ top.pair_sums(last, first, s // p - 1, s // p)) != apart for p in primes}
