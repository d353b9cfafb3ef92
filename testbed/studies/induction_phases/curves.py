"""What the study's figures share: a mean curve over replicates with its intervals, and its rows."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.drawing import LEVEL, style
from testbed.studies.induction_phases.data import Data, Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Row = dict[str, Any]
STYLES = {"loss": 2, "uniform": 0, "unigram": 1, "bigram": 3, "smoothed": 5, "counts_last": 4}
"""Places in the style's cycle."""
LABELS = {
    "loss": "the model",
    "uniform": "uniform",
    "unigram": "unigram, plus 1",
    "smoothed": "unigram, best smoothing",
    "counts_last": "counts and last symbol",
    "bigram": "bigram, plus 1",
}


def curve(axis: "Axes", data: Data, steps: Floats, values: Floats, name: str, **more: Any) -> list[Row]:
    """The mean of (R, n) values against the steps, with a band."""
    bounds = np.array([data.mean(column).interval((1 - LEVEL) / 2) for column in values.T])
    look = style(STYLES[name]) | {"label": LABELS[name], "markevery": max(1, len(steps) // 6)} | more
    axis.plot(steps, values.mean(axis=0), **look)
    axis.fill_between(steps, bounds[:, 0], bounds[:, 1], color=look["color"], alpha=0.2, linewidth=0)
    what, mean = str(look["label"]), values.mean(axis=0)
    return [
        {"step": float(step), "what": what, "mean": float(one), "lower": float(low), "upper": float(high)}
        for step, one, (low, high) in zip(steps, mean, bounds, strict=True)
    ]


def level_line(axis: "Axes", value: float, name: str, **more: Any) -> Row:
    """A level of the loss; told apart by colour and dash."""
    look = {one: what for one, what in style(STYLES[name]).items() if one != "marker"}
    axis.axhline(value, linewidth=0.9, **look | more)
    return {"step": None, "what": f"level of {LABELS[name]}", "mean": value, "lower": value, "upper": value}


def room_for(axis: "Axes", levels: Iterable[float]) -> None:
    """Widen the axis so that no level lies on its edge."""
    low, high = axis.get_ylim()
    found = list(levels)
    room = 0.04 * (high - low)
    axis.set_ylim(min(low, min(found) - room), max(high, max(found) + room))
