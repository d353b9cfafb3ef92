"""`released_code`: what the code of 2501.08570 does where it departs from the methods, against loops."""

import math

import numpy as np
import pytest
import torch

from testbed.core import ConfigError
from testbed.methods import Geometry, Method, methods
from testbed.models import ModelConfig
from testbed.models.attention import attend, placed
from testbed.theory import infoscale_ratio

M, K, H = 6, 8, 2
THETA = 10_000.0 ** (-2 * np.arange(K // 2) / K)


def build(name: str, **values) -> Method:
    return methods.build({"type": name, **values})


def inputs(n: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(2, 1, 1, H, n, K, generator=torch.Generator().manual_seed(seed))


def weights(chosen: list[Method], n: int, causal: bool = False) -> np.ndarray:
    """(H, n, n) weights of random queries and keys."""
    q, k = inputs(n)
    at = placed(n, "all", Geometry(H * K, H, 1, M), torch.device("cpu"), causal=causal)
    unit = torch.eye(n).expand(1, 1, H, n, n)
    active = [(one, {}) for one in chosen]
    return attend(q, k, unit, torch.zeros(1, 1, n, H * K), at, active, block=0)[0, 0].double().numpy()


def by_loops(n: int, logit, causal: bool = False) -> np.ndarray:
    """The same of logit(h, i, j, q, k), with q and k as pairs of complex numbers."""
    q, k = (x[0, 0].double().numpy() for x in inputs(n))
    found = np.zeros((H, n, n))
    for h in range(H):
        for i in range(n):
            a = np.full(n, -np.inf)
            for j in range(i + 1 if causal else n):
                a[j] = logit(h, i, j, q[h, i], k[h, j])
            p = np.exp(a - a.max())
            found[h, i] = p / p.sum()
    return found


def rotated(u: np.ndarray, w: np.ndarray, distance: float) -> float:
    """u . R(-distance) w / sqrt(K): rotary scores of a query `distance` behind its key."""
    a, b = u[::2] + 1j * u[1::2], w[::2] + 1j * w[1::2]
    return float((a.conj() * b * np.exp(-1j * distance * THETA)).real.sum() / math.sqrt(K))


def assert_same(found: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("causal", [True, False])
def test_infoscale_counts_the_sequence_takes_all_heads_and_scales_biases(causal):
    n = 15
    factor = infoscale_ratio(n, M, H * K)

    def logit(h, i, j, q, k):
        return factor * (float(q @ k) / math.sqrt(K) - 2.0 ** (-8 * (h + 1) / H) * abs(i - j))

    for chosen in (["infoscale", "alibi"], ["alibi", "infoscale"]):
        made = [build(name, **({"released_code": True} if name == "infoscale" else {})) for name in chosen]
        assert_same(weights(made, n, causal), by_loops(n, logit, causal))
    correct = weights([build("infoscale"), build("alibi")], n, causal)
    assert np.abs(correct - by_loops(n, logit, causal)).max() > 1e-3
    assert build("infoscale", released_code=True, clamped=True).scale(torch.tensor([3]), K, M, {}).item() == 1.0


def test_cosscale_normalises_each_channel_of_the_keys_over_the_window():
    n, alpha = 9, 12.0
    keys = inputs(n)[1][0, 0].double().numpy()

    def logit(h, i, j, q, k):
        return alpha * float(q / np.linalg.norm(q) @ (k / np.linalg.norm(keys[h], axis=0)))

    assert_same(weights([build("cosscale", alpha=alpha, released_code=True)], n), by_loops(n, logit))
    with pytest.raises(ConfigError, match="cosscale reads keys behind the query; take causal = false"):
        ModelConfig(methods=("rope", {"type": "cosscale", "released_code": True}))
    ModelConfig(causal=False, methods=("rope", {"type": "cosscale", "released_code": True}))


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("window", [None, 4])
def test_rerope_gives_keys_behind_the_query_the_sign_of_those_before_it(causal, window):
    n, w = 15, M if window is None else window

    def logit(h, i, j, q, k):
        return rotated(q, k, i - j if abs(i - j) < w else w - 1)

    one = build("rerope", released_code=True, **({} if window is None else {"window": window}))
    assert_same(weights([one], n, causal), by_loops(n, logit, causal))


def test_streaming_keeps_positions_and_shows_the_first_queries_everything():
    n, sinks = 3 * M, 4

    def logit(h, i, j, q, k):
        return rotated(q, k, i - j) if abs(i - j) < M or j < sinks or i < sinks else -np.inf

    assert_same(weights([build("streaming", released_code=True)], n), by_loops(n, logit))


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("name", ["lm_infinite", "banded"])
def test_what_never_runs_is_plain_rope(name, causal):
    one = build(name, released_code=True)
    chosen = [one] if "position" in one.slots else [build("rope"), one]
    assert_same(weights(chosen, 3 * M, causal), weights([build("rope")], 3 * M, causal))


@pytest.mark.parametrize("n", [M, 4 * M])
def test_interpolation_expands(n):
    def logit(h, i, j, q, k):
        return rotated(q, k, (i - j) * n / M)

    assert_same(weights([build("pi", released_code=True)], n), by_loops(n, logit))


def test_alibi_has_one_slope_divided_with_the_scores():
    def logit(h, i, j, q, k):
        return (float(q @ k) - 2.0**-8 * abs(i - j)) / math.sqrt(K)

    assert_same(weights([build("alibi", released_code=True)], 11), by_loops(11, logit))


def test_pose_trains_as_plain_rope():
    one = build("pose", target_length=64, released_code=True)
    assert all(np.array_equal(one.training_positions(8, step), np.arange(8)) for step in range(20))
