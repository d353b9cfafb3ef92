"""The heat maps: excess of every method at every length, one figure a task, one panel an arm."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.length_extrapolation.config import Task
from testbed.studies.length_extrapolation.drawing import FLOOR, interval, label, learnt_text, near_best, written
from testbed.studies.length_extrapolation.results import Measured, Row
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from testbed.studies.length_extrapolation.study import LengthExtrapolation

CEILING = 10.0
CELL, LABELS, LEAST_WIDTH, ROW = 0.42, 1.75, 3.4, 0.165
"""Inches: width of a cell, of the labels beside a panel, of a figure; height of a row."""
BETWEEN, BELOW = 3.0, 1.3
"""Rows of space for the title and the ticks of a panel, and of it for the ticks."""
RIGHT, FOOT = 0.85, 0.2
"""Inches: for the colour bar, and for what stands below."""


def heat_figure(study: "LengthExtrapolation", data: Measured, task: Task, table: list[dict[str, Any]]) -> StudyFigure:
    """Excess by change (down) and length (across); a logarithmic grey-safe scale, every number written."""
    import matplotlib.pyplot as plt
    from matplotlib.colors import LogNorm

    rows_of = panels_of(study, data, task)
    columns = in_columns({name: len(rows) for name, rows in rows_of.items()})
    tallest = max(sum(len(rows_of[name]) + BETWEEN for name in column) for column in columns)
    ratios = study.ratios_of(task)
    wide = CELL * len(ratios)
    width = max(LEAST_WIDTH, len(columns) * (LABELS + wide) + RIGHT)
    height = FOOT + ROW * tallest
    figure = plt.figure(figsize=(width, height))
    figure.set_layout_engine("none")  # every size is known: rows are of one height
    norm = LogNorm(FLOOR, CEILING)
    starred = {ratio: near_best(study, data, task.name, ratio) for ratio in ratios}
    image = None
    for place, column in enumerate(columns):
        left, top = place * (LABELS + wide) + LABELS, height
        for name in column:
            tall = ROW * len(rows_of[name])
            top -= ROW * BETWEEN + tall
            box = left / width, (top + ROW * BELOW) / height, wide / width, tall / height
            axis = figure.add_axes(box)
            image = _panel(study, data, task, axis, rows_of[name], starred, norm)
            axis.set_title(name)
    middle = len(columns) * (LABELS + wide)
    bar_height = min(2.2, height - FOOT - 0.4)
    bar_axis = figure.add_axes(
        ((middle + 0.15) / width, (FOOT + (height - FOOT - bar_height) / 2) / height, 0.1 / width, bar_height / height)
    )
    assert image is not None  # there is a panel
    figure.colorbar(image, cax=bar_axis).set_label("excess (nats)")
    centre = (LABELS + middle) / 2  # of the panels, from the left of the first to the right of the last
    figure.text(centre / width, 0.06 / height, "length n, in training lengths m", fontsize=8, ha="center")
    return StudyFigure(
        figure=figure,
        rows=[row for row in table if row["task"] == task.name],
        title=f"{task.name}: excess of every method at every length",
        caption=(
            "Mean exact KL of the model from the Bayes law, in nats, over the judged positions of the second half of"
            f" fresh sequences of n tokens; m = {task.train_length}. A panel is one trained arm, its rows are the"
            f" changes at test time; mean of {learnt_text(data, task.name)}; 95 % intervals are in the CSV. A star"
            f" marks what is within {study.margin:g} nats of the best of all panels at its length by the whole of its"
            " 95 % interval (paired with every other row); a row that scatters has none. A hatched row's arm did not"
            " learn the task and is not judged; its numbers are medians of all."
            f" The best law without context has {data.no_context[task.name, 1].mean():.2f} nats at n = m."
        ),
        claims=_claims_of(task),
    )


def in_columns(heights: dict[str, int]) -> list[list[str]]:
    """Panels by name, in columns no taller than the tallest of them: in order, each below the last if there is room."""
    tallest = max(heights.values()) + BETWEEN
    columns: list[list[str]] = []
    for name, height in heights.items():
        for column in columns:
            if sum(heights[one] + BETWEEN for one in column) + height + BETWEEN <= tallest:
                column.append(name)
                break
        else:
            columns.append([name])
    return columns


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
        "averaging": ("no_op", "no_op_read", "tax"),
        "classes": ("control", "order", "sphere", "not_best"),
        "evidence": ("control", "order"),
        "local": ("positions", "tax"),
        "recall": (
            *("positions", "gain_in_range", "gain_drawn", "gain_hidden", "best", "added_infoscale", "added_cosscale"),
            *("only_rope", "boundary", "mass_loss"),
        ),
        "argmax": ("gain_drawn", "gain_hidden"),
        "lag": ("reach_bound", "within_reach", "reach_cost"),
    }
    return tuple(f"length_extrapolation.{name}" for name in by_role.get(task.role, ()))
