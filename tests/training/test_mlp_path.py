"""Training MLPs in epochs with three stopping rules, against a plain loop over one module and torch's own AdamW."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from testbed.core import ConfigError
from testbed.models.mlp import MLP
from testbed.models.mlp_config import MLPConfig
from testbed.sources import MarkovSource
from testbed.sources.parity import SparseParitySource
from testbed.training.mlp_data import answer_laws, draw_samples, task_scores
from testbed.training.mlp_path import CLAMP, RULES, MLPEnsemble, member_logits, train_mlps
from testbed.training.mlp_spec import MLPOptimiserConfig, MLPSpec
from testbed.training.streams import step_generator

SOURCE = SparseParitySource(tasks=[(2, 1), (4, 1), (9, 2)], n_bits=6)
LN2 = float(np.log(2))


def spec_of(**changes) -> MLPSpec:
    base = {
        "source": SOURCE,
        "context_length": 4,
        "n_bits": 5,
        "n_targets": 70,
        "batch_size": 32,
        "steps": 25,
        "patience": 3,
        "most_epochs": 7,
        "n_validation": 40,
        "model": MLPConfig(hidden=12, bottleneck=6),
        "optimiser": MLPOptimiserConfig(learning_rate=0.02, weight_decay=0.1),
    }
    return MLPSpec(**{**base, **changes})


def plain_run(spec: MLPSpec):
    """One member by a plain loop: its own samples, a module with l inputs, torch's AdamW, early stopping by hand."""
    l, n_questions = spec.context_length, len(spec.source.tasks)
    model = MLP(spec.model, spec.n_bits, n_questions)
    row = model.initial_row(spec.initial_seed, l)
    named = {name: view[0] for name, view in model.layout.views(row[None]).items()}
    first = torch.cat([named["weight_0"][:l], named["weight_0"][spec.n_bits :]])
    sizes = spec.model.layers(l, n_questions)
    linear = [nn.Linear(inputs, outputs) for inputs, outputs, _ in sizes]
    with torch.no_grad():
        for i, layer in enumerate(linear):
            layer.weight.copy_((first if i == 0 else named[f"weight_{i}"]).T)
            layer.bias.copy_(named[f"bias_{i}"])

    def logits(bits, question):
        x = torch.cat([bits, question], dim=1)
        for i, layer in enumerate(linear):
            x = layer(x)
            if sizes[i][2]:
                x = nn.functional.leaky_relu(x, spec.model.slope)
        return x[:, 0]

    def data(stream, n):
        s = draw_samples(spec.source, stream, spec.data_seed, n, spec.n_bits)
        bits = torch.from_numpy(s.bits[:, :l]).float()
        return bits, torch.eye(n_questions)[torch.from_numpy(s.question)], torch.from_numpy(s.answer).float()

    bits, question, answer = data("train", spec.n_targets)
    held = data("heldout", spec.n_validation)
    parameters = [p for layer in linear for p in layer.parameters()]
    o = spec.optimiser
    adam = torch.optim.AdamW(parameters, lr=o.learning_rate, weight_decay=o.weight_decay)
    loss_of = nn.functional.binary_cross_entropy_with_logits
    step, epoch, validation, kept, at, ended = 0, 0, [], {}, {}, None
    while step < spec.steps:
        order = torch.from_numpy(step_generator(spec.data_seed, 0, epoch).permutation(spec.n_targets))
        for start in range(0, spec.n_targets, spec.batch_size):
            if step == spec.steps:
                break
            if o.cosine:
                adam.param_groups[0]["lr"] = o.learning_rate * 0.5 * (1 + np.cos(np.pi * step / spec.steps))
            part = order[start : start + spec.batch_size]
            adam.zero_grad()
            loss_of(logits(bits[part], question[part]), answer[part]).backward()
            if o.clip is not None:
                nn.utils.clip_grad_norm_(parameters, o.clip)
            adam.step()
            step += 1
        epoch += 1
        with torch.no_grad():
            validation.append(float(loss_of(logits(held[0], held[1]).clamp(-CLAMP, CLAMP), held[2])))
        now = logits(held[0], held[1]).detach().clone()
        if validation[-1] == min(validation):
            kept["selected"], at["selected"] = now, epoch
            if ended is None:
                kept["stopped"], at["stopped"] = now, epoch
        if ended is None and (epoch - at["stopped"] >= spec.patience or epoch >= spec.most_epochs):
            ended = epoch
    kept["end"], at["end"] = now, epoch
    return kept, at, validation, ended


@pytest.mark.parametrize("cosine", [False, True])
@pytest.mark.parametrize("clip", [0.05, None])
def test_an_ensemble_is_a_plain_loop_over_its_members(cosine, clip):
    optimiser = MLPOptimiserConfig(learning_rate=0.02, weight_decay=0.1, clip=clip, cosine=cosine)
    specs = [
        spec_of(context_length=l, data_seed=seed, initial_seed=7 + i, optimiser=optimiser.replace(learning_rate=rate))
        for i, (l, seed, rate) in enumerate([(2, 0, 0.02), (5, 0, 0.01), (5, 1, 0.03), (0, 1, 0.02)])
    ]
    for spec, member in zip(specs, train_mlps(specs), strict=True):
        kept, at, validation, ended = plain_run(spec)
        held = draw_samples(SOURCE, "heldout", spec.data_seed, spec.n_validation, spec.n_bits)
        np.testing.assert_allclose(member.validation, validation, atol=2e-4)
        assert member.ended == ended
        for rule in RULES:
            assert member.epoch[rule] == at[rule]
            np.testing.assert_allclose(member_logits(member, rule, held), kept[rule].numpy(), atol=2e-3)


