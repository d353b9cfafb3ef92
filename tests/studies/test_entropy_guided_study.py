"""The study `entropy_guided`: best heads and the penalty's defect by slow twins, its cells, a smoke run."""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.methods.method import methods
from testbed.studies import load_studies
from testbed.studies.entropy_guided import EntropyGuidedStudy
from testbed.studies.entropy_guided.claims import ASKED, HARM, WASTE, claims
from testbed.studies.entropy_guided.config import BOTH, HMAX, NEITHER, PLACES, Arm, Sources, cell_title
from testbed.studies.entropy_guided.data import gather, spiked
from testbed.studies.entropy_guided.evidence import above, evidence, not_learnt
from testbed.studies.entropy_guided.exact import (
    early,
    late,
    mean_ceiling,
    needed,
    overload_range,
    tails,
    uniform_penalty,
)
from testbed.studies.entropy_guided.grid import all_cells, dose_arms, main_arms, member_cell, seeds_of
from testbed.studies.entropy_guided.judgement import RAISED_TO
from testbed.studies.entropy_guided.order import across, within
from testbed.studies.entropy_guided.worlds import FAILS_IN, OPEN_IN, planted

CONFIG = Path(__file__).parents[2] / "configs" / "entropy_guided.toml"


@pytest.fixture(scope="module")
def smoke() -> EntropyGuidedStudy:
    (study,) = load_studies(CONFIG, "smoke")
    assert isinstance(study, EntropyGuidedStudy)
    return study


# ------------------------------------------------------------------------------------------------ best heads
@given(st.integers(0, 10**6))
@settings(max_examples=3, deadline=None)
def test_uniform_averages_are_the_bayes_laws(seed):
    """On the coin over all keys, on chains over what followed the present token; the begin symbol stands for 1/2, 1/2.
    Their entropies, and no entropy on the copy, are those that are needed."""
    sources, length = Sources(length=12, lag=3), 12
    for place in ("coin", "markov"):
        source = sources.source(place)
        tokens = source.sample(3, length, seed=seed).astype(np.int64)
        laws, entropies = source.predict(tokens), needed(place, tokens, 3)[-1]
        for row, t in itertools.product(range(3), range(length)):
            seen = [
                tokens[row, s]
                for s in range(t)
                if place == "coin" or (s > 0 and tokens[row, s - 1] == tokens[row, t - 1])
            ]
            read = np.mean([[0.5, 0.5], *np.eye(2)[seen]], axis=0)
            np.testing.assert_allclose(read, laws[row, t], atol=1e-9)
            assert entropies[row, t] == pytest.approx(math.log(len(seen) + 1))
    source = sources.source("copy")
    tokens = source.sample(3, length, seed=seed).astype(np.int64)
    laws, (copying,) = source.predict(tokens), needed("copy", tokens, 3)
    assert np.array_equal(np.isnan(copying[0]), np.arange(length) < 3)
    for row, t in itertools.product(range(3), range(3, length)):
        assert laws[row, t, tokens[row, t - 3]] == pytest.approx(0.9, abs=1e-6)
        assert copying[row, t] == 0


def test_overload_and_collapse_are_those_of_loops_over_rows():
    rng = np.random.default_rng(0)
    entropy = rng.random((3, 9)) * np.log(np.arange(1, 10))
    for hmax in HMAX:
        over, under = tails(entropy, hmax)
        for head in range(3):
            largest = [math.log(9 if hmax == "window" else n) for n in range(2, 10)]
            assert over[head] == np.mean([h > 0.75 * m for h, m in zip(entropy[head, 1:], largest, strict=True)])
            assert under[head] == np.mean([h < 0.25 * m for h, m in zip(entropy[head, 1:], largest, strict=True)])


@pytest.mark.parametrize("hmax", HMAX)
def test_the_range_of_overload_is_reached_by_heads_that_are_free(hmax):
    """The least if they have no entropy, the most if they are uniform; rows in which nothing is needed likewise."""
    sources, heads = Sources(length=12, lag=3), 2
    for place, layers in (("copy", 1), ("coin", 1), ("markov", 2)):
        tokens = sources.source(place).sample(50, 12, seed=1).astype(np.int64)
        known = needed(place, tokens, 3)
        ends = []
        for free in (np.zeros(12), np.log(np.arange(1, 13))):
            every = [np.where(np.isnan(one), free, one) for one in known]
            every += [np.broadcast_to(free, (50, 12))] * (heads * layers - len(known))
            ends.append(np.mean([tails(one, hmax)[0].mean() for one in every]))
        assert overload_range(place, tokens, 3, heads, hmax) == pytest.approx(tuple(ends))


