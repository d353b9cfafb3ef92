"""Norms of the residual stream: against plain ones as trained, and what must hold whatever the weights are.

Training with them, running statistics included, is compared in training/test_equals_plain_models.py.
"""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_blocks import NORMS
from plain_transformer import PlainTransformer

from testbed.core import ConfigError
from testbed.models import ModelConfig
from testbed.models.norms import norms
from testbed.models.transformer import Transformer
from testbed.sources import IIDSource
from testbed.training import DataConfig, OptimiserConfig, TrainingSpec
from testbed.training.ensemble import Ensemble

V, LENGTH, WIDTH = 3, 5, 8
DATA = DataConfig(max_context=LENGTH, targets_per_step=6)
KEPT = {"batch": {"mean", "variance"}, "power": {"psi2", "nu", "steps"}}


def config(name: str, **others) -> ModelConfig:
    return ModelConfig(width=WIDTH, depth=2, heads=2, norm=NORMS[name][0], **others)


def spec(name: str, **others) -> TrainingSpec:
    optimiser = OptimiserConfig(steps=8, warmup_steps=1, **others)
    source = IIDSource(vocab_size=V)
    return TrainingSpec(source=source, context_length=LENGTH, data=DATA, model=config(name), optimiser=optimiser)


def rows(model: Transformer) -> torch.Tensor:
    """Away from the start; the running variance stays above zero."""
    noise = torch.randn(1, model.layout.row_length, generator=torch.Generator().manual_seed(3))
    return model.layout.initial_row(1)[None] + 0.2 * noise.clamp(-2, 2)


def windows(n: int, seed: int = 0) -> torch.Tensor:
    drawn = torch.randint(0, V, (1, n, LENGTH), generator=torch.Generator().manual_seed(seed))
    return torch.cat([torch.full((1, n, 1), V), drawn], dim=2)


