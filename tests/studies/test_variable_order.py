"""The study `variable_order`: the Bayes law is the sum over trees, rivals against loops, coefficients, a smoke run."""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.sources.in_context import ContextTreeSource
from testbed.studies import load_studies
from testbed.studies.judge import Open, judge
from testbed.studies.variable_order import VariableOrder
from testbed.studies.variable_order.blends import fit_linear, fit_loglinear, linear, loglinear
from testbed.studies.variable_order.config import Arm, quarters
from testbed.studies.variable_order.data import gather
from testbed.studies.variable_order.evidence import evidence
from testbed.studies.variable_order.rivals import (
    BINS,
    Interpolation,
    adaptivity,
    count_bins,
    divergence,
    fitted,
    known_tree_laws,
    order_laws,
    tokens_of,
    tree_law,
)
from testbed.studies.variable_order.settled import fall, moving
from testbed.studies.variable_order.worlds import ADAPTIVE, STILL, planted

CONFIG = Path(__file__).parents[2] / "configs" / "variable_order.toml"
Z = 5.8  # of 64 strings, false-alarm rate below 1e-6 together


@pytest.fixture(scope="module")
def smoke() -> VariableOrder:
    (study,) = load_studies(CONFIG, "smoke")
    assert isinstance(study, VariableOrder)
    return study


# ------------------------------------------------------------------------------------------------ the Bayes law
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


@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    size=st.sampled_from([(2, 2), (2, 3), (3, 2), (4, 2)]),
    b=st.sampled_from([0.25, 0.5, 0.75]),
    a=st.sampled_from(["1/4", 1]),
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
    losses = [divergence(bayes, fitted(*flat, bayes, steps).laws(flat[1], flat[0])).mean() for steps in (1, 5, 25, 400)]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 1e-6
    found = fitted(*flat, bayes, 400).gates[1]
    assert found[1:6] == pytest.approx(gates[1, 1:6], abs=0.02)


@given(seed=st.integers(0, 10_000), g=st.floats(-1, 2))
@settings(max_examples=15, deadline=None)
def test_the_coefficient_is_that_of_the_law_that_follows_the_sequence(seed, g):
    """Any blend of the others adds nothing to it, nor does what is orthogonal to all."""
    rng = np.random.default_rng(seed)
    bayes, others = rng.dirichlet(np.ones(3), size=40), rng.dirichlet(np.ones(3), size=(4, 40))
    blend = np.einsum("i,inv->nv", rng.normal(size=4), others)
    columns = np.concatenate([bayes[None], others]).reshape(5, -1)
    noise = rng.normal(size=columns.shape[1])
    noise -= columns.T @ np.linalg.lstsq(columns.T, noise, rcond=None)[0]
    assert adaptivity(g * bayes + blend + noise.reshape(bayes.shape), bayes, others) == pytest.approx(g, abs=1e-9)


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


def test_the_coefficient_of_known_learners():
    """1 for context-tree weighting through the whole reading, g for what is g parts of it beside any linear blend with
    constant weights; near it under wrong priors; not 0 for blends with other weights, which follow no evidence."""
    source = ContextTreeSource(vocab_size=4, depth=2, branching=0.55, concentration="1/4")
    tokens = tokens_of(source, 5, 300, 40)
    bayes, orders, bins = source.predict(tokens)[:, 2:], order_laws(tokens, source), count_bins(tokens, 2)
    gates = np.ones((3, len(BINS)))
    gates[1:] = BINS / (BINS + 2.0)
    beside = np.concatenate([np.full_like(bayes, 0.25)[None], orders, Interpolation(gates).laws(bins, orders)[None]])

    def coefficient(law):
        return adaptivity(law, bayes, beside)

    constant = linear(np.array([0.2, 0.5, 0.3]), orders)
    assert coefficient(bayes) == pytest.approx(1.0)
    assert coefficient(constant) == pytest.approx(0.0, abs=1e-9)
    assert coefficient(Interpolation(gates).laws(bins, orders)) == pytest.approx(0.0, abs=1e-9)
    assert coefficient(0.3 * bayes + 0.7 * constant) == pytest.approx(0.3)
    for b, a in ((0.2, 0.25), (0.8, 0.25), (0.55, 0.5)):
        assert coefficient(tree_law(tokens, 2, 4, b, a, 2)) > 0.6
    other = np.ones((3, len(BINS)))
    other[1:] = np.where(BINS < 4, 0.05, 0.95)  # from here on varying: by counts, by position, by what was seen
    places = np.linspace(0.1, 0.9, bayes.shape[1])[:, None]
    blends = {
        "other gates": Interpolation(other).laws(bins, orders),
        "position": places * orders[2] + (1 - places) * orders[0],
        "log-linear": loglinear(fit_loglinear(orders.reshape(3, -1, 4), bayes.reshape(-1, 4)), orders),
    }
    found = {name: coefficient(law) for name, law in blends.items()}
    assert max(map(abs, found.values())) > 0.01  # which is why a small coefficient shows nothing
    assert max(map(abs, found.values())) < 0.25  # the bound of who hardly follows the evidence


