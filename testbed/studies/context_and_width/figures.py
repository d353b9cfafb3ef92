"""The figures: the loss over context length for each width, and the best context against the width."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.runs import Record
from testbed.studies.context_and_width.claims import STUDY
from testbed.studies.context_and_width.data import WidthData, gather
from testbed.studies.drawing import LEVEL, style
from testbed.studies.judge import Mean, Replicates
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.context_and_width.study import ContextAndWidth


def figures(study: "ContextAndWidth", records: Sequence[Record]) -> dict[str, StudyFigure]:
    """Both figures, once all cells are done."""
    data = gather(study, records)
    if data is None or any(np.isnan(one.excess).any() for one in data.values()):
        return {}
    return {"best_context": best_context_figure(study, data), "losses": losses_figure(study, data)}


def losses_figure(study: "ContextAndWidth", data: dict[int, WidthData]) -> StudyFigure:
    """Loss above the rate over l, one panel a dataset size, one curve a width, with the exact Bayes risk."""
    import matplotlib.pyplot as plt

    sizes, lengths = study.arm.sizes, np.array(study.arm.lengths)
    figure, axes = plt.subplots(1, len(sizes), figsize=(2.4 * len(sizes), 2.9), sharey=True, squeeze=False)
    rows: list[dict[str, Any]] = []
    first = data[study.widths[0]]
    rate = first.risk[:, -1:]
    for at, (size, axis) in enumerate(zip(sizes, axes[0], strict=True)):
        risk = (first.risk - rate).mean(axis=0)
        shown = risk > 1e-12
        axis.plot(
            lengths[shown], risk[shown], color="0.5", linewidth=2.5, linestyle="-", marker="", label="$h_l - h$, exact"
        )
        for place, (width, one) in enumerate(data.items()):
            found = np.array([_interval(column) for column in (one.loss[at] - rate).T])
            axis.errorbar(
                lengths + 0.06 * (place - (len(data) - 1) / 2),
                found[:, 0],
                yerr=[found[:, 0] - found[:, 1], found[:, 2] - found[:, 0]],
                capsize=1.2,
                elinewidth=0.7,
                label=f"width {width}",
                **{**style(place), "linewidth": 1.0, "markersize": 3},
            )
            rows += [
                {"width": width, "dataset_size": size, "context_length": int(l), "loss_above_rate": a, "lower": b}
                | {"upper": c, "bayes_risk_above_rate": float(risk[l]), "excess": float(one.excess[at, :, l].mean())}
                for l, (a, b, c) in zip(lengths, found.tolist(), strict=True)
            ]
        axis.set_yscale("log")
        axis.set_title(f"D = {size:,}")
        axis.set_xlabel("context length l")
        axis.set_xticks(lengths)
    axes[0][0].set_ylabel("loss − h (nats)")
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=len(data) + 1)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="The loss over context length by width",
        caption=(
            "Loss above the entropy rate h: exact Bayes risk (grey; zero from the order of the source on) plus the"
            f" exact excess of transformers of each width, judged by {study.estimand.replace('_', ' ')}. Mean over"
            f" {study.n_kernels} kernels, bars: {LEVEL:.0%} intervals, each point alone; points are set side by side."
        ),
        claims=(f"{STUDY}.better",),
    )


def best_context_figure(study: "ContextAndWidth", data: dict[int, WidthData]) -> StudyFigure:
    """l*_delta against the width, one curve a dataset size."""
    import matplotlib.pyplot as plt

    widths = np.array(study.widths, dtype=np.float64)
    figure, axis = plt.subplots(figsize=(4.6, 3.2))
    rows: list[dict[str, Any]] = []
    for place, size in enumerate(study.arm.sizes):
        best = [data[width].rankings[place].smallest_within(study.delta, 1 - LEVEL) for width in study.widths]
        middle = np.array([one.estimate for one in best], dtype=np.float64)
        low, high = (np.array([getattr(one, name) for one in best]) for name in ("lowest", "highest"))
        axis.errorbar(
            widths * 1.06 ** (place - (len(study.arm.sizes) - 1) / 2),
            middle,
            yerr=[middle - low, high - middle],
            capsize=2,
            label=f"D = {size:,}",
            **{**style(place), "markersize": 4},
        )
        rows += [
            {"dataset_size": size, "width": width, "best_context": one.estimate, "lower": one.lowest}
            | {"upper": one.highest, "order_of_the_source": study.arm.order}
            for width, one in zip(study.widths, best, strict=True)
        ]
    axis.axhline(study.arm.order, color="0.6", linestyle="--", marker="", linewidth=1, label="order of the source")
    axis.set_xscale("log", base=2)
    axis.set_xticks(widths, [f"{one:g}" for one in widths])
    axis.minorticks_off()
    axis.set_yticks(study.arm.lengths)
    axis.set_xlabel("width of the network")
    axis.set_ylabel("best context length $l^*$")
    axis.legend(fontsize=7)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="The best context length against the width",
        caption=(
            f"l*: the shortest context whose mean loss is within {study.delta:g} nats of the least, with {LEVEL:.0%}"
            f" confidence intervals from paired tests over {study.n_kernels} kernels, for each point alone. Points are"
            " set side by side."
        ),
        claims=(f"{STUDY}.grows", f"{STUDY}.never_falls"),
    )


def _interval(values: np.ndarray) -> tuple[float, float, float]:
    found = Mean(values, Replicates({"kernel": list(range(len(values)))}, seed=0))
    return found.estimate, *found.interval((1 - LEVEL) / 2)
