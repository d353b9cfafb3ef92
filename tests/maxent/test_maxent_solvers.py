"""Every solver against golden numbers, identities, and a slow twin."""

import itertools
import tracemalloc

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from maxent_laws import (
    ALL_PAIRS_OF_4,
    cliques_of,
    constraints_of,
    divergence,
    entropy,
    golden_joint,
    golden_kernel,
    laws,
    random_law,
    slow_law,
    stationary_block,
)

from testbed.core import ConfigError
from testbed.maxent import Constraint, ConstraintSet, marginal_of, token_divergences
from testbed.maxent.closed_form import closed_form_entropy

CHAIN = [(0, 1), (1, 2), (2, 3)]
GOLDEN = {
    "pairs": (ALL_PAIRS_OF_4, 4.369462165094, 0.114286400937, (0.007938347965, 0.012157129928, 0.010390483520)),
    "lag 2": (
        [*CHAIN, (0, 2), (1, 3)],
        4.369462184301,
        0.114286420145,
        (0.007941108263, 0.012160347153, 0.010394105866),
    ),
    "neighbours": (CHAIN, 4.379584896885, 0.124409132729, (0.010386705018, 0.009497277447, 0.013381390339)),
    "windows": (
        [(0, 1, 2), (1, 2, 3)],
        4.349135002212,
        0.093959238056,
        (0.009743972160, 0.017897091723, 0.012633241216),
    ),
    "groups": (
        [(0, 1, 2), (0, 1, 3), (2, 3)],
        4.349134977121,
        0.093959212964,
        (0.009640165746, 0.017893155182, 0.012721257087),
    ),
}
EXACT = ("auto", "ipf", "newton", "banded")


@pytest.mark.parametrize("solver", [*EXACT, "lbfgs"])
@pytest.mark.parametrize("name", GOLDEN)
def test_golden_numbers(name, solver):
    cliques, target_entropy, target_divergence, cells = GOLDEN[name]
    p = golden_joint()
    assert entropy(p) == pytest.approx(4.255175764157, abs=1e-9)
    found = constraints_of(p, cliques).solve(solver)
    q = found.probabilities
    within = 1e-8 if solver == "lbfgs" else 1e-9
    assert found.entropy == pytest.approx(target_entropy, abs=within)
    assert divergence(p, q) == pytest.approx(target_divergence, abs=within)
    assert [q[0, 0, 0, 0], q[0, 1, 2, 0], q[2, 2, 2, 2]] == pytest.approx(list(cells), abs=within)
    assert found.residual <= within
    assert found.status == "converged"
    if solver == "auto":
        assert found.solver == ("closed" if name in ("neighbours", "windows") else "ipf")


def test_golden_chain():
    p = stationary_block(golden_kernel(), 5)
    assert marginal_of(p, (0, 1))[0, 0] == pytest.approx(0.113827949533, abs=1e-9)
    pairs = list(itertools.combinations(range(5), 2))
    for cliques, expected in [
        ([(i, i + 1) for i in range(4)], 0.256772286296),
        ([(i, i + 1, i + 2) for i in range(3)], 0.0),
        (pairs, 0.167536961323),
        ([pair for pair in pairs if pair[1] - pair[0] <= 2], 0.170874408411),
    ]:
        assert divergence(p, constraints_of(p, cliques).solve().probabilities) == pytest.approx(expected, abs=1e-9)


@given(laws(), st.data())
@settings(max_examples=25)
def test_every_solver_finds_the_law_of_the_slow_twin(p, data):
    given_set = constraints_of(p, data.draw(cliques_of(p.ndim)))
    expected = slow_law(given_set)
    for solver in (*EXACT, "lbfgs"):
        found = given_set.solve(solver)
        within = 3e-6 if solver == "lbfgs" else 1e-9
        np.testing.assert_allclose(found.probabilities, expected, atol=within)
        np.testing.assert_allclose(found.probabilities.sum(), 1.0, atol=1e-12)
        assert found.entropy == pytest.approx(entropy(expected), abs=within)
        assert found.rank == given_set.rank


