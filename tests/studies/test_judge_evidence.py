"""The algebra of evidence: bounds and p-values are each other's inverse, under shifts, signs, maxima and minima too."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.studies.judge import Evidence, Exact, Max, Mean, Min, Replicates, Student, clopper_pearson

DESIGN = Replicates.grid({"kernel": 9, "draw": 2}, seed=4)
VALUES = np.random.default_rng(7).chisquare(2, size=(3, 18)) - 2

numbers = st.floats(-3, 3).map(lambda x: round(x, 3))
students = st.builds(Student, numbers, st.floats(0.1, 4), st.integers(2, 30))
means = st.builds(lambda row, shift: Mean(VALUES[row] + shift, DESIGN), st.integers(0, 2), numbers)
atoms = students | means | st.builds(Exact, numbers) | st.builds(Student, numbers, st.just(0.0), st.integers(2, 9))
evidence = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.builds(lambda e, c: e + c, inner, numbers),
        st.builds(lambda e: -e, inner),
        st.builds(Max, st.lists(inner, min_size=1, max_size=3)),
        st.builds(Min, st.lists(inner, min_size=1, max_size=3)),
    ),
    max_leaves=6,
)
error_rates = st.floats(1e-5, 0.6)


@given(evidence, error_rates)
def test_p_values_invert_bounds(theta: Evidence, alpha: float):
    lower, upper = theta.interval(alpha)
    if math.isfinite(lower):
        step = 1e-6 * (1 + abs(lower))
        assert theta.p_above(lower - step) <= alpha < theta.p_above(lower + step)
    if math.isfinite(upper):
        step = 1e-6 * (1 + abs(upper))
        assert theta.p_below(upper + step) <= alpha < theta.p_below(upper - step)


@given(evidence, error_rates, numbers)
def test_a_p_value_is_small_exactly_beyond_the_bound(theta: Evidence, alpha: float, r: float):
    lower, upper = theta.interval(alpha)
    if abs(lower - r) > 1e-9:
        assert (theta.p_above(r) <= alpha) == (lower >= r)
    if abs(upper - r) > 1e-9:
        assert (theta.p_below(r) <= alpha) == (upper <= r)


@given(evidence, numbers, error_rates)
def test_a_shift_moves_bounds_and_a_sign_swaps_them(theta: Evidence, shift: float, alpha: float):
    lower, upper = theta.interval(alpha)
    assert (theta + shift).interval(alpha) == pytest.approx((lower + shift, upper + shift))
    assert (theta - shift).estimate == pytest.approx(theta.estimate - shift)
    assert (-theta).interval(alpha) == pytest.approx((-upper, -lower))
    assert (1.0 - theta).estimate == pytest.approx(1 - theta.estimate)
    negated = -theta
    assert (-negated).p_above(0.5) == pytest.approx(theta.p_above(0.5))


@given(st.lists(evidence, min_size=1, max_size=3), error_rates)
def test_the_minimum_mirrors_the_maximum(parts: list[Evidence], alpha: float):
    smallest, mirrored = Min(parts), -Max(-part for part in parts)
    assert smallest.interval(alpha) == pytest.approx(mirrored.interval(alpha))
    assert smallest.p_above(0.1) == pytest.approx(mirrored.p_above(0.1))
    assert smallest.estimate == pytest.approx(mirrored.estimate)


@given(evidence, st.tuples(error_rates, error_rates).map(sorted))
def test_bounds_are_nested_and_finite_or_infinite_but_never_nan(theta: Evidence, alphas: list[float]):
    (low_wide, high_wide), (low, high) = (theta.interval(alpha) for alpha in alphas)
    assert low_wide <= low
    assert high <= high_wide
    assert not math.isnan(low_wide + low)
    assert not math.isnan(high + high_wide)
    if alphas[1] < 0.2:  # near 1/2 a bootstrap bound of a skewed mean may pass the estimate
        assert low <= theta.estimate + 1e-12
        assert theta.estimate <= high + 1e-12
    assert theta.p_above(-math.inf) == theta.p_below(math.inf) == 0
    assert theta.p_above(math.inf) == theta.p_below(-math.inf) == 1


def test_student_agrees_with_scipy():
    from scipy import stats

    x = np.random.default_rng(0).normal(size=6)
    theta = Mean(x, Replicates.grid({"seed": 6}, seed=0))
    assert theta.p_above(0.3) == pytest.approx(stats.ttest_1samp(x, 0.3, alternative="greater").pvalue)
    assert theta.p_below(0.3) == pytest.approx(stats.ttest_1samp(x, 0.3, alternative="less").pvalue)
    interval = stats.ttest_1samp(x, 0.0).confidence_interval(0.95)
    assert theta.interval(0.025) == pytest.approx(tuple(interval))


@pytest.mark.parametrize("n", [2, 5, 8, 20])
def test_values_without_spread_make_a_point(n: int):
    theta = Mean(np.full(n, 0.1), Replicates.grid({"kernel": n}, seed=0))
    assert theta.interval(0.001) == (0.1, 0.1)
    assert (theta.p_above(0.1), theta.p_above(np.nextafter(0.1, 1)), theta.p_below(0.1)) == (0.0, 1.0, 0.0)
    assert theta.with_replicates(50).interval(0.01) == (0.1, 0.1)


def test_one_unit_says_nothing_but_its_value():
    theta = Mean([0.3], Replicates.grid({"kernel": 1}, seed=0))
    assert theta.estimate == 0.3
    assert theta.interval(0.4) == (-math.inf, math.inf)
    assert theta.p_above(-1e9) == theta.p_below(1e9) == 1.0


def test_counts_and_few_units():
    few, many = Student(0.0, 1.0, 4), Student(0.0, 1.0, 12, "kernel")
    assert few.too_few
    assert not many.too_few
    assert not Exact(0.0).too_few
    both = Max([many + 1, Exact(3.0), Min([few])])
    assert both.n_independent == 4
    assert both.replicates == {"replicate": 4}
    assert both.too_few
    assert Max([Exact(1.0)]).n_independent is None
    assert both.with_replicates(7).n_independent == 7


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1, math.nan])
@pytest.mark.parametrize("theta", [Exact(0.0), Student(0.0, 1.0, 5), Mean(VALUES[0], DESIGN), Max([Exact(0.0)])])
def test_error_rates_lie_between_0_and_1(theta: Evidence, alpha: float):
    with pytest.raises(ValueError, match="strictly between 0 and 1"):
        theta.lower(alpha)


def test_what_is_refused():
    with pytest.raises(ValueError, match="at least one part"):
        Max([])
    with pytest.raises(ValueError, match="cannot be nan"):
        Exact(math.nan)
    with pytest.raises(ValueError, match="finite mean"):
        Student(math.nan, 1.0, 5)
    with pytest.raises(ValueError, match="finite shift"):
        Student(0.0, 1.0, 5) + math.inf


@pytest.mark.parametrize("theta", [(0.0, 0.0, 0.0), (0.0, -0.5, -4.0), (0.0, -4.0, -4.0)])
@pytest.mark.parametrize("nested", [False, True])
def test_bounds_of_extremes_cover_in_brute_force(theta: tuple[float, ...], nested: bool):
    """Each one-sided bound at 10 % misses at most 10 % of 2,000 draws, correlated parts (false alarm 1e-4 a side)."""
    rng, n_draws, n, alpha = np.random.default_rng(3), 2_000, 6, 0.1
    misses = np.zeros(2, dtype=int)
    truth = min(max(theta[:2]), theta[2] + 1) if nested else max(theta)
    for _ in range(n_draws):
        x = theta + rng.normal(size=(n, 3)) + 0.7 * rng.normal(size=(n, 1))
        parts = [Student(float(column.mean()), float(column.std(ddof=1)), n) for column in x.T]
        extreme = Min([Max(parts[:2]), parts[2] + 1.0]) if nested else Max(parts)
        misses += [extreme.lower(alpha) > truth, extreme.upper(alpha) < truth]
    assert all(clopper_pearson(int(count), n_draws, 2e-4)[0] <= alpha for count in misses), misses
