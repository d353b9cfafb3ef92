"""The study `dilution_or_position`: its shares, its rules, planted worlds, a smoke run."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.runs import Record, pack
from testbed.studies import load_studies
from testbed.studies.dilution_or_position import DilutionOrPosition
from testbed.studies.dilution_or_position.claims import (
    PREFIX,
    Withheld,
    claim_name,
    claim_rows,
    control_rows,
    evidence,
    pairs,
)
from testbed.studies.dilution_or_position.grid import tuned_learning_rate
from testbed.studies.dilution_or_position.measure import drawn
from testbed.studies.dilution_or_position.results import Row, measured
from testbed.studies.dilution_or_position.shapley import Effects
from testbed.studies.dilution_or_position.worlds import planted
from testbed.studies.judge import calibrate

CONFIG = Path(__file__).parents[2] / "configs" / "dilution_or_position.toml"


@pytest.fixture(scope="module")
def smoke() -> DilutionOrPosition:
    (study,) = load_studies(CONFIG, "smoke")
    assert isinstance(study, DilutionOrPosition)
    return study


@pytest.mark.parametrize("scale", ["smoke", "laptop", "gpu", "full"])
def test_every_scale_builds_and_its_first_stage_is_named_without_training(scale):
    (study,) = load_studies(CONFIG, scale)
    study.prepare()
    cells = study.cells({})
    assert {cell.probe.kind for cell in cells} == {"tuning"}
    assert len({cell.key for cell in cells}) == len(cells)
    assert pack(cells, study.positions_per_ensemble)
    largest = study.ratios[-1] * max(task.train_length for task in study.tasks)
    for arm in study.arms:
        for method in arm.methods:
            assert getattr(method, "target_length", largest) >= largest


values = st.floats(0, 5).map(lambda x: np.array([x]))


@given(values, values, values, values)
def test_shapley_values_are_means_over_both_orders(base, position, dilution, both):
    effects = Effects(base, position, dilution, both)
    worth = {(): base, ("P",): position, ("D",): dilution, ("D", "P"): both}
    for name, found in (("D", effects.dilution), ("P", effects.position)):
        gains = []
        for order in itertools.permutations("DP"):
            before = order[: order.index(name)]
            gains.append(worth[tuple(sorted((*before, name)))] - worth[tuple(sorted(before))])
        assert found == pytest.approx(np.mean(gains, axis=0), abs=1e-12)
    assert effects.dilution + effects.position == pytest.approx(effects.total, abs=1e-12)
    assert effects.dilution - effects.position == pytest.approx(effects.dilution_alone - effects.position_alone)
    assert effects.position_beside_dilution == pytest.approx(effects.position_alone + effects.interaction, abs=1e-12)


def test_shares_say_nothing_where_the_interaction_is_larger_than_the_smaller():
    def effects(a: float, b: float, interaction: float) -> Effects:
        return Effects(*(np.array([x]) for x in (0.0, b, a, a + b + interaction)))

    assert not effects(0.3, 0.1, 0.1).is_ambiguous(0.01)
    assert effects(0.3, 0.1, 0.11).is_ambiguous(0.01)  # each factor alone counts: the smaller share is 0.155
    assert effects(0.3, 0.0, 0.1).is_ambiguous(0.01)
    assert effects(0.3, 0.3, -0.5).is_ambiguous(0.01)
    assert not effects(0.3, 0.0, 0.009).is_ambiguous(0.01)  # below what matters


def test_a_row_that_did_not_learn_or_cannot_be_split_is_withheld(smoke):
    data = planted(smoke, "dilution", np.random.default_rng(0), 8)
    row = claim_rows(smoke)[0]
    name = PREFIX + claim_name(smoke, row)
    assert not isinstance(evidence(smoke, data)[name], Withheld)
    data.excess[row, 1]["base"][:4] = 1.0
    withheld = evidence(smoke, data)[name]
    assert isinstance(withheld, Withheld) and "not learnt" in withheld.reason  # noqa: PT018
    data = planted(smoke, "interacting", np.random.default_rng(0), 8)
    withheld = evidence(smoke, data)[name]
    assert isinstance(withheld, Withheld) and "interaction" in withheld.reason  # noqa: PT018
    assert {claim.id: one for claim, one in pairs(smoke, evidence(smoke, data))}[name].too_few


def test_arms_without_positions_are_controls_and_get_no_verdict(smoke):
    asked = {claim.id.removeprefix(PREFIX) for claim in smoke.claims()}
    assert {row.arm for row in control_rows(smoke)} == {"nope", "nope_no_begin"}
    assert not set(claim_rows(smoke)) & set(control_rows(smoke))
    assert not any("nope" in name for name in asked)


def test_a_penalty_on_distance_is_no_position_trained_for_the_length():
    (study,) = load_studies(CONFIG, "laptop")
    scopes = {claim.id.removeprefix(PREFIX): claim.scope for claim in study.claims()}
    assert "penalty on distance" in scopes["c7_alibi"]
    assert "trained for the length" in scopes["c7_random_positions"]
    assert "out of range" in scopes["c7_rope"]
    assert "share positions" in scopes["c7_rope_2_layers"]
    assert "share positions" not in scopes["c7_rope"]


def test_the_averaging_source_first_shows_that_it_sees_temperature(smoke, finished):
    """With ratio 1 an exact head's logits are constant: no multiplier costs anything, and nothing could be judged."""
    task = smoke.of_role("averaging")[0]
    assert measured(smoke, finished).sensitivity(task.name).estimate > smoke.margin
    data = planted(smoke, "dilution", np.random.default_rng(0), 8)
    assert not isinstance(evidence(smoke, data)[PREFIX + "averaging"], Withheld)
    data.injected[task.name][:] = 0.0
    withheld = evidence(smoke, data)[PREFIX + "averaging"]
    assert isinstance(withheld, Withheld) and "insensitive" in withheld.reason  # noqa: PT018
    flat = task.source.replace(ratio=1)
    seen = drawn(flat, 4 * task.train_length, task.train_length, 16, seed=0)
    assert seen.sharpened == pytest.approx(seen.laws, abs=1e-12)


