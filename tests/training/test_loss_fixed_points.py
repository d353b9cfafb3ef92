"""Training losses on known laws: two codes, fixed points by two methods, properness."""

import numpy as np
import pytest
import torch
from every_loss import ADAPTIVE, FILTERED, LINEAR, LOSSES, PROPER, cost_for, law_from, rows_for
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.training.losses import losses
from testbed.training.losses.fixed_points import followed, residual

EACH = pytest.mark.parametrize("name", LOSSES)
DESCENDED = pytest.mark.parametrize("name", [name for name in LOSSES if name not in ADAPTIVE | FILTERED])
"""Losses whose gradient is that of a function."""
RESTING = pytest.mark.parametrize("name", [name for name in LOSSES if name not in FILTERED])
"""Losses whose gradient vanishes where they end."""


def test_no_shipped_loss_is_left_out():
    shipped = {name for name in losses.names() if losses.find(name).__module__.startswith("testbed.training.losses.")}
    assert shipped == {one.type_name for one in LOSSES.values()}


# ------------------------------------------------------------------------------------------------ one loss, two codes
@EACH
@given(seed=st.integers(0, 10_000), n=st.integers(2, 6))
@settings(max_examples=8)
def test_what_training_computes_is_the_loss_and_its_gradient(name, seed, n):
    """Of a law of targets: torch's value and gradient in the logits are S(p, q) and the field, by another code."""
    loss = LOSSES[name]
    q, p, cost = law_from(seed, n, 0.01), law_from(seed + 1, n), cost_for(loss, n)
    logits = torch.log(torch.from_numpy(q))[None, None].requires_grad_()
    value = loss.weighted(logits, torch.from_numpy(p)[None, None], rows_for(loss, n)).sum()
    value.backward()
    assert value.item() == pytest.approx(loss.risk(p, q, cost), rel=1e-6, abs=1e-9)
    assert logits.grad is not None
    np.testing.assert_allclose(logits.grad[0, 0].numpy(), loss.field(p, q, cost), atol=1e-7)
    target = torch.arange(n)[None]
    each = loss.losses(logits.expand(1, n, n), target, rows_for(loss, n))
    np.testing.assert_allclose(each[0].detach().numpy(), loss.values(q, cost), rtol=1e-6, atol=1e-9)


@DESCENDED
@given(seed=st.integers(0, 10_000), n=st.integers(2, 5))
@settings(max_examples=6)
def test_slopes_are_those_of_the_values(name, seed, n):
    """By differences, except where a loss holds factors fixed."""
    loss = LOSSES[name]
    q, cost, h = law_from(seed, n, 0.05), cost_for(loss, n), 1e-6
    by_differences = [(loss.values(q + h * e, cost) - loss.values(q - h * e, cost)) / (2 * h) for e in np.eye(n)]
    np.testing.assert_allclose(loss.slopes(q, cost).T, by_differences, rtol=1e-5, atol=1e-6)


# ------------------------------------------------------------------------------------------------ fixed points
@RESTING
@given(seed=st.integers(0, 10_000), n=st.integers(2, 5))
@settings(max_examples=8)
def test_the_gradient_vanishes_at_the_fixed_point_and_the_flow_finds_it(name, seed, n):
    loss = LOSSES[name]
    p, cost = law_from(seed, n, 0.02), cost_for(loss, n)
    found = loss.fixed_point(p, cost)
    assert found.sum() == pytest.approx(1.0)
    assert residual(loss, p, found, cost) < 1e-9
    if name not in LINEAR:
        assert found.min() > 0
    flow = followed(loss, p, cost, start=law_from(seed + 2, n, 0.02))
    gap = np.partition(p @ cost if cost is not None else -p, 1)[:2] if name in LINEAR else [0.0, 1.0]
    if name in LINEAR and gap[1] - gap[0] < 0.02:
        return  # two point masses are nearly as good
    np.testing.assert_allclose(flow, found, atol=1e-6)


@DESCENDED
@given(seed=st.integers(0, 10_000), n=st.integers(2, 5))
@settings(max_examples=8)
def test_no_law_has_less_risk_than_the_fixed_point(name, seed, n):
    loss = LOSSES[name]
    p, cost = law_from(seed, n, 0.02), cost_for(loss, n)
    least = loss.risk(p, np.maximum(loss.fixed_point(p, cost), 1e-300), cost)
    for k in range(5):
        assert loss.risk(p, law_from(seed + k + 7, n, 1e-3), cost) >= least - 1e-12


