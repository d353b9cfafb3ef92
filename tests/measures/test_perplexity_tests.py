"""Tests of texts by log-perplexity: bounds that are never violated, exponents by a second method, the blind spot."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.stats import binom

from testbed.core import ConfigError
from testbed.measures.perplexity_tests import (
    azuma_bound,
    blind_laws,
    freedman_bound,
    perplexity_drift,
    perplexity_exponent,
    perplexity_gaps,
    stein_exponent,
    surprise_span,
    tail_probabilities,
    varentropy,
)
from testbed.sources import MarkovSource

SEEDS = st.integers(0, 2**32 - 1)


def laws(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(shape[-1]), shape[:-1])


@settings(max_examples=25)
@given(SEEDS, st.integers(2, 3), st.integers(1, 7))
def test_bounds_hold_exactly_for_every_short_text(seed, vocab_size, n) -> None:
    """All texts of n tokens of a chain with their probabilities: the exact tail against both bounds."""
    start, kernel = laws(seed, vocab_size), laws(seed + 1, vocab_size, vocab_size)
    texts = np.array(list(itertools.product(range(vocab_size), repeat=n)))
    q = np.concatenate([np.broadcast_to(start, (len(texts), 1, vocab_size)), kernel[texts[:, :-1]]], axis=1)
    weight = np.take_along_axis(q, texts[..., None], axis=-1)[..., 0].prod(axis=1)
    gap = np.abs(perplexity_gaps(q, texts)[:, 0])
    assert weight @ perplexity_gaps(q, texts)[:, 0] == pytest.approx(0.0, abs=1e-12)  # a martingale
    every = np.vstack([start[None], kernel])
    span, variance = surprise_span(every), float(varentropy(every).max())
    for t in np.quantile(gap, [0.2, 0.5, 0.8, 1.0]):
        tail = weight[gap >= t - 1e-12].sum()
        assert tail <= azuma_bound(t, n, span) + 1e-12
        assert tail <= freedman_bound(t, n, span, variance) + 1e-12


def test_gaps_of_a_source_concentrate_as_bounded() -> None:
    source = MarkovSource.random(vocab_size=3, order=1, entropy_rate=0.8, seed=0)
    texts = source.sample(2000, 100, seed=1)
    q = source.predict(texts)
    gaps = perplexity_gaps(q, texts, [20, 100])
    assert gaps.shape == (2000, 2)
    span = surprise_span(q)
    tails = tail_probabilities(gaps, [0.05, 0.1, 0.2, 0.4])
    bound = azuma_bound(np.array([0.05, 0.1, 0.2, 0.4])[:, None], np.array([20, 100]), span)
    assert np.all(tails.lower <= bound)
    assert np.all((tails.lower <= tails.share) & (tails.share <= tails.upper))
    assert abs(gaps[:, 1].mean()) < 6 * gaps[:, 1].std() / math.sqrt(2000)


@given(SEEDS)
def test_two_symbols_alone_make_the_perplexity_test_as_good_as_any(seed) -> None:
    """G = 0 means that the frequency is A's, so the exponent is KL(A || B): by Sanov's theorem."""
    a, b = laws(seed, 2), laws(seed + 1, 2)
    if abs(math.log(a[0] / a[1])) < 0.01:
        return
    assert perplexity_exponent(a, b) == pytest.approx(stein_exponent(a, b), rel=1e-6, abs=1e-9)


def test_the_exponent_is_that_of_exact_probabilities() -> None:
    """P_B(frequency within 1/2N of A's) for growing N: its logarithm's slope, the factor N^(-1/2) taken off."""
    a, b = np.array([0.3, 0.7]), np.array([0.5, 0.5])
    n = np.array([2000, 4000])
    log_p = binom(n, 0.5).logpmf((0.3 * n).astype(int)) + 0.5 * np.log(n)
    assert -np.diff(log_p)[0] / 2000 == pytest.approx(perplexity_exponent(a, b), rel=1e-3)


@pytest.mark.parametrize("seed", range(4))
def test_the_exponent_of_chains_by_the_dual_problem(seed) -> None:
    """min KL rate(Q || B) over pair laws Q with equal marginals and E_Q g = 0 (Donsker & Varadhan, level 3 to 2)."""
    a, b = laws(seed, 2, 2), laws(seed + 100, 2, 2)
    g = -np.log(a) + (a * np.log(a)).sum(axis=1, keepdims=True)

    def rate(flat: np.ndarray) -> float:
        q = np.maximum(flat.reshape(2, 2), 1e-300)
        return float((q * np.log(q / q.sum(axis=1, keepdims=True) / b)).sum())

    constraints = [
        {"type": "eq", "fun": lambda q: q.sum() - 1},
        {"type": "eq", "fun": lambda q: q[1] - q[2]},
        {"type": "eq", "fun": lambda q: (q.reshape(2, 2) * g).sum()},
    ]
    solved = minimize(
        rate, np.full(4, 0.25), bounds=[(1e-12, 1)] * 4, constraints=constraints, tol=1e-13, options={"maxiter": 500}
    )
    found = perplexity_exponent(a, b)
    assert found == pytest.approx(solved.fun, rel=1e-4, abs=1e-8)
    assert found <= stein_exponent(a, b) + 1e-12
    assert np.sign(perplexity_drift(a, b)) != 0


def test_a_law_without_memory_is_a_chain_of_equal_rows() -> None:
    a, b = laws(0, 3), laws(1, 3)
    as_chains = np.tile(a, (3, 1)), np.tile(b, (3, 1))
    for measure in (stein_exponent, perplexity_drift, perplexity_exponent):
        assert measure(a, b) == pytest.approx(measure(*as_chains), abs=1e-9)


@given(SEEDS, st.integers(3, 5), st.integers(0, 1))
def test_blind_laws_cannot_be_seen(seed, vocab_size, order) -> None:
    a = laws(seed, *([vocab_size] * (order + 1)))
    a = (a + 0.01) / (a + 0.01).sum(axis=-1, keepdims=True)
    b = blind_laws(a)
    assert np.all(b > 0)
    assert b.sum(axis=-1) == pytest.approx(np.ones(b.shape[:-1]))
    assert perplexity_drift(a, b) == pytest.approx(0.0, abs=1e-10)
    assert perplexity_exponent(a, b) == pytest.approx(0.0, abs=1e-8)
    assert stein_exponent(a, b) > 1e-4


def test_symbols_that_are_never_written_do_not_widen_the_span() -> None:
    assert surprise_span(np.array([[0.5, 0.0, 0.5], [0.2, 0.8, 0.0]])) == pytest.approx(math.log(4))


def test_an_alternative_of_ever_the_same_surprise_is_found_at_once() -> None:
    """B writes A's rarest symbol alone: G is above zero always."""
    assert perplexity_exponent(np.array([0.7, 0.2, 0.1]), np.array([0.0, 0.0, 1.0])) == math.inf


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ConfigError, match="gives no probability to what the alternative writes"):
        perplexity_drift(np.array([1.0, 0.0]), np.array([0.5, 0.5]))
    with pytest.raises(ConfigError, match="need an array"):
        stein_exponent(np.ones((2, 3)), np.ones((2, 3)))
    with pytest.raises(ConfigError, match="sum to one"):
        stein_exponent(np.array([0.5, 0.6]), np.array([0.5, 0.5]))
    with pytest.raises(ConfigError, match="repeat rows"):
        stein_exponent(np.array([0.5, 0.5]), np.full((2, 2), 0.5))
    with pytest.raises(ConfigError, match="three symbols"):
        blind_laws(np.array([0.5, 0.5]))
    with pytest.raises(ConfigError, match="span: given 0"):
        azuma_bound(0.1, 10, 0.0)
    with pytest.raises(ConfigError, match="need one for each"):
        perplexity_gaps(np.ones((1, 2, 2)), np.zeros((1, 3), int))


