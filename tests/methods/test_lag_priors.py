"""Biases that fall with the distance, and blocks dropped by it, against loops; with rotary positions and without."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import binom

from testbed.core import ConfigError
from testbed.methods import Geometry, Method, methods
from testbed.models import ModelConfig
from testbed.models.attention import attend, placed

E, H, K, M = 2, 2, 4, 8


def build(name: str, **values) -> Method:
    return methods.build({"type": name, **values})


def weights(chosen, n: int, causal: bool = True, positions=None) -> torch.Tensor:
    """(E, H, T, T) weights of random queries and keys; `chosen` has each method's parameters."""
    q, k = torch.randn(2, E, 1, H, n, K, generator=torch.Generator().manual_seed(0))
    at = placed(n, "all", Geometry(H * K, H, 2, M), torch.device("cpu"), positions, causal)
    unit = torch.eye(n).expand(E, 1, H, n, n)
    return attend(q, k, unit, torch.zeros(E, 1, n, H * K), at, chosen, block=0)[:, 0].double()


def log_ratio(one, parameters, n: int, causal: bool = True, others=(), positions=None) -> torch.Tensor:
    """(E, H, T, T) what a bias did to log weights, up to a constant of each row: less that of the query's own key."""
    base = [(other, {}) for other in others]
    found = weights([*base, (one, parameters)], n, causal, positions).log() - weights(base, n, causal, positions).log()
    return found - found.diagonal(dim1=-2, dim2=-1)[..., None]


@pytest.mark.parametrize("others", [(), ("rope",)])
@pytest.mark.parametrize("causal", [True, False])
def test_the_harmonic_bias_is_a_sum_of_reciprocals(causal, others):
    """Alone and on rotary positions; in windows that count up (a table) and others (the digamma function)."""
    n = 3 * M
    for positions in (None, torch.arange(n) * 5 + torch.arange(n) % 3):
        at = np.arange(n) if positions is None else positions.numpy()
        for slope, slopes in ((None, [2.0**-4, 2.0**-8]), (1.5, [1.5, 1.5])):
            rotated = [build(name) for name in others]
            found = log_ratio(build("harmonic", slope=slope), {}, n, causal, rotated, positions)
            for h in range(H):
                for i in range(0, n, 5):
                    for j in range(i + 1 if causal else n):
                        harmonic = sum(1 / r for r in range(1, abs(int(at[i] - at[j])) + 1))
                        assert found[1, h, i, j].item() == pytest.approx(-slopes[h] * harmonic, abs=2e-5)


def test_harmonic_weights_fall_like_a_power():
    """Over equal scores: weight at distance 2 d over that at d tends to 2^-m."""
    n = 2049
    at = placed(n, "last", Geometry(H * K, H, 2, M), torch.device("cpu"))
    bias = build("harmonic", slope=1.5).bias(at, {})[0, 0]
    assert (bias[0] - bias[1024]).item() == pytest.approx(-1.5 * math.log(2), abs=1e-3)


@pytest.mark.parametrize("name", ["kerple_log", "kerple_power"])
def test_kerple_biases_are_their_kernels(name):
    n, generator = 2 * M, torch.Generator().manual_seed(1)
    parameters = {key: torch.randn(E, H, generator=generator) for key in ("u1", "u2")}
    found = log_ratio(build(name), parameters, n)
    for e, h, i, j in np.ndindex(E, H, n, n):
        if j <= i:
            u1, u2, d = float(parameters["u1"][e, h]), float(parameters["u2"][e, h]), i - j
            kernel = math.log1p(math.exp(u2) * d) if name == "kerple_log" else d ** (2 / (1 + math.exp(-u2)))
            assert found[e, h, i, j].item() == pytest.approx(-math.exp(u1) * kernel, rel=1e-4, abs=2e-5)


def test_kerple_learns_both_numbers_of_every_head():
    one, at = build("kerple_power"), placed(5, "all", Geometry(H * K, H, 2, M), torch.device("cpu"))
    parameters = {key: torch.zeros(E, H, requires_grad=True) for key in one.parameters(at.geometry)}
    one.bias(at, parameters).square().sum().backward()
    assert all(p.grad.isfinite().all() and (p.grad != 0).all() for p in parameters.values())
    assert one.bias(at, parameters)[0, 0, 0, 4].tolist() == [-4.0, -3.0, -2.0, -1.0, 0.0]  # ALiBi, of slope 1


# ------------------------------------------------------------------------------------------------ dropped blocks
def kept(one: Method, n: int, causal: bool = True) -> np.ndarray:
    at = placed(n, "all", Geometry(H * K, H, 2, M), torch.device("cpu"), causal=causal)
    return one.mask(at).numpy()


def test_whole_blocks_are_kept_and_all_near_ones():
    n, block = 96, 8
    one = build("probabilistic_blocks", block=block, near=2, seed=3)
    found = kept(one, n, causal=False)
    by_block = found.reshape(n // block, block, n // block, block)
    assert np.array_equal(by_block.all(axis=(1, 3)), by_block.any(axis=(1, 3)))
    near = np.abs(np.arange(n)[:, None] // block - np.arange(n) // block) <= 2
    assert found[near].all()
    assert not found.all()
    assert np.array_equal(found[:50, :50], kept(one, 50, causal=False))  # whatever the window's length
    assert not np.array_equal(found, kept(one.replace(seed=4), n, causal=False))
    assert kept(one.replace(power=0.0), n).all()


def test_the_share_kept_at_each_distance_is_pi():
    """Binomial counts over seeds and blocks, two-sided: 12 tests at 1e-8 each."""
    n, near, power = 40, 1, 1.5
    counts, trials = np.zeros(n), np.zeros(n)
    for seed in range(40):
        found = kept(build("probabilistic_blocks", block=1, near=near, power=power, seed=seed), n)
        for r in range(n):
            counts[r] += np.diagonal(found, -r).sum()
            trials[r] += n - r
    for r in range(0, 36, 3):
        law = binom(trials[r], (1 + max(r - near, 0)) ** -power)
        assert law.cdf(counts[r]) > 5e-9
        assert law.sf(counts[r] - 1) > 5e-9


def test_reweighted_sums_are_right_in_the_mean():
    """The mean over draws of sum_j e^a kept / pi is the sum over all keys; 5.5 standard errors, 4e-8."""
    n = 24
    one = build("probabilistic_blocks", block=2, near=0, power=1.0, reweighted=True)
    at = placed(n, "last", Geometry(H * K, H, 2, M), torch.device("cpu"))
    kernel = torch.rand(n, generator=torch.Generator().manual_seed(5)).double()
    draws = torch.stack(
        [
            (kernel * one.replace(seed=seed).mask(at)[0] * one.bias(at, {})[0].exp().double()).sum()
            for seed in range(600)
        ]
    )
    error = draws.std() / math.sqrt(len(draws))
    assert abs(draws.mean() - kernel.sum()) < 5.5 * error
    assert error < 0.1 * kernel.sum()


def test_bad_parameters_are_refused_by_name():
    for name, values in (
        ("harmonic", {"slope": 0.0}),
        ("kerple_log", {"spread": -1.0}),
        ("probabilistic_blocks", {"block": 0}),
        ("probabilistic_blocks", {"power": -1.0}),
    ):
        with pytest.raises(ConfigError, match=next(iter(values))):
            build(name, **values)
    ModelConfig(methods=("rope", "harmonic", "kerple_log", "probabilistic_blocks"))
