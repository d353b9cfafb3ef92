"""What the figures share: curves with intervals, names of arms and orders."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.drawing import LEVEL, style
from testbed.studies.judge import Student
from testbed.studies.recall_order.config import Order
from testbed.studies.recall_order.data import Bools, Data, Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from testbed.studies.recall_order.study import RecallOrder

TITLES = {
    "once": "linear attention, read once",
    "narrow": "small state",
    "twice": "linear attention, read twice",
    "softmax": "softmax attention",
}
LABELS: dict[Order, str] = {"small_first": "small set first", "large_first": "large set first"}


def band(values: Floats) -> tuple[Floats, Floats, Floats]:
    """Mean and its Student interval over replicates, cut off at 0 and 1, by column; of a single one thrice it."""
    mean = values.mean(axis=0)
    if len(values) < 2:
        return mean, mean, mean
    ends = [
        Student(float(m), float(s), len(values)).interval((1 - LEVEL) / 2)
        for m, s in zip(mean, values.std(axis=0, ddof=1), strict=True)
    ]
    low, high = np.array(ends).T
    return mean, np.minimum(np.maximum(low, 0.0), mean), np.maximum(np.minimum(high, 1.0), mean)


def draw(axis: "Axes", x: Floats, values: Floats, place: int, label: str) -> list[dict[str, Any]]:
    """One curve with its intervals; its rows."""
    mean, low, high = band(values)
    axis.errorbar(x, mean, [mean - low, high - mean], ms=4, capsize=2, lw=1.2, label=label, **style(place))
    return [
        {"x": float(a), "mean": float(b), "low": float(c), "high": float(d), "runs": len(values)}
        for a, b, c, d in zip(x, mean, low, high, strict=True)
    ]


def shown_rows(study: "RecallOrder", data: Data, arm: Any) -> tuple[Bools, str]:
    """The replicates that are drawn, and what a panel says of them: those that learnt, or all measured where none."""
    rows = data.learnt(study, arm)
    if rows.any():
        return rows, f"{int(rows.sum())} of {len(rows)} replicates"
    measured = np.all([np.isfinite(data.runs[arm, order].whole) for order in LABELS], axis=0)
    return np.asarray(measured), "not learnt"
