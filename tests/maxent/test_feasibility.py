"""What is said where targets lie on the boundary or outside, and the soft answers."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from maxent_laws import ALL_PAIRS_OF_4, constraints_of, divergence, entropy, golden_joint, random_law

from testbed.maxent import Constraint, ConstraintSet, InfeasibleError, NotConvergedError

EXACT = ("auto", "ipf", "newton", "lbfgs", "banded")


def frustrated(d: float) -> ConstraintSet:
    """Three fair bits, each pair of which disagrees with probability d: at most two of three can, so 3 d <= 2."""
    table = np.array([[1 - d, d], [d, 1 - d]]) / 2
    return ConstraintSet(2, 3, [Constraint(pair, table) for pair in ((0, 1), (1, 2), (0, 2))])


@pytest.mark.parametrize(
    "d, status, slack, support",
    [
        (0.6, "interior", 0.05, 8),
        (0.66, "interior", 0.005, 8),
        (2 / 3, "boundary", 0.0, 6),
        (0.7, "infeasible", -0.025, 0),
    ],
)
def test_slack_of_the_frustrated_triangle(d, status, slack, support):
    found = frustrated(d).feasibility()
    assert found.status == status
    assert found.slack == pytest.approx(slack, abs=1e-9)
    assert found.support.sum() == support
    assert found.constraints == ((0, 1, 2) if status == "infeasible" else ())


def test_interior():
    """By symmetry q(000) = q(111) = (1 - 3d / 2) / 2, the rest equal: the only law of this symmetry."""
    for d in (0.3, 0.6, 0.66):
        for solver in EXACT:
            q = frustrated(d).solve(solver).probabilities
            assert q[0, 0, 0] == pytest.approx((1 - 1.5 * d) / 2, abs=1e-7)
            assert q[0, 1, 1] == pytest.approx(d / 4, abs=1e-7)


def test_boundary():
    edge = frustrated(2 / 3)
    law = edge.solve()
    assert law.status == "boundary"
    assert law.probabilities[0, 0, 0] == law.probabilities[1, 1, 1] == 0.0
    assert law.entropy == pytest.approx(np.log(6), abs=1e-12)
    assert law.residual < 1e-12
    assert law.rank == 6
    with pytest.raises(
        NotConvergedError, match=r"residual 5.55e-05 after 1000 .* on the boundary .* 2 sequences"
    ) as caught:
        edge.solve("ipf", max_iterations=1000)
    trace = caught.value.law.trace
    assert trace[999] * 1000 == pytest.approx(trace[499] * 500, rel=0.01)  # falls like 1 / sweeps
    for solver, within in (("newton", 1e-12), ("lbfgs", 1e-8)):  # within the tolerance, and said to lie there
        found = edge.solve(solver)
        assert found.status == "boundary"
        assert found.residual <= within
        assert found.largest_multiplier > 3
        assert frustrated(0.66).solve(solver).status == "converged"
    grown = [edge.solve("ipf", max_iterations=n, on_failure="return").largest_multiplier for n in (30, 300, 3000)]
    assert grown[0] < grown[1] < grown[2]


def test_outside():
    outside = frustrated(0.7)
    for solver in EXACT:
        with pytest.raises(
            InfeasibleError, match=r"slack -0.025 .*constraints\[0\] on positions \(0, 1\) and"
        ) as caught:
            outside.solve(solver)
        assert caught.value.constraints == (0, 1, 2)
        assert caught.value.slack == pytest.approx(-0.025)
    cycle = outside.solve("ipf", on_failure="return")
    assert cycle.status == "not converged"
    assert cycle.residual == pytest.approx(0.0339, abs=1e-3)
    assert cycle.iterations < 2000  # it is noticed that nothing falls any more


def test_only_the_clashing_constraints_are_named():
    table = np.array([[0.15, 0.35], [0.35, 0.15]])
    fair = np.full((2, 2), 0.25)
    given_set = ConstraintSet(
        2, 5, [Constraint(c, t) for c, t in [((0, 4), fair), ((1, 2), table), ((2, 3), table), ((1, 3), table)]]
    )
    assert given_set.feasibility().constraints == (1, 2, 3)


def test_zeros_that_leave_no_sequence():
    """x_0 = x_1 and x_1 = x_2 but x_0 differs from x_2."""
    same, other = np.eye(2) / 2, (1 - np.eye(2)) / 2
    given_set = ConstraintSet(2, 3, [Constraint((0, 1), same), Constraint((1, 2), same), Constraint((0, 2), other)])
    assert given_set.structural_zeros.all()
    for solver in EXACT:
        with pytest.raises(InfeasibleError):
            given_set.solve(solver)
    assert given_set.feasibility().status == "infeasible"


def test_mixing_moves_the_boundary_inside():
    mixed = frustrated(2 / 3).mixed(0.01)
    assert mixed.feasibility().slack == pytest.approx(0.01 / 8, abs=1e-9)
    assert mixed.solve("ipf").status == "converged"


@given(st.integers(0, 10**6))
@settings(max_examples=15)
def test_marginals_of_a_law_are_feasible_and_its_zeros_are_found(seed):
    """A law with zeros that no table shows: the support found contains its own."""
    rng = np.random.default_rng(seed)
    p = random_law(seed, 2, 4) * (rng.random((2,) * 4) < 0.7)
    p[0, 0, 0, 0] += 0.1
    p /= p.sum()
    found = constraints_of(p, itertools.combinations(range(4), 2)).feasibility()
    assert found.status in ("interior", "boundary")
    assert found.support[p > 1e-6].all()


def test_soft_answers():
    """L2: the miss is -a lam. Box: no miss above b, and b itself where lam is not 0 (complementary slackness)."""
    for d, miss in ((0.6, 2.7e-4), (0.66, 8e-4), (2 / 3, 1.1e-3), (0.7, 1.7e-2)):
        law = frustrated(d).solve("soft", l2=1e-3)
        assert law.status == "soft"
        assert law.residual == pytest.approx(miss, rel=0.05)
        for constraint, table in zip(frustrated(d).constraints, law.multipliers, strict=True):
            error = law.marginal(constraint.positions) - constraint.table
            np.testing.assert_allclose(error, -1e-3 * table, atol=1e-7)
    p = random_law(0, 3, 4, 0.5)
    given_set = constraints_of(p, ALL_PAIRS_OF_4)
    law = given_set.solve("soft", box=0.01)
    for constraint, table in zip(given_set.constraints, law.multipliers, strict=True):
        error = law.marginal(constraint.positions) - constraint.table
        assert np.abs(error).max() <= 0.01 + 1e-6
        np.testing.assert_allclose(error[table > 1e-3], -0.01, atol=1e-6)
        np.testing.assert_allclose(error[table < -1e-3], 0.01, atol=1e-6)
    assert law.entropy > given_set.solve().entropy


def test_soft_tends_to_exact():
    given_set = constraints_of(golden_joint(), ALL_PAIRS_OF_4)
    exact = given_set.solve().probabilities
    far, near = (given_set.solve("soft", l2=l2).probabilities for l2 in (1e-3, 1e-6))
    assert divergence(exact, near) < 1e-3 * divergence(exact, far)
    boxes = [np.full((3, 3), width) for width in (1e-3,) * 6]
    np.testing.assert_allclose(
        given_set.solve("soft", box=boxes).probabilities, given_set.solve("soft", box=1e-3).probabilities, atol=1e-6
    )


def test_a_box_too_narrow_is_told():
    with pytest.raises(NotConvergedError, match="no law lies within the box"):
        frustrated(0.7).solve("soft", box=0.01, max_iterations=200)
    wide = frustrated(0.7).solve("soft", box=0.02)
    assert wide.residual == pytest.approx(0.02, abs=1e-6)


def test_contradictory_tables():
    fair, skewed = np.full((2, 2), 0.25), np.array([[0.4, 0.2], [0.2, 0.2]])
    given_set = ConstraintSet(2, 3, [Constraint((0, 1), fair), Constraint((1, 2), skewed)], allow_disagreement=True)
    with pytest.raises(InfeasibleError, match=r"disagree on the positions \(1,\) by 0.1"):
        given_set.solve()
    cycle = given_set.solve("ipf", max_iterations=50)
    assert cycle.status == "inconsistent"
    np.testing.assert_allclose(cycle.marginal((1, 2)), skewed)  # the last table met
    soft = given_set.solve("soft", l2=1e-4)
    middle = soft.marginal((1,))[0]
    assert 0.5 < middle < 0.6
    assert entropy(soft.probabilities) > 0
