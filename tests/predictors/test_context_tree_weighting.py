"""Context-tree weighting against the sum over all trees, and the regret bounds that define it."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.predictors import ContextTree, context_tree_law, context_tree_weighting
from testbed.predictors.grouping import context_groups, earlier_counts, earlier_sums, earlier_symbols

seeds = st.integers(0, 10_000)


# ------------------------------------------------------------------------------------------------ grouping
@given(seeds, st.integers(1, 4), st.integers(0, 30))
def test_grouping_is_a_loop_over_what_came_before(seed, n_groups, n):
    rng = np.random.default_rng(seed)
    groups, tokens, values = rng.integers(n_groups, size=n), rng.integers(3, size=n), rng.normal(size=n)
    for i in range(n):
        before = [j for j in range(i) if groups[j] == groups[i]]
        assert earlier_counts(groups)[i] == len(before)
        assert earlier_sums(groups, values)[i] == pytest.approx(values[before].sum(), abs=1e-12)
        assert earlier_symbols(groups, tokens, 3)[i].tolist() == [(tokens[before] == x).sum() for x in range(3)]


@given(seeds, st.integers(0, 3), st.integers(0, 8))
def test_groups_are_equal_where_sequence_and_context_are(seed, depth, length):
    tokens = np.random.default_rng(seed).integers(3, size=(4, length))
    for d, groups in enumerate(context_groups(tokens, depth)):
        assert groups.shape == (4, max(length - depth, 0))
        places = list(np.ndindex(groups.shape))
        for (i, s), (j, t) in itertools.product(places, places):
            same = i == j and np.array_equal(tokens[i, depth + s - d : depth + s], tokens[j, depth + t - d : depth + t])
            assert (groups[i, s] == groups[j, t]) == same


# ------------------------------------------------------------------------------------------------ all trees
def all_trees(vocab_size, depth, branching, context=()):
    """(probability, leaves) of every tree below the node `context` (last token first)."""
    if len(context) == depth:
        return [(1.0, [context])]
    trees = [(1.0 - branching, [context])]
    below = [all_trees(vocab_size, depth, branching, (*context, x)) for x in range(vocab_size)]
    for choice in itertools.product(*below):
        leaves = [leaf for _, part in choice for leaf in part]
        trees.append((branching * math.prod(p for p, _ in choice), leaves))
    return trees


def probability_given_tree(tokens, leaves, vocab_size, depth, a):
    counts = {leaf: [0] * vocab_size for leaf in leaves}
    probability = vocab_size ** -float(min(depth, len(tokens)))
    for t in range(depth, len(tokens)):
        past = tuple(reversed(tokens[:t]))
        (leaf,) = [leaf for leaf in leaves if past[: len(leaf)] == leaf]
        seen = counts[leaf]
        probability *= (seen[tokens[t]] + a) / (sum(seen) + vocab_size * a)
        seen[tokens[t]] += 1
    return probability


@settings(max_examples=25, deadline=None)
@given(
    seeds,
    st.sampled_from([(2, 0), (2, 1), (2, 2), (2, 3), (3, 1), (3, 2)]),
    st.sampled_from([0.0, 0.25, 0.5, 1.0]),
    st.sampled_from([0.5, 1.0, 3.0]),
)
def test_weighting_is_the_sum_over_all_trees(seed, size, branching, a):
    vocab_size, depth = size
    rng = np.random.default_rng(seed)
    tokens = rng.integers(vocab_size, size=14)
    trees = all_trees(vocab_size, depth, branching)
    assert sum(p for p, _ in trees) == pytest.approx(1.0)
    mixture = [
        sum(p * probability_given_tree(tokens[:t].tolist(), leaves, vocab_size, depth, a) for p, leaves in trees)
        for t in range(15)
    ]
    lengths = context_tree_weighting(tokens, vocab_size, depth, branching, a)
    assert lengths == pytest.approx(-np.diff(np.log(mixture)), abs=1e-9)


def test_the_number_of_trees():
    assert [len(all_trees(2, depth, 0.5)) for depth in range(4)] == [1, 2, 5, 26]


# ------------------------------------------------------------------------------------------------ forms
@settings(deadline=None)
@given(seeds, st.integers(2, 4), st.integers(0, 4), st.integers(0, 12))
def test_laws_sum_to_one_and_code_lengths_read_them(seed, vocab_size, depth, length):
    tokens = np.random.default_rng(seed).integers(vocab_size, size=(3, length)).astype(np.uint8)
    laws = context_tree_law(tokens, vocab_size, depth)
    lengths = context_tree_weighting(tokens, vocab_size, depth)
    assert laws.shape == (3, length, vocab_size)
    assert lengths.shape == (3, length)
    assert laws.sum(axis=-1) == pytest.approx(np.ones((3, length)))
    read = np.take_along_axis(laws, tokens[..., None].astype(int), axis=2)[..., 0]
    assert lengths == pytest.approx(-np.log(read), abs=1e-10)
    for i in range(3):  # rows are sequences of their own
        assert context_tree_weighting(tokens[i], vocab_size, depth) == pytest.approx(lengths[i], abs=1e-10)


@pytest.mark.parametrize("vocab_size, depth", [(2, 0), (2, 5), (3, 2), (5, 3)])
def test_large_alphabets_keep_the_pairs_that_occur_and_say_the_same(monkeypatch, vocab_size, depth):
    tokens = np.random.default_rng(1).integers(vocab_size, size=(4, 6000))  # long enough for every table to grow
    whole = context_tree_law(tokens[:, :500], vocab_size, depth), context_tree_weighting(tokens, vocab_size, depth)
    monkeypatch.setattr("testbed.predictors.context_tree.DENSE_VOCABULARY", 1)
    assert context_tree_law(tokens[:, :500], vocab_size, depth) == pytest.approx(whole[0], abs=1e-12)
    assert context_tree_weighting(tokens, vocab_size, depth) == pytest.approx(whole[1], abs=1e-12)


# ------------------------------------------------------------------------------------------------ windows
@settings(max_examples=40)
@given(seeds, st.integers(1, 4), st.integers(0, 4), st.integers(0, 60), st.sampled_from([0.0, 0.3, 0.5, 1.0]))
def test_a_fitted_tree_says_what_the_sequence_would_be_told_next(seed, vocab_size, depth, length, branching):
    """Fit on a sequence's windows; its next-token law is the sequential one. Asking changes nothing."""
    rng = np.random.default_rng(seed)
    tokens = rng.integers(vocab_size, size=depth + length + 1)
    windows = np.lib.stride_tricks.sliding_window_view(tokens, depth + 1)
    fitted = ContextTree(vocab_size, depth, branching, 0.7).fit(windows[:-1, :depth], windows[:-1, depth])
    expected = context_tree_law(tokens, vocab_size, depth, branching, 0.7)[-1]
    assert fitted.laws(windows[-1:, :depth])[0] == pytest.approx(expected, abs=1e-12)
    lengths = context_tree_weighting(tokens, vocab_size, depth, branching, 0.7)[depth:-1]
    assert fitted.code_lengths == pytest.approx(lengths, abs=1e-12)
    every = np.array(list(itertools.product(range(vocab_size), repeat=depth)), dtype=int).reshape(
        vocab_size**depth, depth
    )
    longer = np.column_stack([np.zeros(len(every), dtype=int), every])  # what stands before is not read
    assert fitted.laws(longer).sum(axis=1) == pytest.approx(np.ones(len(every)))
    assert np.array_equal(fitted.laws(every), fitted.laws(longer))


