"""The figure of models that saw few windows."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.mep_against_transformer.data import Data
from testbed.studies.mep_against_transformer.drawing import bars, ids, look
from testbed.studies.mep_against_transformer.evidence import crossings
from testbed.studies.mep_extension.counts import crossing_size
from testbed.studies.study import StudyFigure
from testbed.studies.tables import Table

if TYPE_CHECKING:
    from testbed.studies.mep_against_transformer.study import MepAgainstTransformer


def few_figure(study: "MepAgainstTransformer", data: Data) -> StudyFigure:
    """Chain less window against N, from models and from counts; measured against predicted crossings."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(7, 3.0))
    predicted = data.tables["predicted"].values
    sizes = np.array(data.tables["few"].axes["size"], dtype=np.float64)
    rows: list[dict[str, Any]] = []
    kinds = (("few", "a model's tables"), ("few_counted", "counts"))
    bottoms, tops = [], []
    for k, (name, label) in enumerate(kinds):
        table: Table = data.tables[name]
        ends = np.array([data.interval(column) for column in table.values.T])
        middle, low, high = ends.T
        errors = [middle - low, high - middle]
        bottoms.append(low.min())
        tops.append(high.max())
        axes[0].errorbar(sizes, middle, yerr=errors, capsize=1.2, elinewidth=0.7, label=label, **look(k))
        rows += [
            {"quantity": f"chain less window, {label}, nats", "N": int(n), "mean": m, "lower": lo, "upper": hi}
            for n, (m, lo, hi) in zip(sizes, ends.tolist(), strict=True)
        ]
        ratio = crossings(data, name)
        seen = np.array([np.isfinite(crossing_size(sizes, row)) for row in table.values])
        looks = {**look(k), "linestyle": ""}
        axes[1].plot(predicted[seen], (ratio * predicted)[seen], label=label, **looks)
        if not seen.all():
            hollow = {**looks, "markerfacecolor": "none"}
            axes[1].plot(predicted[~seen], (ratio * predicted)[~seen], label=f"{label}: beyond", **hollow)
        rows += [
            {
                "quantity": f"crossing, {label}",
                "draw": i,
                "predicted": float(p),
                "measured": float(r * p),
                "seen": bool(s),
            }
            for i, (p, r, s) in enumerate(zip(predicted, ratio, seen, strict=True))
        ]
    axes[0].axhline(0.0, color="0.3", linewidth=0.7, linestyle="-", marker="")
    axes[0].set_xscale("log")
    axes[0].set_yscale("symlog", linthresh=0.01)
    axes[0].set_ylim(1.6 * min(*bottoms, -0.01), 1.6 * max(*tops, 0.01))  # room at both ends
    axes[0].set_xlabel("N (windows of T tokens)")
    axes[0].set_ylabel("chain less window (nats)")
    axes[0].set_title("mean over laws")
    axes[0].legend(loc="lower right")
    ends = np.array([predicted.min() * 0.8, predicted.max() * 1.25])
    factor = study.bounds.crossing
    axes[1].plot(ends, ends, color="0.3", linewidth=0.7, linestyle="-", marker="", label="equal")
    axes[1].fill_between(ends, ends / factor, ends * factor, color="0.92", zorder=0)
    axes[1].set_xscale("log")
    axes[1].set_yscale("log")
    ticks = [n for n in (50, 100, 200, 400, 800) if ends[0] <= n <= ends[1]]
    axes[1].set_xticks(ticks, [str(n) for n in ticks])
    measured = np.concatenate([crossings(data, name) * predicted for name, _ in kinds])
    every = [n for n in (20, 50, 100, 200, 500, 1000, 2000) if 0.8 * measured.min() <= n <= 1.25 * measured.max()]
    axes[1].set_yticks(every, [str(n) for n in every])
    axes[1].minorticks_off()
    axes[1].set_xlabel("predicted N")
    axes[1].set_ylabel("measured N")
    axes[1].set_title("where the window takes over")
    axes[1].legend(loc="best")
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Models that saw few windows",
        caption=(
            f"Chains of order 2, T = {study.few.context_length}. Left: loss per new token by the"
            f" neighbour-pair chain less"
            " that by the sliding window, from the tables of a model that saw N windows, and from their counts. Right:"
            " where it changes sign, one point a law; hollow: at none of the sizes, drawn at the end of them."
            " Grey: within"
            f" a factor {factor:g} of bias against r / 2N. {bars(data, 'draws of law and seed')}"
        ),
        claims=ids("few_crossing", "few_counts"),
    )