def test_a_change_that_did_not_learn_at_n_is_m_is_not_compared(smoke):
    data = planted(smoke, "dilution", np.random.default_rng(0), 8)
    changed = Row("recall", "nope", "log n")
    assert data.learnt(changed).all()
    data.excess[changed, 1]["base"][2:] = 1.0
    assert data.learnt(changed).tolist() == [True] * 2 + [False] * 6
    assert data.learnt(Row("recall", "nope")).all()
    assert not data.usable(changed)


def test_the_rate_of_least_excess_is_chosen_and_a_diverging_one_is_not(smoke):
    study = smoke.replace(tuning=smoke.tuning.replace(learning_rates=(1e-3, 1e-2, 1e-1), n_seeds=2))
    task, arm = study.tasks[0], study.arms[0]
    rate, cells = tuned_learning_rate(study, task, arm, {})
    assert rate is None
    assert {cell.training.data.seed for cell in cells}.isdisjoint(study.seeds)
    excess = {1e-3: 0.3, 1e-2: 0.2, 1e-1: 0.1}
    records = {
        cell.key: Record(cell.key, "x", cell.resolved(), "done", {"base": excess[cell.probe.learning_rate]})
        for cell in cells
    }
    assert tuned_learning_rate(study, task, arm, records)[0] == 1e-1
    last = cells[-1]
    records[last.key] = Record(last.key, "x", last.resolved(), "diverged", {"base": 0.0})
    assert tuned_learning_rate(study, task, arm, records)[0] == 1e-2


def test_the_arms_that_begin_compares_have_one_rate(smoke):
    """Each alone would choose another; every cell of the tuning is named once."""
    study = smoke.replace(tuning=smoke.tuning.replace(learning_rates=(1e-3, 1e-2), n_seeds=1))
    task = study.tasks[0]
    excess = {("nope", 1e-3): 0.1, ("nope", 1e-2): 0.2, ("nope_no_begin", 1e-3): 0.5, ("nope_no_begin", 1e-2): 0.1}
    excess |= {("rope", 1e-3): 0.1, ("rope", 1e-2): 0.2}
    records = {
        cell.key: Record(
            cell.key, "x", cell.resolved(), "done", {"base": excess[cell.probe.arm, cell.probe.learning_rate]}
        )
        for cell in study.cells({})
        if cell.probe.task == task.name
    }
    rates = {name: tuned_learning_rate(study, task, study.arm(name), records)[0] for name in task.arms}
    assert rates == {"nope": 1e-2, "nope_no_begin": 1e-2, "rope": 1e-3}
    keys = [cell.key for cell in study.cells({})]
    assert len(keys) == len(set(keys))


def test_the_judge_is_right_in_planted_worlds(smoke):
    """80 draws, each with a wrong verdict with probability 5 % at most: more than 16 would be one in 2e6."""
    confusion = calibrate(smoke.worlds(), 8, 10, seed=0, alpha=smoke.alpha)
    assert sum(confusion.family.values()) <= 16
    for row in confusion.rows:
        if row.world in ("dilution", "position") and ".c7_" in row.claim:
            assert row.power > 0.5
        if row.world == "interacting" and ".c7_" in row.claim:
            assert row.counts["undecided"] == row.n_draws


# ------------------------------------------------------------------------------------------------ the whole of it
def test_the_smoke_run_is_judged_and_drawn(smoke, finished):
    judgement = smoke.judge(finished)
    assert judgement.checks
    assert all(check.passed for check in judgement.checks), [c for c in judgement.checks if not c.passed]
    assert [verdict.claim for verdict in judgement.verdicts] == list(smoke.claims())
    drawn_figures = smoke.figures(finished)
    assert set(drawn_figures) == {"shares", "corners", "scaling"}
    assert all(one.rows and one.caption for one in drawn_figures.values())
    assert smoke.figures([]) == {}
    assert not smoke.judge(finished[:3]).verdicts


def test_positions_and_scalings_change_nothing_where_they_must_not(smoke, finished):
    data = measured(smoke, finished)
    nope = Row("recall", "nope")
    for ratio in smoke.ratios:
        corners = data.excess[nope, ratio]
        assert corners["position"] == pytest.approx(corners["base"], abs=1e-6)
        assert corners["both"] == pytest.approx(corners["dilution"], abs=1e-6)
    for arm in ("nope", "rope"):
        scaled, plain = (data.excess[Row("recall", arm, change), 4] for change in ("log n", "none"))
        for corner in ("base", "position"):
            assert scaled[corner] == pytest.approx(plain[corner], abs=1e-6)
        assert not np.allclose(scaled["dilution"], plain["dilution"], atol=1e-6)


def test_a_failed_check_voids_the_study(smoke, finished):
    broken = [replace(one, metrics={**one.metrics, "law_gap": 0.1}) for one in finished]
    judgement = smoke.judge(broken)
    assert {verdict.verdict for verdict in judgement.verdicts} == {"undecided"}
    assert any(not check.passed and "suffice" in check.name for check in judgement.checks)
