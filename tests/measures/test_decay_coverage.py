"""Intervals of fitted decays cover, the right law is chosen, the bootstrap follows the hierarchy."""

import math

import numpy as np
import pytest

from testbed.measures.decay import (
    BROKEN_POWER,
    EXPONENTIAL,
    LOGARITHMIC,
    POWER,
    STRETCHED,
    bootstrap_fit,
    calibrated_fit,
    clopper_pearson,
    compare_laws,
    coverage_of,
    extrapolation_of,
    fit_decay,
    hierarchical_means,
)

DOUBLING = 2.0 ** np.arange(10)


# ------------------------------------------------------------------------------------------------ coverage
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"known_errors": False},
        {"constant_known": True},
        {"parameters": (0.2,), "errors": np.full(10, 0.05)},
        {"parameters": (1.5,), "errors": np.geomspace(0.05, 0.005, 10)},
        {"errors": 1e-4 * (np.eye(10) + 0.8)},
        {"law": EXPONENTIAL, "x": np.arange(10.0)},
        {"x": np.geomspace(1e3, 1e7, 9), "constant": 0.0, "amplitude": 30.0, "errors": np.full(9, 0.01)},
    ],
    ids=["plain", "unknown", "constant", "slow", "heteroscedastic", "correlated", "exponential", "data-size"],
)
def test_intervals_cover(options):
    """4,000 planted exponents each: the Clopper-Pearson interval of the coverage lies inside 93 to 97 %."""
    plain = {"law": POWER, "x": DOUBLING, "parameters": (0.5,), "constant": 0.5, "amplitude": 1.0}
    found = coverage_of(**{**plain, "errors": np.full(10, 0.01), **options}, n_draws=4_000)
    assert found.within(0.93, 0.97), str(found)


@pytest.mark.slow
@pytest.mark.parametrize(
    "law, x, theta, sigma",
    [
        (STRETCHED, np.arange(1, 40, 3.0), (0.6, 5.0), 1e-3),
        (STRETCHED, np.arange(1, 40, 3.0), (0.6, 5.0), 3e-2),
        (BROKEN_POWER, np.geomspace(1, 4096, 13), (0.3, 1.2, 50.0), 3e-3),
    ],
)
def test_intervals_of_laws_with_more_parameters_cover(law, x, theta, sigma):
    found = coverage_of(law, x, theta, 0.5, 1.0, np.full(len(x), sigma), n_draws=2_500)
    assert found.within(0.93, 0.97), str(found)


def test_few_points_in_much_noise_cover_too_often_never_too_rarely():
    """Five points, errors of half the whole fall: intervals are open, and hold the truth in over 97 %."""
    found = coverage_of(POWER, DOUBLING[:5], (0.5,), 0.5, 1.0, np.full(5, 0.5), n_draws=2_000)
    assert found.interval[0] > 0.95
    assert found.open_share > 0.9


def test_an_interval_that_covers_too_rarely_is_widened(monkeypatch):
    """The rise of chi^2 set to 1 (a 68 % interval passed off as 95 %): the simulation says so and widens it."""
    rng = np.random.default_rng(2)
    y, errors = 0.5 + DOUBLING**-0.6 + 0.01 * rng.normal(size=10), np.full(10, 0.01)
    right = fit_decay(POWER, DOUBLING, y, errors)
    unmoved, good = calibrated_fit(POWER, DOUBLING, y, errors)
    assert unmoved.interval == right.interval
    assert good.rate > 0.93
    for module in ("fit", "coverage"):
        monkeypatch.setattr(f"testbed.measures.decay.{module}.rise", lambda *_: 1.0)
    narrow = fit_decay(POWER, DOUBLING, y, errors)
    assert narrow.interval[0] > right.interval[0]
    widened, found = calibrated_fit(POWER, DOUBLING, y, errors)
    assert 0.6 < found.rate < 0.76
    assert str(found).startswith("covered ")
    assert widened.threshold == pytest.approx(3.84, rel=0.15)
    assert widened.interval == pytest.approx(right.interval, rel=0.02)


def test_clopper_pearson_by_its_definition():
    from scipy.stats import binom

    for hits, n in ((0, 10), (3, 20), (950, 1000), (10, 10)):
        low, high = clopper_pearson(hits, n)
        assert low == 0 if hits == 0 else binom.sf(hits - 1, n, low) == pytest.approx(0.025)
        assert high == 1 if hits == n else binom.cdf(hits, n, high) == pytest.approx(0.025)


