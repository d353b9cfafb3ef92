"""`Constraint`: the law that some positions must have."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from testbed.core import ConfigError
from testbed.maxent.checks import real

Floats = NDArray[np.float64]
Positions = tuple[int, ...]

SUM_TOLERANCE = 1e-9
"""A table's sum may differ from one by this much; it is then divided by its sum."""


@dataclass(frozen=True, eq=False)
class Constraint:
    """q(x_c) = table(x_c) for the positions c, counted from 0: a joint table, never a conditional one.

    positions  distinct, at least one; kept in rising order
    table      (V,) * len(positions), axes in the order the positions are given; not negative, sums to one

    One-way conditionals are another problem, ill-posed where a chain is closest to exact: see `one_way_law`.

    >>> Constraint((2, 0), [[0.1, 0.2], [0.3, 0.4]]).table
    array([[0.1, 0.3],
           [0.2, 0.4]])

    Raises ConfigError that names the constraint for repeated or negative positions, a table of another shape, negative
    or non-finite entries, and a sum that is not one.
    """

    positions: Positions
    table: Floats

    def __post_init__(self) -> None:
        positions = check_positions(self.positions)
        name = f"constraint on positions {positions}"
        try:
            if np.iscomplexobj(self.table):
                raise TypeError
            table = np.array(self.table, dtype=np.float64)
        except (TypeError, ValueError):
            raise ConfigError(f"{name}: table must be one array of numbers, not complex ones nor uneven rows") from None
        if table.ndim != len(positions) or len(set(table.shape)) > 1 or table.size == 0:
            raise ConfigError(
                f"{name}: table has the shape {table.shape}; must have {len(positions)} axes of one length, V"
            )
        total = table.sum()
        if not (np.isfinite(total) and table.min() >= 0):
            worst = table.min() if np.isfinite(table).all() else table[~np.isfinite(table)][0]
            raise ConfigError(f"{name}: table has the entry {worst:g}; entries must be finite and not negative")
        if abs(total - 1.0) > SUM_TOLERANCE:
            raise ConfigError(f"{name}: table sums to {total:.12g}; must sum to 1 (within {SUM_TOLERANCE:g})")
        order = sorted(range(len(positions)), key=positions.__getitem__)
        table = np.ascontiguousarray(table.transpose(order)) / total
        table.flags.writeable = False
        object.__setattr__(self, "positions", tuple(sorted(positions)))
        object.__setattr__(self, "table", table)

    @property
    def vocab_size(self) -> int:
        """V, the length of the table's axes."""
        return self.table.shape[0]

    def marginal(self, positions: Iterable[int]) -> Floats:
        """The table summed onto some of its positions, in rising order."""
        kept = set(positions)
        dropped = tuple(axis for axis, position in enumerate(self.positions) if position not in kept)
        return self.table.sum(axis=dropped) if dropped else self.table

    def mixed(self, share: float) -> "Constraint":
        """(1 - e) table + e / V^|c|. One e for all tables moves feasible targets inside (the same full-support law is
        mixed in), makes the multipliers finite and costs O(e)."""
        share = real("share", share, least=0, most=1)
        return Constraint(self.positions, (1.0 - share) * self.table + share / self.table.size)

    def __repr__(self) -> str:
        return f"Constraint(positions={self.positions}, table={self.table.shape})"


def check_positions(given: Iterable[int]) -> Positions:
    """Distinct integers, none below 0, at least one."""
    try:
        held = tuple(given)
        positions = tuple(int(one) for one in held)
        whole = not any(isinstance(one, bool | np.bool_) for one in held) and positions == held
    except (TypeError, ValueError, OverflowError):
        whole = False
    if not whole or not positions or min(positions) < 0 or len(set(positions)) < len(positions):
        raise ConfigError(f"positions: given {given!r}; must be distinct whole numbers from 0, at least one")
    return positions
