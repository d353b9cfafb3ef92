"""Loss and divergences along training, in columns of laws of chains."""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.drawing import LEVEL
from testbed.studies.induction_phases.claims import STUDY
from testbed.studies.induction_phases.config import Name
from testbed.studies.induction_phases.curves import STYLES, Row, curve, level_line, room_for
from testbed.studies.induction_phases.data import Data, Floats, Ints, nearest
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from testbed.studies.induction_phases.study import InductionPhases

COLUMNS: tuple[tuple[Name, str, str], ...] = (
    ("two", "K = 2", "unigram"),
    ("three", "K = 3", "unigram"),
    ("eight", "K = 8", "smoothed"),
    ("doubly", "K = 3, doubly stochastic", "unigram"),
)
"""Arm, title, and the unigram law whose nearness shades the panel."""


def phases_figure(study: "InductionPhases", data: Data) -> StudyFigure:
    """Two rows: the loss between its levels, and the divergence of each predictor from the model."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 4, figsize=(9.6, 5.0), sharex="col")
    rows: list[Row] = []
    for column, (name, title, law) in enumerate(COLUMNS):
        arm, level = data.arms[name], data.levels[name]
        upper, lower = axes[0][column], axes[1][column]
        laws = ("uniform", "unigram", *(("smoothed",) if name == "eight" else ()), "bigram")
        found = curve(upper, data, arm["step"], level.bayes + arm["excess"], "loss", zorder=3)
        values = {"uniform": float(np.log(study.arms.named(name).vocab_size)), "bigram": level.bigram}
        values |= {"unigram": float(level.unigram[0]), "smoothed": float(level.unigram.min())}
        if np.isfinite(level.counts_last):
            values["counts_last"] = level.counts_last
        for one in (*laws, *(("counts_last",) if "counts_last" in values else ())):
            found.append(level_line(upper, values[one], one))
        if name == "doubly":
            upper.axhline(level.bayes, color="0.5", linewidth=0.9)
        for one in (*laws, *(("counts_last",) if "counts_last" in arm else ())):
            found += [{"part": "divergence"} | row for row in curve(lower, data, arm["step"], arm[one], one)]
        room_for(upper, (level.bayes, *(values[one] for one in laws)))
        for axis in (upper, lower):
            _shade(axis, arm["step"], commonest(nearest(arm, law)))
        upper.set_xscale("log")
        upper.set_title(title)
        lower.set_ylim(bottom=0)
        lower.set_xlabel("optimiser steps")
        rows += [{"arm": name, "part": "loss"} | row for row in found]
    axes[0][0].set_ylabel("loss (nats)")
    axes[1][0].set_ylabel("KL(predictor || model) (nats)")
    handles = {
        label: handle for axis in axes.flat for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)
    }
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=6)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="From uniform to unigrams to bigrams",
        caption=(
            "Two layers of attention on chains drawn for every sequence. Above: loss, and the levels of the closed-form"
            " predictors at the same positions (lines of the same colour and dash; grey: Bayes law, where it is not the"
            " bigram law). Below: divergence of each predictor from the model, mean over positions; that of the bigram"
            " law is the excess over Bayes for Dirichlet rows. Shading: which of uniform, unigram and bigram is"
            " nearest in the most runs (K = 8: unigrams with their best smoothing; K = 2: the law of the counts and the"
            " last symbol, drawn below, is left out of the shading). Curves: mean over"
            f" {study.n_seeds} runs, bands {LEVEL:.0%} intervals."
        ),
        claims=tuple(
            f"{STUDY}.{name}"
            for name in (
                *("order_two", "order_three", "last_longer", "near", "doubly_far", "learnt"),
                *("plateau_two", "plateau_three", "plateau_last", "eight_order", "eight_smoothed", "eight_lead"),
            )
        ),
        shows=("2402.11004 F1",),
    )


def commonest(phases: Ints) -> Ints:
    """(n,): the phase that most of (R, n) runs are in; the earlier one where two are as common."""
    return np.asarray([np.bincount(column, minlength=3).argmax() for column in phases.T])


def _shade(axis: "Axes", steps: Floats, phase: Ints) -> None:
    """Ground in the colour of the nearest predictor."""
    import matplotlib

    colours = matplotlib.rcParams["axes.prop_cycle"].by_key()["color"]
    edges = np.concatenate([[steps[0]], np.sqrt(steps[1:] * steps[:-1]), [steps[-1]]])
    for place, one in enumerate(("uniform", "unigram", "bigram")):
        for i in np.flatnonzero(phase == place):
            axis.axvspan(edges[i], edges[i + 1], color=colours[STYLES[one]], alpha=0.08, linewidth=0)
