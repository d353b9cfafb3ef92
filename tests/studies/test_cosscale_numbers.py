"""The numbers of the study `cosscale`: floors, modes, windows, intervals, what the gate leaves, planted worlds."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.runs import Record
from testbed.sources.recall.far_source import FarSource
from testbed.studies import load_studies
from testbed.studies.cosscale import CosScaleStudy
from testbed.studies.cosscale.drawing import interval
from testbed.studies.cosscale.evidence import evidence, far_reference, matched_reach, rises
from testbed.studies.cosscale.judgement import partial, verdicts
from testbed.studies.cosscale.measure import scored, windowed_floor
from testbed.studies.cosscale.results import BINS, TOP, _divergences, aligned_within, mode, near
from testbed.studies.cosscale.stated import CLAIMED, WINDOWED
from testbed.studies.cosscale.worlds import FAILS, planted
from testbed.studies.gate import Partial
from testbed.studies.judge import Min, calibrate
from testbed.theory import aligned_weights

CONFIG = Path(__file__).parents[2] / "configs" / "cosscale.toml"


@pytest.fixture(scope="module")
def smoke() -> CosScaleStudy:
    (study,) = load_studies(CONFIG, "smoke")
    assert isinstance(study, CosScaleStudy)
    return study.replace(bounds=study.bounds.replace(gate=0.05))


# ------------------------------------------------------------------------------------------------ numbers
def test_the_floor_of_a_window_is_that_of_the_exact_posterior():
    """Brute force: the law of a copy given the last 3 units, from the joint law of all data tokens."""
    n, d, noise = 2, 4, 0.1
    source = FarSource(
        n_symbols=n, min_distance=d, max_distance=d, pointer_probability=0.5, noise=noise, kernel=np.full((n, n), 0.5)
    )
    units = 8
    pointed = np.zeros(units, dtype=bool)
    pointed[[5, 6, 7]] = True
    joint = np.ones((n,) * units)
    for t in range(units):
        shape = [1] * units
        if not pointed[t]:
            shape[t] = n
            joint = joint * np.full(shape, 1 / n)
        else:
            channel = np.where(np.eye(n, dtype=bool), 1 - noise, noise / (n - 1))
            shape[t - d], shape[t] = n, n
            joint = joint * channel.reshape(shape)
    assert joint.sum() == pytest.approx(1.0)
    near = joint.sum(axis=tuple(range(units - 4)))  # the last token and the three before it
    given = near.reshape(-1, n) / near.reshape(-1, n).sum(axis=1, keepdims=True)
    entropy = -(near.reshape(-1, n) * np.log(given)).sum()
    channel_entropy = -(noise * np.log(noise) + (1 - noise) * np.log(1 - noise))
    tokens = np.zeros((1, 2 * units), dtype=np.uint8)
    tokens[0, 0::2] = n + pointed
    judged = np.zeros(tokens.shape, dtype=bool)
    judged[0, -1] = True
    assert windowed_floor(source, tokens, judged) == pytest.approx(entropy - channel_entropy)
    assert windowed_floor(source, np.where(tokens == n + 1, n, tokens), judged) == 0.0


def test_places_that_are_scored_lie_in_the_second_half(smoke):
    seen = scored(smoke.task("far").source, 32, 8, 0)
    columns = np.nonzero(seen.judged)[1]
    assert columns.min() >= 16
    assert (columns % 2 == 1).all()
    assert seen.laws.laws.sum(axis=1) == pytest.approx(1.0)


def test_the_aligned_window_is_a_mean_over_queries():
    direct = np.mean([aligned_weights(16.0, i + 1, 16, query=i)[i - 2 :].sum() for i in range(8, 16)])
    assert aligned_within(16.0, 16, 16, 3) == pytest.approx(direct)
    assert aligned_within(1e6, 16, 16, 1) == pytest.approx(1.0)


def test_windows_are_matched_by_what_is_measured_and_only_where_learnt(smoke):
    """Windows of 2 and 4 keys measure 0.4 and 2.9: an arm of 1.5 goes to the first, and to the other if it is lost."""
    data = planted(smoke, CLAIMED, np.random.default_rng(0), 8)
    for arm, width in (("window-2", 0.4), ("window-4", 2.9), ("cosscale-32", 1.5)):
        data.values["local", arm, "mass_width"] = np.full(8, width)
    assert matched_reach(data, "cosscale-32", smoke.standard, "mass_width") == 2
    data.values["local", "window-2", "excess"] = np.ones(8)
    assert matched_reach(data, "cosscale-32", smoke.standard, "mass_width") == 4
    data.values["local", "cosscale-32", "excess"] = np.ones(8)
    assert matched_reach(data, "cosscale-32", smoke.standard, "mass_width") is None


def test_divergences_of_rows():
    def of(rows: list[float]) -> Record:
        return Record("k", "s", {"probe": {}}, "done", {}, {"log_rows": np.log(np.array([[[rows]]]))})

    kl, js = _divergences(of([0.5, 0.5]), of([0.9, 0.1]))
    assert kl == pytest.approx(0.5 * np.log(0.5 / 0.9) + 0.5 * np.log(0.5 / 0.1))
    assert 0 < js < np.log(2)
    assert _divergences(of([0.3, 0.7]), of([0.3, 0.7])) == pytest.approx((0.0, 0.0), abs=1e-12)


def test_the_mode_can_stand_at_an_end_and_is_the_fullest_bin():
    edges = np.linspace(-1, 1, 201)
    assert mode(edges, np.eye(200)[199]) == pytest.approx(0.995)
    assert mode(edges, np.eye(200)[0]) == pytest.approx(-0.995)
    bump = np.exp(-(((edges[1:] + edges[:-1]) / 2 - 0.3) ** 2) / 0.02)
    assert mode(edges, bump) == pytest.approx(0.3, abs=0.0101)
    two = np.stack([np.eye(200)[199], np.eye(200)[0]])
    assert mode(edges, two[:, None]) == pytest.approx(0.0)


@given(st.lists(st.floats(0.0, 1.0), min_size=2, max_size=14))
def test_intervals_of_shares_are_shares_around_the_mean(values):
    middle, low, high = interval(np.array(values))
    assert 0 <= low <= middle <= high <= 1
    assert middle == pytest.approx(np.mean(values))


def test_intervals_cover_as_often_as_they_say():
    """Exponential values, n = 12: BCa's 95 % interval covers in 1,000 draws more often than 84 % (it does about 90 %;
    at 88 % the bound has probability below 1e-3 of a false alarm, and the seed is fixed)."""
    rng = np.random.default_rng(0)
    hits = [low <= 1.0 <= high for _, low, high in (interval(rng.exponential(size=12)) for _ in range(1000))]
    assert 0.84 < np.mean(hits) < 0.99


def test_the_floor_of_the_own_key_is_left_out_of_the_others():
    own = np.array([[[0.95, 0.01, 0.01, 0.03]]])
    assert near(own, 3) == pytest.approx(0.97)
    assert near(own, 3, own=False) == pytest.approx(0.4)
    assert near(np.array([[[1.0, 0.0]]]), 2, own=False) == 0.0


# ------------------------------------------------------------------------------------------------ claims
def test_less_is_asked_of_a_peak_near_one(smoke):
    data = planted(smoke, CLAIMED, np.random.default_rng(0), 8)
    for task in ("local", "far"):
        for arm, eta in (("cosscale-16", 0.9), ("cosscale-32", 0.99), ("cosscale-128", 0.993)):
            data.values[task, arm, "eta"] = np.full(8, eta)
    found = [one.estimate for one in rises(smoke, data, smoke.standard, "eta")]
    assert found == pytest.approx(2 * [0.08, 0.003 - 0.0025])


def test_a_mode_in_the_last_bin_is_not_asked_to_rise(smoke):
    """All replicates there at every alpha: the rise asked for is 0, where a share of 1 - eta would be 0.00125. One that
    falls from there fails, and the mean, which no bin ends, is asked for its share."""
    data = planted(smoke, CLAIMED, np.random.default_rng(0), 8)
    for task in ("local", "far"):
        for arm in ("cosscale-16", "cosscale-32", "cosscale-128"):
            data.values[task, arm, "eta"] = np.full(8, TOP)
            data.values[task, arm, "eta_mean"] = np.full(8, TOP)
    assert mode(np.linspace(-1, 1, BINS + 1), np.eye(BINS)[BINS - 1]) == pytest.approx(TOP)
    assert [one.estimate for one in rises(smoke, data, smoke.standard, "eta")] == [0.0] * 4
    assert [one.estimate for one in rises(smoke, data, smoke.standard, "eta_mean")] == pytest.approx([-0.00125] * 4)
    said = {one.claim.id: one.verdict for one in verdicts(smoke, data)}
    assert (said["cosscale.c3_rises"], said["cosscale.c3_mean"]) == ("holds", "fails")
    data.values["far", "cosscale-128", "eta"] = np.full(8, TOP - 0.01)
    assert {one.claim.id: one.verdict for one in verdicts(smoke, data)}["cosscale.c3_rises"] == "fails"


def test_c4_holds_of_an_arm_that_keeps_to_the_window_and_loses_the_far_source(smoke):
    """It need not have learnt far. Where it did, it reads beyond and C4 fails; where plain softmax did not learn far,
    nothing is known there, and C4 is open."""
    data = planted(smoke, WINDOWED, np.random.default_rng(0), 12)
    named = ["cosscale.c4_window", "cosscale.c4_others", "cosscale.c4_gau", "cosscale.c4_gau_others"]
    said = {one.claim.id: one.verdict for one in verdicts(smoke, data)}
    assert [said[name] for name in named] == ["holds"] * 4
    learnt = planted(smoke, CLAIMED, np.random.default_rng(0), 12)
    said = {one.claim.id: one.verdict for one in verdicts(smoke, learnt)}
    assert [said[name] for name in named] == ["fails"] * 4
    data.values["far", "plain", "excess"] = np.ones(12)
    number = evidence(smoke, data)["cosscale.c4_window"]
    assert number is not None
    assert partial(number)
    assert number.lower(0.01) == -np.inf


def test_an_arm_that_learnt_nothing_is_not_windowed(smoke):
    """Lost far source and all weight on the own key: without the local source learnt nothing is known; with it learnt
    the others, of which none are near, refute P8."""
    data = planted(smoke, WINDOWED, np.random.default_rng(0), 8)
    data.values["far", "gau-cosscale-128", "within"] = np.ones(8)
    data.values["far", "gau-cosscale-128", "others"] = np.zeros(8)
    said = {one.claim.id: one.verdict for one in verdicts(smoke, data)}
    assert said["cosscale.p8_gau"] == "fails"
    data.values["local", "gau-cosscale-128", "excess"] = np.ones(8)
    assert evidence(smoke, data)["cosscale.p8_gau"] is None
    assert {one.claim.id: one.verdict for one in verdicts(smoke, data)}["cosscale.p8_gau"] == "undecided"


def test_what_fails_the_far_source_stays_within_the_possible(smoke):
    """Shares spread over all of [0, 1], and one alpha not known: no end leaves [-0.9, 0.1]."""
    data = planted(smoke, WINDOWED, np.random.default_rng(0), 8)
    data.values["far", "cosscale-32", "within"] = np.tile([0.0, 1.0], 4)
    number = evidence(smoke, data)["cosscale.p8_far"]
    assert number is not None
    assert -0.9 <= number.lower(1e-6) <= number.upper(1e-6) <= 0.1 + 1e-12
    data.values["local", "cosscale-128", "excess"] = np.ones(8)
    number = evidence(smoke, data)["cosscale.p8_far"]
    assert number is not None
    assert partial(number)
    assert -0.9 <= number.lower(1e-6) <= number.upper(1e-6) <= 0.1 + 1e-12
    assert number.p_above(0.0) == 1.0


def test_where_rope_gains_nothing_no_positions_are_compared(smoke):
    """RoPE gains 0.1 and the others nothing: it holds; with all gains below the margin it is not known, hence open."""
    data = planted(smoke, CLAIMED, np.random.default_rng(0), 8)
    said = {one.claim.id: one.verdict for one in verdicts(smoke, data)}
    assert said["cosscale.c9_rope_only"] == "holds"
    data.values["content", "cosscale-16", "excess_long"] = data.values["content", "plain", "excess_long"] - 0.01
    assert evidence(smoke, data)["cosscale.c9_rope_only"] is None
    one = next(one for one in verdicts(smoke, data) if one.claim.id == "cosscale.c9_rope_only")
    assert one.verdict == "undecided"
    assert "nothing is gained" in one.reason


@pytest.mark.parametrize(("harm", "word"), [(0.006, "holds"), (0.05, "fails")])
def test_harm_of_infoscale_counts_from_the_smallest_counting_difference_on(smoke, harm, word):
    data = planted(smoke, CLAIMED, np.random.default_rng(0), 8)
    data.values["content", "nope", "ranged_infoscale"] = data.values["content", "nope", "ranged"] + harm
    assert {one.claim.id: one.verdict for one in verdicts(smoke, data)}["cosscale.c9_transfers"] == word


def test_a_claim_over_both_sources_is_open_while_one_arm_has_not_learnt(smoke):
    data = planted(smoke, CLAIMED, np.random.default_rng(0), 8)
    data.values["far", "cosscale-32", "excess"] = np.ones(8)
    numbers = evidence(smoke, data)
    assert isinstance(numbers["cosscale.p9_sharp"], Partial)
    assert isinstance(numbers["cosscale.c4_gau"], Min)
    data.values["local", "cosscale-32", "excess"] = np.ones(8)
    assert evidence(smoke, data)["cosscale.c4_window"] is None
    said = {one.claim.id: one for one in verdicts(smoke, data)}
    assert said["cosscale.c4_window"].verdict == "undecided"
    assert "too few replicates learnt" in said["cosscale.c4_window"].reason


def test_the_other_arm_of_the_far_source_is_one_that_learnt(smoke):
    data = planted(smoke, CLAIMED, np.random.default_rng(0), 8)
    assert far_reference(data, smoke.gated) == "gau-plain"
    data.values["far", "gau-plain", "excess"] = np.ones(8)
    assert far_reference(data, smoke.gated) == "gau-cosscale-16"


def test_an_arm_that_just_was_not_trained_is_not_windowed(smoke):
    """Lost far source, attention anywhere: P8 does not hold of it; with attention in the window it does."""
    data = planted(smoke, WINDOWED, np.random.default_rng(0), 8)
    number = evidence(smoke, data)["cosscale.p8_gau"]
    assert number is not None
    assert number.lower(0.01) > 0
    data.values["far", "gau-cosscale-128", "within"] = np.full(8, 0.2)
    number = evidence(smoke, data)["cosscale.p8_gau"]
    assert number is not None
    assert number.upper(0.01) < 0


def test_planted_worlds_are_recognised():
    """10 replicates, one of which has not learnt: no wrong verdict (seeded); each claim is seen to hold in some world
    and to fail in another, and where the gate leaves it open it is undecided."""
    (laptop,) = load_studies(CONFIG, "laptop")
    confusion = calibrate(laptop.worlds(), n_replicates=10, n_draws=2, seed=1)
    assert sum(row.wrong for row in confusion.rows) == 0
    for claim in laptop.claims():
        mine = [row for row in confusion.rows if row.claim == claim.id]
        for word in ("holds", "fails"):
            assert any(row.expected == word and row.counts[word] for row in mine), (claim.id, word)
        assert all(row.counts["undecided"] == row.n_draws for row in mine if row.expected == "undecided")
        failing = [row.world for row in mine if row.expected == "fails"]
        assert any(f"'{world}'" in claim.control for world in failing)


@pytest.mark.parametrize("world", FAILS)
def test_planted_numbers_are_all_that_the_evidence_needs(smoke, world):
    numbers = evidence(smoke, planted(smoke, world, np.random.default_rng(0), 5))
    assert set(numbers) == {claim.id for claim in smoke.claims()}
