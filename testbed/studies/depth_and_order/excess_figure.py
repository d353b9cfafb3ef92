"""What is left of the gap at the end, run by run."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.depth_and_order.config import BLOCKS, Block, Shape
from testbed.studies.depth_and_order.data import Data
from testbed.studies.depth_and_order.evidence import price
from testbed.studies.depth_and_order.matrix_figure import TITLES, of_ends
from testbed.studies.drawing import LEVEL, median_interval, style
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from testbed.studies.depth_and_order.study import DepthAndOrder

Row = dict[str, Any]


def excess_figure(study: "DepthAndOrder", data: Data) -> StudyFigure:
    """Excess at the end over the gap, by layers: every run, and a line through the medians of an order."""
    import matplotlib.pyplot as plt
    from matplotlib.lines import Line2D

    figure, axes = plt.subplots(1, 2, figsize=(8.4, 3.8), sharey=True)
    edges = {k: one.edge / one.gap for k, one in data.levels.items() if one.edge is not None}
    rows: list[Row] = [{"kind": "one token more", "order": k, "median": edge} for k, edge in edges.items()]
    for axis, block in zip(axes, BLOCKS, strict=True):
        shapes = [shape for shape in study.shapes if shape.block == block]
        for place, one in enumerate(study.orders):
            aside = 0.13 * (place - (len(study.orders) - 1) / 2)
            at = [shape.depth + aside for shape in shapes]
            rows += _runs(axis, data, shapes, one.order, at, style(place) | {"label": f"k = {one.order}"})
        if block == "attention":
            for place, k in enumerate(study.headed):
                look = {"color": style(k)["color"], "marker": "D", "markerfacecolor": "white", "linestyle": "none"}
                shape = Shape(block="attention", depth=2, heads=k)
                look["label"] = f"k = {k}, {k} heads"
                rows += _runs(axis, data, [shape], k, [2.4 + 0.1 * place], look)
        rows += _built(axis, study, data, block)
        axis.axhline(study.bounds.there, color="0.4", linewidth=0.9, linestyle=":")
        axis.axhspan(min(edges.values()), max(edges.values()), color="0.8", zorder=0)
        axis.set_xticks(study.depths)
        axis.set_xlabel("layers")
        axis.set_title(TITLES[block])
        axis.set_yscale("log")
    axes[0].set_ylabel("excess at the end, over the gap")
    handles = axes[0].get_legend_handles_labels()[0]
    handles.append(Line2D([], [], color="0.4", marker="x", linestyle="none", label="built by hand, in the colour of k"))
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="What is left of the gap",
        caption=(
            "Excess over the Bayes law at the end of training, in units of what the best counts of order k - 1 lose"
            f" (k = 0: of what the uniform law does). Dots: single runs, {study.n_seeds} each; marks: their median,"
            f" with its {LEVEL:.0%} interval by order statistics. Dotted: below this a run has learnt the order. Grey:"
            " what counts of order k - 1 with one token more lose, over all k from 1 on. Open diamonds: two layers of"
            " attention with k heads. Crosses: networks built by hand; what they lose is their linear readout of"
            f" probabilities, as it must be; intervals over {study.reading.n_built_sequences} sequences."
        ),
        claims=of_ends(study),
    )


def _runs(axis: "Axes", data: Data, shapes: list[Shape], k: int, at: list[float], look: dict[str, Any]) -> list[Row]:
    """One order over layers."""
    rows: list[Row] = []
    for x, shape in zip(at, shapes, strict=True):
        values = np.sort(data.ratio((shape.name, k)))
        axis.plot(
            x + 0.045 * np.linspace(-1, 1, len(values)), values, linestyle="none", marker=".", markersize=3,
            color=look["color"], alpha=0.6, zorder=1.5,
        )  # fmt: skip
        low, middle, high = median_interval(values)
        what = {"shape": shape.name, "layers": shape.depth, "order": k}
        ends = {"median": middle, "lower": low, "upper": min(high, float(values[-1]))}
        rows.append(what | {"kind": "trained"} | ends)
        rows += [what | {"kind": "run", "run": run, "median": v} for run, v in enumerate(data.ratio((shape.name, k)))]
    middles, lows, highs = (
        np.array([row[name] for row in rows if row["kind"] == "trained"]) for name in ("median", "lower", "upper")
    )
    axis.errorbar(at, middles, yerr=np.stack([middles - lows, highs - middles]), **{"markersize": 5} | look)
    return rows


def _built(axis: "Axes", study: "DepthAndOrder", data: Data, block: Block) -> list[Row]:
    """Networks built by hand."""
    rows: list[Row] = []
    for shape, k in (one for one in study.built() if one[0].block == block):
        number = price(data.built[shape.name, k, k])
        low, high = number.interval((1 - LEVEL) / 2)
        mean = number.estimate
        x = shape.depth + (0.4 if shape.heads > 1 else 0.13 * (k - (len(study.orders) - 1) / 2))
        axis.errorbar(
            [x], [mean], yerr=[[mean - low], [high - mean]], color=style(k)["color"], marker="x", linestyle="none"
        )
        what = {"shape": shape.name, "layers": shape.depth, "order": k, "kind": "built by hand"}
        rows.append(what | {"mean": mean, "lower": low, "upper": high})
    return rows
