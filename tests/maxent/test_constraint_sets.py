"""Constraints and sets of them: what is refused, faces, rank, junction trees, zeros."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from maxent_laws import cliques_of, constraints_of, random_law

from testbed.core import ConfigError, ResourceError
from testbed.maxent import Constraint, ConstraintSet
from testbed.maxent.faces import complex_rank, faces, junction_tree, maximal, positions_of

FAIR = np.full((2, 2), 0.25)


@pytest.mark.parametrize(
    "positions, table, said",
    [
        ((0, 1), [[0.5, 0.5], [0.5, 0.5]], r"positions \(0, 1\): table sums to 2; must sum to 1"),
        ((0, 1), [[1.5, -0.5], [0.0, 0.0]], r"positions \(0, 1\): table has the entry -0.5"),
        ((0, 1), [[np.nan, 0.5], [0.5, 0.0]], "entry nan"),
        ((0, 1), [0.5, 0.5], r"has the shape \(2,\); must have 2 axes"),
        ((0, 1), [[0.5, 0.5, 0.0], [0.0, 0.0, 0.0]], r"has the shape \(2, 3\)"),
        ((0, 0), FAIR, r"positions: given \(0, 0\); must be distinct"),
        ((-1, 0), FAIR, r"positions: given \(-1, 0\)"),
        ((), 1.0, "at least one"),
        ((0.5, 1), FAIR, "whole numbers"),
        ((0, 1), [["a", "b"], ["c", "d"]], "must be one array of numbers"),
    ],
)
def test_a_bad_table_is_refused_by_name(positions, table, said):
    with pytest.raises(ConfigError, match=said):
        Constraint(positions, table)


def test_a_bad_set_is_refused_by_name():
    with pytest.raises(ConfigError, match=r"constraints\[1\] on positions \(1, 4\): positions must lie in 0 .. 3"):
        ConstraintSet(2, 4, [Constraint((0, 1), FAIR), Constraint((1, 4), FAIR)])
    with pytest.raises(ConfigError, match=r"constraints\[0\] on positions \(0, 1\): table .* vocab_size is 3"):
        ConstraintSet(3, 4, [Constraint((0, 1), FAIR)])
    skewed = Constraint((1, 2), [[0.4, 0.2], [0.2, 0.2]])
    with pytest.raises(
        ConfigError, match=r"constraints\[0\] on .*\(0, 1\) and constraints\[1\] on .*\(1, 2\) disagree .*\(1,\)"
    ):
        ConstraintSet(2, 3, [Constraint((0, 1), FAIR), skewed])
    with pytest.raises(ConfigError, match="disagree"):  # the same positions, given twice
        ConstraintSet(2, 2, [Constraint((0, 1), FAIR), Constraint((0, 1), [[0.4, 0.1], [0.1, 0.4]])])
    with pytest.raises(ConfigError, match="vocab_size"):
        ConstraintSet(1, 3, [])


def test_disagreement_is_measured():
    left, right = Constraint((0, 1), FAIR), Constraint((1, 2), [[0.4, 0.2], [0.2, 0.2]])
    given_both = ConstraintSet(2, 3, [left, right], allow_disagreement=True)
    (found,) = given_both.separator_audit
    assert (found.first, found.second, found.positions) == (0, 1, (1,))
    assert found.total_variation == pytest.approx(0.1)
    assert given_both.disagreement == pytest.approx(0.1)


def test_sizes_beyond_memory_are_refused_before_anything_is_allocated():
    pairs = [Constraint(pair, FAIR) for pair in itertools.combinations(range(40), 2)]
    large = ConstraintSet(2, 40, pairs)
    assert large.rank == 1 + 40 + 780
    for solver in ("auto", "ipf", "newton", "lbfgs", "banded"):
        with pytest.raises(ResourceError):
            large.solve(solver)
    for refused in (lambda: large.structural_zeros, large.feasibility, lambda: large.grid):
        with pytest.raises(ResourceError):
            refused()


def test_tables_follow_their_positions():
    table = random_law(0, 3, 2)
    turned = Constraint((2, 0), table)
    assert turned.positions == (0, 2)
    np.testing.assert_allclose(turned.table, table.T, rtol=1e-14)
    np.testing.assert_allclose(turned.marginal((2,)), table.sum(axis=1))
    with pytest.raises(ValueError, match="read-only"):
        turned.table[0, 0] = 1.0


@pytest.mark.parametrize(
    "vocab_size, cliques, cells, rank",
    [
        (3, list(itertools.combinations(range(4), 2)), 54, 33),
        (2, list(itertools.combinations(range(6), 2)), 60, 22),
        (2, [(0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5)], 48, 32),
        (2, [(0, 1, 2, 3), (2, 3, 4, 5)], 32, 28),
        (2, [(0, 1, 2, 3), (2, 3, 4, 5), (0, 1, 4, 5)], 48, 37),
        (3, [(0, 1), (1, 2), (0, 2)], 27, 19),
    ],
)
def test_golden_ranks(vocab_size, cliques, cells, rank):
    given_set = constraints_of(random_law(1, vocab_size, 1 + max(max(c) for c in cliques)), cliques)
    assert (given_set.n_cells, given_set.rank) == (cells, rank)


def indicator_matrix(cliques, vocab_size, length):
    """(cells, V^n): one row a cell of a table, one column a sequence."""
    sequences = list(itertools.product(range(vocab_size), repeat=length))
    rows = [[1.0] * len(sequences)]
    for clique in cliques:
        for values in itertools.product(range(vocab_size), repeat=len(clique)):
            rows.append([float(all(x[p] == v for p, v in zip(clique, values, strict=True))) for x in sequences])
    return np.array(rows)


@given(st.data(), st.sampled_from([(2, 4), (2, 5), (3, 3), (3, 4)]))
def test_rank_is_that_of_the_equations(data, size):
    vocab_size, length = size
    cliques = data.draw(cliques_of(length))
    expected = np.linalg.matrix_rank(indicator_matrix(cliques, vocab_size, length))
    assert complex_rank(tuple(cliques), vocab_size) == expected
    by_faces = sum((vocab_size - 1) ** len(face) for face in faces(cliques))
    assert by_faces == expected


def has_junction_tree(cliques) -> bool:
    """Maier's theorem: a spanning tree of largest weight sum |C & D| exists with sum_v (n_v - 1) iff there is one."""
    sets = [set(c) for c in cliques]
    sets = [s for i, s in enumerate(sets) if not any(s < t or (s == t and j < i) for j, t in enumerate(sets))]
    tree, weight, rest = [sets[0]], 0, sets[1:]
    while rest:
        shared, best = max((max(len(s & t) for t in tree), i) for i, s in enumerate(rest))
        weight += shared
        tree.append(rest.pop(best))
    return weight == sum(len(s) for s in sets) - len(set().union(*sets))


