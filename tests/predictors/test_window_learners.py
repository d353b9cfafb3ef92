"""Learners of windows: the order-l table and lag regression, against loops and against what they should cost."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.predictors import (
    ContextTree,
    LagRegression,
    OrderTable,
    context_tree_weighting,
    fit_softmax,
    order_table_code_lengths,
)

seeds = st.integers(0, 10_000)


def windows_of(rng, n, length, vocab_size):
    return rng.integers(vocab_size, size=(n, length)), rng.integers(vocab_size, size=n)


# ------------------------------------------------------------------------------------------------ order-l tables
@given(seeds, st.integers(1, 4), st.integers(0, 3), st.integers(0, 40), st.sampled_from([0.5, 1.0, 2.5]))
def test_code_lengths_of_a_table_are_a_loop_over_counts(seed, vocab_size, order, length, constant):
    tokens = np.random.default_rng(seed).integers(vocab_size, size=(2, length))
    expected = np.full(tokens.shape, np.log(vocab_size))
    for row in range(2):
        counts = {}
        for t in range(order, length):
            seen = counts.setdefault(tuple(tokens[row, t - order : t]), np.full(vocab_size, constant))
            expected[row, t] = -np.log(seen[tokens[row, t]] / seen.sum())
            seen[tokens[row, t]] += 1
    found = order_table_code_lengths(tokens, vocab_size, order, constant)
    assert found == pytest.approx(expected, abs=1e-12)
    assert context_tree_weighting(tokens, vocab_size, order, 1.0, constant) == pytest.approx(expected, abs=1e-9)


@given(seeds, st.integers(1, 3), st.integers(0, 3), st.integers(0, 30))
def test_a_fitted_table_counts(seed, vocab_size, order, n):
    rng = np.random.default_rng(seed)
    contexts, targets = windows_of(rng, n, order + 1, vocab_size)
    fitted = OrderTable(vocab_size, order, 0.7).fit(contexts, targets)
    asked = np.array(list(itertools.product(range(vocab_size), repeat=order + 1)))
    laws = fitted.laws(asked)
    for context, law in zip(asked, laws, strict=True):
        match = (contexts[:, 1:] == context[1:]).all(axis=1)
        counts = np.bincount(targets[match], minlength=vocab_size) + 0.7
        assert law == pytest.approx(counts / counts.sum())
    certain = ContextTree(vocab_size, order, branching=1.0, concentration=0.7).fit(contexts, targets)
    assert laws == pytest.approx(certain.laws(asked), abs=1e-12)


# ------------------------------------------------------------------------------------------------ regression
@settings(max_examples=20)
@given(seeds, st.integers(2, 4), st.integers(1, 3))
def test_the_regression_stops_where_the_gradient_vanishes(seed, vocab_size, n_features):
    """Slow twin: the objective's gradient by central differences; and no random step lowers a convex objective."""
    rng = np.random.default_rng(seed)
    features, laws = rng.normal(size=(30, n_features)), rng.dirichlet(np.ones(vocab_size), size=30)
    copies = rng.integers(1, 4, size=30).astype(float)
    fitted = fit_softmax(features, laws, penalty=0.5, multiplicity=copies)

    def objective(weights, bias):
        logits = features @ weights + bias
        log_q = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        return -copies @ (laws * log_q).sum(axis=1) + 0.25 * (weights**2).sum()

    least = objective(fitted.weights, fitted.bias)
    for _ in range(20):
        step = rng.normal(size=fitted.weights.shape) * 1e-2, rng.normal(size=vocab_size) * 1e-2
        assert objective(fitted.weights + step[0], fitted.bias + step[1]) >= least - 1e-7
        up = objective(fitted.weights + 0.01 * step[0], fitted.bias)
        down = objective(fitted.weights - 0.01 * step[0], fitted.bias)
        assert up - down == pytest.approx(0.0, abs=1e-5)
    repeated = fit_softmax(
        np.repeat(features, copies.astype(int), axis=0), np.repeat(laws, copies.astype(int), axis=0), 0.5
    )
    assert repeated.log_laws(features) == pytest.approx(fitted.log_laws(features), abs=1e-4)


