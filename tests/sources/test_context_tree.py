"""Random context trees: drawn as their prior says, equal to simpler sources at the ends, merged where shared."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError, UndefinedError
from testbed.sources.in_context import ContextTreeSource, DirichletMarkovSource, FixedContextTreeSource
from testbed.sources.in_context.drawn_chains import enumerated_losses
from testbed.sources.in_context.trees import branching_weight, tree_rows
from testbed.sources.in_context.urn import TREE_STREAM
from testbed.sources.randomness import random_words
from testbed.sources.sampled_truth import sampled_position_losses

Z = 5.5  # false-alarm rate 4e-8, two-sided
seeds = st.integers(0, 10_000)


def slow_tree(words, vocab_size, depth, weight):
    """{context of D tokens, last token first: its leaf}, node by node."""

    def leaf_of(context):
        for d in range(depth):
            number = sum(vocab_size**i for i in range(d)) + sum(context[j] * vocab_size**j for j in range(d))
            if not int(words[number]) < weight:
                return context[:d]
        return context

    contexts = np.ndindex((vocab_size,) * depth)
    return {context: leaf_of(context) for context in contexts}


@given(seeds, st.sampled_from([(2, 1), (2, 3), (3, 2), (4, 1)]), st.sampled_from([0, 2**31, 3 * 2**30, 2**32]))
def test_trees_equal_their_slow_twin(seed, size, weight):
    vocab_size, depth = size
    rows = tree_rows(vocab_size, depth, weight, 4, seed, 2)
    words = random_words(4, sum(vocab_size**d for d in range(depth)), seed, 2, TREE_STREAM)
    for i in range(4):
        leaves = slow_tree(words[i], vocab_size, depth, weight)
        for context, leaf in leaves.items():
            number = sum(x * vocab_size**j for j, x in enumerate(context))
            assert rows[i, number] == sum(x * vocab_size**j for j, x in enumerate(leaf))
        distinct = set(leaves.values())
        assert len(set(rows[i].tolist())) == len(distinct), "leaves have numbers of their own"


def test_trees_are_drawn_as_the_prior_says():
    """All 5 binary trees of depth 2: 1 - b, then b (1 - b)^2, b^2 (1 - b) twice, b^3."""
    b = 0.75
    source = ContextTreeSource(vocab_size=2, depth=2, branching=b)
    n = 40_000
    found = Counter(map(tuple, source.trees(n, seed=3).tolist()))
    # contexts are numbered 0 .. 3 with the last token lowest: leaf {x} of depth 1 holds contexts x and x + 2
    expected = {
        (0, 0, 0, 0): 1 - b,
        (0, 1, 0, 1): b * (1 - b) ** 2,
        (0, 1, 2, 1): b**2 * (1 - b),
        (0, 1, 0, 3): b**2 * (1 - b),
        (0, 1, 2, 3): b**3,
    }
    assert set(found) == set(expected)
    for tree, p in expected.items():
        assert abs(found[tree] / n - p) < Z * math.sqrt(p * (1 - p) / n)


def test_branching_is_dyadic():
    assert [branching_weight(b) for b in (0.0, 0.5, 1.0)] == [0, 2**31, 2**32]
    third = ContextTreeSource(vocab_size=2, depth=1, branching=1 / 3)
    assert third.branching_weight == round(2**32 / 3)
    assert third.fingerprint != third.replace(branching=0.5).fingerprint


# ------------------------------------------------------------------------------------------------ the ends
@settings(max_examples=20, deadline=None)
@given(seeds, st.sampled_from([(2, 2), (3, 1), (2, 4)]), st.sampled_from([1, "1/2"]))
def test_full_trees_are_a_chain(seed, size, a):
    vocab_size, depth = size
    chain = DirichletMarkovSource(vocab_size=vocab_size, order=depth, concentration=a)
    tree = ContextTreeSource(vocab_size=vocab_size, depth=depth, branching=1.0, concentration=a)
    tokens = chain.sample(4, 20, seed=seed)
    assert np.array_equal(tree.sample(4, 20, seed=seed), tokens)
    assert tree.predict(tokens) == pytest.approx(chain.predict(tokens), abs=1e-12)


def test_trees_without_branches_count_tokens():
    tree = ContextTreeSource(vocab_size=2, depth=2, branching=0.0)
    coin = DirichletMarkovSource(vocab_size=2, order=0)
    tokens = tree.sample(5, 15)
    assert tree.predict(tokens)[:, 2:] == pytest.approx(coin.predict(tokens[:, 2:]), abs=1e-12)
    assert tree.entropy_rate().value == coin.entropy_rate().value


def test_chunks_of_sequences_are_the_same(monkeypatch):
    tree = ContextTreeSource(vocab_size=3, depth=2)
    tokens, laws = tree.sample(30, 20, seed=4, first_sequence=5), tree.predict(tree.sample(30, 20, seed=4))
    monkeypatch.setattr("testbed.sources.in_context.context_tree.CHUNK_ENTRIES", 200)
    assert np.array_equal(tree.sample(30, 20, seed=4, first_sequence=5), tokens)
    assert tree.predict(tree.sample(30, 20, seed=4)) == pytest.approx(laws, abs=1e-12)


# ------------------------------------------------------------------------------------------------ truths
def test_losses_by_enumeration_are_the_mean_of_samples():
    tree = ContextTreeSource(vocab_size=2, depth=2)
    exact, sampled = tree.position_losses(12), sampled_position_losses(tree, 12)
    assert exact.kind == "exact"
    assert tree.position_losses(40).kind == "sampled"
    assert exact.lower == pytest.approx(enumerated_losses(tree, 12).lower)
    assert np.all(np.abs(exact.lower - sampled.lower) <= Z * sampled.standard_error + 1e-12)
    assert exact.lower[:2] == pytest.approx([math.log(2)] * 2)


def test_rates_agree_where_one_is_exact():
    """(1 - b) E[H] + b E[h of the chain] for V = 2, D = 1, against drawn trees."""
    tree = ContextTreeSource(vocab_size=2, depth=1, branching=0.25, concentration="1/2")
    exact, drawn = tree.entropy_rate(), tree._drawn_rate()
    assert exact.kind == "exact"
    assert abs(exact.value - drawn.value) < Z * drawn.standard_error
    full = ContextTreeSource(vocab_size=3, depth=1, branching=1.0).entropy_rate()
    chain = DirichletMarkovSource(vocab_size=3, order=1).entropy_rate()
    assert abs(full.value - chain.value) < Z * math.hypot(full.standard_error, chain.standard_error)
    deeper = ContextTreeSource(vocab_size=2, depth=2, branching=0.25, concentration="1/2")
    late, rate = deeper.position_losses(300), deeper.entropy_rate()
    gap = late.lower[-1] - rate.value
    assert -Z * math.hypot(late.standard_error[-1], rate.standard_error) < gap < 0.03


def test_knowing_the_tree_prior_pays():
    """Context-tree weighting with the true prior beats the full chain's posterior on sequences from trees."""
    tree = ContextTreeSource(vocab_size=2, depth=4)
    tokens = tree.sample(500, 200, seed=1)
    gain = tree.log_probs(tokens).sum(axis=1) - DirichletMarkovSource(vocab_size=2, order=4).log_probs(tokens).sum(
        axis=1
    )
    assert gain.mean() > Z * gain.std() / math.sqrt(len(gain))


