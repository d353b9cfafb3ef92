"""What the figures share: the numbers of every row with their intervals, labels, and how they are written."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.drawing import LEVEL
from testbed.studies.judge import Mean
from testbed.studies.length_extrapolation.config import NONE
from testbed.studies.length_extrapolation.results import Measured, Row

if TYPE_CHECKING:
    from testbed.studies.length_extrapolation.study import LengthExtrapolation

FLOOR = 1e-4
"""Nats: below this a logarithmic scale shows only the noise of training."""


def interval(evidence: Mean | None) -> tuple[float, float, float]:
    """Mean with its 95 % interval over replicates; nan where there is none."""
    if evidence is None:
        return float("nan"), float("nan"), float("nan")
    low, high = evidence.interval((1 - LEVEL) / 2) if evidence.n_independent != 1 else (float("nan"), float("nan"))
    return evidence.estimate, low, high


def numbers(study: "LengthExtrapolation", data: Measured) -> list[dict[str, Any]]:
    """A table row for each task, arm, change and length: excess, interval, how many replicates learnt, and the rank."""
    found = []
    for task in study.tasks:
        for ratio in study.ratios_of(task):
            if not task.arms:
                continue
            best = best_rows(data, task.name, ratio)
            for row in data.rows(task.name, ratio):
                mean, low, high = interval(data.mean(task.name, ratio, row))
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
                        "not_separable_from_best": row in best,
                    }
                )
    return found


def best_rows(data: Measured, task: str, ratio: int, alpha: float = 0.05) -> list[Row]:
    """The rows that cannot be told from the best of the task at this length; none where nothing is judged."""
    ranked = data.ranking(task, ratio)
    return [] if ranked is None else [ranked[0][i] for i in ranked[1].best_set(alpha)]


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
