"""Which solver answers, when it stops, and what is said where it cannot.

A law is returned as converged only if the largest marginal error is within the tolerance (or within four times the
tables' own disagreement of 1e-8 at most, if that is more), and the duality gap |<lam, q_c - mu_c>| within 1000 times
that. What does not converge is examined by linear programming where V^n is small:
tables that no law has raise InfeasibleError, with the constraints that clash and the slack; on the boundary the support
is found and the problem solved on it. Newton's method and L-BFGS may come within the tolerance on the boundary too: if
their law has a probability as small as its error, linear programming is asked whether it lies there.
"""

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from testbed.core import ConfigError, ResourceError, UndefinedError, did_you_mean
from testbed.maxent.checks import exceeds, power, real, whole
from testbed.maxent.closed_form import closed_form_law
from testbed.maxent.constraint import Floats
from testbed.maxent.constraint_set import AGREEMENT, ConstraintSet, SolverName
from testbed.maxent.dense import MAX_CELLS
from testbed.maxent.dual import lbfgs, soft
from testbed.maxent.errors import InfeasibleError, NotConvergedError
from testbed.maxent.feasibility import MAX_PROGRAM_CELLS, SLACK_TOLERANCE, Feasibility, feasibility
from testbed.maxent.ipf import fit, fit_banded
from testbed.maxent.law import Law
from testbed.maxent.newton import fits_newton, newton

SOLVERS = ("auto", "closed", "ipf", "newton", "lbfgs", "soft", "banded")
TOLERANCE = {"lbfgs": 1e-8, "soft": 1e-7}
ITERATIONS = {"newton": 200, "lbfgs": 5000, "soft": 5000}
DEFAULT_TOLERANCE, DEFAULT_ITERATIONS = 1e-12, 10_000
GAP_PER_RESIDUAL = 1e3
"""The duality gap may be this many times the tolerance on the residual, nats: 1e-9 by default."""
NEAR_ZERO = 100.0
"""Probabilities up to this many times the residual may stand for zeros."""
LEAST_SEEN = 1e-11
"""What linear programming takes for zero."""
SWEEPS_BEFORE_A_LOOK = 512
"""After this many sweeps `auto` asks whether the targets are inside, if V^n is small."""


def solve(
    constraints: ConstraintSet,
    solver: SolverName,
    tolerance: float | None,
    max_iterations: int | None,
    l2: float,
    box: float | Sequence[Floats],
    on_failure: Literal["raise", "return"],
) -> Law:
    """`ConstraintSet.solve`."""
    if solver not in SOLVERS:
        raise ConfigError(f"solver: given {solver!r}; {did_you_mean(str(solver), SOLVERS)}")
    l2 = real("l2", l2, least=0.0)
    box = box if isinstance(box, list | tuple | np.ndarray) else real("box", box, least=0.0)
    if solver != "soft" and (l2 or not isinstance(box, float) or box):
        raise ConfigError(f"l2, box: the solver {solver} meets its targets exactly; they belong to the solver soft")
    within = TOLERANCE.get(solver, DEFAULT_TOLERANCE) if tolerance is None else tolerance
    steps = ITERATIONS.get(solver, DEFAULT_ITERATIONS) if max_iterations is None else max_iterations
    within, steps = real("tolerance", within, above=0.0), whole("max_iterations", steps, 1)
    if on_failure not in ("raise", "return"):
        raise ConfigError(f"on_failure: given {on_failure!r}; known: raise, return")
    if constraints.disagreement > AGREEMENT:
        return _contradictory(constraints, solver, within, steps, l2, box, on_failure)
    within = max(within, 4 * constraints.disagreement)  # no law can be closer to all of them
    law = _run(constraints, solver, within, steps, l2, box)
    if law.status == "converged" and law.solver in ("newton", "lbfgs"):
        law = _with_boundary(constraints, law)
    if law.solver == "closed" and law.residual > max(within, AGREEMENT):
        law = law.with_report(status="inconsistent")  # small disagreements that add up along the tree
    if law.status == "converged" and law.duality_gap > GAP_PER_RESIDUAL * within:
        law = law.with_report(status="not converged")
    if law.status != "not converged" or on_failure == "return":
        return law
    raise _failure(constraints, law, within, automatic=solver == "auto")


