"""Truths and predictions of sources made of trees, against their slow twin."""

import itertools
import math

import numpy as np
import pytest
from enumerated_trees import SMALL, entropy, leaves_of, small, stationary_law, tree_law

from testbed.sources.hierarchical.broadcast_tree import BroadcastTree
from testbed.sources.hierarchical.pairs import independent_leaves
from testbed.sources.hierarchical.random_hierarchy import RandomHierarchy
from testbed.sources.hierarchical.tree_source import TreeSource


@small
def test_losses_and_entropy_equal_enumeration(source) -> None:
    law = tree_law(source)
    assert law.sum() == pytest.approx(1.0, abs=1e-12)
    blocks = [entropy(law.sum(axis=tuple(range(n, law.ndim)))) for n in range(law.ndim + 1)]
    found = source.position_losses(2 * law.ndim + 1)
    assert found.kind == "exact"
    assert found.lower[: law.ndim] == pytest.approx(np.diff(blocks), abs=1e-10)
    assert np.array_equal(found.lower[law.ndim :], np.resize(found.lower[: law.ndim], law.ndim + 1))
    assert source.tree_entropy().lower == pytest.approx(entropy(law), abs=1e-10)
    assert source.entropy_rate().lower == pytest.approx(entropy(law) / law.ndim, abs=1e-10)


@small
def test_the_last_token_given_the_nearest(source) -> None:
    law = tree_law(source)
    tails = [law.sum(axis=tuple(range(law.ndim - 1 - l))) for l in range(law.ndim)]  # the last l + 1 leaves
    expected = [entropy(tail) - entropy(tail.sum(axis=-1)) for tail in tails]
    found = source.last_token_entropies(law.ndim + 2)
    assert found.kind == "exact"
    assert found.lower[: law.ndim] == pytest.approx(expected, abs=1e-10)
    assert np.all(found.lower[law.ndim :] == found.lower[law.ndim - 1])


@small
def test_stationary_entropies_equal_enumeration(source) -> None:
    longest = 6 if source.vocab_size == 2 else 4
    blocks = [entropy(stationary_law(source, n)) for n in range(longest + 1)]
    for phase in ("aligned", "random"):
        found = source.replace(phase=phase).conditional_entropies(longest - 1)
        assert found.kind == "exact"
        assert found.lower == pytest.approx(np.diff(blocks), abs=1e-10)


@small
def test_predictions_equal_enumeration(source) -> None:
    law, length = tree_law(source), source.tree_length
    strings = np.argwhere(law > 0)[:200]
    laws = source.predict(strings)
    for t in range(length):
        prefix = law.sum(axis=tuple(range(t + 1, length)))
        expected = np.array([prefix[tuple(string[:t])] for string in strings])
        assert laws[:, t] == pytest.approx(expected / expected.sum(axis=1, keepdims=True), abs=1e-10)
    stretch = stationary_law(source, 3)
    known = source.predict(strings, context=2, positions=[2, 1])
    expected = np.array([stretch[tuple(string[:2])] for string in strings])
    assert known[:, 0] == pytest.approx(expected / expected.sum(axis=1, keepdims=True), abs=1e-10)
    assert known == pytest.approx(source.replace(phase="random").predict(strings, positions=[2, 1]), abs=1e-12)


def test_golden_numbers_of_the_random_hierarchy() -> None:
    for v, m, s, depth, wanted in ((4, 2, 2, 2, 3.4657), (6, 3, 2, 2, 5.0876), (4, 2, 2, 3, 6.2383)):
        source = RandomHierarchy(vocab_size=v, n_rules=m, branching=s, depth=depth, seed=7)
        formula = math.log(v) + (s**depth - 1) / (s - 1) * math.log(m)
        assert formula == pytest.approx(wanted, abs=5e-5)
        assert source.tree_entropy().lower == pytest.approx(formula, abs=1e-9)
        total = TreeSource.tree_entropy(source)  # the sum of position losses
        assert total.kind == "exact"
        assert total.lower == pytest.approx(formula, abs=1e-9)
    brute = RandomHierarchy(vocab_size=4, n_rules=2, branching=2, depth=3, seed=7)
    leaves = [leaves_of(brute, 0, symbol) for symbol in range(4)]
    law = np.array([p / 4 for strings in leaves for p in strings.values()])
    assert len({string for strings in leaves for string in strings}) == len(law) == 4 * 2**7
    assert entropy(law) == pytest.approx(6.2383, abs=5e-5)


@pytest.mark.parametrize(
    "source",
    [
        RandomHierarchy(vocab_size=2, n_rules=1, branching=2, depth=1, seed=1, phase="random"),
        RandomHierarchy(vocab_size=3, n_rules=2, branching=2, depth=1, seed=1),
        BroadcastTree(theta=0.95, depth=1),
        BroadcastTree(theta=1.0, depth=2),
    ],
    ids=lambda one: f"{one.type_name}-{one.vocab_size}-{one.tree_length}",
)
def test_excess_entropy_is_the_sum_of_excesses(source) -> None:
    """The sum up to l = 11, and beyond it as if every T further terms shrank by the factor by which the last T did."""
    size, longest = source.tree_length, 7 if source.vocab_size == 3 else 11
    gaps = source.conditional_entropies(longest).lower - source.entropy_rate().lower
    shrinks = gaps[-1] / gaps[-1 - size]
    beyond = gaps[-size:].sum() * shrinks / (1 - shrinks)
    excess = source.excess_entropy()
    assert excess.kind == "exact"
    assert gaps.sum() < excess.lower
    assert gaps.sum() + beyond == pytest.approx(excess.lower, rel=0.04)