# ------------------------------------------------------------------------------------------------ comparison
@pytest.mark.parametrize(
    "law, theta, x",
    [
        (POWER, (0.5,), np.geomspace(1, 512, 19)),
        (EXPONENTIAL, (0.05,), np.arange(1, 80, 4.0)),
        (STRETCHED, (0.5, 6.0), np.geomspace(1, 200, 19)),
        (LOGARITHMIC, (), np.geomspace(1, 512, 19)),
        (BROKEN_POWER, (0.2, 2.0, 30.0), np.geomspace(1, 2048, 23)),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_the_planted_law_is_the_best_and_extrapolates(law, theta, x):
    """Precise data of each law: it wins, or another that contains it follows closely; the wrong ones are far off."""
    rng = np.random.default_rng(3)
    amplitude = 0.1 if law is LOGARITHMIC else 1.0
    y = 0.5 + amplitude * law.values(x, *theta) + 1e-4 * rng.normal(size=len(x))
    found = compare_laws(x, y, np.full(len(x), 1e-4))
    assert found[0].aicc_above_best == 0.0
    (mine,) = [one for one in found if one.fit.law is law]
    assert mine.aicc_above_best < 10
    assert sum(one.weight for one in found) == pytest.approx(1.0)
    wrong = {"power": EXPONENTIAL, "exponential": POWER, "logarithmic": EXPONENTIAL}.get(law.name, LOGARITHMIC)
    (other,) = [one for one in found if one.fit.law is wrong]
    assert other.aicc_above_best > 10
    ahead = extrapolation_of(law, x, y, np.full(len(x), 1e-4), fitted_share=0.5)
    astray = extrapolation_of(wrong, x, y, np.full(len(x), 1e-4), fitted_share=0.5)
    assert ahead.rmse < 0.3 * astray.rmse


def test_extrapolation_sees_small_x_alone():
    y = 0.5 + DOUBLING**-0.5
    spoilt = np.where(DOUBLING > 64, 9.0, y)
    found = extrapolation_of(POWER, DOUBLING, spoilt, np.full(10, 0.01))
    assert found.fit.n_points == 7
    assert found.predicted == pytest.approx(y[7:], abs=1e-6)
    assert found.rmse == pytest.approx(np.sqrt(np.mean((9.0 - y[7:]) ** 2)), rel=1e-6)
    assert found.largest_z == pytest.approx(np.abs(9.0 - y[7:]).max() / 0.01, rel=1e-6)


# ------------------------------------------------------------------------------------------------ bootstrap
def test_resampled_means_are_hierarchical():
    """Variance of a resampled mean: s_a^2 / A + s_b^2 / (A B), with the plug-in variances of two levels."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(9, 1, 1)) + 0.5 * rng.normal(size=(9, 4, 1))
    means = hierarchical_means(values, 20_000, seed=1)
    units = values.mean(axis=1)
    wanted = units.var() / 9 + values.var(axis=1).mean() / 36
    assert means.mean() == pytest.approx(values.mean(), abs=5 * math.sqrt(wanted / 20_000))
    assert means.var() == pytest.approx(wanted, rel=0.06)  # relative standard error 1 %
    assert np.array_equal(hierarchical_means(values, 5, seed=1), hierarchical_means(values, 5, seed=1))


def test_bootstrap_intervals_cover():
    """200 designs of 16 draws x 2 seeds: 95 % intervals hold the exponent in 82 to 99.5 % (16 units: some 92 %)."""
    rng = np.random.default_rng(4)
    truth = 0.5 + DOUBLING**-0.6
    hits = np.zeros(2)
    for i in range(200):
        noise = 0.03 * rng.normal(size=(16, 1, 10)) + 0.03 * rng.normal(size=(16, 2, 10))
        found = bootstrap_fit(POWER, DOUBLING, truth + noise, n_resamples=200, seed=i)
        hits += [low <= 0.6 <= high for low, high in (found.percentile, found.bca)]
    assert np.all(hits / 200 >= 0.82)
    assert np.all(hits / 200 <= 0.995)


def test_bootstrap_of_a_clean_exponent():
    rng = np.random.default_rng(5)
    values = 0.5 + DOUBLING**-0.6 + 0.001 * rng.normal(size=(10, 3, 2, 10))
    found = bootstrap_fit(POWER, DOUBLING, values, constant=0.5)
    assert found.estimate == pytest.approx(0.6, abs=0.01)
    assert found.percentile[0] < found.estimate < found.percentile[1]
    assert found.bca == pytest.approx(found.percentile, abs=0.003)
    assert found.bound_share == 0
