"""Training on one position of each window, drawn anew at every step; and evaluations at even steps."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from testbed.sources import IIDSource, MarkovSource
from testbed.training import DataConfig, EvaluationConfig, OptimiserConfig, TrainingSpec
from testbed.training.batches import PLACES, order_and_segment
from testbed.training.ensemble import Ensemble
from testbed.training.evaluation import path_steps
from testbed.training.streams import step_generator
from testbed.training.trainer import train

CPU = torch.device("cpu")
SOURCE = MarkovSource(vocab_size=3, order=1, seed=2)


def spec(length: int, loss: str = "one", seed: int = 4, **data) -> TrainingSpec:
    return TrainingSpec(
        source=SOURCE,
        context_length=length,
        data=DataConfig(**({"n_targets": 50, "max_context": 5, "targets_per_step": 8, "seed": seed} | data)),
        optimiser=OptimiserConfig(steps=6, warmup_steps=1),
        evaluation=EvaluationConfig(n_contexts=50, n_heldout=50, path_points=3, path_spacing="even"),
        loss=loss,
        initial_seed=seed,
    )


@given(st.integers(0, 5), st.integers(0, 1000), st.integers(0, 3))
def test_each_window_counts_at_one_place_that_seed_and_step_draw(length, step, seed):
    _, (segment,) = order_and_segment([spec(length, seed=seed)], CPU)
    judged = segment.draw(step).judged
    u = step_generator(seed, PLACES, step).random(8)
    assert judged[0].sum(dim=1).tolist() == [1] * 8
    assert judged[0].int().argmax(dim=1).tolist() == [int(one * (length + 1)) for one in u]


def test_windows_and_their_order_are_those_of_the_last_position():
    for first, second in zip(*(order_and_segment([spec(3, loss)], CPU)[1] for loss in ("one", "last")), strict=True):
        for step in (0, 5, 40):
            assert torch.equal(first.draw(step).tokens_EBT, second.draw(step).tokens_EBT)
            assert torch.equal(first.draw(step).target[..., -1], second.draw(step).target)


def test_the_loss_is_the_mean_over_windows_of_one_cross_entropy_each():
    ensemble = Ensemble([spec(4), spec(4, seed=5)])
    loss = ensemble.losses_and_gradients(2)
    for member in range(2):
        batch = ensemble.segments[0].draw(2)
        row = int(ensemble.row_of[member])
        slow = []
        for tokens, target, judged in zip(
            batch.tokens_EBT[row].numpy(), batch.target[row].numpy(), batch.judged[row].numpy(), strict=True
        ):
            at = int(np.flatnonzero(judged)[0])
            slow.append(-ensemble.laws(member, tokens[None, 1 : at + 1])[0, target[at]])
        assert loss[row].item() == pytest.approx(np.mean(slow), abs=1e-5)


def test_without_context_one_position_is_the_last():
    one, last = train([spec(0)])[0], train([spec(0, "last")])[0]
    assert one.weights == pytest.approx(last.weights, abs=1e-6)
    assert one.path["step"].tolist() == [2, 4, 6]


def test_every_place_is_drawn_equally_often():
    """Chi-square of 5 places over 8,000 draws, false alarm 1e-6."""
    from scipy.stats import chi2

    _, (segment,) = order_and_segment([spec(4)], CPU)
    counts = sum(segment.draw(step).judged[0].sum(dim=0) for step in range(1000)).double().numpy()
    assert ((counts - 1600) ** 2 / 1600).sum() < chi2.isf(1e-6, 4)


def test_one_position_needs_windows_of_a_causal_model():
    with pytest.raises(ValueError, match="distinct batches score the last position only"):
        spec(2, batch="distinct")
    assert spec(2).training_key != spec(2, "all").training_key
    with pytest.raises(ValueError, match="not causal"):
        TrainingSpec(
            source=IIDSource(vocab_size=2),
            context_length=1,
            data=DataConfig(max_context=1),
            model={"causal": False},
            loss="one",
        )


@given(st.integers(1, 100_000), st.integers(1, 300))
def test_even_path_steps_are_evenly_spaced_and_end_at_the_last_step(n_steps, n_points):
    steps = path_steps(n_steps, n_points, "even")
    assert steps == sorted(set(steps))
    assert steps[-1] == n_steps
    assert steps[0] >= 1
    assert len(steps) == min(n_steps, n_points)
    assert np.ptp(np.diff([0, *steps])) <= 1