@given(st.data(), st.integers(3, 7))
def test_junction_trees_are_found_where_they_exist(data, length):
    cliques = data.draw(cliques_of(length, most=7))
    links = junction_tree(tuple(cliques))
    assert (links is not None) == has_junction_tree(cliques)
    if links is None:
        return
    kept = list(maximal(tuple(cliques)))
    assert sorted([*(child for _, child, _ in links), kept[0]]) == kept
    seen = {kept[0]: set(cliques[kept[0]])}
    for parent, child, mask in links:
        before = set().union(*seen.values())
        assert parent in seen
        assert set(positions_of(mask)) == set(cliques[child]) & before
        assert set(positions_of(mask)) <= seen[parent]
        seen[child] = set(cliques[child])


def test_structure_of_a_set():
    law = random_law(3, 2, 6)
    nested = constraints_of(law, [(0, 1, 2), (1,), (1, 2), (4, 2), (0, 1, 2)])
    assert nested.maximal == (0, 3)
    assert nested.junction_tree == [(0, 3, (2,))]
    assert nested.free_positions == (3, 5)
    assert nested.bandwidth == 2
    assert len(nested.faces) == 8 + 2
    assert constraints_of(law, [(0, 1), (1, 2), (0, 2)]).junction_tree is None
    assert constraints_of(law, [(0, 1), (1, 2), (0, 1, 2)]).is_decomposable
    assert not constraints_of(law, [(0, 1), (1, 2), (2, 3), (0, 3)]).is_decomposable


def test_zeros_of_tables_exclude_sequences():
    law = random_law(4, 2, 4)
    law[1, 1] = 0.0
    law /= law.sum()
    found = constraints_of(law, [(0, 1), (1, 2), (2, 3), (0, 3)]).structural_zeros
    expected = np.zeros((2,) * 4, dtype=bool)
    expected[1, 1] = True
    np.testing.assert_array_equal(found, expected)
