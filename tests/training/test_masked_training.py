"""Masked tokens as data: what is hidden, what counts in the loss, what a member is scored on, what is refused.

Statistical tests are seeded, with a false-alarm rate below 1e-6.
"""

import math
import tomllib

import numpy as np
import pytest
import torch

from testbed.core import ConfigError
from testbed.models import ModelConfig
from testbed.models.transformer import Transformer
from testbed.sources import MarkovSource, build
from testbed.training import DataConfig, EvaluationConfig, OptimiserConfig, Shape, TrainingSpec, first_sequence
from testbed.training.batches import order_and_segment
from testbed.training.ensemble import Ensemble, log_laws, segment_loss
from testbed.training.masking import draw_sites, masked_set
from testbed.training.trainer import train

CHAIN = MarkovSource.random(vocab_size=3, order=1, entropy_rate=0.7, seed=1)
RECALL = build({"type": "selector_lag", "probabilities": [0.5, 0.5]})
CPU = torch.device("cpu")
BEGIN, MASK = 3, 4


def spec(source=CHAIN, length: int = 6, n_targets: int | None = None, block="standard", **values) -> TrainingSpec:
    data = {name: values.pop(name) for name in ("masked_sites", "masked_share", "seed") if name in values}
    batch = values.pop("targets_per_step", 5)
    model = {"block": block, "width": 8, "depth": 1, "causal": False, "mask_symbol": True}
    model |= {name: values.pop(name) for name in ("methods", "width", "tied_head") if name in values}
    return TrainingSpec(
        source=source,
        context_length=length,
        data=DataConfig(
            **{"max_context": length, "batch": "masked", "targets_per_step": batch, "n_targets": n_targets, "seed": 2}
            | data
        ),
        model=ModelConfig(**model),
        optimiser=OptimiserConfig(**{"steps": 3, "warmup_steps": 1, **values}),
        evaluation=EvaluationConfig(n_contexts=60, n_heldout=50, path_points=2),
    )


@pytest.mark.parametrize("n_targets", [None, 7])
@pytest.mark.parametrize("hidden", [{}, {"masked_sites": 3}, {"masked_share": 0.3}])
def test_a_step_is_sequences_of_the_training_stream_with_some_tokens_hidden(n_targets, hidden):
    _, (segment,) = order_and_segment([spec(n_targets=n_targets, **hidden)], CPU)
    whole = CHAIN.sample(7 if n_targets else 200, 6, seed=2, first_sequence=first_sequence("train"))
    count = {"masked_sites": 3, "masked_share": 2}.get(next(iter(hidden), ""), 1)
    drawn = []
    for step in (0, 1, 31, 33):
        batch = segment.draw(step)
        assert batch.read == "all"
        assert torch.all(batch.tokens_EBT[:, :, 0] == BEGIN)
        assert not batch.judged[:, :, 0].any()
        masked, seen, target = (x[0, :, 1:].numpy() for x in (batch.judged, batch.tokens_EBT, batch.target))
        assert np.all(masked.sum(axis=1) == count)
        assert np.array_equal(seen, np.where(masked, MASK, target))
        drawn.append(masked)
        if n_targets is None:
            assert np.array_equal(target, whole[5 * step : 5 * step + 5])
        else:
            assert {tuple(row) for row in target.tolist()} <= {tuple(row) for row in whole.tolist()}
    assert not np.array_equal(drawn[0], drawn[1])


def test_what_is_hidden_depends_on_the_data_seed_and_the_step_alone():
    other = spec(build({"type": "iid", "vocab_size": 3}), seed=5)
    alone = order_and_segment([spec()], CPU)[1][0]
    company = order_and_segment([other, spec(), other.replace(source=CHAIN), spec().replace(initial_seed=1)], CPU)[1][0]
    for step in (0, 40, 7):  # whatever came before
        expected, found = alone.draw(step), company.draw(step)
        for member in (1, 3):
            assert torch.equal(found.judged[member], expected.judged[0])
            assert torch.equal(found.tokens_EBT[member], expected.tokens_EBT[0])
        assert torch.equal(found.judged[0], found.judged[2])  # of one seed, whatever the source
        assert not torch.equal(found.judged[0], found.judged[1])


