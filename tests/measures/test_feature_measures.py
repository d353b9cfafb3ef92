"""Spectra, kernel and neighbour estimators: known clouds, golden numbers, slow twins, invariances."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import gaussian_kde, ortho_group

from testbed.core import ConfigError, ResourceError
from testbed.measures.features import (
    alpha_req,
    covariance_eigenvalues,
    diffusion_mutual_information,
    diffusion_spectral_entropy,
    half_log_determinant,
    intrinsic_dimension,
    kernel_entropy,
    log_determinant_bias,
    log_spectrum_sum,
    matrix_entropy,
    participation_ratio,
    rank_me,
    relative_eigenvalues,
    scott_bandwidth,
)
from testbed.measures.features import spectral_entropy as spectral_entropy_module

seeds = st.integers(0, 10_000)


def cloud_with_spectrum(rng, n, values):
    """n points whose sample covariance has exactly these eigenvalues."""
    d = len(values)
    free = rng.normal(size=(n, d))
    free -= free.mean(axis=0)
    u, _, v = np.linalg.svd(free, full_matrices=False)
    return np.sqrt(n - 1) * (u * np.sqrt(values)) @ v + 3.0


# ------------------------------------------------------------------------------------------------ spectra
@given(seeds, st.integers(1, 6), st.integers(0, 10))
def test_a_cloud_of_known_spectrum(seed, d, extra):
    rng = np.random.default_rng(seed)
    values = np.sort(rng.uniform(0.01, 5.0, size=d))[::-1]
    cloud = cloud_with_spectrum(rng, d + 2 + extra, values)
    found = covariance_eigenvalues(cloud)
    assert found == pytest.approx(values, rel=1e-9)
    assert found == pytest.approx(np.linalg.eigvalsh(np.atleast_2d(np.cov(cloud.T)))[::-1], rel=1e-6)  # twin
    relative = values / values[0]
    assert relative_eigenvalues(found) == pytest.approx(relative)
    assert log_spectrum_sum(found, d) == pytest.approx(sum(math.log(x) for x in relative), abs=1e-8)
    assert half_log_determinant(found) == pytest.approx(0.5 * np.log(values).sum(), abs=1e-8)
    assert half_log_determinant(found) == pytest.approx(  # 9.1 (ii)
        log_spectrum_sum(found, d) / 2 + d / 2 * math.log(found[0]), abs=1e-8
    )
    assert participation_ratio(found) == pytest.approx(values.sum() ** 2 / (values**2).sum())
    theta = 0.5
    assert intrinsic_dimension(found, theta) == sum(x > theta for x in relative)


def test_spectra_far_below_rounding_of_the_largest():
    """Relative eigenvalues to 1e-20, where a covariance matrix's own eigenvalues end at 1e-16."""
    values = 10.0 ** -np.arange(0, 21, 2)
    found = covariance_eigenvalues(cloud_with_spectrum(np.random.default_rng(0), 60, values) - 3.0)
    assert relative_eigenvalues(found)[:9] == pytest.approx(values[:9], rel=1e-4)
    assert intrinsic_dimension(found, 3e-9) == 5


@given(seeds, st.floats(0.1, 10.0))
def test_what_scale_and_rotation_move(seed, factor):
    rng = np.random.default_rng(seed)
    cloud = rng.normal(size=(30, 4)) * [3.0, 1.0, 0.5, 0.1]
    turned = factor * cloud @ ortho_group.rvs(4, random_state=seed)
    one, other = covariance_eigenvalues(cloud), covariance_eigenvalues(turned)
    assert other == pytest.approx(factor**2 * one)
    assert log_spectrum_sum(other, 4) == pytest.approx(log_spectrum_sum(one, 4), abs=1e-9)
    assert participation_ratio(other) == pytest.approx(participation_ratio(one))
    assert rank_me(turned) == pytest.approx(rank_me(cloud))
    assert matrix_entropy(turned) == pytest.approx(matrix_entropy(cloud))
    assert alpha_req(other) == pytest.approx(alpha_req(one))
    assert half_log_determinant(other) == pytest.approx(half_log_determinant(one) + 4 * math.log(factor))


@given(seeds, st.integers(2, 12), st.integers(1, 12))
def test_matrix_entropy_and_rank_me_stay_in_their_bounds(seed, n, d):
    z = np.random.default_rng(seed).normal(size=(n, d))
    if d > 1:
        assert matrix_entropy(z) == pytest.approx(matrix_entropy(z.T))  # the dual Gram matrix
    gram = np.linalg.eigvalsh(z @ z.T / np.trace(z @ z.T))
    gram = gram[gram > 1e-14]
    assert matrix_entropy(z) == pytest.approx(-np.sum(gram * np.log(gram)), abs=1e-9)
    assert -1e-12 <= matrix_entropy(z) <= math.log(min(n, d)) + 1e-12
    assert 1 - 1e-12 <= rank_me(z) <= np.linalg.matrix_rank(z) + 1e-9


