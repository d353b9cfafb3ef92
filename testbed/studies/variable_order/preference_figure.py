"""Preferences of models against those of context-tree weighting, and their slopes."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.drawing import LEVEL, style
from testbed.studies.study import StudyFigure
from testbed.studies.variable_order.claims import STUDY
from testbed.studies.variable_order.data import Data, Floats
from testbed.studies.variable_order.notes import UNASKED

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from testbed.studies.variable_order.study import VariableOrder

Row = dict[str, Any]
BINS = 8
"""Parts of the sequences that have one, by the preference of context-tree weighting, as equal as can be."""
NONE = 0.005
"""Preferences of context-tree weighting below that, either way, count as none."""
SHOWN = -0.4, 1.1
"""Slopes on the axes; those of partial matching, which a few sequences decide, reach farther."""


def preference_figure(study: "VariableOrder", data: Data) -> StudyFigure:
    """Who changes the weights of orders from sequence to sequence as context-tree weighting does."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(9.6, 5.2), width_ratios=(1.5, 1.0, 1.0))
    rows = _binned(study, axes[0], data)
    rows += _slopes(study, axes[1], data, "follows", 0)
    rows += _slopes(study, axes[2], data, "depth", 1)
    axes[0].set_xlabel("preference of context-tree weighting")
    axes[0].set_ylabel("preference of the model")
    axes[0].legend(loc="upper left")
    axes[1].set_xlabel("slope along\ncontext-tree weighting's")
    axes[2].set_xlabel("slope along the true depth\n(context-tree weighting: 1)")
    axes[2].set_yticklabels([])
    names = ("two_follows", "deep_follows", "true_depth", "deep_evidence", "depth_follows", "full_blind")
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Preferences sequence by sequence",
        caption=(
            "By how much the weights of long contexts are larger in one sequence than wherever as much was counted,"
            " second half of fresh sequences of random trees (`preference`): 0 in every sequence for who blends"
            f" log-linearly with weights by counts. Left: mean preference of models in {BINS} equal parts of the"
            f" sequences in which context-tree weighting has one ({(np.abs(data.bayes) >= NONE).mean():.0%} of them, of"
            f" {NONE:g} and more either way), by it (grey: itself); mean over"
            f" {study.n_seeds} runs, bands {LEVEL:.0%} intervals. Middle: least-squares slopes of these preferences"
            " over all sequences; right: slopes along the true depth of the sequence's tree, in units of context-tree"
            " weighting's. Open: learners that ask no evidence, on the same sequences. Dots: single runs; what"
            " lies beyond an axis, some runs of partial matching, is cut off. Ticks:"
            f" {study.reading.chance:.0%} of permutations of the depths lie below. Bars {LEVEL:.0%} intervals."
        ),
        claims=tuple(f"{STUDY}.{name}" for name in names),
    )


def _binned(study: "VariableOrder", axis: "Axes", data: Data) -> list[Row]:
    rows: list[Row] = []
    parts = []
    for row in data.bayes:
        some = np.flatnonzero(np.abs(row) >= NONE)
        parts.append([one for one in np.array_split(some[np.argsort(row[some])], BINS) if len(one)])
    n_parts = min(map(len, parts))

    def binned(values: Floats) -> Floats:
        """(n_parts, R) means."""
        return np.array([[row[own[i]].mean() for row, own in zip(values, parts, strict=True)] for i in range(n_parts)])

    x = binned(data.bayes).mean(axis=1)
    for place, arm in enumerate(study.arms):
        values = binned(data.arms[arm.name].preference)
        ends = np.array([data.mean(one).interval((1 - LEVEL) / 2) for one in values])
        look = style(place)
        axis.plot(x, values.mean(axis=1), label=arm.said, markersize=3.5, **look)
        axis.fill_between(x, ends[:, 0], ends[:, 1], color=look["color"], alpha=0.2, linewidth=0)
        rows += [
            {"panel": "binned", "what": arm.said, "at": at, "mean": one.mean(), "lower": low, "upper": high}
            for at, one, (low, high) in zip(x, values, ends, strict=True)
        ]
    axis.plot(x, x, color="0.5", linewidth=1.2, linestyle=(0, (4, 2)), label="context-tree weighting")
    axis.axhline(0.0, color="0.5", linewidth=0.7)
    return rows


def _slopes(study: "VariableOrder", axis: "Axes", data: Data, what: str, place: int) -> list[Row]:
    rows: list[Row] = []
    models = [(arm.said, getattr(data.arms[arm.name], what), style(i)) for i, arm in enumerate(study.arms)]
    others = [(label, data.unasking[name][:, place], None) for name, label in UNASKED.items()]
    entries = models + others
    for at, (label, values, look) in enumerate(entries):
        low, high = data.mean(values).interval((1 - LEVEL) / 2)
        mean = float(values.mean())
        drawn = {"color": "0.35", "marker": "o", "markerfacecolor": "white"} if look is None else dict(look)
        drawn["linestyle"] = ""
        axis.plot(values, np.full(len(values), -at - 0.28), ".", color=drawn["color"], markersize=3, alpha=0.7)
        axis.errorbar([mean], [-at], xerr=[[mean - low], [high - mean]], capsize=2, markersize=4, **drawn)
        rows.append({"panel": what, "what": label, "at": None, "mean": mean, "lower": low, "upper": high})
        rows += [{"panel": what, "what": f"{label}, a run", "at": None, "mean": float(one)} for one in values]
    if what == "depth":
        for at, arm in enumerate(study.arms):
            chance = float(data.arms[arm.name].chance.mean())
            axis.plot([chance], [-at], marker="|", color="0.2", markersize=9, linestyle="")
            said = f"{arm.said}: permuted, {study.reading.chance:.0%} below"
            rows.append({"panel": what, "what": said, "at": None, "mean": chance, "lower": None, "upper": None})
    axis.set_xlim(*SHOWN)
    axis.axvline(1.0, color="0.5", linewidth=1.2, linestyle=(0, (4, 2)))
    axis.axvline(0.0, color="0.5", linewidth=0.7)
    axis.set_yticks([-at for at in range(len(entries))], [label for label, _, _ in entries])
    axis.set_ylim(-len(entries) + 0.5, 0.5)
    return rows
