"""Learners that count, against loops and against the optimality that defines them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.predictors import add_constant_law, finite_mixture_law

seeds = st.integers(0, 10_000)


@given(seeds, st.integers(2, 5), st.floats(0.1, 3.0))
def test_add_constant_is_the_sequential_estimate(seed, vocab_size, constant):
    """Slow twin: update the posterior mean token by token; the order of the tokens does not matter."""
    rng = np.random.default_rng(seed)
    tokens = rng.integers(vocab_size, size=30)
    weights = np.full(vocab_size, constant)
    for token in tokens:
        weights[token] += 1
    counts = np.bincount(tokens, minlength=vocab_size)
    assert add_constant_law(counts, constant) == pytest.approx(weights / weights.sum())


@given(seeds)
def test_dirichlet_posterior_mean_beats_every_other_constant_in_expectation(seed):
    """The Bayes mixture under its own prior: averaged over prior and data, no other constant has less KL."""
    rng = np.random.default_rng(seed)
    truth = rng.dirichlet(np.full(3, 2.0), size=4000)
    counts = np.stack([rng.multinomial(6, p) for p in truth])

    def mean_kl(constant: float) -> float:
        return float(np.mean(np.sum(truth * np.log(truth / add_constant_law(counts, constant)), axis=1)))

    assert mean_kl(2.0) < min(mean_kl(0.5), mean_kl(8.0))


@given(seeds, st.integers(1, 6))
def test_finite_mixture_is_bayes_rule_in_a_loop(seed, n):
    rng = np.random.default_rng(seed)
    kernels = rng.dirichlet(np.ones(3), size=(n, 2))
    prior = rng.dirichlet(np.ones(n))
    counts = rng.integers(0, 5, size=(2, 3))
    posterior = prior.copy()
    for i in range(n):
        for c, x in np.ndindex(2, 3):
            posterior[i] *= kernels[i, c, x] ** counts[c, x]
    posterior /= posterior.sum()
    expected = sum(posterior[i] * kernels[i] for i in range(n))
    assert finite_mixture_law(counts, kernels, prior) == pytest.approx(expected, rel=1e-9)


def test_finite_mixture_with_forbidden_symbols_and_many_counts():
    kernels = np.array([[[1.0, 0.0]], [[0.5, 0.5]], [[0.25, 0.75]]])
    law = finite_mixture_law(np.array([[50_000, 50_000]]), kernels)
    assert law == pytest.approx(np.array([[0.5, 0.5]]))
    with pytest.raises(ConfigError, match="none of them"):
        finite_mixture_law(np.array([[0, 1]]), kernels[:1])


def test_constants_must_be_positive():
    with pytest.raises(ConfigError, match="constant: given 0"):
        add_constant_law(np.array([1, 2]), 0)
