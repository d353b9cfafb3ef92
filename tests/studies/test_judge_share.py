"""Bounds of shares: Chernoff's beside the bootstrap's."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.studies.judge import Mean
from testbed.studies.judge.share import Share


@given(st.lists(st.floats(0, 1), min_size=5, max_size=14), st.floats(0.01, 0.99), st.floats(1e-4, 0.4))
@settings(max_examples=60, deadline=None)
def test_bounds_of_shares_and_their_p_values_are_each_other_s_inverse(values, r, alpha):
    share = Share(Mean(values, {"seed": tuple(range(len(values)))}, seed=0))
    low, high = share.interval(alpha)
    assert 0 <= low <= share.estimate + 1e-9
    assert share.estimate - 1e-9 <= high <= 1
    if abs(low - r) > 1e-6:
        assert (share.p_above(r) <= alpha) == (low >= r)
    if abs(high - r) > 1e-6:
        assert (share.p_below(r) <= alpha) == (high <= r)


def test_bounds_of_shares_hold_where_one_replicate_in_ten_stands_apart():
    """Values 1 with probability .1, else 0: 5 % one-sided bounds err in at most 5 % of 300 draws of 12 (P of 40 or
    more below 1e-6), and those of a single one are no longer from 0 to 1."""
    rng = np.random.default_rng(3)
    wrong = 0
    for _ in range(300):
        values = (rng.random(12) < 0.1).astype(float)
        mean = Mean(values, {"seed": tuple(range(12))}, seed=0) if 0 < values.sum() < 12 else None
        upper = 1 - 0.025 ** (1 / 12) if mean is None else Share(mean).upper(0.05)
        wrong += upper < 0.1
    assert wrong < 40
    one = Share(Mean([1.0, *[0.0] * 11], {"seed": tuple(range(12))}, seed=0))
    assert one.p_below(0.9) < 1e-6
    assert one.upper(0.001) < 0.9
