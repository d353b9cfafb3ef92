"""Figures of exact tables: the loss of every scheme on every source, token by token, and by overlap."""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.mep_extension.data import Data
from testbed.studies.mep_extension.drawing import (
    FLOOR,
    across,
    claim_ids,
    curve,
    interval_words,
    look,
    name_of,
    source_name,
    table_rows,
)
from testbed.studies.mep_extension.evidence import options, sources
from testbed.studies.mep_extension.schemes import window
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.mep_extension.study import MepExtension

SHOWN = ("markov_4", "potts", "copy", "dirichlet")
"""Sources whose tokens are drawn one by one."""
PER_TOKEN = ("pairs_near", "pairs_all", "pairs_prefix", "blocks")


def sources_figure(study: "MepExtension", data: Data) -> StudyFigure:
    """X of every scheme on every source: R1 on the left, beyond T on the right, the window in both."""
    import matplotlib.pyplot as plt

    rows, t = sources(data), data.context_length
    figure, axes = plt.subplots(1, 2, figsize=(7, 5.4), sharey=True, sharex=True)
    place = np.arange(len(rows), dtype=np.float64)
    short = ["chain", "pairs_near", "conditional_near", "kirkwood_near", "unigram"]
    long = ["pairs_all", "pairs_prefix", "blocks", "conditional_all", "kirkwood_all"]
    for axis, shown in zip(axes, (short, long), strict=True):
        present = [one for one in (*shown, data.window) if one in options(data)]
        for k, scheme in enumerate(present):
            values = np.stack([data.loss(source, scheme) for source in rows], axis=1)
            offset = 0.3 - 0.6 * k / (len(present) - 1)
            across(axis, data, place + offset, values, name_of(scheme), **look(scheme))
        axis.set_xscale("log")
        axis.set_xlim(FLOOR / 2, 5)
        axis.set_xlabel("X (nats per new token)")
        axis.set_yticks(place, [source_name(one) for one in rows])
        for line in place[:-1] + 0.5:
            axis.axhline(line, color="0.85", linewidth=0.5, linestyle="-", marker="")
        axis.grid(axis="y", visible=False)
    axes[0].invert_yaxis()
    axes[0].set_title("tables within T tokens (R1)")
    axes[1].set_title("tables beyond T tokens (R2)")
    for axis in axes:
        axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.11), ncols=2)
    return StudyFigure(
        figure=figure,
        rows=table_rows(data, "E_p KL of token t, nats", data.arms["exact"]["divergence"]),
        title="What every scheme loses on every source",
        caption=(
            f"Exact tables, V = {study.exact.vocab_size}, T = {t} carried to {2 * t} tokens. X is the mean divergence"
            f" of the new tokens behind a true prefix; below {FLOOR:g} (rounding) it is drawn at the edge. Left: by the"
            " separation lemma no point may lie left of the window's. Right: tables beyond T can win (Potts, copies)"
            " and pairs can lose (generic chains). Parities and copies are fixed laws. The CSV has all schemes and"
            f" tokens. {interval_words(data)}"
        ),
        claims=claim_ids(
            ("c1_any_source", "c2_beats_truncation", "c2_skip", "c2_incomparable", "c5_pairwise", "c5_captures")
        ),
    )


def tokens_figure(study: "MepExtension", data: Data) -> StudyFigure:
    """Divergence of each token on some sources."""
    import matplotlib.pyplot as plt

    t, table = data.context_length, data.arms["exact"]["divergence"]
    shown = [one for one in SHOWN if one in sources(data)]
    figure, axes = plt.subplots(1, len(shown), figsize=(7, 2.7), sharey=True)
    places = np.arange(1.0, 2 * t + 1)
    for axis, source in zip(axes, shown, strict=True):
        for scheme in (*PER_TOKEN, data.window):
            curve(axis, data, places, table.at(source=source, scheme=scheme), name_of(scheme), **look(scheme))
        axis.axvline(t + 0.5, color="0.5", linewidth=0.7, linestyle="-", marker="")
        axis.set_title(source_name(source))
        axis.set_yscale("log")
        axis.set_ylim(FLOOR / 2, 3)
        axis.set_xlabel("token t")
        axis.set_xticks(places[1::2])
    axes[0].set_ylabel("E KL of token t (nats)")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    rows = [row for row in table_rows(data, "E_p KL of token t, nats", table) if row["source"] in shown]
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Token by token",
        caption=(
            f"The vertical line is T = {t}. Behind it no scheme of R1 (pairs at lags below T here) loses less than the"
            " window at any token; schemes with tables beyond T may, and lose on the prefix if they do not hold its"
            f" joint law. What is below {FLOOR:g} is drawn at the edge. {interval_words(data)}"
        ),
        claims=claim_ids(("c2_separation",)),
    )


def windows_figure(study: "MepExtension", data: Data) -> StudyFigure:
    """Windows by overlap and order; and the autoregressive property."""
    import matplotlib.pyplot as plt

    from testbed.studies.drawing import style

    t = data.context_length
    figure, axes = plt.subplots(1, 2, figsize=(7, 3.8), width_ratios=(1, 1.1))
    overlaps = list(range(t))
    for order in range(1, t + 2):
        values = np.stack([data.loss(f"markov_{order}", window(s)) for s in overlaps], axis=1)
        curve(axes[0], data, overlaps, values, f"order {order}", **{**style(order - 1), "linewidth": 1.0})
    axes[0].set_yscale("log")
    axes[0].set_ylim(FLOOR / 2, 1)
    axes[0].set_xticks(overlaps)
    axes[0].set_xlabel("overlap s")
    axes[0].set_ylabel("X (nats per new token)")
    axes[0].set_title("windows on chains")
    axes[0].legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=3)
    shortened, names = data.arms["exact"]["shortened"], sources(data)
    place = np.arange(len(names), dtype=np.float64)
    for scheme, looks in (("pairs_all", look("pairs_all")), ("windows", look(data.window))):
        label = "all pairs (GMEP)" if scheme == "pairs_all" else "window"
        across(axes[1], data, place, shortened.at(scheme=scheme), label, **looks)
    axes[1].set_xscale("log")
    axes[1].set_xlim(FLOOR / 2, 0.1)
    axes[1].set_yticks(place, [source_name(one) for one in names])
    axes[1].invert_yaxis()
    axes[1].set_xlabel("total variation, 2T less one and 2T $-$ 1")
    axes[1].set_title("one law at two lengths?")
    axes[1].legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
    rows = table_rows(data, "total variation, last token dropped", shortened)
    rows += table_rows(data, "largest difference from the closed form, nats", data.arms["exact"]["formula"])
    rows += [
        {"quantity": "X, nats per new token", "order": order, "overlap": s, **_interval(data, order, s)}
        for order in range(1, t + 2)
        for s in overlaps
    ]
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Windows by overlap, and consistency",
        caption=(
            "Left: windows of overlap s on chains of order k; at the edge, where s >= k, the loss is rounding. All"
            " values are those of the closed form to 1e-9. Right: the extension to 2T tokens, its last one summed out,"
            f" against the extension to 2T - 1: the same for windows, not for pairs. {interval_words(data)}"
        ),
        claims=claim_ids(("c1_faithful", "c1_threshold", "c12_windows", "c12_pairs")),
    )


def _interval(data: Data, order: int, overlap: int) -> dict[str, float]:
    middle, low, high = data.interval(data.loss(f"markov_{order}", window(overlap)))
    return {"mean": middle, "lower": low, "upper": high}