def test_a_member_does_not_depend_on_the_others():
    specs = [spec_of(context_length=l, data_seed=s, initial_seed=s) for s in (0, 1) for l in (2, 5)]
    for spec, together in zip(specs, train_mlps(specs), strict=True):
        (alone,) = train_mlps([spec])
        np.testing.assert_allclose(together.weights["end"], alone.weights["end"], atol=1e-4)
        assert together.epoch == alone.epoch


def test_stopping_does_not_change_what_comes_before():
    """However early the stop, `selected` and `end` are the same, and `stopped` is `selected` where it never comes."""
    (early,), (late,) = (train_mlps([spec_of(patience=p, most_epochs=200)]) for p in (1, 100))
    for rule in ("selected", "end"):
        np.testing.assert_array_equal(early.weights[rule], late.weights[rule])
    np.testing.assert_array_equal(late.weights["stopped"], late.weights["selected"])
    assert late.ended is None
    assert early.ended is not None and early.epoch["stopped"] <= early.ended  # noqa: PT018


def test_shapes_must_agree_and_sources_must_ask_for_bits():
    with pytest.raises(ValueError, match="one shape"):
        train_mlps([spec_of(), spec_of(n_targets=71)])
    with pytest.raises(ConfigError, match="query over bits"):
        spec_of(source=MarkovSource.random(vocab_size=2, order=1, seed=0))
    with pytest.raises(ConfigError, match="context_length"):
        spec_of(context_length=6)


def test_a_member_that_diverges_keeps_finite_weights_and_harms_no_other():
    specs = [spec_of(optimiser=MLPOptimiserConfig(learning_rate=rate)) for rate in (1e30, 0.02)]
    broken, sound = train_mlps(specs)
    assert broken.diverged
    assert not sound.diverged
    assert np.isfinite(broken.weights["end"]).all()
    (alone,) = train_mlps(specs[1:])
    np.testing.assert_allclose(sound.weights["end"], alone.weights["end"], atol=1e-5)


# ---------------------------------------------------------------------------------------------------- data and scores
@settings(max_examples=20, deadline=None)
@given(l=st.integers(0, 6), scale=st.floats(0.0, 3.0), seed=st.integers(0, 100))
def test_scores_are_exact_divergences_by_task(l, scale, seed):
    samples = draw_samples(SOURCE, "evaluation", seed, 60, 6)
    z = scale * np.random.default_rng(seed).standard_normal(60)
    scores = task_scores(SOURCE, samples, l, z)
    q = 1 / (1 + np.exp(-z))
    wanted: dict[int, list[float]] = {}
    for row in range(60):
        task, bits = SOURCE.tasks[samples.question[row]], samples.bits[row]
        known = max(task) <= min(l, 6)
        p = float(sum(int(bits[b - 1]) for b in task) % 2) if known else 0.5
        kl = sum(a * np.log(a / b) for a, b in ((p, q[row]), (1 - p, 1 - q[row])) if a > 0)
        wanted.setdefault(int(samples.question[row]), []).append(kl)
    for task, values in wanted.items():
        assert scores.excess[task] == pytest.approx(np.mean(values), abs=1e-9)
        assert scores.counts[task] == len(values)
    assert scores.total >= -1e-12


def test_a_network_that_knows_nothing_has_the_whole_of_what_could_be_known_as_its_excess():
    samples = draw_samples(SOURCE, "evaluation", 0, 300, 6)
    scores = task_scores(SOURCE, samples, 6, np.zeros(300))
    assert scores.excess == pytest.approx([LN2, LN2, 0.0], abs=1e-12)
    assert scores.total == pytest.approx(LN2 * 2 / 3, abs=1e-8)
    assert SOURCE.conditional_entropies(6).value[6] + scores.total == pytest.approx(LN2, abs=1e-8)


def test_bits_come_nearest_first_and_fewer_samples_are_the_first_of_more():
    samples = draw_samples(SOURCE, "train", 3, 50, 6)
    for row in range(50):
        task = SOURCE.tasks[samples.question[row]]
        if max(task) <= 6:
            assert samples.answer[row] == sum(int(samples.bits[row, b - 1]) for b in task) % 2
    fewer = draw_samples(SOURCE, "train", 3, 20, 6)
    np.testing.assert_array_equal(fewer.bits, samples.bits[:20])
    assert set(np.unique(answer_laws(SOURCE, samples, 2))) <= {0.0, 0.5, 1.0}


def test_an_epoch_takes_every_sample_once():
    orders = MLPEnsemble([spec_of(data_seed=s) for s in (0, 1)]).orders(0)
    assert [sorted(order.tolist()) for order in orders] == [list(range(70))] * 2
    assert not torch.equal(orders[0], orders[1])
