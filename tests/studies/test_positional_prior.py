"""The study `positional_prior`: the exact read-out and its bound against slow twins, its cells, a smoke run."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.methods import Geometry
from testbed.methods.method import methods
from testbed.studies import load_studies
from testbed.studies.positional_prior import PositionalPrior
from testbed.studies.positional_prior.blocks import ideal_cost, kept_lags, price
from testbed.studies.positional_prior.claims import MATCHED
from testbed.studies.positional_prior.config import ARMS, EXPONENTIAL, SINGLE, Design, Reading, methods_of
from testbed.studies.positional_prior.data import gather
from testbed.studies.positional_prior.evidence import evidence, unlearnt
from testbed.studies.positional_prior.grid import all_cells, member_cell
from testbed.studies.positional_prior.readout import (
    brier_excesses,
    correlations,
    divergence_bound,
    excesses,
    prior,
    vertex,
    weights,
)
from testbed.studies.positional_prior.worlds import planted

CONFIG = Path(__file__).parents[2] / "configs" / "positional_prior.toml"
SMALL = Design(vocab_size=2, length=8, reach=2, exponents=(0.0, 1.0), scale=2.0, lag=3)


@pytest.fixture(scope="module")
def smoke() -> PositionalPrior:
    (study,) = load_studies(CONFIG, "smoke")
    assert isinstance(study, PositionalPrior)
    return study


def readout(w, mu, context, pi):
    """(V,) the read-out after a context (t,), newest last, with weights pi (t,) of lags 1 .. t."""
    visible = w[1 : len(context) + 1].sum()
    law = (1.0 - visible) * mu
    for lag in range(1, len(context) + 1):
        law[context[-lag]] += visible * pi[lag - 1]
    return law


# ------------------------------------------------------------------------------------------------ the bound
@settings(max_examples=50, deadline=None)
@given(st.data())
def test_dropped_lags_cost_no_more_than_their_mass_allows(data):
    """Total variation at most D and KL at most the bound, whatever the lags, the tokens, what is kept and mu."""
    size = data.draw(st.integers(2, 5))
    t = data.draw(st.integers(1, 7))
    part = st.floats(1e-3, 1.0)
    mu = np.array(data.draw(st.lists(part, min_size=size, max_size=size)))
    w = np.array(data.draw(st.lists(st.just(0.0) | part, min_size=t + 1, max_size=t + 1)))
    w[0] = data.draw(part)
    mu, w = mu / mu.sum(), w / w.sum()
    context = np.array(data.draw(st.lists(st.integers(0, size - 1), min_size=t, max_size=t)))
    kept = np.array(data.draw(st.lists(st.booleans(), min_size=t, max_size=t)))
    visible = w[1:].sum()
    if visible == 0.0:
        return
    mass, seen = w[1:][~kept].sum(), np.where(kept, w[1:], 0.0)
    p = readout(w, mu, context, w[1:] / visible)
    q = readout(w, mu, context, seen / seen.sum()) if seen.sum() > 0 else mu
    assert np.abs(p - q).sum() / 2 <= mass + 1e-12
    assert np.sum(p * np.log(p / q)) <= divergence_bound(mass, visible, mu.min()) + 1e-12


def test_the_bound_is_reached_to_second_order_in_the_worst_case():
    """One dropped lag on one symbol, the others on another: KL over D^2 is at least a third of the bound's."""
    w, mu = np.array([0.3, 0.69, 0.01]), np.full(4, 0.25)
    p = readout(w, mu, np.array([1, 0]), w[1:] / 0.7)
    q = readout(w, mu, np.array([1, 0]), np.array([1.0, 0.0]))
    bound = float(divergence_bound(0.01, 0.7, 0.25))
    assert bound / 3 < np.sum(p * np.log(p / q)) <= bound