@pytest.mark.parametrize(
    "tokens, lengths, said",
    [
        (np.zeros((2, 5), int), [0, 5], "lengths"),
        (np.zeros((2, 5), int), [-1], "lengths"),
        (np.zeros((2, 5), int), [6], "lengths"),
        (np.zeros((2, 5), int), [2.5], "lengths"),
        (np.full((2, 5), -1), None, "tokens"),
        (np.full((2, 5), 2), None, "tokens"),
        (np.zeros(5, int), None, "laws"),
    ],
)
def test_gaps_of_what_is_not_there_are_refused(tokens, lengths, said) -> None:
    with pytest.raises(ConfigError, match=said):
        perplexity_gaps(np.full((*tokens.shape, 2), 0.5), tokens, lengths)


def test_a_context_that_the_null_never_meets_says_nothing() -> None:
    """Behind symbol 2, which A never writes, B may do what it likes: the rate is that of the first two symbols."""
    null = np.array([[0.5, 0.5, 0.0], [0.4, 0.6, 0.0], [0.3, 0.3, 0.4]])
    wanted = stein_exponent(null[:2, :2], np.array([[0.4, 0.6], [0.5, 0.5]]))
    for behind in ([1.0, 0.0, 0.0], [0.2, 0.2, 0.6]):
        alternative = np.array([[0.4, 0.6, 0.0], [0.5, 0.5, 0.0], behind])
        assert stein_exponent(null, alternative) == pytest.approx(wanted, rel=1e-10)


def test_bounds_of_what_is_sure_are_one() -> None:
    assert azuma_bound(-0.5, 1000, 1.0) == 1.0
    assert freedman_bound(-0.5, 1000, 1.0, 0.1) == 1.0
