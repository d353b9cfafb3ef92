"""What `variable_order` holds models against: the sum over trees, blends against loops, known learners."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.sources.in_context import ContextTreeSource
from testbed.studies.variable_order.blends import (
    confident_laws,
    entropy,
    features,
    fit_linear,
    fit_loglinear,
    linear,
    loglinear,
)
from testbed.studies.variable_order.cells import cells_of, fit_cells
from testbed.studies.variable_order.preference import Scale, leaf_depths, permuted, slope
from testbed.studies.variable_order.rivals import (
    BINS,
    Interpolation,
    count_bins,
    divergence,
    fitted,
    known_tree_laws,
    order_laws,
    seen,
    steep_gates,
    tokens_of,
    tree_law,
)

Z = 5.8  # of 64 strings, false-alarm rate below 1e-6 together
EDGES = tuple(range(1, 31))


def trees(vocab_size, depth, b, node=()):
    """(ln probability, leaves) of every tree below a node, whose tokens stand last first."""
    if len(node) == depth:
        return [(0.0, [node])]
    found = [(math.log1p(-b), [node])]
    for below in itertools.product(*(trees(vocab_size, depth, b, (*node, x)) for x in range(vocab_size))):
        found.append((math.log(b) + sum(one for one, _ in below), [leaf for _, part in below for leaf in part]))
    return found


def log_of_string(tokens, leaves, vocab_size, depth, a):
    """ln of the product of urns given the tree; the first D tokens are uniform and counted nowhere."""
    total, urns = -depth * math.log(vocab_size), {leaf: [a] * vocab_size for leaf in leaves}
    for t in range(depth, len(tokens)):
        past = tuple(reversed(tokens[:t]))
        (urn,) = (urn for leaf, urn in urns.items() if past[: len(leaf)] == leaf)
        total += math.log(urn[tokens[t]] / sum(urn))
        urn[tokens[t]] += 1
    return total


@pytest.mark.parametrize(
    ("seed", "size", "b", "a"),
    [(0, (2, 2), 0.25, 1), (1, (2, 3), 0.5, "1/4"), (2, (3, 2), 0.75, "1/4"), (3, (2, 2), 0.5, "1/4")],
)
def test_the_source_s_law_is_the_sum_over_all_trees(seed, size, b, a):
    """Sums of logarithms over every tree, cold contexts and the first D tokens among them."""
    source = ContextTreeSource(vocab_size=size[0], depth=size[1], branching=b, concentration=a)
    tokens = np.random.default_rng(seed).integers(size[0], size=12)
    every = trees(*size, b)
    assert np.logaddexp.reduce([one for one, _ in every]) == pytest.approx(0.0, abs=1e-12)
    logs = [one + log_of_string(tokens.tolist(), leaves, *size, float(source.alpha)) for one, leaves in every]
    assert source.log_probs(tokens[None]).sum() == pytest.approx(np.logaddexp.reduce(logs), abs=1e-10)


def test_sampled_strings_are_as_frequent_as_the_law_says():
    source, n = ContextTreeSource(vocab_size=2, depth=2, branching=0.5, concentration="1/2"), 20_000
    strings = np.array(list(itertools.product((0, 1), repeat=6)), dtype=np.uint8)
    chance = np.exp(source.log_probs(strings).sum(axis=1))
    found = np.bincount(source.sample(n, 6, seed=1).astype(int) @ 2 ** np.arange(5, -1, -1), minlength=64) / n
    assert chance.sum() == pytest.approx(1.0)
    assert np.all(np.abs(found - chance) < Z * np.sqrt(chance * (1 - chance) / n))


# ------------------------------------------------------------------------------------------------ rivals
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), size=st.sampled_from([(2, 3), (3, 2)]))
def test_orders_and_bins_count_as_a_loop_does(seed, size):
    v, d = size
    source = ContextTreeSource(vocab_size=v, depth=d, branching=0.5, concentration="1/2")
    tokens = np.random.default_rng(seed).integers(v, size=(2, 14))
    laws, bins = order_laws(tokens, source), count_bins(tokens, d)
    for row, t, order in itertools.product(range(2), range(d, 14), range(d + 1)):
        past = tokens[row, t - order : t].tolist()
        after = [tokens[row, s] for s in range(d, t) if tokens[row, s - order : s].tolist() == past]
        counts = np.bincount(after, minlength=v) if after else np.zeros(v)
        assert laws[order, row, t - d] == pytest.approx((counts + 0.5) / (len(after) + v / 2))
        assert BINS[bins[order, row, t - d]] <= len(after) < BINS[bins[order, row, t - d] + 1]
    full = source.replace(branching=1.0)
    np.testing.assert_allclose(laws[-1], full.predict(tokens)[:, d:], atol=1e-12)


def test_deeper_priors_begin_to_count_later():
    source = ContextTreeSource(vocab_size=2, depth=2)
    tokens = tokens_of(source, 0, 3, 12)
    np.testing.assert_array_equal(tree_law(tokens, 2, 2, 0.5, 1.0, 2), source.predict(tokens)[:, 2:])
    deeper = tree_law(tokens, 2, 2, 0.5, 1.0, 4)
    assert deeper.shape == (3, 10, 2)
    assert (deeper[:, :2] == 0.5).all()


def test_who_knows_the_tree_gains_on_average_and_reads_the_leaf():
    source = ContextTreeSource(vocab_size=2, depth=2, branching=0.5, concentration="1/4")
    tokens = tokens_of(source, 3, 400, 24)
    known = known_tree_laws(tokens, source, 3)
    leaves = source.trees(400, 3, first_sequence=tokens_start())
    for row, t in ((0, 9), (5, 20), (17, 2)):
        leaf = leaves[row, tokens[row, t - 2] * 2 + tokens[row, t - 1]]
        same = [s for s in range(2, t) if leaves[row, tokens[row, s - 2] * 2 + tokens[row, s - 1]] == leaf]
        counts = np.array([sum(tokens[row, s] == x for s in same) for x in (0, 1)]) + 0.25
        assert known[row, t - 2] == pytest.approx(counts / counts.sum())
    at = tokens[:, 2:, None]
    gain = np.log(np.take_along_axis(known, at, 2)) - np.log(np.take_along_axis(source.predict(tokens)[:, 2:], at, 2))
    rows = gain.mean(axis=(1, 2))
    exact = divergence(known, source.predict(tokens)[:, 2:]).mean(axis=1)
    assert abs((rows - exact).mean()) < Z * (rows - exact).std() / 20
    assert exact.mean() > 0


def tokens_start() -> int:
    from testbed.training.streams import first_sequence

    return first_sequence("probe")


def test_the_fit_climbs_and_finds_gates_that_were_planted():
    """Bayes laws that are an interpolation: its gates come back wherever contexts were seen often enough."""
    source = ContextTreeSource(vocab_size=3, depth=1, branching=0.5, concentration="1/4")
    tokens = tokens_of(source, 0, 300, 24)
    orders, bins = order_laws(tokens, source), count_bins(tokens, 1)
    gates = np.ones((2, len(BINS)))
    gates[1] = np.linspace(0.2, 0.9, len(BINS))
    planted = Interpolation(gates)
    assert planted.weights(bins).sum(axis=0) == pytest.approx(1.0)
    flat = orders.reshape(2, -1, 3), bins.reshape(2, -1)
    bayes = planted.laws(bins, orders).reshape(-1, 3)
    fits = [fitted(*flat, bayes, steps) for steps in (1, 5, 25, 400)]
    losses = [divergence(bayes, one.laws(flat[1], flat[0])).mean() for one in fits]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 1e-6
    found = fits[-1].gates[1]
    assert found[1:6] == pytest.approx(gates[1, 1:6], abs=0.02)


def test_constant_weights_that_were_planted_are_found():
    rng = np.random.default_rng(0)
    orders = rng.dirichlet(np.ones(3), size=(3, 500))
    w = np.array([0.2, 0.5, 0.3])
    assert fit_linear(orders, linear(w, orders)) == pytest.approx(w, abs=1e-4)
    free = np.array([0.4, 0.9, -0.2])  # of any sum and sign
    law = loglinear(free, orders)
    slow = np.array([math.prod(orders[i, 7, x] ** free[i] for i in range(3)) for x in range(3)])
    assert law[7] == pytest.approx(slow / slow.sum())
    assert fit_loglinear(orders, law) == pytest.approx(free, abs=1e-4)


def test_weights_by_cell_that_were_planted_are_found():
    rng = np.random.default_rng(1)
    orders, counts = rng.dirichlet(np.full(3, 2.0), size=(3, 400)), rng.integers(0, 4, size=(3, 400))
    cells = cells_of(counts, (1, 3))
    bins = np.array([0, 1, 1, 2])  # of counts 0 .. 3
    assert cells.tolist() == (3 * bins[counts[1]] + bins[counts[2]]).tolist()
    planted = rng.normal(size=(9, 3))
    law = np.stack([loglinear(planted[cell], orders[:, place]) for place, cell in enumerate(cells)])
    even = np.full(3, 1 / 3)
    found = fit_cells(np.log(orders), cells, law, even)
    assert found.known.tolist() == list(range(9))
    assert found.weights == pytest.approx(planted, abs=0.01)
    assert np.exp(found.log_laws(np.log(orders), cells)) == pytest.approx(law, abs=1e-3)
    alone = fit_cells(np.log(orders), np.zeros(400, dtype=int), law, even)
    assert alone.weights[0] == pytest.approx(fit_loglinear(orders, law), abs=0.01)
    elsewhere = np.exp(alone.log_laws(np.log(orders[:, :1]), np.array([5])))
    assert elsewhere[0] == pytest.approx(loglinear(even, orders[:, 0]))


def test_confident_orders_have_more_weight():
    orders = np.random.default_rng(0).dirichlet(np.ones(3), size=(2, 5))
    h = np.array([[-sum(p * math.log(p) for p in law) for law in row] for row in orders])
    assert entropy(orders) == pytest.approx(h)
    first = 1 / (1 + np.exp(8 * (h[0] - h[1])))
    mixed = first[:, None] * orders[0] + (1 - first)[:, None] * orders[1]
    assert confident_laws(orders)["confident"] == pytest.approx(mixed)
    found = features(orders, 2)
    assert found.shape == (6, 5, 3)
    assert found[3, 2] == pytest.approx(np.log(orders[1, 2]) * h[1, 2])


# ------------------------------------------------------------------------------------------------ preferences
def test_depths_of_leaves_are_those_of_the_tree():
    """By asking, for every context, how many of its last tokens fix the number of its leaf."""
    v, d = 2, 3
    source = ContextTreeSource(vocab_size=v, depth=d, branching=0.5, concentration="1/2")
    tokens = tokens_of(source, 4, 20, 12)
    depths, leaves = leaf_depths(tokens, source, 4), source.trees(20, 4, first_sequence=tokens_start())
    for row, t in itertools.product(range(20), range(d, 12)):
        past = tokens[row, t - d : t].tolist()
        same = [
            {
                leaves[row, int("".join(map(str, [*old, *past[d - k :]])), v)]
                for old in itertools.product((0, 1), repeat=d - k)
            }
            for k in range(d + 1)
        ]
        assert depths[row, t - d] == next(k for k, one in enumerate(same) if len(one) == 1)


@pytest.mark.parametrize(("seed", "more"), [(0, 0.2), (1, -0.1)])
def test_a_preference_is_the_change_of_weights(seed, more):
    """Log-linear blends by counts have none, whatever their weights; weights that change by sequence are read off."""
    rng = np.random.default_rng(seed)
    orders = rng.dirichlet(np.full(3, 2.0), size=(3, 30, 40))
    w = np.array([0.3, 0.3, 0.4])
    scale = Scale(orders, rng.integers(0, 4, size=(3, 30, 40)), loglinear(w, orders), (1, 2, 3))
    assert scale.preferences(loglinear(rng.normal(size=3), orders)) == pytest.approx(0.0, abs=1e-3)
    _, one, two = scale.counts
    for far in (two >= 2, two > 0.6 * one, one * two >= 4):  # by one count, by a ratio, by both
        gated = np.where(far[..., None], loglinear(rng.normal(size=3), orders), loglinear(w, orders))
        assert scale.preferences(gated) == pytest.approx(0.0, abs=1e-3)
    planted = more * np.where(np.arange(30) % 2, 1.0, -1.0)
    law = np.stack([loglinear(w + one * np.array([-0.5, 0.0, 0.5]), orders[:, i]) for i, one in enumerate(planted)])
    own = np.log(orders[2] / orders[0]) / 2
    own -= (scale.weight * own).sum(axis=-1, keepdims=True)
    known = (scale.weight * own**2).sum(axis=(1, 2))
    found = scale.preferences(law)
    assert found == pytest.approx(planted * known / (known + known.mean() / 2), abs=0.04)
    assert slope(found, planted) == pytest.approx(2 / 3, abs=0.05)


@pytest.fixture(scope="module")
def learners():
    """150 sequences, their laws, and a scale."""
    source = ContextTreeSource(vocab_size=2, depth=2, branching=0.3, concentration="1/8")
    tokens = tokens_of(source, 5, 150, 32)
    bayes, orders, bins = source.predict(tokens)[:, 2:], order_laws(tokens, source), count_bins(tokens, 2)
    w = fit_loglinear(orders.reshape(3, -1, 2), bayes.reshape(-1, 2))
    scale = Scale(orders, seen(tokens, 2), loglinear(w, orders), EDGES)
    own, depth = scale.preferences(bayes), leaf_depths(tokens, source, 5).mean(axis=1)
    return tokens, bayes, orders, bins, scale, own, depth


def test_the_preferences_of_known_learners(learners):
    """Half of context-tree weighting beside a constant blend has half its slope; wrong priors follow the evidence; who
    asks none does so less, not at all with weights by counts, and permuted depths are followed by nobody."""
    tokens, bayes, orders, bins, scale, own, depth = learners

    def follows(law):
        return slope(scale.preferences(law), own)

    logs = 0.5 * np.log(bayes) + 0.5 * np.log(scale.weight)
    half = np.exp(logs) / np.exp(logs).sum(axis=-1, keepdims=True)
    assert follows(bayes) == pytest.approx(1.0)
    assert follows(half) == pytest.approx(0.5, abs=0.05)
    for b in (0.1, 0.9):
        assert follows(tree_law(tokens, 2, 2, b, 0.125, 2)) > 0.4
    unasking = {
        "linear": linear(fit_linear(orders.reshape(3, -1, 2), bayes.reshape(-1, 2)), orders),
        "steep gates": steep_gates(2).laws(bins, orders),
    }
    assert max(follows(law) for law in unasking.values()) < 0.2
    _, one, two = scale.counts
    for gate in (two >= 7, two > 0.5 * one):
        w = np.where(gate, 0.9, 0.1)[..., None]
        law = np.exp((1 - w) / 2 * np.log(orders[0] * orders[1]) + w * np.log(orders[2]))
        assert abs(follows(law / law.sum(axis=-1, keepdims=True))) < 0.02
    assert 0.15 < follows(confident_laws(orders)["confident_log"]) < 0.7  # asks nothing, and looks as if it did
    chance = permuted(own, depth, 200, 0)
    assert slope(own, depth) > 2 * chance.std()
    assert abs(chance.mean()) < Z * chance.std() / np.sqrt(len(chance))


# ------------------------------------------------------------------------------------------------ the study
