"""Recall at a told distance, against all strings of bits, distances and flips."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.sources.lags import SelectorLagSource
from testbed.sources.source import sources

LN2 = math.log(2)

SMALL = [
    SelectorLagSource(law="power", max_lag=4, exponent=0.7, noise=0.1),
    SelectorLagSource(law="linear", max_lag=3),
    SelectorLagSource(law="step", max_lag=2, noise=0.3),
    SelectorLagSource(law="exponential", max_lag=4, scale=1.5, noise=1.0),
    SelectorLagSource(probabilities=[0.25, 0.0, 0.75], noise=0.5),
]


def joint_law(source: SelectorLagSource, n_units: int) -> dict[tuple[int, ...], float]:
    """p(u_1 .. u_n, tau, y) by summing over all bits (also those before the sequence) and the flip; slow twin."""
    n_bits = max(n_units, source.largest_lag)
    law: dict[tuple[int, ...], float] = {}
    for bits in itertools.product((0, 1), repeat=n_bits):
        for tau, q in enumerate(source.question_law, start=1):
            for flip, p in enumerate(source.noise_weights / 2**32):
                key = (*bits[:n_units], tau, bits[tau - 1] ^ flip)
                law[key] = law.get(key, 0.0) + 0.5**n_bits * q * p
    return law


def entropy_of(law: dict) -> float:
    return -sum(p * math.log(p) for p in law.values() if p > 0)


def marginal(law: dict, keep) -> dict:
    found: dict = {}
    for key, p in law.items():
        found[keep(key)] = found.get(keep(key), 0.0) + p
    return found


@pytest.mark.parametrize("source", SMALL, ids=str)
@pytest.mark.parametrize("n_units", [0, 2, 5])
def test_all_strings(source, n_units):
    """h_l = H(Y | tau, u_1 .. u_l); strings and laws, in sequences shorter and longer than the distances."""
    law = joint_law(source, n_units)
    h = source.conditional_entropies(n_units)
    for l in range(n_units + 1):
        seen = marginal(law, lambda key, l=l: (key[:l], key[-2], key[-1]))
        given = marginal(law, lambda key, l=l: (key[:l], key[-2]))
        assert h.value[l] == pytest.approx(entropy_of(seen) - entropy_of(given), abs=1e-12)
    keys = [key for key in law if source.question_law[key[-2] - 1] > 0]
    tokens = np.array([[*key[:n_units][::-1], 1 + key[-2], key[-1]] for key in keys], dtype=np.uint8)
    with np.errstate(divide="ignore"):
        expected = np.log([law[key] for key in keys])
        assert source.log_probs(tokens).sum(axis=1) == pytest.approx(expected, abs=1e-9)
        laws = source.predict(tokens)
        read = np.log(np.take_along_axis(laws, tokens[..., None].astype(int), axis=2)[..., 0])
    assert source.log_probs(tokens) == pytest.approx(read, abs=1e-12)
    for l in range(n_units + 1):
        seen = marginal(law, lambda key, l=l: (key[:l], key[-2], key[-1]))
        predicted = source.predict(tokens, context=l, positions=[n_units + 1])[:, 0]
        for row, key in enumerate(keys):
            pair = [seen.get((key[:l], key[-2], y), 0.0) for y in (0, 1)]
            assert predicted[row, :2] == pytest.approx(np.array(pair) / sum(pair), abs=1e-12)
    assert source.position_losses(n_units + 2).value.sum() == pytest.approx(entropy_of(law), abs=1e-12)


@pytest.mark.parametrize(
    "law, shape, survival",
    [
        ("power", {"exponent": 0.5}, lambda l: (1 + l) ** -0.5),
        ("exponential", {"scale": 7.0}, lambda l: np.exp(-l / 7.0)),
        ("linear", {}, lambda l: 1 - l / 30),
        ("step", {}, lambda l: np.ones_like(l)),
    ],
)
def test_named_laws(law, shape, survival):
    """h_l = ln 2 P(tau > l) + H_2(noise) P(tau <= l), P(tau > l) as named below K = 30 and 0 from there on."""
    source = SelectorLagSource(law=law, max_lag=30, noise=0.1, **shape)
    lengths = np.arange(41.0)
    tail = np.where(lengths < 30, survival(lengths), 0.0)
    floor = -(0.1 * math.log(0.1) + 0.9 * math.log(0.9))
    h = source.conditional_entropies(40).value
    assert h == pytest.approx(LN2 * tail + floor * (1 - tail), abs=1e-8)
    assert source.entropy_rate().value == pytest.approx(h[-1], abs=1e-12)
    assert source.excess_entropy().value == pytest.approx((h - h[-1]).sum(), abs=1e-9)


def test_a_linear_law_makes_risk_linear_in_the_state():
    """A3 of the intrinsic-entropy paper: h_0 - h_l = S(l) / K."""
    source = SelectorLagSource(law="linear", max_lag=32)
    h = source.conditional_entropies(32).value
    state = np.array([source.state_entropy(l).value for l in range(33)])
    assert h[0] - h == pytest.approx(state / 32, abs=1e-12)


def test_state_entropy_counts_the_bits_that_may_be_asked_for():
    source = SelectorLagSource(law="power", max_lag=8, exponent=1.0)
    assert [source.state_entropy(l).value / LN2 for l in (0, 3, 8, 20)] == [0, 3, 8, 8]
    assert source.state_entropies(20).value == pytest.approx(LN2 * np.minimum(np.arange(21), 8))
    gaps = SelectorLagSource(probabilities=[0.5, 0.0, 0.5])
    assert [gaps.state_entropy(l).value / LN2 for l in range(5)] == [0, 1, 1, 2, 2]
    assert SelectorLagSource(law="step", max_lag=3, noise=0.5).state_entropy(3).value == 0


def test_context_beyond_the_largest_distance_is_irrelevant():
    """LAG0: h_l is flat from K on, and so are the laws."""
    source = SelectorLagSource(law="linear", max_lag=4, noise=0.1)
    h = source.conditional_entropies(60).value
    assert np.all(h[4:] == h[4])
    tokens = source.sample(50, 40, seed=1)
    assert np.array_equal(source.predict(tokens, context=4), source.predict(tokens))


def test_targets_are_the_bits_they_ask_for():
    source = SelectorLagSource(law="linear", max_lag=6)
    tokens = source.sample(500, 8, seed=3)
    lags = tokens[:, -2].astype(int) - 1
    assert np.array_equal(tokens[:, -1], tokens[np.arange(500), 6 - lags])
    noisy = SelectorLagSource(law="linear", max_lag=6, noise=0.2).sample(20_000, 8, seed=3)
    flips = noisy[:, -1] != noisy[np.arange(20_000), 7 - noisy[:, -2].astype(int)]
    assert abs(flips.mean() - 0.2) < 5.5 * math.sqrt(0.16 / 20_000)


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=12), st.floats(0.0, 1.0))
def test_profiles_are_met(steps, depth):
    total = sum(steps) or 1.0
    wanted = LN2 * (1 - depth * np.append(0.0, np.cumsum(steps)) / total)
    source = SelectorLagSource.from_profile(wanted)
    assert source.conditional_entropies(len(wanted) - 1).value == pytest.approx(wanted, abs=1e-8)
    assert source.entropy_rate().value == pytest.approx(wanted[-1], abs=1e-8)
    exact = SelectorLagSource.from_profile(wanted, noise=0.0)
    assert exact.conditional_entropies(len(wanted) - 1).value == pytest.approx(wanted, abs=1e-8)
    assert exact.entropy_rate().value == 0
    assert exact.largest_lag <= len(wanted)


def test_a_profile_in_a_config_is_from_profile():
    wanted = [LN2, 0.5, 0.3]
    source = sources.build({"type": "selector_lag", "h_profile": wanted})
    assert source == SelectorLagSource.from_profile(wanted) == sources.build(source.resolved())
    assert source.conditional_entropies(2).value == pytest.approx(wanted, abs=1e-8)
    assert SelectorLagSource(h_profile=wanted, noise=0.01) == SelectorLagSource.from_profile(wanted, noise=0.01)
    with pytest.raises(ConfigError, match="law: given beside an h_profile"):
        SelectorLagSource(h_profile=wanted, law="linear")


def test_profiles_that_cannot_be_are_refused():
    with pytest.raises(ConfigError, match="h_profile: starts at 0.5"):
        SelectorLagSource.from_profile([0.5, 0.2])
    with pytest.raises(ConfigError, match="h_profile: increases at index 2"):
        SelectorLagSource.from_profile([LN2, 0.2, 0.3])
    with pytest.raises(ConfigError, match="noise: the curve ends at 0.2, below"):
        SelectorLagSource.from_profile([LN2, 0.2], noise=0.3)


def test_nonsense_is_refused():
    for parameters, fault in (
        ({}, "law: give"),
        ({"law": "step", "probabilities": [1.0]}, "law: give"),
        ({"law": "power", "max_lag": 3}, "exponent: the power law needs it"),
        ({"law": "step"}, "max_lag: the step law needs it"),
        ({"law": "step", "max_lag": 3, "scale": 1.0}, "scale: the step law has none"),
        ({"probabilities": [0.5, 0.4]}, "probabilities: the law sums to 0.9"),
        ({"probabilities": [1.0], "max_lag": 1}, "max_lag: shapes a named law"),
        ({"law": "step", "max_lag": 3, "noise": 2.0}, "noise"),
    ):
        with pytest.raises(ConfigError, match=fault):
            SelectorLagSource(**parameters)
    source = SMALL[0]
    for length in (0, 1, -1):
        with pytest.raises(ConfigError, match="length"):
            source.sample(1, length)
    for call in (source.conditional_entropies, source.state_entropy, source.task_entropies):
        with pytest.raises(ConfigError, match="context"):
            call(-1)
