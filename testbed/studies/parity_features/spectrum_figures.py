"""Spectra of features at every l with the exact rank of the state, and how they rise with l."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.drawing import LEVEL
from testbed.studies.linear_entropy.data import Data
from testbed.studies.linear_entropy.rise_figure import RUNS, rises_panel
from testbed.studies.parity_features.claims import STUDY
from testbed.studies.parity_features.config import ROLES
from testbed.studies.parity_features.judgement import TITLES
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.parity_features.study import ParityFeatures

SMALLEST = 1e-12  # relative eigenvalues are drawn down to it
MARKERS = "osD^vP*X"


def spectra_figure(study: "ParityFeatures", data: Data) -> StudyFigure:
    """Relative eigenvalues at each l, and where each should end: as many answers as the context gives."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 2, figsize=(7, 4.6), sharex=True, sharey=True)
    rows: list[dict[str, Any]] = []
    for line, role in zip(axes, ROLES, strict=True):
        table = study.table(role)
        colours = plt.get_cmap("viridis")(np.linspace(0, 0.9, len(table.lengths)))
        for axis, (suffix, word) in zip(line, RUNS, strict=True):
            logs = np.log10(np.maximum(data.arms[role]["spectrum" + suffix], SMALLEST))
            for k, (l, rank) in enumerate(zip(table.lengths, table.n_solved, strict=True)):
                found = np.array([data.interval(column) for column in logs[:, k].T])
                at = np.arange(1, len(found) + 1)
                axis.fill_between(at, 10 ** found[:, 1], 10 ** found[:, 2], color=colours[k], alpha=0.25, linewidth=0)
                look = {"color": colours[k], "marker": MARKERS[k % len(MARKERS)], "markersize": 2.5, "linestyle": "-"}
                axis.plot(at, 10 ** found[:, 0], label=f"l = {l}, rank {rank}", linewidth=0.8, **look)
                axis.axvline(rank + 0.5, color=colours[k], linestyle=":", linewidth=0.8, marker="")
                rows += [
                    {"table": TITLES[role], "features": word, "l": l, "exact_rank": rank, "index": int(i)}
                    | {"log10_relative_eigenvalue": a, "lower": b, "upper": c}
                    for i, (a, b, c) in zip(at, found.tolist(), strict=True)
                ]
            axis.set_yscale("log")
            axis.set_title(f"{TITLES[role]}, {word}", fontsize=8)
        line[0].set_ylabel("relative eigenvalue")
    for axis in axes[-1]:
        axis.set_xlabel("index")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=6, fontsize=6.5)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Spectra of features with the exact rank of the state",
        caption=(
            "Eigenvalues of the features' covariance over the largest, for each context length; geometric mean over"
            f" {study.n_seeds} seeds, bands: {LEVEL:.0%} intervals of the mean logarithm, each point alone. Dotted: the"
            " exact rank of the state, after which a network that held the answers and nothing else would have no"
            " eigenvalue."
        ),
        claims=(f"{STUDY}.c4_one_threshold",),
        shows=("2502.01481 F6",),
    )


def rises_figure(study: "ParityFeatures", data: Data) -> StudyFigure:
    """The paper's Fig. 13, right: how the logarithm of each relative eigenvalue rises from one l to the next."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 2, figsize=(7, 4.6), sharex=True, sharey="row")
    rows: list[dict[str, Any]] = []
    for line, role in zip(axes, ROLES, strict=True):
        for axis, (suffix, word) in zip(line, RUNS, strict=True):
            found = rises_panel(axis, data, data.arms[role]["spectrum" + suffix], study.table(role).lengths)
            rows += [{"table": TITLES[role], "features": word} | one for one in found]
            axis.set_title(f"{TITLES[role]}, {word}", fontsize=8)
        line[0].set_ylabel("rise of ln(λ$_i$ / λ$_1$)")
    for axis in axes[-1]:
        axis.set_xlabel("index i")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=5, fontsize=6.5)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="How the spectrum rises with the context",
        caption=(
            "The paper's Fig. 13, right. One common factor for all eigenvalues would be a level line; a new task that"
            " is a new direction lifts the eigenvalue of its own number alone. Mean over"
            f" {study.n_seeds} seeds, bands: {LEVEL:.0%} intervals, each point alone; eigenvalues that are rounding are"
            " left out."
        ),
        claims=(f"{STUDY}.one_factor",),
        shows=("2502.01481 F15",),
    )
