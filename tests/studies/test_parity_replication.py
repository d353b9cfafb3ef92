"""The study `parity_replication`: golden Table 1, its choices, planted worlds, a smoke run."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from testbed.core import ConfigError
from testbed.runs import Record
from testbed.sources.parity import SparseParitySource
from testbed.studies import load_studies
from testbed.studies.parity_replication import ParityReplication
from testbed.studies.parity_replication.claims import PREFIX, evidence
from testbed.studies.parity_replication.exact import (
    RECOVERED_WITHIN,
    TABLE_1,
    linear_fit,
    recovered_risks,
    recovery_error,
    variant_risks,
)
from testbed.studies.parity_replication.grid import TUNING_OFFSET, all_cells, chosen_setting
from testbed.studies.parity_replication.results import Point, measured
from testbed.studies.parity_replication.task_figure import learnt_share
from testbed.studies.parity_replication.transformer_claims import learns_all
from testbed.studies.parity_replication.worlds import WORLDS, planted_data
from testbed.training.mlp_path import train_mlps
from testbed.training.mlp_spec import MLPOptimiserConfig, MLPSpec

CONFIG = Path(__file__).parents[2] / "configs" / "parity_replication.toml"


@pytest.fixture(scope="module")
def smoke() -> ParityReplication:
    (study,) = load_studies(CONFIG, "smoke")
    assert isinstance(study, ParityReplication)
    return study


@pytest.fixture(scope="module")
def laptop() -> ParityReplication:
    (study,) = load_studies(CONFIG, "laptop")
    assert isinstance(study, ParityReplication)
    return study


# ------------------------------------------------------------------------------------------------ what is exact
@pytest.mark.slow
@pytest.mark.parametrize(
    ("length", "least", "at_epoch", "train_loss", "risk"),
    [(36, 0.6926, 4, 0.560, 0.3327), (43, 0.6928, 6, 0.594, 0.2634), (94, 0.6931, 1, 0.573, 0.0970)],
)
def test_the_public_recipe_stops_on_the_plateau(length, least, at_epoch, train_loss, risk):
    """Variant A, D = 85,000, the public network and settings: of one seed elsewhere the least validation loss, its
    epoch, 25 epochs before the stop, and the last training loss, against R. So here, within seeds.
    """
    source = SparseParitySource(variant="A")
    spec = MLPSpec(
        source=source,
        context_length=length,
        n_bits=length,
        n_targets=85_000,
        batch_size=10_000,
        steps=9 * 33,
        patience=25,
        n_validation=20_000,
        optimiser=MLPOptimiserConfig(learning_rate=1e-3, weight_decay=8e-4),
    )
    (member,) = train_mlps([spec])
    assert member.ended is not None
    assert member.epoch["stopped"] == member.ended - 25
    assert abs(member.epoch["stopped"] - at_epoch) <= 5
    assert member.validation[member.epoch["stopped"] - 1] == pytest.approx(least, abs=0.002)
    assert member.train_loss[member.ended - 1] == pytest.approx(train_loss, abs=0.05)
    assert source.conditional_entropies(length).value[-1] == pytest.approx(risk, abs=5e-5)


def test_table_1_comes_out_of_the_recovered_frequencies():
    """Golden: nine minima of Shi et al. 2025, Table 1, and the least two published digits of variant A's risks."""
    assert recovered_risks() == pytest.approx({length: least for length, (_, least) in TABLE_1.items()}, abs=1.05e-4)
    assert recovery_error() < RECOVERED_WITHIN
    assert all(0 <= model - least < 6e-4 for model, least in TABLE_1.values())
    golden = {
        20: 0.6931,
        21: 0.6516,
        24: 0.5545,
        27: 0.4713,
        32: 0.3882,
        36: 0.3327,
        43: 0.2634,
        63: 0.1664,
        94: 0.0970,
    }
    risks = variant_risks("A", 100)
    assert {length: risks[length] for length in golden} == pytest.approx(golden, abs=6e-5)


def test_shown_entropy_is_linear_in_state_entropy_in_variant_a_alone():
    assert linear_fit("A", (21, 24, 27, 32, 36, 43, 63, 94)).slope == pytest.approx(1 / 50, abs=1e-9)
    assert linear_fit("A").residual < 1e-12
    bent = linear_fit("B")
    assert bent.residual > 0.05
    assert bent.pearson > 0.98  # which is why a correlation is no test


