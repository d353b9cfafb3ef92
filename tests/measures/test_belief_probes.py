"""Belief probes: planted beliefs are found, absent ones are not, and the bound on information is a bound."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.measures.features import belief_probe, state_information
from testbed.sources.hidden import Mess3

seeds = st.integers(0, 10_000)


def planted(rng, n, k=3, d=6, noise=0.0):
    """Beliefs on the simplex, and features that are an affine image of them in d dimensions, with noise."""
    beliefs = rng.dirichlet(np.ones(k), size=n)
    features = beliefs @ rng.normal(size=(k, d)) + rng.normal(size=d) + noise * rng.normal(size=(n, d))
    return features, beliefs


@settings(max_examples=15)
@given(seeds, st.integers(2, 5), st.integers(1, 8))
def test_an_affine_image_of_the_belief_is_found_exactly(seed, k, extra):
    rng = np.random.default_rng(seed)
    features, beliefs = planted(rng, 80, k, k - 1 + extra)
    found = belief_probe(features, beliefs, ridge=1e-12, n_shuffles=19, seed=seed)
    assert found.r_squared == pytest.approx(1.0, abs=1e-6)
    assert found.predicted == pytest.approx(beliefs, abs=1e-3)
    assert found.p_value == pytest.approx(1 / 20)


@settings(max_examples=15)
@given(seeds)
def test_the_probe_is_ridge_regression_fold_by_fold(seed):
    """Twin: normal equations on each training part; and no map of the features changes an unpenalised probe."""
    rng = np.random.default_rng(seed)
    features, beliefs = planted(rng, 60, noise=0.3)
    found = belief_probe(features, beliefs, ridge=0.01, n_shuffles=0, seed=3)
    folds = np.random.Generator(np.random.Philox(key=3)).permutation(np.arange(60) % 5)
    squares = total = 0.0
    for fold in range(5):
        train, held = folds != fold, folds == fold
        x, y = features[train] - features[train].mean(axis=0), beliefs[train] - beliefs[train].mean(axis=0)
        penalty = 0.01 * np.trace(x.T @ x) / x.shape[1]
        weights = np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ y)
        guess = beliefs[train].mean(axis=0) + (features[held] - features[train].mean(axis=0)) @ weights
        assert found.predicted[held] == pytest.approx(guess, abs=1e-9)
        squares += ((beliefs[held] - guess) ** 2).sum()
        total += ((beliefs[held] - beliefs[train].mean(axis=0)) ** 2).sum()
    assert found.r_squared == pytest.approx(1 - squares / total)
    mapped = features @ (rng.normal(size=(6, 6)) + 3 * np.eye(6)) + 5
    bare = belief_probe(features, beliefs, ridge=0.0, n_shuffles=0)
    assert belief_probe(mapped, beliefs, ridge=0.0, n_shuffles=0).r_squared == pytest.approx(bare.r_squared, abs=1e-6)


def test_the_null_is_uniform_where_there_is_nothing():
    """Control: 400 probes of features that know nothing; p <= .05 in 0.1 to 11 % of them (5 sd), R^2 below 0."""
    rng = np.random.default_rng(0)
    p_values, fits = [], []
    for i in range(400):
        found = belief_probe(rng.normal(size=(40, 3)), rng.dirichlet(np.ones(3), size=40), n_shuffles=39, seed=i)
        p_values.append(found.p_value)
        fits.append(found.r_squared)
    assert 0.001 <= np.mean(np.array(p_values) <= 0.05) <= 0.11
    assert np.mean(fits) < 0


def test_groups_keep_the_null_honest():
    """Slow walks: rows of a sequence agree with each other, and independent sequences do not. Dealing out single rows
    would find a fit in features that know nothing; dealing out whole sequences does not."""
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(12), 40)
    naive, honest = [], []
    for i in range(40):
        features = np.cumsum(rng.normal(size=(12, 40, 2)), axis=1).reshape(480, 2)
        walk = np.cumsum(rng.normal(size=(12, 40, 1)), axis=1).reshape(480, 1)
        naive.append(belief_probe(features, walk, n_shuffles=39, seed=i).p_value)
        honest.append(belief_probe(features, walk, groups=groups, n_shuffles=39, seed=i).p_value)
    assert np.mean(np.array(naive) <= 0.05) > 0.5
    assert np.mean(np.array(honest) <= 0.05) < 0.35  # expected .05; binomial tail below 1e-6


def test_coordinates_that_never_vary_have_no_fit_of_their_own():
    features, beliefs = planted(np.random.default_rng(2), 50)
    found = belief_probe(features, np.column_stack([beliefs, np.zeros(50)]), n_shuffles=0)
    assert np.isnan(found.r_squared_each[3])
    assert found.r_squared_each[:3] == pytest.approx(np.ones(3), abs=1e-3)


def test_beliefs_of_a_hidden_markov_source_and_their_logarithms():
    """The belief of Mess3 is found in an affine image of it, and only in part in one of its coordinates."""
    source = Mess3()
    tokens = source.sample(60, 24, seed=0).astype(np.int64)
    beliefs = source.predict(tokens).reshape(-1, 3)  # next-token laws: an affine image of the belief
    groups = np.repeat(np.arange(60), 24)
    rng = np.random.default_rng(0)
    whole = belief_probe(beliefs @ rng.normal(size=(3, 16)), beliefs, groups, n_shuffles=19)
    half = belief_probe(beliefs[:, :1] + 0.0 * rng.normal(size=(1, 4)), beliefs, groups, n_shuffles=19)
    assert whole.r_squared > 0.999999
    assert 0.3 < half.r_squared < 0.9
    assert half.p_value == whole.p_value == 1 / 20


# ------------------------------------------------------------------------------------------------ information
def test_information_of_states_that_can_be_told_apart():
    """4 states, far apart: the bound reaches ln 4; with features that know nothing it says nothing."""
    rng = np.random.default_rng(0)
    states = rng.integers(4, size=1_500)
    features = 4.0 * np.eye(4)[states] + 0.3 * rng.normal(size=(1_500, 4))
    found = state_information(features, states, entropy=math.log(4), penalty=0.01)
    assert found.information == pytest.approx(math.log(4), abs=0.02)
    nothing = state_information(rng.normal(size=(1_500, 4)), states, entropy=math.log(4))
    assert abs(nothing.information) < 0.02


@pytest.mark.parametrize("gap", [0.5, 1.0, 2.0])
def test_the_bound_stays_below_the_information_and_comes_near(gap):
    """Two states at +-gap in unit noise: I in closed form by quadrature; the probe's family holds the posterior."""
    rng = np.random.default_rng(4)
    states = rng.integers(2, size=6_000)
    features = (2 * states - 1)[:, None] * gap + rng.normal(size=(6_000, 1))
    nodes, weights = np.polynomial.hermite_e.hermegauss(120)
    lost = float(weights @ np.logaddexp(0, -2 * gap * (gap + nodes)) / weights.sum())
    truth = math.log(2) - lost
    found = state_information(features, states, entropy=math.log(2))
    assert found.information < truth + 5 * found.standard_error
    assert found.information == pytest.approx(truth, abs=5 * found.standard_error)
    blind = state_information(features**2, states, entropy=math.log(2))
    assert blind.information < 0.01


