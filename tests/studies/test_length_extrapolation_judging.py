"""The study `length_extrapolation`: what a smoke run measures, how it is judged, and its planted worlds."""

from pathlib import Path

import numpy as np
import pytest

from testbed.measures.attention_metrics import entropy_slope
from testbed.sources import build
from testbed.studies import load_studies
from testbed.studies.judge import Exact
from testbed.studies.length_extrapolation import LengthExtrapolation
from testbed.studies.length_extrapolation.claims import PREFIX, evidence
from testbed.studies.length_extrapolation.config import NONE
from testbed.studies.length_extrapolation.controls import tax_figure
from testbed.studies.length_extrapolation.drawing import interval, near_best
from testbed.studies.length_extrapolation.head_evidence import slopes
from testbed.studies.length_extrapolation.head_figures import attention_figure, r_value_figure
from testbed.studies.length_extrapolation.heads import relevant_keys
from testbed.studies.length_extrapolation.judgement import notes
from testbed.studies.length_extrapolation.measure import scored_sequences
from testbed.studies.length_extrapolation.parts import largest, least
from testbed.studies.length_extrapolation.reach_figure import reach_figure
from testbed.studies.length_extrapolation.results import Measured, Row, measured
from testbed.studies.length_extrapolation.worlds import BASE, planted

CONFIG = Path(__file__).parents[2] / "configs" / "length_extrapolation.toml"


def load(scale: str, *overrides: str) -> LengthExtrapolation:
    (study,) = load_studies(CONFIG, scale, overrides)
    assert isinstance(study, LengthExtrapolation)
    return study


@pytest.fixture(scope="module")
def smoke() -> LengthExtrapolation:
    return load("smoke")


@pytest.fixture(scope="module")
def laptop() -> LengthExtrapolation:
    return load("laptop")


# ------------------------------------------------------------------------------------------------ measuring
def test_late_positions_are_those_of_the_second_half():
    source = build({"type": "dirichlet_iid", "vocab_size": 2})
    seen = scored_sequences(source, 40, 3, 5, 6)
    judged = seen.sequences.judged
    assert judged[0].sum() == 12  # six in each half, the same in every sequence
    assert (judged == judged[0]).all()
    assert seen.late.tolist() == (np.nonzero(judged)[1] >= 20).tolist()
    laws = seen.sequences.laws[seen.late]
    mean = laws.mean(axis=0)
    assert seen.no_context == pytest.approx(np.sum(laws * np.log(laws / mean)) / len(laws))


def test_the_smoke_run_measures_every_row_at_every_length(smoke, finished):
    data = measured(smoke, finished)
    assert data is not None
    for task in smoke.tasks:
        for arm in task.arms:
            n_changes = 1 + sum(change.applies_to(task, smoke.arm(arm)) for change in smoke.changes)
            for ratio in smoke.ratios:
                assert sum(row.arm == arm for row in data.rows(task.name, ratio)) == n_changes
    assert all(np.all(values > -1e-9) for values in data.late.values())
    no_ops = {change.name for change in smoke.changes if change.no_op}
    for (task, row, ratio), values in data.everywhere.items():
        if ratio == 1 and row.change in no_ops:
            assert values == pytest.approx(data.everywhere[task, Row(row.arm), 1], abs=1e-6), row


def test_relevant_keys_are_the_pair_asked_for_last_and_the_informative_tokens():
    recall = build({"type": "key_value_recall", "n_keys": 8, "n_values": 2, "n_queries": 2})
    tokens = recall.sample(20, 14, seed=0).astype(int)
    for row, keys in zip(tokens, relevant_keys(recall, tokens), strict=True):
        (pair,) = [i for i in range(5) if row[2 * i] == row[-2]]
        assert np.flatnonzero(keys).tolist() == [2 * pair, 2 * pair + 1]
    needle = build({"type": "needle", "n_keys": 4, "n_values": 2})
    tokens = needle.sample(20, 9, seed=0)
    keys = relevant_keys(needle, tokens)
    assert (keys.sum(axis=1) == 1).all()
    assert (needle.keys_of(tokens[keys]) == tokens[:, -2] - 10).all()  # questions begin at 2 + 2 * 4
    fillers = build({"type": "fillers", "n_informative": 4, "base": {"type": "noisy_retrieval", "n_values": 2}})
    keys = relevant_keys(fillers, fillers.sample(20, 12, seed=0))
    assert (keys.sum(axis=1) == 4).all()
    assert not keys[:, -fillers.tail :].any()
    assert relevant_keys(build("mess3"), tokens) is None


