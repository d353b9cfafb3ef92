"""Excess against length for the changes marked `shown`: one panel a task and arm."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.length_extrapolation.config import NONE, Task
from testbed.studies.length_extrapolation.drawing import FLOOR, interval, label, learnt_text, looks
from testbed.studies.length_extrapolation.results import Measured, Row
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from testbed.studies.length_extrapolation.study import LengthExtrapolation

ACROSS = 3
"""Panels side by side."""


def lines_figure(study: "LengthExtrapolation", data: Measured, table: list[dict[str, Any]]) -> StudyFigure:
    """Mean and 95 % interval over replicates, both axes logarithmic; the same look for a change in every panel."""
    import matplotlib.pyplot as plt

    panels = [
        (task, arm.name)
        for task in study.tasks
        for arm in study.arms_of(task)
        if task.role != "lag" and has_changes(data, task, arm.name)  # masks have a figure of their own
    ]
    shown = [NONE, *(one.name for one in study.changes if one.shown)]
    cycle = looks()
    look = {name: cycle[i % len(cycle)] for i, name in enumerate(shown)}
    down = -(-len(panels) // ACROSS)
    figure, axes = plt.subplots(down, ACROSS, figsize=(7, 0.6 + 1.75 * down), squeeze=False)
    for axis, (task, arm) in zip(axes.flat, panels, strict=False):
        _panel(study, data, axis, task, arm, look)
    for axis in list(axes.flat)[len(panels) :]:
        axis.set_axis_off()
    for axis in axes[:, 0]:
        axis.set_ylabel("excess (nats)")
    for column in range(ACROSS):
        lowest = [i for i in range(down) if i * ACROSS + column < len(panels)]
        if lowest:
            axes[lowest[-1]][column].set_xlabel("n / m")
    handles: dict[str, Any] = {}
    for axis in axes.flat:
        handles |= {text: handle for handle, text in zip(*axis.get_legend_handles_labels(), strict=True)}
    order = [label(name) for name in shown if label(name) in handles]
    figure.legend([handles[text] for text in order], order, loc="outside lower center", ncols=4)
    return StudyFigure(
        figure=figure,
        rows=[row for row in table if row["change"] in shown],
        title="Excess beyond the training length",
        caption=(
            f"Mean exact KL from the Bayes law against length, with 95 % intervals over {learnt_text(data)}; a"
            " selection of the changes, all of them are in the heat maps. Markers of one length are set apart a little."
            " The grey line is the KL of the best law without context. Intervals are for each point alone; methods of"
            " one panel share trained members and tokens, so that differences are sharper than the bars suggest."
        ),
        claims=tuple(
            f"length_extrapolation.{name}"
            for name in ("control", "positions", "gain_in_range", "gain_drawn", "gain_hidden")
        ),
    )


def has_changes(data: Measured, task: Task, arm: str) -> bool:
    """Whether an arm is read under any change on this task; one that is not has its numbers in the heat map."""
    return sum(row.arm == arm for row in data.rows(task.name, 1)) > 1


def _panel(
    study: "LengthExtrapolation", data: Measured, axis: "Axes", task: Task, arm: str, look: dict[str, Any]
) -> None:
    ratios = np.array(study.ratios_of(task), dtype=np.float64)
    usable = data.usable(task.name, arm)
    there = [name for name in look if usable and (task.name, Row(arm, name), 1) in data.late]
    for i, name in enumerate(there):
        found = [interval(data.mean(task.name, ratio, Row(arm, name)), lowest=0.0) for ratio in study.ratios_of(task)]
        middle, low, high = (np.array(part) for part in zip(*found, strict=True))
        apart = 1.04 ** (i - (len(there) - 1) / 2)
        floored = np.maximum(middle, FLOOR)
        axis.errorbar(
            ratios * apart,
            floored,
            yerr=[np.clip(floored - np.maximum(low, FLOOR), 0, None), np.clip(high - floored, 0, None)],
            label=label(name),
            markersize=3.5,
            linewidth=1,
            capsize=1.5,
            elinewidth=0.8,
            **look[name],
        )
    floor = [data.no_context[task.name, ratio].mean() for ratio in study.ratios_of(task)]
    axis.plot(ratios, floor, color="#999999", linewidth=2.5, linestyle="-", marker="", zorder=0, label="no context")
    axis.set_xscale("log", base=2)
    axis.set_yscale("log")
    axis.set_ylim(FLOOR, 20)
    axis.set_xticks(ratios, [f"{ratio:g}" for ratio in ratios])
    axis.minorticks_off()
    axis.set_title(f"{task.name}, {arm}", fontsize=7.5)
    if not usable:
        axis.text(0.5, 0.5, "not learnt", transform=axis.transAxes, ha="center", va="center")