# ------------------------------------------------------------------------------------------------ the grid
@pytest.mark.parametrize("scale", ["smoke", "laptop", "gpu", "full"])
def test_every_scale_builds_and_names_its_first_cells_without_training(scale):
    (study,) = load_studies(CONFIG, scale)
    study.prepare()
    cells = study.cells({})
    assert len({cell.key for cell in cells}) == len(cells)
    assert {cell.probe.protocol for cell in cells if cell.probe.kind == "member"} == {"released"}
    assert all(cell.probe.seed >= TUNING_OFFSET for cell in cells if "tuning" in cell.probe.kind)
    assert not any(cell.probe.kind == "shown" for cell in cells)
    assert all(cell.probe.seed in study.seeds for cell in cells if cell.probe.kind == "member")


def test_the_released_protocol_ties_steps_to_d_from_below_alone_and_the_sound_one_does_not(laptop):
    steps = {(c.probe.protocol, c.probe.spec.n_targets): c.probe.spec.steps for c in all_cells(laptop, {})}
    assert {steps["sound", size] for size in laptop.designed.sizes} == {1100}
    assert {steps["released", size] for size in laptop.designed.sizes} == {1100}
    tied = laptop.replace(released=laptop.released.replace(least_epochs=200))
    steps = {(c.probe.protocol, c.probe.spec.n_targets): c.probe.spec.steps for c in all_cells(tied, {})}
    assert steps["released", 1000] == 1100
    assert steps["released", 4000] == 200 * 16


def test_the_smaller_setting_is_chosen_among_equals_and_a_diverging_one_never(smoke):
    size = smoke.designed.sizes[0]
    setting, cells = chosen_setting(smoke, "sound", size, {})
    assert setting is None
    losses = {1e-2: 0.5, 3e-2: 0.5}

    def records(**changes):
        return {
            c.key: Record(
                c.key,
                "x",
                c.resolved(),
                changes.get("status", "done") if c.probe.spec.optimiser.learning_rate == 1e-2 else "done",
                {"end_validation": losses[c.probe.spec.optimiser.learning_rate]},
            )
            for c in cells
        }

    assert chosen_setting(smoke, "sound", size, records())[0] == (1e-2, 1.0)
    assert chosen_setting(smoke, "sound", size, records(status="diverged"))[0] == (3e-2, 1.0)
    assert chosen_setting(smoke, "released", size, {}) == ((1e-3, 8e-4), [])


def test_a_control_whose_risk_moves_and_grids_that_do_not_rise_are_refused(smoke):
    with pytest.raises(ConfigError, match="control: its risk"):
        smoke.replace(control=smoke.designed)
    with pytest.raises(ConfigError, match="longest context must solve more"):
        smoke.replace(designed=smoke.control)
    with pytest.raises(ConfigError, match="lengths"):
        load_studies(CONFIG, "smoke", ["designed.lengths=[4,2]"])
    with pytest.raises(ConfigError, match="among designed.sizes"):
        load_studies(CONFIG, "smoke", ["control.sizes=[7]"])


# ------------------------------------------------------------------------------------------------ the judge
def test_a_stop_that_never_bites_is_a_share_with_an_honest_bound(laptop):
    data = planted_data(laptop, WORLDS["no_stopping"], np.random.default_rng(0), 10)
    never = evidence(laptop, data)[PREFIX + "stop_costs_sound"]
    assert never.estimate == 0.0
    assert never.upper(0.05) == pytest.approx(1 - 0.05**0.1)
    data.metrics[Point("designed", "sound", 2000), "stopped_loss"][3, 2] += 0.5
    assert evidence(laptop, data)[PREFIX + "stop_costs_sound"].estimate == pytest.approx(0.1)
    assert evidence(laptop, data)[PREFIX + "stop_costs_released"].estimate == 0.0


