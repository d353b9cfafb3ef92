"""Excess and distances by position."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.drawing import LEVEL, style
from testbed.studies.judge import Student
from testbed.studies.study import StudyFigure
from testbed.studies.variable_order.claims import STUDY
from testbed.studies.variable_order.config import Arm
from testbed.studies.variable_order.data import Data, Floats
from testbed.studies.variable_order.notes import UNASKED

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from testbed.studies.variable_order.study import VariableOrder

Row = dict[str, Any]


def curve(axis: "Axes", data: Data, x: Floats, values: Floats, look: dict[str, Any]) -> list[Row]:
    """The mean of (R, n) values with a band."""
    bounds = np.array([data.mean(column).interval((1 - LEVEL) / 2) for column in values.T])
    mean = values.mean(axis=0)
    axis.plot(x, mean, **{"markevery": max(1, len(x) // 6), "markersize": 3.5} | look)
    axis.fill_between(x, bounds[:, 0], bounds[:, 1], color=look["color"], alpha=0.2, linewidth=0)
    return [
        {"position": float(at), "what": look["label"], "mean": float(one), "lower": float(low), "upper": float(high)}
        for at, one, (low, high) in zip(x, mean, bounds, strict=True)
    ]


def line(axis: "Axes", data: Data, x: Floats, name: str, look: dict[str, Any], said: str = "") -> list[Row]:
    """A rival, with a band over the sequences on which rivals are measured; `said` in place of the legend's label. What
    is not above zero is left out of a logarithmic axis."""
    values, sign = (-data.positions[name], -1) if name == "tree" else (data.positions[name], 1)
    n = len(data.rows[name])
    ends = [
        Student(float(one), float(error) * np.sqrt(n), n, "sequence").interval((1 - LEVEL) / 2)
        for one, error in zip(sign * values, data.errors[name], strict=True)
    ]
    bounds = np.sort(sign * np.array(ends), axis=1)
    if axis.get_yscale() == "log":
        values = np.where(values > 1e-9, values, np.nan)
        bounds = np.where(values[:, None] > 1e-9, bounds, np.nan)
    axis.plot(x, values, **{"linewidth": 1.0, "markevery": max(1, len(x) // 4), "markersize": 3.0} | look)
    axis.fill_between(x, bounds[:, 0], bounds[:, 1], color=look["color"], alpha=0.25, linewidth=0)
    who = said or look["label"]
    return [
        {"position": float(at), "what": who, "mean": float(one), "lower": float(low), "upper": float(high)}
        for at, one, (low, high) in zip(x, values, bounds, strict=True)
        if np.isfinite(one)
    ]


def positions_of(study: "VariableOrder") -> Floats:
    """Tokens seen before each scored position."""
    return np.arange(study.task.depth, study.task.length, dtype=np.float64)


def excess_figure(study: "VariableOrder", data: Data) -> StudyFigure:
    """The paper's figure: excess over context-tree weighting by position, for each number of layers; rivals beside."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9.6, 4.9))
    axes[0].set_yscale("log")
    x, rows = positions_of(study), []
    for place, arm in enumerate(study.arms):
        found = curve(axes[0], data, x, data.arms[arm.name].excess, style(place) | {"label": arm.said})
        rows += [{"panel": "models"} | row for row in found]
    best = data.best
    grey = {"color": "0.35", "linestyle": (0, (4, 2)), "marker": "", "label": f"best fixed order ({best})"}
    rows += [{"panel": "models"} | row for row in line(axes[0], data, x, f"order_{best}", grey)]
    for name, dash in (("placed", "-"), ("counts", (0, (1, 1))), ("sure", (0, (5, 1, 1, 1)))):
        look = {"color": "0.15", "linestyle": dash, "linewidth": 1.5, "marker": "", "label": UNASKED[name]}
        rows += [{"panel": "models"} | row for row in line(axes[0], data, x, name, look)]
    named = [(f"order_{order}", f"order {order}") for order in range(data.n_orders)]
    named += [(name, UNASKED[name]) for name in ("placed", "counts", "sure", "ppm")]
    for place, (name, label) in enumerate(named):
        rows += [{"panel": "rivals"} | row for row in line(axes[1], data, x, name, style(place) | {"label": label})]
    for place, prior in enumerate(study.rivals.mismatches):
        grey = {"color": "0.6", "linestyle": (0, (2, 1)), "marker": "", "label": "" if place else "wrong priors"}
        found = line(axes[1], data, x, f"mismatch_{place}", grey, f"wrong prior: {prior.said}")
        rows += [{"panel": "rivals"} | row for row in found]
    tree = {"color": "0.0", "linewidth": 1.6, "linestyle": "-", "marker": "", "label": "who knows the tree"}
    rows += [{"panel": "rivals"} | row for row in line(axes[1], data, x, "tree", tree)]
    for axis, title in zip(axes, ("Transformers", "Without a network"), strict=True):
        axis.axhline(0.0, color="0.2", linewidth=0.8)
        axis.set_title(title)
        axis.set_xlabel("tokens seen")
        axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=2)
    means = np.array([data.arms[arm.name].excess.mean(axis=0) for arm in study.arms])
    axes[0].set_ylim(0.5 * float(means[:, 1:].min()), 1.5 * float(means.max()))
    axes[1].set_ylim(-1.1 * float(data.positions["tree"].max()), 1.3 * float(data.positions["order_0"].max()))
    axes[0].set_ylabel("loss above context-tree weighting (nats)")
    names = ["one_fails", "one_nats", "two_constant", "deep_constant", "two_unasking", "deep_unasking", "everywhere"]
    names += ["falls", "near", "near_nats", "depth_pays", "depth_modest", "ppm_worse"]
    names += ["bare_short", "bare_blend"] * study.attention_only
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Excess over context-tree weighting by position and layers",
        caption=(
            "Loss above that of context-tree weighting with the source's prior, which is the Bayes law (zero): KL"
            " divergence, mean over fresh sequences of random trees. Left: trained models, logarithmic, mean over"
            f" {study.n_seeds} runs, bands {LEVEL:.0%} intervals. Right: learners without a network, mean over"
            f" {study.rivals.n_sequences} sequences, bands likewise, mostly narrower than the lines. Blends are of the"
            " fixed orders and ask no evidence: by quarters with weights for each quarter, by counts with weights by"
            " how often the present contexts were seen, by counts and confidence also by each order's entropy. Wrong"
            f" priors: {'; '.join(one.said for one in study.rivals.mismatches)} (branching, concentration, depth). Who"
            " knows the tree is better than Bayes by what it costs to find it."
            " What lies beyond an axis is cut off: learners that trust long contexts at once are, at the start."
            f" Sequences begin with {study.task.depth} uniform tokens, which are left out."
        ),
        claims=tuple(f"{STUDY}.{name}" for name in names),
        shows=("2410.05493 excess-by-position-and-layers",),
    )


