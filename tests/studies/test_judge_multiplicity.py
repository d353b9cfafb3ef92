"""Holm and Benjamini-Hochberg against hand-made cases, a plain twin and scipy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.studies.judge import benjamini_hochberg, holm, holm_level

p_values = st.lists(st.floats(0, 1), min_size=1, max_size=12)


def test_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert benjamini_hochberg([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.02, 0.04, 0.04, 0.02])
    assert holm([0.5, 0.9]).tolist() == [1.0, 1.0]
    assert holm([0.2]).tolist() == benjamini_hochberg([0.2]).tolist() == [0.2]
    assert len(holm([])) == len(benjamini_hochberg([])) == 0


@given(p_values, st.floats(0.001, 0.999))
def test_holm_rejects_as_the_step_down_procedure_does(p: list[float], alpha: float):
    rejected: set[int] = set()
    for step, index in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        if (len(p) - step) * p[index] > alpha:
            break
        rejected.add(index)
    assert set(np.flatnonzero(holm(p) <= alpha)) == rejected


@given(p_values, st.floats(0.001, 0.999))
def test_holm_level_separates_rejected_from_kept(p: list[float], alpha: float):
    level = holm_level(p, alpha)
    for value, adjusted in zip(p, holm(p), strict=True):
        if abs(value - level) > 1e-12:
            assert (adjusted <= alpha) == (value <= level)


@given(p_values)
def test_benjamini_hochberg_is_scipys(p: list[float]):
    from scipy.stats import false_discovery_control

    assert benjamini_hochberg(p) == pytest.approx(false_discovery_control(p, method="bh"))


@given(p_values, st.randoms())
def test_order_does_not_matter_and_values_only_grow(p: list[float], random):
    order = list(range(len(p)))
    random.shuffle(order)
    for adjust in (holm, benjamini_hochberg):
        assert adjust([p[i] for i in order]) == pytest.approx(adjust(p)[order])
        assert np.all(adjust(p) >= np.array(p) - 1e-15)
        assert np.all(adjust(p) <= 1)
    assert np.all(benjamini_hochberg(p) <= holm(p) + 1e-15)


@pytest.mark.parametrize("p", [[-0.1], [1.1], [float("nan")], [[0.1]]])
def test_other_numbers_are_refused(p):
    for adjust in (holm, benjamini_hochberg):
        with pytest.raises(ValueError, match=r"numbers in \[0, 1\]"):
            adjust(p)
