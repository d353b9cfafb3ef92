"""The study `variable_order`: the Bayes law is the sum over trees, rivals against loops, preferences, a smoke run."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from testbed.core import ConfigError
from testbed.runs import Record, Store, finished_records, run
from testbed.studies import load_studies
from testbed.studies.judge import Open, Region, judge
from testbed.studies.judge.evidence import Exact
from testbed.studies.variable_order import VariableOrder
from testbed.studies.variable_order.blends import (
    FITTED,
)
from testbed.studies.variable_order.config import Arm, quarters
from testbed.studies.variable_order.data import gather
from testbed.studies.variable_order.evidence import controlled, evidence
from testbed.studies.variable_order.grid import member_cell, tuned
from testbed.studies.variable_order.preference_figure import preference_figure
from testbed.studies.variable_order.settled import fall, moving, turning, welch, within
from testbed.studies.variable_order.worlds import ADAPTIVE, CONFIDENT, STILL, planted

CONFIG = Path(__file__).parents[2] / "configs" / "variable_order.toml"
Z = 5.8  # of 64 strings, false-alarm rate below 1e-6 together
EDGES = tuple(range(1, 31))


@pytest.fixture(scope="module")
def smoke() -> VariableOrder:
    (study,) = load_studies(CONFIG, "smoke")
    assert isinstance(study, VariableOrder)
    return study


@pytest.fixture(scope="module")
def laptop() -> VariableOrder:
    (study,) = load_studies(CONFIG, "laptop")
    assert isinstance(study, VariableOrder)
    return study


# ------------------------------------------------------------------------------------------------ the Bayes law


@pytest.mark.parametrize("scale", ["smoke", "laptop", "gpu", "full"])
def test_every_scale_names_rivals_and_tuning_first(scale):
    (study,) = load_studies(CONFIG, scale)
    cells = study.cells({})
    assert {cell.probe.kind for cell in cells} == {"learners", "blends", "tuning"}
    tuned = [arm for arm in study.arms if arm.kind != "full"]
    assert len(cells) - 1 - study.n_seeds == len(tuned) * len(study.rates.learning_rates) * study.rates.n_seeds
    if scale != "smoke":
        assert min(study.seeds) >= 100


def test_quarters_are_a_partition():
    for scored in range(8, 40):
        parts = quarters(scored)
        assert np.concatenate([np.arange(scored)[part] for part in parts]).tolist() == list(range(scored))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("layers=[1, 3, 4]", r"layers: given \(1, 3, 4\)"),
        ("task.branching=1.0", "branching: given 1.0"),
        ("task.length=9", "length: given 9"),
        ("model.mlp_ratio=0", "mlp_ratio"),
        ("model.depth=3", "model.depth: given 3"),
        ("optimiser.learning_rate=0.01", "learning_rate: given 0.01"),
        ("evaluation.path_points=1", "path_points: given 1"),
        ("optimiser.steps=1", "steps: given 1"),
    ],
)
def test_bad_settings_are_named(override, message):
    with pytest.raises(ConfigError, match=message):
        load_studies(CONFIG, "smoke", [override])


def test_the_smallest_rate_among_ties_is_taken(laptop):
    """Of whole trainings of half as many steps; random trees lend their rate to full ones."""
    arm, levels = Arm(2), dict(zip(laptop.rates.learning_rates, (0.02, 0.0051, 0.005, 0.03), strict=True))
    assert tuned(laptop, arm, {})[0] is None
    cells = tuned(laptop, arm, {})[1]
    assert {cell.training.optimiser.steps for cell in cells} == {laptop.optimiser.steps // 2}
    finished = {
        cell.key: Record(cell.key, cell.study, cell.resolved(), "done", {"excess": levels[cell.probe.rate]}, {})
        for cell in cells
    }
    for one in (arm, Arm(2, "full")):
        assert tuned(laptop, one, finished)[0] == 1e-2
    assert member_cell(laptop, Arm(2, "full"), 1, 1e-2).training.optimiser.steps == laptop.full_steps


def test_claims_on_layers_are_open_while_training_goes_on(laptop):
    rng = np.random.default_rng(0)
    still, over = (planted(laptop, world, rng, 10) for world in (STILL, ADAPTIVE))
    two = still.arms["trees_2"]
    unit = float(still.positions["order_1"].mean()) * laptop.task.scored / laptop.task.length
    found = fall(laptop, still, Arm(2))
    assert found.mean == pytest.approx(0.6 * two.own.mean() / unit)
    assert found.low < found.mean < found.high
    assert within(two) == pytest.approx(1 - 1 / 1.1)
    assert f"{found.said} off 2 layers" in moving(laptop, still, [Arm(2)])
    assert moving(laptop, over, [Arm(2)]) == ""
    once = replace(over, half={name: one[:1] for name, one in over.half.items()})
    assert "training was not over" in moving(laptop, once, [Arm(2)])  # one run tells no interval
    numbers = evidence(laptop, still)
    number = numbers["variable_order.depth_pays"]
    assert isinstance(number, Open)
    assert not isinstance(numbers["variable_order.two_constant"], Open)
    (claim,) = (one for one in laptop.claims() if one.id == "variable_order.depth_pays")
    (verdict,) = judge([(claim, number)])
    assert (verdict.verdict, verdict.estimate) == ("undecided", number.known.estimate)
    assert "training was not over" in verdict.reason


def test_the_interval_of_a_fall_is_that_of_welch():
    from scipy.stats import ttest_ind

    rng = np.random.default_rng(0)
    a, b = rng.normal(1.0, 0.2, 3), rng.normal(0.8, 0.1, 10)
    ends = ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    assert welch([a, b]) == pytest.approx((ends.high - ends.low) / 2)


def test_a_difference_must_be_larger_than_what_it_loses(laptop):
    """Every arm near its end, but half of the steps left twice the difference between them."""
    data = planted(laptop, ADAPTIVE, np.random.default_rng(0), 10)
    pair, region = (Arm(2), Arm(4)), Region(lower=0.0)
    own = {arm.name: data.arms[arm.name].own.mean() for arm in pair}
    gap = own["trees_2"] - own["trees_4"]
    estimate = evidence(laptop, data)["variable_order.depth_pays"].estimate
    assert turning(laptop, data, pair, region, estimate) == ""
    half = data.half | {"trees_2": np.full(3, own["trees_2"] + gap), "trees_4": np.full(3, own["trees_4"])}
    assert "off the difference itself" in turning(laptop, replace(data, half=half), pair, region, estimate)


def test_who_asks_no_evidence_is_the_bar(laptop):
    data = planted(laptop, CONFIDENT, np.random.default_rng(0), 10)
    assert (data.bar(names=FITTED) == data.gaps["sure"].mean(axis=1)).all()
    assert (data.bar() == data.gaps["placed"].mean(axis=1)).all()
    numbers = evidence(laptop, data)
    assert numbers["variable_order.two_constant"].estimate < 1 < numbers["variable_order.two_unasking"].estimate


def test_a_number_that_a_control_may_have_too_shows_nothing(laptop):
    data = planted(laptop, ADAPTIVE, np.random.default_rng(0), 10)
    one = data.arms["trees_1"]
    arms = data.arms | {"trees_1": replace(one, depth=one.depth + 0.6)}
    assert not isinstance(evidence(laptop, data)["variable_order.true_depth"], Open)
    number = evidence(laptop, replace(data, arms=arms))["variable_order.true_depth"]
    assert isinstance(number, Open)
    assert number.reason == "a control is not shown to fail: 1 layer"
    region = Region(upper=0.005)
    assert isinstance(controlled(Exact(0.004), region, {"a": Exact(0.003)}), Open)
    assert controlled(Exact(0.004), region, {"a": Exact(0.006)}) == Exact(0.004)
    assert controlled(Exact(0.006), region, {"a": Exact(0.003)}) == Exact(0.006)  # fails, whatever controls do


def test_an_arm_left_out_takes_its_claims_with_it():
    for wanted in (True, False):
        (study,) = load_studies(CONFIG, "smoke", [f"attention_only={str(wanted).lower()}"])
        assert (Arm(2, "bare") in study.arms) is wanted
        assert any("bare_" in claim.id for claim in study.claims()) is wanted
        data = planted(study, ADAPTIVE, np.random.default_rng(0), 6)
        assert set(evidence(study, data)) == {claim.id for claim in study.claims()}


def test_a_figure_is_drawn_from_planted_data(laptop):
    import matplotlib.pyplot as plt

    data = planted(laptop, ADAPTIVE, np.random.default_rng(0), 4)
    figure = preference_figure(laptop, data)
    assert "interval" in figure.caption
    assert sum(row["what"] == "2 layers, a run" for row in figure.rows) == 2 * 4
    at = [row["at"] for row in figure.rows if row["panel"] == "binned" and row["what"] == "2 layers"]
    assert at == sorted(at)
    assert len(at) == 8
    plt.close(figure.figure)


def test_the_smoke_run_is_judged(smoke, finished):
    judgement = smoke.judge(finished)
    assert [check.name for check in judgement.checks if not check.passed] == []
    assert [verdict.claim for verdict in judgement.verdicts] == list(smoke.claims())
    assert {one.verdict for one in judgement.verdicts} == {"undecided"}  # two runs each
    assert not smoke.judge(finished[:-1]).verdicts
    assert smoke.figures(finished[:-1]) == {}
    data = gather(smoke, finished)
    two = data.arms[Arm(2).name]
    assert two.excess.shape == (2, smoke.task.scored)
    assert two.gap_orders.shape == (2, smoke.task.depth + 1, smoke.task.scored)
    for values in data.gaps.values():
        assert values.shape == (2, smoke.task.scored)
    assert two.preference.shape == data.bayes.shape == (2, smoke.reading.n_sequences)
    assert {name: one.shape for name, one in data.half.items()} == {
        arm.name: (1,) for arm in smoke.arms if arm.kind != "full"
    }


@pytest.mark.slow
def test_attention_alone_is_judged_and_all_figures_are_drawn(tmp_path):
    (study,) = load_studies(CONFIG, "smoke", ["attention_only=true"])
    with Store(tmp_path, writable=True) as store:
        assert not run(study, store).failed
        records = list(finished_records(store, study).values())
    assert {claim.claim.id for claim in study.judge(records).verdicts} == {one.id for one in study.claims()}
    figures = study.figures(records)
    assert {claim for figure in figures.values() for claim in figure.claims} == {one.id for one in study.claims()}
    for figure in figures.values():
        assert figure.rows
        assert "interval" in figure.caption
