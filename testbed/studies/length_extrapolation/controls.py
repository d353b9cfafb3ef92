"""Two figures of controls: what scaling costs exact attention, and what changes cost at the training length."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.runs import Record
from testbed.studies.length_extrapolation.drawing import interval, label, learnt_text, looks
from testbed.studies.length_extrapolation.grid import scalings
from testbed.studies.length_extrapolation.oracle import CURVE
from testbed.studies.length_extrapolation.results import Measured, Row, oracles
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.length_extrapolation.study import LengthExtrapolation

LINEAR = 1e-3
"""Nats: the tax axis is linear below this and logarithmic above."""


def oracle_figure(study: "LengthExtrapolation", data: Measured | None, records: Sequence[Record]) -> StudyFigure | None:
    """Left: excess of exact attention against the multiplier. Right: what each method then costs, exact and trained."""
    import matplotlib.pyplot as plt

    longest = {task.name: study.largest(task) for task in study.tasks}
    found = {task: one for (task, ratio), one in oracles(records).items() if ratio == longest[task]}
    if not found:
        return None
    figure, (left, right) = plt.subplots(1, 2, figsize=(7, 3.1), width_ratios=[1, 1.15])
    rows: list[dict[str, Any]] = []
    names = [change.name for change in scalings(study)]
    places = np.arange(len(names))
    cycle = looks()
    for i, (task, one) in enumerate(found.items()):
        look, largest = cycle[i % len(cycle)], longest[task]
        a = one.arrays
        named = look | {"marker": "", "label": f"{task}, n = {largest} m"}
        left.plot(a["curve_power"], np.maximum(a["curve_excess"], 0.0), **named)
        left.plot(a["power"], a["excess"], **(look | {"linestyle": "none"}), markersize=3)
        offset = (i - (len(found) - 1) / 2) * 0.2
        bars = {"color": look["color"], "marker": look["marker"], "linestyle": "none", "markersize": 3.5}
        right.errorbar(a["excess"], places + offset, xerr=2 * a["excess_error"], markerfacecolor="none", **bars)
        for place, name in zip(places, names, strict=True):
            rows.append(
                {
                    "task": task,
                    "ratio": largest,
                    "method": name,
                    "multiplier": float(a["power"][place]),
                    "exact_excess": float(a["excess"][place]),
                    "exact_error": float(a["excess_error"][place]),
                }
            )
            if data is not None and data.usable(task, study.nope_arm):
                one_of = data.difference(task, largest, Row(study.nope_arm, name), Row(study.nope_arm))
                mean, low, high = interval(one_of)
                rows[-1] |= {"trained": mean, "trained_lower": low, "trained_upper": high}
                right.errorbar(mean, place + offset + 0.1, xerr=[[mean - low], [high - mean]], **bars)
        exact = np.asarray(a["power"])
        for power, excess in zip(exact[exact > CURVE[-1]], a["excess"][exact > CURVE[-1]], strict=True):
            left.plot(CURVE[-1], max(excess, 0.0), **(look | {"linestyle": "none", "marker": ">"}), clip_on=False)
            left.annotate(
                f"{power:.0f}" if power >= 10 else f"{power:.1f}",
                (CURVE[-1], max(excess, 0.0)),
                xytext=(-4, 3),
                textcoords="offset points",
                ha="right",
                fontsize=6,
            )
    some = "no replicates" if data is None else learnt_text(data, *found)
    left.axvline(1.0, color="#999999", linewidth=0.8)
    left.axhline(study.margin, color="#999999", linewidth=0.8, linestyle=(0, (1.2, 1.2)))
    left.set_yscale("symlog", linthresh=LINEAR)
    left.set_ylim(-LINEAR / 4, 1)  # the averaging source is at zero, above the axis
    left.set_xlim(CURVE[0], CURVE[-1])
    left.set_xlabel("multiplier of the logits")
    left.set_ylabel("excess of exact attention (nats)")
    left.legend(loc="best")
    right.axvline(study.margin, color="#999999", linewidth=0.8, linestyle=(0, (1.2, 1.2)))
    right.set_xscale("symlog", linthresh=LINEAR)
    right.set_xlim(left=-LINEAR / 2)
    right.set_yticks(places, names)
    right.invert_yaxis()
    right.set_xlabel("what it costs at that length (nats)")
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="What scaling costs attention that needs none",
        caption=(
            "Left: KL of the law that exact attention gives once its logits are multiplied, computed without any model"
            f" (mean of {study.n_oracle} sequences of the task's longest test length); markers are the multipliers of"
            " the methods at this length (an arrow at the edge, with its multiplier: one beyond it), the dotted line is"
            " the smallest effect of interest. Right: the same by method"
            " (open, bars two standard errors) and beside it what the method costs trained transformers without"
            f" positions, excess with it less excess without it (filled, 95 % intervals over {some})."
            " On the averaging source every multiplier is an exact no-op, on the others one is best at every length."
        ),
        claims=tuple(f"length_extrapolation.{name}" for name in ("no_op", "no_op_read", "control", "order", "sphere")),
    )


def tax_figure(study: "LengthExtrapolation", data: Measured) -> StudyFigure | None:
    """Excess at n = m with a change less that without it, over all positions of the sequence."""
    import matplotlib.pyplot as plt

    shown = {task.name for task in study.tasks if task.role in ("local", "averaging", "recall")}
    panels = [
        (task, arm)
        for task, arm in data.learnt
        if task in shown and arm in (study.nope_arm, study.rope_arm) and data.usable(task, arm)
    ]
    if not panels:
        return None
    there = {row.change for _, row, _ in data.late}
    names = [one.name for one in study.changes if not one.no_op and one.roles is None and one.name in there]
    cycle = looks()
    figure, axis = plt.subplots(figsize=(7, 0.9 + 0.25 * len(names)))
    rows: list[dict[str, Any]] = []
    for i, (task, arm) in enumerate(panels):
        look = cycle[i % len(cycle)]
        at, found = [], []
        for place, name in enumerate(names):
            if (task, Row(arm, name), 1) not in data.late:
                continue
            mean, low, high = interval(data.difference(task, 1, Row(arm, name), Row(arm), everywhere=True))
            at.append(place + (i - (len(panels) - 1) / 2) * 0.14)
            found.append((mean, low, high))
            rows.append({"task": task, "arm": arm, "change": name, "tax": mean, "lower": low, "upper": high})
        if not found:  # an arm that is read as trained alone
            continue
        middle, lower, upper = (np.array(part) for part in zip(*found, strict=True))
        axis.errorbar(
            middle,
            at,
            xerr=[middle - lower, upper - middle],
            color=look["color"],
            marker=look["marker"],
            linestyle="none",
            markersize=3,
            markerfacecolor="none" if i >= len(cycle) else None,
            capsize=1,
            elinewidth=0.7,
            label=f"{task}, {arm}",
        )
    axis.axvline(0.0, color="#999999", linewidth=0.8)
    axis.axvline(study.margin, color="#999999", linewidth=0.8, linestyle=(0, (1.2, 1.2)))
    axis.set_xscale("symlog", linthresh=LINEAR)
    axis.set_yticks(range(len(names)), [label(name) for name in names])
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.set_xlabel("excess at n = m with the change, less without (nats)")
    figure.legend(loc="outside right center")
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="What a change costs at the training length",
        caption=(
            "Difference of the mean exact KL over all judged positions of sequences of the training length, paired"
            f" within replicates, with 95 % intervals over {learnt_text(data)}. The axis is linear up to"
            f" {LINEAR:g} nats and logarithmic beyond; the dotted line is the smallest effect of interest. Methods that"
            " count the keys of each query soften the shorter prefixes unless they are clamped. What claims to be a"
            " no-op up to n = m is checked to be one and left out."
        ),
        claims=("length_extrapolation.tax",),
    )
