"""Bounds and laws of attention entropy, against random rows, simulation and quadrature."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax

from testbed.theory import (
    attention_entropy_floor,
    copy_information_loss,
    freezing_std,
    gaussian_logit_entropy,
    mass_on_one,
    required_gap,
)


def entropy(logits: np.ndarray) -> np.ndarray:
    p = softmax(logits, axis=-1)
    return -np.sum(p * np.log(np.where(p > 0, p, 1.0)), axis=-1)


def test_the_floor_table():
    assert attention_entropy_floor([1, 4, 8, 16], 64) == pytest.approx([4.14, 2.88, 0.18, 1e-4], abs=6e-3)
    assert attention_entropy_floor([1, 4, 8, 16], 4096) == pytest.approx([8.32, 8.28, 5.49, 0.008], abs=6e-3)
    assert attention_entropy_floor(3.0, 1) == 0.0


@given(st.integers(0, 10_000), st.integers(2, 200), st.floats(0.01, 30.0))
def test_no_row_lies_below_the_floor_and_one_spike_attains_it(seed, n, norm):
    """P14, U4."""
    floor = attention_entropy_floor(norm, n)
    rows = np.random.default_rng(seed).standard_t(2, size=(20, n))
    rows *= norm / np.linalg.norm(rows, axis=1, keepdims=True)
    assert np.all(entropy(rows) >= floor - 1e-9)
    spike = np.full(n, -1.0 / (n - 1))
    spike[0] = 1.0
    assert entropy(spike * norm / np.linalg.norm(spike)) == pytest.approx(floor, abs=1e-9)


def test_both_phases_of_gaussian_logits():
    """The annealed phase against simulation at n = 65,536. Finite size is felt long in the frozen one: 30 % there."""
    assert freezing_std(64) == pytest.approx(2.88, abs=0.005)
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(200, 65_536))
    for std in (0.5, 1.5):
        assert entropy(std * rows).mean() == pytest.approx(gaussian_logit_entropy(65_536, std), abs=0.01)
    assert gaussian_logit_entropy(65_536, [0.5, 1.5, 3.0]) == pytest.approx([10.965, 9.965, 6.59], abs=1e-3)
    for std in (12.0, 20.0):
        assert entropy(std * rows).mean() == pytest.approx(gaussian_logit_entropy(65_536, std), rel=0.3)


def test_the_frozen_entropy_is_that_of_poisson_dirichlet_weights():
    """By stick breaking, W_k ~ Beta(1 - a, k a); mean of 4,000 draws within 5.5 standard errors (4e-8)."""
    rng, n = np.random.default_rng(4), 65_536
    for a in (0.2, 0.4):
        sticks = rng.beta(1 - a, a * np.arange(1, 1001), size=(4000, 1000))
        weights = sticks * np.cumprod(np.hstack([np.ones((4000, 1)), 1 - sticks[:, :-1]]), axis=1)
        found = -np.sum(weights * np.log(np.where(weights > 0, weights, 1.0)), axis=1)
        expected = gaussian_logit_entropy(n, freezing_std(n) / a)
        assert found.mean() == pytest.approx(expected, abs=5.5 * found.std() / math.sqrt(4000) + 1e-3)


def test_mass_and_gap_are_inverse():
    for w in (0.1, 0.5, 0.99):
        assert mass_on_one(required_gap(w, 300), 300) == pytest.approx(w)
    assert mass_on_one(5.0, 148) == pytest.approx(0.5, abs=0.003)


def test_mass_is_not_information():
    """Exact loss by enumerating the sum of the distractors' signs, which is binomial: within 1e-3 of the Gaussian."""
    from scipy.stats import binom

    for gap, n, quoted in ((5.0, 4096, 0.026), (5.0, 16_384, 0.28)):
        others = n - 1
        sums = 2.0 * np.arange(others + 1) - others
        law = binom.pmf(np.arange(others + 1), others, 0.5)
        # e^gap is no integer, so v and S could be told apart exactly; the reader resolves the value to one sign, as
        # the Gaussian law does: densities of the two hypotheses one sign apart, by a kernel of width 2
        width = math.exp(gap)
        value = width + sums
        log_ratio = (-((value + width) ** 2) + (value - width) ** 2) / (2 * others)
        loss = float(law @ np.logaddexp(0.0, log_ratio))
        assert copy_information_loss(gap, n) == pytest.approx(loss, abs=1e-3)
        assert copy_information_loss(gap, n) == pytest.approx(quoted, abs=0.008)  # quoted to two digits, by simulation
    assert copy_information_loss(3.0, 1) == 0.0
    assert copy_information_loss(-20.0, 100) == pytest.approx(math.log(2), abs=1e-6)
