"""The learner without a network: a source of finite order, and whole batches on the public grid."""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.drawing import LEVEL, style
from testbed.studies.protocol_bias.claims import STUDY
from testbed.studies.protocol_bias.config import whole_share
from testbed.studies.protocol_bias.curves import Row
from testbed.studies.protocol_bias.data import Data
from testbed.studies.protocol_bias.readings import apparent
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from testbed.studies.protocol_bias.study import ProtocolBias


def tables_figure(study: "ProtocolBias", data: Data) -> StudyFigure:
    """What is kept of a step, and the apparent optimum with and without it; and that of a source of finite order."""
    import matplotlib.pyplot as plt

    tables = study.tables
    figure, axes = plt.subplots(1, 3, figsize=(7.4, 3.0))
    shares = [whole_share(tables.budget, length) for length in tables.lengths]
    axes[0].plot(tables.lengths, shares, color="black", marker="o", markersize=3.5, linestyle="-")
    axes[0].set_xscale("log", base=2)
    axes[0].set_ylim(0.5, 1.05)
    axes[0].set_xlabel("context length $l$ (tokens)")
    axes[0].set_ylabel("share of a step's data")
    axes[0].set_title("kept by whole batches")
    rows: list[Row] = [
        {"panel": "share", "l": length, "mean": share} for length, share in zip(tables.lengths, shares, strict=True)
    ]
    grid = {
        "all of the data": apparent(data.tables["nominal"], tables.lengths, 0.0),
        "whole batches": apparent(data.tables["whole"], tables.lengths, 0.0),
    }
    rows += _against_size(study, data, axes[1], grid)
    axes[1].set_title("public grid")
    lengths = np.log1p(data.tables["lengths"][0])
    order = {
        "last position": lengths[np.argmin(data.tables["order_loss"], axis=-1)],
        "average over the block": lengths[np.argmin(data.tables["order_block"], axis=-1)],
    }
    rows += _against_size(study, data, axes[2], order)
    axes[2].axhline(1 + tables.reach, color="black", linestyle=(0, (5, 2)), linewidth=1.0, label="order (exact)")
    axes[2].set_title(f"order {tables.reach}")
    for axis in axes[1:]:
        axis.legend(loc="upper left", fontsize=6)
        low, high = axis.get_ylim()
        axis.set_ylim(low, high * 4)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Tables: whole batches, and a source of finite order",
        caption=(
            f"Left: share of a step of {tables.budget:,} tokens that whole windows leave. Middle: apparent optimum of"
            " tables of announced distances on the public grid of lengths, from all of the data and from what whole"
            f" batches leave. Right: nothing beyond {tables.reach} tokens tells anything, and the average over a block"
            " is least beyond it all the same. Excess exact; mean of ln l* over"
            f" {study.n_seeds} replicates, bars: {LEVEL:.0%} intervals (no bar: the same in every replicate)."
        ),
        claims=tuple(f"{STUDY}.tables_{name}" for name in ("whole_batches", "order", "beyond_order")),
    )


def _against_size(study: "ProtocolBias", data: Data, axis: "Axes", optima: dict[str, np.ndarray]) -> list[Row]:
    sizes, rows = np.array(study.tables.sizes, dtype=np.float64), []
    lengths = data.tables["lengths"][0]
    ends = float(np.log(max(lengths.min(), 1.0))), float(np.log1p(lengths.max()))
    for place, (label, values) in enumerate(optima.items()):
        middle, low, high = np.exp([data.interval(one, LEVEL, *ends) for one in values.T]).T
        look = style(place)
        axis.errorbar(
            sizes * (1.0 + 0.12 * place),
            middle,
            yerr=np.maximum([middle - low, high - middle], 0.0),
            color=look["color"],
            marker=look.get("marker", "o"),
            linestyle=look.get("linestyle", "-"),
            markersize=4,
            capsize=2,
            label=label,
        )
        rows += [
            {"panel": axis.get_title() or label, "curve": label, "D": a, "mean": b, "lower": c, "upper": d}
            for a, b, c, d in zip(sizes.tolist(), middle.tolist(), low.tolist(), high.tolist(), strict=True)
        ]
    axis.set_xscale("log")
    axis.set_yscale("log", base=2)
    axis.set_xlabel("dataset size $D$")
    axis.set_ylabel("apparent $l^*$ (tokens)")
    return rows
