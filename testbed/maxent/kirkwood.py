"""A Potts law without solving for it: Kirkwood's superposition of pair tables."""

import numpy as np

from testbed.core import ConfigError
from testbed.maxent.constraint_set import ConstraintSet
from testbed.maxent.inference import table_support
from testbed.maxent.law import DenseLaw, Law


def kirkwood_law(constraints: ConstraintSet) -> Law:
    """q(x) proportional to prod_i p_i(x_i) prod_(i,j) p_ij(x_i, x_j) / (p_i(x_i) p_j(x_j)), over the given pairs.

    Exact where the pairs form a forest; elsewhere it counts distant dependence twice (Kirkwood 1935). `residual` says
    by how much its marginals miss the tables, and the status is inconsistent where they are no forest. Raises
    ConfigError for constraints that are not pairs, or none, and InfeasibleError where their zeros leave no sequence.
    """
    for number, one in enumerate(constraints.constraints):
        if len(one.positions) != 2:
            raise ConfigError(f"{constraints.name(number)}: Kirkwood's product takes pairs only")
    if not constraints.constraints:
        raise ConfigError("constraints: given none; Kirkwood's product takes pairs")
    table_support(constraints)
    grid = constraints.grid
    singles: dict[int, np.ndarray] = {}
    tables = []
    with np.errstate(divide="ignore", invalid="ignore"):
        for i in constraints.maximal:
            one = constraints.constraints[i]
            a, b = (one.marginal((p,)) for p in one.positions)
            logs = np.where(one.table > 0, np.log(one.table) - np.log(a)[:, None] - np.log(b), -np.inf)
            for axis, (p, single) in enumerate(zip(one.positions, (a, b), strict=True)):
                if p not in singles:  # each position's own law once
                    singles[p] = single
                    logs = logs + np.expand_dims(np.where(single > 0, np.log(single), -np.inf), 1 - axis)
            tables.append(logs)
    law, _ = grid.family_law(grid.flatten(tables), None)
    residual = float(np.abs(grid.marginals(law) - constraints.targets).max())
    return DenseLaw(
        vocab_size=constraints.vocab_size,
        length=constraints.length,
        dense=law,
        solver="kirkwood",
        residual=residual,
        rank=constraints.rank,
        status="inconsistent" if not constraints.is_decomposable else "converged",
    )
