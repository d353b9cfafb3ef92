"""What the figures share: rows by name, intervals, looks."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from testbed.studies.dilution_or_position.config import NONE
from testbed.studies.dilution_or_position.results import Measured, Row
from testbed.studies.drawing import LEVEL
from testbed.studies.judge import Mean

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from testbed.studies.dilution_or_position.study import DilutionOrPosition

DILUTION = {"color": "#0072B2", "hatch": ""}
POSITION = {"color": "#E69F00", "hatch": "////"}


def label(row: Row) -> str:
    """A row's name for an axis."""
    arm = row.arm.replace("_", " ")
    return arm if row.change == NONE else f"{arm} + {row.change}"


def interval(data: Measured, values: NDArray[np.float64], kept: NDArray[np.bool_]) -> tuple[float, float, float]:
    """Mean over the kept replicates with its 95 % interval; an infinite one is not drawn (nan)."""
    evidence: Mean = data.mean(values, kept)
    low, high = evidence.interval((1 - LEVEL) / 2)
    return evidence.estimate, low if np.isfinite(low) else np.nan, high if np.isfinite(high) else np.nan


def learnt_rows(study: "DilutionOrPosition", data: Measured, changes: bool) -> list[Row]:
    """Rows of recall tasks with a replicate that learnt: of changes only those that keep positions in range, or all."""
    recall = {task.name for task in study.of_role("recall")}
    shown = {one.name for one in study.changes if one.positions or changes} | {NONE}
    return [row for row in data.rows if row.task in recall and row.change in shown and data.learnt(row).any()]


def counted(data: Measured, rows: list[Row]) -> str:
    """How many replicates are behind the rows."""
    numbers = sorted({int(data.learnt(row).sum()) for row in rows})
    span = str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"
    return f"{span} of {len(data.seeds)} seeds (those that learnt)"


def whiskers(axis: "Axes", at: float, found: tuple[float, float, float], **look: Any) -> None:
    """A horizontal interval around a mean."""
    mean, low, high = found
    error = None if np.isnan(low) or np.isnan(high) else [[mean - low], [high - mean]]
    axis.errorbar([mean], [at], xerr=error, **look)