def test_beliefs_bound_what_is_known_of_the_hidden_state():
    """States z drawn from beliefs b; features = b: the bound is at most H(z) - E H(b), and near it."""
    rng = np.random.default_rng(5)
    beliefs = rng.dirichlet([0.4, 0.4, 0.4], size=3_000)
    entropy = -np.sum(np.where(beliefs > 0, beliefs * np.log(np.maximum(beliefs, 1e-300)), 0), axis=1)
    most = math.log(3) - entropy.mean()
    found = state_information(np.log(np.maximum(beliefs, 1e-9)), beliefs, entropy=math.log(3), penalty=1e-3)
    assert found.information <= most + 1e-9
    assert found.information == pytest.approx(most, abs=0.01)
    single = state_information(beliefs, beliefs, entropy=math.log(3))
    assert single.information < found.information


def test_groups_widen_the_error():
    """Rows of a group are copies: the error is that of the groups."""
    rng = np.random.default_rng(6)
    states = rng.integers(2, size=300)
    features = (2 * states - 1)[:, None] + rng.normal(size=(300, 1))
    copies = np.repeat(np.arange(300), 5)
    once = state_information(features, states, math.log(2), penalty=0.2)
    five = state_information(features[copies], states[copies], math.log(2), groups=copies)
    assert five.standard_error == pytest.approx(once.standard_error, rel=0.05)
    loose = state_information(features[copies], states[copies], math.log(2))
    assert loose.standard_error < 0.6 * five.standard_error


@pytest.mark.parametrize(
    "ask, named",
    [
        (lambda f, b: belief_probe(f, b[:-1]), "beliefs: need finite"),
        (lambda f, b: belief_probe(f, np.ones((20, 2))), "all rows are equal"),
        (lambda f, b: belief_probe(f, b, n_folds=21), "n_folds: given 21"),
        (lambda f, b: belief_probe(f, b, groups=np.zeros(20)), "n_folds: given 5"),
        (lambda f, b: belief_probe(f, b, groups=np.arange(20) // 3), "different sizes"),
        (lambda f, b: belief_probe(f, b, groups=np.zeros(3)), "groups: given shape"),
        (lambda f, b: belief_probe(f, b, ridge=-1.0), "ridge"),
        (lambda f, b: state_information(f, b * 2, 1.0), "states: need"),
        (lambda f, b: state_information(f, b, -1.0), "entropy: given -1"),
    ],
)
def test_nonsense_is_refused(ask, named):
    features, beliefs = planted(np.random.default_rng(0), 20)
    with pytest.raises(ConfigError, match=named):
        ask(features, beliefs)


def test_a_negative_number_of_shuffles_is_refused():
    features, beliefs = planted(np.random.default_rng(0), 20)
    with pytest.raises(ConfigError, match="n_shuffles"):
        belief_probe(features, beliefs, n_shuffles=-1)
