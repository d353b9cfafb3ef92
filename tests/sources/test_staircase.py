"""Staircases: their curve and correlation against all strings, and designs against what was wanted."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.sources.dyadic import quantise
from testbed.sources.lags import PowerLaw, StaircaseSource, primitive_taps
from testbed.sources.lags.staircase_design import (
    RETURN_HORIZON,
    noise_of_drop,
    smallest_uncorrelated_degree,
    uncorrelated_taps,
)
from testbed.sources.lags.two_point import impulse_response
from testbed.sources.source import sources

LN2 = math.log(2)

SMALL = [
    StaircaseSource(lags=(1, 3), noises=(0.1, 0.2)),
    StaircaseSource(lags=(2, 3), noises=(0.05, 0.3), correlation="off", horizon=2),
    StaircaseSource(lags=(1, 0), noises=(0.2, 0.1)),
    StaircaseSource(lags=(2, 3), noises=(0.1, 0.25), marginals=(0.2, 0.5)),
    StaircaseSource(lags=(1, 2), noises=(0.0, 0.6), marginals=(0.75, 0.4)),
]


def joint_law(source: StaircaseSource, length: int) -> np.ndarray:
    """(V,) * length from the bits' own definitions: product over bits of start and flip probabilities."""
    law = np.ones((source.vocab_size,) * length)
    for index in itertools.product(range(source.vocab_size), repeat=length):
        for j, (lag, one) in enumerate(zip(source.lags, source.components, strict=True)):
            x = [(token >> j) & 1 for token in index]
            for t in range(length):
                if lag == 0:
                    p = one.kernel[x[t]]
                elif source.marginals is not None and source.marginals[j] != 0.5:  # a copy, or a fresh draw
                    m, fresh = source.marginals[j], 2 * source.noises[j]
                    p = m if x[t] else 1 - m
                    if t >= lag:
                        p = fresh * p + (1 - fresh) * (x[t] == x[t - lag])
                elif t < lag:
                    p = 0.5
                else:
                    p = one.noise_law[(x[t] + sum(x[t - tap] for tap in one.taps)) % 2]
                law[index] *= p
    return law


@pytest.mark.parametrize("source", SMALL, ids=str)
def test_all_strings(source):
    length = 5
    law = joint_law(source, length)
    block = [0.0]
    for n in range(1, length + 1):
        marginal = law.sum(axis=tuple(range(length - n)))
        assert law.sum(axis=tuple(range(n, length))) == pytest.approx(marginal, abs=1e-12)
        marginal = marginal[marginal > 0]
        block.append(-float((marginal * np.log(marginal)).sum()))
    assert source.conditional_entropies(length - 1).value == pytest.approx(np.diff(block), abs=1e-12)
    strings = np.array(list(np.ndindex(law.shape)), dtype=np.uint8)
    with np.errstate(invalid="ignore"):
        assert np.exp(source.log_probs(strings).sum(axis=1)) == pytest.approx(law.ravel(), abs=1e-12)
    symbol = law.sum(axis=tuple(range(1, length)))
    same = symbol @ symbol
    for lag in range(length):
        pair = law.sum(axis=tuple(axis for axis in range(length) if axis not in (length - 1 - lag, length - 1)))
        match = np.trace(pair) if lag else 1.0
        assert source.two_point(lag).value == pytest.approx((match - same) / (1 - same), abs=1e-12)


def test_tokens_are_packed_bits():
    source = StaircaseSource(lags=(1, 4, 0), noises=(0.0, 1.0, 0.25))
    tokens = source.sample(200, 60, seed=2)
    bits = [(tokens >> j) & 1 for j in range(3)]
    assert np.all(bits[0] == bits[0][:, :1])
    assert np.all(bits[1][:, 4:] != bits[1][:, :-4])
    assert abs(bits[2].mean() - 0.25) < 5.5 * math.sqrt(0.25 * 0.75 / tokens.size)


