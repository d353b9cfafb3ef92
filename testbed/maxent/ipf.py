"""Iterative proportional fitting: q <- q mu_c / q_c, table after table (Deming & Stephan 1940; Csiszar 1975).

One sweep suffices on a decomposable set in junction order; else the error falls geometrically where the targets are
interior, like 1 / sweeps on the boundary, and the law ends in a cycle where the tables contradict each other. The
logarithms of all factors are kept; every so often, and at the end, the law is computed from them again, so that nothing
has underflowed for good.
"""

import numpy as np
from numpy.typing import NDArray

from testbed.core import ConfigError
from testbed.maxent.constraint import Floats
from testbed.maxent.constraint_set import ConstraintSet
from testbed.maxent.errors import InfeasibleError
from testbed.maxent.inference import BandInference, DenseInference, table_support
from testbed.maxent.law import Law

SWEEPS_AT_ONCE = 256
"""Sweeps between two looks at the progress."""
STALLED = 0.999
"""A residual that kept more than this share over all of those sweeps is taken to have stopped falling."""


def fit(constraints: ConstraintSet, tolerance: float, max_sweeps: int, support: NDArray[np.bool_] | None = None) -> Law:
    """Proportional fitting over the dense law, from the uniform law on the support.

    Raises InfeasibleError where a target is positive on which no sequence of the support is left.
    """
    from testbed.maxent._kernels.dense import fit_sweeps

    grid, targets = constraints.grid, constraints.targets
    inference = DenseInference(constraints, table_support(constraints) if support is None else support)
    multipliers = np.zeros(grid.n_cells)
    factors, sums, marginals = grid.buffer(), grid.buffer(), np.empty(grid.n_cells)
    progress = _Progress(tolerance, max_sweeps)
    rank = constraints.rank_on(inference.support)
    while True:
        law, _ = grid.family_law(multipliers, inference.support)
        residuals = np.empty(progress.next_sweeps)
        made, impossible = fit_sweeps(
            law, *grid.layout, grid.offset, targets, multipliers, progress.goal, residuals, factors, sums, marginals
        )
        del law  # it is laid out anew, from the multipliers
        _refuse(constraints, None if impossible < 0 else constraints.maximal[impossible])
        progress.add(residuals[:made])
        if progress.ended:
            found = progress.judged(inference.law(multipliers, solver="ipf", rank=rank))
            if progress.ended:
                return found


def fit_banded(constraints: ConstraintSet, tolerance: float, max_sweeps: int) -> Law:
    """Proportional fitting by forward-backward: a sweep meets every table on the way forwards and on the way back.

    Time and memory O(n V^(w+1)) a sweep. Raises InfeasibleError as `fit` does.
    """
    from testbed.maxent._kernels.band import fit_band

    inference = BandInference(constraints)
    grid = inference.grid
    multipliers = np.zeros(grid.n_cells)
    index, pattern, _ = grid.layout
    progress = _Progress(tolerance, max_sweeps)
    forward, backward = grid.new_messages()
    while True:
        residuals = np.empty(progress.next_sweeps)
        made, impossible = fit_band(
            inference.log_factors(multipliers),
            grid.vocab_size,
            index,
            pattern,
            grid.first_clique,
            grid.offset,
            inference.targets,
            multipliers,
            progress.goal,
            residuals,
            forward,
            backward,
        )
        _refuse(constraints, None if impossible < 0 else constraints.maximal[grid.order[impossible]])
        progress.add(residuals[:made])
        if progress.ended:
            found = progress.judged(inference.law(multipliers, solver="banded", rank=constraints.rank))
            if progress.ended:
                return found


class _Progress:
    """Residuals so far, and whether to go on.

    A sweep sees the error of a table before it is met, while later tables disturb it again: the finished law decides.
    """

    def __init__(self, tolerance: float, max_sweeps: int) -> None:
        if max_sweeps < 1:
            raise ConfigError(f"max_iterations: given {max_sweeps}, must be at least 1")
        self.tolerance, self.max_sweeps = tolerance, max_sweeps
        self.goal = tolerance
        """A sweep that met no larger error ends the fitting."""
        self.trace = np.empty(0)
        self.stalled = False

    @property
    def next_sweeps(self) -> int:
        return min(SWEEPS_AT_ONCE, self.max_sweeps - len(self.trace))

    @property
    def ended(self) -> bool:
        return bool(self.trace[-1] <= self.goal) or self.stalled or len(self.trace) >= self.max_sweeps

    def add(self, residuals: Floats) -> None:
        self.stalled = len(residuals) > 1 and bool(residuals[-1] > STALLED * residuals[0])
        self.trace = np.append(self.trace, residuals)

    def judged(self, law: Law) -> Law:
        """The law with its status; where it is not yet within the tolerance, the goal is set lower."""
        met = law.residual <= self.tolerance
        if not met:
            self.goal /= 4
        return law.with_report(
            iterations=len(self.trace), trace=self.trace, status="converged" if met else "not converged"
        )


def _refuse(constraints: ConstraintSet, number: int | None) -> None:
    if number is not None:
        raise InfeasibleError(
            f"{constraints.name(number)}: gives probability to symbols on which the zeros of the other tables leave no"
            " sequence; no law has these marginals",
            constraints=(number,),
        )
