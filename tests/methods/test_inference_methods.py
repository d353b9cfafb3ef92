"""What is done to a trained model: rounded keys and values, and HyperAttention, each against loops."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from testbed.core import ConfigError
from testbed.methods import Geometry, Method, methods
from testbed.methods.hyper_attention import gray_rank, halves
from testbed.methods.quantised_cache import normal_levels, rounded
from testbed.models import ModelConfig
from testbed.models.attention import attend, placed, scaled

K, H, M = 8, 2, 8


def build(name: str, **values) -> Method:
    return methods.build({"type": name, **values})


def placement(n: int, causal: bool = True):
    return placed(n, "all", Geometry(H * K, H, 2, M), torch.device("cpu"), causal=causal)


def random_qkv(n: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(3, 1, 2, H, n, K, generator=torch.Generator().manual_seed(seed))


# ------------------------------------------------------------------------------------------------ rounding
@pytest.mark.parametrize("by, whole", [("token", False), ("channel", False), ("channel", True)])
@given(st.integers(0, 10**6), st.integers(1, 8))
@settings(max_examples=10, deadline=None)
def test_numbers_go_to_the_nearest_of_even_levels(by, whole, seed, bits):
    """At most half a step away, on a level, and the ends of their channel or token stay where they are."""
    x = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    found = rounded(x, bits, by, whole).numpy()
    for b, t, c in np.ndindex(2, 6, 4):
        among = x[b, t] if by == "token" else x[b, :, c] if whole else x[b, : t + 1, c]
        levels = np.linspace(among.min().item(), among.max().item(), 2**bits)
        nearest = levels[np.abs(levels - x[b, t, c].item()).argmin()]
        assert found[b, t, c] == pytest.approx(nearest, abs=1e-12)
        assert abs(found[b, t, c] - x[b, t, c].item()) <= (levels[1] - levels[0]) / 2 + 1e-12


def test_one_outlying_channel_costs_tokens_and_not_channels():
    """What KVQuant rounds keys by channel for: a token's levels span the outlier, another channel's do not."""
    k = torch.randn(64, K, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    k[:, 2] *= 100.0
    error = {by: (rounded(k, 3, by, True) - k)[:, [0, 1, 3]].square().mean().sqrt() for by in ("token", "channel")}
    assert error["token"] > 5 * error["channel"]


@pytest.mark.parametrize("by, whole", [("token", False), ("channel", False), ("channel", True)])
@pytest.mark.parametrize("levels", ["even", "normal"])
@given(st.integers(0, 10**6))
@settings(max_examples=4, deadline=None)
def test_outliers_are_kept_and_the_others_go_to_levels_between_the_inner_ends(by, whole, levels, seed):
    """Half of the share at either end, rounded down, is left as it is; the others go to the nearest level."""
    x = torch.randn(2, 7, 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    share, bits = 0.4, 2
    found = rounded(x, bits, by, whole, levels, share).numpy()
    at = np.linspace(0, 1, 2**bits) if levels == "even" else np.array(normal_levels(bits))
    for b, t, c in np.ndindex(2, 7, 6):
        among = np.sort((x[b, t] if by == "token" else x[b, :, c] if whole else x[b, : t + 1, c]).numpy())
        apart = math.floor(share * len(among) / 2)
        low, high, value = among[apart], among[len(among) - 1 - apart], x[b, t, c].item()
        if value < low or value > high:
            assert found[b, t, c] == value
        else:
            expected = low + at * (high - low)
            assert np.abs(found[b, t, c] - value) == pytest.approx(np.abs(expected - value).min(), abs=1e-12)


def test_normal_levels_are_quantiles_and_suit_normal_numbers():
    from scipy.stats import norm

    levels = np.array(normal_levels(3))
    quantiles = norm.ppf((np.arange(8) + 0.5) / 8)
    np.testing.assert_allclose(levels, (quantiles - quantiles[0]) / np.ptp(quantiles), atol=1e-12)
    x = torch.randn(4000, K, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    error = {one: (rounded(x, 3, "channel", True, one) - x).square().mean() for one in ("even", "normal")}
    assert error["normal"] < error["even"]
    apart = (rounded(x, 3, "channel", True, "even", 0.01) - x).square().mean()
    assert apart < 0.6 * error["even"]  # the levels span 5.2 standard deviations and not 7


def test_errors_halve_with_each_bit():
    x = torch.randn(4000, K, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    errors = [(rounded(x, bits, "channel", True) - x).square().mean().sqrt() for bits in (6, 7, 8, 9)]
    steps = [errors[i] / errors[i + 1] for i in range(3)]
    assert [float(one) for one in steps] == pytest.approx([2.0, 2.0, 2.0], rel=0.05)


@pytest.mark.parametrize("rotated", [False, True])
def test_keys_are_rounded_before_positions_enter_or_after(rotated):
    """With rotary positions the two differ; what is done before is undone by no rotation."""
    n, rope = 12, build("rope")
    at = placement(n)
    q, k, v = random_qkv(n)
    one = build("quantised_cache", key_bits=3, value_bits=2, rotated=rotated)
    active = [(one, {}), (rope, {})]
    found_q, found_k = scaled(q, k, v, at, None, active)

    def turn(x):
        return rope.rotate(x, at.keys_T, at, {})

    expected = rounded(turn(k), 3, "channel", False) if rotated else turn(rounded(k, 3, "channel", False))
    torch.testing.assert_close(found_k, expected)
    torch.testing.assert_close(found_q, turn(q))
    kept_v = rounded(v, 2, "token", False)
    found = attend(q, k, v, v, at, active, block=0)
    torch.testing.assert_close(found, attend(found_q, found_k, kept_v, v, at, [], block=0), rtol=1e-4, atol=1e-5)
    other = scaled(q, k, v, at, None, [(one.replace(rotated=not rotated), {}), (rope, {})])[1]
    assert (other - found_k).abs().max() > 1e-2


def test_many_bits_or_none_leave_attention_alone():
    n = 9
    q, k, v = random_qkv(n)
    plain = attend(q, k, v, v, placement(n), [], block=0)
    none = build("quantised_cache", key_bits=0, value_bits=0)
    assert torch.equal(attend(q, k, v, v, placement(n), [(none, {})], block=0), plain)
    many = build("quantised_cache", key_bits=16, value_bits=16, keys_by="token", values_by="channel")
    found = attend(q, k, v, v, placement(n), [(many, {})], block=0)
    torch.testing.assert_close(found, plain, rtol=1e-3, atol=1e-4)
    assert not many.is_explicit


def test_gradients_pass_straight_through():
    x = torch.randn(5, K, generator=torch.Generator().manual_seed(2), requires_grad=True)
    found = rounded(x, 2, "channel", False)
    torch.testing.assert_close(found.detach(), rounded(x.detach(), 2, "channel", False))
    (3 * found).sum().backward()
    assert torch.equal(x.grad, torch.full_like(x, 3.0))


# ------------------------------------------------------------------------------------------------ HyperAttention
def test_the_gray_rank_puts_neighbours_one_sign_apart():
    for r in (1, 3, 5):
        signs = torch.tensor([[(code >> bit) & 1 for bit in range(r)] for code in range(2**r)], dtype=torch.bool)
        rank = gray_rank(signs)
        assert sorted(rank.tolist()) == list(range(2**r))
        ordered = signs[rank.argsort()].int()
        assert (ordered.diff(dim=0).abs().sum(dim=1) == 1).all()


def test_halves_cover_every_pair_beyond_the_exact_parts_once():
    for n, least in ((7, 2), (20, 3), (16, 16), (33, 4)):
        times = np.zeros((n, n), dtype=int)
        for keys, first, stop in halves(0, n, least):
            times[first:stop, keys] += 1
        for i in range(n):
            for j in range(i + 1):
                assert times[i, j] == (0 if self_part(i, n, least) == self_part(j, n, least) else 1)
        assert (np.triu(times) == 0).all()


def self_part(i: int, n: int, least: int) -> tuple[int, int]:
    """The exact part that a place lies in."""
    start, stop = 0, n
    while stop - start > least:
        middle = (start + stop) // 2
        start, stop = (start, middle) if i < middle else (middle, stop)
    return start, stop


def hyper_twin(one, q: np.ndarray, k: np.ndarray, causal: bool, head: int) -> np.ndarray:
    """(T, T) weights of one head by loops over queries and parts."""
    n = len(q)
    rows = np.random.default_rng([one.seed, 0]).standard_normal((K, one.projections)).astype(np.float32)

    def rank(x):
        signs = (x @ rows > 0).astype(int)
        return [int("".join(map(str, np.bitwise_xor.accumulate(row))), 2) for row in signs]

    rank_q, rank_k = rank(q), rank(k)
    c = np.ones((n, n)) * (np.tri(n) if causal else 1.0)
    parts = [(slice(0, n), 0, n)] if not causal else list(halves(0, n, one.least))
    for keys, first, stop in parts:
        places = list(range(n))[keys]
        by_rank = sorted(places, key=lambda j: rank_k[j])  # stable
        m = min(one.samples, len(places))
        rng = np.random.default_rng([one.seed, 0, keys.start, len(places)])
        drawn = [set(keys.start + rng.choice(len(places), m, replace=False)) for _ in range(head + 1)][head]
        for i in range(first, stop):
            before = sum(rank_k[j] < rank_q[i] for j in places)
            until = sum(rank_k[j] <= rank_q[i] for j in places)
            own = min((before + until) // 2, len(places) - 1) // one.block
            block = set(by_rank[own * one.block : (own + 1) * one.block])
            for j in places:
                c[i, j] = 1.0 if j in block or i == j else len(places) / m if j in drawn else 0.0
    a = np.exp(q @ k.T / math.sqrt(K))
    return c * a / (c * a).sum(axis=1, keepdims=True)


@pytest.mark.parametrize("causal", [True, False])
def test_hyper_attention_is_blocks_and_a_sample(causal):
    n = 21
    q, k, _ = random_qkv(n, 3)
    one = build("hyper_attention", block=3, samples=2, least=4, projections=3, seed=5)
    unit = torch.eye(n).expand(1, 2, H, n, n)
    found = attend(q, k, unit, q, placement(n, causal), [(one, {})], block=0)
    for b in range(2):
        for h in range(H):
            twin = hyper_twin(one, q[0, b, h].numpy(), k[0, b, h].numpy(), causal, h)
            np.testing.assert_allclose(found[0, b, h].numpy(), twin, atol=1e-5)
    zeros = found == 0
    assert zeros.sum() > (n * (n - 1) // 2) * 2 * H * causal + 50
    some = placed(n, torch.tensor([2, 9, 20]), Geometry(H * K, H, 2, M), torch.device("cpu"), causal=causal)
    chosen = attend(q[..., [2, 9, 20], :], k, unit, q, some, [(one, {})], block=0)
    torch.testing.assert_close(chosen, found[..., [2, 9, 20], :])


@pytest.mark.parametrize("values", [{"block": 64}, {"samples": 64}, {"least": 40}])
@pytest.mark.parametrize("causal", [True, False])
def test_hyper_attention_is_exact_where_blocks_sample_or_least_cover_all(values, causal):
    n = 40
    q, k, v = random_qkv(n, 4)
    one = build("hyper_attention", **{"block": 2, "samples": 2, "least": 4} | values)
    found, plain = (attend(q, k, v, v, placement(n, causal), chosen, block=0) for chosen in ([(one, {})], []))
    torch.testing.assert_close(found, plain, rtol=1e-4, atol=1e-5)


def test_sums_of_the_sample_are_right_in_the_mean():
    """Over seeds, for even keys: weights of keys far from the query's block; 5.5 standard errors, 4e-8."""
    n, draws = 16, 120
    at = placed(n, "last", Geometry(H * K, H, 2, M), torch.device("cpu"))
    k = torch.randn(1, 1, H, n, K, generator=torch.Generator().manual_seed(6))
    q, unit = torch.zeros(1, 1, H, 1, K), torch.eye(n).expand(1, 1, H, n, n)
    counted = []
    for seed in range(draws):
        one = build("hyper_attention", block=1, samples=3, least=8, seed=seed)
        w = attend(q, k, unit, torch.zeros(1, 1, 1, H * K), at, [(one, {})], block=0)[0, 0, :, 0]
        counted.append((w / w[:, -1:])[:, :8].sum(dim=1))  # over e^a of the query's own key: sum of c
    c = torch.stack(counted).double().flatten()
    error = c.std() / math.sqrt(len(c))
    # one of eight keys is in the block; of seven others each is drawn with probability 3 / 8, and counts 8 / 3
    assert abs(c.mean() - 8.0) < 5.5 * error
    assert error < 0.3