def test_correlation_leaves_the_curve_alone():
    arguments = {"lags": (8, 16, 40), "noises": (0.1, 0.2, 0.3)}
    copy, off = StaircaseSource(**arguments), StaircaseSource(**arguments, correlation="off")
    assert np.array_equal(copy.conditional_entropies(50).value, off.conditional_entropies(50).value)
    assert copy.excess_entropy().value == off.excess_entropy().value
    assert copy.correlation_certificate().value == pytest.approx(0.8, abs=1e-8)
    assert off.correlation_certificate().value <= 0.8**128 * 1.001
    assert copy.component_two_points([8, 16, 40]).value == pytest.approx(
        np.array([[0.8, 0.64, 0.8**5], [0.0, 0.6, 0.0], [0.0, 0.0, 0.4]]), abs=1e-8
    )
    bound = float(copy.correlation_certificate().value)
    assert np.all(np.abs(copy.two_point(range(1, 200)).value) <= bound)


@st.composite
def profiles(draw):
    """A non-increasing curve: drops at a few lags, and what is left at the end."""
    drops = {lag: draw(st.floats(1e-3, 1.5)) for lag in draw(st.sets(st.integers(1, 12), min_size=1, max_size=5))}
    end = draw(st.sampled_from([0.0, 1e-4, 0.05, 0.5, 2.0, 4.0]))
    return [end + sum(drop for lag, drop in drops.items() if lag > n) for n in range(14)]


@given(profiles())
@example([2.0, 1.5, 1.5, 0.2])
@example([0.1, 0.0])
@example([1e-3, 0.999e-3])
def test_designs_have_the_curve_that_was_wanted(wanted):
    source = StaircaseSource.design(wanted)
    h = source.conditional_entropies(len(wanted) - 1)
    assert h.kind == "exact"
    assert h.value == pytest.approx(wanted, abs=3e-9 * len(source.lags))
    assert source.entropy_rate().value == pytest.approx(wanted[-1], abs=3e-9 * len(source.lags))
    assert source.excess_entropy().value == pytest.approx(sum(wanted) - len(wanted) * wanted[-1], abs=1e-7)


def test_a_profile_in_a_config_is_the_design():
    for wanted in ([2.0, 1.5, 1.5, 0.2], [2.5, 1.5]):
        source = sources.build({"type": "staircase", "h_profile": wanted})
        assert source == StaircaseSource.design(wanted) == sources.build(source.resolved())
        assert source == StaircaseSource(lags=source.lags, noises=source.noises, marginals=source.marginals)
        assert source.conditional_entropies(len(wanted) - 1).value == pytest.approx(wanted, abs=1e-8)
    power = sources.build({"type": "staircase", "h_profile": {"exponent": 0.5, "amplitude": 1.0, "n_lags": 3}})
    assert power.lags == (1, 2, 4)
    assert StaircaseSource.design([2.5, 1.5]).marginals is None
    with pytest.raises(ConfigError, match="lags: given beside an h_profile"):
        StaircaseSource(h_profile=[1.0], lags=(1,), noises=(0.1,))


def test_a_flat_curve_needs_no_lags():
    source = StaircaseSource.design([1.0, 1.0])
    assert source.lags == (0, 0)
    assert source.excess_entropy().value == 0
    assert source.conditional_entropies(3).value == pytest.approx(np.ones(4), abs=1e-9)


@pytest.mark.parametrize("correlation, first_lag", [("copy", 1), ("off", 8)])
def test_power_laws_are_exact_at_dyadic_points(correlation, first_lag):
    wanted = PowerLaw(exponent=0.7, amplitude=1.2, n_lags=7, first_lag=first_lag)
    source = StaircaseSource.design(wanted, correlation=correlation)
    assert source.lags == tuple(first_lag * 2**j for j in range(7))
    assert source.vocab_size == 128
    excess = source.conditional_entropies(source.lags[-1]).value - source.entropy_rate().value
    for lag in source.lags:
        assert excess[lag - 1] == pytest.approx(1.2 * lag**-0.7, abs=1e-8)
    assert excess[-1] == pytest.approx(0.0, abs=1e-12)
    raised = StaircaseSource.design(wanted.replace(rate=4.75))
    assert raised.entropy_rate().value == pytest.approx(4.75, abs=1e-8)


def test_large_drops_take_several_bits():
    source = StaircaseSource.design([2.5 * LN2, 2.5 * LN2, LN2 / 2])
    assert source.lags == (2, 2, 0)
    assert source.noises[:2] == (0.0, 0.0)
    source = StaircaseSource.design([3 * LN2, LN2])
    assert source.lags == (1, 1, 0)
    assert source.noises == (0.0, 0.0, 0.5)


