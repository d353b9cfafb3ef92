"""The figures, from records alone."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.runs import Record
from testbed.studies.drawing import LEVEL, style
from testbed.studies.feature_estimators.claims import GENEROUS, STUDY
from testbed.studies.feature_estimators.data import Data, gather
from testbed.studies.feature_estimators.estimators import CONDITIONS, NAMES
from testbed.studies.feature_estimators.labels import SHORT
from testbed.studies.feature_estimators.sweep_figure import sweep_figure
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.feature_estimators.study import FeatureEstimators


def figures(study: "FeatureEstimators", records: Sequence[Record]) -> dict[str, StudyFigure]:
    """Every figure, once all cells are done."""
    data = gather(study, records)
    if data is None:
        return {}
    return {
        "errors": errors_figure(study, data),
        "estimates": estimates_figure(study, data),
        "kernel": kernel_figure(study, data),
        "sweep": sweep_figure(study, data),
    }


def errors_figure(study: "FeatureEstimators", data: Data) -> StudyFigure:
    """Error of every estimator under every condition: on one scale, and on a scale fitted anew."""
    import matplotlib.pyplot as plt
    from matplotlib.colors import LogNorm

    figure, axes = plt.subplots(1, 2, figsize=(7, 4.2), sharey=True)
    rows: list[dict[str, Any]] = []
    for axis, refitted in zip(axes, (False, True), strict=True):
        table = np.empty((len(NAMES), len(CONDITIONS)))
        for i, name in enumerate(NAMES):
            for j, condition in enumerate(CONDITIONS):
                middle, low, high = data.interval(data.errors(name, condition, refitted))
                table[i, j] = middle
                rows.append(
                    {"estimator": name, "condition": condition, "refitted": refitted}
                    | {"error": middle, "lower": low, "upper": high}
                )
        axis.imshow(np.clip(table, 0.005, 5.0), cmap="cividis", norm=LogNorm(0.005, 5.0), aspect="auto")
        for i, j in np.ndindex(*table.shape):
            good = table[i, j] <= study.bounds.error
            text = f"{table[i, j]:.2f}" if table[i, j] < 9.95 else f"{table[i, j]:.0f}"
            axis.text(
                j,
                i,
                text,
                ha="center",
                va="center",
                fontsize=6,
                weight="bold" if good else "normal",
                color="white" if table[i, j] < 0.16 else "black",
            )
        axis.set_xticks(range(len(CONDITIONS)), CONDITIONS, rotation=40, ha="right", fontsize=6.5)
        axis.grid(False)
        axis.set_title("scale fitted anew" if refitted else "scale fitted on the baseline", fontsize=8)
    axes[0].set_yticks(range(len(NAMES)), [SHORT[name] for name in NAMES], fontsize=7)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Error of estimators of the state's entropy",
        caption=(
            "Largest error of S over l as a share of its range, after an affine map of each estimator's own, mean over"
            f" {study.replicates} draws; bold: at most {study.bounds.error:.0%}. The CSV has the {LEVEL:.0%} intervals."
            " The probe is told the states. `noise` blurs the state and is not judged; refitting to another encoding"
            " (right) is shown, not allowed."
        ),
        claims=tuple(f"{STUDY}.c4_{name}" for name in NAMES) + tuple(f"{STUDY}.c4_{one}_any_unit" for one in GENEROUS),
    )


def estimates_figure(study: "FeatureEstimators", data: Data) -> StudyFigure:
    """What four estimators say against S, under each condition."""
    import matplotlib.pyplot as plt

    shown = ("kernel", "s_n", "diffusion", "probe")
    figure, axes = plt.subplots(1, len(shown), figsize=(7, 2.9))
    rows: list[dict[str, Any]] = []
    for axis, name in zip(axes, shown, strict=True):
        for k, condition in enumerate(CONDITIONS[:-1]):
            values = data.values.at(estimator=name, condition=condition)
            found = np.array([data.interval(column) for column in values.T])
            axis.errorbar(
                data.entropy,
                found[:, 0],
                yerr=[found[:, 0] - found[:, 1], found[:, 2] - found[:, 0]],
                label=condition,
                capsize=1.0,
                elinewidth=0.7,
                **{**style(k), "linewidth": 0.9, "markersize": 3},
            )
            rows += [
                {"estimator": name, "condition": condition, "entropy": float(s)}
                | {"mean": float(one[0]), "lower": float(one[1]), "upper": float(one[2])}
                for s, one in zip(data.entropy, found, strict=True)
            ]
        axis.set_title(SHORT[name], fontsize=8)
        axis.set_xlabel("S (nats)", fontsize=7)
        axis.tick_params(labelsize=6)
    axes[0].set_ylabel("estimate (nats)", fontsize=7)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=6, fontsize=6.5)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Estimates against the entropy of the state",
        caption=(
            "One state, S = l ln 2, under changes that leave it alone. Bars:"
            f" {LEVEL:.0%} intervals over {study.replicates} draws, each point alone."
        ),
        claims=tuple(f"{STUDY}.c4_{name}" for name in shown),
    )


def kernel_figure(study: "FeatureEstimators", data: Data) -> StudyFigure:
    """The kernel entropy against its identity and the truth; what of two laws it sees; bandwidths."""
    import matplotlib.pyplot as plt

    d = np.array(study.kernel.dimensions, dtype=np.float64)
    figure, axes = plt.subplots(1, 3, figsize=(7, 2.9))
    rows: list[dict[str, Any]] = []
    for k, (law, label) in enumerate((("normal", "normal"), ("two_valued", "two-valued"))):
        arrays = data.kernel[law]
        for column, what, linestyle in ((0, "estimate", ""), (1, "identity", "-"), (3, "truth", "--")):
            found = np.array([data.interval(one) for one in (arrays[..., column] / d).T])
            rows += [
                {"panel": "per dimension", "law": law, "quantity": what, "x": float(at)}
                | {"mean": float(one[0]), "lower": float(one[1]), "upper": float(one[2])}
                for at, one in zip(d, found, strict=True)
            ]
            if what == "estimate":
                axes[0].errorbar(
                    d,
                    found[:, 0],
                    yerr=[found[:, 0] - found[:, 1], found[:, 2] - found[:, 0]],
                    label=f"{label}, estimate",
                    capsize=1.0,
                    **{**style(k), "linestyle": "", "markersize": 4},
                )
            else:
                axes[0].plot(
                    d,
                    found[:, 0],
                    color=style(k)["color"],
                    linestyle=linestyle,
                    marker="",
                    linewidth=0.9,
                    label=f"{label}, {what}",
                )
    axes[0].set_ylabel("nats per dimension")
    axes[0].legend(fontsize=5.5)
    share = np.array([data.interval(one) for one in data.kernel["normal"][..., 2].T])
    seen = np.array([data.interval(one) for one in data.seen().T])
    for k, (name, found) in enumerate((("own kernel's share", share), ("true difference seen", seen))):
        axes[1].errorbar(
            d,
            found[:, 0],
            yerr=[found[:, 0] - found[:, 1], found[:, 2] - found[:, 0]],
            label=name,
            capsize=1.0,
            **{**style(k), "linewidth": 0.9, "markersize": 3.5},
        )
        rows += [
            {"panel": "shares", "quantity": name, "x": float(at), "mean": float(one[0]), "lower": float(one[1])}
            | {"upper": float(one[2])}
            for at, one in zip(d, found, strict=True)
        ]
    axes[1].set_ylabel("share")
    axes[1].legend(fontsize=6.5)
    for axis in axes[:2]:
        axis.set_xscale("log", base=2)
        axis.set_xticks(d, [f"{one:.0f}" for one in d], fontsize=6.5)
        axis.minorticks_off()
        axis.set_xlabel("d (dimensions)")
    h = np.array(study.kernel.bandwidths)
    for k, at in enumerate((0, len(d) // 2, len(d) - 1)):
        sweep = data.kernel["sweep"][:, at] / d[at]
        moved = sweep - sweep[:, :1]
        found = np.array([data.interval(one) for one in moved.T])
        axes[2].errorbar(
            h,
            found[:, 0],
            yerr=[found[:, 0] - found[:, 1], found[:, 2] - found[:, 0]],
            label=f"d = {d[at]:.0f}",
            capsize=1.0,
            **{**style(k), "linestyle": "", "markersize": 3.5},
        )
        rows += [
            {"panel": "sweep", "quantity": f"d = {d[at]:.0f}", "x": float(x), "mean": float(one[0])}
            | {"lower": float(one[1]), "upper": float(one[2])}
            for x, one in zip(h, found, strict=True)
        ]
    axes[2].plot(h, np.log(h / h[0]), color="0.5", linestyle="-", marker="", linewidth=1.0, label="ln h", zorder=0)
    axes[2].set_xlabel("bandwidth h")
    axes[2].set_ylabel("change per dimension (nats)")
    axes[2].legend(fontsize=6.5)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="The kernel entropy is a log-determinant",
        caption=(
            "Left: estimates, the identity ln N + (d/2) ln 2 pi + d ln h + (1/2) ln det (solid) and the truth (dashed),"
            " for a normal law and one of two values a coordinate, same covariance; the identities coincide. Middle:"
            " what share of a point's density its own kernel is, and what share of the two laws' difference is seen."
            f" Right: a bandwidth adds d ln h. Bars: {LEVEL:.0%} intervals over {study.replicates} draws, each point"
            " alone."
        ),
        shows=("2502.01481 F5",),
        claims=tuple(
            f"{STUDY}.{name}"
            for name in ("kernel_identity", "kernel_sees_shape", "kernel_sees_shape_low", "kernel_bandwidth")
        ),
    )
