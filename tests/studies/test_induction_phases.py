"""The study `induction_phases`: levels against enumeration and quadrature, predictors and readings, a smoke run."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.sources import build
from testbed.studies import load_studies
from testbed.studies.induction_phases import InductionPhases
from testbed.studies.induction_phases.config import ARMS, Arm
from testbed.studies.induction_phases.data import (
    crossing,
    dwelling,
    in_order,
    lead,
    nearest,
    nearness,
    time_in,
    visited,
)
from testbed.studies.induction_phases.last_symbol import counts_last_losses, sorted_cases
from testbed.studies.induction_phases.levels import counts_last_law, exact_binary_levels, sampled_levels
from testbed.studies.induction_phases.measure import before, followers
from testbed.studies.induction_phases.phase_figure import commonest
from testbed.studies.induction_phases.predictors import bigram_law, divergence, straight_way, unigram_laws
from testbed.studies.induction_phases.stationary import unigram_by_quadrature

CONFIG = Path(__file__).parents[2] / "configs" / "induction_phases.toml"


@pytest.fixture(scope="module")
def smoke() -> InductionPhases:
    (study,) = load_studies(CONFIG, "smoke")
    assert isinstance(study, InductionPhases)
    return study


# ------------------------------------------------------------------------------------------------ levels
def test_sums_over_states_are_sums_over_strings():
    """All strings of 7 tokens: every loss by grouping strings by what a law sees of them."""
    source, length, added = build({"type": "dirichlet_markov", "vocab_size": 2}), 7, (1.0, 4.0)
    found = exact_binary_levels(length, added)
    for t in range(1, length):
        strings = np.array(list(itertools.product((0, 1), repeat=t)), dtype=np.uint8)
        chance = np.exp(source.log_probs(strings).sum(axis=1))
        after = source.predict(np.concatenate([strings, strings[:, :1]], axis=1), positions=[t])[:, 0]
        zeros, last = (strings == 0).sum(axis=1), strings[:, -1]
        assert found["bayes"][t] == pytest.approx(-(chance[:, None] * after * np.log(after)).sum(), abs=1e-12)
        for name, seen in (("counts", zeros), ("counts_last", 10 * zeros + last)):
            loss = 0.0
            for one in np.unique(seen):
                joint = (chance[:, None] * after)[seen == one].sum(axis=0)
                loss -= float((joint * np.log(joint / joint.sum())).sum())
            assert found[name][t] == pytest.approx(loss, abs=1e-12)
        for place, b in enumerate(added):
            guess = np.stack([zeros + b, t - zeros + b], axis=1) / (t + 2 * b)
            assert found["unigram"][t, place] == pytest.approx(-(chance[:, None] * after * np.log(guess)).sum())
        laws = counts_last_law(np.concatenate([strings, strings[:, :1]], axis=1).astype(np.int64))[:, t]
        assert -(chance[:, None] * after * np.log(laws)).sum() == pytest.approx(found["counts_last"][t], abs=1e-12)


def test_the_paper_s_levels_for_two_symbols():
    """Positions 1 .. 100. From the chain's stationary law, as in the paper, unigrams lose .5772; from a uniform start
    .5822, and bigrams .5112."""
    exact = exact_binary_levels(101, (1.0,))
    uniform_start = unigram_by_quadrature(100, stationary=False)
    assert exact["unigram"][1:, 0].mean() == pytest.approx(uniform_start, abs=1e-9)
    assert uniform_start == pytest.approx(0.5822, abs=5e-5)
    assert unigram_by_quadrature(100, stationary=True) == pytest.approx(0.5772, abs=5e-5)
    assert exact["bayes"][1:].mean() == pytest.approx(0.5112, abs=5e-5)


@pytest.mark.parametrize(("k", "unigram", "bigram"), [(3, 1.0050, 0.8859), (8, 2.0881, 1.9438)], ids=["three", "eight"])
def test_the_paper_s_levels_for_more_symbols(k, unigram, bigram):
    """Means over 512 sequences, to 5 standard errors and .004 for the start."""
    found = sampled_levels(Arm(vocab_size=k), 101, (1.0,), 512)
    for losses, level in ((found["unigram"][:, 1:, 0], unigram), (found["bigram"][:, 1:], bigram)):
        rows = losses.mean(axis=1)
        assert rows.mean() == pytest.approx(level, abs=5 * rows.std() / np.sqrt(512) + 0.004)


def test_the_sampled_level_of_counts_and_last_symbol_is_the_exact_one():
    """K = 2, where both are known: no less but for sampling, and little more; 5 standard errors are below .006."""
    exact = exact_binary_levels(16, (1.0,))["counts_last"]
    sampled = counts_last_losses(build({"type": "dirichlet_markov", "vocab_size": 2}), 16, 4096)
    assert sampled.mean() == pytest.approx(exact.mean(), abs=0.006)
    order, cases = sorted_cases(np.array([[1, 4, 2], [3, 0, 3]]), np.array([0, 1]))
    assert order.tolist() == [[0, 1, 2], [1, 0, 2]]
    assert cases.tolist() == [[1, 4, 2], [0, 3, 3]]


# ------------------------------------------------------------------------------------------------ predictors
@given(k=st.integers(2, 5), length=st.integers(2, 12), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_predictors_count_as_a_loop_does(k, length, seed):
    tokens = np.random.default_rng(seed).integers(k, size=(3, length))
    (unigram,) = unigram_laws(tokens, k, (1.5,))
    bigram = bigram_law(tokens, k)
    for row in range(3):
        for t in range(length):
            past = tokens[row, :t].tolist()
            after = [x for c, x in itertools.pairwise(past) if c == past[-1]]
            counts, pairs = (np.bincount(one, minlength=k) if one else np.zeros(k) for one in (past, after))
            assert unigram[row, t] == pytest.approx((counts + 1.5) / (t + 1.5 * k))
            assert bigram[row, t] == pytest.approx((pairs + 1) / (pairs.sum() + k))
    source = build({"type": "dirichlet_markov", "vocab_size": k})
    np.testing.assert_allclose(bigram, source.predict(tokens), atol=1e-12)


def test_the_straight_way_passes_no_nearer_than_it_can():
    """From uniform to itself it is where it is; a way through the unigram law passes it at nothing."""
    tokens = np.random.default_rng(0).integers(3, size=(50, 20))
    (unigram,) = unigram_laws(tokens, 3, (1.0,))
    uniform = np.full_like(unigram, 1 / 3)
    assert straight_way(unigram, uniform) == pytest.approx(divergence(unigram, np.log(uniform)).mean())
    assert straight_way(unigram, unigram) == pytest.approx(0.0, abs=1e-12)
    assert 0 < straight_way(unigram, bigram_law(tokens, 3)) <= divergence(unigram, np.log(uniform)).mean()


# ------------------------------------------------------------------------------------------------ readings
def test_phases_are_read_off_the_nearest_law():
    far, near = 1.0, 0.0
    order = {"uniform": [near, far, far], "unigram": [far, near, far], "bigram": [far, far, near]}
    back = {"uniform": [near, far, near], "unigram": [far, near, far], "bigram": [far, far, far]}
    past = {"uniform": [near, far, far], "unigram": [far, far, far], "bigram": [far, near, near]}
    arm = {name: np.array([order[name], back[name], past[name]]) for name in order}
    phases = nearest(arm)
    assert phases.tolist() == [[0, 1, 2], [0, 1, 0], [0, 2, 2]]
    assert in_order(phases).tolist() == [True, False, False]
    assert visited(phases).tolist() == [True, True, False]
    assert nearness(arm | {"straight_unigram": np.full(3, 0.5)}).tolist() == [0.0, 0.0, 2.0]
    assert lead(arm).tolist() == [1.0, 1.0, -1.0]
    fourth = arm | {"last": np.array([[far, near - 1, far]] * 3), "step": np.array([1.0, np.e, np.e**3])}
    phases = nearest(fourth, more=("last",))
    assert phases.tolist() == [[0, 3, 2], [0, 3, 0], [0, 3, 2]]
    assert time_in(fourth, phases, 3).tolist() == [1.0, 1.0, 1.0]
    assert time_in(fourth, phases, 2).tolist() == pytest.approx([2.0, 0.0, 2.0])


@given(
    path=st.lists(st.integers(0, 2), min_size=3, max_size=8),
    spared=st.sampled_from([0.0, 0.15, 0.25, 0.4]),
)
@settings(max_examples=60, deadline=None)
def test_order_is_that_of_the_best_of_all_ordered_paths(path, spared):
    """Twin: every path that goes through all three in order, and the points at which it differs."""
    ordered = (one for one in itertools.combinations_with_replacement(range(3), len(path)) if set(one) == {0, 1, 2})
    contradicted = min(sum(a != b for a, b in zip(one, path, strict=True)) for one in ordered)
    allowed = int(spared * len(path) + 1e-9)
    expected = contradicted <= allowed and path.count(1) > allowed
    assert in_order(np.array([path]), spared).tolist() == [expected]


@given(scale=st.floats(0.01, 10), first=st.floats(1, 100), slow=st.floats(1, 5))
@settings(max_examples=25, deadline=None)
def test_dwelling_is_that_of_the_curve(scale, first, slow):
    """A loss that falls evenly per factor of steps dwells nowhere; slowed in a band it dwells there as planted, and one
    that only grows slower on its way down has no plateau."""
    share = np.linspace(0, 1, 4001)
    times = np.cumsum([0, 0.45, 0.1 * slow, 0.45])
    fall = scale * np.interp(share * times[-1], times, [1, 0.55, 0.45, 0])
    arm = {"step": first * np.exp(share * times[-1]), "excess": fall[None], "level_uniform": np.array([scale])}

    def at(level: float, path: np.ndarray = fall) -> list[float]:
        return dwelling(arm | {"excess": path[None]}, np.array([level * scale]), 0.05)[0].tolist()

    assert at(0.5) == pytest.approx([np.log(slow)] * 2, abs=0.02)
    assert at(0.2) == pytest.approx([0, 0], abs=0.02)
    above, below = at(0.5, scale * np.exp(-3 * share))
    assert above > 0 > below
    assert np.isnan(at(0.1)).all()
    assert np.isnan(at(0.5, np.full(4001, scale))).all()


def test_shading_is_by_count_and_not_by_the_middle():
    """Half of the runs uniform and half bigram are not unigrams."""
    assert commonest(np.array([[0, 0, 1], [0, 2, 1], [2, 2, 0], [0, 0, 1]])).tolist() == [0, 0, 1]


def test_a_crossing_is_interpolated():
    logs, falling = np.array([0.0, 1.0, 2.0, 3.0]), np.array([1.0, 0.5, 0.5, 0.0])
    assert crossing(logs, falling, 0.75) == pytest.approx(0.5)
    assert crossing(logs, falling, 0.25) == pytest.approx(2.5)
    assert crossing(logs, falling, 2.0) == 0.0


def test_the_keys_that_scores_are_about():
    """Against a loop; the begin symbol at place 0 is never among them."""
    seen = torch.tensor([[3, 0, 1, 0, 1, 1, 2]])
    n = seen.shape[1]
    follow = {(i, j) for i in range(1, n) for j in range(2, i + 1) if seen[0, j - 1] == seen[0, i]}
    assert set(map(tuple, followers(seen)[0].nonzero().tolist())) == follow
    assert set(map(tuple, before(seen)[0].nonzero().tolist())) == {(i, i - 1) for i in range(2, n)}


# ------------------------------------------------------------------------------------------------ the study
@pytest.mark.parametrize("scale", ["smoke", "laptop", "gpu", "full"])
def test_every_scale_names_levels_and_tuning_first(scale):
    (study,) = load_studies(CONFIG, scale)
    cells = study.cells({})
    assert {cell.probe.kind for cell in cells} == {"levels", "tuning"}
    tuning = [cell for cell in cells if cell.probe.kind == "tuning"]
    assert len(tuning) == len(ARMS) * len(study.rates.learning_rates) * study.rates.n_seeds
    assert min(cell.probe.seed for cell in tuning) >= 1_000_000
    if scale != "smoke":
        assert min(study.seeds) >= 100


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("arms.two.vocab_size=3", "two: given 3"),
        ("arms.doubly.prior=dirichlet", "doubly"),
        ("arms.one_two.depth=2", "one_two.depth"),
        ("arms.one_three.length=12", "one_three.length"),
        ("rates.learning_rates=[0.1, 0.01]", "must be positive and rise"),
    ],
)
def test_bad_settings_are_named(override, message):
    with pytest.raises(ConfigError, match=message):
        load_studies(CONFIG, "smoke", [override])


def test_the_smoke_run_is_judged_and_drawn(smoke, finished):
    judgement = smoke.judge(finished)
    assert [check.name for check in judgement.checks if not check.passed] == []
    assert [verdict.claim for verdict in judgement.verdicts] == list(smoke.claims())
    of_models = [one.verdict for one in judgement.verdicts if "no model" not in one.claim.scope]
    assert set(of_models) == {"undecided"}  # two runs each
    figures = smoke.figures(finished)
    assert {claim for figure in figures.values() for claim in figure.claims} == {one.id for one in smoke.claims()}
    for figure in figures.values():
        assert figure.rows
        assert "interval" in figure.caption
    assert not smoke.judge(finished[:-1]).verdicts
    assert smoke.figures(finished[:-1]) == {}
    member = next(one for one in finished if one.probe["kind"] == "member" and one.probe["arm"] == "two")
    np.testing.assert_allclose(member.arrays["path_bigram"], member.arrays["path_excess"], atol=1e-12)
    assert (np.abs(member.arrays["path_previous"]) <= 1).all()