# ------------------------------------------------------------------------------------------------ the exact read-out
def test_excess_and_brier_excess_are_those_of_every_sequence():
    source, length = SMALL.source("power_1"), 6
    tokens = np.array(list(itertools.product(range(2), repeat=length)))
    laws = source.predict(tokens)
    chance = np.exp(source.log_probs(tokens).sum(axis=1))
    w, mu, priors = weights(source, length), np.full(2, 0.5), prior("harmonic", [0.5, 1.5], length)
    expected, brier, pairs = np.zeros(2), np.zeros(2), np.zeros((length, length))
    for row, p_row, share in zip(tokens, laws, chance, strict=True):
        sign = 2.0 * row - 1
        pairs += share * np.outer(sign, sign)
        for t in range(1, length):
            for m in range(2):
                pi = priors[:t, m] / priors[:t, m].sum()
                q = readout(w, mu, row[:t], pi)
                expected[m] += share * np.sum(p_row[t] * np.log(p_row[t] / q)) / length
                brier[m] += share * np.sum((p_row[t] - q) ** 2) / length
    assert chance.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(chance @ excesses(source, tokens, laws, priors), expected, rtol=1e-9)
    np.testing.assert_allclose(brier_excesses(source, length, priors), brier, rtol=1e-6)
    np.testing.assert_allclose(correlations(source, length), pairs, atol=1e-8)


@pytest.mark.parametrize(("arm", "slope"), [("harmonic", 1.3), ("alibi", 0.4)])
def test_priors_are_those_of_the_methods(arm, slope):
    import torch

    from testbed.models.attention import placed

    at = placed(9, "all", Geometry(4, 2, 1, 9), torch.device("cpu"))
    bias = methods.build({"type": arm, "slope": slope}).bias(at, {})[..., -1, :].numpy()
    bias = np.broadcast_to(bias.reshape(-1, 9), (2, 9))[0]
    np.testing.assert_allclose(np.log(prior(arm, slope, 9)[:, 0]), bias[::-1], atol=1e-5)


def test_slopes_of_alibi_are_the_papers_or_the_one_given():
    with pytest.raises(ConfigError, match="released_code"):
        methods.build({"type": "alibi", "slope": 1.0, "released_code": True})
    assert methods.build("alibi").slope is None


def test_on_a_single_lag_the_weakest_prior_is_the_best():
    """As the choice of slopes on it takes for granted; and no weights that fall put more than 1 / lag on it."""
    design = Design(length=16, lag=4)
    source = design.source(SINGLE)
    tokens = source.sample(32, design.length, seed=3).astype(np.int64)
    for arm in ("harmonic", "alibi"):
        found = excesses(source, tokens, source.predict(tokens), prior(arm, [0.05, 0.1, 0.5, 2.0], design.length))
        assert (np.diff(found.mean(axis=0)) > 0).all()
        pi = prior(arm, [0.05, 0.5], design.length)
        assert (pi[design.lag - 1] / pi.sum(axis=0) <= 1 / design.lag).all()


def test_the_vertex_of_a_parabola_is_found_in_every_row():
    slopes = np.array([0.5, 1.0, 1.5, 3.0])
    values = np.stack([(slopes - 1.2) ** 2, (slopes - 1.7) ** 2, slopes, -slopes])
    np.testing.assert_allclose(vertex(slopes, values), [1.2, 1.7, 0.5, 3.0])


# ------------------------------------------------------------------------------------------------ blocks
def test_kept_lags_are_those_of_the_mask():
    import torch

    from testbed.models.attention import placed

    reading, length = Reading(block=2, near=1), 13
    at = placed(length, "all", Geometry(2, 1, 1, length), torch.device("cpu"))
    table = {"type": "probabilistic_blocks", "block": 2, "near": 1, "power": 2.0, "seed": 5}
    mask, kept = methods.build(table).mask(at), kept_lags(reading, 2.0, 5, length)
    for t, lag in itertools.product(range(length), range(1, length + 1)):
        assert kept[t, lag - 1] == (lag <= t and bool(mask[t, t + 1 - lag]))
    assert (~kept).any(axis=1).any()


