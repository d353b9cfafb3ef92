"""A curve with its band and its apparent optimum, as the figures of this study draw it."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from testbed.studies.drawing import LEVEL, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from testbed.studies.protocol_bias.data import Data

Floats = NDArray[np.float64]
Row = dict[str, Any]


def curve(
    axis: "Axes", data: "Data", lengths: Floats, values: Floats, place: int, label: str, marked: bool = True
) -> list[Row]:
    """Mean over replicates of (R, n_l) with its interval, the least mean marked by a ring; rows for the CSV."""
    found = np.array([data.interval(column, LEVEL) for column in values.T])
    look = style(place) | {"markersize": 3.5}
    axis.plot(lengths, found[:, 0], label=label, **look)
    axis.fill_between(lengths, found[:, 1], found[:, 2], color=look["color"], alpha=0.18, linewidth=0)
    best = int(np.argmin(found[:, 0]))
    if marked:
        axis.plot(lengths[best], found[best, 0], marker="o", markersize=9, markerfacecolor="none", color=look["color"])
    return [
        {"curve": label, "l": float(l), "mean": a, "lower": b, "upper": c, "least": at == best}
        for at, (l, (a, b, c)) in enumerate(zip(lengths, found.tolist(), strict=True))
    ]


def exact(axis: "Axes", lengths: Floats, values: Floats, label: str) -> list[Row]:
    """What is known exactly: a black line without marks."""
    axis.plot(lengths, values, color="black", linestyle=(0, (5, 2)), marker="", linewidth=1.2, label=label)
    return [
        {"curve": label, "l": float(l), "mean": float(v), "lower": float(v), "upper": float(v), "least": False}
        for l, v in zip(lengths, values, strict=True)
    ]


def length_axis(axis: "Axes", lengths: Floats, label: str = "context length $l$ (tokens)") -> None:
    """A doubling scale with a tick at each length."""
    axis.set_xscale("log", base=2)
    axis.set_xticks(list(lengths), [f"{one:g}" for one in lengths])
    axis.minorticks_off()
    axis.set_xlabel(label)


def window(axis: "Axes", rows: list[Row]) -> None:
    """From just below 0 to just above the largest mean; wide bands are cut."""
    top = max(row["mean"] for row in rows)
    axis.set_ylim(-0.04 * top, 1.12 * top)
