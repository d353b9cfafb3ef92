"""Decomposable sets: the answer without iteration.

    q*(x) = prod_C mu_C(x_C) / prod_S mu_S(x_S)        cliques C and separators S of a junction tree

(Lauritzen 1996, sec. 4.4). Read from the root outwards it is mu_root times the conditionals mu_C(x_C | x_S), which is
how it is computed; positions in no constraint are uniform.
"""

from typing import Any

import numpy as np

from testbed.maxent.checks import exceeds
from testbed.maxent.constraint import Floats
from testbed.maxent.constraint_set import ConstraintSet
from testbed.maxent.dense import MAX_CELLS, entropy
from testbed.maxent.errors import InfeasibleError
from testbed.maxent.inference import BandInference
from testbed.maxent.law import ChainLaw, DenseLaw, Law


def log_conditionals(constraints: ConstraintSet) -> list[Floats]:
    """ln mu_C(x_C | x_S) of every maximal constraint, ln mu_C for those without a separator; -inf where zero."""
    assert constraints.junction_tree is not None
    separators = {child: separator for _, child, separator in constraints.junction_tree}
    tables = []
    for number in constraints.maximal:
        constraint = constraints.constraints[number]
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = np.log(constraint.table)
            separator = separators.get(number, ())
            if separator:
                shape = [constraint.vocab_size if p in separator else 1 for p in constraint.positions]
                logs = np.where(logs > -np.inf, logs - np.log(constraint.marginal(separator)).reshape(shape), -np.inf)
        tables.append(logs)
    return tables


def closed_form_law(constraints: ConstraintSet) -> Law:
    """The law of a decomposable set: dense where V^n fits, else a chain.

    From tables that contradict each other it makes mu_root prod mu_C(x_C | x_S), each with its own table: a law still.
    Raises ResourceError where neither a dense law nor a chain fits.
    """
    return law_of_log_tables(constraints, log_conditionals(constraints))


def law_of_log_tables(constraints: ConstraintSet, tables: list[Floats]) -> Law:
    """q(x) proportional to exp(sum of the maximal constraints' tables), in one pass."""
    report: dict[str, Any] = {
        "vocab_size": constraints.vocab_size,
        "length": constraints.length,
        "solver": "closed",
        "rank": constraints.rank,
    }
    if not exceeds(constraints.vocab_size, constraints.length, MAX_CELLS):
        dense = _dense(constraints, tables)
        residual = 0.0
        if constraints.maximal:
            residual = float(np.abs(constraints.grid.marginals(dense) - constraints.targets).max())
        return DenseLaw(dense=dense, residual=residual, **report)
    band = BandInference(constraints)
    factors = band.grid.log_factors(band.flatten(tables))
    log_partition, marginals = band.grid.log_partition_and_marginals(factors)
    if log_partition == -np.inf:
        raise _excluded(constraints)
    residual = float(np.abs(marginals - band.targets).max(initial=0.0))
    return ChainLaw(kernels=band.grid.kernels(factors), residual=residual, **report)


def _dense(constraints: ConstraintSet, tables: list[Floats]) -> Floats:
    if not constraints.maximal:
        return np.full(constraints.vocab_size**constraints.length, float(constraints.vocab_size) ** -constraints.length)
    law = np.zeros(constraints.grid.shape)
    constraints.grid.add_tables(law, constraints.grid.flatten(tables))
    largest = law.max()
    if largest == -np.inf:
        raise _excluded(constraints)
    law -= largest
    np.exp(law, out=law)
    law /= law.sum()
    return law


def _excluded(constraints: ConstraintSet) -> InfeasibleError:
    return InfeasibleError(
        f"the zeros of the tables of {constraints!r} exclude every sequence; no law has these marginals",
        constraints=constraints.maximal,
    )


def closed_form_entropy(constraints: ConstraintSet) -> float:
    """H(q*) = sum_C H(mu_C) - sum_S H(mu_S) + (free positions) ln V, nats: no sum over sequences at any length."""
    if constraints.junction_tree is None:
        raise ValueError(f"{constraints!r} is not decomposable: its law has no closed form")
    total = len(constraints.free_positions) * float(np.log(constraints.vocab_size))
    total += sum(entropy(constraints.constraints[i].table) for i in constraints.maximal)
    for _, child, separator in constraints.junction_tree:
        if separator:
            total -= entropy(constraints.constraints[child].marginal(separator))
    return total
