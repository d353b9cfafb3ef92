"""What to do with tables that contradict each other, as those of a model that isn't stationary do.

autoregressive  the first table, then every table's conditional given what it shares with those before: always a law
                (sequences that reach a context of which the next table knows nothing are left out)
backward        the same from the last table
reconciled      every separator replaced by the geometric mean of what all tables that have it say; symmetric
soft            the soft dual with weight l2
ipf             proportional fitting, which ends in a cycle: the law of the table it met last, and depends on the order

On two tables the distance in total variation between autoregressive and backward is that of their separators. Where the
tables agree all but `soft` give the law of largest entropy. The first three need a decomposable set.
"""

from collections.abc import Iterable
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from testbed.core import ConfigError, did_you_mean
from testbed.maxent.checks import whole
from testbed.maxent.closed_form import closed_form_law, law_of_log_tables, log_conditionals
from testbed.maxent.constraint import Floats
from testbed.maxent.constraint_set import AGREEMENT, ConstraintSet, SolverName
from testbed.maxent.law import Law
from testbed.maxent.solve import with_every_residual

Policy = Literal["autoregressive", "backward", "reconciled", "soft", "ipf"]
POLICIES: tuple[str, ...] = get_args(Policy)
SWEEPS_OF_A_CYCLE = 2000


def solve_with_policy(
    constraints: ConstraintSet, policy: Policy = "autoregressive", *, solver: SolverName = "auto", l2: float = 1e-3
) -> Law:
    """The law that a policy makes of the tables; of largest entropy where they agree (save for `soft`).

    Raises ConfigError where the policy needs a decomposable set and this is none.
    """
    if policy not in POLICIES:
        raise ConfigError(f"policy: given {policy!r}; {did_you_mean(str(policy), POLICIES)}")
    if policy == "soft" or solver == "soft":
        return constraints.solve("soft", l2=l2)
    if constraints.disagreement <= AGREEMENT:
        return constraints.solve(solver)
    if policy == "ipf":
        return constraints.solve("ipf", max_iterations=SWEEPS_OF_A_CYCLE)
    if not constraints.is_decomposable:
        worst = max(constraints.separator_audit, key=lambda one: one.largest)
        raise ConfigError(
            f"policy: {policy} needs a decomposable set; {constraints.name(worst.first)} and"
            f" {constraints.name(worst.second)} disagree by {worst.largest:.3g}, use soft or ipf"
        )
    if policy == "backward":
        constraints = ConstraintSet(
            constraints.vocab_size, constraints.length, constraints.constraints[::-1], allow_disagreement=True
        )
    law = _reconciled(constraints) if policy == "reconciled" else closed_form_law(constraints)
    return with_every_residual(constraints, law).with_report(status="inconsistent")


def _reconciled(constraints: ConstraintSet) -> Law:
    """q proportional to prod_C mu_C / prod_S m_S, with m_S the geometric mean of all tables' own laws of separator S.

    For two tables that is their rescaling to the normalised geometric mean of the separators. Which table is whose
    neighbour in the junction tree does not matter, since separators are the same in all of them.
    """
    assert constraints.junction_tree is not None
    tables = dict(zip(constraints.maximal, log_conditionals(constraints), strict=True))
    for _, child, separator in constraints.junction_tree:
        if separator:
            holders = [i for i in constraints.maximal if set(separator) <= set(constraints.cliques[i])]
            laws = np.array([constraints.constraints[i].marginal(separator) for i in holders])
            own = constraints.constraints[child].marginal(separator)
            shape = [constraints.vocab_size if p in separator else 1 for p in constraints.cliques[child]]
            with np.errstate(divide="ignore", invalid="ignore"):
                change = np.where((laws > 0).all(axis=0), np.log(own) - np.log(laws).mean(axis=0), 0.0)
            tables[child] = tables[child] + change.reshape(shape)
    return law_of_log_tables(constraints, [tables[i] for i in constraints.maximal])


def count_boxes(constraints: ConstraintSet, n: int) -> list[Floats]:
    """Half-widths for `solve("soft", box=...)` with tables counted in n independent sequences: one standard error of
    each cell, sqrt(mu (1 - mu) / n), and at least 1 / n, so that no cell is held to zero."""
    n = whole("n", n, 1)
    return [np.maximum(np.sqrt(one.table * (1 - one.table) / n), 1 / n) for one in constraints.constraints]


def choose_l2(
    constraints: ConstraintSet, held_out: NDArray[np.integer[Any]], weights: Iterable[float]
) -> tuple[float, dict[float, float]]:
    """The weight of the soft dual with the least cross-entropy on held-out sequences (N, n), and all of those, nats."""
    losses = {
        float(l2): float(-constraints.solve("soft", l2=l2).log_probs(held_out).sum(axis=1).mean()) for l2 in weights
    }
    if not losses:
        raise ConfigError("weights: at least one is needed")
    return min(losses, key=losses.__getitem__), losses
