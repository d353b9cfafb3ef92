"""Mixture transition: small cases against the Markov chain of the same kernel, samples against both."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError, ResourceError, UndefinedError
from testbed.sources import MarkovSource
from testbed.sources.power_law import MixtureTransitionSource
from testbed.sources.power_law.copying import correlations, stationary_copies

Z = 5.5


def chain_of(source: MixtureTransitionSource) -> MarkovSource:
    """The chain of order n_lags with the same law, built context by context."""
    size, order = source.vocab_size, source.n_lags
    lags, mu = source.lag_weights / 2**32, source.marginal_weights / 2**32
    kernel = np.empty((size,) * (order + 1))
    for context in itertools.product(range(size), repeat=order):
        law = lags[0] * mu
        for lag in range(1, order + 1):
            law = law + lags[lag] * np.eye(size)[context[order - lag]]
        kernel[context] = law
    return MarkovSource(kernel)


SMALL = [
    MixtureTransitionSource(vocab_size=2, n_lags=3, fresh=0.3),
    MixtureTransitionSource(vocab_size=3, n_lags=4, fresh=0.1, lag_exponent=-0.5, marginal=np.array([0.6, 0.3, 0.1])),
    MixtureTransitionSource(vocab_size=2, lag_law=np.array([0.0, 0.0, 0.0, 1.0]), fresh=0.2),
]


@pytest.mark.parametrize("source", SMALL)
def test_truths_are_those_of_the_chain(source):
    """Quantised anew, the chain's kernel differs by 2^-32."""
    chain = chain_of(source)
    assert source.conditional_entropies(6).lower == pytest.approx(chain.conditional_entropies(6).lower, abs=1e-7)
    assert source.entropy_rate().lower == pytest.approx(chain.entropy_rate().lower, abs=1e-7)
    assert source.excess_entropy().lower == pytest.approx(chain.excess_entropy().lower, abs=1e-6)
    lags = list(range(12))
    assert source.two_point(lags).value == pytest.approx(chain.two_point(lags).value, abs=1e-7)
    tokens = source.sample(10, 12, seed=1)
    late = list(range(source.n_lags, 12))
    assert source.predict(tokens, positions=late) == pytest.approx(chain.predict(tokens, positions=late), abs=1e-8)


@pytest.mark.parametrize("source", SMALL)
def test_sampled_rate_brackets_the_exact_one(source):
    exact, sampled = source.entropy_rate(), source._sampled_rate
    assert exact.kind == "exact"
    assert sampled.kind == "sampled"
    assert abs(float(exact.lower) - float(sampled.lower)) < Z * float(sampled.standard_error) + 1e-12


@pytest.mark.parametrize("source", SMALL)
def test_stationary_samples_are_stationary(source):
    """String frequencies at the start of a stationary sample, against the chain's stationary law, Bernstein at Z."""
    chain, n = chain_of(source), 20_000
    order = min(source.n_lags, 4)
    law = chain.stationary_law.sum(axis=tuple(range(source.n_lags - order))).ravel()
    tokens = source.sample_stationary(n, order + 3, seed=4).astype(int)
    for first in (0, 3):
        codes = tokens[:, first : first + order] @ (source.vocab_size ** np.arange(order - 1, -1, -1))
        found = np.bincount(codes, minlength=len(law)) / n
        assert np.all(np.abs(found - law) < Z * np.sqrt(law / n) + Z**2 / 2 / n)


def test_cold_start_is_followed_by_hand():
    """p(x_t | past) = sum_{l<=t} w_l [x = x_(t-l)] + rest mu(x), written out for every string."""
    source = SMALL[1]
    lags, mu = source.lag_weights / 2**32, source.marginal_weights / 2**32
    tokens = source.sample(5, 9, seed=3).astype(int)
    laws = source.predict(tokens)
    for row, t in itertools.product(range(5), range(9)):
        law = np.zeros(3)
        rest = lags[0]
        for lag in range(1, source.n_lags + 1):
            if lag <= t:
                law[tokens[row, t - lag]] += lags[lag]
            else:
                rest += lags[lag]
        assert laws[row, t] == pytest.approx(law + rest * mu, abs=1e-12)


