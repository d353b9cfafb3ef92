"""The study `length_extrapolation`: which rows its claims count, and its planted worlds."""

from pathlib import Path

import numpy as np
import pytest

from testbed.studies import load_studies
from testbed.studies.length_extrapolation import LengthExtrapolation
from testbed.studies.length_extrapolation.claims import PREFIX, parts_of
from testbed.studies.length_extrapolation.judgement import notes, verdicts
from testbed.studies.length_extrapolation.loss_evidence import with_added
from testbed.studies.length_extrapolation.results import Row
from testbed.studies.length_extrapolation.worlds import BASE, FAILURES, planted, truths

CONFIG = Path(__file__).parents[2] / "configs" / "length_extrapolation.toml"


def load(scale: str, *overrides: str) -> LengthExtrapolation:
    (study,) = load_studies(CONFIG, scale, overrides)
    assert isinstance(study, LengthExtrapolation)
    return study


@pytest.fixture(scope="module")
def laptop() -> LengthExtrapolation:
    return load("laptop")


# ------------------------------------------------------------------------------------------------ what claims count
def test_no_op_parts_what_goes_by_length_from_what_is_read_off_logits(laptop):
    """The YaRN and Llama temperatures are of the first; head-wise, adaptive and gap-counting ones of the second."""
    data = planted(laptop, BASE, np.random.default_rng(0), 8)
    found = parts_of(laptop, data)
    for claim, kinds in (("no_op", {"length"}), ("no_op_read", {"head", "row"})):
        rows = " ".join(found[claim].names)
        for change in laptop.changes:
            assert (f"nope, {change.name}, n = " in rows) is (change.kind in kinds), (claim, change.name)
    assert {change.name for change in laptop.changes if change.kind == "row"} == {
        "adaptive temperature",
        "gap counting",
    }


def test_tax_is_judged_where_softening_can_cost_too(laptop):
    data = planted(laptop, BASE, np.random.default_rng(0), 8)
    names = " ".join(parts_of(laptop, data)["tax"].names)
    assert "T5_local" in names
    assert "T7_averaging" in names
    for key, values in data.everywhere.items():
        if key[0] == "T5_local":
            values[:] = data.everywhere["T5_local", Row(key[1].arm), key[2]]
    assert any("T5_local, nope" in one and "insensitive to softening" in one for one in notes(laptop, data))


def test_boundary_needs_a_gain_near_it(laptop):
    """With arms on one side alone nothing is decided; without a gain near it the claim fails."""
    data = planted(laptop, BASE, np.random.default_rng(0), 8)
    assert len(parts_of(laptop, data)["boundary"].rows) == 2
    for row in [Row(arm, change) for _, (arm, change), ratio in data.heads if arm == "cosscale_16" and ratio == 1]:
        if ("T2_recall", row, 1) in data.heads:
            data.heads["T2_recall", row, 1]["logit_std"][:] = 6.0
    assert "0 near it, 2 away" in str(parts_of(laptop, data)["boundary"])
    assert truths(laptop, "gain_nowhere")[PREFIX + "boundary"] == "fails"


def test_what_reach_costs_is_told_by_models_trained_with_their_masks(laptop):
    """Masks put on afterwards do damage of another kind: they bound nothing but `reach_bound`."""
    data = planted(laptop, BASE, np.random.default_rng(0), 8)
    found = parts_of(laptop, data)
    assert found["within_reach"].names == ("T8_lag, band_16, reach 31",)
    assert found["reach_cost"].names == ("T8_lag, band_4, reach 7", "minus T8_lag, band_4, reach 7")
    assert {name.split(", ")[1] for name in found["reach_bound"].names} == {"rope", "band_4"}
    data.late["T8_lag", Row("rope", "band of m/2"), 1] += 2.0
    said = notes(laptop, data)
    assert any("band of m/2, 2.0" in one for one in said)
    assert any("T8_lag, band_4, trained with it: reaches 7 tokens back" in one for one in said)