def test_excess_entropy_where_nothing_is_shared() -> None:
    assert BroadcastTree(theta=0.0, depth=2).excess_entropy().upper == 0
    assert RandomHierarchy(vocab_size=2, n_rules=2, branching=2, depth=2).excess_entropy().upper == 0


@pytest.mark.parametrize("theta", [1e-2, 1e-3, 1e-8])
def test_weak_correlations_tell_the_position(theta) -> None:
    """However weak: h is ln 2 in float64, but the infinite past tells where trees begin, which is worth ln T."""
    for depth in (1, 2):
        excess = BroadcastTree(theta=theta, depth=depth, phase="random").excess_entropy()
        assert excess.kind == "exact"
        assert excess.lower == pytest.approx(depth * math.log(2), abs=2 * theta**4 + 1e-12)


def test_laws_that_are_products_but_for_rounding_tell_the_position() -> None:
    """All pairs of three symbols are rules, with thirds rounded to 2^-32: no product, as its integers tell."""
    source = RandomHierarchy(vocab_size=3, n_rules=3, branching=2, depth=1, phase="random")
    assert not independent_leaves(source.tree)
    assert source.excess_entropy().lower == pytest.approx(math.log(2), abs=1e-9)


def test_independence_is_that_of_the_enumerated_law() -> None:
    sources = [
        RandomHierarchy(vocab_size=v, n_rules=m, depth=depth, seed=seed)
        for v, m, depth, seed in itertools.product((2, 4), (1, 2), (1, 2), range(8))
    ]
    pairs = RandomHierarchy(vocab_size=4, n_rules=1, depth=1, seed=791)  # the four pairs of the symbols 1 and 3
    sources += [pairs, pairs.replace(depth=2), RandomHierarchy(vocab_size=2, n_rules=2, rule_exponent=1.0, depth=1)]
    sources += [BroadcastTree(vocab_size=3, theta=theta, depth=2) for theta in (0.0, 0.5, -0.5)]
    found = [independent_leaves(source.tree) for source in sources]
    assert 3 < sum(found) < len(found)
    for source, independent in zip(sources, found, strict=True):
        law = tree_law(source)
        marginals = [law.sum(axis=tuple(k for k in range(law.ndim) if k != t)) for t in range(law.ndim)]
        product = marginals[0]
        for _ in marginals[1:]:
            product = np.multiply.outer(product, marginals[0])
        assert independent == bool(np.allclose(law, product, atol=1e-8, rtol=0))
        if independent:
            assert source.excess_entropy().upper == 0


def test_excess_entropy_where_the_position_may_not_be_told(monkeypatch) -> None:
    exact = SMALL[0].excess_entropy()
    monkeypatch.setattr(TreeSource, "_position_is_told", lambda self: False)
    found = SMALL[0].excess_entropy()
    assert (exact.kind, found.kind) == ("exact", "bracket")
    assert found.upper == pytest.approx(exact.lower, abs=1e-9)
    assert found.lower == pytest.approx(exact.lower - math.log(4), abs=1e-9)


@small
def test_two_point_equals_enumeration(source) -> None:
    law, size = tree_law(source), source.tree_length
    pairs = np.zeros((3, source.vocab_size, source.vocab_size))
    marginals = [law.sum(axis=tuple(k for k in range(size) if k != t)) for t in range(size)]
    lags = [0, 1, size - 1]
    for number, lag in enumerate(lags):
        for t in range(size):
            if lag == 0:
                pairs[number] += np.diag(marginals[t]) / size
            elif t + lag < size:
                pairs[number] += law.sum(axis=tuple(k for k in range(size) if k not in (t, t + lag))) / size
            else:
                pairs[number] += np.outer(marginals[t], marginals[(t + lag) % size]) / size
    p = np.mean(marginals, axis=0)
    expected = (np.trace(pairs, axis1=1, axis2=2) - p @ p) / (1 - p @ p)
    assert source.two_point(lags).lower == pytest.approx(expected, abs=1e-12)
    assert source.two_point(1).lower == pytest.approx(expected[1], abs=1e-12)


def test_correlations_of_the_ising_model() -> None:
    """Neighbours whose ancestor is k levels up: theta^(2 k); the mean over the places of a pair of neighbours."""
    theta, depth = 0.75, 4
    expected = sum(2 ** (depth - k) * theta ** (2 * k) for k in range(1, depth + 1)) / 2**depth
    assert BroadcastTree(theta=theta, depth=depth).two_point(1).lower == pytest.approx(expected, abs=1e-9)
    assert BroadcastTree(theta=theta, depth=depth).two_point(2**depth).lower == pytest.approx(0.0, abs=1e-12)
    assert BroadcastTree(theta=math.sqrt(0.5)).kesten_stigum == pytest.approx(1.0)
