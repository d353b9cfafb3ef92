"""Laws for l*(D): closed forms against brute search, and what each must and must not do."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from testbed.core import ConfigError, UndefinedError
from testbed.theory import (
    DimensionLaw,
    ExponentialDecay,
    HorizonLaw,
    ParameterLaw,
    PowerDecay,
    QuantaLaw,
    TabularLaw,
    approximation_exponent,
    kt_excess,
    optimal_context,
    tabular_optimal_context,
)

decays = st.one_of(
    st.builds(PowerDecay, st.floats(0.1, 2.0), st.floats(0.2, 2.0)),
    st.builds(ExponentialDecay, st.floats(0.1, 2.0), st.floats(0.2, 0.9)),
)
log_sizes = st.floats(3.0, 18.0)


def least(loss, low, high, n=400_001):
    """Where a loss on a fine logarithmic grid is least."""
    grid = np.exp(np.linspace(math.log(low), math.log(high), n))
    return grid[np.argmin(loss(grid))]


# ------------------------------------------------------------------------------------------------ closed forms
@given(decays, st.integers(2, 6), log_sizes)
def test_tabular_closed_form_is_where_the_loss_is_least(decay, vocab_size, log_size):
    size = math.exp(log_size)
    (found,) = optimal_context(TabularLaw(vocab_size), decay, size)
    assume(0.05 < found < 200)
    searched = least(lambda l: decay(l) + (vocab_size - 1) * float(vocab_size) ** l / (2 * size), found / 3, found * 3)
    assert found == pytest.approx(searched, rel=1e-4)


@given(decays, st.floats(0.5, 20), log_sizes)
def test_parametric_closed_form_is_where_the_loss_is_least(decay, per_token, log_size):
    size = math.exp(log_size)
    (found,) = optimal_context(ParameterLaw(per_token, fixed=7), decay, size)
    assume(0.05 < found < 1e7)
    searched = least(lambda l: decay(l) + (per_token * l + 7) / (2 * size), found / 30, found * 30)
    assert found == pytest.approx(searched, rel=1e-4)


@given(decays, st.sampled_from([TabularLaw(2), TabularLaw(4), ParameterLaw(3.0)]), log_sizes)
def test_integers_are_neighbours_of_the_real_optimum(decay, law, log_size):
    """The losses are convex in l, so the best integer is next to the best real number."""
    size = math.exp(log_size)
    (real,) = optimal_context(law, decay, size)
    assume(1.0 < real < 300)
    missing = np.append(2.0 * decay(1) + 1e3, decay(np.arange(1, 400)))
    (found,) = optimal_context(law, missing, size)
    assert math.floor(real) <= found <= math.ceil(real)


def test_growth_of_each_law():
    """ln D for a table (slower by the decay), a power for parameters, D^(1 / 2 beta) for the horizon."""
    sizes = np.array([1e4, 1e6, 1e8])
    table = optimal_context(TabularLaw(3), ExponentialDecay(0.5, 0.4), sizes)
    assert np.diff(table) == pytest.approx(math.log(100) / math.log(3 / 0.4))
    parameters = optimal_context(ParameterLaw(2.0), PowerDecay(0.3, 0.5), sizes)
    assert np.diff(np.log(parameters)) == pytest.approx(math.log(100) / 1.5)
    horizon = optimal_context(HorizonLaw(exponent=0.88), PowerDecay(0.3, 0.325), sizes)
    assert np.diff(np.log(horizon)) == pytest.approx(math.log(100) / (2 * 0.88))


def test_tabular_law_is_the_tabular_search():
    h = np.array([1.2, 1.0, 0.9, 0.88, 0.88])
    sizes = np.geomspace(3, 1e6, 50)
    assert np.array_equal(optimal_context(TabularLaw(3), h, sizes), tabular_optimal_context(h, 3, sizes))
    assert TabularLaw(3).losses(h, np.array([100.0]))[0] == pytest.approx(h + kt_excess(np.arange(5), 3, 100))


# ------------------------------------------------------------------------------------------------ laws without a rise
@given(st.floats(0.3, 2.0), st.floats(0.1, 5.0), st.floats(0.2, 1.5), log_sizes)
def test_the_horizon_law_never_rises_and_has_the_published_loss_exponent(beta, amplitude, gamma, log_size):
    law, decay = HorizonLaw(beta, amplitude), PowerDecay(0.5, gamma)
    missing = np.append(1e3, decay(np.arange(1, 3_000)))
    sizes = np.exp(np.array([log_size, log_size + 1]))
    losses = law.losses(missing, sizes)
    assert np.all(np.diff(losses, axis=1) <= 0)
    horizon = law.horizon(sizes)
    assert amplitude * horizon**-beta == pytest.approx(sizes**-0.5)  # the correlation there is the noise
    best = optimal_context(law, missing, sizes)
    assert np.array_equal(best, np.minimum(np.floor(horizon), 2_999))
    reached = decay(horizon)
    assert np.diff(np.log(reached)) == pytest.approx(-gamma / (2 * beta))


def test_golden_exponent_of_the_horizon_law():
    """[LIT] TinyStories, beta .88 and gamma .325: alpha = gamma / (2 beta) = .185."""
    reached = PowerDecay(1.0, 0.325)(HorizonLaw(0.88).horizon(np.array([1e4, 1e5])))
    assert -np.diff(np.log10(reached))[0] == pytest.approx(0.185, abs=5e-4)


@given(st.floats(1.1, 3.0), log_sizes, st.floats(1.0, 100.0))
def test_quanta_are_learnt_in_the_order_of_their_frequency(exponent, log_size, threshold):
    """f_l = F l^(-a): the largest learnt l is (F D / threshold)^(1/a), the loss what the rest carries."""
    size, n = math.exp(log_size), 500
    f = QuantaLaw.power_frequencies(0.1, exponent, n)
    law = QuantaLaw(f, threshold)
    missing = np.append(np.cumsum(np.array(f)[::-1])[::-1], 0.0)
    (found,) = optimal_context(law, missing, size)
    assert found == min(math.floor((0.1 * size / threshold) ** (1 / exponent)), n) or found == round(
        (0.1 * size / threshold) ** (1 / exponent)
    )
    loss, found_losses = missing[0], law.losses(missing, np.array([size]))[0]
    for l in range(1, n + 1):
        if f[l - 1] * size > threshold:
            loss -= missing[l - 1] - missing[l]
        assert abs(found_losses[l] - loss) < 1e-12


def test_a_rare_token_between_common_ones_is_skipped():
    missing = np.array([1.0, 0.7, 0.6, 0.2])
    losses = QuantaLaw([0.5, 0.001, 0.4], threshold=10).losses(missing, np.array([100.0]))[0]
    assert losses == pytest.approx([1.0, 0.7, 0.7, 0.3])


# ------------------------------------------------------------------------------------------------ the paper's law
LAW = DimensionLaw(amplitude=5, coefficient=4, slope=0.02, dimension_limit=200)


def test_golden_optimal_dimensions():
    """Golden: A = 5, c = 4, s = .02, ln D = 6, 12, 18, 24, 30."""
    found = LAW.optimal_dimension(np.exp([6.0, 12, 18, 24, 30]))
    assert found == pytest.approx([4.07, 10.0, 17.9, 28.1, 43.2], abs=0.06)


@given(st.floats(0.5, 10), st.floats(0.5, 5), st.floats(0.005, 0.1), st.floats(0.05, 0.95))
def test_stationary_points_and_what_lies_between(amplitude, coefficient, slope, share):
    """A minimum and a maximum by the sign of a numerical derivative; neither from D_c on."""
    law = DimensionLaw(amplitude, coefficient, slope, dimension_limit=1e9)
    log_size = share * law.critical_log_tokens
    assume(0.1 < log_size < 600)

    def loss(dim):
        return -slope * dim + amplitude * np.exp(-coefficient * log_size / dim)

    size = math.exp(log_size)
    (low,), (high,) = law.optimal_dimension(size), law.redescent_dimension(size)
    assert 0 < low < high
    for at in (low, high):
        assert (loss(at * 1.0001) - loss(at * 0.9999)) / (slope * at * 2e-4) == pytest.approx(0, abs=1e-3)
    dims = np.geomspace(low / 3, high * 3, 2_001)
    sign = np.sign(np.diff(loss(dims)))
    middle = np.sqrt(dims[1:] * dims[:-1])
    outside = np.abs(np.log(middle / low)) > 0.02
    outside &= np.abs(np.log(middle / high)) > 0.02
    assert np.all(sign[outside] == np.where((middle > low) & (middle < high), 1, -1)[outside])


def test_no_minimum_beyond_the_critical_size():
    log_critical = LAW.critical_log_tokens
    assert log_critical == pytest.approx(0.5413 * 5 / (4 * 0.02), rel=1e-4)  # golden
    below, above = np.exp(log_critical - 1e-3), np.exp(log_critical + 1e-3)
    assert np.isfinite(LAW.optimal_dimension(below)[0])
    assert np.isnan(LAW.optimal_dimension(above)[0])
    assert np.isnan(LAW.redescent_dimension(above)[0])
    dims = np.geomspace(0.1, 1e4, 10_000)
    assert np.all(np.diff(-0.02 * dims + 5 * above ** (-4 / dims)) < 0)
    merged = 4 * log_critical / 2  # u = 2
    assert LAW.optimal_dimension(below)[0] == pytest.approx(merged, rel=0.02)
    assert 5 * np.exp(-4 * log_critical / merged) == pytest.approx(LAW.critical_excess)


def test_the_optimum_grows_faster_than_ln_d():
    logs = np.linspace(5, 33, 30)
    dims = LAW.optimal_dimension(np.exp(logs))
    assert np.all(np.diff(dims / logs) > 0)


def test_context_of_the_optimal_dimension():
    decay = PowerDecay(3.0, 0.6)
    sizes = np.exp([6.0, 20, 33, 40])
    found = optimal_context(LAW, decay, sizes)
    assert LAW.dimension(decay(found[:3])) == pytest.approx(LAW.optimal_dimension(sizes)[:3])
    assert np.isnan(found[3])
    small = DimensionLaw(5, 4, 0.02, dimension_limit=10)  # the state never gets as large as dim*(D)
    assert np.isnan(optimal_context(small, decay, np.exp(24.0))[0])
    wide, slow, size = DimensionLaw(5, 4, 0.02, dimension_limit=60), PowerDecay(1.15, 0.3), np.exp([30.0])
    losses = wide.losses(np.append(1.17, slow(np.arange(1, 2_000))), size)[0]
    local = np.flatnonzero((losses[1:-1] < losses[:-2]) & (losses[1:-1] < losses[2:])) + 1
    assert abs(local - optimal_context(wide, slow, size)[0]).min() <= 1
    (at,) = optimal_context(LAW, ExponentialDecay(3.9, 0.5), sizes[1])
    assert LAW.dimension(3.9 * 0.5**at) == pytest.approx(LAW.optimal_dimension(sizes[1])[0])


# ------------------------------------------------------------------------------------------------ exponents
@given(st.floats(0.5, 4.0))
def test_lines_of_the_exponents(smoothness):
    """1/alpha against d is a line: through 0 without noise, through 1 with it, both with slope 1 / (2 s)."""
    d = np.array([1.0, 2.0, 4.0, 8.0])
    for noisy, wanted in ((False, 0.0), (True, 1.0)):
        slope, start = np.polyfit(d, 1 / approximation_exponent(d, smoothness, noisy), 1)
        assert (slope, start) == (pytest.approx(1 / (2 * smoothness)), pytest.approx(wanted, abs=1e-9))
    assert approximation_exponent(3.0, 2.0, noisy=False) == pytest.approx(4 / 3)  # c = 4


# ------------------------------------------------------------------------------------------------ refusals
@pytest.mark.parametrize(
    "build, error, named",
    [
        (lambda: optimal_context(TabularLaw(2), [0.5, 0.6], 10), ConfigError, "missing"),
        (lambda: optimal_context(TabularLaw(2), [0.6, 0.5], 0), ConfigError, "n_tokens"),
        (lambda: PowerDecay(1.0, -1.0), ConfigError, "exponent: given -1"),
        (lambda: ExponentialDecay(1.0, 1.0), ConfigError, "ratio: given 1"),
        (lambda: ParameterLaw(0.0), ConfigError, "per_token"),
        (lambda: HorizonLaw(0.0), ConfigError, "exponent"),
        (lambda: QuantaLaw([0.1], 0.0), ConfigError, "threshold"),
        (lambda: optimal_context(QuantaLaw([0.1], 1.0), [1.0, 0.5, 0.2], 10), ConfigError, "frequencies: 1 given"),
        (lambda: optimal_context(QuantaLaw([0.1], 1.0), PowerDecay(1, 1), 10), UndefinedError, "frequencies"),
        (lambda: optimal_context(LAW, [10.0, 1.0], 100), ConfigError, "dimension_limit"),
        (lambda: DimensionLaw(1, 1, 0, 1), ConfigError, "slope"),
        (lambda: LAW.optimal_dimension(1.0), ConfigError, "n_tokens"),
    ],
)
def test_nonsense_is_refused(build, error, named):
    with pytest.raises(error, match=named):
        build()


@pytest.mark.parametrize(
    "made",
    [
        lambda: TabularLaw(1),
        lambda: ParameterLaw(1.0, math.nan),
        lambda: ParameterLaw(1.0, -5.0),
        lambda: QuantaLaw([math.nan], 1.0),
        lambda: PowerDecay(math.inf, 1.0),
        lambda: DimensionLaw(math.inf, 1.0, 1.0, 1.0),
        lambda: optimal_context(TabularLaw(2), [1.0, 0.5], 100.0, tolerance=math.nan),
        lambda: optimal_context(TabularLaw(2), [1.0, 0.5], 100.0, tolerance=-1.0),
    ],
)
def test_laws_of_what_is_no_number_are_refused(made):
    with pytest.raises(ConfigError):
        made()
