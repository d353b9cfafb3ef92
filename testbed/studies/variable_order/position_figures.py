"""Excess, coefficients and distances by position."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.drawing import LEVEL, style
from testbed.studies.judge import Student
from testbed.studies.study import StudyFigure
from testbed.studies.variable_order.claims import STUDY
from testbed.studies.variable_order.config import Arm
from testbed.studies.variable_order.data import Data, Floats

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


def line(axis: "Axes", data: Data, x: Floats, name: str, look: dict[str, Any]) -> list[Row]:
    """A rival, with a band over the sequences on which rivals are measured."""
    values, sign = (-data.positions[name], -1) if name == "tree" else (data.positions[name], 1)
    n = len(data.rows[name])
    ends = [
        Student(float(one), float(error) * np.sqrt(n), n, "sequence").interval((1 - LEVEL) / 2)
        for one, error in zip(sign * values, data.errors[name], strict=True)
    ]
    bounds = np.sort(sign * np.array(ends), axis=1)
    axis.plot(x, values, **{"linewidth": 1.0, "markevery": max(1, len(x) // 4), "markersize": 3.0} | look)
    axis.fill_between(x, bounds[:, 0], bounds[:, 1], color=look["color"], alpha=0.25, linewidth=0)
    return [
        {"position": float(at), "what": look["label"], "mean": float(one), "lower": float(low), "upper": float(high)}
        for at, one, (low, high) in zip(x, values, bounds, strict=True)
    ]


def positions_of(study: "VariableOrder") -> Floats:
    """Tokens seen before each scored position."""
    return np.arange(study.task.depth, study.task.length, dtype=np.float64)


def excess_figure(study: "VariableOrder", data: Data) -> StudyFigure:
    """The paper's figure: excess over context-tree weighting by position, for each number of layers; rivals beside."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9.6, 4.9), sharey=True)
    x, rows = positions_of(study), []
    for place, arm in enumerate(study.arms):
        found = curve(axes[0], data, x, data.arms[arm.name].excess, style(place) | {"label": arm.said})
        rows += [{"panel": "models"} | row for row in found]
    best = data.best
    grey = {"color": "0.35", "linestyle": (0, (4, 2)), "marker": "", "label": f"best fixed order ({best})"}
    rows += [{"panel": "models"} | row for row in line(axes[0], data, x, f"order_{best}", grey)]
    dots = {"color": "0.15", "linestyle": "-", "linewidth": 1.5, "marker": "", "label": "constant log-linear blend"}
    rows += [{"panel": "models"} | row for row in line(axes[0], data, x, "loglinear", dots)]
    named = [(f"order_{order}", f"order {order}") for order in range(data.n_orders)]
    named += [("linear", "constant linear blend"), ("loglinear", "constant log-linear blend")]
    named += [("interpolation", "interpolation by counts"), ("ppm", "partial matching")]
    named += [(f"mismatch_{i}", f"wrong prior: {one.said}") for i, one in enumerate(study.rivals.mismatches)]
    for place, (name, label) in enumerate(named):
        look = style(place) | {"label": label}
        if place >= 7:
            look["color"] = "0.5"
        rows += [{"panel": "rivals"} | row for row in line(axes[1], data, x, name, look)]
    tree = {"color": "0.0", "linewidth": 1.6, "linestyle": "-", "marker": "", "label": "who knows the tree"}
    rows += [{"panel": "rivals"} | row for row in line(axes[1], data, x, "tree", tree)]
    for axis, title in zip(axes, ("Transformers", "Without a network"), strict=True):
        axis.axhline(0.0, color="0.2", linewidth=0.8)
        axis.set_title(title)
        axis.set_xlabel("tokens seen")
        axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=2)
    top = 1.15 * max(float(data.positions["order_0"].max()), float(data.arms[Arm(1).name].excess.mean(axis=0).max()))
    axes[0].set_ylim(-1.1 * float(data.positions["tree"].max()), top)
    axes[0].set_ylabel("loss above context-tree weighting (nats)")
    names: tuple[str, ...] = (
        "one_fails",
        "beyond_one",
        "two_adapts",
        "deep_adapts",
        "everywhere",
        "near",
        "full_fixed",
    )
    names += ("depth_pays", "depth_modest", "bare_short", "bare_fixed", "ppm_worse")
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Excess over context-tree weighting by position and layers",
        caption=(
            "Loss above that of context-tree weighting with the source's prior, which is the Bayes law (zero): KL"
            " divergence, mean over fresh sequences of random trees. Left: trained models, mean over"
            f" {study.n_seeds} runs, bands {LEVEL:.0%} intervals. Right: learners without a network, mean over"
            f" {study.rivals.n_sequences} sequences, bands likewise, mostly narrower than the lines; constant"
            " blends have the same weights throughout; b, a and D are a prior's branching, concentration and depth; who"
            " knows the tree is better than Bayes by what it costs"
            f" to find it. Sequences begin with {study.task.depth} uniform tokens, which are left out."
        ),
        claims=tuple(f"{STUDY}.{name}" for name in names),
        shows=("2410.05493 excess-by-position-and-layers",),
    )