def distance_figure(study: "VariableOrder", data: Data) -> StudyFigure:
    """KL of each closed-form law from a model, by position."""
    import matplotlib.pyplot as plt

    shown = (Arm(1), Arm(2), Arm(study.layers[-1]), Arm(2, "full"))
    figure, axes = plt.subplots(1, len(shown), figsize=(8.4, 3.1), sharey=True)
    x, rows = positions_of(study), []
    for axis, arm in zip(axes, shown, strict=True):
        one = data.arms[arm.name]
        laws = [("context-tree weighting", one.excess)]
        laws += [(UNASKED["counts"], one.to_counts), (UNASKED["sure"], one.to_sure)]
        laws += [(f"order {order}", one.to_orders[:, order]) for order in range(data.n_orders)]
        for place, (label, values) in enumerate(laws):
            found = curve(axis, data, x, values, style(place) | {"label": label})
            rows += [{"model": arm.said} | row for row in found]
        axis.set_title(arm.said.replace(", trained", ",\ntrained"), fontsize=8)
        axis.set_xlabel("tokens seen")
    axes[0].set_ylabel("KL(law || model) (nats)")
    axes[0].set_yscale("log")
    axes[0].set_ylim(3e-4, 1.2 * max(float(row["upper"]) for row in rows))
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Which law a model is nearest to",
        caption=(
            "KL divergence of each closed-form law from the model, mean over fresh sequences of random trees and"
            f" {study.n_seeds} runs, bands {LEVEL:.0%} intervals; logarithmic, what is below 0.0003 nats is cut off."
        ),
        claims=(f"{STUDY}.two_unasking", f"{STUDY}.deep_unasking"),
    )
