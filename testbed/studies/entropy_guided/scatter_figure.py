"""Overload of every run against its KL."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.drawing import LEVEL, style
from testbed.studies.entropy_guided.bars_figure import allowed, arm_title
from testbed.studies.entropy_guided.claims import STUDY
from testbed.studies.entropy_guided.config import HMAX, LOGS, PLACES, Place, cell_title
from testbed.studies.entropy_guided.data import Data
from testbed.studies.entropy_guided.evidence import overload_and_kl
from testbed.studies.entropy_guided.grid import main_arms
from testbed.studies.entropy_guided.order import across, within
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.entropy_guided.study import EntropyGuidedStudy

MARKERS = ("o", "s", "^", "D", "v", "P")


def scatter_figure(study: "EntropyGuidedStudy", data: Data) -> StudyFigure:
    """Rows: Hmax; columns: sources; one mark a run, those with the penalty hollow."""
    import matplotlib.pyplot as plt
    from matplotlib.ticker import NullFormatter

    figure, axes = plt.subplots(2, 3, figsize=(10.8, 6.2), sharex="col")
    rows: list[dict[str, Any]] = []
    cells = study.lattice.cells
    for line, hmax in enumerate(HMAX):
        for column, place in enumerate(PLACES):
            axis = axes[line, column]
            low, high = allowed(study, place, hmax)
            label = "overload that best heads leave" if (line, column) == (0, 1) else None
            axis.axhspan(low, high, color="0.9", label=label)
            for arm in [one for one in main_arms(study) if one.place == place]:
                one, number = data.runs[arm], cells.index(arm.cell)
                colour = style(number)["color"]
                shape = {"none": MARKERS[number], "window": "x", "row": "+"}[arm.form]
                face = colour if arm.form == "none" else None
                label = arm_title(arm).replace("\n", ", ") if (line, column) == (0, 1) else None
                axis.scatter(
                    np.minimum(one.kl, 1.0), one.over[hmax], s=22, marker=shape, color=colour, facecolor=face,
                    alpha=0.8, linewidths=0.9, label=label,
                )  # fmt: skip
                rows += [
                    {"source": place, "arm": arm_title(arm).replace("\n", ", "), "hmax": LOGS[hmax], "replicate": r}
                    | {"kl": float(kl), "overload": float(over)}
                    for r, (kl, over) in enumerate(zip(one.kl, one.over[hmax], strict=True))
                ]
            title, found = _orders(study, data, place, hmax)
            axis.set_title(f"{place}\n{title}" if line == 0 else title, fontsize=7.5, fontweight="normal")
            rows += found
            axis.set_xscale("log")
            axis.set_ylim(-0.04, 1.04)
            axis.xaxis.set_minor_formatter(NullFormatter())
            if line == 1:
                axis.set_xlabel("KL to the Bayes law (nats)")
            if column == 0:
                axis.set_ylabel(f"overload, Hmax = {LOGS[hmax]}")
    figure.legend(*axes[0, 1].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=8)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Overload against KL, run by run",
        caption=(
            "Each mark is a run, at the tuned rate of its arm: share of rows in overload, over all heads, against the"
            f" mean KL over all places; {study.n_seeds} replicates of each arm, with the penalty (crosses, c ="
            f" {study.penalty.coefficient:g}) {min(study.penalty.n_seeds, study.n_seeds)}. Grey: overload of models"
            " whose needed heads have their exact best entropy, the free ones any. Above each panel: of the pairs"
            " without a penalty whose overload differs, the share in which more overload goes with more KL, over cells"
            f" of one replicate and over runs of one cell, 1/2 by chance, with its {LEVEL:.0%} interval; and the share"
            " of all pairs that are tied and left out. KL above 1 nat is drawn at 1."
        ),
        claims=tuple(f"{STUDY}.{name}_{place}" for name in ("lattice", "same") for place in PLACES)
        + tuple(f"{STUDY}.{name}" for name in ("broken", "helped_copy", "helped_markov", "unharmed_copy"))
        + (f"{STUDY}.unharmed_markov",),
    )


def _orders(study: "EntropyGuidedStudy", data: Data, place: Place, hmax: str) -> tuple[str, list[dict[str, Any]]]:
    """The panel's text, and rows of the table: over cells, over runs of a cell, and cell by cell."""
    over, kl = overload_and_kl(study, data, place, hmax)
    every = {"cells": across(over, kl), "runs of a cell": within(over, kl)}
    every |= {
        f"runs of {cell_title(cell)}": within(a[None], b[None])
        for cell, a, b in zip(study.lattice.cells, over, kl, strict=True)
    }
    lines: list[str] = []
    rows: list[dict[str, Any]] = []
    for name, one in every.items():
        low, high = one.number().interval((1 - LEVEL) / 2)
        rows.append(
            {"source": place, "arm": f"pairs of {name}", "hmax": LOGS[hmax], "one_order": one.share}
            | {"one_order_lower": low, "one_order_upper": high, "tied": one.tied}
        )
        if len(lines) < 2:
            lines.append(f"{name}: {one.share:.2f} [{low:.2f}, {high:.2f}], {one.tied:.0%} tied")
    return "\n".join(lines), rows