def test_ranks_and_exponents_of_known_spectra():
    assert rank_me(np.outer(np.ones(5), [1.0, 2.0])) == pytest.approx(1.0)
    assert participation_ratio(np.ones(7)) == pytest.approx(7)
    assert alpha_req(np.arange(1, 51.0) ** -1.3, first=5, last=40) == pytest.approx(1.3)


def test_golden_bias_of_the_sample_log_determinant():
    """Golden: -492, -226, -109 nats for d = 4096 and N = 1e4, 2e4, 4e4 (Marchenko-Pastur)."""
    found = [log_determinant_bias(n, 4096) for n in (10_000, 20_000, 40_000)]
    assert found == pytest.approx([-492, -226, -109], abs=0.7)


def test_bias_of_the_sample_log_determinant_by_simulation():
    """2,000 clouds of 12 points in 4 dimensions; the deviation is under 5 standard errors (false alarm 6e-7)."""
    rng = np.random.default_rng(2)
    found = [half_log_determinant(covariance_eigenvalues(rng.normal(size=(12, 4)))) for _ in range(2_000)]
    error = np.std(found) / math.sqrt(2_000)
    assert abs(np.mean(found) - log_determinant_bias(12, 4)) < 5 * error
    assert error < 0.02


# ------------------------------------------------------------------------------------------------ kernel entropy
@settings(max_examples=5)
@given(seeds, st.integers(1, 4), st.floats(0.05, 2.0))
def test_kernel_entropy_is_scipys(seed, d, bandwidth):
    rng = np.random.default_rng(seed)
    cloud = rng.normal(size=(25, d)) @ rng.normal(size=(d, d)) + 5
    kde = gaussian_kde(cloud.T, bw_method=bandwidth)
    found = kernel_entropy(cloud, bandwidth)
    assert found.entropy == pytest.approx(-np.log(kde(cloud.T)).mean(), abs=1e-6)
    held_out = []
    for i in range(25):  # twin: the others' kernels, with the covariance of all
        others = gaussian_kde(np.delete(cloud, i, axis=0).T, bw_method=bandwidth)
        others.covariance, others.cho_cov = kde.covariance, kde.cho_cov
        held_out.append(-others.logpdf(cloud[i])[0])
    assert found.held_out == pytest.approx(np.mean(held_out), abs=1e-6)


def test_golden_scott_bandwidths():
    """Golden: the paper's "automatic" bandwidths for d = 4096."""
    found = [scott_bandwidth(n, 4096) for n in (10_000, 20_000, 40_000)]
    assert found == pytest.approx([0.997756, 0.997587, 0.997419], abs=5e-7)


@pytest.mark.parametrize("d, n, truth", [(50, 800, -3.29), (200, 500, -147.83)])
def test_in_high_dimension_the_kernel_entropy_is_the_log_determinant(d, n, truth):
    """9.1: equal to the identity, far from the truth; own kernels carry all the density."""
    cloud = np.random.default_rng(0).normal(size=(n, d)) / np.sqrt(np.arange(1, d + 1))
    found = kernel_entropy(cloud)
    assert found.own_share > 0.99
    assert found.entropy == pytest.approx(found.identity, abs=0.05)
    gaussian = d / 2 * math.log(2 * math.pi * math.e) - 0.5 * math.lgamma(d + 1)
    assert gaussian == pytest.approx(truth, abs=5e-3)  # golden
    assert found.entropy < gaussian - 20
    one, two = kernel_entropy(cloud, 0.5), kernel_entropy(cloud, 0.25)
    assert one.entropy - two.entropy == pytest.approx(d * math.log(2), abs=1e-3)  # the "robustness" of the paper's plot


@pytest.mark.parametrize(
    "d, n, golden",
    [
        (50, 5000, -27.70),
        pytest.param(200, 5000, -249.83, marks=pytest.mark.slow),
        pytest.param(512, 1250, -934.15, marks=pytest.mark.slow),
        pytest.param(512, 2500, -901.12, marks=pytest.mark.slow),
        pytest.param(512, 5000, -886.17, marks=pytest.mark.slow),
    ],
)
def test_golden_kernel_entropies(d, n, golden):
    """Golden (lambda_i = 1/i, Scott's h). Each is one draw, of standard deviation sqrt(d / 2n) about its
    exact mean; ours another: both within 5 of it (false alarm 6e-7)."""
    cloud = np.random.default_rng(1).normal(size=(n, d)) / np.sqrt(np.arange(1, d + 1))
    found = kernel_entropy(cloud)
    spread = math.sqrt(d / (2 * n)) / math.sqrt(1 - d / n)
    mean = math.log(n) + d / 2 * math.log(2 * math.pi) + d * math.log(scott_bandwidth(n, d))
    mean += log_determinant_bias(n, d) - 0.5 * math.lgamma(d + 1)
    assert abs(golden - mean) < 5 * spread
    assert abs(found.entropy - mean) < 5 * spread
    assert found.entropy == pytest.approx(found.identity, abs=0.02)


