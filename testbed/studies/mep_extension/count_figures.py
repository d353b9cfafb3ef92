"""Figures of counted tables: loss against N, the error of estimation against r / 2N, crossings."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.drawing import style
from testbed.studies.mep_extension.counts import crossing_size
from testbed.studies.mep_extension.data import Data
from testbed.studies.mep_extension.drawing import (
    across,
    claim_ids,
    curve,
    interval_words,
    look,
    name_of,
    series,
    source_name,
    table_rows,
)
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.mep_extension.study import MepExtension

SHOWN = (("counts", "markov_1"), ("counts", "markov_3"), ("counts", "potts"))
SHOWN_WIDE = (("counts_wide", "markov_1"), ("counts_wide", "markov_2"), ("counts_wide", "markov_3"))


def counts_figure(study: "MepExtension", data: Data) -> StudyFigure:
    """X against N, with bias + r / 2N for the window and the chain."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 3, figsize=(7, 5.4), sharey="row")
    panels = [one for one in (*SHOWN, *SHOWN_WIDE) if one[1] in data.arms[one[0]]["loss"].axes["source"]]
    for axis, (arm, source) in zip(axes.ravel(), panels, strict=False):
        table = data.arms[arm]["loss"]
        settings = getattr(study, arm)
        v, t = settings.vocab_size, settings.context_length
        sizes = np.array(table.axes["size"], dtype=np.float64)
        for scheme in table.axes["scheme"]:
            if scheme in ("pairs_near", "back_off"):
                continue  # near their neighbours; in the CSV
            values = table.at(source=source, scheme=scheme)
            curve(axis, data, sizes, values, name_of(scheme), **look(scheme))
        for scheme, overlap in ((data.window, t - 1), ("chain", 1)):
            bias = float(data.arms[arm]["bias"].at(source=source, scheme=scheme).mean())
            line = {"color": look(scheme)["color"], "linewidth": 3, "alpha": 0.25, "linestyle": "-", "marker": ""}
            axis.plot(sizes, bias + v**overlap * (v - 1) / (2 * sizes), zorder=0, **line)
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_ylim(1e-5, 2)
        axis.set_title(f"{source_name(source)}, V = {v}")
    for axis in axes.ravel()[len(panels) :]:
        axis.axis("off")
    for axis in axes[-1]:
        axis.set_xlabel("N (sequences)")
    for axis in axes[:, 0]:
        axis.set_ylabel("X (nats per new token)")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    rows = [
        row
        for arm in ("counts", "counts_wide")
        for name, quantity in (("loss", "X"), ("bias", "bias"))
        for row in table_rows(data, quantity, data.arms[arm][name], arm=arm)
    ]
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="From counts",
        caption=(
            "Mean loss of new tokens when tables are counted in N independent sequences of 2T tokens. Broad lines: bias"
            " + r / 2N for the window (grey) and the neighbour-pair chain. A small set wins while its bias is below"
            " what the window pays for its parameters; half a count in each cell of the window does much of what"
            f" back-off does. {interval_words(data)}"
        ),
        claims=claim_ids(
            (
                "counts_smaller",
                "counts_order",
                "counts_back_off",
                "counts_back_off_kt",
                "counts_gmep_pairwise",
                "counts_gmep_chains",
            )
        ),
    )


def estimation_figure(study: "MepExtension", data: Data) -> StudyFigure:
    """2N KL(q* || qhat) / r at the largest N, and what the exact covariances say."""
    import matplotlib.pyplot as plt

    arm = data.arms["counts"]
    estimation = arm["estimation"]
    most = estimation.axes["size"][-1]
    schemes, names = estimation.axes["scheme"], estimation.axes["source"]
    figure, axes = plt.subplots(1, 2, figsize=(7, 3.3), sharey=True)
    place = np.arange(len(names), dtype=np.float64)
    for k, scheme in enumerate(schemes):
        rank = arm["rank"].at(scheme=scheme)
        offset = 0.3 - 0.6 * k / max(len(schemes) - 1, 1)
        measured = 2 * most * estimation.at(scheme=scheme, size=most) / rank
        across(axes[0], data, place + offset, measured, name_of(scheme), **look(scheme))
        off = np.abs(arm["sandwich"].at(scheme=scheme) / rank - 1.0)
        across(axes[1], data, place + offset, off, name_of(scheme), **look(scheme))
    axes[0].axvspan(1 - study.bounds.rate, 1 + study.bounds.rate, color="0.92", zorder=0)
    axes[1].axvspan(0.0, study.bounds.rate, color="0.92", zorder=0)
    axes[0].set_yticks(place, [source_name(one) for one in names])
    axes[0].invert_yaxis()
    axes[0].set_xlabel("2N E KL(q* || q) / r")
    axes[0].set_title(f"measured, N = {most}")
    axes[1].set_xlabel("mean |tr(F$^{-1}$S) / r $-$ 1|")
    axes[1].set_title("what r misses (exact)")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    rows: list[dict[str, Any]] = table_rows(data, "KL(q* || qhat), nats", estimation)
    rows += table_rows(data, "r", arm["rank"]) + table_rows(data, "tr(F^-1 S)", arm["sandwich"])
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="The price of estimation",
        caption=(
            "Left: divergence of the fitted law from the best of its family, in units of r / 2N. Right: by how much r"
            " differs from the trace that the exact covariances give, law by law; 0 where the source is in the family"
            f" or the set has a closed form. Grey: within {study.bounds.rate:.0%}. {interval_words(data)}"
        ),
        claims=claim_ids(("c18_rank", "c18_misspecified", "c18_sandwich")),
    )