def _run(
    constraints: ConstraintSet,
    solver: SolverName,
    tolerance: float,
    steps: int,
    l2: float,
    box: float | Sequence[Floats],
) -> Law:
    if solver == "auto":
        return _automatic(constraints, tolerance, steps)
    if solver == "closed" or not constraints.maximal:
        if not constraints.is_decomposable:
            raise ConfigError(
                f"solver: closed needs a decomposable set, and {constraints!r} has no junction tree; use auto"
            )
        return closed_form_law(constraints)
    if solver == "ipf":
        return fit(constraints, tolerance, steps)
    if solver == "banded":
        return fit_banded(constraints, tolerance, steps)
    if solver == "newton":
        return newton(constraints, tolerance, steps)
    if solver == "lbfgs":
        return lbfgs(constraints, tolerance, steps)
    return soft(constraints, tolerance, steps, l2, box)


def _automatic(constraints: ConstraintSet, tolerance: float, steps: int) -> Law:
    if constraints.is_decomposable:
        return closed_form_law(constraints)
    size = constraints.vocab_size, constraints.length
    if exceeds(*size, MAX_CELLS):
        try:
            return fit_banded(constraints, tolerance, steps)
        except ResourceError as error:
            raise ResourceError(f"{power(*size)} sequences are too many for a dense law, and {error}") from None
    if exceeds(*size, MAX_PROGRAM_CELLS):
        return fit(constraints, tolerance, steps)
    try:
        law = fit(constraints, tolerance, min(steps, SWEEPS_BEFORE_A_LOOK))
    except InfeasibleError as error:
        found = _looked_at(constraints)
        raise infeasible(constraints, found) if found and found.status == "infeasible" else error from None
    if law.status == "converged":
        return law
    found = _looked_at(constraints)
    if found and found.status == "infeasible":
        raise infeasible(constraints, found)
    best = law
    # on the support first; what lies so near the boundary that its own small probabilities were missed, on all of it
    for support in [found.support, None] if found and found.status == "boundary" else [None]:
        try:
            for law in _thorough(constraints, tolerance, steps, support):
                if law.status == "converged":
                    return law if support is None else law.with_report(status="boundary")
                best = min(best, law, key=lambda one: one.residual)
        except InfeasibleError:  # a small target whose sequences the support has lost
            if support is None:
                raise
    return best


def _with_boundary(constraints: ConstraintSet, law: Law) -> Law:
    """The law, called one of the boundary where every law with these marginals has further zeros: those that this one
    has not reached are as small as its error. Only for small V^n."""
    if constraints.is_decomposable or exceeds(constraints.vocab_size, constraints.length, MAX_PROGRAM_CELLS):
        return law
    least = float(law.probabilities[~constraints.structural_zeros].min())
    if least > max(NEAR_ZERO * law.residual, LEAST_SEEN):
        return law
    found = _looked_at(constraints)
    return law.with_report(status="boundary") if found and found.status == "boundary" else law


def _looked_at(constraints: ConstraintSet) -> Feasibility | None:
    """What linear programming says, if it says anything."""
    try:
        return feasibility(constraints)
    except UndefinedError:
        return None


def _thorough(
    constraints: ConstraintSet, tolerance: float, steps: int, support: NDArray[np.bool_] | None
) -> Iterator[Law]:
    """Fitting for as long as is allowed, then Newton's method where it fits, on a support."""
    if support is not None:
        support = support.reshape(constraints.grid.shape)
    yield fit(constraints, tolerance, steps, support)
    if fits_newton(constraints):
        yield newton(constraints, tolerance, ITERATIONS["newton"], support)


