"""Training on other losses than cross-entropy: steps against slow twins, graphs, keys, plugins."""

import numpy as np
import pytest
import torch
from every_loss import LOSSES, cost_for
from pretend_gpu import gpu  # noqa: F401

from testbed.core import ConfigError, load_plugin
from testbed.models import ModelConfig
from testbed.sources import MarkovSource, build
from testbed.training import DataConfig, EvaluationConfig, OptimiserConfig, Shape, TrainingSpec
from testbed.training.ensemble import Ensemble
from testbed.training.losses import CrossEntropy, losses
from testbed.training.step_loss import batch_loss, objective_loss, read_out_rows
from testbed.training.stepping import WARM_UP_STEPS
from testbed.training.trainer import train

EACH = pytest.mark.parametrize("name", LOSSES)
SOURCE = MarkovSource.random(vocab_size=4, order=1, seed=3)


def spec(objective, batch="sampled", loss="last", seed=1, precision="float32", tied=False, **others) -> TrainingSpec:
    return TrainingSpec(
        source=others.pop("source", SOURCE),
        context_length=2,
        data=DataConfig(max_context=2, n_targets=30, batch=batch, targets_per_step=6, seed=seed),
        model=ModelConfig(width=8, depth=1, heads=1, tied_head=tied),
        optimiser=OptimiserConfig(steps=5, warmup_steps=1, precision=precision, **others),
        evaluation=EvaluationConfig(n_contexts=20, n_heldout=20, path_points=1),
        objective=objective,
        loss=loss,
        initial_seed=seed,
    )


# ------------------------------------------------------------------------------------------------ steps
@EACH
def test_a_step_descends_the_mean_over_its_targets(name):
    """Of windows read at the end, at all places, and of distinct ones: target by target, from the model's laws."""
    loss = LOSSES[name]
    cost = cost_for(loss, 4)
    for batch, where in (("sampled", "last"), ("sampled", "all"), ("distinct", "last")):
        one = spec(loss, batch, where)
        ensemble = Ensemble([one, one.replace(initial_seed=5)])
        found = ensemble.losses_and_gradients(0)
        assert found.dtype == torch.float32
        drawn = ensemble.segments[0].draw(0)
        for member in range(2):
            row, slow = int(ensemble.row_of[member]), []
            tokens, target = drawn.tokens_EBT[row].numpy(), drawn.target[row].numpy()
            for t in range(3) if where == "all" else [2]:
                for b, q in enumerate(np.exp(ensemble.laws(member, tokens[:, 1 : t + 1]))):
                    values = loss.values(q, cost)
                    came = target[b, t] if where == "all" else target[b]
                    slow.append(came @ values if batch == "distinct" else values[came])
            mean = np.sum(slow) if batch == "distinct" else np.mean(slow)
            assert found[row].item() == pytest.approx(mean, rel=1e-4, abs=1e-6)


def test_sequences_count_where_they_are_judged():
    source = build({"type": "key_value_recall"})
    one = TrainingSpec(
        source=source,
        context_length=9,
        data=DataConfig(max_context=9, batch="sequences", n_targets=12, targets_per_step=4),
        model=ModelConfig(width=8, depth=1, heads=1),
        objective="brier",
    )
    ensemble, plain = Ensemble([one]), Ensemble([one.replace(objective=CrossEntropy())])
    batch, brier = ensemble.segments[0].draw(0), LOSSES["brier"]
    through = objective_loss(CrossEntropy(), None, plain.model, plain.leaves[0], batch)
    torch.testing.assert_close(through, batch_loss(plain.model, plain.leaves[0], batch))
    found = ensemble.losses_and_gradients(0)
    torch.testing.assert_close(found, objective_loss(brier, None, ensemble.model, ensemble.leaves[0], batch).detach())


@pytest.mark.parametrize("tied", [False, True])
def test_the_cost_of_its_own_head_is_that_of_each_member_and_is_not_trained(tied):
    one = spec("adaptive_emo", tied=tied)
    ensemble = Ensemble([one, one.replace(initial_seed=5)])
    rows = read_out_rows(ensemble.model, ensemble.leaves[0])
    assert rows.shape == (2, 4, 8)
    assert not rows.requires_grad
    both = ensemble.losses_and_gradients(0)
    for member, seed in enumerate((1, 5)):
        alone = Ensemble([one.replace(initial_seed=seed)])
        torch.testing.assert_close(alone.losses_and_gradients(0)[0], both[int(ensemble.row_of[member])])


