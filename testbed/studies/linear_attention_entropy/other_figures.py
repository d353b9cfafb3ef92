"""In-context tasks by kernel, recall by what may attend to nothing, and HyperAttention in the softmax's place."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.drawing import LEVEL, style
from testbed.studies.linear_attention_entropy.claims import STUDY, TITLES
from testbed.studies.linear_attention_entropy.config import BIGRAM, CONTEXT, KERNELS, MISSES, READERS, UNIGRAM
from testbed.studies.linear_attention_entropy.data import Data, Floats
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from testbed.studies.linear_attention_entropy.study import LinearAttentionEntropy


LINEAR = 1e-3
"""Share of ln V within which the axis of recall is linear."""


def context_figure(study: "LinearAttentionEntropy", data: Data) -> StudyFigure:
    """A panel a task, a row a kernel."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(6.8, 2.6), sharey=True)
    rows: list[dict[str, Any]] = []
    for axis, task, title in zip(axes, CONTEXT, ("chains (bigrams)", "coins (unigrams)"), strict=True):
        for place, arm in enumerate(KERNELS):
            each = data.share(task, arm)
            rows.append({"task": task, "kernel": TITLES[arm]} | _point(axis, data, each, place, place))
        axis.set_xlim(left=0.0)
        axis.set_xlabel("excess (share of what context tells)")
        axis.set_title(title, fontsize=8)
    axes[0].set_yticks(range(len(KERNELS)), [TITLES[arm] for arm in KERNELS], fontsize=7)
    axes[0].invert_yaxis()
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Excess in context by kernel",
        caption=(
            "KL from the Bayes law at places from T / 2 on, as a share of that of the uniform law. Two layers of one"
            f" head without MLP, T = {data.design.context_length}, {study.training.context_steps} steps; rates are"
            f" tuned on chains for each kernel. Mean over {study.n_seeds} replicates with {LEVEL:.0%} intervals of the"
            " mean, each alone; strokes: replicates, whose sequences all kernels share. Axes differ."
        ),
        claims=tuple(f"{STUDY}.{name}" for name in ("bigram_relu", "bigram_softmax", "unigram_equal")),
    )


def recall_figure(study: "LinearAttentionEntropy", data: Data) -> StudyFigure:
    """KL of answers less that of the softmax: missing keys, keys that were shown, and where none is missing."""
    import matplotlib.pyplot as plt

    panels = (("miss", "missing keys"), ("hit", "keys shown"), ("whole", "none missing"))
    figure, axes = plt.subplots(1, 3, figsize=(8.2, 2.7), sharey=True)
    rows: list[dict[str, Any]] = []
    for axis, (what, title) in zip(axes, panels, strict=True):
        for place, arm in enumerate(READERS[1:]):
            each = data.less(MISSES, arm, "softmax", what)
            rows.append({"answers": title, "method": TITLES[arm]} | _point(axis, data, each, place, place + 1))
        axis.axvline(0.0, color="0.4", linewidth=0.8)
        bounds = (-study.bounds.read,) if what == "miss" else (study.bounds.read,)
        for one in bounds:
            axis.axvline(one, color="0.5", linewidth=0.8, linestyle=":")
        level = data.share(MISSES, "softmax", what)
        axis.set_title(f"{title} (softmax {level.mean():.4f})", fontsize=8)
        axis.set_xlabel("KL less the softmax's (share of ln V)")
        axis.set_xscale("symlog", linthresh=LINEAR)
        axis.set_xticks([-1e-2, -1e-3, 0.0, 1e-3, 1e-2, 1e-1], ["-0.01", "", "0", "", "0.01", "0.1"])
        axis.minorticks_off()
    axes[0].set_yticks(range(len(READERS) - 1), [TITLES[arm] for arm in READERS[1:]], fontsize=7)
    axes[0].invert_yaxis()
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Recall with missing keys: KL against the softmax",
        caption=(
            "KL of answers from the Bayes law, less that of the softmax on the same sequences, as a share of ln V; by"
            " queries of keys that were not shown, of others, and, for the same models, where no key is missing."
            f" Mean over {study.n_seeds} replicates with {LEVEL:.0%} intervals of the mean, each alone; strokes:"
            f" replicates. Dotted: bounds of the claims. Axes are linear within {LINEAR:g}, logarithmic beyond. Where"
            " the softmax leaves next to nothing on missing keys, none has room to be better by the bound."
        ),
        claims=tuple(
            f"{STUDY}.{name}"
            for name in ("affine_misses", "window_misses", "affine_hits", "sinks_misses", "sinks_hits", "whole_equal")
        ),
    )


def hyper_figure(study: "LinearAttentionEntropy", data: Data) -> StudyFigure:
    """What HyperAttention adds against the relative entropy of the softmax's heads."""
    import matplotlib.pyplot as plt

    design = data.design
    figure, axis = plt.subplots(figsize=(4.4, 3.0))
    rows: list[dict[str, Any]] = []
    named = ((design.central, "copies"), (BIGRAM, "chains"), (UNIGRAM, "coins"))
    for place, (task, title) in enumerate(named):
        look = style(place) | {"linestyle": ""}
        h, x = data.entropy[task, "softmax"].mean(axis=1), data.share(task, "softmax", "added")
        mean, low, high = data.interval(x)
        middle, left, right = data.interval(h)
        left = max(left, 0.0)  # no entropy is negative; a stuck replicate makes the interval wide
        axis.plot(h, x, markersize=3.0, alpha=0.45, **look)
        axis.errorbar(
            middle, mean, xerr=[[middle - left], [right - middle]], yerr=[[mean - low], [high - mean]],
            markersize=6.0, capsize=2, label=title, **look,
        )  # fmt: skip
        rows.append(
            {
                "task": title, "entropy": middle, "entropy lower": left, "entropy upper": right,
                "added share": mean, "lower": low, "upper": high,
            }
        )  # fmt: skip
    axis.axhline(0.0, color="0.4", linewidth=0.8)
    axis.set_xlabel("mean entropy of the heads (nats)")
    axis.set_ylabel("added KL (share of what context tells)")
    axis.legend(fontsize=7)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="HyperAttention in the place of a trained softmax",
        caption=(
            f"KL from the Bayes law at places from T / 2 on, more than with the softmax that was trained, as a share of"
            f" what context tells. Sorted blocks of {study.reading.block} keys, samples of {study.reading.samples},"
            f" exact up to {study.reading.least} keys: shares of windows as large as these say little of long ones."
            f" Large: means over {study.n_seeds} replicates with {LEVEL:.0%} intervals of the mean; small: replicates,"
            " each with hashes and samples of its own. Copies have one layer, chains and coins two, whose mean entropy"
            " is shown. Intervals of entropy end at 0. The key to be copied is T / 2 away, in the half that is seen by"
            " an estimate alone, whatever the head: that copies lose most is of this geometry and of short windows."
        ),
        claims=(f"{STUDY}.hyper_coins", f"{STUDY}.hyper_copies"),
    )


def _point(axis: "Axes", data: Data, each: Floats, place: int, look: int) -> dict[str, Any]:
    """Mean with interval, and replicates below it."""
    mean, low, high = data.interval(each)
    drawn = style(look) | {"linestyle": ""}
    axis.errorbar(mean, place, xerr=[[mean - low], [high - mean]], capsize=2, markersize=4.5, **drawn)
    axis.plot(each, np.full(len(each), place + 0.28), color="0.55", marker="|", markersize=4, linestyle="")
    return {"mean": mean, "lower": low, "upper": high}
