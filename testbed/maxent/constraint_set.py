"""`ConstraintSet`: which marginals a law must have, and what can be said of them before anything is solved."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from testbed.core import ConfigError, ResourceError
from testbed.maxent.checks import exceeds, whole
from testbed.maxent.constraint import Constraint, Floats, Positions
from testbed.maxent.dense import DenseGrid, check_cells
from testbed.maxent.faces import bandwidth, complex_rank, faces, junction_tree, maximal, positions_of, shared_faces

if TYPE_CHECKING:
    from testbed.maxent.feasibility import Feasibility
    from testbed.maxent.law import Law

AGREEMENT = 1e-8
"""Two tables agree on what they share if no entry of their marginals differs by more."""

MAX_POSITION_BITS = 2**32
"""Sets of positions are bit masks as long as their last position: of all constraints together 512 MiB at most."""

SolverName = Literal["auto", "closed", "ipf", "newton", "lbfgs", "soft", "banded"]


@dataclass(frozen=True)
class Disagreement:
    """Two tables that differ on the positions they share.

    total_variation  half the sum of absolute differences
    largest          the largest of them
    """

    first: int
    second: int
    positions: Positions
    total_variation: float
    largest: float


@dataclass(frozen=True, eq=False)
class ConstraintSet:
    """The laws q of x_0 .. x_(n-1) with given marginals, q_c = mu_c for every constraint c.

    vocab_size          V >= 2
    length              n
    constraints         tables that agree on what they share, in any order; those within others are not solved for
    allow_disagreement  take tables that contradict each other; only the solvers `soft` and `ipf` then answer, and of a
                        table within another the larger one counts

    >>> import numpy as np
    >>> pair = np.array([[0.4, 0.1], [0.1, 0.4]])
    >>> chain = ConstraintSet(2, 3, [Constraint((0, 1), pair), Constraint((1, 2), pair)])
    >>> chain.rank, chain.is_decomposable, chain.solve().probabilities[0, 0, 0].round(6)
    (6, True, np.float64(0.32))

    Raises ConfigError that names the constraint for a table over another alphabet, positions out of range, a set of
    positions given twice with different tables, and tables that disagree on a shared face; ResourceError for positions
    so far out that sets of them could not be held.
    """

    vocab_size: int
    length: int
    constraints: tuple[Constraint, ...]
    allow_disagreement: bool = False

    def __init__(
        self, vocab_size: int, length: int, constraints: Iterable[Constraint], allow_disagreement: bool = False
    ) -> None:
        vocab_size, length = whole("vocab_size", vocab_size, 2), whole("length", length, 1)
        try:
            given = tuple(constraints)
        except TypeError:
            raise ConfigError(f"constraints: given {constraints!r}, must be a list of Constraint") from None
        for number, one in enumerate(given):
            if not isinstance(one, Constraint):
                raise ConfigError(f"constraints[{number}]: given a {type(one).__name__}, must be a Constraint")
            if one.vocab_size != vocab_size:
                raise ConfigError(
                    f"{_name(number, one)}: table of shape {one.table.shape}, but vocab_size is {vocab_size}"
                )
            if one.positions[-1] >= length:
                raise ConfigError(f"{_name(number, one)}: positions must lie in 0 .. {length - 1}")
        _check_reach(given)
        object.__setattr__(self, "vocab_size", vocab_size)
        object.__setattr__(self, "length", length)
        object.__setattr__(self, "constraints", given)
        object.__setattr__(self, "allow_disagreement", allow_disagreement)
        if not allow_disagreement and self.disagreement > AGREEMENT:
            worst = max(self.separator_audit, key=lambda one: one.largest)
            raise ConfigError(
                f"{self.name(worst.first)} and {self.name(worst.second)} disagree on the positions {worst.positions}"
                f" they share, by up to {worst.largest:.3g} (agreement: within {AGREEMENT:g}); make them"
                " marginals of one law, or set allow_disagreement and choose a policy"
            )

    def name(self, number: int) -> str:
        """How messages call a constraint."""
        return _name(number, self.constraints[number])

    # -- structure
    @cached_property
    def cliques(self) -> tuple[Positions, ...]:
        """The constraints' positions."""
        return tuple(one.positions for one in self.constraints)

    @cached_property
    def maximal(self) -> tuple[int, ...]:
        """Numbers of the constraints that no other contains: those that are solved for."""
        return maximal(self.cliques)

    @property
    def faces(self) -> list[Positions]:
        """Every set of positions within some clique, the empty one first."""
        return faces([self.cliques[i] for i in self.maximal])

    @property
    def n_cells(self) -> int:
        """Listed equations: entries of all tables."""
        return sum(one.table.size for one in self.constraints)

    @cached_property
    def rank(self) -> int:
        """Independent equations, normalisation included: sum over faces F of (V - 1)^|F|."""
        return complex_rank(self.cliques, self.vocab_size)

    def rank_on(self, support: NDArray[np.bool_] | None) -> int:
        """The rank of the equations for laws on a part of the sequences: by singular values for V^n up to 2^12, else
        `rank`, which it cannot exceed."""
        if support is None or not self.maximal or exceeds(self.vocab_size, self.length, 2**12):
            return self.rank
        symbols = np.indices((self.vocab_size,) * self.length).reshape(self.length, -1)[:, support.reshape(-1)]
        rows = []
        for i in self.maximal:
            shape = self.constraints[i].table.shape
            cell = np.ravel_multi_index([symbols[p] for p in self.cliques[i]], shape)
            rows.append(cell == np.arange(self.constraints[i].table.size)[:, None])
        return int(np.linalg.matrix_rank(np.concatenate(rows).astype(np.float64)))

    @cached_property
    def junction_tree(self) -> list[tuple[int, int, Positions]] | None:
        """(parent, child, separator) from the first constraint outwards, or None where the set is not decomposable."""
        links = junction_tree(self.cliques)
        return None if links is None else [(parent, child, positions_of(mask)) for parent, child, mask in links]

    @property
    def is_decomposable(self) -> bool:
        """The law then has a closed form, prod_C mu_C / prod_S mu_S."""
        return self.junction_tree is not None

    @cached_property
    def bandwidth(self) -> int:
        """The largest distance between positions of one constraint."""
        return bandwidth(self.cliques)

    @property
    def free_positions(self) -> Positions:
        """Positions in no constraint: uniform and independent in the answer."""
        covered = {position for clique in self.cliques for position in clique}
        return tuple(position for position in range(self.length) if position not in covered)

    # -- agreement
    @cached_property
    def separator_audit(self) -> tuple[Disagreement, ...]:
        """For every set of positions that two constraints share, those two that differ most there."""
        found = []
        for positions, holders in shared_faces(self.cliques):
            tables = np.array([self.constraints[i].marginal(positions).reshape(-1) for i in holders])
            # the two furthest apart in one entry
            cell = int(np.argmax(np.ptp(tables, axis=0)))
            low, high = int(np.argmin(tables[:, cell])), int(np.argmax(tables[:, cell]))
            difference = np.abs(tables[high] - tables[low])
            first, second = sorted((holders[low], holders[high]))
            found.append(Disagreement(first, second, positions, float(difference.sum() / 2), float(difference.max())))
        return tuple(found)

    @property
    def disagreement(self) -> float:
        """The largest difference between two tables on a face they share."""
        return max((one.largest for one in self.separator_audit), default=0.0)

    # -- dense view
    @cached_property
    def grid(self) -> DenseGrid:
        """The layout of the maximal constraints over the dense law; refused where V^n is too large."""
        return DenseGrid(self.vocab_size, self.length, tuple(self.cliques[i] for i in self.maximal))

    @cached_property
    def targets(self) -> Floats:
        """The maximal constraints' tables as one vector, in the grid's layout."""
        return self.grid.flatten([self.constraints[i].table for i in self.maximal])

    @cached_property
    def structural_zeros(self) -> NDArray[np.bool_]:
        """(V,) * n: the sequences to which some table gives probability zero."""
        check_cells(self.vocab_size, self.length)
        support = self.grid.support(self.targets) if self.maximal else None
        shape = (self.vocab_size,) * self.length
        return np.zeros(shape, dtype=np.bool_) if support is None else ~support.reshape(shape)

    def feasibility(self) -> "Feasibility":
        """Whether any law has these marginals, and how far inside they lie; by linear programming, for small V^n."""
        from testbed.maxent.feasibility import feasibility

        return feasibility(self)

    # -- answers
    def solve(
        self,
        solver: SolverName = "auto",
        *,
        tolerance: float | None = None,
        max_iterations: int | None = None,
        l2: float = 0.0,
        box: float | Sequence[Floats] = 0.0,
        on_failure: Literal["raise", "return"] = "raise",
    ) -> "Law":
        """The law of largest entropy among those with these marginals; see `testbed.maxent.solve`.

        solver          auto: closed form where decomposable, else ipf, else banded; or one by name
        tolerance       on the largest marginal error; 1e-12 (1e-8 for lbfgs)
        max_iterations  sweeps or steps
        l2, box         of the solver soft: weight of the squares, half-width of the box around each target
        on_failure      raise NotConvergedError, or return where the solver stood with status "not converged"

        Raises InfeasibleError where no law has these marginals, NotConvergedError, ResourceError.
        """
        from testbed.maxent.solve import solve

        return solve(self, solver, tolerance, max_iterations, l2, box, on_failure)

    def mixed(self, share: float) -> "ConstraintSet":
        """Every target mixed with the uniform law, (1 - e) mu + e / V^|c|: feasible targets become interior."""
        return ConstraintSet(
            self.vocab_size, self.length, [one.mixed(share) for one in self.constraints], self.allow_disagreement
        )

    def __repr__(self) -> str:
        return f"ConstraintSet(vocab_size={self.vocab_size}, length={self.length}, cliques={list(self.cliques)})"


def _check_reach(given: tuple[Constraint, ...]) -> None:
    """Refuse positions so far out that sets of them could not be held."""
    if sum(one.positions[-1] + 1 for one in given) > MAX_POSITION_BITS:
        far = max(range(len(given)), key=lambda i: given[i].positions[-1])
        raise ResourceError(
            f"{_name(far, given[far])}: the positions of constraints that reach so far ({len(given)} in all) take more"
            f" than {MAX_POSITION_BITS:.3g} bits; take a shorter length"
        )


def _name(number: int, constraint: Constraint) -> str:
    return f"constraints[{number}] on positions {constraint.positions}"