# ------------------------------------------------------------------------------------------------ the defect
def test_ln_T_is_no_heads_mean_entropy():
    """At T = 128 the largest mean entropy is 3.878, and the largest in the paper's figure 3 is 3.87; ln T is 4.852."""
    for T in (1, 7, 128):
        assert mean_ceiling(T) == pytest.approx(np.mean(np.log(np.arange(1, T + 1))))
    assert mean_ceiling(128) == pytest.approx(3.878, abs=5e-4)


@given(st.integers(2, 64), st.floats(0.05, 0.45), st.floats(0.0, 1.0))
@settings(max_examples=25, deadline=None)
def test_the_penalty_of_uniform_heads_is_the_methods_and_its_slope_is_zero(T, tolerance, theta):
    """With ln T no theta frees a uniform head; with ln i all from 1 - tau on do. Either way uniform rows do not move
    by themselves: at the largest entropy its slope is zero, what moves is theta."""
    visible = torch.ones(T, T, dtype=torch.bool).tril()
    logits = torch.zeros(T, T, dtype=torch.float64).masked_fill(~visible, -math.inf).requires_grad_()
    thetas = torch.full((1, 1), theta, dtype=torch.float64, requires_grad=True)
    for hmax in HMAX:
        one = methods.build(
            {"type": "entropy_guided", "coefficient": 1.0, "tolerance": tolerance, "maximum": hmax, "theta": theta}
        )
        total = one.penalty(logits.softmax(dim=-1)[None, None, None], visible, thetas).sum()
        exact = float(uniform_penalty(T, tolerance, np.array([theta]), hmax)[0])
        n = np.arange(1, T + 1)
        largest = np.log(n if hmax == "row" else np.full(T, T))
        edge = np.abs(np.abs(np.log(n) - theta * largest) - tolerance * largest)[1 if hmax == "row" else 0 :].min()
        if edge > 1e-9:
            assert float(total.detach()) == pytest.approx(exact, abs=1e-9)
        if total.requires_grad and float(total.detach()) > 0:
            (slope,) = torch.autograd.grad(total, [logits])
            assert float(slope.nan_to_num().abs().max()) < 1e-9
    grid = np.linspace(0.0, 1.0, 201)
    assert uniform_penalty(T, tolerance, grid, "window").min() > 0
    assert (uniform_penalty(T, tolerance, grid[grid >= 1 - tolerance], "row") == 0).all()


def test_rows_are_early_or_late_but_for_that_of_one_key():
    one, two = early(256, 0.2), late(256, 0.2)
    assert np.flatnonzero(one).tolist() == list(range(1, 84))  # and the first: 84 rows, as the method's test has it
    assert not (one & two).any()
    assert (one | two)[1:].all()


# ------------------------------------------------------------------------------------------------ order statistics
def slow(x, y, pairs):
    """Agreeing and told pairs, by a loop."""
    agree = told = 0.0
    for (i, a), (j, b) in pairs:
        if x[i][a] != x[j][b]:
            told += 1
            same = (x[i][a] > x[j][b]) == (y[i][a] > y[j][b])
            agree += 0.5 if y[i][a] == y[j][b] else float(same)
    return agree, told


def pairs_of(kind, cells, kept):
    """Pairs of (cell, replicate)."""
    if kind is across:
        return [((i, r), (j, r)) for r in kept for i, j in itertools.combinations(range(cells), 2)]
    return [((i, r), (i, s)) for i in range(cells) for r, s in itertools.combinations(kept, 2)]