def test_an_arm_behind_a_mask_learns_what_its_mask_lets_through(laptop):
    """Its excess at n = m is that of the exact law behind the mask, all of what context is worth; and no more."""
    data = planted(laptop, BASE, np.random.default_rng(0), 8)
    key = "T8_lag", Row("band_4"), 1
    assert data.late[key].min() > 0.9
    assert data.usable("T8_lag", "band_4")
    data.late[key] += laptop.gate * data.no_context["T8_lag", 1]
    data.judge_learnt(laptop.gate)
    assert not data.usable("T8_lag", "band_4")
    assert isinstance(parts_of(laptop, data)["reach_cost"], str)


def test_infoscale_is_added_to_what_beats_no_context_and_by_tokens_behind_masks(laptop):
    for base in ("band of m", "streaming", "lm infinite"):
        both = with_added(laptop, base, "infoscale")
        assert both == f"{base} + infoscale"
        assert laptop.change(both).methods[-1].count == "window"
    assert with_added(laptop, "rerope", "infoscale") == "rerope + infoscale"
    data = planted(laptop, BASE, np.random.default_rng(0), 8)
    assert "T2_recall, ntk" in parts_of(laptop, data)["added_infoscale"].names
    data.late["T2_recall", Row("rope", "ntk"), 32] += 1.0
    assert "T2_recall, ntk" not in parts_of(laptop, data)["added_infoscale"].names
    assert any(one.startswith("added_infoscale, T2_recall: left out") and "ntk" in one for one in notes(laptop, data))


def test_scopes_of_verdicts_name_what_was_used(laptop):
    data = planted(laptop, BASE, np.random.default_rng(0), 8)
    data.late["T2_recall", Row("cosscale_16"), 1] += 1.0
    for heads in (one for (task, _, _), one in data.heads.items() if task == "T2_recall"):
        heads["entropy"][:] = 0.5
    data.judge_learnt(laptop.gate)
    scopes = {one.claim.id[len(PREFIX) :]: one.claim.scope for one in verdicts(laptop, data)}
    assert "cosscale alone (cosscale_16 could not be judged)" in scopes["best"]
    assert "T7b_classes (" in scopes["flat"]
    assert "T2_recall (" not in scopes["flat"], "no head of it has 1 nat"
    declared = {one.id[len(PREFIX) :]: one.scope for one in laptop.claims()}
    assert "the better of cosscale, cosscale_16" in declared["best"]
    assert "T2_recall (" in declared["flat"]


def test_recall_is_judged_on_all_heads_in_not_best(laptop):
    data = planted(laptop, BASE, np.random.default_rng(0), 8)
    for (task, _, ratio), heads in data.heads.items():
        if task == "T2_recall":
            heads["entropy"] *= 0.9 / heads["entropy"].max() if ratio == 1 else 1.0
    assert not isinstance(parts_of(laptop, data)["not_best"], str)


def test_judged_heads_have_positions_in_range(laptop):
    data = planted(laptop, BASE, np.random.default_rng(0), 8)
    found = parts_of(laptop, data)
    for claim in ("flat", "relative", "frozen", "focus", "shape", "mass", "mass_loss"):
        assert all("rerope + " in name for name, _ in found[claim].rows), claim
    assert {name.split(", ")[1] for name in found["frozen"].names} == {"rope", "cosscale"}, "cosscale_16 is planted so"


# ------------------------------------------------------------------------------------------------ planted worlds
def test_every_claim_fails_in_a_world_and_holds_in_another(laptop):
    """The truth is the claims' numbers without noise."""
    said = {world: truths(laptop, world) for world in FAILURES}
    for world, failing in FAILURES.items():
        for claim in failing:
            assert said[world][PREFIX + claim] == "fails", (world, claim)
    for claim, word in said[BASE].items():
        assert word == ("fails" if claim == PREFIX + "relative" else "holds"), claim
    assert {claim for failing in FAILURES.values() for claim in failing} == {one[len(PREFIX) :] for one in said[BASE]}
    assert said["relative_entropy"][PREFIX + "relative"] == "holds"


def test_every_claim_has_its_evidence_at_a_larger_scale():
    study = load("gpu", "ratios=[1, 4]")
    for world, word in ((BASE, "holds"), ("cosscale_idle", "fails"), ("cosscale_anywhere", "fails")):
        assert truths(study, world)[PREFIX + "only_rope"] == word