def test_lag_regression_finds_a_law_of_its_form_at_the_expected_cost():
    """Additive logits over 3 binary lags, 300 sets of 400 targets: mean exact KL within 20 % of (1 + 3) / (2 D).

    The relative standard error is sqrt(2/4) / sqrt(300) = 4 %, and the next order of 1/D a few per cent.
    """
    rng = np.random.default_rng(5)
    every = np.array(list(itertools.product(range(2), repeat=3)))
    logit = 0.3 + every @ np.array([0.5, -0.8, 0.6])
    p = np.column_stack([1 / (1 + np.exp(logit)), 1 / (1 + np.exp(-logit))])
    learner = LagRegression(vocab_size=2, n_lags=3, penalty=1e-3)
    design = learner.design(every).toarray()
    n, excess = 400, []
    for _ in range(300):
        rows = rng.multinomial(n, np.full(8, 1 / 8))
        ones = rng.binomial(rows, p[:, 1])
        seen = np.column_stack([rows - ones, ones]) / np.maximum(rows, 1)[:, None]
        q = np.exp(fit_softmax(design, seen, 1e-3, multiplicity=rows).log_laws(design))
        excess.append(float(np.mean(np.sum(p * np.log(p / q), axis=1))))
    assert np.mean(excess) == pytest.approx(learner.n_parameters / (2 * n), rel=0.2)
    contexts = np.repeat(every, rows, axis=0)
    targets = np.concatenate([np.repeat([0, 1], [m - k, k]) for m, k in zip(rows, ones, strict=True)])
    assert learner.fit(contexts, targets).laws(every) == pytest.approx(q, abs=1e-4)


def test_lag_regression_cannot_learn_a_parity():
    """Control: the exclusive or of two bits has no additive logits; the table of order 2 has it at once."""
    rng = np.random.default_rng(0)
    contexts = rng.integers(2, size=(2_000, 2))
    targets = contexts[:, 0] ^ contexts[:, 1]
    every = np.array(list(itertools.product(range(2), repeat=2)))
    assert LagRegression(2, 2).fit(contexts, targets).laws(every) == pytest.approx(np.full((4, 2), 0.5), abs=0.1)
    assert OrderTable(2, 2).fit(contexts, targets).laws(every).max(axis=1).min() > 0.99


def test_lags_are_told_apart():
    rng = np.random.default_rng(1)
    contexts = rng.integers(3, size=(3_000, 4))
    for lag in range(1, 5):
        fitted = LagRegression(3, 4).fit(contexts, contexts[:, -lag])
        assert np.array_equal(fitted.laws(contexts[:50]).argmax(axis=1), contexts[:50, -lag])
        if lag > 1:
            blind = LagRegression(3, lag - 1).fit(contexts, contexts[:, -lag])
            assert blind.laws(contexts[:50]).max() < 0.5


# ------------------------------------------------------------------------------------------------ refusals
@pytest.mark.parametrize(
    "build, named",
    [
        (lambda: OrderTable(2, -1), "order: given -1"),
        (lambda: OrderTable(10, 40), "need V >= 1"),
        (lambda: OrderTable(2, 1, 0.0), "constant: given 0"),
        (lambda: LagRegression(1, 1), "vocab_size: given 1"),
        (lambda: LagRegression(2, 1, 0.0), "penalty: given 0"),
        (lambda: OrderTable(2, 2).fit(np.zeros((3, 1), int), np.zeros(3, int)), "contexts: given shape"),
        (lambda: OrderTable(2, 1).fit(np.zeros((3, 1), int), np.zeros(2, int)), "targets: given shape"),
        (lambda: OrderTable(2, 1).fit(np.zeros((3, 1), int), np.full(3, 2)), "targets: given 2"),
        (lambda: LagRegression(2, 1).fit(np.zeros((3, 1)), np.zeros(3, int)), "contexts: need integers"),
        (lambda: fit_softmax(np.zeros((3, 1)), np.ones((2, 2)) / 2), "laws: given"),
        (lambda: fit_softmax(np.zeros((3, 1)), np.ones((3, 2)) / 2, penalty=-1), "penalty: given -1"),
        (
            lambda: fit_softmax(np.arange(6.0)[:, None], np.eye(2)[[0, 0, 0, 1, 1, 1]], penalty=0.0, max_steps=5),
            "did not converge",
        ),
    ],
)
def test_nonsense_is_refused(build, named):
    with pytest.raises(ConfigError, match=named):
        build()


@pytest.mark.parametrize("bad", [2.0, "2", None, float("nan")])
def test_sizes_that_are_no_integers_are_refused(bad):
    for learner in (ContextTree, LagRegression, OrderTable):
        with pytest.raises(ConfigError, match="must be an integer"):
            learner(bad, 1)
        with pytest.raises(ConfigError, match="must be an integer"):
            learner(2, bad)
    with pytest.raises(ConfigError, match="V\\^\\(l\\+1\\)"):
        OrderTable(2, np.int64(100))


def test_tokens_beyond_32_bits_are_refused():
    with pytest.raises(ConfigError, match="at most 2147483648"):
        context_tree_weighting(np.array([0, 2**31 + 1]), 2**40, 0)


@pytest.mark.parametrize(
    "features, laws, multiplicity",
    [
        ([[0.0], [np.nan]], np.eye(2), None),
        ([[0.0], [1.0]], np.full((2, 2), np.nan), None),
        ([[0.0], [1.0]], -np.eye(2), None),
        ([[0.0], [1.0]], np.eye(2), np.zeros(2)),
    ],
)
def test_regressions_on_nothing_are_refused(features, laws, multiplicity):
    with pytest.raises(ConfigError, match="laws|features"):
        fit_softmax(np.array(features), laws, multiplicity=multiplicity)
