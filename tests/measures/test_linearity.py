"""Straight or not: planted lines and curves, and the correlations that do not tell them apart."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.measures.linearity import linearity
from testbed.sources.in_context import BiasedCoinSource
from testbed.sources.parity.tables import weights_b

AT = np.array([8, 12, 16, 24, 32, 48, 64, 128, 256, 512])  # the paper's ten context lengths


@given(st.integers(0, 10_000), st.floats(-3, 3), st.floats(0.1, 4), st.integers(5, 20))
def test_a_line_is_a_line(seed, start, slope, n):
    s = np.sort(np.random.default_rng(seed).normal(size=n))
    found = linearity(s, start + slope * s, np.full(n, 1e-3))
    assert (found.slope, found.intercept) == (pytest.approx(slope), pytest.approx(start, abs=1e-6))
    assert found.is_linear()
    assert found.largest_residual == pytest.approx(0, abs=1e-9)
    assert found.aicc_gain < 0


@settings(max_examples=20)
@given(st.integers(0, 10_000))
def test_curvature_is_the_quadratic_term(seed):
    """Twin: polyfit on the scaled abscissa; and the line by polyfit on S itself."""
    rng = np.random.default_rng(seed)
    s, y = rng.normal(size=12), rng.normal(size=12)
    found = linearity(s, y)
    scaled = 2 * (s - s.min()) / np.ptp(s) - 1
    wanted, covariance = np.polyfit(scaled, y, 2, cov=True)
    assert found.curvature * np.ptp(y) == pytest.approx(wanted[0])
    half = (found.curvature_interval[1] - found.curvature_interval[0]) / 2 * np.ptp(y)
    assert half == pytest.approx(2.262157 * math.sqrt(covariance[0, 0]))  # t with 9 degrees
    assert (found.slope, found.intercept) == pytest.approx(tuple(np.polyfit(s, y, 1)))


def test_the_verdict_has_its_error_rates():
    """Noisy lines are called linear in 95 % less those with a large residual; curved truths never."""
    rng = np.random.default_rng(0)
    s = np.linspace(0, 1, 12)
    noise = 0.005 * rng.normal(size=(600, 12))
    straight = [linearity(s, s + one, np.full(12, 0.005)).is_linear() for one in noise]
    curved = [linearity(s, s**1.4 + one, np.full(12, 0.005)).is_linear() for one in noise]
    assert np.mean(straight) > 0.88
    assert np.mean(curved) == 0


def test_the_best_monotone_curve():
    s = np.arange(6.0)
    assert linearity(s, s**3).isotonic_ratio == np.inf
    y = np.array([0.0, 2.0, 1.0, 3.0, 5.0, 4.0])  # pools (2, 1) and (5, 4): residuals 4 x 1/4 = 1
    line = np.polyval(np.polyfit(s, y, 1), s)
    assert linearity(s, y).isotonic_ratio == pytest.approx(np.sum((y - line) ** 2) / 1.0)
    assert linearity(s, -y).isotonic_ratio == pytest.approx(linearity(s, y).isotonic_ratio)


# ------------------------------------------------------------------------------------------------ golden numbers
def test_golden_correlation_of_the_biased_coin():
    """Golden: exact S_ntp against exact S = ln(l + 1): r = .897, and no line."""
    h = BiasedCoinSource().conditional_entropies(512).value
    found = linearity(np.log(AT + 1), h[0] - h[AT])
    assert found.pearson == pytest.approx(0.897, abs=5e-4)
    assert not found.is_linear()


@pytest.mark.parametrize("b, golden", [(0.3, 0.864), (0.5, 0.854), (0.7, 0.859)])
def test_golden_correlations_of_santa_fe(b, golden):
    """Golden: S_ntp against E(l), 2e6 keys."""
    keys = np.arange(1, 200_001.0) ** (-1 / b)  # the rest adds less than the last digit
    keys /= keys.sum()
    seen = -np.expm1(np.outer(AT, np.log1p(-keys)))
    found = linearity(math.log(2) * seen.sum(axis=1), math.log(2) * seen @ keys)
    assert found.pearson == pytest.approx(golden, abs=2e-3)
    assert not found.is_linear()


@pytest.mark.parametrize("t, golden", [(1.5, 0.888), (3.0, 0.974)])
def test_golden_correlations_of_renewal(t, golden):
    """Golden: survival (1 + n)^-t; S is the entropy of the age, known up to l."""
    survival = (1.0 + np.arange(300_000)) ** -t
    age = survival / survival.sum()
    hazard = np.append(1 - survival[1:] / survival[:-1], 0.5)

    def binary(p):
        return -(p * np.log(p) + (1 - p) * np.log1p(-p))

    risk, state = [], []
    for l in (0, *AT):
        beyond = age[l:].sum()
        risk.append(age[:l] @ binary(hazard[:l]) + beyond * binary(age[l:] @ hazard[l:] / beyond))
        state.append(-(age[:l] @ np.log(age[:l])) - beyond * math.log(beyond))
    found = linearity(state[1:], risk[0] - np.array(risk[1:]))
    assert found.pearson == pytest.approx(golden, abs=1e-3)
    assert not found.is_linear()


def test_golden_linear_law_on_table_1():
    """Golden, Table 1: variant B's exact truths: |r| = .981, largest residual 10.6 % of the range."""
    l = np.array([17, 20, 23, 25, 28, 30, 35, 40, 50])
    farther = np.repeat(np.arange(11, 61), 2)
    gained = math.log(2) * np.array([weights_b()[farther <= one].sum() for one in l])
    found = linearity(2 * (l - 10) * math.log(2), gained)
    assert found.pearson == pytest.approx(0.981, abs=5e-4)
    assert found.largest_residual == pytest.approx(0.106, abs=5e-4)
    assert found.curvature_interval[1] < 0
    assert not found.is_linear()


