"""One layer beside two, and where the attention of two layers goes."""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.drawing import LEVEL, style
from testbed.studies.induction_phases.claims import STUDY
from testbed.studies.induction_phases.config import Name
from testbed.studies.induction_phases.curves import Row, curve, level_line, room_for
from testbed.studies.induction_phases.data import Data
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.induction_phases.study import InductionPhases

PAIRS: tuple[tuple[Name, Name], ...] = (("two", "one_two"), ("three", "one_three"))


def layers_figure(study: "InductionPhases", data: Data) -> StudyFigure:
    """Loss of one and of two layers against the steps."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(7.0, 3.0))
    rows: list[Row] = []
    for axis, (deep, shallow) in zip(axes, PAIRS, strict=True):
        level, k = data.levels[deep], study.arms.named(deep).vocab_size
        for place, (name, label) in enumerate(((deep, "two layers"), (shallow, "one layer"))):
            arm, look = data.arms[name], style(2 if place == 0 else 6)
            found = curve(axis, data, arm["step"], level.bayes + arm["excess"], "loss", **look | {"label": label})
            rows += [{"symbols": k} | row for row in found]
        values = {"uniform": float(np.log(k)), "unigram": float(level.unigram[0]), "bigram": level.bigram}
        if np.isfinite(level.counts_last):
            values["counts_last"] = level.counts_last
        for law, value in values.items():
            label = {"counts_last": "counts and last symbol"}.get(law, law)
            rows.append({"symbols": k} | level_line(axis, value, law, label=f"level: {label}"))
        room_for(axis, values.values())
        axis.set_xscale("log")
        axis.set_title(f"K = {k}")
        axis.set_xlabel("optimiser steps")
    axes[0].set_ylabel("loss (nats)")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="One layer and two",
        caption=(
            "Loss of one and of two layers of attention along training, and levels: of the closed-form predictors, and"
            " the least loss of any law of how often each symbol stood and which one stands last (exact for K = 2,"
            f" sampled for K = 3). Mean over {study.n_seeds} runs, bands {LEVEL:.0%} intervals."
        ),
        claims=tuple(f"{STUDY}.{name}" for name in ("one_stays", "one_unigram", "one_last", "plateau_last", "learnt")),
    )


def attention_figure(study: "InductionPhases", data: Data) -> StudyFigure:
    """Scores of the first and the last layer's attention along training."""
    import matplotlib.pyplot as plt

    names: tuple[tuple[Name, str], ...] = (
        ("two", "K = 2"), ("three", "K = 3"), ("eight", "K = 8"), ("doubly", "K = 3, doubly stochastic")
    )  # fmt: skip
    figure, axes = plt.subplots(1, 4, figsize=(9.6, 2.8), sharey=True)
    rows: list[Row] = []
    for axis, (name, title) in zip(axes, names, strict=True):
        arm = data.arms[name]
        for place, (score, label) in enumerate(
            (("previous", "layer 1: the token before"), ("induction", "last layer: what followed a copy"))
        ):
            look = style(place) | {"label": label}
            rows += [{"arm": name} | row for row in curve(axis, data, arm["step"], arm[score], "loss", **look)]
        axis.axhline(0.0, color="0.5", linewidth=0.8)
        axis.set_xscale("log")
        axis.set_title(title)
        axis.set_xlabel("optimiser steps")
    axes[0].set_ylabel("attention above uniform")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Where attention goes",
        caption=(
            "Attention of the first layer to the token before, and of the last layer to tokens that followed an earlier"
            " copy of the one at the query (an induction head); less what uniform attention pays them, mean over"
            f" queries, largest head. Mean over {study.n_seeds} runs, bands {LEVEL:.0%} intervals."
        ),
        claims=(f"{STUDY}.learnt",),
    )
