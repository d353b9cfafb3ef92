"""The loss of a block's average beside that at its last position."""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.drawing import LEVEL, style
from testbed.studies.optimal_context_laws.data import optima
from testbed.studies.protocol_bias.claims import STUDY
from testbed.studies.protocol_bias.curves import Row, curve, exact, length_axis, window
from testbed.studies.protocol_bias.data import Data, Point
from testbed.studies.protocol_bias.evidence import inside
from testbed.studies.protocol_bias.readings import block_average, block_factor
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from testbed.studies.protocol_bias.study import ProtocolBias


def average_figure(study: "ProtocolBias", data: Data) -> StudyFigure:
    """Networks at the extreme D, tables at the middle one, and the tables' optimum against D."""
    import matplotlib.pyplot as plt

    networks = study.networks
    figure, axes = plt.subplots(2, 2, figsize=(7.2, 5.6))
    rows: list[Row] = []
    lengths = np.array(networks.lengths, dtype=np.float64)
    source = networks.designed
    h = np.asarray(source.conditional_entropies(networks.lengths[-1]).value) - float(source.entropy_rate().value)
    for axis, size in zip(axes[0], (networks.sizes[0], networks.sizes[-1]), strict=True):
        title = f"{source.type_name}, transformers, D = {size:,}"
        last, block = (data.losses[Point("designed", size, name)] for name in ("trained_on_all", "block_average"))
        found = curve(axis, data, lengths, last, 0, "last position")
        found += curve(axis, data, lengths, block, 1, "average over the block")
        found += exact(axis, lengths, h[list(networks.lengths)], "Bayes, last position (exact)")
        axis.plot(lengths, block_average(h)[list(networks.lengths)], color="0.45", linestyle=":", marker="")
        rows += [{"panel": title} | one for one in found]
        length_axis(axis, lengths)
        window(axis, found)
        axis.set_title(title)
        axis.set_ylabel("loss above the rate (nats)")
    axes[0][0].plot([], [], color="0.45", linestyle=":", marker="", label="Bayes, average (exact)")
    rows += _tables_panel(study, data, axes[1][0])
    rows += _optimum_panel(study, data, axes[1][1])
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="The average over a block beside the loss at full context",
        caption=(
            "Upper row: the same transformers, trained on all positions, read at the last position of a block and"
            " averaged over it. Lower row: tables of announced distances, whose excess is exact; at the right the"
            " lengths with the least loss against D, and the predicted factor between them,"
            f" (2 / (1 - gamma))^(1 / (1 + gamma)) = {np.exp(block_factor(study.tables.exponent)):.2f}; open marks:"
            f" near the edge of the grid, not judged. Rings: least means. Mean over {study.n_seeds} replicates, bands"
            f" and bars: {LEVEL:.0%} intervals."
        ),
        claims=tuple(
            f"{STUDY}.{name}" for name in ("block_average", "block_reading", "block_training", "tables_block_average")
        ),
        shows=("2502.01481 F13",),
    )


def _tables_panel(study: "ProtocolBias", data: Data, axis: "Axes") -> list[Row]:
    at = len(study.tables.sizes) // 2
    lengths = data.tables["lengths"][0]
    kept = lengths >= 8
    found = curve(axis, data, lengths[kept], data.tables["power_loss"][:, at, kept], 0, "last position")
    found += curve(axis, data, lengths[kept], data.tables["power_block"][:, at, kept], 1, "average over the block")
    found += exact(axis, lengths[kept], data.tables["power_missing"][0, kept], "Bayes, last position (exact)")
    title = f"tables, D = {study.tables.sizes[at]:,}"
    length_axis(axis, lengths[kept])
    ticks = [4.0**k for k in range(2, 20) if 4.0**k <= lengths[-1]]
    axis.set_xticks(ticks, [f"{one:g}" for one in ticks])
    axis.set_yscale("log")
    axis.set_title(title)
    axis.set_ylabel("loss above the rate (nats)")
    return [{"panel": title} | one for one in found]


def _optimum_panel(study: "ProtocolBias", data: Data, axis: "Axes") -> list[Row]:
    lengths, sizes = data.tables["lengths"][0], np.array(study.tables.sizes, dtype=np.float64)
    kept, rows = inside(study, data), []
    factor = block_factor(study.tables.exponent)
    for place, (name, label) in enumerate((("power_loss", "last position"), ("power_block", "average over the block"))):
        found = np.array([data.interval(one, LEVEL) for one in optima(data.tables[name], lengths).T])
        middle, low, high = np.exp(found).T
        look = style(place)
        for at, size in enumerate(sizes):
            axis.errorbar(
                size,
                middle[at],
                yerr=[[middle[at] - low[at]], [high[at] - middle[at]]],
                color=look["color"],
                marker=look.get("marker", "o"),
                markerfacecolor=look["color"] if kept[at] else "white",
                markersize=5,
                capsize=2,
                linestyle="",
            )
            rows.append(
                {"panel": "optimum", "curve": label, "D": float(size), "mean": middle[at]}
                | {"lower": low[at], "upper": high[at], "judged": bool(kept[at])}
            )
        if place == 0:
            axis.plot(sizes, middle * np.exp(factor), color="black", linestyle=(0, (5, 2)), marker="")
            axis.text(sizes[-1], middle[0], "dashed: predicted", fontsize=7, ha="right", va="bottom")
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xlabel("dataset size $D$")
    axis.set_ylabel("$1 + l^*$ (tokens)")
    axis.set_title("tables, the least loss")
    return rows
