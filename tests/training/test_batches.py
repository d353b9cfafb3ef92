"""What an ensemble sees at each step: same targets whatever l, no padding's influence, streams that never repeat."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_transformer import plain_targets

from testbed.models import ModelConfig
from testbed.sources import IIDSource, MarkovSource
from testbed.training import DataConfig, OptimiserConfig, TrainingSpec
from testbed.training.batches import order_and_segment
from testbed.training.ensemble import Ensemble
from testbed.training.samplers import STREAM_STEPS, TargetSampler

SOURCE = MarkovSource.random(vocab_size=3, order=2, seed=1)
CPU = torch.device("cpu")
LONGEST = 3


def spec(length: int = 2, n_targets: int | None = 50, source=SOURCE, loss: str = "last", **data) -> TrainingSpec:
    data = {"max_context": LONGEST, "targets_per_step": 8} | data
    return TrainingSpec(
        source=source,
        context_length=length,
        data=DataConfig(n_targets=n_targets, **data),
        model=ModelConfig(width=8, depth=1),
        optimiser=OptimiserConfig(steps=5),
        loss=loss,
    )


@given(st.integers(0, LONGEST), st.integers(1, 200), st.integers(1, 5), st.integers(0, 50), st.integers(0, 10**6))
@settings(max_examples=40)
def test_a_step_equals_a_loop(length, n_targets, per, seed, step):
    one = spec(length, n_targets, targets_per_sequence=per, seed=seed)
    windows, following = TargetSampler([one], CPU).draw(step, length)
    expected = plain_targets(one, step)
    assert windows[0].tolist() == [context for context, _ in expected]
    assert following[0].tolist() == [target for _, target in expected]


def test_members_of_one_data_seed_draw_the_same_targets_whatever_their_length_and_company():
    other = spec(n_targets=31, seed=5, source=IIDSource(vocab_size=3))
    for n_targets in (50, None):
        for step in (0, 1, STREAM_STEPS, 3 * STREAM_STEPS + 7):
            full, following = TargetSampler([spec(LONGEST, n_targets)], CPU).draw(step, LONGEST)
            for length in range(LONGEST + 1):
                sampler = TargetSampler([other, spec(length, n_targets), other], CPU)
                windows, same_following = sampler.draw(step, length)
                assert torch.equal(windows[1], full[0][:, LONGEST - length :])
                assert torch.equal(same_following[1], following[0])


def test_a_step_depends_on_the_step_alone_not_on_the_steps_before():
    for n_targets in (50, None):
        walked = TargetSampler([spec(2, n_targets)], CPU)
        for step in range(2 * STREAM_STEPS + 3):
            last = walked.draw(step, 2)
        jumped = TargetSampler([spec(2, n_targets)], CPU).draw(step, 2)
        assert all(torch.equal(a, b) for a, b in zip(last, jumped, strict=True))


@pytest.mark.parametrize("per", [1, 3])
def test_an_endless_stream_never_repeats_a_target(monkeypatch, per):
    """Every request to the source is recorded: rows don't overlap, and every target is used once."""
    asked = []
    sample = IIDSource.sample

    def recording(self, n_sequences, length, seed=0, first_sequence=0):
        asked.append((seed, first_sequence, n_sequences))
        return sample(self, n_sequences, length, seed, first_sequence)

    monkeypatch.setattr(IIDSource, "sample", recording)
    one = spec(LONGEST, None, IIDSource(vocab_size=65_536), targets_per_sequence=per, seed=4)
    sampler = TargetSampler([one, one], CPU)
    drawn = [sampler.draw(step, LONGEST) for step in range(3 * STREAM_STEPS)]
    rows = [row for _, first, n in asked for row in range(first, first + n)]
    assert {seed for seed, _, _ in asked} == {4}
    assert len(set(rows)) == len(rows)
    windows = torch.cat([torch.cat([w[0], t[0][:, None]], dim=1) for w, t in drawn])
    assert len(windows.unique(dim=0)) == len(windows)  # 64 bits a window: a chance repeat has probability 2e-14


def test_batches_of_all_positions_are_the_window_shifted_by_one():
    one = spec(LONGEST, loss="all")
    _, (segment,) = order_and_segment([one], CPU)
    drawn = segment.draw(3)
    tokens, following = drawn.tokens_EBT, drawn.target
    assert drawn.read == "all"
    assert tokens.shape == following.shape == (1, 8, LONGEST + 1)
    assert (tokens[..., 0] == 3).all()
    assert torch.equal(tokens[..., 1:], following[..., :-1])


def test_segments_cover_the_members_once_each_of_one_length():
    specs = [spec(length, n, batch="distinct") for length in (3, 0, 2, 3, 1) for n in (500, 3, 40)]
    order, segments = order_and_segment(specs, CPU)
    assert sorted(order) == list(range(len(specs)))
    covered = [i for segment in segments for i in range(segment.rows.start, segment.rows.stop)]
    assert covered == list(range(len(specs)))
    for segment in segments:
        assert [specs[order[i]] for i in range(segment.rows.start, segment.rows.stop)] == segment.specs
        assert {one.context_length for one in segment.specs} == {segment.context_length}


# ------------------------------------------------------------------------------------------------ distinct windows
def test_the_cost_of_distinct_windows_does_not_grow_with_the_dataset():
    for n_targets in (1_000, 100_000, None):
        _, (segment,) = order_and_segment([spec(2, n_targets, batch="distinct")], CPU)
        tokens, weights = segment.draw(0).tokens_EBT, segment.draw(0).target
        assert tokens.shape == (1, 9, 3)
        assert weights.shape == (1, 9, 3)
        assert weights.sum().item() == pytest.approx(1.0, abs=1e-6)


def test_the_loss_at_the_true_law_is_the_conditional_entropy():
    """On the exact law as dataset, at q = p: - sum p(c, x) ln p(x | c) = h_l, to float32 weights."""
    for length in range(LONGEST + 1):
        _, (segment,) = order_and_segment([spec(length, None, batch="distinct")], CPU)
        tokens, weights = segment.draw(0).tokens_EBT, segment.draw(0).target
        law = SOURCE.predict(np.pad(tokens[0, :, 1:].numpy(), ((0, 0), (0, 1))), context=length)[:, length]
        loss = -(weights[0].double().numpy() * np.log(law)).sum()
        assert loss == pytest.approx(SOURCE.conditional_entropies(length).value[length], abs=1e-6)


def test_padding_has_no_influence():
    """Two members of unequal size share a segment: other tokens in the padding change no bit of any gradient."""
    specs = [spec(3, n, batch="distinct", targets_per_sequence=2) for n in (22, 30)]
    ensemble = Ensemble(specs)
    (segment,) = ensemble.segments
    tokens, weights = segment.fixed
    padding = (weights == 0).all(dim=2)
    assert padding.any()
    loss = ensemble.losses_and_gradients(0)
    gradients = ensemble.gradients_EP.clone()
    tokens[..., 1:][padding] = torch.randint(0, 3, (int(padding.sum()), 3), generator=torch.Generator().manual_seed(0))
    assert torch.equal(ensemble.losses_and_gradients(0), loss)
    assert torch.equal(ensemble.gradients_EP, gradients)
    alone = Ensemble(specs[:1])
    assert alone.losses_and_gradients(0)[0].item() == pytest.approx(loss[ensemble.row_of[0]].item(), rel=1e-6)
    torch.testing.assert_close(alone.gradients_EP[0], gradients[ensemble.row_of[0]], rtol=1e-5, atol=1e-7)
