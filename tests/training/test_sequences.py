"""Whole sequences as data: what is drawn, what counts in the loss, what a member is scored on."""

import numpy as np
import pytest
import torch

from testbed.core import ConfigError
from testbed.models import ModelConfig
from testbed.sources import MarkovSource, build
from testbed.training import (
    DataConfig,
    EvaluationConfig,
    OptimiserConfig,
    TrainingSpec,
    first_sequence,
)
from testbed.training.batches import order_and_segment
from testbed.training.ensemble import Ensemble, segment_loss
from testbed.training.sequences import judged_laws, sequence_set
from testbed.training.trainer import train

STREAM = MarkovSource.random(vocab_size=3, order=1, seed=4)
RECALL = build({"type": "selector_lag", "probabilities": [0.5, 0.5]})
CPU = torch.device("cpu")


def spec(source=STREAM, length: int = 6, n_targets: int | None = None, methods=("rope",), **values) -> TrainingSpec:
    optimiser = OptimiserConfig(**{"steps": 3, "warmup_steps": 1, **values})
    return TrainingSpec(
        source=source,
        context_length=length - 1,
        data=DataConfig(max_context=length - 1, batch="sequences", targets_per_step=5, n_targets=n_targets, seed=2),
        model=ModelConfig(width=8, depth=1, methods=methods),
        optimiser=optimiser,
        evaluation=EvaluationConfig(n_contexts=60, n_heldout=50, path_points=2),
    )


@pytest.mark.parametrize("n_targets", [None, 7])
def test_a_step_is_sequences_of_the_training_stream(n_targets):
    _, (segment,) = order_and_segment([spec(n_targets=n_targets)], CPU)
    whole = STREAM.sample(7 if n_targets else 200, 6, seed=2, first_sequence=first_sequence("train"))
    for step in (0, 1, 31, 33):
        batch = segment.draw(step)
        assert batch.read == "all"
        assert torch.all(batch.tokens_EBT[:, :, 0] == 3)
        assert torch.equal(batch.tokens_EBT[:, :, 1:], batch.target[:, :, :-1])
        if n_targets is None:
            assert np.array_equal(batch.target[0].numpy(), whole[5 * step : 5 * step + 5])
        else:
            assert {tuple(row) for row in batch.target[0].tolist()} <= {tuple(row) for row in whole.tolist()}


def test_only_judged_positions_count():
    """The loss by hand: mean of -ln q over the judged positions of the step, whatever stands elsewhere."""
    source = build({"type": "key_value_recall"})
    length = next(n for n in source.lengths(64) if n >= 8)
    one = spec(source, length)
    ensemble = Ensemble([one])
    (segment,) = ensemble.segments
    loss = segment_loss(ensemble.model, ensemble.leaves[0], segment, 0).item()
    batch = source.batch(5, length, seed=2, first_sequence=first_sequence("train"))
    assert 0 < batch.judged.mean() < 1
    log_q = ensemble.sequence_laws(0, batch.tokens, batch.judged)
    assert loss == pytest.approx(-log_q[np.arange(len(log_q)), batch.tokens[batch.judged]].mean(), rel=1e-5)


def test_a_single_target_is_read_alone():
    _, (segment,) = order_and_segment([spec(RECALL, 8)], CPU)
    batch = segment.draw(0)
    assert batch.read == "last"
    assert batch.target.shape == (1, 5)


def test_laws_are_read_at_the_judged_positions_in_order():
    ensemble = Ensemble([spec()])
    tokens = STREAM.sample(9, 6, seed=1)
    judged = np.random.default_rng(0).random(tokens.shape) < 0.4
    found = ensemble.sequence_laws(0, tokens, judged)
    for (row, t), law in zip(np.argwhere(judged), found, strict=True):
        expected = ensemble.laws(0, tokens[row : row + 1, :t])[0]
        assert law == pytest.approx(expected, abs=1e-5)
    exact = judged_laws(STREAM, tokens, judged, chunk_bytes=500)
    assert exact == pytest.approx(STREAM.predict(tokens)[judged], abs=1e-12)


def test_scores_are_means_over_judged_positions():
    one = spec(RECALL, 8)
    target = sequence_set(one)
    assert target.n_fresh == 60
    assert len(target.token) == 110
    log_q = np.log(np.random.default_rng(1).dirichlet(np.ones(RECALL.vocab_size), size=110))
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(target.laws > 0, target.laws * (np.log(target.laws) - log_q), 0.0).sum(axis=1)
    scores = target.score(log_q)
    assert scores.excess == pytest.approx(terms[:60].mean())
    assert scores.excess_error == pytest.approx(terms[:60].std(ddof=1) / np.sqrt(60))
    assert scores.heldout == pytest.approx(-log_q[np.arange(110), target.token][60:].mean())
    at_truth = target.score(np.where(target.laws > 0, target.log_laws, -50.0))
    assert at_truth.excess == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("methods", [("rope",), ({"type": "pose", "target_length": 40}, "rope", "infoscale")])
def test_members_learn_from_sequences(methods):
    """The excess falls from that of the uniform law, and a member alone equals the member in company."""
    one = spec(length=10, steps=150, learning_rate=1e-2, methods=methods)
    member, other = train([one, one.replace(initial_seed=1)])
    assert member.status == "done"
    assert member.path["excess"][-1] < 0.5 * member.path["excess"][0]
    alone = train([one])[0]
    assert alone.scores["excess"] == pytest.approx(member.scores["excess"], rel=1e-3, abs=1e-4)
    assert abs(member.scores["paired"]) < 6 * member.scores["paired_error"] + 1e-9
    assert other.scores["excess"] != member.scores["excess"]


def test_no_model_is_trained_on_targets_that_it_sees():
    both_ways = ModelConfig(width=8, depth=1, causal=False)
    with pytest.raises(ConfigError, match="not causal"):
        TrainingSpec(source=STREAM, context_length=2, data=DataConfig(max_context=2), model=both_ways, loss="all")
    with pytest.raises(ConfigError, match="judges tokens before the last"):
        Ensemble([spec().replace(model=both_ways)]).train_step(0)
    Ensemble([spec(RECALL, 8).replace(model=both_ways)]).train_step(0)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"source": RECALL, "data": DataConfig(max_context=7)}, "take data.batch = sequences"),
        ({"context_length": 3}, "whole sequences have data.max_context = 5"),
        ({"source": RECALL, "context_length": 0, "data": DataConfig(max_context=0, batch="sequences")}, "no sequences"),
    ],
)
def test_what_cannot_be_trained_on_is_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        spec().replace(**change)
