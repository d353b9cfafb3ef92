"""How long runs take to each order, and how long they wait at the level of the one before."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.depth_and_order.data import Data
from testbed.studies.drawing import LEVEL, median_interval, style
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from testbed.studies.depth_and_order.study import DepthAndOrder

Row = dict[str, Any]


def waits_figure(study: "DepthAndOrder", data: Data) -> StudyFigure:
    """Left: steps until half of the gap is gone. Right: that over the steps at which its level came in reach."""
    import matplotlib.pyplot as plt

    arms = [(name, k) for name, k in data.arms if k > 0 and not name.endswith("_1")]
    shapes = sorted({name for name, _ in arms}, key=[name for name, _ in arms].index)
    figure, axes = plt.subplots(1, 2, figsize=(8.4, 3.4))
    rows: list[Row] = []
    for place, name in enumerate(shapes):
        mine = [k for one, k in arms if one == name]
        aside = 0.11 * (place - (len(shapes) - 1) / 2)
        look = style(place) | {"label": said(name)}
        for axis, what in zip(axes, ("steps", "times"), strict=True):
            rows += _points(axis, data, name, mine, what, aside, look)
    for axis in axes:
        axis.set_yscale("log")
        axis.set_ylim(top=1.7 * axis.get_ylim()[1])
        axis.set_xticks([one.order for one in study.orders[1:]])
        axis.set_xlabel("order k of the chains")
    axes[0].set_ylabel("steps until half of the gap is gone")
    axes[1].set_ylabel("over steps to half way down\nto the level before")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="How long order k takes",
        caption=(
            "Left: optimiser steps until half of the gap between order k - 1 and the Bayes law is gone. Right: the same"
            " over the steps at which the run was half way from the level before down to that of order k - 1: a"
            " factor, of a plateau or of a slope. Median of"
            f" {study.n_seeds} runs with its {LEVEL:.0%} interval by order statistics; arrows: half of the runs or more"
            " were not so far at the end, and the mark is where they ended."
        ),
        claims=tuple(one.id for one in study.claims() if "later" in one.id or "plateau" in one.id),
    )


def said(name: str) -> str:
    """attention_2_heads_2 as "attention alone, 2 layers, 2 heads"."""
    block, depth, *more = name.replace("heads_", "").split("_")
    layers = f"{depth} layer{'s' * (depth != '1')}"
    return ", ".join(
        [{"attention": "attention alone", "full": "norms and MLPs"}[block], layers, *(f"{h} heads" for h in more)]
    )


def _points(
    axis: "Axes", data: Data, name: str, orders: list[int], what: str, aside: float, look: dict[str, Any]
) -> list[Row]:
    """One shape: medians with intervals, and arrows where the median is not known."""
    rows: list[Row] = []
    for k in orders:
        if what == "steps":
            values = data.learnt_at((name, k))
            made = np.full(len(values), np.log(data.arms[name, k].step[-1]))
        else:
            values, made = data.waited((name, k))
        if not len(values):
            continue
        low, middle, high = median_interval(values)
        rows.append({
            "shape": name, "order": k, "what": what, "runs": len(values), "known": int(np.isfinite(values).sum()),
            "median": float(np.exp(middle)), "lower": float(np.exp(low)), "upper": float(np.exp(high)),
        })  # fmt: skip
        mark = float(np.median(np.minimum(values, made)))
        ends = [min(low, mark), min(max(high, mark), float(made.max()))]
        reach = np.array([[np.exp(mark) - np.exp(ends[0])], [np.exp(ends[1]) - np.exp(mark)]])
        label = look["label"] if k == orders[0] else None
        axis.errorbar([k + aside], [np.exp(mark)], yerr=reach, **look | {"label": label, "linestyle": "none"})
        if not np.isfinite(middle):
            axis.annotate(
                "", (k + aside, 1.35 * np.exp(mark)), (k + aside, np.exp(mark)),
                arrowprops={"arrowstyle": "->", "color": look["color"]},
            )  # fmt: skip
    return rows
