"""Targets with a known answer, and what the solvers make of them."""

import itertools
from typing import Any

import numpy as np

from testbed.maxent import Constraint, ConstraintSet, InfeasibleError, Law, NotConvergedError, marginal_of
from testbed.maxent.constraint_set import SolverName
from testbed.studies.multipliers.config import Chain, Edge, Interior
from testbed.studies.multipliers.rate import Floats, measured_rate, predicted_rate

SOLVERS: tuple[SolverName, ...] = ("ipf", "newton", "lbfgs")
EDGE_SOLVERS: tuple[SolverName, ...] = (*SOLVERS, "auto")
OUTCOMES = ("converged", "boundary", "not converged", "infeasible", "silent")
"""What a solver said; silent: it said converged, and its law misses the targets."""
NEWTON_TOLERANCE = 1e-12
LBFGS_TOLERANCE = 1e-8


def all_pairs(law: Floats) -> ConstraintSet:
    """Every pair of positions, with the law's own marginals."""
    pairs = itertools.combinations(range(law.ndim), 2)
    return ConstraintSet(law.shape[0], law.ndim, [Constraint(pair, marginal_of(law, pair)) for pair in pairs])


def solved(
    constraints: ConstraintSet, solver: SolverName, tolerance: float, most: int
) -> tuple[dict[str, float], Law | None]:
    """What became of it, and the law: outcome, iterations, residual, multiplier, entropy (nan without a law)."""
    try:
        law = constraints.solve(solver, tolerance=tolerance, max_iterations=most)
        outcome: str = law.status
    except NotConvergedError as error:
        law, outcome = error.law, "not converged"
    except InfeasibleError:
        nothing = dict.fromkeys(("iterations", "residual", "multiplier", "entropy"), np.nan)
        return {"outcome": OUTCOMES.index("infeasible"), **nothing}, None
    missed = max(
        float(np.abs(law.marginal(one.positions) - one.table).max()) for one in constraints.constraints
    )  # by the law's own marginals, not by what the solver reports
    if outcome in ("converged", "boundary") and missed > 4 * tolerance:
        outcome = "silent"
    numbers = {
        "outcome": OUTCOMES.index(outcome),
        "iterations": law.iterations,
        "residual": missed,
        "multiplier": law.largest_multiplier,
        "entropy": law.entropy,
    }
    return numbers, law


def _table(rows: list[list[dict[str, float]]]) -> dict[str, Floats]:
    return {name: np.array([[one[name] for one in row] for row in rows]) for name in rows[0][0]}


def tolerance_of(solver: str, tolerance: float) -> float:
    """Newton and L-BFGS stop by their own default accuracy."""
    return {"newton": NEWTON_TOLERANCE, "lbfgs": LBFGS_TOLERANCE}.get(solver, tolerance)


def interior_arrays(settings: Interior, rng: np.random.Generator) -> dict[str, Floats]:
    """Arrays of one replicate, by concentration:

    outcome, iterations, residual, multiplier, entropy   (n_concentrations, n_solvers)
    predicted, measured       (n_concentrations,): rate of a sweep
    turn                      (n_concentrations,): angle of its eigenvalue
    least                     (n_concentrations,): the answer's smallest probability
    """
    size, length = settings.vocab_size, settings.length
    rows, rates = [], []
    for concentration in settings.concentrations:
        drawn = rng.dirichlet(np.full(size**length, concentration)) + 1e-12
        constraints = all_pairs((drawn / drawn.sum()).reshape((size,) * length))
        row, laws = [], []
        for solver in SOLVERS:
            most = settings.most_steps if solver in ("newton", "lbfgs") else settings.most_sweeps
            numbers, law = solved(constraints, solver, tolerance_of(solver, settings.tolerance), most)
            row.append(numbers)
            laws.append(law)
        rows.append(row)
        rates.append(_rates(constraints, laws[:2]))
    names = ("predicted", "turn", "measured", "least")
    return {**_table(rows), **dict(zip(names, np.array(rates).T, strict=True))}


def _rates(constraints: ConstraintSet, laws: list[Law | None]) -> tuple[float, float, float, float]:
    """Predicted rate and angle at the better of two laws, measured rate of the first, least probability."""
    found = [law for law in laws if law is not None]
    if laws[0] is None or not found:
        return np.nan, np.nan, np.nan, np.nan
    best = min(found, key=lambda law: law.residual).probabilities
    return *predicted_rate(constraints, best), measured_rate(laws[0].trace), float(best.min())