def test_hidden_tokens_are_drawn_uniformly_among_the_judged_ones():
    judged = np.ones((40_000, 5), dtype=bool)
    judged[:, 2] = False
    masked = draw_sites(judged, 2, "evaluation", seed=3)
    pairs, counts = np.unique(masked, axis=0, return_counts=True)
    assert len(pairs) == 6  # of the four judged positions
    sd = math.sqrt(len(judged) * (1 / 6) * (5 / 6))
    assert np.all(np.abs(counts - len(judged) / 6) < 5.5 * sd)
    assert np.array_equal(draw_sites(judged[:9], 2, "evaluation", seed=3), masked[:9])
    for change in (("heldout", 3, 0), ("evaluation", 4, 0), ("evaluation", 3, 1)):
        other = draw_sites(judged, 2, change[0], change[1], change[2])
        same = np.all(other == masked, axis=1).mean()
        assert abs(same - 1 / 6) < 5.5 * math.sqrt(5 / 36 / len(judged))
    assert np.array_equal(draw_sites(judged, 9, "train", seed=0), judged)


@pytest.mark.parametrize("block", ["standard", "gau"])
@pytest.mark.parametrize("tied_head", [False, True])
def test_the_loss_is_that_of_the_hidden_tokens_read_at_their_places(block, tied_head):
    one = spec(block=block, masked_sites=2, tied_head=tied_head)
    ensemble = Ensemble([one])
    (segment,) = ensemble.segments
    loss = segment_loss(ensemble.model, ensemble.leaves[0], segment, 0).item()
    tokens = CHAIN.sample(5, 6, seed=2, first_sequence=first_sequence("train"))
    masked = draw_sites(np.ones(tokens.shape, dtype=bool), 2, "train", 2)
    weights = ensemble.model.layout.views(ensemble.weights_EP)
    losses, laws = [], []
    for row, hidden in zip(tokens.tolist(), masked.tolist(), strict=True):
        seen = [MASK if hide else x for x, hide in zip(row, hidden, strict=True)]
        with torch.no_grad():
            law = ensemble.model.logits(weights, torch.tensor([[[BEGIN, *seen]]]), "all")[0, 0].double().log_softmax(-1)
        for t in np.flatnonzero(hidden):
            laws.append(law[t + 1].numpy())
            losses.append(-float(law[t + 1, row[t]]))
    assert loss == pytest.approx(np.mean(losses), rel=1e-5)
    assert ensemble.masked_laws(0, tokens, masked) == pytest.approx(np.array(laws), abs=1e-5)
    assert ensemble.model.layout.views(ensemble.weights_EP)["embedding"].shape == (1, 5, 8)


def test_only_judged_tokens_are_hidden():
    one = spec(RECALL, 8)
    (segment,) = order_and_segment([one], CPU)[1]
    judged = segment.draw(0).judged[0, :, 1:]
    assert torch.all(judged[:, -1])
    assert judged.sum() == 5
    target = masked_set(one)
    assert target.laws[:60] == pytest.approx(RECALL.predict(target.tokens[:60], positions=[7])[:, 0], abs=1e-12)


def test_members_are_scored_against_the_exact_law_of_what_is_hidden():
    target = masked_set(spec(masked_sites=2))
    assert target.n_fresh == 60
    assert len(target.laws) == 110
    fresh = CHAIN.sample(30, 6, seed=2, first_sequence=first_sequence("evaluation"))
    assert np.array_equal(target.tokens[:30], fresh)
    assert target.laws == pytest.approx(CHAIN.predict_masked(target.tokens, target.judged), abs=1e-12)
    at_truth = target.score(target.log_laws)
    assert at_truth.excess == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("block", ["standard", "gau"])
def test_a_masked_member_learns_from_both_sides(block):
    """Order-1 chain: its loss ends near the exact two-sided risk, well below the h_1 that no causal model can pass."""
    one = spec(
        block=block,
        length=5,
        steps=350,
        learning_rate=1e-2,
        targets_per_step=128,
        width=16 if block == "standard" else 32,
    )
    one = one.replace(evaluation=EvaluationConfig(n_contexts=1000, n_heldout=500, path_points=2))
    members = train([one, one.replace(initial_seed=1)])
    risk, rate = float(np.mean(CHAIN.masked_losses(5).value)), float(CHAIN.entropy_rate().value)
    assert risk == pytest.approx((2 * rate + 3 * float(CHAIN.masked_losses(5)[2].value)) / 5)
    for member in members:
        assert member.status == "done"
        assert member.scores["excess"] < 0.05 < 0.3 < member.path["excess"][0]
        assert risk + member.scores["excess"] < rate - 0.05
        assert abs(member.scores["paired"]) < 6 * member.scores["paired_error"]


