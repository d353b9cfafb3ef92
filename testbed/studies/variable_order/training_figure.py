"""Excess along training, with the levels of rivals."""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.drawing import LEVEL, style
from testbed.studies.study import StudyFigure
from testbed.studies.variable_order.claims import STUDY
from testbed.studies.variable_order.data import Data
from testbed.studies.variable_order.notes import UNASKED
from testbed.studies.variable_order.position_figures import Row, curve

if TYPE_CHECKING:
    from testbed.studies.variable_order.study import VariableOrder


def training_figure(study: "VariableOrder", data: Data) -> StudyFigure:
    """Mean excess over all positions against the steps, models trained on random trees."""
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(5.4, 3.8))
    rows: list[Row] = []
    arms = [arm for arm in study.arms if arm.kind != "full"]
    for place, arm in enumerate(arms):
        one = data.arms[arm.name]
        look = style(place) | {"label": arm.said, "markevery": 3}
        rows += [{"step": row.pop("position")} | row for row in curve(axis, data, one.path_step, one.path_excess, look)]
        half = data.half[arm.name]
        reach = np.abs(np.array([[half.min()], [half.max()]]) - half.mean())
        cross = {"color": look["color"], "marker": "x", "markersize": 5, "capsize": 2, "linestyle": ""}
        axis.errorbar([one.path_step[-1] / 2], [half.mean()], yerr=reach, **cross)
        rows.append(
            {
                "step": float(one.path_step[-1] / 2),
                "what": f"{arm.said}, half of the steps",
                "mean": float(half.mean()),
                "lower": float(half.min()),
                "upper": float(half.max()),
            }
        )
    seen = study.task.scored / study.task.length  # what rivals lose at the first D positions is 0
    levels = [(f"order_{order}", f"order {order}") for order in range(data.n_orders)]
    blends = [(name, UNASKED[name]) for name in ("placed", "counts", "sure")]
    for place, (name, label) in enumerate([*levels, *blends]):
        level = seen * float(data.positions[name].mean())
        axis.axhline(level, color="0.4", linewidth=0.7, linestyle=(0, (4, 2)))
        at = 0.005 + 0.1 * min(place, 3)  # side by side, for levels may be close
        axis.annotate(
            label,
            (at, level),
            xycoords=("axes fraction", "data"),
            fontsize=6.5,
            va="top" if name == "placed" else "bottom",
        )
        rows.append({"step": None, "what": f"level: {label}", "mean": level, "lower": None, "upper": None})
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xlabel("optimiser steps")
    axis.set_ylabel("excess, all positions (nats)")
    axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
    lowest = min(float(np.min(data.arms[arm.name].path_excess.mean(axis=0))) for arm in arms)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Excess along training",
        caption=(
            "Excess over context-tree weighting along training, all positions; mean over"
            f" {study.n_seeds} runs, bands {LEVEL:.0%} intervals; the learning rate falls to"
            f" {study.optimiser.final_fraction:g} of its peak at the end, so that a curve that flattens there does not"
            " say that longer training would bring nothing. Dashed: levels of learners without a network."
            f" Crosses: whole trainings of half as many steps, the tuning's {study.rates.n_seeds} runs at the chosen"
            f" rate, mean and range. Least mean: {lowest:.4f} nats."
        ),
        claims=tuple(f"{STUDY}.{name}" for name in ("one_fails", "depth_pays", "depth_modest")),
    )
