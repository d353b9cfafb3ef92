"""Laws on the dyadic grid: exact sums, no outcome lost or invented, least distortion, and errors that name the row."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core.errors import ConfigError
from testbed.sources.dyadic import CERTAIN_64, check_rows, quantise, quantise64

masses = st.one_of(st.just(0.0), st.floats(1e-300, 1e-12), st.floats(1e-12, 1.0))


@st.composite
def laws(draw, max_outcomes=9):
    row = np.array(draw(st.lists(masses, min_size=1, max_size=max_outcomes)))
    row[draw(st.integers(0, len(row) - 1))] += 1.0
    return row / row.sum()


def quantise_slowly(law, total):
    """The rule of `quantise` on fractions, one row, one unit at a time; without forced weights only."""
    whole = sum(Fraction(float(p)) for p in law)
    exact = [Fraction(float(p)) * total / whole for p in law]
    weights = [int(x) for x in exact]
    while sum(weights) < total:
        weights[max(range(len(law)), key=lambda i: (exact[i] - weights[i], -i))] += 1
    return weights


@given(laws(), st.sampled_from([8, 16, 32]))
def test_rows_sum_exactly_and_keep_their_support(law, total_bits):
    weights = quantise(law, total_bits=total_bits)
    assert weights.dtype == np.int64
    assert weights.sum() == 2**total_bits
    assert ((weights > 0) == (law > 0)).all()


@given(laws())
def test_weights_are_within_one_unit_but_for_the_forced(law):
    weights = quantise(law)
    forced = np.count_nonzero((law > 0) & (law * 2**32 < 1))
    assert np.abs(weights - law * 2.0**32).max() < 1 + forced + 1e-5


@given(st.lists(st.integers(1, 2**20), min_size=1, max_size=8))
def test_largest_remainders_as_by_fractions(counts):
    law = np.array(counts) / sum(counts)
    # 16 bits, so that the remainders are far coarser than float64's own error; a near tie may fall either way.
    weights, slow = quantise(law, total_bits=16), quantise_slowly(law, 2**16)
    assert weights.sum() == 2**16
    if min(counts) * 2**16 >= sum(counts):
        assert np.abs(weights - slow).sum() in (0, 2)
        differing = np.flatnonzero(weights != slow)
        remainders = [float(law[i] * 2**16 % 1) for i in differing]
        assert not remainders or abs(remainders[0] - remainders[1]) < 1e-9


@given(st.lists(st.integers(0, 2**32 - 1), min_size=0, max_size=7))
def test_dyadic_laws_are_kept_as_they_are(cuts):
    weights = np.diff(np.array([0, *sorted(cuts), 2**32]))
    assert (quantise(weights / 2**32) == weights).all()


def test_rows_are_quantised_apart():
    kernel = np.random.default_rng(0).dirichlet(np.full(3, 0.2), (3, 3))
    weights = quantise(kernel)
    assert weights.shape == kernel.shape
    assert all((weights[i, j] == quantise(kernel[i, j])).all() for i in range(3) for j in range(3))


def test_ties_go_to_the_lower_index():
    assert quantise(np.full(3, 1 / 3), total_bits=4).tolist() == [6, 5, 5]


def test_forced_weights_come_off_the_largest():
    law = np.array([1e-20, 0.6, 0.4 - 2e-20, 1e-20, 0.0])
    assert quantise(law, total_bits=4).tolist() == [1, 8, 6, 1, 0]
    many = np.full(2**16, 1e-30)
    many[7] = 1 - many.sum() + 1e-30
    weights = quantise(many)
    assert weights.sum() == 2**32
    assert weights[7] == 2**32 - (2**16 - 1)


def test_more_outcomes_than_units_are_refused():
    with pytest.raises(ConfigError, match=r"more than 2\^3 outcomes"):
        quantise(np.full(9, 1 / 9), total_bits=3)


@given(laws(max_outcomes=30))
def test_initial_law_has_64_bits(law):
    weights = quantise64(law)
    assert weights.dtype == np.uint64
    assert ((weights > 0) == (law > 0)).all()
    if np.count_nonzero(law) == 1:
        assert weights.max() == CERTAIN_64
    else:
        assert sum(int(w) for w in weights) == 2**64
    assert np.allclose(weights / 2.0**64, law, rtol=1e-12, atol=2.0**-60)


@settings(max_examples=5)
@given(st.integers(0, 2**32))
def test_initial_law_of_many_states(seed):
    law = np.random.default_rng(seed).dirichlet(np.full(2**12, 0.01))
    weights = quantise64(law)
    assert int(weights.sum(dtype=np.uint64)) == 0
    assert ((weights > 0) == (law > 0)).all()


@pytest.mark.parametrize(
    "bad, message",
    [
        ([[0.5, 0.5], [0.5, 0.4]], r"kernel: row \[1\] sums to 0\.9"),
        ([0.5, 0.4], r"kernel: the law sums to 0\.9"),
        ([[1.5, -0.5]], r"kernel: entry \[0, 1\] is -0\.5, which is negative"),
        ([[np.nan, 1.0]], r"kernel: entry \[0, 0\] is nan, which is not finite"),
        ([[]], r"kernel: needs at least one probability"),
        (0.5, r"kernel: needs at least one probability"),
    ],
)
def test_errors_name_parameter_and_row(bad, message):
    with pytest.raises(ConfigError, match=message):
        check_rows(bad, "kernel")


def test_rounding_is_forgiven():
    assert check_rows([0.1] * 10, "law").sum() == pytest.approx(1)
    assert check_rows([0.5, 0.5 + 9e-7], "law").shape == (2,)
