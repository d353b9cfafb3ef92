"""Whether any law has the given marginals, by linear programming over all V^n sequences (small ones).

    slack = max t  such that  A q = mu,  q(x) >= t          over the sequences that no zero of a table excludes

above 0: some law has full support there, the multipliers are finite; 0: every such law has further zeros, the
multipliers of the full problem are infinite, but the law of largest entropy exists and lives on the rest; below 0: no
law has them.
Tables that are all positive, and agree on every face, can still be on the boundary or outside.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from testbed.core import UndefinedError
from testbed.maxent.constraint import Floats
from testbed.maxent.constraint_set import AGREEMENT, ConstraintSet
from testbed.maxent.dense import check_cells

if TYPE_CHECKING:
    from scipy.optimize import OptimizeResult
    from scipy.sparse import csr_array

MAX_PROGRAM_CELLS = 2**13
SLACK_TOLERANCE = 1e-9
"""A slack this close to 0 counts as 0: the solver's own accuracy."""
SCALES = (1e7, 1e5, 1e3, 1e1)
"""Zeros are found on a multiple of the law this large: probabilities below about 1e-11 count as zero. The smaller
multiples are for tables that agree only roughly."""
SEEN = 1e-4
"""What an entry of the multiple must exceed to count."""


PRICED = 1e-9
"""A dual price above this is not zero."""


@dataclass(frozen=True, eq=False)
class Feasibility:
    """interior, boundary or infeasible.

    slack        see above; negative: how far outside, -inf where the zeros of the tables leave nothing to give
    support      (V,) * n bool: sequences to which some law with these marginals gives probability
    constraints  if infeasible, numbers of constraints that contradict each other: without one of them the rest agree
    """

    status: Literal["interior", "boundary", "infeasible"]
    slack: float
    support: NDArray[np.bool_]
    constraints: tuple[int, ...] = ()


def feasibility(constraints: ConstraintSet) -> Feasibility:
    """The linear programs: slack; where it is 0, the support; where it is negative, which constraints clash.

    Tables that disagree beyond AGREEMENT are infeasible, whatever the slack of the largest of them.
    Raises ResourceError for V^n above 2^13, UndefinedError where the solver gives no answer.
    """
    check_cells(constraints.vocab_size, constraints.length, MAX_PROGRAM_CELLS, "a linear program")
    shape = (constraints.vocab_size,) * constraints.length
    open_cells = ~constraints.structural_zeros.reshape(-1)
    if not constraints.maximal:
        return Feasibility("interior", float(open_cells.size) ** -1, open_cells.reshape(shape))
    matrix, targets = _equations(constraints, constraints.maximal)
    slack, prices = _slack(matrix[:, open_cells], targets)
    if constraints.disagreement > AGREEMENT:
        worst = max(constraints.separator_audit, key=lambda one: one.largest)
        clash = (worst.first, worst.second)
        return Feasibility("infeasible", min(slack, -worst.largest), np.zeros(shape, dtype=np.bool_), clash)
    if slack < -SLACK_TOLERANCE:
        return Feasibility("infeasible", slack, np.zeros(shape, dtype=np.bool_), _clashing(constraints, prices))
    support = open_cells.copy()
    if slack <= SLACK_TOLERANCE:
        support[open_cells] = _largest_support(matrix[:, open_cells], targets)
    boundary = bool(support.sum() < open_cells.sum())
    return Feasibility("boundary" if boundary else "interior", max(slack, 0.0), support.reshape(shape))


def _equations(constraints: ConstraintSet, numbers: tuple[int, ...]) -> "tuple[csr_array, Floats]":
    """A (cells of these constraints, V^n) of zeros and ones, and the targets."""
    from scipy.sparse import csr_array, vstack

    symbols = np.indices((constraints.vocab_size,) * constraints.length).reshape(constraints.length, -1)
    n = symbols.shape[1]
    rows, targets = [], []
    for number in numbers:
        one = constraints.constraints[number]
        cell = np.ravel_multi_index([symbols[p] for p in one.positions], one.table.shape)
        rows.append(csr_array((np.ones(n), (cell, np.arange(n))), shape=(one.table.size, n)))
        targets.append(one.table.reshape(-1))
    return csr_array(vstack(rows)), np.concatenate(targets)