@settings(max_examples=20)
@given(seeds, st.sampled_from([(2, 3), (3, 2)]))
def test_fitted_laws_are_ratios_of_sums_over_all_trees(seed, size):
    vocab_size, depth = size
    rng = np.random.default_rng(seed)
    windows = rng.integers(vocab_size, size=(12, depth + 1))
    trees = all_trees(vocab_size, depth, 0.4)
    fitted = ContextTree(vocab_size, depth, 0.4, 0.5).fit(windows[:, :depth], windows[:, depth])
    for context in itertools.product(range(vocab_size), repeat=depth):
        asked = [
            sum(p * windows_given_tree([*windows.tolist(), [*context, x]], leaves, vocab_size) for p, leaves in trees)
            for x in range(vocab_size)
        ]
        law = fitted.laws(np.array([context]))[0]
        assert law == pytest.approx(np.array(asked) / sum(asked), abs=1e-12)


def windows_given_tree(windows, leaves, vocab_size):
    counts = {leaf: [0] * vocab_size for leaf in leaves}
    probability = 1.0
    for *context, x in windows:
        past = tuple(reversed(context))
        (leaf,) = [leaf for leaf in leaves if past[: len(leaf)] == leaf]
        probability *= (counts[leaf][x] + 0.5) / (sum(counts[leaf]) + vocab_size * 0.5)
        counts[leaf][x] += 1
    return probability