def test_golden_published_points():
    """Golden: re-indexed points: slope -.00150, r = -.987; AICc -45.7 for the parabola, -37.9 the line."""
    losses = [3.9531, 3.5390, 3.28283, 2.99618, 2.83873, 2.65246, 2.53125, 2.36169, 2.21765, 2.12716]
    entropies = [3365, 3728, 3928, 4142, 4248, 4362, 4416, 4492, 4528, 4545]
    found = linearity(entropies, losses)
    assert (found.slope, found.pearson) == (pytest.approx(-0.00150, abs=5e-6), pytest.approx(-0.987, abs=5e-4))
    assert found.aicc_gain == pytest.approx(45.7 - 37.9, abs=0.1)
    plotted = [*losses[:2], 3.2883, *losses[3:8], 2.12716, 2.08389]
    shown = linearity(entropies, plotted)
    assert (shown.slope, shown.pearson) == (pytest.approx(-0.00154, abs=5e-6), pytest.approx(-0.982, abs=5e-4))


@pytest.mark.parametrize(
    "ask",
    [
        lambda: linearity([1, 2, 3, 4], [1, 2, 3, 4]),
        lambda: linearity(np.ones(6), np.arange(6)),
        lambda: linearity(np.arange(6), np.ones(6)),
        lambda: linearity(np.arange(6), np.arange(6), np.zeros(6)),
        lambda: linearity(np.arange(6), [np.nan] * 6),
    ],
)
def test_nonsense_is_refused(ask):
    with pytest.raises(ConfigError):
        ask()


@given(st.integers(0, 10_000), st.integers(5, 15), st.floats(-3, 3))
def test_a_line_without_noise_is_a_line_though_rounding_bends_it(seed, n, scale):
    rng = np.random.default_rng(seed)
    s = np.sort(rng.normal(size=n)) * 10**scale
    assert linearity(s, rng.normal() * s + rng.normal()).is_linear()


def test_the_monotone_curve_has_one_value_where_s_is_the_same():
    s, y = np.repeat([0.0, 1.0, 2.0], 2), np.array([0.0, 1, 1, 2, 2, 3])
    for order in (y, y.reshape(3, 2)[:, ::-1].ravel()):
        assert linearity(s, order).isotonic_ratio == pytest.approx(1.0)
    with pytest.raises(ConfigError, match="finite"):
        linearity(np.arange(6.0), np.arange(6.0), np.full(6, np.inf))