def test_heads_are_measured_where_the_config_asks(smoke, finished):
    data = measured(smoke, finished)
    asked = {NONE, *(change.name for change in smoke.changes if change.heads)}
    for task in smoke.tasks:
        for row in data.rows(task.name, 1):
            assert ((task.name, row, 1) in data.heads) is (row.change in asked), row
    for (task, _, ratio), heads in data.heads.items():
        n = ratio * next(one.train_length for one in smoke.tasks if one.name == task)
        assert heads["entropy"].shape == (smoke.n_seeds, smoke.model.depth, smoke.model.heads)
        assert (heads["entropy"] >= 0).all()
        assert (heads["entropy"] <= np.log(n) + 1e-6).all()
        assert (heads["r_value"] >= 0).all()


def test_slopes_are_those_of_a_line(laptop):
    task, row = laptop.tasks[0], Row("rope", "infoscale")
    data = Measured((0,))
    for ratio in laptop.ratios_of(task):
        data.heads[task.name, row, ratio] = {"entropy": np.array([[[2.0 + 0.3 * np.log(ratio), 1.0]]])}
    assert slopes(laptop, data, task, row) == pytest.approx(np.array([[[0.3, 0.0]]]))
    assert entropy_slope(
        [64 * one for one in (1, 2, 4)], [2 + 0.3 * np.log(one) for one in (1, 2, 4)]
    ) == pytest.approx(0.3)


def test_the_smoke_run_is_judged_and_drawn(smoke, finished):
    judgement = smoke.judge(finished)
    assert [check.name for check in judgement.checks if not check.passed] == []
    assert [verdict.claim.id for verdict in judgement.verdicts] == [claim.id for claim in smoke.claims()]
    reasons = {verdict.claim.id.rpartition(".")[2]: verdict.reason for verdict in judgement.verdicts}
    assert "learnt a task of the role argmax" in reasons["best"] or "role recall" in reasons["best"]
    figures = smoke.figures(finished)
    assert {"lines", "exact_controls", "tax", *(f"heat_{task.name}" for task in smoke.tasks)} <= figures.keys()
    for figure in figures.values():
        assert figure.rows
        assert "interval" in figure.caption


@pytest.mark.parametrize("draw", [attention_figure, r_value_figure, reach_figure, tax_figure])
def test_figures_have_their_numbers_and_end_where_these_must(laptop, draw):
    import matplotlib.pyplot as plt

    figure = draw(laptop, planted(laptop, BASE, np.random.default_rng(0), 8))
    assert figure.rows
    assert "interval" in figure.caption
    assert all(row["lower"] >= 0.0 for row in figure.rows if row.get("measure") in ("entropy", "key_mass"))
    assert all(row["upper"] <= 1.0 for row in figure.rows if row.get("measure") == "key_mass")
    plt.close(figure.figure)


def test_missing_records_void_the_study(smoke, finished):
    judgement = smoke.judge(finished[:-1])
    assert not judgement.verdicts
    assert [check.name for check in judgement.checks] == ["complete"]
    assert set(smoke.figures(finished[:-1])) == {"exact_controls"}


