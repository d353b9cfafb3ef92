"""What the figures share: the numbers of every row with their intervals, labels, and how they are written."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.drawing import LEVEL
from testbed.studies.judge import Evidence, Max
from testbed.studies.length_extrapolation.config import NONE, Task
from testbed.studies.length_extrapolation.reach import reach_of
from testbed.studies.length_extrapolation.results import Measured, Row

if TYPE_CHECKING:
    from testbed.studies.length_extrapolation.study import LengthExtrapolation

FLOOR = 1e-4
"""Nats: below this a logarithmic scale shows only the noise of training."""


def interval(
    evidence: Evidence | None, lowest: float = -math.inf, highest: float = math.inf
) -> tuple[float, float, float]:
    """Estimate with its 95 % interval over replicates; nan where there is none.

    lowest, highest    what the number can be: an interval ends there
    """
    if evidence is None:
        return float("nan"), float("nan"), float("nan")
    if evidence.n_independent == 1:
        return evidence.estimate, float("nan"), float("nan")
    low, high = evidence.interval((1 - LEVEL) / 2)
    return evidence.estimate, max(low, lowest), min(high, highest)


def numbers(study: "LengthExtrapolation", data: Measured) -> list[dict[str, Any]]:
    """A table row for each task, arm, change and length: excess, interval, how many replicates learnt, and the rank."""
    found = []
    for task in study.tasks:
        for ratio in study.ratios_of(task):
            if not task.arms:
                continue
            best = near_best(study, data, task.name, ratio)
            for row in data.rows(task.name, ratio):
                mean, low, high = interval(data.mean(task.name, ratio, row), lowest=0.0)
                learnt = data.learnt[task.name, row.arm]
                found.append(
                    {
                        "task": task.name,
                        "arm": row.arm,
                        "change": row.change,
                        "ratio": ratio,
                        "length": ratio * task.train_length,
                        "excess": mean,
                        "lower": low,
                        "upper": high,
                        "median_of_all": float(np.nanmedian(data.late[task.name, row, ratio])),
                        "no_context": float(data.no_context[task.name, ratio].mean()),
                        "learnt": int(learnt.sum()),
                        "replicates": len(learnt),
                        "judged": data.usable(task.name, row.arm),
                        "rate": data.rates.get((task.name, row.arm), float("nan")),
                        "reach": _reach(study, task, row, ratio),
                        "near_best": row in best,
                    }
                )
    return found


def _reach(study: "LengthExtrapolation", task: Task, row: Row, ratio: int) -> int | str:
    """Tokens back that a mask reaches over the layers, on the tasks that ask for it."""
    found = reach_of(study, task, study.arm(row.arm), row.change, ratio)
    return "" if found is None else found.steps


def near_best(study: "LengthExtrapolation", data: Measured, task: str, ratio: int) -> list[Row]:
    """The rows that are within the margin of the best of the task at this length, by the whole of their interval.

    A row whose numbers scatter is not among them however good its mean: the upper end of its regret, over all other
    rows at once (95 %), is what counts.
    """
    rows = data.comparable(task, ratio)
    means = {row: float(data.excess(task, ratio, row).estimate) for row in rows}
    least = min(means.values(), default=0.0)
    found = []
    for row in rows:
        if means[row] <= least + study.margin:
            others = [one for _, one in data.against(task, ratio, row)]
            if others and Max(others).upper(1 - LEVEL) <= study.margin:
                found.append(row)
    return found


def looks() -> list[dict[str, Any]]:
    """Colour, marker and dash of each line in turn: the style's, whole also where matplotlib's own is in force."""
    import matplotlib.pyplot as plt

    plain: dict[str, Any] = {"color": "black", "marker": "o", "linestyle": "-"}
    return [plain | one for one in plt.rcParams["axes.prop_cycle"]]


def written(value: float) -> str:
    """A number of nats in four characters or so.

    >>> written(0.00042), written(0.0123), written(1.234), written(12.3)
    ('.0004', '.012', '1.23', '12')
    """
    if not np.isfinite(value):
        return ""
    if value >= 10:
        return f"{value:.0f}"
    if value >= 0.995:
        return f"{value:.2f}"
    return f"{value:.{3 if value >= 0.00095 else 4}f}".replace("0.", ".", 1)


def label(change: str) -> str:
    """What stands beside a row."""
    return "as trained" if change == NONE else change


def learnt_text(data: Measured, *tasks: str) -> str:
    """How many replicates the numbers of these tasks (all, if none are named) stand on."""
    counts = {int(one.sum()) for (task, _), one in data.learnt.items() if not tasks or task in tasks}
    some = f"{min(counts)} to {max(counts)}" if len(counts) > 1 else f"{max(counts)}"
    return f"{some} of {len(data.seeds)} replicates (those that learnt the task)"
