"""Conditional maximum entropy and one-way conditionals."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from maxent_laws import constraints_of, entropy, random_law

from testbed.core import ConfigError
from testbed.maxent import Conditional, fit_conditional, one_way_law, token_divergences


def contexts_of(vocab_size: int, places: int) -> np.ndarray:
    return np.array(list(itertools.product(range(vocab_size), repeat=places)))


@given(st.integers(0, 10**6), st.sampled_from([(2, 4), (3, 3)]))
@settings(max_examples=8)
def test_exact_contexts(seed, size):
    """It meets the pair statistics, and is no worse on that token than the joint pair law."""
    p = random_law(seed, *size)
    contexts, joint = contexts_of(size[0], size[1] - 1), p.reshape(-1, size[0])
    law = fit_conditional(contexts, joint, size[0], tolerance=1e-8)
    q = law.laws(contexts)
    np.testing.assert_allclose(q.sum(axis=1), 1.0)
    fitted = (joint.sum(axis=1, keepdims=True) * q).reshape(p.shape)
    for place in range(p.ndim - 1):
        others = tuple(i for i in range(p.ndim - 1) if i != place)
        np.testing.assert_allclose(fitted.sum(axis=others), p.sum(axis=others), atol=1e-7)
    excess = float(np.sum(joint * (np.log(joint / joint.sum(axis=1, keepdims=True)) - np.log(q))))
    assert law.loss == pytest.approx(excess + entropy(p) - entropy(p.sum(axis=-1)), abs=1e-9)
    pairs = constraints_of(p, itertools.combinations(range(p.ndim), 2)).solve().probabilities
    assert 0 <= excess <= token_divergences(p, pairs)[-1] + 1e-7


def test_gradient_by_differences():
    """The loss at the fit against the slow sum over contexts, and its stationarity."""
    rng = np.random.default_rng(0)
    contexts, targets = rng.integers(3, size=(50, 2)), rng.integers(3, size=50)
    law = fit_conditional(contexts, targets, 3, l2=0.01)

    def slow(bias, weights):
        total = 0.0
        for c, x in zip(contexts, targets, strict=True):
            logits = bias + weights[0, c[0]] + weights[1, c[1]]
            total -= logits[x] - np.log(np.exp(logits).sum())
        return total / len(targets) + 0.005 * np.sum(weights**2)

    assert slow(law.bias, law.weights) == pytest.approx(law.loss + 0.005 * np.sum(law.weights**2), abs=1e-12)
    for _ in range(5):
        bias, weights = rng.normal(size=3), rng.normal(size=(2, 3, 3))
        up, down = (slow(law.bias + s * 1e-4 * bias, law.weights + s * 1e-4 * weights) for s in (1, -1))
        assert (up - down) / 2e-4 == pytest.approx(0.0, abs=1e-5)


def test_the_penalty_is_chosen_on_held_out_contexts():
    """120 contexts of 6 random tokens say nothing of the next: the strongest penalty wins, and no fit is far worse."""
    rng = np.random.default_rng(1)
    draw = lambda n: (rng.integers(4, size=(n, 6)), rng.integers(4, size=n))  # noqa: E731
    contexts, targets = draw(120)
    law = fit_conditional(contexts, targets, 4, held_out=draw(2000), penalties=(1.0, 0.1, 1e-3))
    assert law.l2 == 1.0
    assert set(law.held_out_losses) == {1.0, 0.1, 1e-3}
    assert law.held_out_losses[1.0] < law.held_out_losses[0.1] < law.held_out_losses[1e-3]
    assert fit_conditional(contexts, targets, 4, l2=1e-3).loss < law.loss


def test_it_learns_a_long_copy():
    """x_new = the token 12 places back, V = 8, 2^36 contexts."""
    rng = np.random.default_rng(2)
    contexts = rng.integers(8, size=(4000, 12))
    law = fit_conditional(contexts, contexts[:, 0], 8, l2=1e-4)
    assert law.loss < 0.05
    fresh = rng.integers(8, size=(100, 12))
    np.testing.assert_array_equal(law.laws(fresh).argmax(axis=1), fresh[:, 0])


@pytest.mark.parametrize(
    "arguments, said",
    [
        ((np.zeros((3, 2)), np.zeros(3, dtype=int), 2), "contexts: need integers"),
        ((np.full((3, 2), 2), np.zeros(3, dtype=int), 2), "must lie in 0 .. 1"),
        ((np.zeros((3, 2), dtype=int), np.zeros(2, dtype=int), 2), "targets: need"),
        ((np.zeros((3, 2), dtype=int), np.full(3, 5), 2), "targets: given 5"),
    ],
)
def test_bad_data(arguments, said):
    with pytest.raises(ConfigError, match=said):
        fit_conditional(*arguments)
    with pytest.raises(ConfigError, match="l2"):
        fit_conditional(np.zeros((3, 2), dtype=int), np.zeros(3, dtype=int), 2, l2=-1.0)


# ------------------------------------------------------------------------------------------------ one-way conditionals
def test_one_way_conditionals_tilt_the_contexts():
    """p(x_0 | x_1 = 0) = (1, 0), p(x_0 | x_1 = 1) fair: q(x_1) is (1, 2) / 3, whatever the truth."""
    law = one_way_law(2, 2, [Conditional((0,), (1,), np.array([[1.0, 0.5], [0.0, 0.5]]))])
    np.testing.assert_allclose(law.probabilities.sum(axis=0), [1 / 3, 2 / 3], atol=1e-12)


@given(st.integers(0, 10**6))
@settings(max_examples=15)
def test_one_way_law_of_contexts(seed):
    """q(context) proportional to exp H(target | context)."""
    table = np.random.default_rng(seed).dirichlet(np.ones(3), size=3).T
    law = one_way_law(3, 2, [Conditional((0,), (1,), table)]).probabilities
    np.testing.assert_allclose(law / law.sum(axis=0), table, atol=1e-8)
    tilt = np.exp(-(table * np.log(table)).sum(axis=0))
    np.testing.assert_allclose(law.sum(axis=0), tilt / tilt.sum(), atol=1e-8)


def test_three_one_way_conditionals():
    """They settle the marginals unless the source is a Markov chain, which leaves them free."""

    def conditionals(p):
        joint = {(a, b): p.sum(axis=3 - a - b) for a, b in ((0, 1), (1, 2), (0, 2))}
        return [Conditional((a,), (b,), table / table.sum(axis=0)) for (a, b), table in joint.items()]

    p = random_law(0, 2, 3)
    pairs = constraints_of(p, itertools.combinations(range(3), 2)).solve().probabilities
    np.testing.assert_allclose(one_way_law(2, 3, conditionals(p)).probabilities, pairs, atol=1e-7)
    chain = constraints_of(p, [(0, 1), (1, 2)]).solve().probabilities
    free = one_way_law(2, 3, conditionals(chain)).probabilities
    assert np.abs(free.sum(axis=(0, 1)) - chain.sum(axis=(0, 1))).max() > 0.01


def test_bad_conditionals():
    with pytest.raises(ConfigError, match="sum to one over the first 1"):
        Conditional((0,), (1,), np.eye(2) * 0.5)
    with pytest.raises(ConfigError, match="axis of length V"):
        Conditional((0,), (0,), np.eye(2))
    with pytest.raises(ConfigError, match="does not fit"):
        one_way_law(2, 2, [Conditional((0,), (2,), np.eye(2))])
