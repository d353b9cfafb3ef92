"""The gate of studies with trained arms: who learnt, and what a claim may say where some did not."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.studies.gate import Partial, largest, learnt, least, mean_of_learnt, too_few_learnt, usable
from testbed.studies.judge import Bounded, Claim, Exact, Max, Min, Region, Student, judge


def claim(region: Region) -> Claim:
    return Claim(
        id="a.b", statement="s", paper="p", place="", reading="inferred", scope="", control="", region=region,
        margin=0.0, decided_at="laptop",
    )  # fmt: skip


def test_a_replicate_has_learnt_below_the_share_and_never_where_it_diverged():
    found = learnt([0.04, 0.05, 0.06, np.nan], np.ones(4), 0.05)
    assert found.tolist() == [True, False, False, False]
    assert not usable(found)
    assert usable(np.ones(5, dtype=bool))
    assert not usable(np.ones(4, dtype=bool))


def test_nothing_known_is_none_and_all_known_is_the_plain_extreme():
    parts = [Student(0.1, 0.2, 12), Student(0.3, 0.1, 12)]
    assert least([None, None]) is None
    assert largest([]) is None
    assert least(parts) == Min(parts)
    assert largest(parts) == Max(parts)


parts = st.builds(Student, st.floats(-1, 1), st.floats(0.01, 1), st.integers(5, 20))


@given(st.lists(parts, min_size=1, max_size=4), parts, st.floats(0.001, 0.2), st.floats(-2, 2))
def test_bounds_of_a_partial_extreme_hold_for_any_value_of_what_is_not_known(known, hidden, alpha, r):
    """A minimum of more numbers is no larger: bounds and p-values of the known part are never too strong."""
    part = least([*known, None])
    assert isinstance(part, Partial)
    assert part.lower(alpha) == -math.inf
    assert part.p_above(r) == 1.0
    assert part.upper(alpha) == Min(known).upper(alpha)
    assert part.p_below(r) == Min(known).p_below(r)
    assert min(part.estimate, hidden.estimate) <= part.estimate
    other = largest([None, *known])
    assert other is not None
    assert (other.upper(alpha), other.p_below(r)) == (math.inf, 1.0)
    assert other.lower(alpha) == Max(known).lower(alpha)


@pytest.mark.parametrize(("value", "word"), [(1.0, "undecided"), (-1.0, "fails")])
def test_a_claim_about_every_case_can_fail_and_not_hold_while_one_is_not_known(value, word):
    (verdict,) = judge([(claim(Region(lower=0.0)), least([Student(value, 0.1, 12), None]))])
    assert verdict.verdict == word
    assert least([Exact(value), None]).n_independent is None
    assert least([Student(value, 0.1, 12), None]).with_replicates(20).n_independent == 20


@given(parts, st.floats(0.001, 0.2), st.floats(-2, 2))
def test_a_bounded_number_stays_in_its_range_and_its_bounds_remain_the_inverse_of_its_p_values(inner, alpha, r):
    number = Bounded(inner, -0.5, 0.5)
    assert -0.5 <= number.lower(alpha) <= number.upper(alpha) <= 0.5
    if -0.5 < r < 0.5:
        assert number.p_above(r) == inner.p_above(r)
        assert (number.lower(alpha) > r) <= (number.p_above(r) <= alpha)
        assert (number.upper(alpha) < r) <= (number.p_below(r) <= alpha)
    assert number.p_above(-0.5) == 0.0 == number.p_below(0.5)


def test_the_mean_over_runs_that_learnt_needs_enough_of_them():
    values, numbers = np.arange(8.0), range(400, 408)
    kept = np.array([True] * 6 + [False] * 2)
    assert mean_of_learnt(values, kept, numbers).estimate == 2.5
    assert mean_of_learnt(values, kept, numbers).replicates == {"seed": 6}
    few = mean_of_learnt(values, values < 4, numbers)
    assert few.withheld == ("only 4 of 8 runs learnt enough to be judged",)
    assert few == too_few_learnt(values < 4)
