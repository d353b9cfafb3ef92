"""Where the targets are extreme, contradictory or nearly infeasible: the right law, or a refusal that says why."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from maxent_laws import cliques_of, constraints_of, entropy, random_law

from testbed.core import ConfigError
from testbed.maxent import (
    Constraint,
    ConstraintSet,
    InfeasibleError,
    JointMarginals,
    NotConvergedError,
    Scheme,
    Symmetrised,
    Windows,
    divergence,
    fit_conditional,
    marginal_of,
    solve_with_policy,
)

FAIR = np.full((2, 2), 0.25)


def frustrated(d: float) -> ConstraintSet:
    """Three fair bits, each pair different with probability d: feasible iff 3 d <= 2, slack (2 - 3 d) / 4."""
    table = np.array([[1 - d, d], [d, 1 - d]]) / 2
    return ConstraintSet(2, 3, [Constraint(pair, table) for pair in ((0, 1), (1, 2), (0, 2))])


@given(st.integers(0, 10**6), st.sampled_from([(2, 4), (2, 6), (3, 3)]), st.sampled_from([0.02, 0.1]), st.data())
@settings(max_examples=25)
def test_nearly_deterministic_laws(seed, size, concentration, data):
    """Probabilities down to 1e-100: the marginals of a law are never called infeasible, and what is said to have
    converged is the law of largest entropy, KL(p || q) = H(q) - H(p)."""
    p = random_law(seed, *size, concentration)
    cliques = [*data.draw(cliques_of(p.ndim)), *itertools.combinations(range(p.ndim), 2)]
    given_set = constraints_of(p, cliques)
    assert given_set.feasibility().status != "infeasible"
    law = given_set.solve(on_failure="return")
    if law.status == "not converged":  # rare: said so
        return
    q = law.probabilities
    worst = max(np.abs(marginal_of(q, one.positions) - one.table).max() for one in given_set.constraints)
    assert worst < 1e-10
    assert p[q == 0].sum() < 1e-9
    some = (p > 1e-11) & (q > 0)
    assert np.sum(p[some] * np.log(p[some] / q[some])) == pytest.approx(entropy(q) - entropy(p), abs=1e-7)


def test_masses_that_underflow_are_no_contradiction():
    """Targets of 1e-200, whose product no float holds."""
    p = np.full((2,) * 3, 1e-200)
    p[0, 0, 0], p[0, 1, 1] = 0.5, 0.5
    p[1, 1, 1] = 0.0
    given_set = constraints_of(p / p.sum(), [(0, 1), (1, 2), (0, 2)])
    for solver in ("auto", "ipf", "banded"):
        np.testing.assert_allclose(given_set.solve(solver).probabilities, p, atol=1e-12)


@pytest.mark.parametrize("k", range(7, 12))
def test_just_inside(k):
    """A slack of 1e-10 and less is inside still: found by Newton's method, not refused, and not cut off."""
    given_set = frustrated(2 / 3 - 10.0**-k)
    law = given_set.solve()
    assert law.residual < 1e-12
    assert law.probabilities[0, 0, 0] == pytest.approx(0.75 * 10.0**-k, rel=0.02)
    found = given_set.feasibility()
    assert found.slack == pytest.approx(0.75 * 10.0**-k, rel=0.02)


@pytest.mark.parametrize("k", [9, 10])
def test_just_outside(k):
    """Nearer than the linear program can tell: said so, without sending the caller to the solver that was asked."""
    with pytest.raises(NotConvergedError, match="cannot be said whether any law has them"):
        frustrated(2 / 3 + 10.0**-k).solve()
    with pytest.raises(InfeasibleError, match="cannot hold together"):
        frustrated(2 / 3 + 1e-6).solve()


def test_small_probabilities_stay_in_the_support():
    """On the boundary with probabilities of 1e-9 beside: solvers of linear programs drop entries as small as those."""
    rare = 1e-9
    p = np.zeros((2,) * 4)
    d = frustrated(2 / 3).solve().probabilities
    p[..., 0] = d * (1 - rare)
    p[..., 1] = d * rare
    cliques = [(0, 1), (1, 2), (0, 2), (0, 3), (1, 3)]
    found = constraints_of(p, cliques).feasibility()
    assert found.status == "boundary"
    np.testing.assert_array_equal(found.support, p > 0)


def test_contradictions_within_a_table():
    """A table on positions that another has too: no law has both, and the residual counts the one that is not met."""
    tables = [Constraint((0, 1), FAIR), Constraint((0,), [0.9, 0.1])]
    given_set = ConstraintSet(2, 2, tables, allow_disagreement=True)
    found = given_set.feasibility()
    assert (found.status, found.constraints) == ("infeasible", (0, 1))
    assert found.slack == pytest.approx(-0.4)
    assert not found.support.any()
    assert given_set.solve("ipf").residual == pytest.approx(0.4)
    assert given_set.solve("soft", l2=0.1).residual == pytest.approx(0.4)
    assert solve_with_policy(given_set).residual == pytest.approx(0.4)
    soft = given_set.solve("soft", l2=1e-12, max_iterations=1, tolerance=1e-15, on_failure="return")
    assert soft.status in ("soft", "not converged")  # returned, not raised