# ------------------------------------------------------------------------------------------------ the study
@pytest.mark.parametrize("scale", ["smoke", "laptop", "gpu", "full"])
def test_every_scale_names_rivals_and_tuning_first(scale):
    (study,) = load_studies(CONFIG, scale)
    cells = study.cells({})
    assert {cell.probe.kind for cell in cells} == {"learners", "blends", "tuning"}
    tuned = [arm for arm in study.arms if arm.kind != "full"]
    assert len(cells) - 1 - study.n_seeds == len(tuned) * len(study.rates.learning_rates) * study.rates.n_seeds
    if scale != "smoke":
        assert min(study.seeds) >= 100


def test_quarters_are_a_partition():
    for scored in range(8, 40):
        parts = quarters(scored)
        assert np.concatenate([np.arange(scored)[part] for part in parts]).tolist() == list(range(scored))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("layers=[1, 3, 4]", r"layers: given \(1, 3, 4\)"),
        ("task.branching=1.0", "branching: given 1.0"),
        ("task.length=9", "length: given 9"),
        ("model.mlp_ratio=0", "mlp_ratio"),
        ("model.depth=3", "model.depth: given 3"),
        ("optimiser.learning_rate=0.01", "learning_rate: given 0.01"),
        ("evaluation.path_points=1", "path_points: given 1"),
    ],
)
def test_bad_settings_are_named(override, message):
    with pytest.raises(ConfigError, match=message):
        load_studies(CONFIG, "smoke", [override])


def test_claims_on_layers_are_open_while_training_goes_on(smoke):
    rng = np.random.default_rng(0)
    still, over = (planted(smoke, world, rng, 6) for world in (STILL, ADAPTIVE))
    assert fall(still.arms["trees_2"]) == pytest.approx(0.5)
    assert fall(over.arms["trees_2"]) == pytest.approx(0.0)
    assert "50% off the excess of 2 layers" in moving(smoke, still, [Arm(2)])
    assert moving(smoke, over, [Arm(2)]) == ""
    numbers = evidence(smoke, still)
    number = numbers["variable_order.two_blend"]
    assert isinstance(number, Open)
    assert not isinstance(numbers["variable_order.two_adapts"], Open)
    (claim,) = (one for one in smoke.claims() if one.id == "variable_order.two_blend")
    (verdict,) = judge([(claim, number)])
    assert (verdict.verdict, verdict.estimate) == ("undecided", number.known.estimate)
    assert "training was not over" in verdict.reason


def test_the_smoke_run_is_judged_and_drawn(smoke, finished):
    judgement = smoke.judge(finished)
    assert [check.name for check in judgement.checks if not check.passed] == []
    assert [verdict.claim for verdict in judgement.verdicts] == list(smoke.claims())
    assert {one.verdict for one in judgement.verdicts} == {"undecided"}  # two runs each
    figures = smoke.figures(finished)
    assert {claim for figure in figures.values() for claim in figure.claims} == {one.id for one in smoke.claims()}
    for figure in figures.values():
        assert figure.rows
        assert "interval" in figure.caption
    assert not smoke.judge(finished[:-1]).verdicts
    assert smoke.figures(finished[:-1]) == {}
    data = gather(smoke, finished)
    two = data.arms[Arm(2).name]
    assert two.excess.shape == (2, smoke.task.scored)
    assert two.gap_orders.shape == (2, smoke.task.depth + 1, smoke.task.scored)
    for values in data.constant.values():
        assert values.shape == (2, smoke.task.scored)