def test_position_losses_start_at_the_marginal_and_fall_towards_the_rate():
    source = SMALL[0]
    losses = source.position_losses(40)
    assert losses.kind == "sampled"
    assert float(losses.lower[0]) == pytest.approx(math.log(2), abs=1e-9)
    assert abs(losses.lower[-1] - float(source.entropy_rate().lower)) < Z * losses.standard_error[-1] + 1e-6


@settings(max_examples=30)
@given(st.lists(st.floats(0.01, 1.0), min_size=2, max_size=6))
def test_correlations_solve_yule_walker(given_weights):
    lags = np.array(given_weights) / sum(given_weights)
    rho = correlations(lags, 15)
    for m in range(1, 16):
        assert rho[m] == pytest.approx(sum(lags[l] * rho[abs(m - l)] for l in range(1, len(lags))), abs=1e-12)


def test_power_law_lags_give_power_law_correlations():
    """Long lags: measured matches at lags 1, 10, 100 of stationary samples, 5.5 standard errors over sequences."""
    source = MixtureTransitionSource(n_lags=300, fresh=0.2)
    tokens = source.sample_stationary(400, 600, seed=6).astype(int)
    for lag in (1, 10, 100):
        match = (tokens[:, lag:] == tokens[:, :-lag]).mean(axis=1)
        rho = float(source.two_point(lag).lower)
        assert abs(match.mean() - (rho + (1 - rho) / 4)) < Z * match.std(ddof=1) / 20
    near, far = np.asarray(source.two_point([20, 200]).value)
    assert 0.5 < math.log10(near / far) < 1.6


def test_looking_further_back_changes_nothing():
    source = SMALL[0]
    whole = source.sample_stationary(6, 30, seed=9, first_sequence=0)
    part = source.sample_stationary(2, 30, seed=9, first_sequence=3)
    assert np.array_equal(whole[3:5], part)
    assert np.array_equal(whole[:, 20:], source.sample_stationary(6, 10, seed=9))  # times count from the end


def test_copies_without_end_are_refused(monkeypatch):
    monkeypatch.setattr("testbed.sources.power_law.copying.LONGEST_PAST", 2**17)
    source = MixtureTransitionSource(n_lags=4000, fresh=1e-5, lag_exponent=-1)
    with pytest.raises(ResourceError, match="fresh"):
        stationary_copies(source.lag_weights, 1, 5, 0, 0)


def test_what_is_not_known_is_refused_with_its_reason():
    source = MixtureTransitionSource(n_lags=40)
    tokens = source.sample(2, 5)
    with pytest.raises(UndefinedError, match="context"):
        source.predict(tokens, context=2)
    with pytest.raises(UndefinedError, match="4\\^40"):
        source.conditional_entropies(2)
    with pytest.raises(UndefinedError, match="4\\^40"):
        source.excess_entropy()
    rate = source.entropy_rate()
    assert rate.kind == "sampled"
    assert 0 < float(rate.standard_error) < 0.01


@pytest.mark.parametrize(
    "keys, named",
    [
        ({"fresh": 0.0}, "fresh"),
        ({"lag_law": [0.5, 0.4]}, "lag_law"),
        ({"lag_law": [0.5, 0.5], "n_lags": 3}, "lag_law"),
        ({"lag_law": [0.5, 0.5], "lag_exponent": 1.0}, "lag_exponent"),
        ({"marginal": [0.5, 0.5], "vocab_size": 3}, "marginal"),
        ({"n_lags": 0}, "n_lags"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(keys, named):
    with pytest.raises(ConfigError, match=named):
        MixtureTransitionSource(**keys)


def test_one_symbol_has_no_entropy_and_not_minus_none():
    h = MixtureTransitionSource(vocab_size=1, n_lags=2).conditional_entropies(3).lower
    assert not h.any()
    assert not np.signbit(h).any()
