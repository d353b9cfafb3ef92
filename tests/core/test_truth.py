"""Truth: bounds, kinds, infinities."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.core import Truth, bits

finite = st.floats(allow_nan=False, allow_infinity=False)


@given(finite, finite)
def test_the_value_lies_between_the_bounds(a: float, b: float) -> None:
    low, high = min(a, b), max(a, b)
    value = Truth.bracket(low, high).value
    assert low <= value <= high


def test_infinite_values() -> None:
    assert Truth.exact(math.inf).value == math.inf
    assert Truth.bracket(0.0, math.inf).value == math.inf
    assert Truth.bracket(-math.inf, 0.0).value == -math.inf
    assert math.isnan(Truth.bracket(-math.inf, math.inf).value)
    assert Truth.exact([1.0, math.inf]).value.tolist() == [1.0, math.inf]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Truth.bracket(1.0, 0.0),
        lambda: Truth.exact(math.nan),
        lambda: Truth(0.0, 1.0, "exact", 0.0),
        lambda: Truth(0.0, 1.0, "sampled", 0.1),
        lambda: Truth.sampled(0.0, -0.1),
        lambda: Truth.sampled(0.0, math.nan),
        lambda: Truth(0.0, 0.0, "exact", 0.1),
    ],
)
def test_what_is_no_truth_is_refused(wrong) -> None:
    with pytest.raises(ValueError, match="truth"):
        wrong()


def test_elements_keep_kind_and_error() -> None:
    truth = Truth.sampled([1.0, 2.0], [0.1, 0.2])
    assert (truth[1].value, truth[1].kind, float(truth[1].standard_error)) == (2.0, "sampled", 0.2)
    assert truth.shape == (2,)
    assert len(truth[:1]) == 1


def test_bounds_are_copied_and_read_only() -> None:
    array = np.zeros(2)
    truth = Truth.exact(array)
    array[0] = 1.0
    assert truth.lower[0] == 0.0
    with pytest.raises(ValueError, match="read-only"):
        truth.lower[0] = 1.0


def test_bits() -> None:
    assert bits(math.log(8)) == pytest.approx(3.0)