def test_a_rerun_is_the_same_and_company_changes_nothing():
    one = spec(steps=6)
    first, again = train([one])[0], train([one])[0]
    assert np.array_equal(first.weights, again.weights)
    assert first.scores == again.scores
    beside = train([one.replace(initial_seed=3), one, spec(steps=6, seed=9)])[1]
    assert beside.weights == pytest.approx(first.weights, abs=1e-5)


def test_keys_leave_the_defaults_out_and_tell_masks_apart():
    plain = TrainingSpec(source=CHAIN, context_length=2, data=DataConfig(max_context=2))
    assert not {"masked_sites", "masked_share"} & plain.identity()["data"].keys()
    assert "mask_symbol" not in plain.identity().get("model", {})
    one = spec()
    others = [spec(masked_sites=2), spec(masked_share=0.5), one.replace(initial_seed=1)]
    assert len({each.training_key for each in [one, *others]}) == 4
    assert Shape.of(one) == Shape.of(others[2]) == Shape.of(spec(seed=7)) != Shape.of(others[0])


def test_a_config_names_it():
    text = """
    context_length = 63
    source = {type = "markov", vocab_size = 4, order = 1, seed = 1}
    data = {batch = "masked", max_context = 63, masked_share = 0.15}
    model = {block = "gau", causal = false, mask_symbol = true, methods = ["rope"]}
    """
    one = TrainingSpec(**tomllib.loads(text))
    assert one.data.n_masked == 9
    assert one.sequence_length == 63
    assert TrainingSpec(**one.resolved()) == one


def test_no_model_is_trained_on_tokens_that_it_sees():
    both = ModelConfig(width=8, depth=1, causal=False)
    with_symbol = both.replace(mask_symbol=True)
    with pytest.raises(ConfigError, match="mask_symbol: masked tokens are read off both sides; take causal = false"):
        ModelConfig(mask_symbol=True)
    for model in (both, ModelConfig(width=8)):
        with pytest.raises(ConfigError, match="take causal = false, mask_symbol = true"):
            spec().replace(model=model)
    for batch in ("sampled", "distinct"):
        with pytest.raises(ConfigError, match=f"data.batch = {batch} hides no token"):
            TrainingSpec(source=CHAIN, context_length=2, data=DataConfig(max_context=2, batch=batch), model=with_symbol)
    with pytest.raises(ConfigError, match="not causal sees the targets"):
        TrainingSpec(source=CHAIN, context_length=2, data=DataConfig(max_context=2), model=both, loss="all")
    whole = TrainingSpec(source=CHAIN, context_length=5, data=DataConfig(max_context=5, batch="sequences"), model=both)
    with pytest.raises(ConfigError, match="judges tokens before the last"):
        Ensemble([whole]).train_step(0)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"context_length": 3}, "masked sequences have data.max_context = 6"),
        ({"loss": "all"}, "scored at the hidden tokens alone|not causal"),
        ({"data": DataConfig(max_context=6, batch="masked", masked_sites=7)}, "a sequence has 6 tokens"),
        ({"context_length": 0, "data": DataConfig(max_context=0, batch="masked")}, "no sequences of 0 tokens"),
        (
            {
                "source": build("noisy_retrieval"),
                "context_length": 7,
                "data": DataConfig(max_context=7, batch="masked"),
            },
            "writes no sequences of 7 tokens",
        ),
    ],
)
def test_what_cannot_be_trained_on_is_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        spec().replace(**change)


def test_masks_are_refused_where_nothing_is_hidden_or_no_law_is_known():
    for given in ({"masked_sites": 2}, {"masked_share": 1.0}):
        with pytest.raises(ConfigError, match="hides no token"):
            DataConfig(max_context=4, **given)
    with pytest.raises(ConfigError, match="give one of them"):
        DataConfig(max_context=4, batch="masked", masked_sites=2, masked_share=0.5)
    drawn = build({"type": "dirichlet_markov", "vocab_size": 2, "order": 1})
    with pytest.raises(ConfigError, match="known for at most 16 masked tokens"):
        spec(drawn, 40, masked_sites=17)
    assert spec(CHAIN, 40, masked_sites=39).data.n_masked == 39
    model = Transformer(spec().model, 3, 7)
    with pytest.raises(ConfigError, match="gives no law of the next one"):
        log_laws(model, {}, np.zeros((1, 2), dtype=int), CPU, 10)
