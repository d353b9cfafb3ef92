"""What the claims of cosscale ask of the numbers: whom they judge, and where they stay open."""

from pathlib import Path

import numpy as np
import pytest

from testbed.studies import load_studies
from testbed.studies.cosscale import CosScaleStudy
from testbed.studies.cosscale.evidence import evidence, far_reference, rises
from testbed.studies.cosscale.judgement import partial, verdicts
from testbed.studies.cosscale.results import BINS, TOP, mode
from testbed.studies.cosscale.stated import CLAIMED, WINDOWED
from testbed.studies.cosscale.worlds import FAILS, planted
from testbed.studies.gate import Partial
from testbed.studies.judge import Min

CONFIG = Path(__file__).parents[2] / "configs" / "cosscale.toml"


@pytest.fixture(scope="module")
def smoke() -> CosScaleStudy:
    (study,) = load_studies(CONFIG, "smoke")
    assert isinstance(study, CosScaleStudy)
    return study.replace(bounds=study.bounds.replace(gate=0.05))


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
