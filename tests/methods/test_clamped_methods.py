"""Methods that bound logits: the soft cap, and logits of distance alone within a gap."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.methods import methods
from testbed.models import ModelConfig
from testbed.models.attention import AttentionContext, attend, logits_of, masks_and_biases, placed, visible
from testbed.models.transformer import Transformer

T, K = 7, 4


def build(name: str, **values):
    return methods.build({"type": name, **values})


def scores(q, k, *active):
    at = placed(q.shape[-2], "all", ModelConfig(width=2 * K, heads=2).geometry(q.shape[-2]), torch.device("cpu"))
    mask, bias = masks_and_biases(at, list(active))
    return logits_of(bias, AttentionContext(q, k, q, at, visible(mask, at), 0), list(active))


@given(st.floats(0.1, 60.0), st.floats(0.1, 100.0), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_a_soft_cap_is_the_tangent_of_every_score(cap, size, seed):
    """Entry by entry; biases are capped with the rest, keys that are not visible stay so."""
    q, k = size * torch.randn(2, 1, 1, 2, T, K, generator=torch.Generator().manual_seed(seed))
    found = scores(q, k, (build("soft_cap", cap=cap), {}), (build("alibi"), {}))
    for h in range(2):
        for i in range(T):
            for j in range(T):
                if j > i:
                    assert found[0, 0, h, i, j] == -math.inf
                    continue
                a = float(q[0, 0, h, i] @ k[0, 0, h, j]) / math.sqrt(K) - 2.0 ** (-4.0 * (h + 1)) * (i - j)
                assert found[0, 0, h, i, j].item() == pytest.approx(cap * math.tanh(a / cap), rel=1e-4, abs=1e-4)
    seen = found[found.isfinite()]
    assert seen.abs().max() <= cap * (1 + 1e-6)


def test_a_wide_cap_changes_nothing():
    q, k = torch.randn(2, 1, 1, 2, T, K, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(scores(q, k, (build("soft_cap", cap=1e5), {})), scores(q, k), rtol=1e-4, atol=1e-5)


@given(st.floats(0.1, 20.0), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_distance_logits_are_a_softmax_over_distances(gap, seed):
    """Weights by a loop; whatever q and k are; no two logits further apart than the gap."""
    generator = torch.Generator().manual_seed(seed)
    one = build("distance_logits", gap=gap)
    b = 4 * torch.randn(1, 2, T, generator=generator)
    q, k = torch.randn(2, 1, 1, 2, T, K, generator=generator)
    at = placed(T, "all", ModelConfig(width=2 * K, heads=2).geometry(T), torch.device("cpu"))
    eye = torch.eye(T).expand(1, 1, 2, T, T)
    found = attend(q, k, eye, q, at, [(one, {"b": b})], block=0)
    for h in range(2):
        for i in range(T):
            logits = [gap / (1 + math.exp(-float(b[0, h, i - j]))) for j in range(i + 1)]
            assert max(logits) - min(logits) <= gap
            total = sum(map(math.exp, logits))
            for j in range(T):
                expected = math.exp(logits[j]) / total if j <= i else 0.0
                assert found[0, 0, h, i, j].item() == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_distances_beyond_the_training_length_share_the_last_logit():
    model = Transformer(ModelConfig(width=8, depth=1, heads=1, methods=(build("distance_logits"),)), 2, 4)
    row = model.layout.initial_row(0)[None]
    weights = model.layout.views(row)
    weights["method.distance_logits.b"][..., -1] = 3.0
    tokens = torch.randint(0, 2, (1, 3, 9), generator=torch.Generator().manual_seed(0))
    moved = tokens.clone()
    moved[:, :, [0, 3]] = tokens[:, :, [3, 0]]  # five and more steps away: their order says nothing
    with torch.no_grad():
        torch.testing.assert_close(model.logits(weights, tokens), model.logits(weights, moved), rtol=1e-5, atol=1e-6)


def test_all_distances_start_alike_and_one_can_rise_by_the_gap():
    one = build("distance_logits", gap=2.0)
    start = one.parameters(ModelConfig(width=8, heads=2).geometry(5))["b"]
    assert (start.shape, start.std, start.per_block) == ((2, 5), 0.0, True)
    assert 2.0 / (1 + math.exp(-start.mean)) < 0.1


def test_bounds_are_checked():
    for values in ({"type": "soft_cap", "cap": 0.0}, {"type": "distance_logits", "gap": -1.0}):
        with pytest.raises(ConfigError, match="greater than 0|above 0"):
            methods.build(values)
    with pytest.raises(ConfigError, match="exclude each other, both fill position"):
        ModelConfig(methods=("rope", "distance_logits"))
