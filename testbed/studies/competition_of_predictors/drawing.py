"""What the figures of the study share: names, looks, intervals."""

from typing import Any

import numpy as np

from testbed.studies.competition_of_predictors.config import CONTINUUM
from testbed.studies.competition_of_predictors.data import Data, Floats
from testbed.studies.drawing import LEVEL

TITLES = (
    "single tokens, retrieval",
    "pairs, retrieval",
    "single tokens, inference",
    "pairs, inference",
    "uniform law",
)
"""Of the predictors, in their order."""
LETTERS = ("UR", "BR", "UI", "BI", "U")


def arm_name(chains: int) -> str:
    """How an N is written."""
    return "continuum" if chains == CONTINUUM else f"N = {chains}"


def band(data: Data, values: Floats) -> Floats:
    """(3, S) mean over replicates (R, S) with the ends of its interval, each point alone."""
    rows = [data.mean(column).estimate for column in values.T]
    ends = [data.mean(column).interval((1 - LEVEL) / 2) for column in values.T]
    return np.array([rows, [low for low, _ in ends], [high for _, high in ends]])


def draw_band(axis: Any, data: Data, values: Floats, look: dict[str, Any], label: str) -> Floats:
    """A line over steps with its band; returns the three rows."""
    found = band(data, values)
    axis.plot(data.steps, found[0], label=label, markersize=3, linewidth=1.1, **look)
    axis.fill_between(data.steps, found[1], found[2], color=look["color"], alpha=0.18, linewidth=0)
    return found
