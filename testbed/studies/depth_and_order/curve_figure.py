"""The loss along training between its levels."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.depth_and_order.config import BLOCKS, Shape
from testbed.studies.depth_and_order.data import Data
from testbed.studies.drawing import LEVEL, median_interval, style
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from testbed.studies.depth_and_order.study import DepthAndOrder

Row = dict[str, Any]
TITLES = {"attention": "attention alone", "full": "norms and MLPs"}


def curves_figure(study: "DepthAndOrder", data: Data) -> StudyFigure:
    """A row for each block, a column for each order from 1 on; every depth, and the levels."""
    import matplotlib.pyplot as plt

    orders = [one.order for one in study.orders[1:]]
    figure, axes = plt.subplots(
        2, len(orders), figsize=(3.0 * len(orders), 5.0), sharex="col", sharey="col", squeeze=False
    )
    rows: list[Row] = []
    for line, block in enumerate(BLOCKS):
        for column, k in enumerate(orders):
            axis = axes[line][column]
            for place, depth in enumerate(study.depths):
                label = f"{depth} layer{'s' * (depth > 1)}"
                rows += _curve(axis, data, Shape(block=block, depth=depth), k, style(place) | {"label": label})
            if block == "attention" and k in study.headed:
                shape = Shape(block="attention", depth=2, heads=k)
                rows += _curve(axis, data, shape, k, style(len(study.depths)) | {"label": "2 layers, k heads"})
            for j, value in enumerate(data.levels[k].counts):
                axis.axhline(value, color="0.5", linewidth=0.8)
                axis.annotate(
                    f"order {j}", (0.0, value), xycoords=("axes fraction", "data"), ha="left", va="center", fontsize=7,
                    color="0.25",
                    bbox={"boxstyle": "square,pad=0.1", "facecolor": "white", "alpha": 0.8, "linewidth": 0},
                )  # fmt: skip
                rows.append({"shape": f"level of order {j}", "order": k, "step": None, "median": value})
            axis.set_xscale("log")
            axis.set_ylim(bottom=0)
            if line == 0:
                axis.set_title(f"k = {k}")
            else:
                axis.set_xlabel("optimiser steps")
        axes[line][0].set_ylabel(f"{TITLES[block]}\nexcess over Bayes (nats)")
    handles = {
        label: handle for axis in axes.flat for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)
    }
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=5)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="On the way to order k",
        caption=(
            "Excess over the Bayes law along training on chains of order k. Grey lines: what counts of lower orders"
            " lose, each with its best smoothing; a plateau is slower there than right above and right below. Median of"
            f" {study.n_seeds} runs, bands its {LEVEL:.0%} intervals by order statistics; runs fall at different times,"
            " so that the median need not have the shape of any of them."
        ),
        claims=tuple(one.id for one in study.claims() if "plateau" in one.id or "later" in one.id),
    )


def _curve(axis: "Axes", data: Data, shape: Shape, k: int, look: dict[str, Any]) -> list[Row]:
    """The median of an arm with its band."""
    path = data.arms[shape.name, k]
    lows, middle, highs = np.array([median_interval(column) for column in path.excess.T]).T
    highs = np.where(np.isfinite(highs), highs, path.excess.max(axis=0))
    axis.plot(path.step, middle, markevery=max(1, len(middle) // 5), **look)
    axis.fill_between(path.step, lows, highs, color=look["color"], alpha=0.2, linewidth=0)
    return [
        {"shape": shape.name, "order": k, "step": float(s), "median": float(m), "lower": float(lo), "upper": float(hi)}
        for s, m, lo, hi in zip(path.step, middle, lows, highs, strict=True)
    ]