def _contradictory(
    constraints: ConstraintSet,
    solver: SolverName,
    tolerance: float,
    steps: int,
    l2: float,
    box: float | Sequence[Floats],
    on_failure: Literal["raise", "return"],
) -> Law:
    """Tables that disagree: `soft` has an answer, `ipf` ends in a cycle, and its law is that of the last table met."""
    if solver == "soft":
        law = soft(constraints, tolerance, steps, l2, box)
        if law.status == "soft" or on_failure == "return":
            return with_every_residual(constraints, law)
        raise _failure(constraints, law, tolerance)
    if solver == "ipf":
        return with_every_residual(constraints, fit(constraints, tolerance, steps)).with_report(status="inconsistent")
    worst = max(constraints.separator_audit, key=lambda one: one.largest)
    raise InfeasibleError(
        f"{constraints.name(worst.first)} and {constraints.name(worst.second)} disagree on the positions"
        f" {worst.positions} by {worst.largest:.3g}: no law has both; use the solver soft, or a policy",
        constraints=(worst.first, worst.second),
    )


def with_every_residual(constraints: ConstraintSet, law: Law) -> Law:
    """The law with the largest error of any table, those within others too: contradictory ones are not met by these."""
    nested = set(range(len(constraints.constraints))) - set(constraints.maximal)
    tables = [constraints.constraints[i] for i in sorted(nested)]
    errors = [float(np.abs(law.marginal(one.positions) - one.table).max()) for one in tables]
    return law.with_report(residual=max([law.residual, *errors]))


def infeasible(constraints: ConstraintSet, found: Feasibility) -> InfeasibleError:
    """The answer where a linear program has shown that no law exists."""
    names = " and ".join(constraints.name(i) for i in found.constraints)
    why = f"slack {found.slack:.3g} (some probability would have to be that small)"
    if found.slack == -np.inf:
        why = "the zeros of the tables leave too few sequences"
    return InfeasibleError(
        f"no law has these marginals: {why}; {names} cannot hold together, though without one of them the rest can;"
        " use the solver soft",
        constraints=found.constraints,
        slack=found.slack,
    )


def _failure(
    constraints: ConstraintSet, law: Law, tolerance: float, automatic: bool = False
) -> NotConvergedError | InfeasibleError:
    """Why a solver stopped short, as far as can be known."""
    said = (
        f"{law.solver}: residual {law.residual:.3g} after {law.iterations} iterations, tolerance {tolerance:.3g};"
        f" largest multiplier {law.largest_multiplier:.3g}, duality gap {law.duality_gap:.3g}"
    )
    if law.solver == "soft":
        return NotConvergedError(
            f"{said}; where the multipliers keep growing, no law lies within the box around the targets: widen it,"
            " or use l2",
            law,
        )
    if exceeds(constraints.vocab_size, constraints.length, MAX_PROGRAM_CELLS):
        return NotConvergedError(
            f"{said}; V^n is too large to tell whether the targets are feasible: mix them with the uniform law"
            " (`mixed`), use the solver soft, or allow more iterations",
            law,
        )
    found = _looked_at(constraints)
    if found is None:
        return NotConvergedError(f"{said}; linear programming could not tell whether the targets are feasible", law)
    if found.status == "infeasible":
        return infeasible(constraints, found)
    if found.status == "boundary" and automatic:
        return NotConvergedError(
            f"{said}; the targets lie so near the boundary (slack {found.slack:.3g}, where less than"
            f" {SLACK_TOLERANCE:g} cannot be told from 0) that it cannot be said whether any law has them exactly: mix"
            " them with the uniform law (`mixed`), allow a larger tolerance, or use the solver soft",
            law,
        )
    if found.status == "boundary":
        zeros = int(np.sum(~found.support & ~constraints.structural_zeros))
        return NotConvergedError(
            f"{said}; the targets lie on the boundary (slack 0): every law with them has {zeros} sequences of"
            " probability zero beside those that zeros of the tables exclude, and the multipliers are infinite; the"
            " solver auto answers on the rest",
            law,
        )
    return NotConvergedError(
        f"{said}; the targets are feasible (slack {found.slack:.3g}): allow more iterations or a larger tolerance, or"
        " use the solver newton",
        law,
    )
