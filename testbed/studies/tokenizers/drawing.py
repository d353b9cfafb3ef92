"""What the figures share: means with intervals over replicates."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.drawing import LEVEL
from testbed.studies.judge import Mean, Replicates

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INTERVALS = f"{LEVEL:.0%} intervals over replicates"
RANGES = "range over replicates"


def interval(values: np.ndarray) -> tuple[float, float, float]:
    """Mean over (R,) with its interval; nan where some are not finite."""
    if not np.isfinite(values).all():
        return float("nan"), float("nan"), float("nan")
    found = Mean(values, Replicates.grid({"replicate": len(values)}, seed=0))
    return (found.estimate, *found.interval((1 - LEVEL) / 2))


def intervals(values: np.ndarray) -> np.ndarray:
    """(R, n) -> (3, n): mean, lower, upper."""
    return np.array([interval(column) for column in values.T]).T.reshape(3, -1)


def ranges(values: np.ndarray) -> np.ndarray:
    """(R, n) -> (3, n): median, least, largest: for numbers that take few values, or have two humps."""
    return np.array([np.median(values, axis=0), values.min(axis=0), values.max(axis=0)])


def points(axis: "Axes", x: Any, drawn: np.ndarray, style: dict[str, Any], label: str, **more: Any) -> None:
    """Marks with bars at x, of (3, n) middles and ends."""
    middle, low, high = drawn
    spread = np.clip([middle - low, high - middle], 0.0, None)
    options = {"markersize": 3.5, "linewidth": 1.0, "capsize": 2, "elinewidth": 0.8} | style | more
    axis.errorbar(x, middle, yerr=spread, label=label, **options)


def level(axis: "Axes", value: float, label: str, dashes: tuple[float, ...] = (4, 2)) -> None:
    """A horizontal line."""
    axis.axhline(value, color="0.35", linewidth=0.8, linestyle=(0, dashes), marker="", label=label)