@given(laws(), st.data())
@settings(max_examples=40)
def test_identities(p, data):
    """KL(p || q*) = H(q*) - H(p); Pythagoras for any law of the family; nested sets; a refit; the chain rule."""
    cliques = data.draw(cliques_of(p.ndim))
    given_set = constraints_of(p, cliques)
    q = given_set.solve().probabilities
    assert divergence(p, q) == pytest.approx(entropy(q) - entropy(p), abs=1e-8)

    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    logs = np.zeros(p.shape)
    for clique in cliques:  # any other member of the exponential family
        logs += np.expand_dims(
            rng.normal(size=(p.shape[0],) * len(clique)), [i for i in range(p.ndim) if i not in clique]
        )
    other = np.exp(logs) / np.exp(logs).sum()
    assert divergence(p, other) == pytest.approx(divergence(p, q) + divergence(q, other), abs=1e-8)

    more = constraints_of(p, [*cliques, *data.draw(cliques_of(p.ndim, most=1))]).solve().probabilities
    assert entropy(more) <= entropy(q) + 1e-9
    assert divergence(p, more) <= divergence(p, q) + 1e-9

    again = constraints_of(q, cliques).solve().probabilities
    np.testing.assert_allclose(again, q, atol=1e-9)

    by_token = token_divergences(p, q)
    assert by_token.sum() == pytest.approx(divergence(p, q), abs=1e-8)
    assert by_token.min() > -1e-9


@given(laws(), st.data(), st.permutations([0, 1, 2]))
@settings(max_examples=30)
def test_renaming_symbols_or_positions_renames_the_answer(p, data, order):
    cliques = data.draw(cliques_of(p.ndim))
    q = constraints_of(p, cliques).solve().probabilities
    symbols = [s for s in order if s < p.shape[0]]
    renamed = p[np.ix_(*[symbols] * p.ndim)]
    np.testing.assert_allclose(
        constraints_of(renamed, cliques).solve().probabilities, q[np.ix_(*[symbols] * p.ndim)], atol=1e-10
    )
    backwards = [tuple(p.ndim - 1 - i for i in clique) for clique in cliques]
    found = constraints_of(p.transpose(), backwards).solve().probabilities
    np.testing.assert_allclose(found, q.transpose(), atol=1e-10)


@given(laws(), st.data())
@settings(max_examples=40)
def test_closed_form(p, data):
    """Product of cliques over separators; one sweep finds it, a second changes nothing; entropies without the law."""
    cliques = data.draw(cliques_of(p.ndim))
    given_set = constraints_of(p, cliques)
    assume(given_set.is_decomposable)
    q = given_set.solve()
    assert (q.solver, q.iterations) == ("closed", 0)
    expected = np.ones(p.shape) / p.shape[0] ** len(given_set.free_positions)
    links = given_set.junction_tree
    for positions, power in [
        *((given_set.cliques[i], 1) for i in given_set.maximal),
        *((separator, -1) for *_, separator in links if separator),
    ]:
        table = p.sum(axis=tuple(i for i in range(p.ndim) if i not in positions), keepdims=True)
        expected = expected * table**power
    np.testing.assert_allclose(q.probabilities, expected, atol=1e-13)
    assert closed_form_entropy(given_set) == pytest.approx(q.entropy, abs=1e-10)

    in_order = [given_set.maximal[0], *(child for _, child, _ in links)]
    ordered = ConstraintSet(p.shape[0], p.ndim, [given_set.constraints[i] for i in in_order])
    one, two = (ordered.solve("ipf", max_iterations=sweeps, on_failure="return") for sweeps in (1, 2))
    np.testing.assert_allclose(one.probabilities, expected, atol=1e-13)
    np.testing.assert_allclose(two.probabilities, one.probabilities, atol=1e-14)
    assert ordered.solve("ipf").iterations <= 2


@pytest.mark.parametrize("vocab_size", [2, 3])
def test_pairs_do_not_see_parity(vocab_size):
    """x_n = sum of the others mod V, all fair: every pair is uniform, so is the answer, and KL = ln V."""
    x = np.indices((vocab_size,) * 3)
    p = (x.sum(axis=0) % vocab_size == 0) / vocab_size**2
    given_set = constraints_of(p, itertools.combinations(range(3), 2))
    for solver in ("auto", "ipf", "newton", "lbfgs", "banded"):
        q = given_set.solve(solver).probabilities
        np.testing.assert_allclose(q, vocab_size**-3.0, atol=1e-12)
        assert divergence(p, q) == pytest.approx(np.log(vocab_size), abs=1e-12)
    window = constraints_of(p, [(0, 1, 2)]).solve().probabilities
    np.testing.assert_allclose(window, p, atol=1e-15)


