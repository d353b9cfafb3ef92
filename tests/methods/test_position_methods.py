"""Positions beyond the training length: identities at m, limits of one another, distances pair by pair."""

import math

import numpy as np
import pytest
import torch

from testbed.core import ConfigError
from testbed.methods import Geometry, methods
from testbed.methods.method import AttentionContext
from testbed.models.attention import attend, logits_of, masks_and_biases, placed, scaled, visible

M, K = 8, 16


def build(name: str, **values):
    return methods.build({"type": name, **values})


def scores(method, T: int, train_length: int = M, heads: int = 1, seed: int = 0) -> torch.Tensor:
    """(H, T, T) logits of random q and k with this method, -inf where invisible."""
    q, k = torch.randn(2, 1, 1, heads, T, K, generator=torch.Generator().manual_seed(seed))
    at = placed(T, "all", Geometry(heads * K, heads, 1, train_length), torch.device("cpu"))
    active = [(method, {})]
    mask, bias = masks_and_biases(at, active)
    q, k = scaled(q, k, q, at, mask, active)
    return logits_of(bias, AttentionContext(q, k, q, at, visible(mask, at), 0), active)[0, 0]


def by_distance(T: int, distance, theta, seed: int = 0) -> torch.Tensor:
    """Slow twin: q_i . R(distance(i, j)) k_j / sqrt(K), pair by pair in float64; nan above the diagonal."""
    q, k = torch.randn(2, 1, 1, 1, T, K, generator=torch.Generator().manual_seed(seed)).double()
    found = torch.full((T, T), math.nan, dtype=torch.float64)
    for i in range(T):
        for j in range(i + 1):
            total = 0.0
            for p in range(K // 2):
                angle = distance(i, j) * theta[p]
                a, b = q[0, 0, 0, i, 2 * p : 2 * p + 2].tolist()
                c, d = k[0, 0, 0, j, 2 * p : 2 * p + 2].tolist()
                total += math.cos(angle) * (a * c + b * d) + math.sin(angle) * (a * d - b * c)
            found[i, j] = total / math.sqrt(K)
    return found


THETA = [10_000.0 ** (-2 * i / K) for i in range(K // 2)]


def assert_lower(found: torch.Tensor, expected: torch.Tensor) -> None:
    seen = expected.isfinite()
    torch.testing.assert_close(found.double()[seen], expected[seen], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "name, values, distance",
    [
        ("rope", {}, lambda i, j: i - j),
        ("rerope", {"window": 3}, lambda i, j: min(i - j, 3)),
        ("leaky_rerope", {"window": 3, "k": 4.0}, lambda i, j: i - j if i - j <= 3 else 3 + (i - j - 3) / 4),
        ("leaky_rerope", {"window": 3, "k": 0.5}, lambda i, j: i - j if i - j <= 3 else 3 + (i - j - 3) * 2),
        (
            "self_extend",
            {"window": 4, "group": 3},
            lambda i, j: i - j if i - j <= 4 else i // 3 - j // 3 + 4 - 4 // 3,
        ),
    ],
)
def test_scores_are_those_of_the_stated_distances(name, values, distance):
    T = 20
    assert_lower(scores(build(name, **values), T)[0], by_distance(T, distance, THETA))


def test_limits_of_the_two_range_methods():
    """U7: w >= n is RoPE; k = 1 is RoPE; k = infinity is ReRoPE."""
    T = 14
    rope = scores(build("rope"), T)
    torch.testing.assert_close(scores(build("rerope", window=T), T), rope)
    torch.testing.assert_close(scores(build("leaky_rerope", window=3, k=1.0), T), rope, rtol=1e-4, atol=1e-5)
    far = scores(build("leaky_rerope", window=3, k=1e9), T)
    torch.testing.assert_close(far, scores(build("rerope", window=3), T), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(scores(build("self_extend", window=3, group=1), T), rope, rtol=1e-4, atol=1e-5)
    assert (
        build("rerope", released_code=True).window_of(placed(4, "all", Geometry(16, 1, 1, M), torch.device("cpu"))) == M
    )


@pytest.mark.parametrize("name", ["pi", "ntk", "dynamic_ntk", "yarn", "lm_infinite", "streaming"])
def test_nothing_changes_up_to_the_training_length(name):
    """U8, U15: identities at s = 1."""
    for T in (3, M):
        torch.testing.assert_close(scores(build(name), T), scores(build("rope"), T))
    assert not torch.allclose(scores(build(name), 3 * M), scores(build("rope"), 3 * M))


def test_interpolated_angles_at_n_are_rope_angles_at_m():
    plain = build("rope").frequencies(K, M, M)
    squeezed = build("pi").frequencies(K, 4 * M, M)
    assert [4 * M * theta for theta in squeezed] == pytest.approx([M * theta for theta in plain])
    inverted = build("pi", released_code=True).frequencies(K, 4 * M, M)
    assert inverted == pytest.approx([4 * theta for theta in plain])


def test_ntk_keeps_the_fastest_pair_and_stretches_the_slowest():
    s = 4.0
    plain, stretched = build("rope").frequencies(K, M, M), build("ntk", stretch=s).frequencies(K, M, M)
    assert stretched[0] == plain[0] == 1.0
    assert plain[-1] / stretched[-1] == pytest.approx(s)
    dynamic = build("dynamic_ntk", factor=2.0)
    assert dynamic.stretch_of(3 * M, M) == pytest.approx(2 * 3 - 1)
    assert dynamic.stretch_of(M, M) == 1.0


@pytest.mark.parametrize("ramp", ["turns", "index"])
def test_yarn_keeps_fast_pairs_and_interpolates_slow_ones(ramp):
    yarn, plain = build("yarn", ramp=ramp), build("rope").frequencies(64, 512, 512)
    kept = yarn.kept(plain, 512)
    assert kept[0] == 1.0
    assert kept[-1] == 0.0
    assert np.all(np.diff(kept) <= 0)
    found = yarn.frequencies(64, 2048, 512)
    assert found[0] == plain[0]
    assert found[-1] == pytest.approx(plain[-1] / 4)


def test_alibi_biases_are_added_after_the_division():
    """U9: slopes 2^(-8 h / H), undivided; the released code's is 2^-8 / sqrt(d), for all heads."""
    T, heads = 6, 4
    plain, biased = scores(build("nope"), T, heads=heads), scores(build("alibi"), T, heads=heads)
    released = scores(build("alibi", released_code=True), T, heads=heads)
    for h in range(heads):
        for i in range(T):
            for j in range(i + 1):
                slope = 2.0 ** (-8 * (h + 1) / heads)
                assert (biased - plain)[h, i, j].item() == pytest.approx(-slope * (i - j), abs=1e-5)
                assert (released - plain)[h, i, j].item() == pytest.approx(
                    -(2.0**-8) / math.sqrt(K) * (i - j), abs=1e-5
                )


def test_lm_infinite_sees_the_first_keys_and_a_band_and_caps_distances():
    """U10."""
    T = 3 * M
    found = scores(build("lm_infinite", first=2), T)[0]
    seen = torch.tensor([[j <= i and (i - j < M or j < 2) for j in range(T)] for i in range(T)])
    assert torch.equal(found.isfinite(), seen)
    capped = by_distance(T, lambda i, j: min(i - j, M), THETA)
    torch.testing.assert_close(found[seen].double(), capped[seen], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(scores(build("lm_infinite", released_code=True), T), scores(build("rope"), T))


def test_streaming_keeps_sinks_at_their_places_in_the_cache():
    """U10: the cache holds `sinks` + W keys; a query beyond it stands at its last place."""
    T, sinks = 3 * M, 2
    window = M - sinks
    found = scores(build("streaming", sinks=sinks), T)[0]
    seen = torch.tensor([[j <= i and (i - j < window or j < sinks) for j in range(T)] for i in range(T)])
    assert torch.equal(found.isfinite(), seen)
    assert seen.sum(dim=1).max() == M

    def distance(i, j):
        cache = sorted({*range(min(sinks, i + 1)), *range(max(0, i - window + 1), i + 1)})
        return cache.index(i) - cache.index(j) if j in cache else 0

    expected = by_distance(T, distance, THETA)
    torch.testing.assert_close(found[seen].double(), expected[seen], rtol=1e-4, atol=1e-4)
    absolute = scores(build("streaming", sinks=sinks, released_code=True), T)[0]
    plain = by_distance(T, lambda i, j: i - j, THETA)
    torch.testing.assert_close(absolute[seen].double(), plain[seen], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["pose", "random_positions", "cream"])
def test_training_positions_increase_and_end_below_the_target(name):
    """U11, over 500 steps; a function of seed and step alone; they do use the whole range."""
    one, window, target = build(name, target_length=64, seed=3), 16, 64
    drawn = np.stack([one.training_positions(window, step) for step in range(500)])
    assert drawn.shape == (500, window)
    assert np.all(np.diff(drawn, axis=1) > 0)
    assert drawn.min() >= 0
    assert drawn.max() == target - 1
    assert np.array_equal(drawn[7], one.training_positions(window, 7))
    assert len(np.unique(drawn, axis=0)) > 50
    if name != "random_positions":
        assert np.all(drawn[:, 0] == 0)
    with pytest.raises(ConfigError, match="target_length"):
        one.training_positions(65, 0)


def test_positions_move_rotations_and_biases_but_not_causality():
    T = 5
    q, k, v = torch.randn(3, 1, 1, 1, T, K, generator=torch.Generator().manual_seed(0))
    geometry = Geometry(K, 1, 1, M)
    moved = placed(T, "all", geometry, torch.device("cpu"), torch.tensor([0, 3, 4, 20, 21]))
    rope = build("rope")
    found = attend(q, k, v, v, moved, [(rope, {})], block=0)
    theta = torch.tensor(THETA, dtype=torch.float64)
    for i in range(T):
        logits = []
        for j in range(i + 1):
            angle = (moved.queries_T[i] - moved.keys_T[j]).double() * theta
            a, b = (
                torch.view_as_complex(q.double()[0, 0, 0, i].view(-1, 2)),
                torch.view_as_complex(k.double()[0, 0, 0, j].view(-1, 2)),
            )
            logits.append((a.conj() * b * torch.exp(-1j * angle)).real.sum() / math.sqrt(K))
        w = torch.stack(logits).softmax(dim=0)
        torch.testing.assert_close(found[0, 0, 0, i].double(), w @ v.double()[0, 0, 0, : i + 1], rtol=1e-4, atol=1e-4)