def test_vectors_hash_alike_with_the_angles_probability():
    """(1 - t / pi)^r: binomial, two-sided 1e-7 each."""
    draws = 3000
    for angle, r in ((0.4, 1), (0.4, 7), (1.5, 3)):
        rows = torch.randn(draws, 2, r, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
        one, other = (torch.tensor([math.cos(t), math.sin(t)], dtype=torch.float64) for t in (0.0, angle))
        alike = (gray_rank(one @ rows > 0) == gray_rank(other @ rows > 0)).sum().item()
        law = binom(draws, (1 - angle / math.pi) ** r)
        assert 5e-8 < law.cdf(alike) < 1 - 5e-8


def test_bad_parameters_and_rivals_are_refused_by_name():
    for name, values in (
        ("quantised_cache", {"key_bits": 17}),
        ("quantised_cache", {"keys_by": "head"}),
        ("quantised_cache", {"outliers": 0.6}),
        ("quantised_cache", {"levels": "uneven"}),
        ("hyper_attention", {"block": 0}),
        ("hyper_attention", {"projections": 31}),
    ):
        with pytest.raises(ConfigError, match=next(iter(values))):
            build(name, **values)
    with pytest.raises(ConfigError, match="quantised_cache and quantised_cache exclude each other, both fill cache"):
        ModelConfig(methods=("quantised_cache", "rope", "quantised_cache"))
    with pytest.raises(ConfigError, match="hyper_attention and entmax15 exclude each other, both fill normaliser"):
        ModelConfig(methods=("hyper_attention", "entmax15"))
    ModelConfig(methods=("rope", "hyper_attention", "quantised_cache", "soft_cap"))