def _slack(matrix: "csr_array", targets: Floats) -> tuple[float, Floats]:
    """max t with A q = mu, q >= t, and what each equation costs; -inf and ones where even signed measures on the open
    sequences have not these marginals."""
    from scipy.optimize import linprog
    from scipy.sparse import csr_array, hstack

    nothing = -np.inf, np.ones(len(targets))
    if matrix.shape[1] == 0:
        return nothing
    # q = t + r with r >= 0
    columns = hstack([matrix, csr_array(matrix.sum(axis=1).reshape(-1, 1))])
    cost = np.zeros(columns.shape[1])
    cost[-1] = -1.0
    bounds = [(0.0, None)] * matrix.shape[1] + [(None, None)]
    found = _answered(linprog(cost, A_eq=columns, b_eq=targets, bounds=bounds, method="highs"))
    return (float(-found.fun), np.abs(found.eqlin.marginals)) if found.status == 0 else nothing


def _largest_support(matrix: "csr_array", targets: Floats) -> NDArray[np.bool_]:
    """Where some law with these marginals has probability.

    max sum s over the sequences not yet seen, with A q = scale mu, q >= s, 0 <= s <= 1; until none more is seen: one
    program alone could leave a small probability out for the sake of others. The targets stand on the right-hand side,
    since solvers drop matrix entries below about 1e-9.
    """
    from scipy.optimize import linprog
    from scipy.sparse import csr_array, hstack

    for scale in SCALES:
        seen = np.zeros(matrix.shape[1], dtype=np.bool_)
        while not seen.all():
            unseen = np.flatnonzero(~seen)
            columns = csr_array(hstack([matrix, matrix[:, unseen]]))  # q = r, and s more where not yet seen
            cost = np.concatenate([np.zeros(len(seen)), -np.ones(len(unseen))])
            bounds = [(0.0, None)] * len(seen) + [(0.0, 1.0)] * len(unseen)
            found = linprog(cost, A_eq=columns, b_eq=scale * targets, bounds=bounds, method="highs")
            if found.status != 0:
                break
            law = found.x[: len(seen)].copy()
            law[unseen] += found.x[len(seen) :]
            fresh = (law > SEEN) & ~seen
            seen |= fresh
            if not fresh[unseen].any():
                return seen
        if seen.all():
            return seen
    raise UndefinedError(f"feasibility: the linear program for the support was not answered: {found.message}")


def _clashing(constraints: ConstraintSet, prices: Floats) -> tuple[int, ...]:
    """Constraints of which none can be left out: each is dropped in turn, and kept out if the rest still clash.

    Equations without a price do not bound the slack, so that the others clash already (duality): a shorter list.
    """
    sizes = [constraints.constraints[i].table.size for i in constraints.maximal]
    parts = np.split(prices, np.cumsum(sizes)[:-1])
    kept = tuple(i for i, part in zip(constraints.maximal, parts, strict=True) if part.max() > PRICED)
    if not kept or _has_law(constraints, kept):
        kept = tuple(constraints.maximal)
    for number in kept:
        rest = tuple(one for one in kept if one != number)
        if rest and not _has_law(constraints, rest):
            kept = rest
    return kept


def _has_law(constraints: ConstraintSet, numbers: tuple[int, ...]) -> bool:
    from scipy.optimize import linprog

    matrix, targets = _equations(constraints, numbers)
    found = _answered(linprog(np.zeros(matrix.shape[1]), A_eq=matrix, b_eq=targets, method="highs"))
    return bool(found.status == 0)


def _answered(found: "OptimizeResult") -> "OptimizeResult":
    """The result, if it is an optimum or a proof that there is none."""
    if found.status not in (0, 2):
        raise UndefinedError(f"feasibility: the linear program was not answered: {found.message}")
    return found
