"""Cut cross-entropy: its value, its filter, and where the filtered gradient leads, by two methods."""

import numpy as np
import pytest
import torch
from every_loss import law_from
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.models import ModelConfig
from testbed.sources import MarkovSource
from testbed.training import DataConfig, OptimiserConfig, TrainingSpec
from testbed.training.ensemble import Ensemble
from testbed.training.losses import CrossEntropy
from testbed.training.losses.cut_cross_entropy import CutCrossEntropy

LAWS = {"seed": st.integers(0, 10_000), "n": st.integers(2, 40)}
THRESHOLDS = st.one_of(st.just(0.0), st.floats(1e-6, 0.6))


def value_and_gradient(loss, logits, target):
    leaf = torch.from_numpy(logits)[None].requires_grad_()
    value = loss.losses(leaf, torch.from_numpy(target)[None])
    value.sum().backward()
    assert leaf.grad is not None
    return value[0].detach().numpy(), leaf.grad[0].numpy()


# ------------------------------------------------------------------------------------------------ the filter
@given(**LAWS, threshold=THRESHOLDS)
@settings(max_examples=30)
def test_value_is_cross_entropy_and_the_gradient_is_filtered_entry_by_entry(seed, n, threshold):
    rng = np.random.default_rng(seed)
    logits, target = 3.0 * rng.standard_normal((5, n)), rng.integers(0, n, 5)
    loss = CutCrossEntropy(threshold=threshold)
    value, gradient = value_and_gradient(loss, logits, target)
    plain_value, plain = value_and_gradient(CrossEntropy(), logits, target)
    assert value.tolist() == plain_value.tolist()
    each = loss.by_target(torch.from_numpy(logits)[None])[0].numpy()
    np.testing.assert_allclose(each[np.arange(5), target], value)
    if threshold == 0:
        assert gradient.tolist() == plain.tolist()
    for i in range(5):  # the slow twin, and the bounds
        q = np.exp(logits[i]) / np.exp(logits[i]).sum()
        for v in range(n):
            if v == target[i]:
                expected = q[v] - 1.0
            else:
                expected = q[v] if q[v] >= threshold else 0.0
            assert gradient[i, v] == pytest.approx(expected, abs=1e-12)
        assert gradient[i, target[i]] == pytest.approx(plain[i, target[i]], abs=1e-12)
        assert np.abs(gradient[i] - plain[i]).sum() <= n * threshold + 1e-12


# ------------------------------------------------------------------------------------------------ where it leads
def potential(p, q, e):
    """What the flow climbs: its slope in q_v is -F_v."""
    low = np.minimum(q, e)
    return float(np.sum(p * low - p * low**2 / 2 + p * (q - low) - (q**2 - low**2) / 2))


@given(seed=st.integers(0, 10_000), n=st.integers(2, 30), threshold=st.floats(0.005, 0.5))
@settings(max_examples=30)
def test_the_fixed_point_is_where_all_logits_rise_alike_and_the_most_of_a_concave_function(seed, n, threshold):
    p, loss = law_from(seed, n, 1e-4), CutCrossEntropy(threshold=threshold)
    q, c = loss.fixed_point(p), loss.drift(p)
    assert q.sum() == pytest.approx(1.0)
    for v in range(n):
        above, below = p[v] - q[v], p[v] * (1.0 - q[v])  # rates of rise: unfiltered, filtered
        if abs(q[v] - threshold) < 1e-9:
            assert above - 1e-9 <= c <= below + 1e-9
        elif q[v] == 0:
            assert p[v] <= c + 1e-9
        else:
            assert (above if q[v] > threshold else below) == pytest.approx(c, abs=1e-9)
    assert loss.starves(p) == bool(p.min() <= c)
    most = potential(p, q, threshold)
    for k in range(10):
        other = law_from(seed + k + 1, n)
        assert potential(p, other, threshold) <= most + 1e-12
        assert potential(p, 0.99 * q + 0.01 * other, threshold) <= most + 1e-12
    if p.min() >= threshold:
        assert c == pytest.approx(0.0, abs=1e-12)
        np.testing.assert_allclose(q, p, atol=1e-9)


@pytest.mark.parametrize("start", ["uniform", "the law", "random"])
def test_the_flow_comes_there_from_everywhere(start):
    """By small steps down the field; tokens below c are lost, those between c and the threshold sit on it."""
    p, loss = law_from(3, 24), CutCrossEntropy(threshold=0.03)
    q = {"uniform": np.full(24, 1 / 24), "the law": p, "random": law_from(9, 24)}[start]
    logits = np.log(q)
    for step in range(12_000):
        logits -= (0.5 if step < 10_000 else 0.05) * loss.field(p, q)
        q = np.exp(logits - logits.max())
        q /= q.sum()
    c = loss.drift(p)
    slid = (p > c / 0.97) & (p < c + 0.03)
    assert slid.sum() >= 3
    assert (p < c).sum() >= 3
    np.testing.assert_allclose(q[slid], 0.03, atol=3e-4)
    assert np.abs(q - loss.fixed_point(p)).sum() < 2e-3


def test_laws_without_a_tail_are_kept_and_the_uniform_one_always():
    np.testing.assert_allclose(CutCrossEntropy().fixed_point([0.6, 0.3, 0.1]), [0.6, 0.3, 0.1])
    np.testing.assert_allclose(CutCrossEntropy(threshold=0.5).fixed_point([0.25] * 4), 0.25)
    p = [0.97, 0.02, 0.01]
    np.testing.assert_allclose(CutCrossEntropy(threshold=0.0).fixed_point(p), p)
    assert CutCrossEntropy(threshold=0.1, full_classifier=True).fixed_point(p).tolist() == p


# ------------------------------------------------------------------------------------------------ in the trainer
def spec(objective, tied=False, bias=False) -> TrainingSpec:
    return TrainingSpec(
        source=MarkovSource.random(vocab_size=8, order=1, seed=3),
        context_length=2,
        data=DataConfig(max_context=2, targets_per_step=16),
        model=ModelConfig(width=8, depth=1, heads=1, tied_head=tied, head_bias=bias),
        optimiser=OptimiserConfig(steps=2),
        objective=objective,
    )


def gradients(objective, bias=False):
    ensemble = Ensemble([spec(objective, bias=bias)])
    value = ensemble.losses_and_gradients(0)
    return value, {name: one.clone() for name, one in ensemble.model.layout.views(ensemble.gradients_EP).items()}


@pytest.mark.parametrize("bias", [False, True])
def test_a_full_classifier_is_trained_on_cross_entropy_and_the_rest_on_what_is_left(bias):
    table = {"type": "cut_cross_entropy", "threshold": 0.12}
    (value, split), (_, cut), (plain_value, plain) = (
        gradients(one, bias) for one in ({**table, "full_classifier": True}, table, "cross_entropy")
    )
    torch.testing.assert_close(value, plain_value)
    for name, one in split.items():
        torch.testing.assert_close(one, plain[name] if name in ("head", "head_bias") else cut[name])
    for name in ("head", "head_bias")[: 1 + bias]:
        assert not torch.allclose(cut[name], plain[name])
    assert not torch.allclose(cut["embedding"], plain["embedding"])
    with pytest.raises(ConfigError, match=r"model\.tied_head"):
        Ensemble([spec({**table, "full_classifier": True}, tied=True)])