def crossing_figure(study: "MepExtension", data: Data) -> StudyFigure:
    """Chain less window against N in units of the predicted crossing; measured against predicted."""
    import matplotlib.pyplot as plt

    arm = data.arms["crossing"]
    sizes = np.array(arm["difference"].axes["size"], dtype=np.float64)
    predicted = arm["predicted"].values
    measured = np.array([crossing_size(sizes, one) for one in arm["difference"].values])
    figure, axes = plt.subplots(1, 2, figsize=(7, 3.0))
    middle, low, high = series(data, arm["difference"].values)
    looks = {**look("chain"), "linewidth": 1.0}
    axes[0].errorbar(sizes, middle, yerr=[middle - low, high - middle], capsize=1.2, label="measured", **looks)
    v, t = study.crossing.vocab_size, study.crossing.context_length
    line = float(arm["bias"].values.mean()) - (v ** (t - 1) - v) * (v - 1) / (2 * sizes)
    axes[0].plot(sizes, line, color="0.6", linewidth=3, linestyle="-", marker="", zorder=0, label="bias $-$ r / 2N")
    axes[0].axhline(0.0, color="0.3", linewidth=0.7, linestyle="-", marker="")
    axes[0].set_xscale("log")
    axes[0].set_yscale("symlog", linthresh=0.01)
    axes[0].set_ylim(1.6 * min(low.min(), -0.01), 1.6 * max(high.max(), 0.01))  # room at both ends
    axes[0].set_xlabel("N (sequences)")
    axes[0].set_ylabel("chain less window (nats)")
    axes[0].set_title("mean over laws")
    axes[0].legend(loc="lower right")
    axes[1].plot(predicted, measured, **{**style(0), "linestyle": "", "markersize": 3.5}, label="one law")
    ends = np.array([min(predicted.min(), np.nanmin(measured)), max(predicted.max(), np.nanmax(measured))])
    ends = ends * np.array([0.9, 1.1])
    axes[1].plot(ends, ends, color="0.3", linewidth=0.7, linestyle="-", marker="", label="equal")
    factor = study.bounds.crossing
    axes[1].fill_between(
        ends, ends / factor, ends * factor, color="0.92", zorder=0, label=f"within a factor {factor:g}"
    )
    axes[1].set_xscale("log")
    axes[1].set_yscale("log")
    ticks = [n for n in (50, 100, 200, 400, 800, 1600) if ends[0] <= n <= ends[1]]
    axes[1].set_xticks(ticks, [str(n) for n in ticks])
    axes[1].set_yticks(ticks, [str(n) for n in ticks])
    axes[1].minorticks_off()
    axes[1].set_xlabel("predicted N")
    axes[1].set_ylabel("measured N")
    axes[1].set_title("where the window takes over")
    axes[1].legend(loc="lower right")
    rows = table_rows(data, "chain less window, nats per new token", arm["difference"])
    rows += [
        {"quantity": "crossing", "draw": i, "bias": float(b), "predicted": float(p), "measured": float(m)}
        for i, (b, p, m) in enumerate(zip(arm["bias"].values, predicted, measured, strict=True))
    ]
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="From which N on the window wins",
        caption=(
            "Chains of order 2 with a weak memory of the second token. The neighbour-pair chain has a bias b = h_1 -"
            " h_2 and fewer parameters; the two are equal where b = (V^(T-1) - V)(V - 1) / 2N. Right: one point a law"
            f" ({study.crossing.draws} samples at each N). {interval_words(data)}"
        ),
        claims=claim_ids(("counts_crossing",)),
    )