def adaptivity_figure(study: "VariableOrder", data: Data) -> StudyFigure:
    """The coefficient of context-tree weighting, by quarters of the sequence."""
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(4.6, 3.6))
    x = positions_of(study)
    middles = np.array([x[part].mean() for part in data.parts])
    rows: list[Row] = []
    for place, arm in enumerate(study.arms):
        values = data.arms[arm.name].adaptivity
        bounds = np.array([data.mean(column).interval((1 - LEVEL) / 2) for column in values.T])
        mean = values.mean(axis=0)
        at = middles + (place - (len(study.arms) - 1) / 2) * 0.012 * study.task.length
        reach = np.abs(bounds.T - mean)
        axis.errorbar(at, mean, yerr=reach, capsize=2, markersize=3.5, label=arm.said, **style(place))
        rows += [
            {"tokens_seen": float(m), "what": arm.said, "mean": float(one), "lower": float(low), "upper": float(high)}
            for m, one, (low, high) in zip(middles, mean, bounds, strict=True)
        ]
    axis.axhline(1.0, color="0.3", linewidth=1.2, linestyle="-", label="context-tree weighting")
    axis.axhline(0.0, color="0.3", linewidth=1.2, linestyle=":", label="0: constant linear blends")
    blind = {"loglinear": ("constant log-linear blend", "--"), "ppm": ("partial matching", "-.")}
    for name, (label, dashes) in blind.items():
        axis.axhline(data.late[name], color="0.5", linewidth=0.9, linestyle=dashes, label=f"{label}, second half")
        rows.append({"tokens_seen": None, "what": label, "mean": data.late[name], "lower": None, "upper": None})
    axis.set_xlabel("tokens seen (middle of a quarter)")
    axis.set_ylabel("coefficient of context-tree weighting")
    axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=2)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Who follows the order that does well",
        caption=(
            "Partial regression coefficient of context-tree weighting on a model's laws, beside the uniform law, every"
            " fixed order and their interpolation by counts: 1 for context-tree weighting, 0 for each of the others and"
            " for linear blends of them with constant weights. Log-linear blends and partial matching follow no"
            f" evidence either and are not at 0 (grey lines, {study.rivals.n_sequences} sequences): coefficients below"
            f" about {max(data.late[name] for name in blind):.2f} show nothing. By quarters of the sequence; mean"
            f" over {study.n_seeds} runs, bars {LEVEL:.0%} intervals, set side by side."
        ),
        claims=tuple(f"{STUDY}.{name}" for name in ("two_blend", "depth_evidence", "deep_evidence", "full_blind")),
    )


def distance_figure(study: "VariableOrder", data: Data) -> StudyFigure:
    """KL of each closed-form law from a model, by position."""
    import matplotlib.pyplot as plt

    shown = (Arm(1), Arm(2), Arm(study.layers[-1]), Arm(2, "full"))
    figure, axes = plt.subplots(1, len(shown), figsize=(8.4, 3.1), sharey=True)
    x, rows = positions_of(study), []
    for axis, arm in zip(axes, shown, strict=True):
        one = data.arms[arm.name]
        laws = [("context-tree weighting", one.excess), ("interpolation by counts", one.to_interpolation)]
        laws += [(f"order {order}", one.to_orders[:, order]) for order in range(data.n_orders)]
        for place, (label, values) in enumerate(laws):
            found = curve(axis, data, x, values, style(place) | {"label": label})
            rows += [{"model": arm.said} | row for row in found]
        axis.set_title(arm.said.replace(", trained", ",\ntrained"), fontsize=8)
        axis.set_xlabel("tokens seen")
    axes[0].set_ylabel("KL(law || model) (nats)")
    axes[0].set_ylim(0.0, 1.05 * max(float(row["upper"]) for row in rows))
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Which law a model is nearest to",
        caption=(
            "KL divergence of each closed-form law from the model, mean over fresh sequences of random trees and"
            f" {study.n_seeds} runs, bands {LEVEL:.0%} intervals."
        ),
        claims=tuple(f"{STUDY}.{name}" for name in ("nearest", "beyond_counts")),
    )
