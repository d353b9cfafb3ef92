"""Whole trainings: members in company, members that diverge, and what a trained member says."""

import math

import numpy as np
import pytest
import torch

from testbed.models import ModelConfig
from testbed.sources import MarkovSource
from testbed.training import DataConfig, EvaluationConfig, OptimiserConfig, TrainingSpec
from testbed.training.ensemble import Ensemble
from testbed.training.evaluation import evaluation_set
from testbed.training.trainer import train

SOURCE = MarkovSource.random(vocab_size=3, order=2, concentration=0.5, seed=1)
STEPS = 6


def spec(length: int = 2, seed: int = 0, batch: str = "sampled", loss: str = "last", rate: float = 1e-2, **others):
    return TrainingSpec(
        source=SOURCE,
        context_length=length,
        data=DataConfig(n_targets=40, max_context=3, batch=batch, targets_per_step=8, seed=others.pop("data_seed", 0)),
        model=ModelConfig(width=16, depth=2, heads=2),
        optimiser=OptimiserConfig(learning_rate=rate, steps=STEPS, warmup_steps=2, weight_decay=0.1),
        evaluation=EvaluationConfig(n_contexts=50, n_heldout=50, path_points=3),
        loss=loss,
        initial_seed=seed,
        **others,
    )


def same(a, b) -> bool:
    return np.array_equal(a.weights, b.weights) and a.scores == b.scores and a.status == b.status


@pytest.mark.parametrize("loss", ["last", "all"])
def test_a_members_result_does_not_depend_on_its_company_or_place(loss):
    """Bitwise for sampled batches, in any order and company."""
    one = spec(2, seed=3, loss=loss)
    others = [spec(2, seed=1, loss=loss, rate=0.1), spec(0, seed=2, loss=loss), spec(3, seed=4, loss=loss, data_seed=5)]
    (alone,) = train([one])
    for company in ([one, *others], [*others, one], [others[0], one, others[0]]):
        assert same(train(company)[company.index(one)], alone)


def test_a_members_result_does_not_depend_on_its_company_for_distinct_windows():
    """To rounding: padding to the segment's longest member changes how products are summed."""
    specs = [spec(3, seed=i, batch="distinct", data_seed=i) for i in range(4)]
    together, alone = train(specs), [train([one])[0] for one in specs]
    for a, b in zip(together, alone, strict=True):
        assert np.linalg.norm(a.weights - b.weights) <= 1e-4 * np.linalg.norm(b.weights)
        assert a.scores["excess"] == pytest.approx(b.scores["excess"], abs=1e-5)


def test_the_same_specs_twice_are_bitwise_equal():
    specs = [spec(length, seed=length) for length in (3, 0, 2)]
    for a, b in zip(train(specs), train(specs), strict=True):
        assert same(a, b)
        assert all(np.array_equal(a.path[name], b.path[name]) for name in a.path)


def test_log_laws_of_a_member_equal_the_ensembles():
    specs = [spec(length, seed=length) for length in (3, 0, 2)]
    ensemble = Ensemble(specs)
    for step in range(STEPS):
        ensemble.train_step(step)
    for i, member in enumerate(train(specs)):
        contexts = evaluation_set(specs[i]).contexts
        log_q = member.log_laws(contexts)
        assert np.array_equal(log_q, ensemble.laws(i, contexts))
        np.testing.assert_allclose(ensemble.laws(i, contexts, chunk=5), log_q, atol=1e-6)
        np.testing.assert_allclose(np.exp(log_q).sum(axis=1), 1.0, atol=1e-12)


def test_training_lowers_the_excess_and_records_the_path():
    one = spec(2).replace(data=DataConfig(max_context=3, batch="distinct"), optimiser=OptimiserConfig(steps=60))
    seen = []
    (member,) = train([one], observe=seen.append)
    assert seen == list(range(1, 61))
    assert member.status == "done"
    assert member.diverged_at is None
    assert member.path["step"].tolist() == [1, 8, 60]
    assert member.path["excess"][-1] == member.scores["excess"] < 0.3 * member.path["excess"][0]
    assert member.oracle_excess == member.path["excess"].min()
    # on the exact law the training loss is h_l plus the excess of the weights one step before
    h = SOURCE.conditional_entropies(2).value[2]
    assert member.path["train_loss"][-1] == pytest.approx(h + member.scores["excess"], abs=2e-3)


def test_the_weights_kept_along_training_are_those_that_were_scored():
    one = spec(2).replace(evaluation=EvaluationConfig(n_contexts=50, n_heldout=50, path_points=3, keep_weights=True))
    kept, other = train([one, one.replace(initial_seed=9)])
    target = evaluation_set(one)
    for point, excess in enumerate(kept.path["excess"]):
        assert target.excess(kept.log_laws(target.contexts, point=point)) == excess
    assert np.array_equal(kept.path_weights[-1], kept.weights)
    assert not np.array_equal(kept.path_weights, other.path_weights)
    tokens = SOURCE.sample(4, 4, seed=3)
    at_all = kept.sequence_log_laws(tokens[:, :3], point=1)
    assert at_all.shape == (4, 3, SOURCE.vocab_size)
    np.testing.assert_allclose(at_all[:, 2], kept.log_laws(tokens[:, :2], point=1), atol=1e-5)
    (without,) = train([spec(2)])
    assert without.path_weights is None
    assert np.array_equal(without.weights, kept.weights)
    with pytest.raises(ValueError, match="keep_weights = true"):
        without.log_laws(tokens, point=0)


# ------------------------------------------------------------------------------------------------ divergence
def test_a_rate_without_bounds_stops_the_member_and_leaves_its_neighbours_bitwise_alone():
    calm = [spec(2, seed=0), spec(2, seed=1), spec(1, seed=2)]
    expected = train(calm)
    for rate in (1e39, 1e36):
        found = train([calm[0], spec(2, seed=9, rate=rate), *calm[1:]])
        wild = found.pop(1)
        assert wild.status == "diverged"
        assert 0 <= wild.diverged_at < STEPS
        assert np.isfinite(wild.weights).all()
        assert math.isfinite(wild.last_finite_loss)
        assert all(same(a, b) for a, b in zip(found, expected, strict=True))


def test_a_planted_nan_stops_the_member_at_its_step():
    specs = [spec(2, seed=0), spec(2, seed=1), spec(0, seed=2)]
    clean, poisoned = Ensemble(specs), Ensemble(specs)
    row = int(poisoned.row_of[1])
    losses = []
    for step in range(STEPS):
        if step == 3:
            before = poisoned.weights_EP[row].clone()
            poisoned.model.layout.views(poisoned.weights_EP)["final_norm"][row] = float("nan")
        clean.train_step(step)
        losses.append(poisoned.train_step(step)[row].item())
    fate = poisoned.divergence(1)
    assert fate.step == 3
    assert fate.last_finite_loss == losses[2]
    assert all(math.isnan(loss) for loss in losses[3:])
    assert poisoned.divergence(0) is poisoned.divergence(2) is None
    changed = poisoned.weights_EP[row] != before
    assert changed.sum() == 16, "only the planted numbers differ: no step was taken"
    others = [int(poisoned.row_of[i]) for i in (0, 2)]
    assert torch.equal(poisoned.weights_EP[others], clean.weights_EP[others])
    assert clean.alive_E.all()
