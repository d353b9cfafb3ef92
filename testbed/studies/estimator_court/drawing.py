"""What the figures share: names that fit, points with intervals."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.drawing import LEVEL, style
from testbed.studies.estimator_court.measure import NAMES
from testbed.studies.judge.proportion import Proportion
from testbed.studies.tables import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHORT = {
    "plug_in": "plug-in",
    "miller_madow": "Miller-Madow",
    "grassberger_1988": "Grassberger 88",
    "grassberger_2003": "Grassberger 03",
    "chao_shen": "Chao-Shen",
    "chao_wang_jost": "Chao-Wang-Jost",
    "james_stein": "James-Stein",
    "zhang": "Zhang",
    "nsb": "NSB",
    "bayes": "Dirichlet 1/2",
}
SHOWN = ("plug_in", "miller_madow", "grassberger_2003", "chao_wang_jost", "nsb", "james_stein")
"""Estimators that have a line of their own where ten would hide each other."""
assert set(SHORT) == set(NAMES)
BINOMIAL = f"bars: exact binomial {LEVEL:.0%} intervals, each number alone"
STUDENT = f"bars: {LEVEL:.0%} intervals (Student) of the mean over streams, each number alone"


def points(
    axis: "Axes",
    x: Sequence[float] | Floats,
    middle: Sequence[float] | Floats,
    ends: tuple[Sequence[float] | Floats, Sequence[float] | Floats],
    place: int,
    label: str = "",
    across: bool = False,
    joined: bool = True,
) -> None:
    """Points with intervals (lower, upper), along y, or along x where `across`."""
    centre = np.asarray(middle, dtype=np.float64)
    reach = [np.clip(centre - np.asarray(ends[0]), 0, None), np.clip(np.asarray(ends[1]) - centre, 0, None)]
    look: dict[str, Any] = {"capsize": 1.5, "elinewidth": 0.7, "linewidth": 0.9, "markersize": 3, **style(place)}
    if not joined:
        look["linestyle"] = "none"
    if across:
        axis.errorbar(centre, x, xerr=reach, label=label, **look)
    else:
        axis.errorbar(x, centre, yerr=reach, label=label, **look)


def share_row(found: Proportion) -> dict[str, float]:
    """A share with its interval, for the CSV."""
    low, high = found.interval((1 - LEVEL) / 2)
    return {"share": found.estimate, "lower": low, "upper": high, "streams": found.trials}