def edge_law(settings: Edge, rng: np.random.Generator) -> Floats:
    """(2, 2, 2): q, which lies on the boundary."""
    while True:
        drawn = rng.dirichlet(np.full(6, settings.concentration))
        if drawn.min() >= settings.least:
            return np.concatenate([[0.0], drawn, [0.0]]).reshape(2, 2, 2)


def edge_targets(law: Floats, slack: float) -> ConstraintSet:
    """The pairs of (1 - 8 s) q + s, a signed measure where s < 0."""
    mixed = (1.0 - 8.0 * slack) * law + slack
    return all_pairs(mixed)


def edge_arrays(settings: Edge, rng: np.random.Generator) -> dict[str, Floats]:
    """Arrays of one replicate, by slack:

    outcome, iterations, residual, multiplier, entropy   (n_slacks, n_solvers + 1); the last solver is auto
    slack           (n_slacks,): by linear programming
    least_table     (n_slacks,): smallest entry of a pair's table
    predicted, turn, measured   (n_inside,): rate of a sweep, and angle of its eigenvalue
    trace           (n_slacks, boundary_sweeps): residual after each sweep; the last one repeated where it ended
    growth          (n_slacks, 2): largest multiplier at an eighth of those sweeps and at all of them
    missed          (n_slacks,): error of auto's law on the boundary against the only law; else nan
    soft_residual, soft_multiplier  (n_slacks,)
    """
    base = edge_law(settings, rng)
    rows, columns = [], []
    traces, rates, growth = [], [], []
    for slack in settings.slacks:
        targets = edge_targets(base, slack)
        row = []
        automatic = None
        for solver in EDGE_SOLVERS:
            most = settings.most_steps if solver in ("newton", "lbfgs") else settings.most_sweeps
            numbers, law = solved(targets, solver, tolerance_of(solver, settings.tolerance), most)
            row.append(numbers)
            automatic = law
            if solver == "ipf" and slack > 0 and law is not None:
                rates.append((*predicted_rate(targets, law.probabilities), measured_rate(law.trace)))
        rows.append(row)
        followed, grown = _followed(targets, settings.boundary_sweeps)
        traces.append(followed)
        growth.append(grown)
        soft = targets.solve("soft", l2=settings.l2)
        missed = np.nan
        if slack == 0 and automatic is not None:
            missed = float(np.abs(automatic.probabilities - base).max())
        least = min(float(one.table.min()) for one in targets.constraints)
        columns.append((targets.feasibility().slack, least, missed, soft.residual, soft.largest_multiplier))
    slack, least_table, missed, residual, multiplier = np.array(columns).T
    predicted, turn, measured = np.array(rates).T
    return {
        **_table(rows),
        "slack": slack,
        "least_table": least_table,
        "predicted": predicted,
        "turn": turn,
        "measured": measured,
        "trace": np.array(traces),
        "growth": np.array(growth),
        "missed": missed,
        "soft_residual": residual,
        "soft_multiplier": multiplier,
    }


def _followed(targets: ConstraintSet, n_sweeps: int) -> tuple[Floats, tuple[float, float]]:
    """Residuals of n_sweeps sweeps, whatever becomes of them; it may end earlier, converged or stalled."""
    how: dict[str, Any] = {"tolerance": 1e-14, "on_failure": "return"}
    law = targets.solve("ipf", max_iterations=n_sweeps, **how)
    early = targets.solve("ipf", max_iterations=n_sweeps // 8, **how)
    trace = np.full(n_sweeps, law.trace[-1])
    trace[: len(law.trace)] = law.trace
    return trace, (early.largest_multiplier, law.largest_multiplier)


def chain_arrays(settings: Chain, rng: np.random.Generator) -> dict[str, Floats]:
    """Arrays of one replicate: residual after the first sweep, and change of the law by a second one, of neighbouring
    pairs and (the control) of all pairs of the same law; each (2,). `missed`: error of the closed form's tables."""
    size, length = settings.vocab_size, settings.length
    drawn = rng.dirichlet(np.full(size**length, settings.concentration)).reshape((size,) * length)
    every = all_pairs(drawn)
    near = ConstraintSet(size, length, [one for one in every.constraints if np.ptp(one.positions) == 1])
    first, change = [], []
    for constraints in (near, every):
        one, two = (constraints.solve("ipf", tolerance=1e-15, max_iterations=n, on_failure="return") for n in (1, 2))
        first.append(one.residual)
        change.append(float(np.abs(two.probabilities - one.probabilities).max()))
    return {"first": np.array(first), "change": np.array(change), "missed": np.array(near.solve("closed").residual)}
