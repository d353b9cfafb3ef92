"""Sources made of trees: sampled truths, what is refused, rules, and that trees are drawn from their law."""

import math

import numpy as np
import pytest
from enumerated_trees import SMALL, tree_law
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError, UndefinedError
from testbed.sources.hierarchical.branching import ChannelBranching, RuleBranching
from testbed.sources.hierarchical.broadcast_tree import BroadcastTree
from testbed.sources.hierarchical.filter import TreeFilter
from testbed.sources.hierarchical.losses import tree_losses, window_losses
from testbed.sources.hierarchical.random_hierarchy import RandomHierarchy, distinct_numbers
from testbed.sources.hierarchical.tree import Tree


def test_sampled_losses_agree_with_enumeration(monkeypatch) -> None:
    for source in (RandomHierarchy(vocab_size=4, n_rules=2, depth=2, seed=1), BroadcastTree(theta=0.8, depth=3)):
        exact, windows = tree_losses(source.tree, source.tree_length), window_losses(source.tree, 3)
        with monkeypatch.context() as patch:
            patch.setattr("testbed.sources.hierarchical.enumeration.BUDGET", 0)
            sampled, sampled_windows = tree_losses(source.tree, source.tree_length), window_losses(source.tree, 3)
        assert sampled.positions.kind == sampled_windows.kind == "sampled"
        for one, other in zip((*sampled, sampled_windows), (*exact, windows), strict=True):
            # 5.5 standard errors: at most 1e-6 for all of these together
            assert np.all(np.abs(one.lower - other.lower) <= 5.5 * one.standard_error + 1e-9)


def test_sampled_entropies_agree_with_enumeration(monkeypatch) -> None:
    source = BroadcastTree(theta=0.8, depth=2)
    exact = source.conditional_entropies(8)
    monkeypatch.setattr("testbed.sources.hierarchical.unknown_position.ENUMERATION_BUDGET", 200)
    sampled = source.conditional_entropies(8)
    assert (exact.kind, sampled.kind) == ("exact", "sampled")
    assert sampled.standard_error[0] == 0
    assert np.all(np.abs(exact.lower - sampled.lower) <= 5.5 * sampled.standard_error + 1e-9)


def test_large_trees_are_quick_enough_and_refused_beyond() -> None:
    large = BroadcastTree(depth=15)
    assert large.predict(large.sample(2, 40)).shape == (2, 40, 2)
    assert large.position_losses(5).kind == "exact"
    for refused in (large.entropy_rate, large.excess_entropy, lambda: large.conditional_entropies(3)):
        with pytest.raises(UndefinedError, match="leaves"):
            refused()
    with pytest.raises(UndefinedError, match="unknown position"):
        large.predict(large.sample(2, 4), context=1)


def test_a_filter_started_within_a_tree_passes_over_what_was_not_seen() -> None:
    source = SMALL[0]
    law = tree_law(source)
    strings = np.argwhere(law > 0)
    state = TreeFilter(source.tree, len(strings), coordinate=1)
    state.observe(strings[:, 1])
    pair = law.sum(axis=(0, 3))
    expected = pair[strings[:, 1]]
    assert state.law() == pytest.approx(expected / expected.sum(axis=1, keepdims=True), abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 9), st.integers(1, 9), st.integers(2, 4), st.integers(0, 2**64 - 1))
def test_rules_are_unambiguous(v: int, m: int, s: int, seed: int) -> None:
    if m > v ** (s - 1):
        with pytest.raises(ConfigError, match="n_rules"):
            RandomHierarchy(vocab_size=v, n_rules=m, branching=s, depth=1, seed=seed)
        return
    rules = RandomHierarchy(vocab_size=v, n_rules=m, branching=s, depth=2, seed=seed).rules(1)
    assert rules.shape == (v, m, s)
    assert rules.min() >= 0
    assert rules.max() < v
    assert len(np.unique(rules.reshape(-1, s), axis=0)) == v * m


def test_drawn_numbers_are_uniform() -> None:
    """Each of 16 numbers is among 4 drawn with probability 1/4: 2,000 seeds, 5.5 standard deviations."""
    counts = np.bincount(np.concatenate([distinct_numbers(4, 16, seed) for seed in range(2000)]), minlength=16)
    assert np.all(np.abs(counts - 500) < 5.5 * math.sqrt(2000 * 0.25 * 0.75))


def test_trees_are_drawn_from_their_law() -> None:
    """Counts of whole trees against the enumerated law: each within 5.5 sigma (Bernstein), 16 + 81 strings."""
    for source in (SMALL[0], SMALL[5]):
        n, law = 20_000, tree_law(source)
        counts = np.zeros(law.shape)
        np.add.at(counts, tuple(source.sample(n, source.tree_length, seed=5).astype(int).T), 1)
        assert np.all(np.abs(counts - n * law) <= 5.5 * np.sqrt(n * law) + 5.5**2 / 2)
        assert np.all(counts[law == 0] == 0)


def test_longer_sequences_go_on_and_start_where_the_phase_says() -> None:
    for source in SMALL:
        assert np.array_equal(source.sample(5, 40)[:, :11], source.sample(5, 11))
        random = source.replace(phase="random")
        assert np.array_equal(random.sample(5, 40)[:, :11], random.sample(5, 11))
        starts = random._starts(4000, 0, 0)
        expected = 4000 / source.tree_length
        assert np.all(np.abs(np.bincount(starts) - expected) < 5.5 * math.sqrt(expected) + 15)
        stream = source.sample(4000, 3 * source.tree_length)
        shifted = np.take_along_axis(stream, starts[:, None] + np.arange(source.tree_length), axis=1)
        assert np.array_equal(shifted, random.sample(4000, source.tree_length))


def test_what_is_wrong_is_named() -> None:
    with pytest.raises(ConfigError, match="theta: given -0.6, must be at least"):
        BroadcastTree(vocab_size=3, theta=-0.6)
    with pytest.raises(ConfigError, match="depth: given 12; 4\\^12 leaves a tree are over the limit of 1048576"):
        BroadcastTree(branching=4, depth=12)
    with pytest.raises(ConfigError, match="1024 \\(with phase random\\)"):
        BroadcastTree(depth=13, phase="random")
    with pytest.raises(ConfigError, match="lags"):
        SMALL[0].two_point(-1)
    with pytest.raises(ConfigError, match="max_context"):
        SMALL[0].last_token_entropies(-1)
    colouring = BroadcastTree.colouring(4, depth=2)
    assert np.all(np.diag(colouring.channel_weights) == 0)
    assert np.all(colouring.channel_weights.sum(axis=1) == 2**32)


def test_branchings_refuse_nothing_they_can_absorb() -> None:
    """`draw` is the inverse CDF row by row, and mirrored rules are the rules backwards."""
    channel = ChannelBranching(np.array([[2**31, 2**31, 0], [0, 2**32, 0], [1, 2**32 - 2, 1]]), 2)
    words = np.array([[0, 2**31, 5, 2**32 - 1, 0, 2**32 - 1]], dtype=np.uint32)
    assert channel.draw(np.array([[0, 1, 2]]), words).tolist() == [[0, 1, 1, 1, 0, 2]]
    rules = RuleBranching(np.array([[[0, 1]], [[1, 1]]]), np.array([2**32]))
    assert rules.mirrored().children.tolist() == [[[1, 0]], [[1, 1]]]
    tree = Tree(np.array([2**31, 2**31]), [channel])
    assert tree.mirrored() is tree
    assert tree_losses(Tree(np.array([2**31, 2**31]), [rules]), 2).total.lower == pytest.approx(math.log(2))
