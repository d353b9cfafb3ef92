"""The figure of the study, from records alone."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.runs import Record
from testbed.studies.drawing import LEVEL, style
from testbed.studies.normalisers.claims import claims
from testbed.studies.normalisers.config import FAMILIES
from testbed.studies.normalisers.data import Data, Floats, gather
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from testbed.studies.normalisers.study import Normalisers

TITLES = {
    "layer": "layer norm",
    "rms": "RMS norm",
    "power": "PowerNorm as released",
    "power_bare": "PowerNorm, places unscaled",
    "batch": "batch norm",
    "batch_scaled": "batch norm, places scaled",
    "dyt": "DyT",
    "none": "none",
}


def figures(study: "Normalisers", records: Sequence[Record]) -> dict[str, StudyFigure]:
    """Gaps to layer norm: by stay, by norm, by how many sequences share statistics."""
    data = gather(study, records)
    return {} if data is None else {"norms": norm_figure(study, data)}


def norm_figure(study: "Normalisers", data: Data) -> StudyFigure:
    """Four panels."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 4, figsize=(11.6, 3.3), gridspec_kw={"width_ratios": [1, 1, 1.1, 1]})
    rows: list[dict[str, Any]] = []
    stays = np.array(study.bursts.stays)

    def points(axis: "Axes", x: Floats, values: Floats, label: str, number: int, what: str, scale: float = 1e3) -> None:
        found = np.array([data.interval(scale * column) for column in values.T])
        bars = np.abs(found[:, 1:].T - found[:, 0])
        axis.errorbar(x, found[:, 0], yerr=bars, label=label, capsize=2, markersize=4.5, linewidth=1.0, **style(number))
        rows.extend(
            {"panel": what, "series": label, "at": at, "mean": m, "lower": a, "upper": b}
            for at, (m, a, b) in zip(x.tolist(), found.tolist(), strict=True)
        )

    for number, family in enumerate(FAMILIES):
        shifted = stays * 1.04 ** (2 * number - 1)
        points(axes[0], shifted, data.gap(family), family, number, "gap by stay (nats / 1000)")
        points(axes[1], shifted, data.fluctuation[family], family, number, "fluctuation", 1.0)
    labels = (
        "batch norm's excess less\nlayer norm's (nats / 1000)",
        "root of summed variances\nof symbols' shares in a batch",
    )
    for axis, label in zip(axes, labels, strict=False):
        axis.set_xscale("log", base=2)
        axis.set_xticks(stays, [f"{one:g}" for one in stays])
        axis.set_xlabel("mean stay B (tokens)")
        axis.set_ylabel(label, fontsize=8)
        axis.legend(fontsize=7)
        axis.minorticks_off()
    axes[0].set_title("gap by stay", fontsize=9)
    axes[1].set_title("exact fluctuation", fontsize=9)
    axes[1].set_ylim(bottom=0.0)
    arms = [arm for arm in study.arms if arm != "layer"]
    for place, arm in enumerate(arms):
        mean, low, high = data.interval(1e3 * data.gap("burst", arm)[:, -1])
        look = style(1 if arm.startswith("batch") else 0) | {"linestyle": ""}
        axes[2].errorbar(mean, place, xerr=[[mean - low], [high - mean]], capsize=2, markersize=4.5, **look)
        rows.append({"panel": "gap by norm (nats / 1000)", "series": TITLES[arm], "at": float(stays[-1]),
                     "mean": mean, "lower": low, "upper": high})  # fmt: skip
    axes[2].set_yticks(range(len(arms)), [TITLES[arm] for arm in arms], fontsize=7)
    axes[2].invert_yaxis()
    axes[2].set_xlabel("excess less layer norm's (nats / 1000)", fontsize=8)
    axes[2].set_title(f"burst, B = {stays[-1]:g}", fontsize=9)
    sizes = np.array(study.parts.sizes, dtype=np.float64)
    points(axes[3], sizes, data.part_batch - data.part_layer[:, None], "running", 0, "gap by size (nats / 1000)")
    own = data.part_batch + data.part_leak - data.part_layer[:, None]
    points(axes[3], sizes * 1.05, own, "a batch's own", 1, "gap by size (nats / 1000)")
    axes[3].set_xscale("log", base=2)
    axes[3].set_xticks(sizes, [f"{one:g}" for one in sizes])
    axes[3].minorticks_off()
    axes[3].set_xlabel("sequences that share statistics", fontsize=8)
    axes[3].set_ylabel("batch norm's excess less\nlayer norm's (nats / 1000)", fontsize=8)
    axes[3].set_title(f"burst, B = {stays[-1]:g}, same steps", fontsize=9)
    axes[3].legend(fontsize=7, title="evaluated with statistics", title_fontsize=7)
    for axis, vertical in ((axes[0], False), (axes[2], True), (axes[3], False)):
        (axis.axvline if vertical else axis.axhline)(0.0, color="0.4", linewidth=0.8)
    bursts, parts = study.bursts, study.parts
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Gaps of norms by stay and by statistics",
        caption=(
            f"Two order-1 chains of {bursts.vocab_size} symbols take turns, with stays of mean B. Excess over the exact"
            f" Bayes filter less that of layer norm on the same sequences: means over {study.n_seeds} replicates, each"
            f" with chains of its own, with {LEVEL:.0%} intervals, each alone; points of one stay are drawn side by"
            " side. Burst: each chain prefers its own half of the symbols. Flat: the same matrices balanced to uniform"
            " stationary laws. Second: how much the shares of symbols in a batch of"
            f" {bursts.sequences_per_step} sequences of {bursts.length} tokens vary from batch to batch. Third: all"
            " norms; places scaled: each place is divided by its own root mean square first. Right:"
            f" {parts.sequences_per_step} sequences a step, batch norm's statistics in training over parts of it;"
            f" with a batch's own statistics it sees tokens to come. {study.model.depth} blocks, {bursts.steps} steps"
            f" ({parts.steps} on the right), rates tuned for every norm, family, stay and size apart."
        ),
        claims=tuple(one.id for one in claims(study)),
    )
