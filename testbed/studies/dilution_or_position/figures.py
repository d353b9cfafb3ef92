"""The figures: shares of the two factors, the four corners by length, and what scaling takes away."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.runs import Record
from testbed.studies.dilution_or_position.claims import PREFIX, claim_name, claim_rows, control_rows, scaled_arms
from testbed.studies.dilution_or_position.config import NONE
from testbed.studies.dilution_or_position.drawing import (
    DILUTION,
    POSITION,
    counted,
    interval,
    label,
    learnt_rows,
    whiskers,
)
from testbed.studies.dilution_or_position.places import CORNERS
from testbed.studies.dilution_or_position.results import Measured, Row, measured
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.dilution_or_position.study import DilutionOrPosition


def figures(study: "DilutionOrPosition", records: Sequence[Record]) -> dict[str, StudyFigure]:
    """Every figure that has data."""
    data = measured(study, records)
    if data is None:
        return {}
    drawn = {
        "shares": shares_figure(study, data),
        "corners": corners_figure(study, data),
        "scaling": scaling_figure(study, data),
    }
    return {name: one for name, one in drawn.items() if one is not None}


def shares_figure(study: "DilutionOrPosition", data: Measured) -> StudyFigure | None:
    """Shapley values of dilution and position shift with the interaction, by row, one panel a length."""
    import matplotlib.pyplot as plt
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    rows = learnt_rows(study, data, changes=False)
    ratios = study.ratios[1:]
    if not rows:
        return None
    size = (2.2 + 2.3 * len(ratios), 1.3 + 0.42 * len(rows))
    figure, axes = plt.subplots(1, len(ratios), figsize=size, squeeze=False, sharey=True, sharex=True)
    table: list[dict[str, Any]] = []
    for axis, ratio in zip(axes[0], ratios, strict=True):
        for place, row in enumerate(rows):
            effects, kept = data.effects(row, ratio), data.learnt(row)
            named = {"dilution": effects.dilution, "position": effects.position, "interaction": effects.interaction}
            found = {name: interval(data, values, kept) for name, values in named.items()}
            for name, offset, look in (("dilution", -0.27, DILUTION), ("position", 0.0, POSITION)):
                mean = found[name][0]
                axis.barh(place + offset, mean, height=0.25, edgecolor="black", linewidth=0.5, **look)
                whiskers(axis, place + offset, found[name], fmt="none", ecolor="black", capsize=1.5, elinewidth=0.8)
            style: dict[str, Any] = {"fmt": "D", "color": "black", "markersize": 3, "markerfacecolor": "white"}
            whiskers(axis, place + 0.27, found["interaction"], capsize=1.5, elinewidth=0.8, **style)
            for name, (mean, low, high) in found.items():
                table.append(
                    {"task": row.task, "arm": row.arm, "change": row.change, "ratio": ratio, "effect": name}
                    | {"mean": mean, "lower": low, "upper": high, "replicates": int(kept.sum())}
                    | {"ambiguous": effects.is_ambiguous(study.margin)}
                )
        axis.axvline(0.0, color="black", linewidth=0.6)
        axis.set_title(f"n = {ratio} m")
        axis.set_xlabel("share of the excess (nats)")
    controls = control_rows(study)
    names = [label(row) + ("\n(control)" if row in controls else "") for row in rows]
    axes[0][0].set_yticks(range(len(rows)), names)
    axes[0][0].invert_yaxis()
    patches = [Patch(facecolor=one["color"], hatch=one["hatch"], edgecolor="black") for one in (DILUTION, POSITION)]
    diamond = Line2D([], [], marker="D", color="black", markerfacecolor="white", markersize=3, linestyle="")
    figure.legend(
        [*patches, diamond], ["dilution", "position shift", "interaction"], loc="outside lower center", ncols=3
    )
    return StudyFigure(
        figure=figure,
        rows=table,
        title="Dilution and position shift",
        caption=(
            "Shapley values of many keys (dilution) and far positions (position shift) in the excess KL that a sequence"
            " of n tokens costs beyond one of m, and their interaction, which the shares split evenly; recall source,"
            f" m = {study.of_role('recall')[0].train_length}. Where the interaction exceeds the smaller of what each"
            " factor costs alone (its bar less half of the interaction) the shares decide nothing. Controls have no"
            f" positions: all they lose is dilution's. Bars: 95% intervals over {counted(data, rows)}."
        ),
        claims=tuple(PREFIX + claim_name(study, row) for row in claim_rows(study) if row in rows),
    )


LOOKS = {"base": ("o", ":"), "position": ("s", "--"), "dilution": ("^", "-."), "both": ("D", "-")}
CORNER_NAMES = {
    "base": "few keys, near",
    "position": "few keys, far",
    "dilution": "many keys, near",
    "both": "many keys, far",
}
FLOOR = 1e-4


def corners_figure(study: "DilutionOrPosition", data: Measured) -> StudyFigure | None:
    """Excess at the four corners against n / m, one panel a trained arm."""
    import matplotlib.pyplot as plt

    rows = [row for row in data.rows if row.change == NONE and data.learnt(row).any()]
    if not rows:
        return None
    columns = min(4, len(rows))
    lines = -(-len(rows) // columns)
    size = (1.9 * columns + 0.7, 1.9 * lines + 0.9)
    figure, axes = plt.subplots(lines, columns, figsize=size, squeeze=False, sharex=True, sharey=True)
    table: list[dict[str, Any]] = []
    cycle = list(plt.rcParams["axes.prop_cycle"])
    several = len({row.task for row in rows}) > 1
    for axis, row in zip(axes.flat, rows, strict=False):
        kept = data.learnt(row)
        for number, corner in enumerate(CORNERS):
            marker, line = LOOKS[corner]
            found = np.array([interval(data, data.excess[row, ratio][corner][kept], kept) for ratio in study.ratios])
            mean, low, high = np.maximum(found, FLOOR).T
            ratios = np.array(study.ratios) * 1.06 ** (number - 1.5)  # side by side, so that intervals do not overlap
            axis.errorbar(
                ratios,
                mean,
                yerr=np.nan_to_num([mean - low, high - mean]),
                marker=marker,
                linestyle=line,
                color=cycle[number]["color"],
                markersize=3.5,
                markerfacecolor="white" if corner in ("base", "dilution") else None,
                linewidth=1,
                capsize=1.5,
                label=CORNER_NAMES[corner],
            )
            for ratio, (one, lower, upper) in zip(study.ratios, found, strict=True):
                table.append(
                    {"task": row.task, "arm": row.arm, "corner": corner, "ratio": ratio, "excess": one}
                    | {"lower": lower, "upper": upper, "replicates": int(kept.sum())}
                )
        level = float(data.no_context[row.task].mean())
        axis.axhline(level, color="#777777", linewidth=0.8, linestyle=(0, (4, 2)), label="no context")
        axis.axhline(study.gate * level, color="#777777", linewidth=0.8, linestyle=(0, (1, 1.5)), label="gate")
        axis.set_title(f"{label(row)}\n({row.task.replace('_', ' ')})" if several else label(row))
        axis.set_xscale("log", base=2)
        axis.set_yscale("log")
        axis.set_xticks(study.ratios, [str(ratio) for ratio in study.ratios])
        axis.minorticks_off()
    for axis in list(axes.flat)[len(rows) :]:
        axis.set_visible(False)
    for index, axis in enumerate(axes.flat):
        if index + columns >= len(rows):
            axis.set_xlabel("n / m")
            axis.tick_params(labelbottom=True)
    for one in axes[:, 0]:
        one.set_ylabel("excess (nats)")
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return StudyFigure(
        figure=figure,
        rows=table,
        title="The four corners",
        caption=(
            "Mean exact KL of the answer with m or n keys shown (few, many), at positions of a training window or at"
            " the true ones of a sequence of n tokens (near, far); against the law given the tokens that are shown, on"
            " the recall source the same at every corner. Dashed: KL of the best law without context; dotted: the gate"
            f" below which a task counts as learnt. Bars: 95% intervals over {counted(data, rows)}; values under"
            f" {FLOOR:g} nats are drawn there. Points are set side by side."
        ),
        claims=(PREFIX + "averaging", PREFIX + "far_few", PREFIX + "begin"),
    )


EFFECTS = (
    ("many keys alone", "dilution_alone", "o", "C0"),
    ("far positions alone", "position_alone", "s", "C1"),
    ("both together", "total", "D", "C2"),
)


def scaling_figure(study: "DilutionOrPosition", data: Measured) -> StudyFigure | None:
    """What each factor costs alone and both together, with and without each change, at the largest ratio."""
    import matplotlib.pyplot as plt

    recall = {task.name for task in study.of_role("recall")}
    named = set(scaled_arms(study)) | {arm for one in study.changes for arm in one.arms}
    rows = [row for row in learnt_rows(study, data, changes=True) if row.arm in named and row.task in recall]
    if not rows or not study.changes:
        return None
    largest = study.ratios[-1]
    figure, axis = plt.subplots(figsize=(6.2, 1.2 + 0.27 * len(rows)))
    table: list[dict[str, Any]] = []
    before: Row | None = None
    for place, row in enumerate(rows):
        effects, kept = data.effects(row, largest), data.learnt(row)
        for (name, attribute, marker, colour), offset in zip(EFFECTS, (-0.25, 0.0, 0.25), strict=True):
            found = interval(data, getattr(effects, attribute), kept)
            look = {"fmt": marker, "color": colour, "markersize": 3.5, "capsize": 1.5, "elinewidth": 0.8}
            whiskers(axis, place + offset, found, label=name if place == 0 else None, **look)
            table.append(
                {"task": row.task, "arm": row.arm, "change": row.change, "ratio": largest, "effect": name}
                | {"mean": found[0], "lower": found[1], "upper": found[2], "replicates": int(kept.sum())}
            )
        if before is not None and before.arm != row.arm:
            axis.axhline(place - 0.5, color="#999999", linewidth=0.6)
        before = row
    axis.axvline(0.0, color="black", linewidth=0.6)
    axis.set_yticks(range(len(rows)), [label(row) for row in rows])
    axis.set_ylim(len(rows) - 0.4, -0.6)
    axis.set_xlabel(f"excess gained at n = {largest} m (nats)")
    figure.legend(loc="outside lower center", ncols=3)
    return StudyFigure(
        figure=figure,
        rows=table,
        title="What scaling takes away",
        caption=(
            f"Excess KL gained at n = {largest} m by many keys in range, by few keys far out, and by both, with and"
            " without changes at test time. Multipliers of the logits are none at m keys: that they leave what few"
            f" far keys cost is so by construction. Bars: 95% intervals over {counted(data, rows)}."
        ),
        claims=(PREFIX + "scaling_removes", PREFIX + "scaling_only"),
    )