@EACH
def test_a_narrow_step_has_a_wide_loss_close_to_the_wide_one(name):
    wide, narrow = (Ensemble([spec(LOSSES[name], precision=one)]) for one in ("float32", "bfloat16"))
    found = [ensemble.losses_and_gradients(0) for ensemble in (wide, narrow)]
    assert found[1].dtype == torch.float32
    torch.testing.assert_close(found[0], found[1], atol=3e-2, rtol=0)


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize("name", [*LOSSES, "own_head"])
def test_every_loss_is_recorded(name):
    """One graph holds the step: nothing waits for the device."""
    ensemble = Ensemble([spec(LOSSES.get(name, "adaptive_emo"))], "cuda")
    ensemble.train_step(0)
    ensemble.run_step.called = WARM_UP_STEPS
    ensemble.train_step(1)
    assert ensemble.run_step.graph.played == 1


@pytest.mark.slow
@EACH
def test_the_compiler_sees_every_loss_whole(name):
    compiled, plain = (Ensemble([spec(LOSSES[name])]) for _ in range(2))
    torch._dynamo.reset()
    compiled._batch_loss = torch.compile(plain._batch_loss, backend="eager", fullgraph=True, dynamic=False)
    torch.testing.assert_close(compiled.losses_and_gradients(0), plain.losses_and_gradients(0), atol=1e-5, rtol=0)


@pytest.mark.parametrize("focus", [0.5, 2.0])
def test_what_is_known_for_sure_has_finite_gradients(focus):
    loss = losses.build({"type": "focal", "focus": focus})
    logits = torch.tensor([[[200.0, 0.0, 0.0]]], requires_grad=True)
    for target in (0, 1):
        loss.losses(logits, torch.tensor([[target]])).sum().backward()
        assert logits.grad is not None
        assert bool(logits.grad.isfinite().all())


# ------------------------------------------------------------------------------------------------ configs
def test_cross_entropy_is_the_default_and_changes_no_key():
    plain = spec("cross_entropy")
    assert "objective" not in plain.identity()
    assert plain == spec({"type": "cross_entropy"})
    assert plain.training_key == TrainingSpec(**{k: v for k, v in plain if k != "objective"}).training_key
    assert Ensemble([plain])._batch_loss is batch_loss
    other = spec("brier")
    assert other.training_key != plain.training_key
    assert Shape.of(other) != Shape.of(plain)
    assert Shape.of(spec({"type": "focal", "focus": 1.0})) != Shape.of(spec("focal"))


def test_a_loss_that_is_trained_ends_nearer_to_its_own_law():
    """After few full-batch steps on one law the two losses lie on the two sides of the truth."""
    p = np.array([0.7, 0.2, 0.1])
    source = build({"type": "iid", "vocab_size": 3, "probabilities": p.tolist()})
    found = {}
    for name in ("label_smoothing", "mixce"):
        one = TrainingSpec(
            source=source,
            context_length=0,
            data=DataConfig(max_context=0, batch="distinct"),
            model=ModelConfig(width=8, depth=1, heads=1),
            optimiser=OptimiserConfig(steps=60, warmup_steps=5, learning_rate=5e-2),
            evaluation=EvaluationConfig(n_contexts=10, n_heldout=10, path_points=1),
            objective=LOSSES[name],
        )
        (member,) = train([one])
        found[name] = np.exp(member.log_laws(np.zeros((1, 0), dtype=np.int64)))[0]
        np.testing.assert_allclose(found[name], LOSSES[name].fixed_point(p), atol=1e-2)
    assert found["label_smoothing"][0] < 0.7 < found["mixce"][0]


PLUGIN = '''
from testbed.training.losses import Loss, loss

@loss("twice_brier_{n}")
class Twice(Loss):
    """Twice the Brier score."""

    takes_weights = False

    def by_target(self, logits_EnV, rows_EVD=None):
        return -2.0 * logits_EnV.log_softmax(dim=-1)

    def values(self, q, cost=None):
        return q

    def slopes(self, q, cost=None):
        return q
'''


def test_a_loss_from_a_plugin_is_found_and_refused_where_it_is_not_defined(tmp_path):
    file = tmp_path / "my_loss.py"
    file.write_text(PLUGIN.replace("{n}", "1"))
    load_plugin(file)
    found = Ensemble([spec("twice_brier_1")]).losses_and_gradients(0)
    torch.testing.assert_close(found, 2 * Ensemble([spec("cross_entropy")]).losses_and_gradients(0))
    with pytest.raises(ConfigError, match="twice_brier_1 is not defined for the law of targets"):
        spec("twice_brier_1", batch="distinct")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("brierr", "did you mean brier"),
        ({"type": "label_smoothing", "amount": 1.0}, "amount"),
        ({"type": "mixce", "mixing": 0.0}, "mixing"),
        ({"type": "focal", "gamma": 2.0}, "unknown key"),
        ({"type": "emo", "vectors": "none"}, "vectors"),
    ],
)
def test_bad_losses_are_named(table, message):
    with pytest.raises(ConfigError, match=message):
        spec(table)