@given(st.lists(st.tuples(*[st.integers(0, 3)] * 6), min_size=3, max_size=6), st.sampled_from([across, within]))
@settings(max_examples=40, deadline=None)
def test_tied_pairs_are_left_out_and_pseudo_values_are_those_of_runs_left_out(rows, kind):
    table = np.array(rows, dtype=float).T
    x, y, n = table[:3], np.where(table[3:] == 3, np.inf, table[3:]), len(rows)
    found, every = kind(x, y), pairs_of(kind, 3, range(n))
    agree, told = slow(x, y, every)
    assert (found.agree, found.told, found.count) == (agree, told, len(every))
    assert found.tied == pytest.approx(1 - told / len(every))
    if not told:
        assert found.number().withheld
        return
    assert found.share == pytest.approx(agree / told)
    pseudo = []
    for left in range(n):
        a, b = slow(x, y, pairs_of(kind, 3, [r for r in range(n) if r != left]))
        pseudo.append(n * found.share - (n - 1) * (a / b if b else found.share))
    np.testing.assert_allclose(found.pseudo(), np.array(pseudo) - np.mean(pseudo) + found.share, atol=1e-9)
    assert found.number().estimate == pytest.approx(found.share)


@pytest.mark.parametrize("kind", [across, within])
def test_order_by_chance_is_a_half_whatever_is_tied_and_too_many_ties_decide_nothing(kind):
    rng = np.random.default_rng(0)
    draws = [
        kind(np.where(rng.random((4, 12)) < 0.6, 0.0, rng.random((4, 12))), rng.random((4, 12))) for _ in range(200)
    ]
    shares = np.array([one.share for one in draws])
    assert abs(shares.mean() - 0.5) < 5 * shares.std() / np.sqrt(len(shares))  # five standard errors
    for one in draws[:20]:
        assert bool(one.evidence(0.2, "overload").withheld) == (one.tied > 0.2)
        assert not one.evidence(0.99, "overload").withheld
    told = kind(np.arange(48.0).reshape(4, 12), np.arange(48.0).reshape(4, 12))
    assert (told.share, told.tied, told.ceiling) == (1.0, 0.0, 1.0)
    assert 0.5 < told.number().lower(0.025) < 1  # no pair says otherwise, and that is no certainty


def test_spikes_are_rises_by_a_factor_and_a_jump():
    assert spiked(np.array([0.3, 0.1, 0.25]), 2.0, 0.01)
    assert not spiked(np.array([0.3, 0.1, 0.15, 0.05]), 2.0, 0.01)
    assert not spiked(np.array([1e-3, 1e-4, 5e-4]), 2.0, 0.01)


def test_a_run_that_diverged_is_harmed_and_its_twin_helped():
    found = above(np.array([np.inf, 1.0, np.inf]), np.array([1.0, np.inf, np.inf]))
    assert found.tolist() == [np.inf, -np.inf, np.inf]


# ------------------------------------------------------------------------------------------------ cells
def test_arms_of_a_replicate_differ_in_what_they_are_named_after_alone(smoke):
    specs = {arm: member_cell(smoke, arm, 3, 1e-2).training for arm in main_arms(smoke)}
    assert len({spec.training_key for spec in specs.values()}) == len(specs)
    for place in PLACES:
        mine = [spec for arm, spec in specs.items() if arm.place == place]
        plain = {
            spec.replace(model=spec.model.replace(norm="layer", activation="gelu", methods=("rope",))) for spec in mine
        }
        assert len(plain) == 1
        assert mine[0].optimiser.clip is None
    guided = specs[Arm("coin", NEITHER, "row", smoke.penalty.coefficient)].model
    assert (guided.norm.type_name, guided.activation.type_name) == ("none", "identity")
    assert guided.methods[1].maximum == "row"
    assert [cell_title(cell) for cell in (BOTH, NEITHER, "none_relu")] == ["SM + LN + G", "SM", "SM + R"]


