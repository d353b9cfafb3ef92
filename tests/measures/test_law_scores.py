"""Brier score and accuracy against their definitions, token by token; the mean over log lengths against quadrature."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from testbed.measures.law_scores import accuracy, brier_excess, mean_over_log_length


@st.composite
def two_laws(draw):
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    v = draw(st.integers(2, 6))
    laws = generator.dirichlet(np.full(v, draw(st.sampled_from([0.1, 1.0, 10.0]))), size=3)
    return laws, np.log(generator.dirichlet(np.ones(v), size=3))


def expected_brier(p, q) -> float:
    total = 0.0
    for x in range(len(p)):
        total += p[x] * sum((q[v] - (v == x)) ** 2 for v in range(len(p)))
    return total


@given(two_laws())
def test_brier_score_is_least_at_the_truth(case):
    laws, log_q = case
    for p, q, excess in zip(laws, np.exp(log_q), brier_excess(laws, log_q), strict=True):
        assert excess == pytest.approx(expected_brier(p, q) - expected_brier(p, p), abs=1e-12)
        assert 0.0 <= excess <= 2.0


@given(two_laws())
def test_accuracy_is_that_of_the_best_guess(case):
    laws, log_q = case
    for p, q, found in zip(laws, log_q, accuracy(laws, log_q), strict=True):
        assert found == p[max(range(len(p)), key=lambda v: q[v])]
        assert found <= p.max()


def test_ties_are_shared():
    assert accuracy(np.array([0.5, 0.3, 0.2]), np.log([0.4, 0.4, 0.2])) == pytest.approx(0.4)


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=6))
def test_mean_over_log_length_is_the_integral(values):
    lengths = 64 * 2 ** np.arange(len(values))
    x = np.log(lengths)
    area = sum(quad(lambda t: np.interp(t, x, values), a, b)[0] for a, b in pairwise(x))
    assert mean_over_log_length(lengths, values) == pytest.approx(area / (x[-1] - x[0]), abs=1e-8)
    assert mean_over_log_length(lengths, np.full(len(values), 0.3)) == pytest.approx(0.3)


@pytest.mark.parametrize("lengths", [[64], [64, 64], [128, 64]])
def test_lengths_must_rise(lengths):
    with pytest.raises(ValueError, match="lengths: must rise"):
        mean_over_log_length(lengths, [0.0] * len(lengths))
