"""Matrices keep the norm they started with where `optimiser.project` asks for it, and all else trains as ever."""

import torch

from testbed.methods import Initial
from testbed.models import ModelConfig
from testbed.models.flat import Layout
from testbed.sources import MarkovSource
from testbed.training import DataConfig, OptimiserConfig, TrainingSpec
from testbed.training.ensemble import Ensemble
from testbed.training.projection import Projection, is_projected

SOURCE = MarkovSource.random(vocab_size=3, order=1, entropy_rate=0.7, seed=0)


def spec(project: bool, seed: int = 0, rate: float = 1e-2) -> TrainingSpec:
    return TrainingSpec(
        source=SOURCE,
        context_length=2,
        data=DataConfig(max_context=2, targets_per_step=8),
        model=ModelConfig(width=8, depth=2, heads=2),
        optimiser=OptimiserConfig(steps=20, warmup_steps=1, learning_rate=rate, project=project),
        initial_seed=seed,
    )


def test_matrices_keep_their_norm_and_others_move():
    ensemble = Ensemble([spec(True, 0), spec(True, 1, rate=0.1)])
    layout = ensemble.model.layout
    start = {name: view.clone() for name, view in layout.views(ensemble.weights_EP).items()}
    for step in range(20):
        ensemble.train_step(step)
    for entry, (name, view) in zip(layout.entries, layout.views(ensemble.weights_EP).items(), strict=True):
        before, after = (torch.linalg.vector_norm(one.flatten(1), dim=1) for one in (start[name], view))
        assert not torch.equal(view, start[name])
        if is_projected(entry):
            torch.testing.assert_close(after, before, rtol=1e-5, atol=0)
        else:
            assert not torch.allclose(after, before, rtol=1e-4, atol=0)


def test_a_step_is_the_plain_step_scaled_back():
    projected, plain = Ensemble([spec(True)]), Ensemble([spec(False)])
    start = plain.weights_EP.clone()
    for ensemble in (projected, plain):
        ensemble.train_step(0)
    views = plain.model.layout.views
    for entry in plain.model.layout.entries:
        first, found, other = (views(one)[entry.name] for one in (start, projected.weights_EP, plain.weights_EP))
        expected = other * (first.norm() / other.norm()) if is_projected(entry) else other
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-7)


def test_what_starts_at_zero_is_left_alone():
    layout = Layout({"zero": Initial((2, 3), 0.0, decay=True), "drawn": Initial((2, 3), 1.0, decay=True)})
    rows = torch.stack([layout.initial_row(0), layout.initial_row(1)])
    projection, start = Projection(layout, rows), rows.clone()
    rows += 1.0
    projection(rows, torch.tensor([True, True]))
    views, before = layout.views(rows), layout.views(start)
    assert torch.equal(views["zero"], torch.ones(2, 2, 3))
    torch.testing.assert_close(views["drawn"].norm(dim=(1, 2)), before["drawn"].norm(dim=(1, 2)))


def test_the_dead_keep_their_weights():
    ensemble = Ensemble([spec(True), spec(True, rate=1e38)])
    for step in range(4):
        ensemble.train_step(step)
    assert not ensemble.alive_E.all()
    kept = ensemble.weights_EP.clone()
    ensemble.train_step(4)
    assert torch.equal(ensemble.weights_EP[~ensemble.alive_E], kept[~ensemble.alive_E])
    assert ensemble.weights_EP.isfinite().all()
