"""The figure of the split: loss above the entropy rate over the context length, one panel a dataset size."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.drawing import LEVEL
from testbed.studies.optimal_context.arm_data import ArmData, counted
from testbed.studies.optimal_context.drawing import BAYES, EXCESS, FLOOR, MIXTURE, NETWORK, STOPPED, TABLE, rows_of
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from testbed.studies.optimal_context.study import OptimalContext

MIXTURE_WORDS = {
    "exact": "The Bayes mixture knows the kernels' prior: averaged over it, no learner does better.",
    "given the contexts": "The Bayes mixture is that given the contexts; it knows the order and the Dirichlet prior.",
    None: "The kernels' prior has no closed-form mixture.",
}


def loss_split_figure(study: "OptimalContext", data: ArmData) -> StudyFigure:
    """One panel a dataset size: loss above the entropy rate over l, split into Bayes risk and excess."""
    import matplotlib.pyplot as plt

    rows = rows_of(study, data)
    n_panels = len(data.arm.sizes)
    columns = n_panels + 1 if n_panels <= 4 else 4
    lines = -(-(n_panels + 1) // columns)
    figure, axes = plt.subplots(
        lines, columns, figsize=(7, 1.75 * lines + 0.4), sharex=True, sharey=True, squeeze=False
    )
    panels = axes.ravel()
    for at, (size, axis) in enumerate(zip(data.arm.sizes, panels, strict=False)):
        _split_panel(axis, data, [row for row in rows if row["dataset_size"] == size], at)
        axis.set_title(f"D = {size:,}")
        optimum = data.rankings[at].smallest_within(study.delta) if np.isfinite(data.loss[at]).all() else None
        if optimum is not None:
            axis.axvspan(optimum.lowest - 0.25, optimum.highest + 0.25, color="0.9", zorder=0)
    handles, labels = panels[0].get_legend_handles_labels()
    legend = panels[n_panels]
    legend.axis("off")
    legend.legend(handles, labels, loc="center left", borderaxespad=0)
    for spare in panels[n_panels + 1 :]:
        spare.axis("off")
    for axis in panels[max(0, n_panels - columns) : n_panels]:
        axis.tick_params(labelbottom=True)
        axis.set_xticks(list(data.arm.lengths))
    figure.supxlabel("context length l (tokens)", fontsize=8)
    figure.supylabel("loss $-$ h (nats per token)", fontsize=8)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title=f"The loss over context length, {data.arm.name} source",
        caption=(
            f"Loss above the entropy rate h at each dataset size D ({data.arm.name} source, order {data.arm.order}):"
            f" Bayes risk h_l - h (exact; zero from l = {data.arm.order} on), exact excess of the trained transformers"
            f" ({study.estimand.replace('_', ' ')}), and their sum. Bars: {LEVEL:.0%} intervals over {counted(data)}."
            " Best stop: the least total on the training path, chosen with the truth. The table learner counts on the"
            f" same targets (add one half). {MIXTURE_WORDS[data.mixture_is]} Grey band: {LEVEL:.0%} confidence interval"
            f" of l*, the shortest context within {study.delta:g} nats of the best. Intervals are for each point alone;"
            f" values under {FLOOR:g} nats are not drawn."
        ),
        shows=("2502.01481 F1",) if data.arm.role == "designed" else (),
        claims=("optimal_context.interior",) if data.arm.role == "designed" else (),
    )


def _split_panel(axis: "Axes", data: ArmData, rows: list[dict[str, Any]], at: int) -> None:
    lengths = np.array([row["context_length"] for row in rows])

    def column(name: str) -> np.ndarray:
        return np.array([row[name] for row in rows], dtype=np.float64)

    risk = column("bayes_risk_above_rate")
    shown = risk > FLOOR
    table = risk + column("table_excess")
    axis.plot(
        lengths, table, color=TABLE, linestyle=(0, (5, 1.5)), marker="s", markersize=3, label="table learner, total"
    )
    if shown.any():
        axis.plot(
            lengths[shown],
            risk[shown],
            color=BAYES,
            linestyle="-",
            marker="D",
            markersize=3,
            label="Bayes risk $h_l - h$",
        )
    else:
        axis.plot([], [], color=BAYES, linestyle="-", marker="D", markersize=3, label="Bayes risk (zero)")
    for name, label, style, marker in (
        ("excess", "excess of the network", (0, (1.2, 1.2)), "^"),
        ("loss_above_rate", "network, total", "-", "o"),
    ):
        middle, low, high = column(name), column(f"{name}_lower"), column(f"{name}_upper")
        below = np.clip(middle - np.maximum(low, FLOOR), 0, None)
        axis.errorbar(
            lengths,
            np.where(middle > FLOOR, middle, np.nan),
            yerr=[below, np.clip(high - middle, 0, None)],
            color=NETWORK if name == "loss_above_rate" else EXCESS,
            linestyle=style,
            marker=marker,
            markersize=3.5,
            capsize=1.5,
            elinewidth=0.8,
            label=label,
        )
    stopped = risk + column("excess_oracle_stop")
    axis.plot(
        lengths, stopped, color=STOPPED, linestyle=(0, (3, 1)), marker="v", markersize=3, label="network, best stop"
    )
    floor = risk + data.mixture[at].mean(axis=0)
    drawn = floor > FLOOR
    if drawn.any():
        dashes = (0, (5, 1.5, 1.2, 1.5))
        axis.plot(
            lengths[drawn], floor[drawn], color=MIXTURE, linestyle=dashes, marker="", label="Bayes mixture, total"
        )
    axis.set_yscale("log")
    axis.set_ylim(bottom=FLOOR)
    axis.set_xticks(list(data.arm.lengths))
