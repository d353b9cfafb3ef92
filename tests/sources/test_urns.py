"""Polya urns with integer counts: their kernel against a slow twin, their strings against Dirichlet integrals."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.sources.in_context import (
    BiasedCoinSource,
    DirichletIIDSource,
    DirichletMarkovSource,
    DoublyStochasticMarkovSource,
)
from testbed.sources.in_context.urn import TOKEN_STREAM, sample_urns, urn_laws
from testbed.sources.randomness import random_words

Z = 5.5  # false-alarm rate 4e-8, two-sided
seeds = st.integers(0, 10_000)
ratios = st.sampled_from([Fraction(1), Fraction(1, 2), Fraction(7, 3), Fraction(1, 16)])


def slow_urns(vocab_size, order, p, q, n_sequences, length, seed, first):
    """One token at a time, with Python integers and dictionaries."""
    streams = [random_words(n_sequences, length, seed, first, TOKEN_STREAM + j).tolist() for j in range(40)]
    rows = []
    for i in range(n_sequences):
        row, urns = [], {}
        for t in range(length):
            urn = urns.setdefault(tuple(row[t - order :]) if order else (), [p] * vocab_size) if t >= order else None
            weights = [1] * vocab_size if urn is None else urn
            total = sum(weights)
            words = (stream[i][t] for stream in streams)
            product = next(w * total for w in words if w * total % 2**32 >= 2**32 % total)
            ends = list(itertools.accumulate(weights))
            symbol = next(x for x in range(vocab_size) if product >> 32 < ends[x])
            if urn is not None:
                urn[symbol] += q
            row.append(symbol)
        rows.append(row)
    return rows


@settings(max_examples=30, deadline=None)
@given(seeds, st.integers(2, 4), st.integers(0, 2), ratios, st.integers(0, 12))
def test_urns_equal_their_slow_twin(seed, vocab_size, order, a, length):
    fast = sample_urns(vocab_size, order, a, 3, length, seed, 7)
    assert fast.tolist() == slow_urns(vocab_size, order, a.numerator, a.denominator, 3, length, seed, 7)


def test_rejected_words_are_replaced():
    """Urns so full that every other word is rejected."""
    p, q = 2**30 + 1, 3
    fast = sample_urns(2, 0, Fraction(p, q), 200, 6, 5, 0)
    assert fast.tolist() == slow_urns(2, 0, p, q, 200, 6, 5, 0)
    total = 2 * p  # 2^31 + 2: nearly half of all words are rejected
    words = random_words(200, 1, 5, 0, TOKEN_STREAM)[:, 0].astype(np.uint64)
    assert 60 < ((words * np.uint64(total)) % np.uint64(2**32) < 2**32 % total).sum() < 140


def test_strings_are_as_frequent_as_the_law_says():
    """All 64 strings of length 6, 200,000 sequences."""
    for source in (
        DirichletMarkovSource(vocab_size=2, order=1, concentration="1/3"),
        BiasedCoinSource(),
        DoublyStochasticMarkovSource(vocab_size=2),
    ):
        strings = np.array(list(itertools.product(range(2), repeat=6)))
        expected = np.exp(source.log_probs(strings).sum(axis=1))
        tokens = source.sample(200_000, 6, seed=1)
        found = np.bincount(tokens @ (2 ** np.arange(5, -1, -1)), minlength=64) / len(tokens)
        error = np.sqrt(expected * (1 - expected) / len(tokens))
        assert np.all(np.abs(found - expected) < Z * error + Z**2 / len(tokens)), source.type_name


def test_strings_have_their_dirichlet_integral():
    """p(x) = V^-k prod over contexts of B(n + a) / B(a), the integral of the likelihood over the prior."""
    from scipy.special import gammaln

    source = DirichletMarkovSource(vocab_size=3, order=1, concentration="2/5")
    a, tokens = 0.4, source.sample(20, 30, seed=2).astype(int)
    for row, found in zip(tokens, source.log_probs(tokens).sum(axis=1), strict=True):
        counts = np.zeros((3, 3))
        np.add.at(counts, (row[:-1], row[1:]), 1)
        per_row = gammaln(counts + a).sum(axis=1) - gammaln(counts.sum(axis=1) + 3 * a)
        assert found == pytest.approx(-np.log(3) + (per_row - 3 * gammaln(a) + gammaln(3 * a)).sum(), abs=1e-10)


def test_urns_too_full_for_their_words_are_refused():
    with pytest.raises(ConfigError, match="length: 70000 tokens with concentration 1/65536"):
        BiasedCoinSource(concentration="1/65536").sample(1, 70_000)


@pytest.mark.parametrize(
    "given_ratio, kept",
    [(1, 1), (0.3, "3/10"), ("1/2", "1/2"), ("2/4", "1/2"), (4.0, 4), ("0.25", "1/4"), (Fraction(3, 2), "3/2")],
)
def test_concentrations_are_rational(given_ratio, kept):
    source = BiasedCoinSource(concentration=given_ratio)
    assert source.concentration == kept
    assert source.alpha == Fraction(str(given_ratio))
    assert source == BiasedCoinSource(concentration=kept)


@pytest.mark.parametrize("wrong", [0, -1, "x", "1/0", 0.1 + 0.2, 1e-9, 1e9, True, math.nan, math.inf, None, [1]])
def test_other_concentrations_are_refused(wrong):
    with pytest.raises(ConfigError, match="concentration: given"):
        BiasedCoinSource(concentration=wrong)


def test_sizes_are_refused():
    with pytest.raises(ConfigError, match="order: 256 symbols at order 2 need 256\\^3 counts|order"):
        DirichletMarkovSource(vocab_size=257, order=2)
    with pytest.raises(ConfigError, match="vocab_size"):
        BiasedCoinSource(vocab_size=3)
    with pytest.raises(ConfigError, match="order"):
        DirichletIIDSource(order=1)


def test_urn_laws_are_the_posterior_mean():
    assert urn_laws(np.array([2, 0]), Fraction(1, 2)).tolist() == [2.5 / 3, 0.5 / 3]
