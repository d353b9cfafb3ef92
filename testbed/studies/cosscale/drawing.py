"""What the figures share: looks by arm, curves over alpha with their intervals, and the rows of numbers behind them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.cosscale.results import Floats, Measured
from testbed.studies.drawing import LEVEL, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LOOK: dict[str, tuple[str, str, Any]] = {
    "local": ("C0", "o", "-"),
    "far": ("C1", "s", (0, (5, 1.5))),
    "content": ("C3", "^", (0, (1.2, 1.2))),
    "nope": ("C4", "v", (0, (5, 1.5, 1.2, 1.5))),
    "theory": ("C2", "", (0, (1.2, 1.2))),
}
"""Colour, marker and dashes of each task, the same in every figure; theory is black and dotted."""
TITLES = {"local": "local source (T5)", "far": "far source (T6)", "content": "reliability classes (T7b)"}


def look(name: str) -> dict[str, Any]:
    """Keywords of a curve."""
    colour, marker, dashes = LOOK[name]
    return {"color": colour, "marker": marker, "linestyle": dashes, "linewidth": 1.1, "markersize": 3.5}


def cycle_look(place: int) -> dict[str, Any]:
    """Colour, marker and dash number `place` of the cycle."""
    return {**style(place), "linewidth": 1.1, "markersize": 3.5}


def alpha_axis(axis: "Axes", alphas: Sequence[float]) -> None:
    """Scales on a logarithmic axis, each one named."""
    from matplotlib.ticker import NullLocator

    axis.set_xscale("log", base=2)
    axis.set_xticks(list(alphas), [f"{alpha:g}" for alpha in alphas])
    axis.xaxis.set_minor_locator(NullLocator())
    axis.set_xlabel("CosScale $\\alpha$")


def series(data: Measured, values: Sequence[Floats]) -> tuple[Floats, Floats, Floats]:
    """Mean and the ends of its interval, for each of several numbers."""
    found = np.array([data.interval(one) for one in values])
    return found[:, 0], found[:, 1], found[:, 2]


def curve(axis: "Axes", data: Measured, x: Sequence[float], values: Sequence[Floats], label: str, **style: Any) -> None:
    """Means with their intervals as bars."""
    middle, low, high = series(data, values)
    bars = [np.clip(middle - low, 0, None), np.clip(high - middle, 0, None)]
    axis.errorbar(x, middle, yerr=bars, capsize=1.2, elinewidth=0.7, label=label, **style)


def level(axis: "Axes", data: Measured, values: Floats, label: str, **style: Any) -> None:
    """A horizontal line at a mean, with its interval as a band."""
    middle, low, high = data.interval(values)
    axis.axhline(middle, label=label, **{**style, "marker": ""})
    axis.axhspan(low, high, color=style["color"], alpha=0.15, linewidth=0)


def legend_under(axis: "Axes") -> None:
    """The legend below a panel of a third of the page, in two columns that fit it."""
    axis.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, -0.22),
        ncols=2,
        fontsize=6,
        columnspacing=0.9,
        handlelength=2.0,
        handletextpad=0.5,
    )


def row(data: Measured, values: Floats, **labels: Any) -> dict[str, Any]:
    """One row of the CSV."""
    middle, low, high = data.interval(values)
    return {**labels, "mean": middle, "lower": low, "upper": high, "least": values.min(), "most": values.max()}


def interval_words(data: Measured) -> str:
    """What the bars and bands are, for captions."""
    return f"Bars and bands: {LEVEL:.0%} intervals over {len(data.seeds)} seeds, each number alone."