# ------------------------------------------------------------------------------------------------ judging
def test_arms_that_did_not_learn_are_not_judged(laptop):
    data = planted(laptop, "as_claimed", np.random.default_rng(0), 8)
    data.late["T7b_classes", Row("nope"), 1] += np.array([1.0, 1, 1, 1, 0, 0, 0, 0])
    data.judge_learnt(laptop.gate)
    assert data.learnt["T7b_classes", "nope"].tolist() == [False] * 4 + [True] * 4
    assert not data.usable("T7b_classes", "nope")
    numbers = evidence(laptop, data)
    assert "fewer than five replicates of the arm nope" in str(numbers["length_extrapolation.control"])
    assert not isinstance(numbers["length_extrapolation.positions"], str)


def test_a_diverged_member_counts_as_not_learnt(laptop):
    data = planted(laptop, "as_claimed", np.random.default_rng(0), 8)
    for key in data.late:
        if key[0] == "T5_local" and key[1].arm == "rope":
            data.late[key][2] = np.nan
    data.judge_learnt(laptop.gate)
    assert data.learnt["T5_local", "rope"].tolist() == [True, True, False, True, True, True, True, True]
    assert data.difference("T5_local", 4, Row("rope"), Row("rope", "rerope")).n_independent == 7


def test_differences_are_paired(laptop):
    data = Measured((0, 1, 2, 3, 4))
    for row, values in ((Row("nope"), [1.0, 2, 3, 4, 5]), (Row("nope", "log n"), [1.1, 2.1, 3.1, 4.1, 5.1])):
        data.late["T7b_classes", row, 1] = np.array(values)
    data.no_context["T7b_classes", 1] = np.full(5, 1000.0)
    data.judge_learnt(laptop.gate)
    one = data.difference("T7b_classes", 1, Row("nope", "log n"), Row("nope"))
    assert one.estimate == pytest.approx(0.1)
    assert one.student.spread < 1e-12


def test_the_row_that_decides_is_named():
    part = least([("a", Exact(0.5)), ("b", largest([("c", Exact(0.2)), ("d", Exact(0.3))]))])
    assert part.evidence.estimate == 0.3
    assert part.deciding() == ("b: d", Exact(0.3))


def test_notes_name_the_deciding_row_of_every_claim(laptop):
    data = planted(laptop, BASE, np.random.default_rng(0), 8)
    said = notes(laptop, data)
    for claim in laptop.claims():
        name = claim.id[len(PREFIX) :]
        assert any(one.startswith(f"{name} rests on the ") for one in said), name
    assert sum(one.startswith("Not judged, nope") for one in said) == 2
    assert any("band of m/8: reaches 7 tokens back over 2 layers (4 in one), lag 12" in one for one in said)


def test_both_edges_of_the_grid_of_rates_are_told(laptop):
    data = planted(laptop, BASE, np.random.default_rng(0), 8)
    data.rates = {("T5_local", "nope"): 1e-3, ("T5_local", "rope"): 1e-3, ("T2_recall", "rope"): 2.4e-2}
    said = notes(laptop, data)
    assert any("2 of 3 arms take the lower, 0.001, 1 the upper, 0.024" in one for one in said)
    assert any("rate 0.001, the lower edge of the grid" in one for one in said)


def test_a_star_needs_an_interval(laptop):
    data = planted(laptop, BASE, np.random.default_rng(0), 8)
    task, row = "T5_local", Row("nope")
    assert row in near_best(laptop, data, task, 4)
    data.late[task, row, 4] = data.late[task, row, 4] + np.array([-0.05, 0.05] * 4)
    assert row not in near_best(laptop, data, task, 4), "its mean is as before, its interval is not"


def test_intervals_end_where_the_number_must(laptop):
    data = planted(laptop, BASE, np.random.default_rng(0), 8)
    mean = data.mean_of(np.array([0.0, 0.9, 0.0, 1.0, 0.8, 0.0, 0.9, 0.0]), np.ones(8, dtype=bool))
    assert interval(mean)[1] < 0.05
    assert interval(mean, 0.2, 0.6)[1:] == (0.2, 0.6)
