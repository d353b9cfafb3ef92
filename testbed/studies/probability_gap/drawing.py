"""What the figures share: looks of arms and estimates, curves with intervals."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from testbed.studies.drawing import LEVEL, style
from testbed.studies.probability_gap.chains import Floats
from testbed.studies.probability_gap.data import Data

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def curve(
    axis: "Axes", data: Data, x: Sequence[float] | NDArray[Any], values: Floats, label: str, place: int
) -> list[dict[str, float]]:
    """Means of (R, n) with their intervals; the numbers drawn."""
    found = np.array([data.interval(column) for column in values.T])
    middle, low, high = found.T
    axis.errorbar(
        x,
        middle,
        yerr=[np.clip(middle - low, 0, None), np.clip(high - middle, 0, None)],
        capsize=1.5,
        elinewidth=0.7,
        linewidth=1.0,
        markersize=3.5,
        label=label,
        **style(place),
    )
    return [
        {"x": float(at), "mean": float(a), "lower": float(b), "upper": float(c)}
        for at, (a, b, c) in zip(x, found, strict=True)
    ]


def interval_words(data: Data) -> str:
    """What the bars are, for captions."""
    return f"Bars: {LEVEL:.0%} intervals over {data.replicates.n_independent} independent streams, each point alone."
