"""Stationary laws: elimination, iteration and Arnoldi against each other and against hard chains."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.sources import stationary as module
from testbed.sources.stationary import advance, closed_classes, eliminate, next_states, stationary_law


def matrix_of(kernel: np.ndarray) -> np.ndarray:
    """Slow, obvious twin: the full transition matrix."""
    n_states, vocab_size = kernel.shape
    matrix = np.zeros((n_states, n_states))
    for state, token in np.ndindex(n_states, vocab_size):
        matrix[state, next_states(n_states, vocab_size)[state, token]] += kernel[state, token]
    return matrix


def by_least_squares(kernel: np.ndarray) -> np.ndarray:
    matrix = matrix_of(kernel)
    system = np.vstack([matrix.T - np.eye(len(matrix)), np.ones(len(matrix))])
    return np.linalg.lstsq(system, np.append(np.zeros(len(matrix)), 1.0), rcond=None)[0]


@given(st.sampled_from([(2, 1), (2, 3), (3, 2), (4, 2)]), st.integers(0, 10_000))
def test_advance_is_the_transition_matrix_and_the_law_is_invariant(shape, seed):
    vocab_size, order = shape
    rng = np.random.default_rng(seed)
    kernel = rng.dirichlet(np.full(vocab_size, 0.5), size=vocab_size**order)
    law = rng.dirichlet(np.ones(len(kernel)))
    assert advance(law, kernel) == pytest.approx(law @ matrix_of(kernel), abs=1e-15)
    assert stationary_law(kernel) == pytest.approx(by_least_squares(kernel), abs=1e-10)


@given(st.integers(0, 1000))
def test_all_routes_agree(seed):
    kernel = np.random.default_rng(seed).dirichlet(np.ones(4), size=4**3)
    recurrent = np.arange(len(kernel))
    direct = module._by_elimination(kernel, recurrent)
    iterated, converged = module._by_power_iteration(kernel, recurrent)
    assert converged
    assert iterated == pytest.approx(direct, abs=1e-13)
    assert module._by_solving(kernel, recurrent) == pytest.approx(direct, abs=1e-13)
    assert module._by_arnoldi(kernel, np.full(len(kernel), 1 / len(kernel))) == pytest.approx(direct, abs=1e-12)


@pytest.mark.parametrize("switching", [1e-6, 1e-12, 1e-15])
def test_nearly_decomposable_chains_keep_relative_accuracy(switching):
    matrix = np.array([[1 - switching, switching], [2 * switching, 1 - 2 * switching]])
    assert eliminate(matrix) == pytest.approx([2 / 3, 1 / 3], rel=1e-12)


def test_slow_mixing_beyond_elimination_falls_back_and_is_still_right(monkeypatch):
    monkeypatch.setattr(module, "GTH_STATES", 8)
    sticky = np.full((2**4, 2), 0.5)
    sticky[0], sticky[-1] = [1 - 1e-5, 1e-5], [2e-5, 1 - 2e-5]
    direct = eliminate(matrix_of(sticky))
    assert stationary_law(sticky) == pytest.approx(direct, rel=1e-9)
    monkeypatch.setattr(module, "ELIMINATED_STATES", 8)
    assert stationary_law(sticky) == pytest.approx(direct, rel=1e-9)
    monkeypatch.setattr(module, "DIRECT_STATES", 8)
    assert stationary_law(sticky) == pytest.approx(direct, abs=1e-8)


def test_a_large_periodic_chain_is_solved(monkeypatch):
    monkeypatch.setattr(module, "GTH_STATES", 2)
    kernel = np.zeros((9, 3))  # order 2, x_t = x_(t-2) + 1 mod 3 with noise on one context: period two patterns
    for a, b in np.ndindex(3, 3):
        kernel[3 * a + b, (b + 1) % 3] = 1.0
    kernel[0] = [0.0, 0.5, 0.5]
    assert stationary_law(kernel) == pytest.approx(by_least_squares(kernel), abs=1e-10)


def test_closed_classes_are_found():
    two = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert [c.tolist() for c in closed_classes(two)] == [[0], [1]]
    drains = np.array([[0.5, 0.5], [0.0, 1.0]])
    assert [c.tolist() for c in closed_classes(drains)] == [[1]]
    with pytest.raises(ConfigError, match="2 closed classes"):
        stationary_law(two)


def test_a_million_contexts():
    kernel = np.random.default_rng(0).dirichlet(np.ones(2), size=2**20)
    law = stationary_law(kernel)
    assert np.abs(advance(law, kernel) - law).sum() < 1e-13
    assert law.sum() == pytest.approx(1.0, abs=1e-12)