def test_in_two_dimensions_the_kernel_entropy_is_one():
    """Golden: "works only at d <~ 5 (d = 2: error -.02)": within 0.06 here, and far from the identity."""
    cloud = np.random.default_rng(0).normal(size=(4000, 2)) / np.sqrt([1, 2])
    found = kernel_entropy(cloud)
    truth = math.log(2 * math.pi * math.e) - 0.5 * math.log(2)
    assert found.entropy == pytest.approx(truth, abs=0.06)
    assert found.identity > truth + 2
    assert found.own_share < 0.1
    assert found.held_out > found.entropy


# ------------------------------------------------------------------------------------------------ diffusion
@settings(max_examples=20)
@given(seeds, st.floats(0.3, 3.0), st.sampled_from([1.0, 2.0, 5.0]))
def test_diffusion_entropy_is_that_of_the_random_walk(seed, bandwidth, steps):
    """Twin: G by loops with its published factor, and the eigenvalues of D^-1 G itself (not symmetric)."""
    cloud = np.random.default_rng(seed).normal(size=(15, 2))
    affinity = np.array(
        [
            [math.exp(-((a - b) @ (a - b)) / (2 * bandwidth**2)) / (bandwidth * math.sqrt(2 * math.pi)) for b in cloud]
            for a in cloud
        ]
    )
    walk = affinity / affinity.sum(axis=1, keepdims=True)
    weights = np.abs(np.linalg.eigvals(walk)) ** steps
    p = weights / weights.sum()
    p = p[p > 0]
    found = diffusion_spectral_entropy(cloud, bandwidth, steps)
    assert found == pytest.approx(-np.sum(p * np.log(p)), abs=1e-7)
    assert -1e-12 <= found <= math.log(15)


@pytest.mark.parametrize("n_clusters", [1, 3, 5])
def test_many_steps_count_the_clusters(n_clusters):
    rng = np.random.default_rng(0)
    centres = 100.0 * np.arange(n_clusters)
    cloud = np.column_stack([np.repeat(centres, 40), np.zeros(40 * n_clusters)]) + rng.normal(size=(40 * n_clusters, 2))
    assert diffusion_spectral_entropy(cloud, 1.0, steps=1e6) == pytest.approx(math.log(n_clusters), abs=1e-6)
    if n_clusters > 1:
        labels = np.repeat(np.arange(n_clusters), 40)
        found = diffusion_mutual_information(cloud, labels, 1.0, steps=1e6)
        assert found == pytest.approx(math.log(n_clusters), abs=1e-6)
        assert diffusion_mutual_information(cloud, np.zeros(len(cloud)), 1.0) == pytest.approx(0, abs=1e-9)


# ------------------------------------------------------------------------------------------------ domains
CLOUD = np.random.default_rng(0).normal(size=(20, 3))


@pytest.mark.parametrize(
    "ask, error, named",
    [
        (lambda: covariance_eigenvalues(np.ones((5, 2))), ConfigError, "all rows are equal"),
        (lambda: covariance_eigenvalues(CLOUD[:1]), ConfigError, "features: need finite"),
        (lambda: covariance_eigenvalues(CLOUD * np.nan), ConfigError, "features: need finite"),
        (lambda: intrinsic_dimension([1.0, 2.0], 0.1), ConfigError, "eigenvalues"),
        (lambda: intrinsic_dimension([2.0, 1.0], 1.0), ConfigError, "threshold: given 1"),
        (lambda: log_spectrum_sum([2.0, 1.0, 0.0], 3), ConfigError, "n_terms: given 3, must lie in 1 .. rank = 2"),
        (lambda: log_determinant_bias(10, 10), ConfigError, "dimension: given 10"),
        (lambda: alpha_req([2.0, 1.0, 0.0]), ConfigError, "first and last"),
        (lambda: rank_me(np.zeros((3, 3))), ConfigError, "all entries are zero"),
        (lambda: kernel_entropy(CLOUD[:3]), ConfigError, "singular"),
        (lambda: kernel_entropy(CLOUD @ np.ones((3, 3))), ConfigError, "singular"),
        (lambda: kernel_entropy(CLOUD, 0.0), ConfigError, "bandwidth: given 0"),
        (lambda: diffusion_spectral_entropy(CLOUD, 0.0), ConfigError, "bandwidth and steps"),
        (lambda: diffusion_mutual_information(CLOUD, [1], 1.0), ConfigError, "labels"),
    ],
)
def test_outside_their_domain_measures_refuse(ask, error, named):
    with pytest.raises(error, match=named):
        ask()


def test_large_diffusion_matrices_are_refused(monkeypatch):
    monkeypatch.setattr(spectral_entropy_module, "MAX_ROWS", 10)
    with pytest.raises(ResourceError, match="20 rows"):
        diffusion_spectral_entropy(CLOUD, 1.0)


@pytest.mark.parametrize("bandwidth", [np.inf, np.nan, 0.0, 1e-200])
def test_bandwidths_that_are_none_are_refused(bandwidth):
    cloud = np.random.default_rng(0).normal(size=(30, 2))
    with pytest.raises(ConfigError, match="bandwidth"):
        diffusion_spectral_entropy(cloud, bandwidth)
    if bandwidth != 1e-200:
        with pytest.raises(ConfigError, match="bandwidth"):
            kernel_entropy(cloud, bandwidth)
