"""Condition number, flatness and entropy of matrices: bounds, invariances, and what kappa does not say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.measures.conditioning import (
    condition_number,
    entropy_bound,
    flatness,
    output_entropy,
    singular_values,
)


def drawn(seed: int, n: int, spread: float) -> np.ndarray:
    """A random matrix whose columns have different sizes."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, n)) * np.exp(spread * rng.standard_normal(n))


@given(seed=st.integers(0, 10**6), n=st.integers(1, 8), spread=st.floats(0, 3), scale=st.floats(1e-3, 1e3))
@settings(max_examples=60, deadline=None)
def test_the_bound_of_the_means_and_its_gap(seed, n, spread, scale):
    """h(W x) is at most that of equal singular values of the same norm, by n/2 ln(1 / flatness); c W has W's shape."""
    matrix = drawn(seed, n, spread)
    gap = float(entropy_bound(matrix) - output_entropy(matrix))
    flat = float(flatness(matrix))
    assert gap >= -1e-9
    assert gap == pytest.approx(-n / 2 * np.log(flat), rel=1e-6, abs=1e-9)
    assert 0 < flat <= 1
    assert float(condition_number(matrix)) >= 1
    for measure in (condition_number, flatness):
        assert float(measure(scale * matrix)) == pytest.approx(float(measure(matrix)), rel=1e-6)


@given(seed=st.integers(0, 10**6), n=st.integers(2, 6), spread=st.floats(0, 2))
@settings(max_examples=30, deadline=None)
def test_the_entropy_is_that_of_the_covariance(seed, n, spread):
    """By hand: 1/2 ln det(2 pi e W W^T)."""
    matrix = drawn(seed, n, spread)
    expected = 0.5 * np.linalg.slogdet(2 * np.pi * np.e * matrix @ matrix.T)[1]
    assert float(output_entropy(matrix)) == pytest.approx(expected, abs=1e-6)


def test_rotations_are_flat_and_singular_matrices_are_not():
    rotation = np.linalg.qr(drawn(0, 5, 0.0))[0]
    assert float(condition_number(rotation)) == pytest.approx(1.0)
    assert float(flatness(rotation)) == pytest.approx(1.0)
    assert float(output_entropy(rotation)) == pytest.approx(float(entropy_bound(rotation)))
    zero = np.diag([1.0, 0.0])
    assert float(condition_number(zero)) == np.inf
    assert float(flatness(zero)) == 0.0
    assert float(output_entropy(zero)) == -np.inf
    assert float(flatness(np.zeros((2, 2)))) == 0.0


def test_of_two_matrices_of_one_norm_the_higher_kappa_may_have_more_entropy():
    """The survey's counterexample, whose numbers are derived here; hence kappa does not order entropies."""
    high, low = (np.diag(s) / np.linalg.norm(s) for s in ([1, 1, 1, 0.3], [1, 0.35, 0.35, 0.35]))
    assert condition_number(high) == pytest.approx(1 / 0.3)
    assert condition_number(low) == pytest.approx(1 / 0.35)
    volumes = [float(np.log(singular_values(one)).sum()) for one in (high, low)]
    assert volumes == pytest.approx([-3.4603, -3.7754], abs=1e-4)
    assert float(output_entropy(high)) > float(output_entropy(low))
    assert float(flatness(high)) > float(flatness(low))


def test_stacks_and_what_is_no_matrix():
    stack = np.stack([drawn(seed, 3, 1.0) for seed in range(4)])
    assert flatness(stack).tolist() == pytest.approx([float(flatness(one)) for one in stack])
    for wrong in (np.ones(3), np.array([[np.nan, 1.0], [1.0, 1.0]]), np.ones((2, 0))):
        with pytest.raises(ConfigError, match="matrix: needs finite numbers"):
            condition_number(wrong)
    with pytest.raises(ConfigError, match="must be square"):
        output_entropy(np.ones((2, 3)))
