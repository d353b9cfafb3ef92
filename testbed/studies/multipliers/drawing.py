"""What the figures share: one look a solver or slack, curves with intervals."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from testbed.studies.drawing import LEVEL, style
from testbed.studies.multipliers.data import Data
from testbed.studies.multipliers.rate import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SOLVER_NAMES = {"ipf": "proportional fitting", "newton": "Newton", "lbfgs": "L-BFGS", "auto": "auto"}


def log_curve(
    axis: "Axes", data: Data, x: Sequence[float] | NDArray[Any], values: Floats, label: str, place: int
) -> list[dict[str, float]]:
    """Geometric means of (R, n) with intervals of their logarithms; the numbers drawn."""
    found = np.exp([data.interval(column) for column in np.log(values).T])
    middle, low, high = found.T
    look: dict[str, Any] = {"capsize": 1.5, "elinewidth": 0.7, "linewidth": 1.0, "markersize": 3.5, "label": label}
    axis.errorbar(
        x,
        middle,
        yerr=[np.clip(middle - low, 0, None), np.clip(high - middle, 0, None)],
        **(look | style(place)),
    )
    return [
        {"x": float(at), "mean": float(a), "lower": float(b), "upper": float(c)}
        for at, (a, b, c) in zip(x, found, strict=True)
    ]


def interval_words(data: Data) -> str:
    """What the bars are, for captions."""
    streams = f"over {len(data.numbers)} streams, each point alone."
    return f"Bars: {LEVEL:.0%} intervals (Student) of the geometric mean {streams}"