@pytest.mark.parametrize("vocab_size, depth, length", [(2, 2, 9), (2, 4, 10), (3, 2, 6)])
def test_all_strings_have_total_probability_one(vocab_size, depth, length):
    strings = np.array(list(itertools.product(range(vocab_size), repeat=length)))
    total = np.exp(-context_tree_weighting(strings, vocab_size, depth).sum(axis=1)).sum()
    assert total == pytest.approx(1.0, abs=1e-9)


def test_odds_that_leave_float64_come_back_exactly():
    """01 01 .. pushes the root's odds below the least float64; as many repeats undo it, for KT forgets the order.
    Slow twin: the odds as a running sum of logarithms."""
    tied = np.tile([0, 1], 1_000)
    tokens = np.concatenate([tied, np.repeat([0, 1], 1_000), tied])
    lengths = context_tree_weighting(tokens, 2, 1)
    counts, root, log_odds, expected = np.full((2, 2), 0.5), np.full(2, 0.5), 0.0, [np.log(2)]
    course = []
    for before, x in itertools.pairwise(tokens.tolist()):
        leaf, below = np.log(root[x] / root.sum()), np.log(counts[before, x] / counts[before].sum())
        expected.append(-np.logaddexp(leaf - np.logaddexp(0, -log_odds), below - np.logaddexp(0, log_odds)))
        log_odds += leaf - below
        course.append(log_odds)
        root[x] += 1
        counts[before, x] += 1
    lowest = int(np.argmin(course[:3_000]))
    assert course[lowest] < -1000
    assert max(course[lowest:]) > 0
    assert lengths == pytest.approx(np.array(expected), abs=1e-9)


def test_long_sequences_and_large_vocabularies_stay_finite():
    rng = np.random.default_rng(0)
    periodic = np.tile([0, 1, 1], 20_000)
    lengths = context_tree_weighting(periodic, vocab_size=2, depth=8)
    assert np.all(np.isfinite(lengths))
    assert lengths[-100:].max() < 1e-3
    words = rng.integers(50_000, size=5_000)
    assert context_tree_weighting(words, vocab_size=50_000, depth=3)[-1] == pytest.approx(np.log(50_000), rel=0.2)