def test_designs_that_cannot_be_are_refused():
    with pytest.raises(ConfigError, match="h_profile: increases at index 2, from 1 to 1.25"):
        StaircaseSource.design([2.0, 1.0, 1.25])
    with pytest.raises(ConfigError, match="out of reach.*take 2 bits.*raise the curve by at least 0.686"):
        StaircaseSource.design([0.7, 0.5, 0.3], correlation="off", horizon=1)
    with pytest.raises(ConfigError, match="h_profile: ends at -1"):
        StaircaseSource.design([1.0, -1.0])
    with pytest.raises(ConfigError, match="takes 145 bits"):
        StaircaseSource.design([100.0, 100.0])
    for wrong in ([], [[1.0]], [math.inf], [math.nan]):
        with pytest.raises(ConfigError, match="h_profile"):
            StaircaseSource.design(wrong)
    with pytest.raises(ConfigError, match="amplitude"):
        PowerLaw(exponent=1.0, amplitude=0.0, n_lags=3)
    with pytest.raises(ConfigError, match="out of reach"):
        StaircaseSource.design(PowerLaw(exponent=1.0, amplitude=0.1, n_lags=3, rate=0.1), correlation="off")


@pytest.mark.parametrize("noise", [0.0, 0.05, 0.2, 0.45, 0.8])
@pytest.mark.parametrize("horizon, tolerance", [(100, 0.01), (1000, 1e-6), (2, 0.5)])
def test_the_smallest_degree_that_would_do(noise, horizon, tolerance):
    """What the refusal names is accepted, and one less is refused."""
    degree = smallest_uncorrelated_degree(quantise([1 - noise, noise])[1] / 2**32, horizon, tolerance)
    arguments = {"noises": (noise,), "correlation": "off", "horizon": horizon, "tolerance": tolerance}
    source = StaircaseSource(lags=(degree,), **arguments)
    assert source.correlation_certificate().value <= tolerance
    if degree > 1:
        with pytest.raises(ConfigError, match=f"the smallest degree that would do is {degree}$"):
            StaircaseSource(lags=(degree - 1,), **arguments)


def test_uncorrelated_taps():
    assert uncorrelated_taps(20) == primitive_taps(20)
    for degree in (33, 40, 64, 100):
        taps = uncorrelated_taps(degree)
        visited = np.flatnonzero(impulse_response(taps, 2, RETURN_HORIZON + 1))
        assert len(taps) == 2
        assert max(taps) == degree
        assert np.diff(visited).max() < degree


def test_a_correlation_limit_changes_no_key():
    one = StaircaseSource(lags=(1,), noises=(0.1,))
    assert one == one.replace(horizon=7)
    assert one != one.replace(correlation="off", tolerance=1.0)


def test_nonsense_is_refused():
    with pytest.raises(ConfigError, match="noises: given 1 for 2 lags"):
        StaircaseSource(lags=(1, 2), noises=(0.1,))
    with pytest.raises(ConfigError, match="lags: component 1"):
        StaircaseSource(lags=(1, -2), noises=(0.1, 0.1))
    with pytest.raises(ConfigError, match="noises: component 0"):
        StaircaseSource(lags=(1,), noises=(1.1,))
    with pytest.raises(ConfigError, match="component 0 of lag 0"):
        StaircaseSource(lags=(0,), noises=(0.0,))
    for marginals, lag, noise, fault in (
        ((0.2, 0.5), 1, 0.1, "marginals: given 2 for 1 lags"),
        ((1.0,), 1, 0.1, "marginals: component 0 is given 1.0, must lie strictly"),
        ((0.2,), 0, 0.1, "marginals: component 0 of lag 0"),
        ((0.2,), 1, 0.7, "noises: component 0 of marginal 0.2 .* at most 1 .* = 0.625"),
    ):
        with pytest.raises(ConfigError, match=fault):
            StaircaseSource(lags=(lag,), noises=(noise,), marginals=marginals)
    with pytest.raises(ConfigError, match="with correlation off bits are fair"):
        StaircaseSource(lags=(1,), noises=(0.5,), marginals=(0.2,), correlation="off")


@given(st.floats(0.0, 1.0))
def test_noise_of_drop(share):
    drop = share * LN2
    e = noise_of_drop(drop)
    entropy = -sum(p * math.log(p) for p in (e, 1 - e) if p > 0)
    assert 0 <= e <= 0.5
    assert LN2 - entropy == pytest.approx(drop, abs=1e-12)