def test_price_and_cost_of_dropped_lags_are_those_of_slow_loops():
    source, length = SMALL.source("power_1"), SMALL.length
    tokens = source.sample(5, length, seed=2).astype(np.int64)
    laws, w, mu = source.predict(tokens), weights(source, length), np.full(2, 0.5)
    kept = np.random.default_rng(3).random((length, length)) < 0.6
    kept[3] = False  # a place that sees nothing
    found, paid = ideal_cost(source, tokens, laws, kept), price(w, kept, 0.5)
    for t in range(1, length):
        mass = sum(w[lag] for lag in range(1, t + 1) if not kept[t, lag - 1])
        assert paid.mass[t] == pytest.approx(mass)
        for n in range(5):
            seen = np.array([w[lag] * kept[t, lag - 1] for lag in range(1, t + 1)])
            q = readout(w, mu, tokens[n, :t], seen / seen.sum()) if seen.sum() > 0 else mu
            assert found[n, t] == pytest.approx(np.sum(laws[n, t] * np.log(laws[n, t] / q)))
            assert found[n, t] <= paid.bound[t] + 1e-12
    assert paid.keys == pytest.approx(np.mean([not kept[t, j] for t in range(length) for j in range(t)]))


# ------------------------------------------------------------------------------------------------ cells
def test_sources_differ_in_the_law_of_the_lag_alone():
    lags = np.arange(1, SMALL.longest + 1)
    for name, law in (("power_1", lags**-2.0), (EXPONENTIAL, np.exp(-lags / 2.0)), (SINGLE, lags == 3)):
        w = weights(SMALL.source(name), SMALL.longest + 1)
        np.testing.assert_allclose(w[1:], 0.7 * law / law.sum(), atol=1e-8)
        assert w[0] == pytest.approx(0.3, abs=1e-8)


def test_arms_of_a_replicate_differ_in_their_methods_alone(smoke):
    specs = [member_cell(smoke, arm, SINGLE, 3, 1e-2, 0.5).training for arm in ARMS]
    assert len({spec.training_key for spec in specs}) == len(ARMS)
    assert len({spec.replace(model=smoke.model) for spec in specs}) == 1
    assert [one.type_name for one in specs[4].model.methods] == [
        methods.build(m).type_name for m in methods_of(ARMS[4], 1.0)
    ]


@pytest.mark.slow
def test_rates_are_chosen_before_slopes_and_both_before_members(smoke, finished):
    assert {one.probe.kind for one in all_cells(smoke, {})} == {"exact", "rate"}
    rated = {one.key: one for one in finished if one.probe["kind"] in ("exact", "rate")}
    later = list(all_cells(smoke, rated))
    assert {one.probe.kind for one in later if one.probe.arm == "alibi" and one.probe.source != SINGLE} == {
        "rate",
        "slope",
    }
    assert {one.probe.kind for one in later if one.probe.arm == "rope"} == {"rate", "member"}
    assert {one.probe.slope for one in later if one.probe.arm == "alibi" and one.probe.source == SINGLE} == {
        0.25,
        0.125,
    }
    every = [one for one in all_cells(smoke, {one.key: one for one in finished}) if one.training is not None]
    chosen = {one.training.training_key for one in every if one.probe.kind == "member" and one.probe.arm == "harmonic"}
    swept = {one.training.training_key for one in every if one.probe.kind == "sweep"}
    assert len(chosen & swept) == 2 * smoke.n_seeds  # trained once
    seen = {one.probe.seed for one in every if one.probe.kind in ("rate", "slope")}
    assert not seen & set(load_studies(CONFIG, "laptop")[0].seeds)


def test_verdicts_come_from_seeds_that_development_did_not_see():
    assert min(load_studies(CONFIG, "laptop")[0].seeds) >= 400


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("design.exponents=[1.0, 0.5]", "exponents"),
        ("design.lag=9", "half of length"),
        ("slopes.alibi=[0.5, 0.25, 0.1]", "alibi"),
        ("slopes.alibi=[0.1, 0.25, 0.5, 1.0]", "as many"),
        ("reading.powers=[2.0, 1.0]", "powers"),
        ("reading.n_blocks=9", "n_blocks"),
        ("design.scale=0.001", "scale"),
        ("design.exponents=[0.1000001, 0.1000002]", "exponents"),
        ("reading.block=64", "reading.block"),
        ('model.methods=["nope"]', "model.methods"),
        ("model.depth=3", "model.depth"),
        ("model.heads=2", "model.heads"),
    ],
)
def test_bad_settings_are_named(override, message):
    with pytest.raises(ConfigError, match=message):
        load_studies(CONFIG, "smoke", [override])