# ------------------------------------------------------------------------------------------------ regret
@settings(max_examples=50, deadline=None)
@given(seeds, st.integers(2, 4), st.integers(0, 2), st.floats(0.05, 2.0))
def test_order_k_regret_of_add_one_half(seed, vocab_size, order, spread):
    """P13: on any sequence, KT's code is longer than the best order-k law's by at most
    S ((K - 1) / 2 ln(T / S) + ln K) + k ln K nats, S = K^k contexts (Krichevsky & Trofimov 1981).

    As a function of the contexts that occur the bound grows up to T / e, so T is taken large enough.
    """
    rng = np.random.default_rng(seed)
    n_contexts, length = vocab_size**order, 400
    kernel = rng.dirichlet(np.full(vocab_size, spread), size=n_contexts)
    tokens = rng.integers(vocab_size, size=length)
    for t in range(order, length):
        context = int(sum(tokens[t - j] * vocab_size ** (j - 1) for j in range(1, order + 1)))
        tokens[t] = min(int((rng.random() > np.cumsum(kernel[context])).sum()), vocab_size - 1)
    code = context_tree_weighting(tokens, vocab_size, order, branching=1.0, concentration=0.5).sum()
    counts = np.zeros((n_contexts, vocab_size))
    for t in range(order, length):
        context = int(sum(tokens[t - j] * vocab_size ** (j - 1) for j in range(1, order + 1)))
        counts[context, tokens[t]] += 1
    with np.errstate(divide="ignore", invalid="ignore"):
        best = -np.nansum(counts * np.log(counts / counts.sum(axis=1, keepdims=True)))
    bound = n_contexts * ((vocab_size - 1) / 2 * np.log(length / n_contexts) + np.log(vocab_size))
    assert -1e-9 <= code - best <= bound + order * np.log(vocab_size) + 1e-9


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_weighting_costs_no_more_than_naming_the_tree(seed):
    """-ln q <= -ln P(T) + the code given T, for every tree T: here the tree {0, 01, 11} and the full ones."""
    tokens = np.random.default_rng(seed).integers(2, size=60)
    total = context_tree_weighting(tokens, 2, 4).sum()
    trees = {(1 / 2) ** 5: [(0,), (1, 0), (1, 1)], 1 / 2: [()]}
    for prior, leaves in trees.items():
        given_tree = -np.log(probability_given_tree(tokens.tolist(), leaves, 2, 4, 0.5))
        assert total <= given_tree - np.log(prior) + 1e-9


# ------------------------------------------------------------------------------------------------ refusals
@pytest.mark.parametrize(
    "arguments, named",
    [
        ((np.array([0, 2]), 2, 1), "tokens: given 0 .. 2"),
        ((np.array([0.5]), 2, 1), "tokens: need integers"),
        ((np.zeros((1, 1, 1), dtype=int), 2, 1), "tokens: need integers"),
        ((np.array([0]), 2, -1), "depth: given -1"),
        ((np.array([0]), 2, 1, 1.5), "branching: given 1.5"),
        ((np.array([0]), 2, 1, 0.5, 0.0), "concentration: given 0.0"),
        ((np.array([0]), 2, 1, 0.5, math.nan), "concentration: given nan"),
    ],
)
def test_nonsense_is_refused_by_name(arguments, named):
    for function in (context_tree_weighting, context_tree_law):
        with pytest.raises(ConfigError, match=named.replace(".", r"\.")):
            function(*arguments)


# ------------------------------------------------------------------------------------------------ extremes
@pytest.mark.parametrize("vocab_size, depth, length", [(2, 3, 7), (3, 2, 5), (2, 9, 6), (3, 0, 4)])
def test_all_strings_together_have_probability_one(vocab_size, depth, length):
    strings = np.array(list(itertools.product(range(vocab_size), repeat=length)))
    for branching in (0.2, 0.5):
        lengths = context_tree_weighting(strings, vocab_size, depth, branching)
        assert np.exp(-lengths.sum(axis=1)).sum() == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("branching", [5e-324, 1e-320, 1e-300, 1e-100, 1 - 1e-16])
def test_branching_next_to_zero_or_one_is_as_good_as_that(branching):
    tokens = np.random.default_rng(0).integers(2, size=200)
    found = context_tree_weighting(tokens, 2, 3, branching)
    assert found == pytest.approx(context_tree_weighting(tokens, 2, 3, float(round(branching))), abs=1e-12)


@pytest.mark.parametrize("concentration", [np.inf, 1e200, 1e-200])
def test_concentrations_that_leave_float64_are_refused(concentration):
    with pytest.raises(ConfigError, match="concentration"):
        context_tree_weighting(np.array([0, 1, 1]), 2, 1, concentration=concentration)
    assert np.isfinite(context_tree_weighting(np.array([0, 1, 1] * 50), 2, 1, concentration=1e-100)).all()
