"""The numbers of the study `cosscale`: floors, modes, windows, intervals, what the gate leaves, planted worlds."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.runs import Record
from testbed.sources.power_law.mixture_transition import MixtureTransitionSource
from testbed.sources.recall.far_source import FarSource
from testbed.studies import load_studies
from testbed.studies.cosscale import CosScaleStudy
from testbed.studies.cosscale.drawing import interval
from testbed.studies.cosscale.evidence import evidence, far_reference, matched_reach, rises
from testbed.studies.cosscale.floors import lag_floors, windowed_floor
from testbed.studies.cosscale.judgement import _two_sided, partial, verdicts
from testbed.studies.cosscale.measure import scored
from testbed.studies.cosscale.results import BINS, TOP, _divergences, aligned_within, left, mode, near
from testbed.studies.cosscale.stated import CLAIMED, WINDOWED
from testbed.studies.cosscale.worlds import FAILS, planted
from testbed.studies.gate import Partial
from testbed.studies.judge import Mean, Min
from testbed.studies.judge.share import Share
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


@given(
    st.integers(1, 3),
    st.lists(st.integers(0, 8), min_size=1, max_size=3).filter(any),
    st.floats(0.05, 1.0),
    st.integers(2, 7),
)
@settings(max_examples=25)
def test_the_floors_of_lags_are_those_of_all_sequences(size, law, fresh, length):
    """Brute force: the probability of every sequence, summed over what stands before the window."""
    source = MixtureTransitionSource(vocab_size=size, fresh=fresh, lag_law=np.array(law) / sum(law), n_lags=len(law))
    every = np.array(list(product(range(size), repeat=length)), dtype=np.int64)
    joint = np.exp(source.log_probs(every).sum(axis=1)).reshape((size,) * length)
    losses = np.zeros(len(law) + 1)
    for t in range(length // 2, length):
        upto = joint.sum(axis=tuple(range(t + 1, length)))
        for width in range(len(law) + 1):
            block = upto.sum(axis=tuple(range(t - min(width, t))))
            given_window = block / np.maximum(block.sum(axis=-1, keepdims=True), 1e-300)
            losses[width] -= np.sum(block * np.log(np.maximum(given_window, 1e-300))) / (length - length // 2)
    assert lag_floors(source, length) == pytest.approx(losses - losses[-1], abs=1e-9)


def test_floors_of_long_sequences_are_those_of_the_stationary_process():
    source = MixtureTransitionSource(vocab_size=3, fresh=0.2, lag_law=np.array([0.2, 0.3, 0.5]), n_lags=3)
    h = source.conditional_entropies(3).value
    assert lag_floors(source, 400) == pytest.approx(h - h[-1], abs=1e-9)
    with pytest.raises(ValueError, match="above"):
        lag_floors(source.replace(vocab_size=64), 24)


def test_a_window_is_asked_for_its_own_floor_alone(smoke):
    """It learnt where it stands at the best law that it could know; the same excess without a window has not."""
    data = planted(smoke, CLAIMED, np.random.default_rng(0), 8)
    floor = data.values["local", "window-2", "own_floor"]
    assert floor.min() > 0.1
    assert data.learnt(("local", "window-2")).tolist() == [True] * 7 + [False]
    data.values["local", "plain", "excess"] = data.values["local", "window-2", "excess"]
    assert not data.learnt(("local", "plain")).any()


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
    data.values["local", "window-2", "excess"] = np.full(8, 1.5)
    assert matched_reach(data, "cosscale-32", smoke.standard, "mass_width") == 4
    data.values["local", "cosscale-32", "excess"] = np.full(8, 0.6)  # a third of 2 nats is asked for, not a twentieth
    assert matched_reach(data, "cosscale-32", smoke.standard, "mass_width") == 4
    data.values["local", "cosscale-32", "excess"] = np.ones(8)
    assert matched_reach(data, "cosscale-32", smoke.standard, "mass_width") is None


def test_the_paired_check_bounds_rare_tokens_that_student_does_not():
    """24 of 512 places at which a model is sure of the wrong one of two tokens of 0.95 and 0.05: the bound holds the
    rate of p <= 0.05 in 4,000 draws below 0.05, also of those in which no rare token came."""
    rng = np.random.default_rng(0)
    common, kl = np.log(0.95 / 0.05), 0.9 * np.log(0.95 / 0.05)
    off = np.array([common - kl, -common - kl])
    error = np.sqrt(24 * (0.95 * off[0] ** 2 + 0.05 * off[1] ** 2)) / 512
    rare = rng.binomial(24, 0.05, size=4000)
    paired = ((24 - rare) * off[0] + rare * off[1]) / 512

    def bound(d: float) -> float:
        metrics = {"paired": d, "paired_error": error, "paired_range": np.abs(off).max() / 512}
        return _two_sided(Record("k", "s", {"probe": {}}, "done", metrics), "")

    assert np.mean([bound(d) <= 0.05 for d in paired]) < 0.05
    assert bound(24 * off[0] / 512) > 0.1
    assert bound(0.2) < 1e-9


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


@given(st.lists(st.floats(0, 1), min_size=5, max_size=14), st.floats(0.01, 0.99), st.floats(1e-4, 0.4))
@settings(max_examples=60, deadline=None)
def test_bounds_of_shares_and_their_p_values_are_each_other_s_inverse(values, r, alpha):
    share = Share(Mean(values, {"seed": tuple(range(len(values)))}, seed=0))
    low, high = share.interval(alpha)
    assert 0 <= low <= share.estimate + 1e-9
    assert share.estimate - 1e-9 <= high <= 1
    if abs(low - r) > 1e-6:
        assert (share.p_above(r) <= alpha) == (low >= r)
    if abs(high - r) > 1e-6:
        assert (share.p_below(r) <= alpha) == (high <= r)


def test_bounds_of_shares_hold_where_one_replicate_in_ten_stands_apart():
    """Values 1 with probability .1, else 0: 5 % one-sided bounds err in at most 5 % of 300 draws of 12 (P of 40 or
    more below 1e-6), and those of a single one are no longer from 0 to 1."""
    rng = np.random.default_rng(3)
    wrong = 0
    for _ in range(300):
        values = (rng.random(12) < 0.1).astype(float)
        mean = Mean(values, {"seed": tuple(range(12))}, seed=0) if 0 < values.sum() < 12 else None
        upper = 1 - 0.025 ** (1 / 12) if mean is None else Share(mean).upper(0.05)
        wrong += upper < 0.1
    assert wrong < 40
    one = Share(Mean([1.0, *[0.0] * 11], {"seed": tuple(range(12))}, seed=0))
    assert one.p_below(0.9) < 1e-6
    assert one.upper(0.001) < 0.9


def test_what_a_window_leaves_is_its_complement():
    profile = np.array([[[0.9, 0.06, 0.04]], [[0.2, 0.5, 0.3]]])
    for own in (True, False):
        assert left(profile, 2, own) == pytest.approx(1 - near(profile, 2, own))
    assert left(np.array([[[1.0, 0.0, 0.0]]]), 2, own=False) == 1.0  # as `near`: nothing is near


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


def test_both_halves_of_what_gains_with_rope_alone(smoke):
    """RoPE gains 0.1 and the others nothing: both hold; each is refuted by its own positions."""
    data = planted(smoke, CLAIMED, np.random.default_rng(0), 8)

    def said() -> list[str]:
        words = {one.claim.id: one.verdict for one in verdicts(smoke, data)}
        return [words["cosscale.c9_with_rope"], words["cosscale.c9_without"]]

    assert said() == ["holds", "holds"]
    data.values["recall", "cosscale-16", "excess_long"] = data.values["recall", "plain", "excess_long"] - 0.01
    assert said() == ["fails", "holds"]
    data.values["recall", "nope-cosscale-16", "excess_long"] = data.values["recall", "nope", "excess_long"] - 0.1
    assert said() == ["fails", "fails"]


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


@pytest.mark.parametrize("world", FAILS)
def test_planted_numbers_are_all_that_the_evidence_needs(smoke, world):
    numbers = evidence(smoke, planted(smoke, world, np.random.default_rng(0), 5))
    assert set(numbers) == {claim.id for claim in smoke.claims()}
