"""Variance of hidden units by block, before and after training, the stream, and excess, by depth."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.activations.claims import STUDY
from testbed.studies.activations.config import STACKS
from testbed.studies.activations.data import Data, Floats
from testbed.studies.drawing import LEVEL, style
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from testbed.studies.activations.study import Activations

TITLES = {"layer_gelu": "layer norm, GELU", "none_gelu": "no norm, GELU", "none_selu": "no norm, SELU"}


def depth_figure(study: "Activations", data: Data) -> StudyFigure:
    """Deepest stack: hidden units at a start with small writers and after training, streams; excess at all depths."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 4, figsize=(11.6, 3.3))
    bounds, depths = study.bounds, study.depths.depths
    rows: list[dict[str, Any]] = []

    def line(axis: "Axes", x: Floats, values: Floats, stack: str, what: str) -> None:
        """Geometric means of the columns of (R, n) values with intervals."""
        number = STACKS.index(stack)
        found = np.exp([data.interval(column) for column in np.log(values).T])
        middle, low, high = found.T
        axis.errorbar(
            x, middle, yerr=[middle - low, high - middle], label=TITLES[stack], capsize=2, markersize=4,
            linewidth=1.0, **style(number),
        )  # fmt: skip
        rows.extend(
            {"stack": TITLES[stack], "what": what, "at": at, "mean": m, "lower": a, "upper": b}
            for at, (m, a, b) in zip(x.tolist(), found.tolist(), strict=True)
        )

    blocks = np.arange(1, depths[-1] + 1, dtype=np.float64)
    for axis, when, title in ((axes[0], data.units_small, "before training"), (axes[1], data.units, "after training")):
        axis.axhspan(bounds.low, bounds.high, color="0.85", zorder=0)
        for stack in STACKS:
            line(axis, blocks, when[stack][-1][:, 1], stack, f"variance of hidden units {title}")
        axis.set_xticks(blocks)
        axis.set_title(f"{depths[-1]} blocks, {title}", fontsize=9)
        axis.set_ylabel("variance of hidden units", fontsize=8)
        axis.set_xlabel("block")
    for stack in STACKS:
        stream = data.stream[stack][-1]
        line(axes[2], np.arange(depths[-1] + 1, dtype=np.float64), stream / stream[:, :1], stack, "stream")
        shift = 1.02 ** (2 * STACKS.index(stack) - 2)
        line(axes[3], np.array(depths, dtype=np.float64) * shift, data.deep[stack], stack, "excess (nats)")
    axes[2].set_title("stream after training", fontsize=9)
    axes[2].set_ylabel("variance over the embedding's", fontsize=8)
    axes[2].set_xlabel("block")
    axes[3].set_title("excess after training", fontsize=9)
    axes[3].set_ylabel("excess (nats)", fontsize=8)
    axes[3].set_xlabel("blocks")
    axes[3].set_xticks(depths, [str(one) for one in depths])
    for axis in axes:
        axis.set_yscale("log")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=8)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="SELU in place of a norm",
        caption=(
            "From the left: variance of hidden units behind the nonlinearity, over all places and units, by block,"
            " before training with writing matrices smaller by sqrt(2 blocks), and after training from full-width"
            f" ones; grey: [{bounds.low:g}, {bounds.high:g}]. Variance of the residual stream over that of the"
            f" embedding, which starts at 1. Excess by depth. Geometric means over {study.n_seeds} replicates with"
            f" {LEVEL:.0%} intervals, each alone. Source {study.depths.source}, {study.depths.steps} steps, rates"
            " tuned for each stack and depth."
        ),
        claims=tuple(
            f"{STUDY}.{name}"
            for name in (
                "selu_start", "gelu_start", "selu_trained", "selu_growth", "norm_helps", "selu_excess", "selu_gelu",
            )
        ),
    )  # fmt: skip
