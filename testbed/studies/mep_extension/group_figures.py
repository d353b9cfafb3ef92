"""Figures of groups of tokens, and of the numbers of tables and equations."""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.drawing import style
from testbed.studies.mep_extension.closed import FAMILIES
from testbed.studies.mep_extension.data import Data
from testbed.studies.mep_extension.drawing import (
    across,
    claim_ids,
    closed_rows,
    curve,
    interval_words,
    table_rows,
)
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.mep_extension.study import MepExtension

OPTIONS = {
    "triangle": "triangle",
    "star": "product of experts",
    "geometric": "geometric mean",
    "skip": "(A, C) alone",
    "neighbour": "(B, C) alone",
}
READINGS = {
    "no_third": "no third",
    "split_both": "split both",
    "split_left": "split left",
    "split_right": "split right",
    "both_ways": "triangle",
}
LAWS = {
    "dirichlet": "Dirichlet",
    "markov_3": "Markov 3",
    "parity_left": "parity in L",
    "parity_right": "parity in R",
    "copy": "copy",
    "chain": "first-order chain",
}
FAMILY_NAMES = {
    "windows": "windows, T $-$ 1",
    "half_windows": "windows, T / 2",
    "pairs_near": "pairs, lag < T",
    "pairs_all": "all pairs",
    "blocks": "four blocks",
    "triangle": "triangle",
    "split_both": "split triangle",
}


def groups_figure(study: "MepExtension", data: Data) -> StudyFigure:
    """The triangle, the readings of SMEP, one-way conditionals, growth with n."""
    import matplotlib.pyplot as plt

    arm = data.arms["groups"]
    figure, axes = plt.subplots(2, 2, figsize=(7, 5.0))
    for k, law in enumerate(arm["triangle"].axes["law"]):
        place = np.arange(len(OPTIONS)) + 0.24 * k - 0.12
        across(axes[0, 0], data, place, arm["triangle"].at(law=law), LAWS[law], **{**style(k), "markersize": 3.5})
    axes[0, 0].set_yticks(range(len(OPTIONS)), OPTIONS.values())
    axes[0, 0].set_title("p(c | a, b) from tables of two")
    for k, law in enumerate(arm["smep"].axes["law"]):
        place = np.arange(len(READINGS)) + 0.12 * k - 0.24
        across(axes[0, 1], data, place, arm["smep"].at(law=law), LAWS[law], **{**style(k), "markersize": 3.5})
    axes[0, 1].set_yticks(range(len(READINGS)), READINGS.values())
    axes[0, 1].set_title("readings of SMEP")
    cases = arm["one_way"].axes["case"]
    across(axes[1, 0], data, np.arange(len(cases)), arm["one_way"].values, "", **{**style(2), "markersize": 3.5})
    axes[1, 0].set_yticks(
        range(len(cases)), [one.replace(", ", ",\n").replace("dirichlet", "Dirichlet") for one in cases]
    )
    axes[1, 0].set_xlabel("total variation from pair tables")
    axes[1, 0].set_xscale("symlog", linthresh=1e-3)
    axes[1, 0].set_xlim(-2e-4, 2.0)
    axes[1, 0].set_xticks([0, 1e-3, 1e-2, 1e-1, 1], ["0", "0.001", "0.01", "0.1", "1"])
    axes[1, 0].minorticks_off()
    axes[1, 0].set_title("conditionals in place of tables")
    growth = arm["growth"]
    for k, order in enumerate(growth.axes["order"]):
        looks = {**style(k), "markersize": 3.5}
        curve(axes[1, 1], data, growth.axes["n"], growth.at(order=order), f"Markov {order}", **looks)
    axes[1, 1].set_ylim(bottom=0)
    axes[1, 1].set_xlabel("n (tokens)")
    axes[1, 1].set_ylabel("KL / n (nats)")
    axes[1, 1].set_title("all pairs, longer and longer")
    for axis in axes[0]:
        axis.set_xlabel("loss (nats)")
        axis.invert_yaxis()
        axis.set_xlim(left=-0.02)
    axes[1, 0].invert_yaxis()
    axes[0, 0].set_xlim(right=2.0 * float(arm["triangle"].values.mean(axis=0).max()))
    axes[0, 0].legend(loc="upper right")
    axes[1, 1].legend(loc="upper left")
    axes[0, 1].legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    rows = [row for name, table in arm.items() for row in table_rows(data, name, table)]
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Groups of tokens",
        caption=(
            f"Top left: three groups of one token, V = {study.groups.triangle_vocab_size}: loss on C. Top right: three"
            f" groups of {study.groups.context_length // 2}; a split third table loses what straddles the split (parity"
            " of a split group), and nothing else. Bottom left: conditionals one way leave a first-order chain's law"
            " open. Bottom right: what all pairs lose per token grows with n."
            f" {interval_words(data)}"
        ),
        claims=claim_ids(("c4_skip_table", "c13_order", "c13_split", "c13_both_ways", "c13_one_way", "c19_small_n")),
    )


def sizes_figure(study: "MepExtension", data: Data) -> StudyFigure:
    """Tables and independent equations against T."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(7, 3.1))
    for axis, name, label in zip(axes, ("tables", "equations"), ("tables", "independent equations"), strict=True):
        table = data.closed[name]
        for k, family in enumerate(FAMILIES):
            looks = {**style(k), "linewidth": 1.0, "markersize": 3.5}
            axis.plot(table.axes["T"], table.at(family=family), label=FAMILY_NAMES[family], **looks)
        lengths = np.array(table.axes["T"], dtype=np.float64)
        axis.plot(lengths, lengths, color="0.6", linewidth=3, linestyle="-", marker="", zorder=0, label="T")
        axis.set_xscale("log", base=2)
        axis.set_yscale("log")
        axis.set_xticks(table.axes["T"], [str(one) for one in table.axes["T"]])
        axis.minorticks_off()
        axis.set_xlabel("T (tokens)")
        axis.set_ylabel(label)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    rows = [row for name, table in data.closed.items() for row in closed_rows(name, table)]
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="How many tables and equations",
        caption=(
            f"Exact counts, no interval; equations for V = {study.closed_forms.vocab_size}, normalisation left out. The"
            " grey line is T. Windows and groups have few tables but exponentially many equations; pairs have"
            " quadratically many of both. The CSV also has the parity law, noiseless copies, and how far three and four"
            " groups reach."
        ),
        claims=claim_ids(
            (
                "c3_three",
                "c3_four",
                "c6_parity",
                "c7_copies",
                "c8_tables",
                "c8_equations",
                "c14_tables",
                "c14_equations",
            )
        ),
    )