def test_small_disagreements_that_add_up_are_told():
    """200 tables, each within 1e-8 of agreeing with the next."""
    tables, first = [], 0.5
    for i in range(200):
        second = first + 9e-9
        stay = 1 - 2e-8  # copies, so that what is wrong at one end arrives at the other
        table = np.array([[first * stay, first * (1 - stay)], [(1 - first) * (1 - stay), (1 - first) * stay]])
        tables.append(Constraint((i, i + 1), table))
        first = second
    given_set = ConstraintSet(2, 201, tables)
    assert 0 < given_set.disagreement < 2e-8
    law = given_set.solve()
    assert law.residual > 1e-7
    assert law.status == "inconsistent"


def test_reconciling_a_star_does_not_depend_on_the_order():
    """Three tables about one position: the mean of all three, whoever is whose neighbour in the junction tree."""
    tables = [Constraint((0, k), random_law(k, 2, 2)) for k in (1, 2, 3)]
    laws = [
        solve_with_policy(
            ConstraintSet(2, 4, [tables[i] for i in order], allow_disagreement=True), "reconciled"
        ).probabilities
        for order in itertools.permutations(range(3))
    ]
    for law in laws[1:]:
        np.testing.assert_allclose(law, laws[0], atol=1e-14)
    singles = np.array([one.table.sum(axis=1) for one in tables])
    mean = np.exp(np.log(singles).mean(axis=0))
    conditionals = [one.table / one.table.sum(axis=1, keepdims=True) for one in tables]
    expected = mean[:, None, None, None] / mean.sum()
    for place, one in enumerate(conditionals, start=1):
        expected = expected * one.reshape([2 if axis in (0, place) else 1 for axis in range(4)])
    np.testing.assert_allclose(laws[0], expected, atol=1e-14)


def test_after_an_impossible_prefix():
    """No two 1s in a row. What follows them has no law, and the sequence has the logarithm -inf, not nan."""
    pair = np.array([[0.5, 0.25], [0.25, 0.0]])
    given_set = ConstraintSet(2, 4, [Constraint((i, i + 1), pair) for i in range(3)])
    tokens = np.array([[0, 1, 1, 0], [0, 1, 0, 1]])
    extension = Scheme(family={"type": "windows", "overlap": 1}).extend(
        JointMarginals(given_set.solve().probabilities), 2, 2
    )
    for law in (given_set.solve(), given_set.solve("banded"), extension):
        logs = law.log_probs(tokens)
        assert logs[0].sum() == -np.inf
        assert np.isfinite(logs[1]).all()
        assert np.isnan(law.predict(tokens)[0, 3]).all()
        assert not np.isnan(law.predict(tokens)[1]).any()


def test_a_scheme_may_ask_for_the_soft_solver():
    p = random_law(0, 2, 4)
    found = Scheme(family="pairs", solver="soft", l2=0.01).extend(JointMarginals(p), 2, 2).law
    expected = Scheme(family="pairs", policy="soft", l2=0.01).extend(JointMarginals(p), 2, 2).law
    assert found.status == "soft"
    np.testing.assert_array_equal(found.probabilities, expected.probabilities)


def test_conditional_laws_never_stop_short_in_silence():
    """A tolerance that rounding does not allow."""
    rng = np.random.default_rng(3)
    contexts, targets = rng.integers(4, size=(200, 4)), rng.integers(4, size=200)
    with pytest.raises(ConfigError, match="tolerance: rounding stops short of 1e-13"):
        fit_conditional(contexts, targets, 4, tolerance=1e-13)
    assert fit_conditional(contexts, targets, 4).gradient <= 1e-7


@pytest.mark.parametrize("context_length, overlap, same", [(4, 3, True), (4, 2, True), (4, 1, False), (6, 3, True)])
def test_when_two_sided_windows_are_windows(context_length, overlap, same):
    two_sided = Symmetrised(reading="two_sided", overlap=overlap).cliques(context_length)
    assert (set(two_sided) == set(Windows(overlap=overlap).cliques(context_length))) == same


def test_boxes_of_tables_of_different_sizes():
    """A box a table, pairs and a triple: the same as the one number that they all hold."""
    given_set = constraints_of(random_law(1, 2, 4), [(0, 1, 2), (2, 3), (0, 3)])
    boxes = [np.full(one.table.shape, 0.01) for one in given_set.constraints]
    expected = given_set.solve("soft", box=0.01).probabilities
    np.testing.assert_allclose(given_set.solve("soft", box=boxes).probabilities, expected, atol=1e-6)


@pytest.mark.parametrize(("p", "q"), [([0.5, np.nan], [0.5, 0.5]), ([0.5, 0.5], [np.inf, 0.5]), ([1.5, -0.5], [1, 0])])
def test_divergences_refuse_what_is_no_law(p, q):
    """A nan is neither above zero nor counted: it would pass for a law that loses nothing there."""
    with pytest.raises(ConfigError, match="must be finite and not negative"):
        divergence(np.array(p), np.array(q, dtype=np.float64))