# ------------------------------------------------------------------------------------------------ the study
def test_the_numbers_of_the_claims_are_those_of_slow_loops(smoke, finished):
    data = gather(smoke, finished)
    assert data is not None
    numbers = {name.partition(".")[2]: one for name, one in evidence(smoke, data).items()}
    length = smoke.design.length
    found = {
        (one.probe["arm"], one.probe["source"], one.probe["seed"]): one
        for one in finished
        if one.probe["kind"] == "member"
    }

    def mean(arm, source, part):
        return np.mean([np.mean(found[arm, source, seed].arrays["curve"][part]) for seed in smoke.seeds])

    inside, beyond = slice(length), slice(length, None)
    powers = ("power_0.25", "power_1.25")
    expected = max(mean("harmonic", s, inside) - mean(o, s, inside) for s in powers for o in ("nope", "rope"))
    assert numbers["power_rest"].estimate == pytest.approx(expected)
    expected = max(mean("harmonic", s, beyond) - mean("alibi", s, beyond) for s in powers)
    assert numbers["reach_alibi"].estimate == pytest.approx(expected)
    lost = [
        found["rope", SINGLE, seed].arrays["blocks_cost"][-1]
        / found["rope", SINGLE, seed].arrays["told"][:length].mean()
        for seed in smoke.seeds
    ]
    assert numbers["single_dear"].estimate == pytest.approx(np.mean(lost))
    known = next(one for one in finished if one.probe["kind"] == "exact" and one.probe["source"] == SINGLE)
    apart = [
        mean(arm, SINGLE, inside) / np.mean([found[arm, SINGLE, seed].arrays["told"][:length] for seed in smoke.seeds])
        - known.arrays[f"{arm}_excess"][0] / known.metrics["information"]
        for arm in ("alibi", "harmonic")
    ]
    assert numbers["single_exact"].estimate == pytest.approx(max(map(abs, apart)), rel=0.01)
    rise = np.polyfit([0.25, 1.25], [data.best_slope(s).mean() for s in powers], 1)[0]
    assert numbers["slope_tracks"].estimate == pytest.approx(rise)


def test_the_smoke_run_is_judged_and_drawn(smoke, finished):
    judged = smoke.judge(finished)
    assert [check.name for check in judged.checks if not check.passed] == []
    assert [one.claim for one in judged.verdicts] == list(smoke.claims())
    figures = smoke.figures(finished)
    assert list(figures) == ["priors", "reach", "slopes", "blocks"]
    assert {claim for one in figures.values() for claim in one.claims} == {one.id for one in smoke.claims()}
    assert all(one.rows and "interval" in one.caption for one in figures.values())
    members = [one for one in finished if one.probe["kind"] == "member"]
    lost = smoke.judge([one for one in finished if one is not members[0]])
    assert lost.verdicts == ()
    assert not lost.checks[0].passed


def test_arms_that_did_not_learn_decide_nothing(smoke, finished):
    (strict,) = load_studies(CONFIG, "smoke", ["bounds.gate=1e-9"])
    words = {one.claim.id.partition(".")[2]: one.verdict for one in strict.judge(finished).verdicts}
    assert {words[name] for name in ("power_alibi", "reach_rope", "blocks_ideal", "single_rope")} == {"undecided"}


@pytest.mark.parametrize(
    ("claim", "loser"),
    [
        ("power_alibi", "alibi"),
        ("power_learned", "alibi"),
        ("power_rest", "rope"),
        ("exponential_harmonic", "harmonic"),
    ],
)
def test_losers_that_did_not_learn_decide_nothing(smoke, claim, loser):
    data = planted(smoke, MATCHED, np.random.default_rng(0), 8)
    assert not unlearnt(smoke, data)[f"positional_prior.{claim}"]
    source = EXPONENTIAL if "exponential" in claim else "power_0.25"
    data.curves[loser, source][:] = data.told[source]
    assert unlearnt(smoke, data)[f"positional_prior.{claim}"] == [f"{loser} on {source}"]


def test_models_still_at_the_uniform_law_decide_nothing_on_the_single_lag(smoke):
    data = planted(smoke, MATCHED, np.random.default_rng(0), 8)
    assert not unlearnt(smoke, data)["positional_prior.single_exact"]
    data.curves["alibi", SINGLE][:] = data.told[SINGLE]
    assert unlearnt(smoke, data)["positional_prior.single_exact"] == [f"alibi on {SINGLE}"]
