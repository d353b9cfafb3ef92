"""The two ways to sum over all sequences, behind one face: what a solver of the dual needs.

For a vector lam of all tables,  q(x) = exp(sum_c lam_c(x_c)) / Z  on the support, and

    D(lam) = ln Z - sum_c <lam_c, mu_c>,     dD / dlam_c(x_c) = q_c(x_c) - mu_c(x_c),     min D = H(q*)

(Cover & Thomas 2006, sec. 12.1; Wainwright & Jordan 2008, sec. 3). Where a target is zero so is every answer: those
sequences are left out of the support, and their entries of lam stay 0.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from testbed.core import ResourceError
from testbed.maxent.band import BandGrid
from testbed.maxent.constraint import Floats
from testbed.maxent.constraint_set import ConstraintSet
from testbed.maxent.dense import DenseGrid
from testbed.maxent.errors import InfeasibleError
from testbed.maxent.faces import span
from testbed.maxent.law import ChainLaw, DenseLaw, Law


def table_support(constraints: ConstraintSet) -> NDArray[np.bool_] | None:
    """(H, L): the sequences that no zero of a table excludes; None: all of them. InfeasibleError if none is left."""
    support = constraints.grid.support(constraints.targets)
    if support is not None and not support.any():
        raise InfeasibleError(
            f"the zeros of the tables of {constraints!r} exclude every sequence; no law has these marginals",
            constraints=constraints.maximal,
        )
    return support


class Inference(Protocol):
    """Sums over all sequences for one constraint set."""

    @property
    def targets(self) -> Floats:
        """(n_cells,): the tables to be met, behind each other."""

    def log_partition_and_marginals(self, multipliers: Floats) -> tuple[float, Floats]:
        """ln Z and the marginals (n_cells,)."""

    def law(self, multipliers: Floats, **report: Any) -> Law:
        """The law of these multipliers."""

    def flatten(self, tables: Sequence[Floats]) -> Floats:
        """One table a maximal constraint, as a vector."""

    def unflatten(self, vector: Floats) -> tuple[Floats, ...]:
        """A vector as one table a maximal constraint."""


@dataclass(frozen=True, eq=False)
class DenseInference:
    """Over the array of all V^n sequences.

    support  (V^n,) or None: sequences that may have probability; None: all of them
    """

    constraints: ConstraintSet
    support: NDArray[np.bool_] | None = None

    @property
    def grid(self) -> DenseGrid:
        return self.constraints.grid

    @property
    def targets(self) -> Floats:
        return self.constraints.targets

    def flatten(self, tables: Sequence[Floats]) -> Floats:
        return self.grid.flatten(tables)

    def unflatten(self, vector: Floats) -> tuple[Floats, ...]:
        return self.grid.unflatten(vector)

    def log_partition_and_marginals(self, multipliers: Floats) -> tuple[float, Floats]:
        law, log_partition = self.grid.family_law(multipliers, self.support)
        return log_partition, self.grid.marginals(law)

    def law(self, multipliers: Floats, **report: Any) -> Law:
        law, _ = self.grid.family_law(multipliers, self.support)
        return DenseLaw(
            vocab_size=self.grid.vocab_size,
            length=self.grid.length,
            dense=law,
            **described(self, self.grid.marginals(law), multipliers),
            **report,
        )


@dataclass(frozen=True, eq=False)
class BandInference:
    """By forward-backward, linear in the length.

    hard_zeros  whether targets of zero take their sequences out of the support
    """

    constraints: ConstraintSet
    hard_zeros: bool = True

    @cached_property
    def grid(self) -> BandGrid:
        given = self.constraints
        try:
            return BandGrid(given.vocab_size, given.length, tuple(given.cliques[i] for i in given.maximal))
        except ResourceError as error:
            if not given.maximal:
                raise
            widest = max(given.maximal, key=lambda i: span(given.cliques[i]))
            raise ResourceError(
                f"{given.name(widest)}, {span(given.cliques[widest])} apart, is the widest: {error}"
            ) from None

    @cached_property
    def targets(self) -> Floats:
        given = self.constraints
        return self.grid.flatten([given.constraints[i].table for i in given.maximal])

    def flatten(self, tables: Sequence[Floats]) -> Floats:
        return self.grid.flatten(tables)

    def unflatten(self, vector: Floats) -> tuple[Floats, ...]:
        return self.grid.unflatten(vector)

    def log_factors(self, multipliers: Floats) -> Floats:
        """The windows' factors, -inf outside the support."""
        zero = self.hard_zeros & (self.targets == 0)
        return self.grid.log_factors(np.where(zero, -np.inf, multipliers))

    def log_partition_and_marginals(self, multipliers: Floats) -> tuple[float, Floats]:
        return self.grid.log_partition_and_marginals(self.log_factors(multipliers))

    def law(self, multipliers: Floats, **report: Any) -> Law:
        factors = self.log_factors(multipliers)
        _, marginals = self.grid.log_partition_and_marginals(factors)
        return ChainLaw(
            vocab_size=self.grid.vocab_size,
            length=self.grid.length,
            kernels=self.grid.kernels(factors),
            **described(self, marginals, multipliers),
            **report,
        )


def described(inference: Inference, marginals: Floats, multipliers: Floats) -> dict[str, Any]:
    """residual, duality gap, largest multiplier and the multipliers by table, for a law's report."""
    error = marginals - inference.targets
    tables = inference.unflatten(multipliers)
    return {
        "residual": float(np.abs(error).max(initial=0.0)),
        "duality_gap": float(abs(multipliers @ error)),
        "largest_multiplier": max((float(np.abs(table - table.mean()).max()) for table in tables), default=0.0),
        "multipliers": tables,
    }


def dual(inference: Inference) -> Callable[[Floats], tuple[float, Floats]]:
    """lam -> D(lam) and its gradient q_c - mu_c."""
    targets = inference.targets

    def value_and_gradient(multipliers: Floats) -> tuple[float, Floats]:
        log_partition, marginals = inference.log_partition_and_marginals(multipliers)
        return log_partition - float(multipliers @ targets), marginals - targets

    return value_and_gradient
