"""Dimension and entropy from nearest neighbours: known clouds, a search over all pairs, intervals that cover."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ortho_group

from testbed.core import ConfigError
from testbed.measures.features import (
    covariance_eigenvalues,
    intrinsic_dimension,
    knn_dimension,
    knn_entropy,
    neighbour_distances,
    participation_ratio,
    two_nn_dimension,
)

seeds = st.integers(0, 10_000)


# ------------------------------------------------------------------------------------------------ neighbours
@settings(max_examples=20)
@given(seeds, st.integers(1, 4), st.integers(1, 5))
def test_neighbours_are_a_search_over_all_pairs(seed, d, k):
    cloud = np.random.default_rng(seed).normal(size=(25, d))
    pairs = np.sqrt(((cloud[:, None] - cloud) ** 2).sum(axis=-1))
    np.fill_diagonal(pairs, np.inf)
    assert neighbour_distances(cloud, k) == pytest.approx(np.sort(pairs, axis=1)[:, :k])


@pytest.mark.parametrize("d", [1, 2, 3])
def test_dimension_and_entropy_of_a_cube(d):
    """Uniform on [0, a]^d without a border (a torus would be exact; the border's share is small): H = d ln a."""
    n, side = 8_000, 2.5
    cloud = np.random.default_rng(d).random((n, d)) * side
    assert two_nn_dimension(cloud) == pytest.approx(d, rel=0.06)
    found = knn_dimension(cloud, 2)
    assert abs(found.value - d) < 5 * d / math.sqrt(n) + 0.02 * d
    assert found.lower < found.value < found.upper
    assert 1.0 < (found.upper - found.lower) / (2 * 1.96 * d / math.sqrt(n)) < 1.8  # wider than independent terms
    assert knn_entropy(cloud) == pytest.approx(d * math.log(side), abs=0.08)


def test_dimension_of_a_sphere_in_many_coordinates():
    """The 2-sphere, turned into 10 dimensions, has dimension 2 for neighbours and 3 for the spectrum."""
    rng = np.random.default_rng(0)
    points = rng.normal(size=(6_000, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    cloud = np.pad(points, ((0, 0), (0, 7))) @ ortho_group.rvs(10, random_state=0)
    assert two_nn_dimension(cloud) == pytest.approx(2, rel=0.06)
    assert knn_dimension(cloud, 8).value == pytest.approx(2, rel=0.05)
    assert intrinsic_dimension(covariance_eigenvalues(cloud), 1e-6) == 3
    assert participation_ratio(covariance_eigenvalues(cloud)) == pytest.approx(3, rel=0.01)


@pytest.mark.parametrize("d", [1, 2, 4])
def test_entropy_of_a_gaussian(d):
    rng = np.random.default_rng(7)
    spread = np.arange(1, d + 1) / 2
    cloud = rng.normal(size=(10_000, d)) * spread
    truth = d / 2 * math.log(2 * math.pi * math.e) + np.log(spread).sum()
    assert knn_entropy(cloud) == pytest.approx(truth, abs=0.09)


@given(seeds, st.floats(0.1, 10))
def test_what_scale_moves_of_the_neighbour_estimates(seed, factor):
    cloud = np.random.default_rng(seed).normal(size=(60, 3))
    assert knn_entropy(factor * cloud) == pytest.approx(knn_entropy(cloud) + 3 * math.log(factor))
    assert two_nn_dimension(factor * cloud) == pytest.approx(two_nn_dimension(cloud))
    assert knn_dimension(factor * cloud, 5).value == pytest.approx(knn_dimension(cloud, 5).value)


def test_intervals_of_the_dimension_cover():
    """400 flat tori of 300 points: 95 % intervals cover the dimension 2 in 89 to 99.5 % (5 sd below 95 %)."""
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(400):
        angle, other = rng.random((2, 300)) * 2 * np.pi
        cloud = np.column_stack([np.cos(angle), np.sin(angle), np.cos(other), np.sin(other)])
        found = knn_dimension(cloud, 2)
        hits += found.lower < 2 < found.upper
    assert 0.89 <= hits / 400 <= 0.995


CLOUD = np.random.default_rng(0).normal(size=(20, 3))


@pytest.mark.parametrize(
    "ask, named",
    [
        (lambda: knn_entropy(np.repeat(CLOUD, 2, axis=0)), "40 of 40 rows coincide"),
        (lambda: neighbour_distances(CLOUD, 20), "n_neighbours: given 20"),
        (lambda: knn_dimension(CLOUD, 1), "n_neighbours: given 1"),
        (lambda: knn_dimension(CLOUD, 3, level=1.0), "level"),
        (lambda: two_nn_dimension(CLOUD, 1.0), "discarded"),
        (lambda: two_nn_dimension(np.arange(10.0)[:, None], 0.5), "equally far"),
    ],
)
def test_outside_their_domain_neighbours_refuse(ask, named):
    with pytest.raises(ConfigError, match=named):
        ask()
