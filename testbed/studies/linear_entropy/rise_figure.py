"""How the spectrum of features rises with the context: the paper's Fig. 13, right, on features of any study."""

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.drawing import LEVEL
from testbed.studies.linear_entropy.data import Data, Floats
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.linear_entropy.study import LinearEntropy

SMALLEST = 1e-12  # relative eigenvalues below it are rounding
MARKERS = "osD^vP*X"
RUNS = (("", "trained"), ("_untrained", "untrained"))


def rises_of(spectra: Floats) -> tuple[Floats, np.ndarray]:
    """From spectra (R, n_l, d): the rise of ln(lambda_i / lambda_1) from each l to the next, and where it is known.

    rises   (R, n_l - 1, d - 1), i = 2 .. d
    known   (n_l - 1, d - 1): no replicate's eigenvalue is rounding at either l
    """
    beyond = spectra[..., 1:]
    smaller = np.minimum(beyond[:, 1:], beyond[:, :-1]).min(axis=0)
    return np.diff(np.log(np.maximum(beyond, 1e-300)), axis=1), smaller > SMALLEST


def rises_panel(axis: Any, data: Data, spectra: Floats, lengths: Sequence[int]) -> list[dict[str, Any]]:
    """Draw the rises of spectra (R, n_l, d), one curve a step of l; the rows behind them."""
    import matplotlib.pyplot as plt

    risen, known = rises_of(spectra)
    colours = plt.get_cmap("viridis")(np.linspace(0, 0.9, len(lengths) - 1))
    rows: list[dict[str, Any]] = []
    for k, (low, high) in enumerate(itertools.pairwise(lengths)):
        index = np.arange(2, risen.shape[2] + 2)[known[k]]
        if not len(index):
            continue
        found = np.array([data.interval(column) for column in risen[:, k, known[k]].T])
        axis.fill_between(index, found[:, 1], found[:, 2], color=colours[k], alpha=0.2, linewidth=0)
        look = {"color": colours[k], "marker": MARKERS[k % len(MARKERS)], "markersize": 2.5, "linestyle": "-"}
        axis.plot(index, found[:, 0], label=f"l = {low} to {high}", linewidth=0.8, **look)
        rows += [
            {"from": low, "to": high, "index": int(i), "rise": a, "lower": b, "upper": c}
            for i, (a, b, c) in zip(index, found.tolist(), strict=True)
        ]
    axis.axhline(0.0, color="0.5", linewidth=0.8, linestyle="-", marker="")
    return rows


def rises_figure(study: "LinearEntropy", data: Data) -> StudyFigure:
    """One row an arm, trained and untrained features side by side."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(
        len(study.arms), 2, figsize=(7, 0.8 + 2.0 * len(study.arms)), sharey="row", squeeze=False
    )
    rows: list[dict[str, Any]] = []
    for line, arm in zip(axes, study.arms, strict=True):
        for axis, (suffix, word) in zip(line, RUNS, strict=True):
            found = rises_panel(axis, data, data.arms[arm.name]["spectrum" + suffix], arm.lengths)
            rows += [{"arm": arm.name, "features": word} | one for one in found]
            axis.set_title(f"{arm.name}, {word}", fontsize=8)
            axis.tick_params(labelsize=6)
        line[0].set_ylabel("rise of ln(λ$_i$ / λ$_1$)", fontsize=7)
        line[1].legend(fontsize=5, ncols=2)
    for axis in axes[-1]:
        axis.set_xlabel("index i")
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="How the spectrum rises with the context",
        caption=(
            "The paper's Fig. 13, right: by how much the logarithm of each relative eigenvalue of the features rises"
            " from one l to the next. One common factor for all of them would be a level line. Mean over"
            f" {study.n_seeds} seeds, bands: {LEVEL:.0%} intervals, each point alone; eigenvalues that are rounding are"
            " left out."
        ),
        shows=("2502.01481 F15",),
    )