@pytest.mark.parametrize("name", norms.names())
@pytest.mark.parametrize("training", [False, True])
def test_logits_equal_a_plain_module(name, training):
    model = Transformer(config(name), V, LENGTH + 1)
    weights = model.layout.views(rows(model))
    plain = PlainTransformer(spec(name)).load({key: view[0] for key, view in weights.items()})
    plain.train(training)
    expected = plain(windows(4)[0])
    found = model.logits(weights, windows(4), "all", training=training)[0]
    torch.testing.assert_close(found, expected.detach(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", norms.names())
@given(seed=st.integers(0, 1000), position=st.integers(1, LENGTH))
@settings(max_examples=8)
def test_as_trained_a_window_depends_on_nothing_behind_nor_beside_it(name, seed, position):
    model = Transformer(config(name), V, LENGTH + 1)
    weights, seen = model.layout.views(rows(model)), windows(3, seed)
    changed = seen.clone()
    changed[:, 1:] = (changed[:, 1:] + 1) % V
    changed[:, 0, position:] = (changed[:, 0, position:] + 1) % V
    before, after = (model.logits(weights, one, "all")[0, 0, :position] for one in (seen, changed))
    torch.testing.assert_close(before, after, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", KEPT)
def test_statistics_are_those_of_each_member_alone(name):
    """In training a window sees the others of its step; members see nothing of each other."""
    together = Ensemble([spec(name).replace(initial_seed=i) for i in range(3)])
    alone = Ensemble([spec(name).replace(initial_seed=1)])
    for step in range(3):
        losses, loss = together.train_step(step), alone.train_step(step)
        torch.testing.assert_close(losses[together.row_of[1]], loss[0], rtol=1e-5, atol=1e-6)
    row = together.weights_EP[int(together.row_of[1])]
    torch.testing.assert_close(row, alone.weights_EP[0], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", KEPT)
def test_state_has_no_gradient_and_is_changed_in_training_alone(name):
    ensemble = Ensemble([spec(name)])
    kept = [entry for entry in ensemble.model.layout.entries if not entry.learned]
    assert {entry.name.split(".")[-1] for entry in kept} == KEPT[name]

    def state() -> torch.Tensor:
        return torch.cat([ensemble.weights_EP[0, one.offset : one.offset + one.size] for one in kept])

    before = state().clone()
    ensemble.laws(0, windows(4)[0, :, 1:].numpy())
    assert torch.equal(state(), before)
    ensemble.losses_and_gradients(0)
    assert not torch.equal(state(), before)
    assert all(not ensemble.gradients_EP[0, one.offset : one.offset + one.size].any() for one in kept)


@pytest.mark.parametrize("name", KEPT)
def test_what_is_not_finite_does_not_enter_the_state(name):
    norm = config(name).norm
    given = {key: torch.full((1, *one.shape), one.mean) for key, one in norm.parameters(WIDTH).items()}
    before = {key: one.clone() for key, one in given.items()}
    norm.apply(torch.full((1, 5, WIDTH), torch.inf), given, training=True)
    assert all(torch.equal(given[key], before[key]) for key in given if key != "steps")


def applied(norm: dict, x: torch.Tensor, training: bool) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """What a norm makes of (1, M, WIDTH), and what it has then."""
    one = norms.build(norm)
    given = {key: torch.full((1, *entry.shape), entry.mean) for key, entry in one.parameters(WIDTH).items()}
    return one.apply(x, given, training), given


def test_parts_of_a_step_have_statistics_of_their_own():
    x = torch.randn(1, 12, WIDTH, generator=torch.Generator().manual_seed(0))
    found, kept = applied({"type": "batch", "ghosts": 3}, x, True)
    parts = [applied({"type": "batch"}, one, True) for one in x.split(4, dim=1)]
    torch.testing.assert_close(found, torch.cat([y for y, _ in parts], dim=1))
    for name in ("mean", "variance"):
        torch.testing.assert_close(kept[name], torch.stack([own[name] for _, own in parts]).mean(dim=0))
    with pytest.raises(ConfigError, match=r"norm.ghosts: given 5, must divide the 12 places"):
        applied({"type": "batch", "ghosts": 5}, x, True)


@pytest.mark.parametrize("training", [False, True])
def test_places_are_scaled_first_where_they_are_asked_to_be(training):
    """Batch norm and PowerNorm behind the scaling are those without, of places divided by their root mean square."""
    x = 3 * torch.randn(1, 12, WIDTH, generator=torch.Generator().manual_seed(0))
    scaled = x / (x.square().mean(dim=-1, keepdim=True) + 1e-5).sqrt()
    for plain, behind in (
        ({"type": "batch"}, {"type": "batch", "scaled": True}),
        ({"type": "power", "groups": 0}, {"type": "power", "groups": 1}),
    ):
        torch.testing.assert_close(applied(behind, x, training), applied(plain, scaled, training))
        assert not torch.allclose(applied(behind, x, training)[0], applied(plain, x, training)[0])


@given(scale=st.floats(0.1, 10), shift=st.floats(-5, 5), seed=st.integers(0, 1000))
def test_layer_norm_does_not_see_a_shift_nor_a_scale_of_the_weights_before_it(scale, shift, seed):
    """W -> c W + 1 v^T adds the same number to all coordinates of x W and scales them (Ba et al. 2016, section 5.1);
    RMS norm sees the shift."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(1, 6, WIDTH, generator=generator, dtype=torch.float64)
    w = torch.randn(1, WIDTH, WIDTH, generator=generator, dtype=torch.float64)
    v = shift * torch.ones(1, WIDTH, 1, dtype=torch.float64)
    for name, sees_shift in (("layer", False), ("rms", True)):
        norm = config(name).norm
        own = {key: torch.full((1, *one.shape), one.mean) for key, one in norm.parameters(WIDTH).items()}
        plain = norm.apply(100 * x @ w, own, training=False)
        torch.testing.assert_close(norm.apply(100 * x @ (scale * w), own, False), plain, rtol=1e-4, atol=1e-4)
        moved = norm.apply(100 * x @ (scale * w + v), own, training=False)
        if not sees_shift:
            torch.testing.assert_close(moved, plain, rtol=1e-4, atol=1e-4)
        elif abs(shift) > 1:
            assert (moved - plain).abs().max() > 1e-3


@pytest.mark.parametrize(
    "fault, message",
    [
        ({"norm": "layre"}, "there is no norm 'layre'; did you mean layer"),
        ({"norm": {"type": "power", "groups": 3}}, "norm.groups: given 3, must divide width 8"),
        ({"norm": "layer", "block": "gau"}, "norm: given layer, but block = gau has none"),
        ({"norm": {"type": "batch", "momentum": 1.0}}, "norm.momentum: given 1.0"),
    ],
)
def test_what_does_not_fit_is_refused(fault, message):
    with pytest.raises(ConfigError, match=message):
        ModelConfig(width=WIDTH, **fault)


@pytest.mark.parametrize("name", KEPT)
def test_windows_that_do_not_count_alike_are_refused(name):
    with pytest.raises(ConfigError, match=f"model: {name} counts every window of a step alike"):
        spec(name).replace(data=DataConfig(max_context=LENGTH, batch="distinct"))