def test_pairs_see_a_long_copy_and_windows_do_not():
    """x_4 = x_0, the rest fair coins."""
    p = np.zeros((2,) * 5)
    for x in itertools.product(range(2), repeat=4):
        p[(*x, x[0])] = 1 / 16
    pairs = constraints_of(p, itertools.combinations(range(5), 2)).solve()
    np.testing.assert_allclose(pairs.probabilities, p, atol=1e-12)
    assert pairs.rank < constraints_of(random_law(0, 2, 5), itertools.combinations(range(5), 2)).rank
    windows = constraints_of(p, [(0, 1, 2, 3), (1, 2, 3, 4)]).solve().probabilities
    assert divergence(p, windows) == pytest.approx(np.log(2), abs=1e-12)


@given(st.integers(0, 10**6))
@settings(max_examples=15)
def test_zeros_of_the_tables(seed):
    rng = np.random.default_rng(seed)
    p = random_law(seed, 3, 4, 0.5) * (rng.random((3,) * 4) > 0.4)
    p[tuple(rng.integers(3, size=4))] += 0.1
    p[2, :, 1] = 0.0
    p[0, 0] = 0.0
    if p.sum() == 0:
        return
    p /= p.sum()
    given_set = constraints_of(p, ALL_PAIRS_OF_4)
    q = given_set.solve()
    assert q.residual <= 1e-9
    assert not q.probabilities[given_set.structural_zeros].any()
    assert entropy(q.probabilities) >= entropy(p) - 1e-9
    assert divergence(p, q.probabilities) == pytest.approx(q.entropy - entropy(p), abs=1e-6)
    banded = given_set.solve("banded", max_iterations=20000, tolerance=1e-7, on_failure="return")
    assert divergence(q.probabilities, banded.probabilities) < 1e-2


def test_nothing_constrained_is_uniform():
    law = ConstraintSet(3, 3, []).solve()
    np.testing.assert_allclose(law.probabilities, 1 / 27)
    assert law.rank == 1
    one = ConstraintSet(2, 3, [Constraint((1,), [0.9, 0.1])]).solve()
    np.testing.assert_allclose(one.probabilities[:, 0, :], 0.225)
    assert ConstraintSet(2, 1, [Constraint((0,), [0.9, 0.1])]).solve("banded").probabilities[1] == pytest.approx(0.1)


def test_reports():
    given_set = constraints_of(golden_joint(), ALL_PAIRS_OF_4)
    law = given_set.solve()
    assert law.trace.shape == (law.iterations,)
    assert law.duality_gap < 1e-12
    logs = sum(
        np.expand_dims(table, [i for i in range(4) if i not in clique])
        for clique, table in zip(given_set.cliques, law.multipliers, strict=True)
    )
    np.testing.assert_allclose(np.exp(logs) / np.exp(logs).sum(), law.probabilities, atol=1e-14)
    np.testing.assert_allclose(law.marginal((3, 0)), law.probabilities.sum(axis=(1, 2)).T)
    for solver in ("newton", "lbfgs", "banded"):
        tables = given_set.solve(solver).multipliers
        logs = sum(
            np.expand_dims(table, [i for i in range(4) if i not in clique])
            for clique, table in zip(given_set.cliques, tables, strict=True)
        )
        np.testing.assert_allclose(np.exp(logs) / np.exp(logs).sum(), law.probabilities, atol=1e-7)


@pytest.mark.parametrize(
    "arguments, said",
    [
        ({"solver": "itf"}, "solver: given 'itf'; did you mean ipf"),
        ({"solver": "closed"}, "closed needs a decomposable set"),
        ({"solver": "ipf", "l2": 0.1}, "belong to the solver soft"),
        ({"solver": "soft"}, "needs one of them"),
        ({"solver": "soft", "l2": 0.1, "box": 0.1}, "needs one of them"),
        ({"solver": "soft", "box": -1.0}, "box: given -1.0, .* at least 0"),
        ({"solver": "soft", "box": [np.ones((2, 2))]}, "a table of each constraint's shape"),
        ({"tolerance": 0.0}, "tolerance: given 0.0, .* above 0"),
        ({"max_iterations": 0}, "max_iterations: given 0, .* at least 1"),
    ],
)
def test_bad_requests(arguments, said):
    with pytest.raises(ConfigError, match=said):
        constraints_of(golden_joint(), ALL_PAIRS_OF_4).solve(**arguments)


def test_memory_of_the_dense_solver():
    """The whole solution stays under four arrays of V^n numbers."""
    p = random_law(0, 2, 16)
    given_set = constraints_of(p, [(i, j) for i, j in itertools.combinations(range(16), 2) if (i + j) % 3 == 0])
    given_set.solve("ipf", max_iterations=1, on_failure="return")  # compiled, and the layout kept
    tracemalloc.start()
    law = given_set.solve("ipf")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert law.status == "converged"
    assert peak < 4 * 8 * 2**16
