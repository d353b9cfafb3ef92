"""Finite families: random automata and random chains, one of which is drawn for each sequence."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.sources.combinators.mixture import MixtureSource
from testbed.sources.in_context import MarkovMixtureSource, RandomAutomataSource, RandomAutomatonSource

seeds = st.integers(0, 10_000)


@settings(max_examples=30, deadline=None)
@given(seeds, st.integers(1, 8), st.integers(1, 4), st.sampled_from([None, 0.1, 1.0]))
def test_automata_are_unifilar_irreducible_and_of_wanted_size(seed, n_states, n_edges, concentration):
    source = RandomAutomatonSource(
        vocab_size=4, n_states=n_states, n_edges=n_edges, concentration=concentration, seed=seed
    )
    assert source.unifilar
    assert source.n_states == n_states
    for state in range(n_states):
        positive = source.edges.weights[state] > 0
        assert positive.sum() == n_edges == len(set(source.edges.symbols[state][positive].tolist()))
    assert np.all(source.stationary_law > 0)
    if concentration is None:
        assert source.entropy_rate().value == pytest.approx(math.log(n_edges), abs=1e-8)


def families():
    return [
        RandomAutomataSource(vocab_size=3, n_states=2, n_edges=2, n_automata=3, seed=1),
        MarkovMixtureSource(vocab_size=2, order=1, n_chains=3, seed=2),
        MarkovMixtureSource(vocab_size=2, order=2, n_chains=2, concentration=0.3, seed=3),
    ]


@pytest.mark.parametrize("family", families(), ids=lambda family: family.type_name)
def test_families_are_mixtures(family):
    mixture = MixtureSource(list(family.components))
    assert family.fingerprint == mixture.fingerprint
    assert not family.ergodic
    assert family.stationary
    assert family.entropy_rate().value == pytest.approx(mixture.entropy_rate().value, abs=1e-9)
    ours, theirs = family.excess_entropy(), mixture.excess_entropy()
    assert ours.lower == pytest.approx(theirs.lower, abs=1e-8)
    assert ours.upper == pytest.approx(theirs.upper, abs=1e-8)
    assert family.conditional_entropies(5).lower == pytest.approx(mixture.conditional_entropies(5).lower, abs=1e-9)
    tokens = family.sample(4, 12)
    assert np.array_equal(tokens, mixture.sample(4, 12))
    assert family.predict(tokens) == pytest.approx(mixture.predict(tokens), abs=1e-12)


@pytest.mark.parametrize("family", families(), ids=lambda family: family.type_name)
def test_strings_have_the_mean_probability_of_the_components(family):
    strings = np.array(list(itertools.product(range(family.vocab_size), repeat=5)))
    weights = family.inner.component_probabilities
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = [np.exp(np.nan_to_num(c.log_probs(strings), nan=-np.inf).sum(axis=1)) for c in family.components]
        found = np.exp(np.nan_to_num(family.log_probs(strings), nan=-np.inf).sum(axis=1))
    assert found == pytest.approx(weights @ np.array(parts), abs=1e-12)


def test_long_sequences_tell_their_chain():
    family = MarkovMixtureSource(vocab_size=3, order=1, n_chains=8, seed=4)
    tokens = family.sample(50, 400, seed=1)
    posterior = family.inner.posterior(tokens)[:, -1]
    chosen = family.inner.draw_components(50, seed=1)
    assert np.median(posterior[np.arange(50), chosen]) > 0.999


def test_families_of_one_law_are_ergodic():
    twice = RandomAutomataSource(vocab_size=2, n_states=1, n_edges=2, n_automata=2)
    assert twice.ergodic
    assert twice.excess_entropy().value == pytest.approx(0.0, abs=1e-9)
    assert MarkovMixtureSource(vocab_size=2, n_chains=1).ergodic
    assert not MarkovMixtureSource(vocab_size=2, n_chains=2).ergodic


def test_large_families_are_not_compared_pair_by_pair():
    family = MarkovMixtureSource(vocab_size=3, order=1, n_chains=128)
    assert not family.ergodic
    assert family.entropy_rate().kind == "exact"
    excess = family.excess_entropy().value - np.mean([c.excess_entropy().value for c in family.components])
    assert excess == pytest.approx(math.log(128), abs=1e-6)


def test_too_many_edges_are_refused():
    for call in (
        lambda: RandomAutomatonSource(vocab_size=2, n_states=3, n_edges=3),
        lambda: RandomAutomataSource(vocab_size=2, n_states=3, n_edges=3, n_automata=2),
    ):
        with pytest.raises(ConfigError, match="n_edges: given 3, at most vocab_size = 2"):
            call()
