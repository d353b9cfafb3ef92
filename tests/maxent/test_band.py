"""Forward-backward: against the dense law at small n, and at lengths where no dense law fits."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from maxent_laws import constraints_of, divergence, entropy, golden_kernel, random_law, slow_law, stationary_block

from testbed.core import ResourceError
from testbed.maxent import ChainLaw, Constraint, ConstraintSet, Pairs, WindowMarginals, Windows
from testbed.maxent.closed_form import closed_form_entropy


@given(st.integers(0, 10**6), st.integers(1, 3), st.sampled_from([(2, 5), (3, 4)]))
@settings(max_examples=20)
def test_equals_the_dense_law(seed, width, size):
    p = random_law(seed, *size)
    cliques = [c for c in itertools.combinations(range(p.ndim), 2) if c[1] - c[0] <= width]
    given_set = constraints_of(p, [*cliques, (0, 1, 2)])
    band = given_set.solve("banded")
    assert isinstance(band, ChainLaw)
    expected = slow_law(given_set)
    np.testing.assert_allclose(band.probabilities, expected, atol=1e-9)
    assert band.entropy == pytest.approx(entropy(expected), abs=1e-9)
    for positions in [(0,), (p.ndim - 1, 0), (2, 1), tuple(range(p.ndim))]:
        others = tuple(i for i in range(p.ndim) if i not in positions)
        kept = np.argsort(np.argsort(positions))
        np.testing.assert_allclose(band.marginal(positions), expected.sum(axis=others).transpose(kept), atol=1e-9)
    tokens = np.array(list(itertools.product(range(p.shape[0]), repeat=p.ndim)))
    np.testing.assert_allclose(np.exp(band.log_probs(tokens).sum(axis=1)), expected.reshape(-1), atol=1e-9)
    assert band.next_token((0, 1)) == pytest.approx(
        expected[0, 1].reshape(p.shape[0], -1).sum(axis=1) / expected[0, 1].sum(), abs=1e-9
    )


def test_long_pairs():
    """V = 3, 60 tokens, lags 1 and 2 of an order-2 chain: too many sequences for an array."""
    block = stationary_block(golden_kernel(), 3)
    given_set = Pairs(max_lag=2).constraints(WindowMarginals(block), 3, 3, 60)
    law = given_set.solve()
    assert law.solver == "banded"
    assert law.residual < 1e-11
    assert law.duality_gap < 1e-9
    for constraint in given_set.constraints[::20]:
        np.testing.assert_allclose(law.marginal(constraint.positions), constraint.table, atol=1e-11)
    # fewer constraints than windows of three, more than neighbours alone
    windows, neighbours = (
        Windows(overlap=s).constraints(WindowMarginals(block), 3, T, 60).solve().entropy for T, s in ((3, 2), (2, 1))
    )
    assert windows < law.entropy < neighbours
    by_dual = given_set.solve("lbfgs", tolerance=1e-7)
    assert by_dual.entropy == pytest.approx(law.entropy, abs=1e-6)
    soft = given_set.solve("soft", l2=1e-5)
    assert soft.status == "soft"
    assert soft.entropy > law.entropy
    with pytest.raises(ResourceError, match="V|sequences"):
        _ = law.probabilities


def test_long_windows_have_a_closed_form_and_an_exact_entropy():
    """An order-2 chain is its own window extension: H = H(2) + (n - 2) h_2."""
    kernel = golden_kernel()
    block = stationary_block(kernel, 3)
    given_set = Windows().constraints(WindowMarginals(block), 3, 3, 100)
    law = given_set.solve()
    assert (law.solver, law.iterations) == ("closed", 0)
    pair = block.sum(axis=-1)
    rate = entropy(block) - entropy(pair)
    assert law.entropy == pytest.approx(entropy(pair) + 98 * rate, abs=1e-9)
    assert closed_form_entropy(given_set) == pytest.approx(law.entropy, abs=1e-9)
    np.testing.assert_allclose(law.kernels[50], kernel, atol=1e-12)
    tokens = np.random.default_rng(0).integers(3, size=(4, 100))
    np.testing.assert_allclose(
        law.log_probs(tokens)[:, 2:],
        np.log(kernel[tokens[:, :-2], tokens[:, 1:-1], tokens[:, 2:]]),
        atol=1e-11,
    )


def test_zeros_in_a_band():
    """No two 1s in a row: sequences with them keep probability zero at any length."""
    pair = np.array([[0.5, 0.25], [0.25, 0.0]])
    given_set = ConstraintSet(2, 40, [Constraint((i, i + 1), pair) for i in range(39)])
    for solver in ("closed", "banded"):
        law = given_set.solve(solver)
        assert law.residual < 1e-12
        assert law.log_probs(np.array([[0, 1, 1]])).sum() == -np.inf
        assert law.entropy == pytest.approx(entropy(pair) + 38 * (entropy(pair) - entropy(pair.sum(axis=0))), abs=1e-9)
    short = ConstraintSet(2, 6, given_set.constraints[:5])
    assert divergence(short.solve().probabilities, short.solve("banded").probabilities) < 1e-12


def test_a_band_too_wide_is_refused():
    table = np.full((2, 2), 0.25)
    pairs = [Constraint((0, 39), table), Constraint((0, 1), table), Constraint((1, 39), table)]
    with pytest.raises(ResourceError, match="band of 1 windows over 2\\^40 sequences"):
        ConstraintSet(2, 40, pairs).solve()


def test_the_indices_of_a_wide_band_count_too():
    """All pairs up to lag 20 of 24 positions: few windows, but 230 patterns of 2^21 cells."""
    table = np.full((2, 2), 0.25)
    pairs = [Constraint((i, j), table) for i, j in itertools.combinations(range(24), 2) if j - i <= 20]
    with pytest.raises(ResourceError, match="band of"):
        ConstraintSet(2, 24, pairs).solve("banded")
