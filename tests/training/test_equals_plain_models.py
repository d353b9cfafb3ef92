"""An ensemble trains as E separate models would: losses, gradients and AdamW steps equal to 2e-6 in float32."""

import pytest
import torch
from plain_blocks import ACTIVATIONS, NORMS
from plain_transformer import PlainTraining, PlainTransformer, loss_and_gradients

from testbed.models import ModelConfig
from testbed.models.activations import activations
from testbed.models.norms import norms
from testbed.sources import MarkovSource
from testbed.training import DataConfig, OptimiserConfig, TrainingSpec
from testbed.training.ensemble import Ensemble

TOLERANCE = 2e-6
FLOOR = 2e-7
"""A few roundings of one: a gradient is a mean of terms of order one, which may nearly cancel (one context, l = 0)."""
EPSILON = 1e-4
"""g / (|g| + epsilon) turns rounding of the smallest gradients into whole steps where epsilon is at its default; the
optimiser alone is compared at its default in test_optimiser.py."""
STEPS = 3
SOURCES = [MarkovSource.random(vocab_size=3, order=2, concentration=0.7, seed=seed) for seed in range(2)]


def members(batch: str, loss: str, positions: str, tied: bool, depth: int, n_targets: int | None = 70, **blocks):
    """Members that differ in everything that may differ, context lengths included."""
    model = ModelConfig(width=12, depth=depth, heads=2, tied_head=tied, methods=(positions,), **blocks)
    different = [
        {"context_length": 3, "learning_rate": 1e-3, "weight_decay": 0.1, "clip": 1.0, "data_seed": 0},
        {"context_length": 0, "learning_rate": 4e-4, "weight_decay": 0.0, "clip": None, "data_seed": 0},
        {"context_length": 3, "learning_rate": 2e-3, "weight_decay": 1.0, "clip": 0.05, "data_seed": 7},
        {"context_length": 1, "learning_rate": 3e-3, "weight_decay": 0.01, "clip": 0.3, "data_seed": 0},
    ]
    return [
        TrainingSpec(
            source=SOURCES[i % 2],
            context_length=one["context_length"],
            data=DataConfig(
                n_targets=n_targets and n_targets + 13 * i,
                max_context=3,
                targets_per_sequence=1 + i,
                batch=batch,
                targets_per_step=9,
                seed=one["data_seed"],
            ),
            model=model,
            optimiser=OptimiserConfig(
                learning_rate=one["learning_rate"],
                weight_decay=one["weight_decay"],
                clip=one["clip"],
                steps=STEPS,
                warmup_steps=2,
                final_fraction=0.1,
                epsilon=EPSILON,
            ),
            loss=loss,
            initial_seed=i,
        )
        for i, one in enumerate(different)
    ]


def named_rows(ensemble: Ensemble, rows_EP: torch.Tensor, member: int) -> dict[str, torch.Tensor]:
    row = int(ensemble.row_of[member])
    return {name: view[0] for name, view in ensemble.model.layout.views(rows_EP[row : row + 1]).items()}


def assert_close(
    ours: dict[str, torch.Tensor],
    plain: dict[str, torch.Tensor],
    what: str,
    floor: float = 0.0,
    tolerance: float = TOLERANCE,
) -> None:
    """Per weight tensor, relative to its norm, plus an absolute `floor`."""
    assert set(ours) == set(plain)
    for name, expected in plain.items():
        difference = (ours[name] - expected).norm().item()
        allowed = tolerance * expected.norm().item() + floor
        assert difference <= allowed, f"{what} {name}: {difference:.1e} > {allowed:.1e}"


@pytest.mark.parametrize(
    "batch, loss, positions, tied, depth",
    [
        ("sampled", "last", "rope", False, 2),
        ("sampled", "all", "rope", True, 2),
        ("sampled", "all", "learned", False, 1),
        ("sampled", "last", "learned", True, 3),
        ("sampled", "all", "nope", False, 3),
        ("distinct", "last", "rope", False, 2),
        ("distinct", "last", "learned", True, 1),
        ("distinct", "last", "nope", False, 3),
    ],
)
def test_gradients_and_steps_equal_separate_models(batch, loss, positions, tied, depth):
    """Different learning rates, decays, clips, context lengths, sources, datasets; the windows are drawn by loops."""
    specs = members(batch, loss, positions, tied, depth)
    compare(specs)


@pytest.mark.parametrize("name", norms.names())
def test_norms_equal_plain_ones_through_training(name):
    """Running statistics too; they are of all places, which the last block computes where all are scored. Without a
    token of context all windows are one, and a variance over them is nothing but rounding."""
    several = members("sampled", "all", "rope", False, 2, norm=NORMS[name][0])
    compare([one for one in several if one.context_length], roundings=20.0)


@pytest.mark.parametrize("name", activations.names())
def test_activations_equal_plain_ones_through_training(name):
    compare(members("sampled", "last", "rope", False, 2, activation=ACTIVATIONS[name][0]), roundings=5.0)


@pytest.mark.parametrize("tied", [True, False])
def test_a_bias_at_the_head_equals_a_plain_one_through_training(tied):
    scale = 1.0 if tied else None
    compare(members("sampled", "all", "learned", tied, 1, head_bias=True, head_scale=scale, initial_std=0.1))


def test_the_exact_law_as_dataset_equals_enumeration():
    compare(members("distinct", "last", "rope", False, 2, n_targets=None), steps=2)


def compare(specs: list[TrainingSpec], steps: int = STEPS, roundings: float = 1.0) -> None:
    """`roundings`: how many times as much rounding as in a plain network is let pass."""
    tolerance, floor = TOLERANCE * roundings, FLOOR * roundings
    ensemble = Ensemble(specs)
    plain = [PlainTraining(spec, named_rows(ensemble, ensemble.weights_EP, i)) for i, spec in enumerate(specs)]
    for step in range(steps):
        at_equal_weights = [
            loss_and_gradients(PlainTransformer(spec).load(named_rows(ensemble, ensemble.weights_EP, i)), spec, step)
            for i, spec in enumerate(specs)
        ]
        losses = ensemble.losses_and_gradients(step)
        gradients = ensemble.gradients_EP.clone()
        ensemble.optimiser.step(step, ensemble.alive_E)
        for i, ((loss, gradient), trained) in enumerate(zip(at_equal_weights, plain, strict=True)):
            assert losses[ensemble.row_of[i]].item() == pytest.approx(loss, rel=tolerance)
            assert_close(
                named_rows(ensemble, gradients, i), gradient, f"step {step}, member {i}, gradient of", floor, tolerance
            )
            trained.step(step)
            assert_close(
                named_rows(ensemble, ensemble.weights_EP, i),
                trained.model.weights(),
                f"{step}, member {i},",
                0.0,
                tolerance,
            )
