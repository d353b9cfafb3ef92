"""The table learner's closed form against exact expectations, and the change points against a search."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.predictors import add_constant_law
from testbed.theory import kt_excess, kt_excess_is_trusted, tabular_change_points, tabular_optimal_context


def exact_expected_excess(law: np.ndarray, n: int) -> float:
    """E KL(p || add one half) over multinomial counts, by enumerating every count vector."""
    total = 0.0
    for counts in itertools.product(range(n + 1), repeat=len(law) - 1):
        if sum(counts) <= n:
            full = np.array([*counts, n - sum(counts)])
            ways = math.lgamma(n + 1) - sum(math.lgamma(c + 1) for c in full)
            p = math.exp(ways + float(np.sum(full * np.log(law))))
            total += p * float(np.sum(law * np.log(law / add_constant_law(full))))
    return total


@pytest.mark.parametrize("law", [[0.5, 0.5], [0.7, 0.3], [0.5, 0.3, 0.2]])
def test_leading_order_is_good_where_it_is_trusted(law):
    n = 120
    assert kt_excess_is_trusted(0, len(law), n)
    assert exact_expected_excess(np.array(law), n) == pytest.approx(kt_excess(0, len(law), n), rel=0.05)


def test_far_below_it_overstates():
    """4 symbols, order 5, 300 targets of a random chain: the formula says 5.12 nats, the table learner has under 1."""
    assert kt_excess(5, 4, 300) == pytest.approx(5.12)
    assert not kt_excess_is_trusted(5, 4, 300)
    rng = np.random.default_rng(0)
    laws = rng.dirichlet(np.ones(4), size=4**5)
    contexts = rng.integers(4**5, size=300)
    counts = np.zeros((4**5, 4), dtype=np.int64)
    for context in contexts:
        counts[context, rng.choice(4, p=laws[context])] += 1
    excess = float(np.mean(np.sum(laws * np.log(laws / add_constant_law(counts)), axis=1)))
    assert 0.1 < excess < 1.0


@given(st.integers(2, 5), st.lists(st.floats(0.01, 0.3), min_size=1, max_size=4))
def test_optimal_context_steps_at_the_change_points_where_they_rise(vocab_size, drops):
    h = np.concatenate([[2.0], 2.0 - np.cumsum(drops)])
    points = tabular_change_points(h, vocab_size)
    loss_gap = [
        h[i] + kt_excess(i, vocab_size, p) - h[i + 1] - kt_excess(i + 1, vocab_size, p) for i, p in enumerate(points)
    ]
    assert loss_gap == pytest.approx(np.zeros(len(points)), abs=1e-9)
    if np.all(np.diff(points) > 0):
        sizes = np.concatenate([points * 0.999, points * 1.001])
        expected = np.concatenate([np.arange(len(points)), np.arange(len(points)) + 1])
        assert tabular_optimal_context(h, vocab_size, sizes).tolist() == expected.tolist()


def test_useless_tokens_have_no_change_point():
    assert tabular_change_points([1.0, 0.9, 0.9], 2)[1] == np.inf


def test_bad_arguments_are_named():
    with pytest.raises(ConfigError, match="vocab_size"):
        kt_excess(1, 1, 10)