def test_a_task_is_learnt_where_it_is_known_at_every_length_that_holds_it(laptop):
    """`learns_all` against loops, on random excesses of five networks."""
    rng, arm = np.random.default_rng(0), laptop.transformer
    n_tasks = len(arm.hidden.base.tasks)
    excess = rng.choice([0.01, 0.5], p=[0.98, 0.02], size=(5, len(arm.lengths), n_tasks))
    found = learns_all(laptop, excess)
    for network in range(5):
        slow = True
        for i, length in enumerate(arm.lengths):
            for t, task in enumerate(arm.hidden.base.tasks):
                if max(task) <= length and excess[network, i, t] >= laptop.learnt_below:
                    slow = False
        assert found[network] == slow


def test_the_paper_s_own_network_has_its_published_size():
    for scale in ("gpu", "full"):
        (study,) = load_studies(CONFIG, scale)
        model = study.transformer.model
        assert (model.depth, model.width, model.mlp_ratio * model.width) == (3, 208, 832)
        assert [one.base for one in model.methods] == [4000.0]
        cell = next(cell for cell in study.cells({}) if cell.probe.kind == "shown_tuning")
        assert cell.training.sequence_length == 62  # 60 bits and the question are seen, the answer is judged


# ------------------------------------------------------------------------------------------------ the whole of it
def test_the_paper_s_own_network_is_scored_at_every_visible_length(smoke, finished):
    """Its excess is the mean over tasks, its loss no less than the exact minimum."""
    data, arm = measured(smoke, finished), smoke.transformer
    law = arm.hidden.base.question_law
    for size, one in data.shown.items():
        assert one.excess == pytest.approx(one.task_excess @ law, abs=1e-9)
        assert one.loss == pytest.approx(one.excess + np.array(arm.tasks.risks))
        assert (one.excess > -1e-9).all()
        assert (one.elsewhere >= 0).all()
        assert size in (*arm.sizes, None)
    assert [one.probe["seed"] for one in finished if one.probe["kind"] == "shown"] == 2 * list(
        smoke.seeds_of_transformer
    )


def test_the_smoke_run_is_judged_and_drawn(smoke, finished):
    judgement = smoke.judge(finished)
    assert all(check.passed for check in judgement.checks), [c for c in judgement.checks if not c.passed]
    assert [verdict.claim for verdict in judgement.verdicts] == list(smoke.claims())
    assert judgement.verdicts[-1].verdict == "fails"  # A3, exact
    assert set(smoke.figures(finished)) == {
        "grid",
        "best_length",
        "tasks",
        "visible",
        "table_1",
        "state_entropy",
    }
    assert set(smoke.figures([])) == {"table_1", "state_entropy"}
    assert all(one.rows and one.caption for one in smoke.figures(finished).values())
    assert not smoke.judge(finished[:3]).verdicts


def test_losses_are_risk_plus_excess_and_the_excess_is_the_mean_over_tasks(smoke, finished):
    data = measured(smoke, finished)
    source = smoke.designed.source
    for size in smoke.designed.sizes:
        point = Point("designed", "released", size)
        for number, rule in enumerate(("stopped", "selected", "end")):
            excess = data.at(point, f"{rule}_excess")
            assert data.at(point, f"{rule}_loss") == pytest.approx(excess + np.array(smoke.designed.risks))
            by_task = data.task_excess[point][:, :, number] @ source.question_law
            assert excess == pytest.approx(by_task, abs=1e-9)
        share = learnt_share(smoke, data, point, "end")
        assert share.shape == (3, 2)
        assert np.isnan(share[0, 1])  # two bits do not hold the task of depth 4
        assert not np.isnan(share[1:]).any()


def test_members_named_again_are_the_same_cells(smoke, finished):
    keys = {record.key for record in finished}
    assert {cell.key for cell in smoke.cells({record.key: record for record in finished})} == keys


def test_a_failed_check_voids_the_study_and_a_diverged_member_leaves_no_verdict(smoke, finished):
    broken = [
        replace(one, metrics={**one.metrics, "end_paired": 1.0}) if "end_paired" in one.metrics else one
        for one in finished
    ]
    judgement = smoke.judge(broken)
    assert {verdict.verdict for verdict in judgement.verdicts} == {"undecided"}
    member = next(one for one in finished if one.probe["kind"] == "member")
    judgement = smoke.judge([replace(one, status="diverged") if one is member else one for one in finished])
    assert not judgement.verdicts
    assert not judgement.checks[0].passed
