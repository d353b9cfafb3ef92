"""The study `loss_properness`: sources, tuning, numbers of the claims against slow twins, a smoke run."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from testbed.core import ConfigError
from testbed.runs import Record
from testbed.studies import load_studies
from testbed.studies.loss_properness import LossProperness
from testbed.studies.loss_properness.claims import evidence, finite_floors
from testbed.studies.loss_properness.config import KINDS, NOISY, Design, standard_arms
from testbed.studies.loss_properness.data import gather
from testbed.studies.loss_properness.grid import all_cells, member_cell, tuned
from testbed.studies.loss_properness.measure import cost_matrix, fixed_points, own_rows
from testbed.training.losses import losses
from testbed.training.losses.emo import cost_of
from testbed.training.trainer import train

CONFIG = Path(__file__).parents[2] / "configs" / "loss_properness.toml"


@pytest.fixture(scope="module")
def smoke() -> LossProperness:
    (study,) = load_studies(CONFIG, "smoke")
    assert isinstance(study, LossProperness)
    return study


# ------------------------------------------------------------------------------------------------ sources, predictions
def test_every_context_has_the_same_law_but_for_its_order():
    design = Design()
    for kind in KINDS:
        law = design.source(kind, 7).context_law(2)
        expected = design.law if kind in NOISY else np.eye(4)[0]
        np.testing.assert_allclose(-np.sort(-law.laws, axis=1), np.tile(expected, (len(law.laws), 1)), atol=1e-8)
        assert len(law.laws) == (16 if kind in NOISY else 4)
    assert design.source("markov", 7) != design.source("markov", 8)


@pytest.mark.parametrize("name", ["focal", "mixce", "label_smoothing", "total_variation"])
def test_predictions_of_permuted_laws_are_those_of_each(name):
    loss = losses.build(name)
    laws = Design().source("markov", 3).context_law(2).laws
    slow = [loss.fixed_point(law) for law in laws]
    np.testing.assert_allclose(fixed_points(loss, laws, None), slow, atol=1e-12)


def test_the_vectors_of_emo_tell_the_medoid_from_the_mode():
    """Over all orders of the law: the best token is best by far, and half of the time not the likeliest."""
    arm = next(one for one in standard_arms() if one.name == "emo")
    cost = cost_of(arm.objective.rows(4))
    laws = np.array([Design().law[list(order)] for order in itertools.permutations(range(4))])
    costs = np.sort(laws @ cost, axis=1)
    assert (costs[:, 1] - costs[:, 0]).min() > 0.09
    assert ((laws @ cost).argmin(axis=1) == laws.argmax(axis=1)).mean() == 0.5


# ------------------------------------------------------------------------------------------------ cells
def test_losses_of_a_replicate_differ_in_the_loss_alone(smoke):
    specs = [member_cell(smoke, arm, "markov", 3, 1e-2).training for arm in smoke.arms]
    assert len({spec.training_key for spec in specs}) == len(specs)
    assert len({spec.replace(objective="cross_entropy") for spec in specs}) == 1


def test_the_rate_is_that_of_the_least_gradient_and_reads_no_distance(smoke):
    study = smoke.replace(tuning=smoke.tuning.replace(learning_rates=(1e-3, 1e-2, 1e-1), tie=0.01))
    arm = study.arms[2]
    _, cells = tuned(study, arm, {})
    left = {1e-3: 0.3, 1e-2: 0.105, 1e-1: 0.1}
    finished = {
        cell.key: Record(cell.key, cell.study, cell.resolved(), "done", {"residual": left[cell.probe.learning_rate]})
        for cell in cells
    }
    assert tuned(study, arm, finished)[0] == 1e-2
    lost = {key: Record(key, one.study, one.cell, "diverged", {}) for key, one in finished.items()}
    assert tuned(study, arm, lost)[0] == 1e-3


@pytest.mark.parametrize("scale", ["smoke", "laptop", "gpu", "full"])
def test_every_scale_names_its_tuning_first(scale):
    (study,) = load_studies(CONFIG, scale)
    cells = list(all_cells(study, {}))
    expected = len(study.arms) * len(study.tuning.learning_rates) * study.tuning.n_seeds
    assert len({cell.key for cell in cells}) == len(cells) == expected
    assert study.n_seeds >= 5
    assert len(study.arms) == (6 if scale == "smoke" else 11)


def test_verdicts_come_from_seeds_that_development_did_not_see():
    assert min(load_studies(CONFIG, "laptop")[0].seeds) >= 100


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("arms=[{name = 'brier', objective = 'brier'}, {name = 'brier', objective = 'focal'}]", "a name of its own"),
        ("arms=[{name = 'brier', objective = 'brier'}, {name = 'focal', objective = 'focal'}]", "must be there"),
        ("arms=[{name = 'b', objective = 'brierr'}]", "did you mean brier"),
        ("design.vocab_size=2", "vocab_size"),
    ],
)
def test_bad_settings_are_named(override, message):
    with pytest.raises(ConfigError, match=message):
        load_studies(CONFIG, "smoke", [override])


# ------------------------------------------------------------------------------------------------ numbers
@pytest.mark.slow
def test_the_numbers_of_the_claims_are_those_of_slow_loops(smoke, finished):
    data = gather(smoke, finished)
    assert data is not None
    numbers = {name.partition(".")[2]: one for name, one in evidence(smoke, data).items()}
    found = {(r.probe["arm"], r.probe["source"], r.probe["seed"]): r for r in finished if r.probe["kind"] == "member"}
    arm, to_predicted, moved, excess = "label_smoothing", [], [], {}
    for seed in smoke.seeds:
        per_source, along, size = [], 0.0, 0.0
        for kind in NOISY:
            arrays = found[arm, kind, seed].arrays
            away = 0.0
            for w, p, q, f in zip(*(arrays[n] for n in ("weight", "bayes", "trained", "predicted")), strict=True):
                np.testing.assert_allclose(f, 0.8 * p + 0.2 / 4, atol=1e-12)
                away += w * np.abs(q - f).sum() / 2
                along += w * (q - p) @ (f - p)
                size += w * (f - p) @ (f - p)
            per_source.append(away)
            excess[arm, seed] = excess.get((arm, seed), 0.0) + found[arm, kind, seed].metrics["excess"] / 2
        to_predicted.append(np.mean(per_source))
        moved.append(along / size)
    assert numbers[f"at_{arm}"].estimate == pytest.approx(np.mean(to_predicted))
    assert numbers[f"moved_{arm}"].estimate == pytest.approx(np.mean(moved))
    np.testing.assert_allclose(data.over_sources(arm, "excess"), [excess[arm, s] for s in smoke.seeds], atol=1e-9)
    assert finite_floors(smoke, data) == ["label_smoothing", "emo_distance", "emo_own_head"]
    cycle = data.laws[arm, "deterministic"]
    np.testing.assert_allclose(cycle.predicted_excess, -np.log(1 - 0.2 + 0.2 / 4))


def test_the_cost_of_its_own_read_out_is_that_of_its_rows(smoke):
    arm = next(one for one in smoke.arms if one.name == "emo_own_head")
    small = smoke.replace(training=smoke.training.replace(steps=2))
    (member,) = train([member_cell(small, arm, "iid", 0, 1e-2).training])
    cost, rows = cost_matrix(member), own_rows(member)
    assert cost is not None
    for y in range(4):
        for v in range(4):
            cosine = rows[y] @ rows[v] / np.linalg.norm(rows[y]) / np.linalg.norm(rows[v])
            assert cost[y, v] == pytest.approx(1 - cosine, abs=1e-6)


# ------------------------------------------------------------------------------------------------ the study
def test_the_smoke_run_is_judged_and_drawn(smoke, finished):
    judged = smoke.judge(finished)
    assert [check.name for check in judged.checks if not check.passed] == []
    assert [one.claim for one in judged.verdicts] == list(smoke.claims())
    figures = smoke.figures(finished)
    assert list(figures) == ["laws", "floors", "training"]
    assert {claim for one in figures.values() for claim in one.claims} == {one.id for one in smoke.claims()}
    assert all(one.rows and "interval" in one.caption for one in figures.values())
    members = [one for one in finished if one.probe["kind"] == "member"]
    lost = smoke.judge([one for one in finished if one is not members[0]])
    assert lost.verdicts == ()
    assert not lost.checks[0].passed


def test_a_training_that_is_not_at_rest_decides_nothing(smoke, finished):
    (strict,) = load_studies(CONFIG, "smoke", ["bounds.gate=1e-9"])
    assert {one.verdict for one in strict.judge(finished).verdicts} == {"undecided"}