# ------------------------------------------------------------------------------------------------ one tree
def test_a_fixed_tree_has_one_law_a_leaf():
    source = FixedContextTreeSource(vocab_size=2, depth=4, branching=0.75, seed=0)
    by_context = source.weights.reshape(-1, 2)
    assert len(np.unique(by_context, axis=0)) == source.n_leaves == 5
    for leaf in np.unique(source.leaves):
        assert len(np.unique(by_context[source.leaves == leaf], axis=0)) == 1
    h = source.conditional_entropies(5)
    assert h.kind == "exact"
    assert h[5].value == source.entropy_rate().value
    assert source.fingerprint != source.replace(seed=1).fingerprint


def test_a_fixed_tree_without_branches_is_one_law():
    source = FixedContextTreeSource(vocab_size=3, depth=2, branching=0.0)
    assert source.n_leaves == 1
    assert source.excess_entropy().value == pytest.approx(0.0, abs=1e-9)


# ------------------------------------------------------------------------------------------------ refusals
def test_what_is_not_there_is_refused():
    tree = ContextTreeSource(vocab_size=2, depth=2)
    tokens = tree.sample(2, 5)
    for call in (
        lambda: tree.predict(tokens, context=1),
        lambda: tree.log_probs(tokens, context=1),
        lambda: tree.conditional_entropies(2),
    ):
        with pytest.raises(UndefinedError, match="not stationary"):
            call()
    with pytest.raises(ConfigError, match="depth: 16 symbols at depth 7"):
        ContextTreeSource(vocab_size=16, depth=7)
    with pytest.raises(ConfigError, match="branching"):
        ContextTreeSource(vocab_size=2, depth=2, branching=1.5)
    with pytest.raises(ConfigError, match="max_context"):
        tree.conditional_entropies(-1)