@EACH
def test_proper_losses_keep_the_law_and_others_do_not(name):
    loss, p = LOSSES[name], np.array([0.5, 0.3, 0.15, 0.05])
    found = loss.fixed_point(p, cost_for(loss, 4))
    assert loss.proper == (name in PROPER)
    assert (np.abs(found - p).sum() < 1e-12) == loss.proper
    assert loss.proper or np.abs(found - p).sum() > 0.01


@EACH
def test_a_sure_law_is_kept_by_all_but_label_smoothing(name):
    """To rounding: the flow of adaptive losses starts at the uniform law and ends where nothing moves any more."""
    loss, p = LOSSES[name], np.array([0.0, 1.0, 0.0])
    found = loss.fixed_point(p, cost_for(loss, 3))
    assert (found[1] > 1 - 1e-6) == (name != "label_smoothing")


def test_where_the_biased_laws_lie():
    """Flatter for focal loss, sharper for MixCE; the mode and the medoid; EMO with cross-entropy is no point mass."""
    p = np.array([0.4, 0.3, 0.2, 0.1])
    assert LOSSES["focal"].fixed_point(p).max() < p.max() < LOSSES["mixce"].fixed_point(p).max()
    assert LOSSES["total_variation"].fixed_point(p).tolist() == [1, 0, 0, 0]
    cost = cost_for(LOSSES["emo"], 4)
    assert cost is not None
    assert LOSSES["emo"].fixed_point(p, cost).argmax() == (p @ cost).argmin()
    for name in ADAPTIVE:
        assert 0 < LOSSES[name].fixed_point(p, cost).max() < 0.99
    assert LOSSES["total_variation"].fixed_point([0.25] * 4).tolist() == [0.25] * 4
    with pytest.raises(ConfigError, match="embedding cost"):
        LOSSES["emo"].fixed_point(p)


def test_what_is_alike_stays_alike_from_the_uniform_law_on():
    """Equal mean costs, as of two equally likely tokens: the descent has no reason to prefer one."""
    far = 1.0 - np.eye(3)
    for p, expected in (([0.5, 0.5], [0.5, 0.5]), ([0.4, 0.2, 0.4], [0.5, 0.0, 0.5])):
        cost = far[: len(p), : len(p)]
        found = LOSSES["emo"].fixed_point(p, cost)
        assert found.tolist() == expected
        np.testing.assert_allclose(followed(LOSSES["emo"], np.array(p), cost), found, atol=1e-6)


@pytest.mark.parametrize("focus", [0.1, 2.0, 100.0])
def test_focal_loss_flattens_two_tokens_and_may_sharpen_many(focus):
    """The likeliest of a hundred gets too much where all are unlikely; the gradient vanishes at every focus."""
    loss = losses.build({"type": "focal", "focus": focus})
    laws = np.array([0.9, 0.1]), np.array([0.55, 0.45]), np.array([0.7, 0.3, 0.0]), np.array([0.05] + [0.95 / 99] * 99)
    found = [loss.fixed_point(p) for p in laws]
    for p, q in zip(laws, found, strict=True):
        assert residual(loss, p, q) < 1e-9 * np.sum(p * q * loss.pull(np.maximum(q, 1e-300)))
    assert found[0].max() < 0.9
    assert found[1].max() < 0.55
    assert (found[3][0] > 0.05) == (focus <= 2.0)


def test_where_focal_loss_turns():
    q = np.linspace(1e-4, 0.9, 90_000)
    assert q[np.argmax(q * LOSSES["focal"].pull(q))] == pytest.approx(0.104, abs=5e-4)


@pytest.mark.parametrize("p", [[0.7, 0.7], [1.2, -0.2], [np.nan, 1.0], [[0.5, 0.5]]])
def test_what_is_no_law_is_refused(p):
    with pytest.raises(ConfigError, match="p: must be a law"):
        LOSSES["brier"].fixed_point(p)
    with pytest.raises(ConfigError, match="must be a law"):
        LOSSES["brier"].risk([0.5, 0.5], p)
    with pytest.raises(ConfigError, match=r"cost: must have the shape \(2, 2\)"):
        LOSSES["emo"].fixed_point([0.5, 0.5], np.zeros((3, 3)))
