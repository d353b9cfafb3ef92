"""Coding rates lie above the entropy rate; the extrapolation finds what has its form, and says when nothing has."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.measures.entropy.upper_bounds import coding_rate, extrapolate
from testbed.sources.hidden import GoldenMean


def test_rates_of_a_known_source() -> None:
    source = GoldenMean()
    h = float(source.entropy_rate().value)
    found = coding_rate(source.sample(1, 30_000, seed=0)[0], 2, 3)
    assert h - 6 * found.standard_error < found.rate < h + 0.01
    assert found.lower < found.rate < found.upper
    assert found.rates[-1] == pytest.approx(found.rate)
    assert found.rates[0] > found.rates[-1]
    assert found.lengths[[0, -1]].tolist() == [64, 30_000]


def test_any_coder_can_be_given() -> None:
    uniform = coding_rate(np.zeros(100, int), 4, 0, coder=lambda tokens, vocab_size, depth: np.full(100, np.log(4)))
    assert uniform.rate == pytest.approx(np.log(4))
    assert uniform.standard_error == pytest.approx(0.0)


@settings(max_examples=15)
@given(
    st.floats(0.1, 0.9), st.floats(0.3, 5.0), st.floats(0.1, 2.0), st.sampled_from(["power", "stretched_exponential"])
)
def test_a_curve_of_the_form_is_found_again(b, amplitude, h, form) -> None:
    n = np.geomspace(8, 1e6, 10)
    curve = amplitude * n ** (b - 1)
    rates = curve + h if form == "power" else np.exp(curve + np.log(h))
    found = extrapolate(n, rates, form)
    assert found.limit == pytest.approx(h, rel=1e-3)
    assert found.exponent == pytest.approx(b, abs=1e-3)
    assert found.at(n) == pytest.approx(rates, rel=1e-5)
    assert found.residual < 1e-5
    assert found.without_one == pytest.approx((h, h), rel=5e-3)


def test_curves_of_another_form_are_not_determined() -> None:
    n = np.geomspace(8, 1e6, 10)
    assert not extrapolate(n, 0.5 + 3.0 / n**2).determined  # falls faster than any 1/n
    assert not extrapolate(n, 1.0 - 0.5 * n**-0.5).determined  # rises
    assert not extrapolate(n, 2.0 - 0.1 * np.log(n)).determined  # has no limit


@pytest.mark.parametrize(
    "n, rates, form, said",
    [
        ([1, 2, 3], [1, 1, 1], "power", "need four different lengths or more"),
        ([1, 2, 3, 4], [1, 1, 1, 0], "stretched_exponential", "positive rates"),
        ([0, 2, 3, 4], [1, 1, 1, 1], "power", "lengths from 1 on"),
        ([1, 2, 3, 4], [1, 1, 1, 1], "powers", "did you mean power?"),
    ],
)
def test_what_cannot_be_fitted_is_refused(n, rates, form, said) -> None:
    with pytest.raises(ConfigError) as error:
        extrapolate(n, rates, form)
    assert said in str(error.value)


def test_a_stream_shorter_than_its_blocks_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least n_blocks = 20"):
        coding_rate(np.zeros(5, int), 2, 1)


@pytest.mark.parametrize(
    "n, rates",
    [
        ([5, 5, 5, 5], [1, 2, 1, 2]),
        ([5, 6, 7, np.nan], [1, 2, 1, 2]),
        ([5, 6, 7, np.inf], [1, 2, 1, 2]),
        ([5, 6, 7, 8], [1, 2, 1, np.inf]),
    ],
)
def test_points_without_a_form_are_refused(n, rates) -> None:
    with pytest.raises(ConfigError, match="rates: need"):
        extrapolate(n, rates)


@pytest.mark.parametrize("keys", [{"confidence": 1.5}, {"n_lengths": 0}, {"n_blocks": 2.5}])
def test_intervals_that_are_none_are_refused(keys) -> None:
    with pytest.raises(ConfigError, match=next(iter(keys))):
        coding_rate(np.zeros(50, int), 2, 1, **keys)
