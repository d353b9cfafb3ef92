"""bfloat16 steps with float32 weights train to what float32 steps train to; without float32 weights they do not.

Equal: the mean difference of the members' excess lies within MARGIN of zero by two one-sided t tests, each at level
1e-6, over members paired by their seeds.
"""

import numpy as np
import pytest
import torch
from scipy import stats

from testbed.methods import methods
from testbed.models import ModelConfig
from testbed.models.norms import norms
from testbed.sources import MarkovSource
from testbed.training import DataConfig, EvaluationConfig, OptimiserConfig, Shape, TrainingSpec
from testbed.training.ensemble import Ensemble
from testbed.training.trainer import train

MARGIN, LEVEL = 5e-4, 1e-6
"""Nats: a sixteenth of a percent of the source's entropy rate."""
SOURCE = MarkovSource.random(vocab_size=3, order=2, entropy_rate=0.8, seed=3)
N_MEMBERS, STEPS = 12, 160


def spec(seed: int, precision: str, **changes) -> TrainingSpec:
    model = {"width": 8, "depth": 2, "heads": 2} | changes.pop("model", {})
    return TrainingSpec(
        source=SOURCE,
        context_length=2,
        data=changes.pop("data", DataConfig(max_context=2, batch="distinct", seed=seed)),
        model=ModelConfig(**model),
        optimiser=OptimiserConfig(learning_rate=5e-3, steps=STEPS, warmup_steps=10, precision=precision),
        evaluation=EvaluationConfig(n_contexts=64, n_heldout=64, path_points=2),
        initial_seed=seed,
        **changes,
    )


def with_optimiser(one: TrainingSpec, **changes) -> TrainingSpec:
    return one.replace(optimiser=one.optimiser.replace(**changes))


def excess(precision: str) -> np.ndarray:
    return np.array([member.scores["excess"] for member in train([spec(i, precision) for i in range(N_MEMBERS)])])


def within_margin(differences: np.ndarray) -> bool:
    """Two one-sided tests: the mean lies above -MARGIN and below MARGIN."""
    sides = (differences + MARGIN, MARGIN - differences)
    return all(stats.ttest_1samp(one, 0.0, alternative="greater").pvalue < LEVEL for one in sides)


@pytest.fixture(scope="module")
def reference() -> np.ndarray:
    return excess("float32")


def test_the_excess_of_a_trained_ensemble_is_equal_within_the_margin(reference):
    assert reference.mean() < 4 * MARGIN  # they learnt: the uniform law's is 0.3 nats
    assert within_margin(excess("bfloat16") - reference)


@pytest.mark.slow
def test_the_judge_sees_weights_that_are_rounded_at_every_step(reference, monkeypatch):
    """The control: the same steps without float32 weights, whose small changes are lost."""

    def rounded(self) -> None:
        self.weights_EP.copy_(self.weights_EP.bfloat16())
        self.working_EP.copy_(self.weights_EP)

    monkeypatch.setattr(Ensemble, "refresh", rounded)
    assert not within_margin(excess("bfloat16") - reference)


# ---- one step
TRAINABLE = [name for name in methods.names() if not methods.find(name).overrides("calibrate")]


@pytest.mark.parametrize("name", TRAINABLE)
def test_every_method_takes_a_narrow_step_close_to_the_wide_one(name):
    """Losses to 5e-3 nats, gradients to a tenth of their norm, and both finite."""
    needs = {"target_length": 16} if "target_length" in methods.find(name).model_fields else {}
    one = methods.build({"type": name, **needs})
    chosen = (one,) if "position" in one.slots else ("rope", one)
    sampled = {"data": DataConfig(n_targets=200, max_context=2, targets_per_step=64)} if one.counts_windows else {}
    model = {"methods": chosen, "width": 16}
    wide, narrow = (Ensemble([spec(1, p, model=model, **sampled)]) for p in ("float32", "bfloat16"))
    losses = wide.losses_and_gradients(0), narrow.losses_and_gradients(0)
    assert narrow.gradients_EP.dtype == narrow.working_EP.dtype == torch.bfloat16
    assert losses[1].dtype == narrow.weights_EP.dtype == torch.float32
    torch.testing.assert_close(losses[1], losses[0], atol=5e-3, rtol=0)
    assert (narrow.gradients_EP.float() - wide.gradients_EP).norm() <= 0.1 * wide.gradients_EP.norm()
    before = narrow.weights_EP.clone()
    narrow.train_step(0)
    assert narrow.weights_EP.isfinite().all()
    assert not torch.equal(narrow.weights_EP, before)
    assert torch.equal(narrow.working_EP, narrow.weights_EP.bfloat16())


@pytest.mark.parametrize("name", norms.names())
def test_every_norm_takes_a_narrow_step_and_keeps_wide_statistics(name):
    data = DataConfig(n_targets=200, max_context=2, targets_per_step=64)
    model = ModelConfig(width=16, depth=2, heads=2, norm=name)
    wide, narrow = (Ensemble([spec(1, p).replace(data=data, model=model)]) for p in ("float32", "bfloat16"))
    losses = wide.train_step(0).clone(), narrow.train_step(0).clone()
    torch.testing.assert_close(losses[1], losses[0], atol=1e-2, rtol=0)
    assert narrow.weights_EP.isfinite().all()
    views = (ensemble.model.layout.views(ensemble.weights_EP) for ensemble in (wide, narrow))
    expected, found = views
    for entry in wide.model.layout.entries:
        if not entry.learned:
            torch.testing.assert_close(found[entry.name], expected[entry.name], atol=2e-2, rtol=5e-2)
            assert entry.name.endswith("steps") or not torch.equal(
                found[entry.name], found[entry.name].bfloat16().float()
            )


@pytest.mark.parametrize("batch", ["distinct", "sampled"])
@pytest.mark.parametrize("block", ["standard", "gau"])
def test_both_blocks_and_the_tied_head_are_narrow(block, batch):
    data = DataConfig(n_targets=30, max_context=2, batch=batch, targets_per_step=8)
    for tied in (False, True):
        model = ModelConfig(width=16, depth=2, heads=2, block=block, tied_head=tied)
        wide, narrow = (Ensemble([spec(1, p).replace(data=data, model=model)]) for p in ("float32", "bfloat16"))
        losses = wide.losses_and_gradients(0), narrow.losses_and_gradients(0)
        torch.testing.assert_close(losses[1], losses[0], atol=5e-3, rtol=0)
        assert (narrow.gradients_EP.float() - wide.gradients_EP).norm() <= 0.1 * wide.gradients_EP.norm()


def test_precision_is_in_the_key_and_compiling_is_not():
    one = spec(0, "float32")
    narrow, faster = with_optimiser(one, precision="bfloat16"), with_optimiser(one, compile=True)
    assert narrow.training_key != one.training_key
    assert faster.training_key == one.training_key
    assert len({Shape.of(one), Shape.of(narrow), Shape.of(faster)}) == 3


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_compiled_step_is_the_step_to_rounding(precision):
    one = spec(0, precision)
    plain, faster = Ensemble([one]), Ensemble([with_optimiser(one, compile=True)])
    for step in range(3):
        tolerance = 1e-5 if precision == "float32" else 5e-3
        torch.testing.assert_close(faster.train_step(step), plain.train_step(step), atol=tolerance, rtol=0)
    tolerance = 1e-3 if precision == "float32" else 1e-1
    assert (faster.weights_EP - plain.weights_EP).norm() <= tolerance * plain.weights_EP.norm()
