"""Entropy without the weights against the explicit one in float64."""

import math

import pytest
import torch

from testbed.core import ConfigError
from testbed.measures import attention_entropy as module
from testbed.measures.attention_entropy import attention_entropy, explicit_entropy

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"))]


def random_qk(*shape: int, scale: float = 1.0, seed: int = 0) -> torch.Tensor:
    return torch.randn(2, *shape, generator=torch.Generator().manual_seed(seed)) * scale


def by_loops(q: torch.Tensor, k: torch.Tensor, causal: bool) -> torch.Tensor:
    """(T,) for q (T, K) and k (T', K), in float64."""
    found = []
    for i in range(len(q)):
        seen = k[: i + 1] if causal else k
        p = (seen.double() @ q[i].double() / math.sqrt(q.shape[1])).softmax(dim=0)
        found.append(-sum(x * math.log(x) for x in p.tolist() if x > 0))
    return torch.tensor(found, dtype=torch.float64)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("shape", [(2, 3, 1, 8), (2, 2, 33, 16), (1, 5, 2, 130, 4), (3, 40, 6)])
@pytest.mark.parametrize("scale", [0.1, 1.0, 3.0])
def test_it_equals_loops(device, causal, shape, scale):
    q, k = random_qk(*shape, scale=scale)
    found = attention_entropy(q.to(device), k.to(device), causal).cpu()
    assert found.shape == shape[:-1]
    slow = explicit_entropy(q.double(), k.double(), causal)
    torch.testing.assert_close(found.double(), slow, rtol=0, atol=1e-4)
    lead = (0,) * (len(shape) - 2)
    torch.testing.assert_close(slow[lead], by_loops(q[lead], k[lead], causal), rtol=0, atol=1e-9)


@pytest.mark.parametrize("T", [1, 4, 12, 13, 40])
@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("scale", [0.3, 3.0])
def test_pieces_join_to_the_whole(T, causal, scale, monkeypatch):
    """Five queries at a time, and few heads; keys of almost no weight too, and scores of either sign."""
    monkeypatch.setattr(module, "ROWS", 5)
    monkeypatch.setattr(module, "CACHED_ENTRIES", 100)
    q, k = random_qk(3, 2, T, 8, scale=scale)
    k[:, :, : T // 2] *= 4  # far keys with all the weight, or none
    for shift in (0.0, -50.0):
        with_constant, ones = torch.cat([q, torch.ones(3, 2, T, 1)], -1), torch.full((3, 2, T, 1), shift)
        u, w = with_constant, torch.cat([k, ones], -1)
        found = attention_entropy(u, w, causal).double()
        torch.testing.assert_close(found, explicit_entropy(u.double(), w.double(), causal), rtol=0, atol=1e-4)


@pytest.mark.parametrize("spread", [0.0, 40.0, 1e3, 1e5])
def test_weights_too_small_for_a_float_count_for_nothing(spread):
    """One key, or two alike, `spread` nats above the rest; and all keys alike."""
    T = 300
    k = torch.zeros(2, T, 4)
    k[0, 7, 0] = k[1, 7:9, 0] = 2 * spread  # divided by sqrt(4)
    q = torch.zeros(2, T, 4)
    q[..., 0] = 1.0
    found = attention_entropy(q, k, causal=False)
    torch.testing.assert_close(found.double(), explicit_entropy(q.double(), k.double(), False), rtol=0, atol=1e-5)
    expected = torch.tensor([math.log(T)] * 2 if spread == 0 else [0.0, math.log(2)])
    torch.testing.assert_close(found, expected[:, None].expand(2, T), rtol=0, atol=1e-5)


def test_what_is_not_finite_or_not_float32_takes_the_explicit_way(monkeypatch):
    q, k = random_qk(2, 20, 4)
    torch.testing.assert_close(attention_entropy(q.double(), k.double()), explicit_entropy(q.double(), k.double()))
    k[0, 12, 1] = math.nan
    found = attention_entropy(q, k)
    assert found[0, 12:].isnan().all()
    assert found[0, :12].isfinite().all()
    assert found[1].isfinite().all()


@pytest.mark.parametrize("device", DEVICES)
def test_it_stays_exact_for_the_largest_logits(device):
    """CosScale's alpha = 256, random and aligned keys."""
    q, k = (x / x.norm(dim=-1, keepdim=True) for x in random_qk(2, 2, 300, 32))
    direction = q[0, 0, 0]
    for aligned in (0.0, 0.9):
        u, w = ((1 - aligned) * x + aligned * direction for x in (q, k))
        u, w = (x / x.norm(dim=-1, keepdim=True) for x in (u, w))
        u = 256 * math.sqrt(32) * u
        found = attention_entropy(u.to(device), w.to(device)).cpu()
        torch.testing.assert_close(
            found.double(), explicit_entropy(u.double(), w.double()), rtol=0, atol=1.5e-4 if aligned else 1e-4
        )


def test_the_explicit_way_forms_rows_in_pieces(monkeypatch):
    q, k = random_qk(2, 3, 20, 4)
    expected = attention_entropy(q, k)
    monkeypatch.setattr(module, "ENTRIES", 2 * 3 * 20 * 7)
    torch.testing.assert_close(explicit_entropy(q, k), expected, rtol=0, atol=1e-5)
    assert module.fused_kernel("cpu") is None


def test_more_keys_than_queries():
    q, k = random_qk(2, 30, 8)
    torch.testing.assert_close(attention_entropy(q[:, :5], k, causal=False), explicit_entropy(q, k, False)[:, :5])
    with pytest.raises(ConfigError, match="do not fit"):
        attention_entropy(q[:, :5], k, causal=True)
    with pytest.raises(ConfigError, match="do not fit"):
        attention_entropy(q[..., :4], k)
