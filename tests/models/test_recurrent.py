"""Attention as a recurrence equals attention as weights."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.models import ModelConfig
from testbed.models.recurrent import RecurrentTransformer, features, run, run_cache, state_numbers
from testbed.models.transformer import Transformer

LINEAR = ("linear_elu", "linear_relu", "linear_taylor", "nala")
VOCAB, LENGTH = 5, 7


def network(block, method, causal=True, depth=2, seed=0):
    """A transformer with weights large enough for attention to matter, and these."""
    methods = ("learned", method) if method else ("learned",)
    config = ModelConfig(block=block, width=8, depth=depth, heads=2, methods=methods, causal=causal)
    model = Transformer(config, VOCAB, LENGTH)
    rows = torch.stack([model.layout.initial_row(seed), model.layout.initial_row(seed + 1)])
    weights = {name: 2.0 * one for name, one in model.layout.views(rows).items()}
    return model, weights


def windows(seed=0):
    return torch.randint(0, VOCAB + 1, (2, 3, LENGTH), generator=torch.Generator().manual_seed(seed))


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(("standard", "gau")),
    st.sampled_from((*LINEAR, None)),
    st.booleans(),
    st.sampled_from(("last", "all")),
    st.integers(0, 1000),
)
def test_the_recurrence_has_the_logits_of_the_weights(block, method, causal, read, seed):
    model, weights = network(block, method, causal, seed=seed)
    tokens = windows(seed)
    expected = model.logits(weights, tokens, read)
    found = RecurrentTransformer.of(model).logits(weights, tokens, read)
    assert float(expected.std()) > 0
    torch.testing.assert_close(found, expected, rtol=2e-3, atol=2e-4)


def test_two_queries_by_hand():
    """State and cache after each token, in plain loops."""
    generator = torch.Generator().manual_seed(1)
    phi_q, phi_k = (torch.rand(1, 1, 1, 3, 2, generator=generator) for _ in range(2))
    v = torch.randn(1, 1, 1, 3, 4, generator=generator)
    found, cached = run(phi_q, phi_k, v, [0, 1, 2])[0, 0, 0], run_cache(phi_q, phi_k, v, [0, 1, 2])[0, 0, 0]
    for i in range(3):
        plain = [float(phi_q[0, 0, 0, i] @ phi_k[0, 0, 0, j]) for j in range(i + 1)]
        soft = np.exp(np.array(plain) / np.sqrt(2))
        for weights, one in ((np.array(plain), found[i]), (soft, cached[i])):
            expected = sum(w * v[0, 0, 0, j].numpy() for j, w in enumerate(weights / weights.sum()))
            np.testing.assert_allclose(one.numpy(), expected, rtol=1e-5)


@pytest.mark.parametrize("method", LINEAR)
def test_features_give_the_kernel(method):
    (linear,) = ModelConfig(methods=(method,)).methods
    q, k = torch.randn(2, 1, 1, 1, 4, 3, generator=torch.Generator().manual_seed(2)).unbind(0)
    phi_q, phi_k = features(linear, q, k)
    torch.testing.assert_close(phi_q @ phi_k.transpose(-1, -2), linear.kernel(q, k), rtol=1e-5, atol=1e-6)


def test_all_that_is_kept_is_what_keep_returns():
    """A state that is emptied after a token hides that token and all before it from every later one."""
    model, weights = network("gau", "linear_elu")
    tokens, other = windows(3), windows(4)
    other[:, :, 4:] = tokens[:, :, 4:]

    def forget(block, t, state):
        return torch.zeros_like(state) if t == 3 else state

    found = [RecurrentTransformer.of(model, forget).logits(weights, one) for one in (tokens, other)]
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=0)
    free = [RecurrentTransformer.of(model).logits(weights, one) for one in (tokens, other)]
    assert float((free[0] - free[1]).abs().max()) > 1e-3


def test_sizes_of_states():
    assert state_numbers(ModelConfig(block="gau", width=8, heads=2, depth=3, methods=("linear_taylor",))) == 3 * 21 * 17
    with pytest.raises(ConfigError, match="grows"):
        state_numbers(ModelConfig(methods=("nope",)))


@pytest.mark.parametrize("methods", [("rope", "linear_elu"), ("alibi",), ("nala_rope",), ("linear_elu", "soft_cap")])
def test_what_a_recurrence_has_no_place_for_is_refused(methods):
    model = Transformer(ModelConfig(width=8, heads=2, methods=methods), VOCAB, LENGTH)
    with pytest.raises(ConfigError, match="recurrence"):
        RecurrentTransformer.of(model)


# ------------------------------------------------------------------------------------------------ order
def swapped(tokens, weights, first, second):
    """Both sets exchanged, and their learned positions with them. The separator between them moves as well."""
    places = [0, *range(1, first + 1), first + 1, *range(first + 2, first + 2 + second), first + 2 + second]
    order = [0, *places[first + 2 : first + 2 + second], first + 1, *places[1 : first + 1], places[-1]]
    table = weights["method.learned.position"][:, order]
    return tokens[:, :, order], weights | {"method.learned.position": table}


@pytest.mark.parametrize(("causal", "depth"), [(True, 1), (False, 2)])
@pytest.mark.parametrize("block", ["standard", "gau"])
def test_one_block_and_prefix_reading_cannot_tell_the_orders_apart(block, causal, depth):
    """The order only names positions: with their vectors exchanged, the answer is the same."""
    model, weights = network(block, "linear_elu", causal, depth)
    tokens = windows(5)
    other, moved = swapped(tokens, weights, 1, 3)
    torch.testing.assert_close(model.logits(weights, tokens), model.logits(moved, other), rtol=1e-4, atol=1e-5)


def test_two_causal_blocks_can():
    model, weights = network("gau", "linear_elu")
    tokens = windows(5)
    other, moved = swapped(tokens, weights, 1, 3)
    assert float((model.logits(weights, tokens) - model.logits(moved, other)).abs().max()) > 1e-3