def test_rates_are_chosen_before_members_on_seeds_of_their_own(smoke, finished):
    assert {one.probe.kind for one in all_cells(smoke, {})} == {"rate"}
    every = list(all_cells(smoke, {one.key: one for one in finished}))
    assert len(every) == len(finished)
    (laptop,) = load_studies(CONFIG, "laptop")
    assert not {one.probe.seed for one in every if one.probe.kind == "rate"} & set(laptop.seeds)
    assert min(laptop.seeds) >= 400
    assert {arm.coefficient for arm in dose_arms(smoke)} == {1e-5}
    assert {len(seeds_of(laptop, arm)) for arm in main_arms(laptop) + dose_arms(laptop)} == {20, 16, 8}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("sources.lag=4", "quarter of length"),
        ("network.heads=8", "heads"),
        ('lattice.activations=["gelu", "relu"]', "activations"),
        ('lattice.activations=["gelu", "identity", "identity"]', "activations"),
        ("penalty.others=[1e-3]", "others"),
        ("penalty.others=[-1.0]", "others"),
        ("network.depth=3", "depth"),
        ('network.norm="none"', "norm"),
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
    found = {
        (p["place"], p["lattice"], p.get("form", "none"), p.get("coefficient", 0.0), p["seed"]): one
        for one in finished
        if (p := one.probe)["kind"] == "member"
    }
    c, cells = smoke.penalty.coefficient, smoke.lattice.cells

    def order(hmax):
        runs = [[found["copy", cell, "none", 0.0, seed] for seed in smoke.seeds] for cell in cells]
        over, kl = ([[one.arrays[name].mean() for one in line] for line in runs] for name in (f"over_{hmax}", "curve"))
        agree, told = slow(over, kl, pairs_of(across, len(cells), range(smoke.n_seeds)))
        return agree / told if told else 0.5

    assert numbers["lattice_copy"].estimate == pytest.approx(min(order(hmax) for hmax in HMAX))
    shares = []
    for cell in (BOTH, NEITHER):
        flags = []
        for seed in smoke.seeds:
            window, row = (
                found["coin", cell, form, c, seed].arrays["curve"][data.late].mean() for form in ("window", "row")
            )
            flags.append(window - row >= smoke.bounds.raised)
        shares.append(np.mean(flags))
    assert numbers["defect_late"].estimate == min(shares)
    one = found["markov", BOTH, "none", 0.0, smoke.first_seed]
    assert one.arrays["entropy"].shape == (2, smoke.network.heads, smoke.sources.length)
    assert one.arrays["halves"].mean() == pytest.approx(one.arrays["curve"].mean())


def test_the_smoke_run_is_judged_and_drawn(smoke, finished):
    judged = smoke.judge(finished)
    assert [check.name for check in judged.checks if not check.passed] == []
    assert [one.claim for one in judged.verdicts] == list(smoke.claims())
    figures = smoke.figures(finished)
    assert list(figures) == ["overload", "kl", "rows", "dose"]
    assert {claim for one in figures.values() for claim in one.claims} == {one.id for one in smoke.claims()}
    assert all(one.rows for one in figures.values())
    assert all("interval" in one.caption or "bands" in one.caption for one in figures.values())
    assert any(one["arm"].startswith("pairs of runs of SM") for one in figures["kl"].rows)
    assert f"At {RAISED_TO:.0%} the verdicts would be" in judged.notes[-1]
    assert smoke.bounds.predicts == 0.6
    members = [one for one in finished if one.probe["kind"] == "member"]
    lost = smoke.judge([one for one in finished if one is not members[0]])
    assert lost.verdicts == ()
    assert not lost.checks[0].passed


def test_cells_that_did_not_learn_decide_nothing(smoke):
    data = planted(smoke, ASKED, np.random.default_rng(0), 8)
    assert not any(not_learnt(smoke, data).values())
    data.runs[Arm("coin", NEITHER)].curve[:] = data.told["coin"]
    lost = not_learnt(smoke, data)
    assert lost["entropy_guided.raised"] == [f"{NEITHER} on coin"]
    assert not lost["entropy_guided.helped_copy"]


def test_on_copies_without_overload_nothing_is_decided(smoke):
    data = planted(smoke, ASKED, np.random.default_rng(0), 20)
    numbers = evidence(smoke, data)
    for name in OPEN_IN[ASKED]:
        assert "tied" in numbers[f"entropy_guided.{name}"].withheld[0]
    assert not numbers["entropy_guided.same_markov"].withheld


def test_the_papers_name_stands_on_what_it_claims_alone(smoke):
    by = {one.id.partition(".")[2]: one for one in claims(smoke)}
    assert [name for name, one in by.items() if one.paper == "2501.03489"] == ["mitigated"]
    for name, one in by.items():
        if not name.startswith(("lattice", "same", "broken", "small")):
            assert "a dose known from pilots" in one.statement, name


def test_worlds_name_claims_and_each_is_seen_to_hold_and_to_fail(smoke):
    names = {one.id.partition(".")[2] for one in claims(smoke)}
    assert set.union(*map(set, FAILS_IN.values())) <= names
    for name in names:
        words = {name in FAILS_IN[world] for world in (WASTE, ASKED, HARM) if name not in OPEN_IN.get(world, ())}
        assert len(words) == 2, name
