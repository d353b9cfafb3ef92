"""Newton's method on the dual, in the reference-cell basis.

Features are the indicators 1(x_F = a) for faces F and symbols a other than 0: as many as the rank, less one for the
normalisation, so that the Hessian Cov(f) is regular on a full support. Quadratic convergence; r^2 V^n for a step.
"""

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from testbed.core import ResourceError
from testbed.maxent.checks import exceeds
from testbed.maxent.constraint import Floats, Positions
from testbed.maxent.constraint_set import ConstraintSet
from testbed.maxent.inference import DenseInference, table_support
from testbed.maxent.law import Law

MAX_FEATURE_ENTRIES = 2**26
"""The most entries of the feature matrix, V^n times the rank (512 MiB)."""


def fits_newton(constraints: ConstraintSet) -> bool:
    """Whether the feature matrix has a reasonable size."""
    return not exceeds(constraints.vocab_size, constraints.length, MAX_FEATURE_ENTRIES // constraints.rank)


def newton(
    constraints: ConstraintSet, tolerance: float, max_steps: int, support: NDArray[np.bool_] | None = None
) -> Law:
    """The law by damped Newton steps; on a smaller support, dependent features are left to the least-norm solution.

    Raises ResourceError where V^n times the rank is above the limit.
    """
    if not fits_newton(constraints):
        raise ResourceError(
            f"newton: V^n times the rank {constraints.rank} is over the limit of {MAX_FEATURE_ENTRIES:.3g}; use ipf"
        )
    if support is None:
        support = table_support(constraints)
    inference = DenseInference(constraints, support)
    features, moments, owners = _features(constraints)
    if support is not None:
        features = features[support.reshape(-1)]
    parameters = np.zeros(features.shape[1])
    law, value = _law_and_dual(features, parameters, moments)
    trace = [float(np.abs(law @ features - moments).max(initial=0.0))]
    while trace[-1] > tolerance / 4 and len(trace) <= max_steps:  # an entry of a table adds up several moments
        step = _direction(features, law, moments)
        size = 1.0
        while True:
            new_law, new_value = _law_and_dual(features, parameters + size * step, moments)
            residual = float(np.abs(new_law @ features - moments).max())
            if new_value < value or residual < trace[-1] or size < 1e-10:
                break
            size /= 2
        if size < 1e-10:
            break
        parameters, law, value = parameters + size * step, new_law, new_value
        trace.append(residual)
    multipliers = _as_tables(constraints, parameters, owners)
    found = inference.law(
        multipliers,
        solver="newton",
        iterations=len(trace) - 1,
        trace=np.array(trace[1:]),
        rank=constraints.rank_on(support),
    )
    return found.with_report(status="converged" if found.residual <= tolerance else "not converged")


def _law_and_dual(features: Floats, parameters: Floats, moments: Floats) -> tuple[Floats, float]:
    logs = features @ parameters
    largest = logs.max()
    law = np.exp(logs - largest)
    total = law.sum()
    return law / total, float(largest + np.log(total) - parameters @ moments)


def _direction(features: Floats, law: Floats, moments: Floats) -> Floats:
    """- Cov(f)^+ (E f - moments)."""
    from scipy.linalg import LinAlgError, cho_factor, cho_solve

    means = law @ features
    centred = features - means
    hessian = (centred * law[:, None]).T @ centred
    try:
        return cho_solve(cho_factor(hessian), moments - means)
    except LinAlgError:
        return np.asarray(np.linalg.lstsq(hessian, moments - means, rcond=1e-13)[0], dtype=np.float64)


def _features(constraints: ConstraintSet) -> tuple[Floats, Floats, list[tuple[int, Positions, tuple[int, ...]]]]:
    """(V^n, r - 1) indicators, their target means, and for each its constraint, face and symbols."""
    vocab_size, length = constraints.vocab_size, constraints.length
    symbols = np.indices((vocab_size,) * length).reshape(length, -1)
    columns, moments, owners = [], [], []
    for owner, face in _owned_faces(constraints):
        marginal = constraints.constraints[owner].marginal(face)
        for values in itertools.product(range(1, vocab_size), repeat=len(face)):
            columns.append(np.all([symbols[p] == v for p, v in zip(face, values, strict=True)], axis=0))
            moments.append(marginal[values])
            owners.append((owner, face, values))
    return np.array(columns, dtype=np.float64).reshape(len(columns), -1).T.copy(), np.array(moments), owners


def _owned_faces(constraints: ConstraintSet) -> Iterator[tuple[int, Positions]]:
    """Each non-empty face once, with the first maximal constraint that has it."""
    seen: set[Positions] = set()
    for number in constraints.maximal:
        clique = constraints.cliques[number]
        for size in range(1, len(clique) + 1):
            for face in itertools.combinations(clique, size):
                if face not in seen:
                    seen.add(face)
                    yield number, face


def _as_tables(
    constraints: ConstraintSet, parameters: Floats, owners: list[tuple[int, Positions, tuple[int, ...]]]
) -> Floats:
    """The parameters of faces, added up in the tables of the constraints that own them."""
    tables = {number: np.zeros(constraints.constraints[number].table.shape) for number in constraints.maximal}
    for value, (owner, face, values) in zip(parameters, owners, strict=True):
        chosen = dict(zip(face, values, strict=True))
        cell = tuple(chosen.get(p, slice(None)) for p in constraints.cliques[owner])
        tables[owner][cell] += value
    return constraints.grid.flatten([tables[number] for number in constraints.maximal])
