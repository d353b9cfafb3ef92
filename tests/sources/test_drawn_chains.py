"""The mean rate of chains drawn at random, and the stationary laws behind it, down to nearly deterministic chains."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import UndefinedError
from testbed.sources.in_context import ContextTreeSource, DirichletMarkovSource
from testbed.sources.in_context.dirichlet_entropies import expected_entropy
from testbed.sources.in_context.drawn_chains import (
    _eliminated_logs,
    _law_of_large,
    log_dirichlet_rows,
    mean_rate,
    stationary_laws,
)
from testbed.sources.stationary import stationary_law

Z = 5.5  # false-alarm rate 4e-8, two-sided
seeds = st.integers(0, 10_000)


@given(seeds, st.integers(2, 3), st.integers(1, 3))
def test_stationary_laws_of_many_chains_are_those_of_each(seed, vocab_size, order):
    logs = log_dirichlet_rows(np.random.default_rng(seed), np.full((4, vocab_size**order, vocab_size), 0.3))
    for law, kernel in zip(stationary_laws(logs), np.exp(logs), strict=True):
        assert law == pytest.approx(stationary_law(kernel), abs=1e-12)
    assert _eliminated_logs(logs) == pytest.approx(stationary_laws(logs), abs=1e-12)


def test_large_chains_one_by_one(monkeypatch):
    logs = log_dirichlet_rows(np.random.default_rng(1), np.full((2, 256, 2), 1.0))
    assert stationary_laws(logs)[1] == pytest.approx(stationary_law(np.exp(logs[1])), abs=1e-12)
    spiky = log_dirichlet_rows(np.random.default_rng(1), np.full((1, 256, 2), 1 / 500))
    assert _law_of_large(spiky[0]) == pytest.approx(_eliminated_logs(spiky)[0], abs=1e-12)
    monkeypatch.setattr("testbed.sources.in_context.drawn_chains.ELIMINATED_STATES", 128)
    with pytest.raises(UndefinedError, match="larger concentration"):
        _law_of_large(spiky[0])


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 5000), min_size=4, max_size=4), st.integers(0, 15))
def test_nearly_reducible_chains_are_solved_exactly(exponents, sides):
    """Rows (2^-n, 1 - 2^-n) or the other way round, by elimination in fractions."""
    rare = [Fraction(1, 2**n) for n in exponents]
    rows = [(p, 1 - p) if sides >> i & 1 else (1 - p, p) for i, p in enumerate(rare)]
    matrix = [[Fraction(0)] * 4 for _ in range(4)]
    for i, x in np.ndindex(4, 2):
        matrix[i][(2 * i + x) % 4] += rows[i][x]
    law = [Fraction(1)] * 4
    for last in (3, 2, 1):
        out = sum(matrix[last][:last])
        for i, j in np.ndindex(last, last):
            matrix[i][j] += matrix[i][last] * matrix[last][j] / out
        for i in range(last):
            matrix[i][last] /= out
    for state in (1, 2, 3):
        law[state] = sum(law[i] * matrix[i][state] for i in range(state))
    log_rare = -math.log(2) * np.array(exponents)
    both = np.stack([log_rare, np.log1p(-np.exp(log_rare))], axis=1)
    logs = np.array([pair if sides >> i & 1 else pair[::-1] for i, pair in enumerate(both)])[None]
    expected = [float(p / sum(law)) for p in law]
    assert stationary_laws(logs)[0] == pytest.approx(expected, rel=1e-8, abs=1e-12)
    assert _eliminated_logs(logs)[0] == pytest.approx(expected, rel=1e-8, abs=1e-12)


@pytest.mark.parametrize(
    "source",
    [
        DirichletMarkovSource(vocab_size=4, order=2, concentration="1/200"),
        DirichletMarkovSource(vocab_size=2, order=3, concentration="1/100"),
        DirichletMarkovSource(vocab_size=3, order=1, concentration="1/65536"),
        ContextTreeSource(vocab_size=3, depth=2, concentration="1/1000"),
        ContextTreeSource(vocab_size=2, depth=2, concentration="1/65536"),
    ],
    ids=str,
)
def test_spiky_chains_have_a_rate(source):
    """h is positive and below E[H] of a row, (V - 1) a to leading order, but for the visits: at most all to one row."""
    rate = source.entropy_rate()
    unvisited = expected_entropy(source.vocab_size, float(source.alpha))
    assert 0.1 * unvisited < rate.value < 2 * unvisited
    assert 0 < rate.standard_error < 0.05 * rate.value


def test_spiky_chains_of_many_contexts_are_refused():
    with pytest.raises(UndefinedError, match="known up to 128 contexts, or from concentration 0.05 on"):
        DirichletMarkovSource(vocab_size=2, order=8, concentration="1/300").entropy_rate()


@pytest.mark.parametrize("a", [0.02, 0.3])
def test_tilted_chains_have_the_mean_of_plain_ones(a, monkeypatch):
    """Two unbiased means of one number; with context trees too, whose rows serve several contexts."""
    tree = ContextTreeSource(vocab_size=2, depth=3, concentration="1/3")
    for trees in (None, lambda n, first: tree.trees(n, 5, first)):
        found = []
        for spiky in (0.0, 1e9):
            monkeypatch.setattr("testbed.sources.in_context.drawn_chains.SPIKY", spiky)
            found.append(mean_rate(2, 8, a, trees))
        error = math.hypot(*(float(one.standard_error) for one in found))
        assert abs(found[0].value - found[1].value) < Z * error
