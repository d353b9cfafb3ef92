"""The heat maps: excess of every method at every length, one figure a task, one panel an arm."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.length_extrapolation.config import Task
from testbed.studies.length_extrapolation.drawing import FLOOR, best_rows, interval, label, learnt_text, written
from testbed.studies.length_extrapolation.results import Measured, Row
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from testbed.studies.length_extrapolation.study import LengthExtrapolation

CEILING = 10.0
CELL, LABELS, LEAST_WIDTH = 0.42, 1.45, 3.4
"""Inches: width of a cell, of the labels beside a panel, of a figure."""


def heat_figure(study: "LengthExtrapolation", data: Measured, task: Task, table: list[dict[str, Any]]) -> StudyFigure:
    """Excess by change (down) and length (across); a logarithmic grey-safe scale, every number written."""
    import matplotlib.pyplot as plt
    from matplotlib.colors import LogNorm

    rows_of = panels_of(study, data, task)
    tallest = max(len(rows) for rows in rows_of.values())
    ratios = study.ratios_of(task)
    widths = [LABELS + CELL * len(ratios)] * len(rows_of)
    figure, axes = plt.subplots(
        1,
        len(rows_of),
        figsize=(max(LEAST_WIDTH, sum(widths) + 0.7), 0.9 + 0.165 * tallest),
        squeeze=False,
    )
    norm = LogNorm(FLOOR, CEILING)
    starred = {ratio: best_rows(data, task.name, ratio) for ratio in ratios}
    for axis, (name, rows) in zip(axes[0], rows_of.items(), strict=True):
        image = _panel(study, data, task, axis, rows, starred, norm)
        axis.set_ylim(tallest - 0.5, -0.5)  # rows of one height in every panel
        axis.set_title(name)
    bar = figure.colorbar(image, ax=list(axes[0]), shrink=0.5, aspect=25, pad=0.02)
    bar.set_label("excess (nats)")
    figure.supxlabel("length n, in training lengths m", fontsize=8)
    return StudyFigure(
        figure=figure,
        rows=[row for row in table if row["task"] == task.name],
        title=f"{task.name}: excess of every method at every length",
        caption=(
            "Mean exact KL of the model from the Bayes law, in nats, over the judged positions of the second half of"
            f" fresh sequences of n tokens; m = {task.train_length}. A panel is one trained arm, its rows are the"
            f" changes at test time; mean of {learnt_text(data, task.name)}; 95 % intervals are in the CSV. A star"
            " marks what cannot be told from the best of all panels at its length (paired multiple comparison with the"
            " best, 5 %). A hatched row's arm did not learn the task and is not judged; its numbers are medians of all."
            f" The best law without context has {data.no_context[task.name, 1].mean():.2f} nats at n = m."
        ),
        claims=_claims_of(task),
    )


def panels_of(study: "LengthExtrapolation", data: Measured, task: Task) -> dict[str, list[Row]]:
    """Rows by panel title: an arm with its changes, and together the arms that have none."""
    by_arm = {arm.name: [row for row in data.rows(task.name, 1) if row.arm == arm.name] for arm in study.arms_of(task)}
    alone = [rows[0] for rows in by_arm.values() if len(rows) == 1]
    panels = {arm: rows for arm, rows in by_arm.items() if len(rows) > 1}
    return panels | ({"trained arms": alone} if alone else {})


def _panel(
    study: "LengthExtrapolation",
    data: Measured,
    task: Task,
    axis: "Axes",
    rows: list[Row],
    starred: dict[int, list[Row]],
    norm: Any,
) -> Any:
    ratios = study.ratios_of(task)
    values = np.full((len(rows), len(ratios)), np.nan)
    for i, row in enumerate(rows):
        usable = data.usable(task.name, row.arm)
        for j, ratio in enumerate(ratios):
            mean = interval(data.mean(task.name, ratio, row))[0]
            values[i, j] = mean if usable else np.nanmedian(data.late[task.name, row, ratio])
    shown = np.clip(np.nan_to_num(values, nan=FLOOR), FLOOR, CEILING)
    image = axis.imshow(shown, norm=norm, aspect="auto", cmap="cividis_r")
    for i, row in enumerate(rows):
        for j, ratio in enumerate(ratios):
            dark = norm(shown[i, j]) > 0.55
            star = "*" if row in starred[ratio] else ""
            axis.text(
                j,
                i,
                written(values[i, j]) + star,
                ha="center",
                va="center",
                fontsize=6,
                fontweight="bold" if star else "normal",
                color="white" if dark else "black",
            )
    for i, row in enumerate(rows):
        if not data.usable(task.name, row.arm):
            _hatch(axis, i, len(ratios))
    together = len({row.arm for row in rows}) > 1
    axis.set_yticks(range(len(rows)), [row.arm if together else label(row.change) for row in rows])
    axis.set_xticks(range(len(ratios)), [str(ratio) for ratio in ratios])
    axis.tick_params(length=0)
    axis.grid(False)
    axis.spines[:].set_visible(False)
    return image


def _hatch(axis: "Axes", row: int, width: int) -> None:
    from matplotlib.patches import Rectangle

    axis.add_patch(Rectangle((-0.5, row - 0.5), width, 1, fill=False, hatch="///", edgecolor="#888888", linewidth=0))


def _claims_of(task: Task) -> tuple[str, ...]:
    by_role = {
        "averaging": ("no_op",),
        "classes": ("control", "order", "sphere", "not_best"),
        "evidence": ("control", "order"),
        "local": ("positions", "tax"),
        "recall": ("positions", "gain_in_range", "gain_nope", "best", "added", "only_rope"),
        "argmax": ("gain_nope",),
    }
    return tuple(f"length_extrapolation.{name}" for name in by_role.get(task.role, ()))
