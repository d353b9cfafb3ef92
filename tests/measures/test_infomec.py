"""InfoM, InfoC, InfoE: made-up codes whose values are known, slow twins, invariances."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.measures.features.infomec import (
    compactness,
    equal_frequency_bins,
    info_mec,
    live_latents,
    modularity,
    mutual_information,
    normalised_information,
)

seeds = st.integers(0, 10_000)


def two_factors(n, seed=0):
    rng = np.random.default_rng(seed)
    return np.stack([rng.integers(0, 3, n), rng.integers(0, 2, n)], axis=1)


def one_hot(factors):
    return np.concatenate([np.eye(3)[factors[:, 0]], np.eye(2)[factors[:, 1]]], axis=1)


# ------------------------------------------------------------------------------------------------ formulas
@given(seeds, st.integers(2, 5), st.integers(1, 6))
def test_the_two_ratios_by_loops(seed, k, d):
    information = np.random.default_rng(seed).random((k, d))
    ratios = []
    for j in range(d):
        column = [information[i, j] for i in range(k)]
        ratios.append(max(column) / sum(column))
    assert modularity(information) == pytest.approx((sum(ratios) / d - 1 / k) / (1 - 1 / k))
    if d > 1:
        rows = [max(row) / sum(row) for row in information.tolist()]
        assert compactness(information) == pytest.approx((sum(rows) / k - 1 / d) / (1 - 1 / d))
        assert compactness(information) == modularity(information.T)
    assert -1e-12 <= modularity(information) <= 1 + 1e-12


@given(seeds, st.integers(2, 4), st.integers(2, 5))
def test_names_and_sizes_do_not_matter(seed, k, d):
    """Order of latents and factors, and the size of a latent's information (InfoM) or a factor's (InfoC)."""
    rng = np.random.default_rng(seed)
    information = rng.random((k, d)) + 0.01
    moved = information[rng.permutation(k)][:, rng.permutation(d)]
    assert modularity(moved) == pytest.approx(modularity(information))
    assert compactness(moved) == pytest.approx(compactness(information))
    assert modularity(information * rng.uniform(0.1, 2, d)) == pytest.approx(modularity(information))
    assert compactness(information * rng.uniform(0.1, 2, (k, 1))) == pytest.approx(compactness(information))


def test_nothing_told_has_no_ratio():
    assert math.isnan(modularity(np.zeros((2, 3))))
    assert math.isnan(compactness(np.zeros((2, 1))))
    assert compactness(np.ones((2, 1))) == 1.0


# ------------------------------------------------------------------------------------------------ information
@given(seeds, st.integers(2, 5), st.integers(2, 5), st.integers(5, 60))
def test_mutual_information_by_loops(seed, a, b, n):
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, a, n), rng.integers(0, b, n)
    total = 0.0
    for i in range(a):
        for j in range(b):
            p = np.mean((x == i) & (y == j))
            if p > 0:
                total += p * math.log(p / (np.mean(x == i) * np.mean(y == j)))
    assert mutual_information(x, y) == pytest.approx(total, abs=1e-12)


@given(seeds, st.integers(2, 6), st.integers(10, 50))
def test_bins_hold_equally_many_and_part_no_ties(seed, n_bins, n):
    rng = np.random.default_rng(seed)
    values = rng.permutation(n).astype(float)
    counts = np.bincount(equal_frequency_bins(values, n_bins), minlength=n_bins)
    assert counts.max() - counts.min() <= 1
    few = rng.integers(0, 3, n).astype(float)
    bins = equal_frequency_bins(few, n_bins)
    assert all(len(set(bins[few == one])) <= 1 for one in range(3))
    assert np.array_equal(bins, equal_frequency_bins(2.0 - 0.5 * -few, n_bins))


def test_latents_of_chance_tell_of_nothing():
    """Gaussian noise has no ratio, with few bins and many; without shuffles it all would count. What is told stays."""
    factors = two_factors(2000)
    latents = np.random.default_rng(1).normal(size=(2000, 8))
    for n_bins in (4, 16):
        assert normalised_information(factors, latents, n_bins).max() == 0
    found = info_mec(factors, latents, n_bins=4)
    assert math.isnan(found.modularity)
    assert math.isnan(found.compactness)
    assert not found.live.any()
    assert normalised_information(factors, latents, 16, 0).min() > 0
    latents[:, 0] += factors[:, 1]
    told = normalised_information(factors, latents, 4)
    assert told[1, 0] > 0.05
    assert np.count_nonzero(told) == 1


def test_information_is_less_the_shuffles_mean():
    """By hand, from the same stream of shuffles."""
    factors = two_factors(300)
    latent = (factors[:, 0] + np.random.default_rng(2).normal(size=300))[:, None]
    rng = np.random.Generator(np.random.Philox(key=5))
    bins = equal_frequency_bins(latent[:, 0], 4)
    null = [mutual_information(rng.permutation(factors[:, 0]), bins) for _ in range(6)]
    true = mutual_information(factors[:, 0], bins)
    p = np.bincount(factors[:, 0]) / 300
    right = (true - np.mean(null)) / -np.sum(p * np.log(p))
    assert normalised_information(factors, latent, 4, 6, seed=5)[0, 0] == pytest.approx(right)


# ------------------------------------------------------------------------------------------------ made-up codes
def test_a_modular_and_compact_code():
    """One latent a factor: the first of three levels, the second of two."""
    factors = two_factors(900)
    found = info_mec(factors, factors.astype(float), n_bins=4)
    assert found.modularity == pytest.approx(1.0, abs=0.02)
    assert found.compactness == pytest.approx(1.0, abs=0.02)
    assert found.explicitness > 0.9
    assert found.explicitness == pytest.approx(np.mean(found.told))


def test_a_modular_code_that_is_not_compact():
    factors = two_factors(900)
    found = info_mec(factors, one_hot(factors), n_bins=4)
    assert found.modularity > 0.97
    assert found.compactness < 0.5
    assert found.explicitness > 0.97


def test_an_entangled_code_is_explicit_or_not():
    """A rotation keeps what a linear probe reads; the exclusive or of two bits hides both from it."""
    rng = np.random.default_rng(3)
    factors = two_factors(900)
    turned = one_hot(factors) @ np.linalg.qr(rng.normal(size=(5, 5)))[0]
    found = info_mec(factors, turned, n_bins=4)
    assert found.modularity < 0.6
    assert found.explicitness > 0.97
    bits = rng.integers(0, 2, (900, 2))
    hidden = np.stack([bits[:, 0] ^ bits[:, 1], rng.integers(0, 2, 900)], axis=1) + 0.01 * rng.normal(size=(900, 2))
    assert info_mec(bits, hidden, n_bins=4).explicitness < 0.05


def test_latents_that_hardly_move_do_not_count():
    factors = two_factors(300)
    latents = np.concatenate([factors, 0.04 * factors, np.zeros((300, 1))], axis=1).astype(float)
    assert live_latents(latents).tolist() == [True, True, False, False, False]
    assert info_mec(factors, latents, n_bins=4).live.tolist() == [True, True, False, False, False]


@given(seeds)
@settings(max_examples=10)
def test_scale_and_shift_of_latents_do_not_matter(seed):
    rng = np.random.default_rng(seed)
    factors, latents = two_factors(200, seed), rng.normal(size=(200, 3)) + two_factors(200, seed)[:, :1]
    moved = latents * np.array([2.0, -3.0, 0.5]) + 1.0
    found, other = (normalised_information(factors, one * np.array([1, -1, 1]), 4, 2) for one in (latents, moved))
    np.testing.assert_allclose(found[:, [0, 2]], other[:, [0, 2]], atol=1e-12)


@pytest.mark.parametrize(
    ("factors", "n_bins", "message"),
    [
        (np.zeros((10, 1), dtype=int), 4, "factors: need whole numbers"),
        (np.zeros((10, 2)), 4, "factors: need whole numbers"),
        (np.zeros((10, 2), dtype=int), 4, "never varies"),
        (-np.eye(10, 2, dtype=int), 4, "labels are numbers from 0 on"),
        (np.eye(10, 2, dtype=int), 1, "n_bins"),
    ],
)
def test_bad_arguments_are_named(factors, n_bins, message):
    with pytest.raises(ConfigError, match=message):
        info_mec(factors, np.random.default_rng(0).normal(size=(10, 2)), n_bins=n_bins)
