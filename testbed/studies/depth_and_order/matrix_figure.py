"""Which shapes learn which order: the matrix of shares, and what is left of the gap."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.depth_and_order.config import BLOCKS, Block, Shape
from testbed.studies.depth_and_order.data import Data, Floats
from testbed.studies.depth_and_order.evidence import share_there
from testbed.studies.depth_and_order.fates import FATES, fates
from testbed.studies.drawing import LEVEL, style
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from testbed.studies.depth_and_order.study import DepthAndOrder

TITLES = {"attention": "attention alone, one head", "full": "norms and MLPs, one head"}
HEADED = "attention alone,\n2 layers, k heads"
Row = dict[str, Any]


def matrix_figure(study: "DepthAndOrder", data: Data) -> StudyFigure:
    """Layers by order: the share of runs that got there, its interval, and which cells a construction covers."""
    import matplotlib.pyplot as plt

    orders = [one.order for one in study.orders]
    columns: list[list[Shape]] = [[s for s in study.shapes if s.block == block] for block in BLOCKS]
    widths = [len(column) for column in columns] + ([1.0] if study.headed else [])
    figure, axes = plt.subplots(1, len(widths), figsize=(9.0, 3.4), width_ratios=widths, sharey=True)
    rows: list[Row] = []
    for axis, block, column in zip(axes, BLOCKS, columns, strict=False):
        for x, shape in enumerate(column):
            rows += [_cell(axis, study, data, shape, k, x) for k in orders]
        axis.set_xticks(range(len(column)), [str(shape.depth) for shape in column])
        axis.set_xlabel("layers")
        axis.set_title(TITLES[block])
        axis.set_xlim(-0.5, len(column) - 0.5)
    if study.headed:
        rows += [_cell(axes[-1], study, data, Shape(block="attention", depth=2, heads=k), k, 0) for k in study.headed]
        axes[-1].set_xticks([0], ["2"])
        axes[-1].set_xlabel("layers")
        axes[-1].set_title(HEADED)
        axes[-1].set_xlim(-0.5, 0.5)
    axes[0].set_yticks(orders)
    axes[0].set_ylim(-0.5, orders[-1] + 0.5)
    axes[0].set_ylabel("order k of the chains")
    bar = figure.colorbar(plt.cm.ScalarMappable(plt.Normalize(0, 1), "Blues"), ax=list(axes), pad=0.01)
    bar.set_label("share of runs that learn the order")
    for axis in axes:
        axis.grid(visible=False)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Layers and order: which runs get there",
        caption=(
            f"Of {study.n_seeds} runs each, those that end less than {study.bounds.there:.0%} of the gap to order k - 1"
            f" above the Bayes law (k = 0: of the gap to the uniform law), below it the {LEVEL:.0%} interval of their"
            " share; and of the others how many are at rest above (r) or still falling (f) at the end. Double frame: a"
            " construction is known. Blank: not tried. Length of training differs by order, not by model."
        ),
        claims=tuple(one.id for one in study.claims() if "built" not in one.id and "plateau" not in one.id),
    )


def _cell(axis: "Axes", study: "DepthAndOrder", data: Data, shape: Shape, k: int, x: int) -> Row:
    """One square."""
    import matplotlib.pyplot as plt

    arm = (shape.name, k)
    share = share_there(data, arm, study.bounds.there)
    low, high = share.interval((1 - LEVEL) / 2)
    fate = fates(study, data, arm)
    rest, falling = (int((fate == place).sum()) for place in (1, 2))
    left = ", ".join(f"{number} {letter}" for number, letter in ((rest, "r"), (falling, "f")) if number)
    ink = "white" if share.estimate > 0.6 else "black"
    axis.add_patch(plt.Rectangle((x - 0.5, k - 0.5), 1, 1, color=plt.get_cmap("Blues")(share.estimate), linewidth=0))
    text = f"{share.successes}/{share.trials}\n[{low:.2f}, {high:.2f}]" + (f"\n{left}" if left else "")
    axis.text(x, k, text, ha="center", va="center", color=ink, fontsize=7)
    known = shape.enough(k)
    for inset in (0.04, 0.09) if known else ():
        size = 1 - 2 * inset
        axis.add_patch(
            plt.Rectangle((x - size / 2, k - size / 2), size, size, fill=False, edgecolor=ink, linewidth=0.9)
        )
    return {
        "shape": shape.name, "layers": shape.depth, "heads": shape.heads, "order": k, "constructed": known,
        "there": share.successes, "runs": share.trials, "lower": low, "upper": high,
        FATES[1]: rest, FATES[2]: falling,
    }  # fmt: skip


def ratio_figure(study: "DepthAndOrder", data: Data) -> StudyFigure:
    """Excess at the end over the gap, by layers, one line an order."""
    import matplotlib.pyplot as plt

    orders = [one.order for one in study.orders]
    figure, axes = plt.subplots(1, 2, figsize=(7.6, 3.5), sharey=True)
    edges = {k: one.edge / one.gap for k, one in data.levels.items() if one.edge is not None}
    rows: list[Row] = [{"kind": "one token more", "order": k, "mean": edge} for k, edge in edges.items()]
    for axis, block in zip(axes, BLOCKS, strict=True):
        shapes = [shape for shape in study.shapes if shape.block == block]
        for place, k in enumerate(orders):
            rows += _line(axis, data, shapes, k, style(place) | {"label": f"k = {k}"}, 0.06 * (place - 1.5))
        rows += _extras(axis, study, data, block)
        axis.axhline(study.bounds.there, color="0.4", linewidth=0.9, linestyle=":")
        axis.axhspan(min(edges.values()), max(edges.values()), color="0.8", zorder=0)
        axis.set_xticks(study.depths)
        axis.set_xlabel("layers")
        axis.set_title(TITLES[block])
        axis.set_yscale("log")
    axes[0].set_ylabel("excess at the end, over the gap")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="What is left of the gap",
        caption=(
            "Excess over the Bayes law at the end of training, in units of what the best counts of order k - 1 lose"
            f" (k = 0: of what the uniform law does). Mean over {study.n_seeds} runs with {LEVEL:.0%} intervals."
            " Dotted: below this a run has learnt the order. Grey: what counts of order k - 1 with one token more lose,"
            " over all k from 1 on. Open diamonds: two layers of attention with k heads."
            " Crosses: networks built by hand, what they lose is their linear readout of probabilities; intervals over"
            f" {study.reading.n_built_sequences} sequences."
        ),
        claims=tuple(one.id for one in study.claims() if "plateau" not in one.id and "later" not in one.id),
    )


def _line(axis: "Axes", data: Data, shapes: list[Shape], k: int, look: dict[str, Any], aside: float) -> list[Row]:
    """One order over layers."""
    rows: list[Row] = []
    for shape in shapes:
        values = data.ratio((shape.name, k))
        low, high = data.mean(values).interval((1 - LEVEL) / 2)
        what = {"shape": shape.name, "layers": shape.depth, "order": k, "kind": "trained"}
        rows.append(what | {"mean": float(values.mean()), "lower": low, "upper": high})
    x = np.array([row["layers"] for row in rows]) + aside
    means, lows, highs = ([float(row[name]) for row in rows] for name in ("mean", "lower", "upper"))
    axis.errorbar(x, means, yerr=_reach(means, lows, highs), **look)
    return rows


def _extras(axis: "Axes", study: "DepthAndOrder", data: Data, block: Block) -> list[Row]:
    """Two layers with k heads, and networks built by hand."""
    from testbed.studies.depth_and_order.evidence import price

    rows: list[Row] = []
    for k in study.headed if block == "attention" else ():
        shape = Shape(block="attention", depth=2, heads=k)
        values = data.ratio((shape.name, k))
        low, high = data.mean(values).interval((1 - LEVEL) / 2)
        look = {"color": style(k)["color"], "marker": "D", "markerfacecolor": "white", "linestyle": "none"}
        mean = float(values.mean())
        axis.errorbar([2.3], [mean], yerr=_reach([mean], [low], [high]), **look, label=f"k = {k}, {k} heads")
        what = {"shape": shape.name, "layers": 2, "order": k, "kind": "trained"}
        rows.append(what | {"mean": mean, "lower": low, "upper": high})
    label: str | None = "built by hand"
    for shape, k in (one for one in study.built() if one[0].block == block):
        number = price(data.built[shape.name, k, k])
        low, high = number.interval((1 - LEVEL) / 2)
        mean = number.estimate
        aside = 0.3 if shape.heads > 1 else 0.06 * (k - 1.5)
        axis.errorbar(
            [shape.depth + aside], [mean], yerr=[[mean - low], [high - mean]], color=style(k)["color"], marker="x",
            linestyle="none", label=label,
        )  # fmt: skip
        label = None
        what = {"shape": shape.name, "layers": shape.depth, "order": k, "kind": "built by hand"}
        rows.append(what | {"mean": mean, "lower": low, "upper": high})
    return rows


def _reach(means: list[float], lows: list[float], highs: list[float]) -> Floats:
    """Bars of a log axis: no lower than a tenth of the mean, none where two runs say nothing."""
    mean, low, high = (np.array(one) for one in (means, lows, highs))
    low, high = (np.where(np.isfinite(end), end, mean) for end in (low, high))
    return np.stack([mean - np.maximum(low, mean / 10), high - mean])
