"""Times to learn along a stream, and effective rates."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.conditioning.claims import STUDY
from testbed.studies.conditioning.config import LEARNERS, Learner
from testbed.studies.conditioning.data import Data, Floats, slope
from testbed.studies.conditioning.notes import interval
from testbed.studies.drawing import LEVEL, style
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from testbed.studies.conditioning.study import Conditioning

TITLES: dict[Learner, str] = {
    "layer": "layer norm",
    "decayed": "layer norm, weight decay",
    "bare": "no norms",
    "normalised": "normalised, not projected",
    "nap": "Normalize-and-Project",
    "fresh": "fresh weights, layer norm",
    "fresh_nap": "fresh weights, NaP",
}


SHOWN = (
    "nap_young", "nap_flat", "layer_ages", "bare_ages", "normalised_ages", "nap_less", "decay_less", "used_later",
    "used_nap",
)  # fmt: skip
STEPS = (1, 2, 5, 10, 20, 30, 50, 70, 100, 150, 200, 300, 500, 1000)
"""Where ticks may stand."""


def stream_figure(study: "Conditioning", data: Data) -> StudyFigure:
    """Left: steps to the target by task. Right: slopes."""
    import matplotlib.pyplot as plt

    b = study.bounds
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.0, 3.8), width_ratios=(3, 2))
    rows: list[dict[str, Any]] = []
    for look, learner in enumerate(LEARNERS):
        rows += _curve(left, data.logs[learner], learner, look, "steps")
        slopes = slope(data.logs[learner], study.stream.skipped)
        middle, low, high = interval(slopes)
        bars = {**style(look), "linestyle": ""}
        right.errorbar(middle, look, xerr=[[middle - low], [high - middle]], capsize=3, markersize=5, **bars)
        right.plot(slopes, np.full(len(slopes), look + 0.25), "|", color="0.5", markersize=5)
        rows.append({"learner": learner, "slope": middle, "lower": low, "upper": high, "rate": data.rates[learner],
                     "n": len(slopes)})  # fmt: skip
    left.axvline(study.stream.skipped - 0.5, color="0.6", linestyle=":", marker="")
    left.set_yscale("log")
    low, high = left.get_ylim()
    ticks = [one for one in STEPS if low <= one <= high]
    left.set_yticks(ticks, [str(one) for one in ticks])
    left.set_yticks([], minor=True)
    left.set_xlabel("task")
    left.set_ylabel("steps until the excess is $\\delta$")
    right.axvspan(-b.slope, b.slope, color="0.9")
    right.set_yticks(range(len(LEARNERS)), [TITLES[one] for one in LEARNERS])
    right.set_ylim(len(LEARNERS) - 0.4, -0.6)
    right.set_xlabel("slope of ln steps, per task")
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=7)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Ageing along a stream of renamed tasks",
        claims=tuple(f"{STUDY}.{one}" for one in SHOWN),
        caption=(
            f"Left: steps to an excess of {study.stream.target:g} (h_0 - h), geometric mean over {len(data.known)}"
            f" replicates with {LEVEL:.0%} intervals (bands), each point alone; a task not learnt in"
            f" {study.stream.steps} steps counts as learnt then. Right: slopes from the dotted line on,"
            f" mean and {LEVEL:.0%} interval (ticks: replicates); grey: no ageing, within the margin. Each learner at"
            " its own rate, the best on streams of this length. No learner warms up."
        ),
    )


def effective_figure(study: "Conditioning", data: Data) -> StudyFigure:
    """rate / |w| by task."""
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(6.4, 3.2))
    rows: list[dict[str, Any]] = []
    for look, learner in enumerate(LEARNERS):
        rows += _curve(axis, data.elr[learner], learner, look, "rate over norm")
    axis.set_yscale("log")
    axis.set_xlabel("task")
    axis.set_ylabel("rate / |w| when the task begins")
    figure.legend(*axis.get_legend_handles_labels(), loc="outside right upper", fontsize=7)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Effective learning rate",
        caption=(
            "Learning rate over the norm of the blocks' matrices when each task begins, geometric mean over"
            f" {len(data.known)} replicates with {LEVEL:.0%} intervals (bands), each point alone. NaP brings each"
            " matrix back to its first norm, so that its line is flat by construction. It says how fast a matrix turns"
            " only where its scale does not count."
        ),
    )


def _curve(axis: "Axes", logs: Floats, learner: Learner, look: int, what: str) -> list[dict[str, Any]]:
    """exp of the mean and of its interval at each task, drawn and as rows."""
    found = np.exp([interval(column) for column in logs.T])
    place = np.arange(logs.shape[1])
    every = max(1, logs.shape[1] // 8)
    axis.plot(place, found[:, 0], markersize=3.5, linewidth=1, markevery=(look % every, every), label=TITLES[learner],
              **style(look))  # fmt: skip
    axis.fill_between(place, found[:, 1], found[:, 2], color=style(look)["color"], alpha=0.15, linewidth=0)
    return [
        {"learner": learner, "task": int(k), what: float(m), "lower": float(lo), "upper": float(hi)}
        for k, (m, lo, hi) in zip(place, found, strict=True)
    ]
