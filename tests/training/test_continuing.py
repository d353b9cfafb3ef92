"""Training that goes on is the training that never stopped; what is held stays to the last bit, the rest trains on."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.models import ModelConfig
from testbed.sources import MarkovSource
from testbed.training import DataConfig, OptimiserConfig, TrainingSpec
from testbed.training.continuing import Part, State, all_but, hold, start_from, state_of
from testbed.training.ensemble import Ensemble

SOURCE = MarkovSource.random(vocab_size=3, order=1, entropy_rate=0.7, seed=0)
OTHER = MarkovSource.random(vocab_size=3, order=1, entropy_rate=0.4, seed=1)


def spec(seed: int = 0, length: int = 2, source: MarkovSource = SOURCE, **optimiser) -> TrainingSpec:
    settings = {"steps": 12, "warmup_steps": 1, "final_fraction": 1.0, "learning_rate": 1e-2} | optimiser
    return TrainingSpec(
        source=source,
        context_length=length,
        data=DataConfig(max_context=2, targets_per_step=8),
        model=ModelConfig(width=8, depth=1, heads=2, mlp_ratio=1),
        optimiser=OptimiserConfig(**settings),
        initial_seed=seed,
    )


def trained(ensemble: Ensemble, steps: range) -> torch.Tensor:
    """(E, P) in the caller's order."""
    for step in steps:
        ensemble.train_step(step)
    return state_of(ensemble).weights_EP


# the lengths differ, so that rows do not lie in the caller's order
@pytest.mark.parametrize("project", [False, True])
def test_a_training_that_goes_on_is_one_that_never_stopped(project):
    specs = [spec(0, 2, project=project), spec(1, 1, project=project), spec(2, 2, project=project)]
    whole = trained(Ensemble(specs), range(12))
    first = Ensemble(specs)
    trained(first, range(5))
    rest = Ensemble([one.replace(initial_seed=one.initial_seed + 7) for one in specs])
    start_from(rest, state_of(first))
    assert torch.equal(trained(rest, range(5, 12)), whole)


def test_other_tasks_start_from_the_weights_and_from_moments_of_zero():
    first = Ensemble([spec(0), spec(1)])
    trained(first, range(5))
    after = state_of(first)
    second = Ensemble([spec(0, source=OTHER), spec(1, source=OTHER)])
    start_from(second, State(after.weights_EP))
    assert torch.equal(state_of(second).weights_EP, after.weights_EP)
    assert not second.optimiser.mean.any()
    assert not second.optimiser.square.any()


@settings(max_examples=8, deadline=None)
@given(
    chosen=st.sets(st.sampled_from(["embedding", "0.attention_norm", "0.mlp_in", "0.attention_out", "keys", "head"])),
    decay=st.sampled_from([0.0, 0.1]),
    seed=st.integers(0, 10**6),
)
def test_what_is_held_stays_and_what_is_not_moves(chosen, decay, seed):
    ensemble = Ensemble([spec(seed, 2, weight_decay=decay), spec(seed + 1, 1, weight_decay=decay)])
    layout = ensemble.model.layout
    before = state_of(ensemble).weights_EP
    parts = [Part("0.qkv", 8, 16) if name == "keys" else Part(name) for name in sorted(chosen)]
    held_P = all_but(layout, parts)
    hold(ensemble, torch.stack([held_P, torch.ones_like(held_P)]))
    after = trained(ensemble, range(4))
    assert torch.equal(after[:, held_P], before[:, held_P])
    assert torch.equal(after[1], before[1])
    views = layout.views(after != before)
    moved = {name for name, view in views.items() if view[0].any()}
    assert moved == {"0.qkv" if name == "keys" else name for name in chosen}
    assert not views["0.qkv"][0][:, :8].any()


def test_a_held_training_is_the_plain_one_with_these_gradients_put_to_zero():
    """By hand: one step of Adam from zero moments moves a weight by its rate, against the sign of its gradient."""
    ensemble, plain = Ensemble([spec(clip=1e9)]), Ensemble([spec(clip=1e9)])
    held_P = all_but(ensemble.model.layout, [Part("0.mlp_in")])
    hold(ensemble, held_P[None])
    before = state_of(plain).weights_EP
    found, other = trained(ensemble, range(1)), trained(plain, range(1))
    assert torch.equal(found, torch.where(held_P, before, other))


def test_nothing_held_is_the_ordinary_training():
    plain, told = Ensemble([spec(0), spec(1)]), Ensemble([spec(0), spec(1)])
    hold(told, torch.zeros_like(told.weights_EP, dtype=torch.bool))
    assert torch.equal(trained(told, range(6)), trained(plain, range(6)))


def test_the_sizes_of_parts():
    layout = Ensemble([spec()]).model.layout
    parts = [Part("0.qkv", 0, 8), Part("0.qkv", 16), Part("0.attention_out")]
    assert int((~all_but(layout, parts)).sum()) == 3 * 64
    rows = layout.views(all_but(layout, [Part("0.attention_out", 2, 5, axis=-2)])[None])["0.attention_out"][0]
    assert torch.equal(rows, ~torch.isin(torch.arange(8), torch.arange(2, 5))[:, None].expand(8, 8))
    assert bool(all_but(layout, [])[: layout.n_weights].all())


def test_what_does_not_fit_is_named():
    ensemble, projected = Ensemble([spec()]), Ensemble([spec(project=True)])
    weights = ensemble.weights_EP
    with pytest.raises(ConfigError, match="weights_EP: given"):
        start_from(ensemble, State(weights[:, :3]))
    with pytest.raises(ConfigError, match="mean_EP, square_EP"):
        start_from(ensemble, State(weights, mean_EP=weights))
    with pytest.raises(ConfigError, match="held_EP: given"):
        hold(ensemble, torch.ones(2, 2, dtype=torch.bool))
    with pytest.raises(ConfigError, match=r"optimiser\.project"):
        hold(projected, torch.zeros_like(weights, dtype=torch.bool))
    with pytest.raises(ConfigError, match="trained: nothing is none"):
        all_but(ensemble.model.layout, [Part("nothing")])
    assert np.isfinite(weights.numpy()).all()


def test_after_a_step_it_is_too_late():
    """The step may be compiled or recorded by then, with what it read before."""
    ensemble = Ensemble([spec()])
    trained(ensemble, range(1))
    with pytest.raises(ConfigError, match="hold: given an ensemble that has made a step"):
        hold(ensemble, torch.zeros_like(ensemble.weights_EP, dtype=torch.bool))
    with pytest.raises(ConfigError, match="start_from: given"):
        start_from(ensemble, state_of(ensemble))
