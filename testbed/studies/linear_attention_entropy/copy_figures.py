"""Entropy of random rows, excess on copies by T, and what soft weights cost."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.drawing import LEVEL, style
from testbed.studies.linear_attention_entropy.claims import STUDY, TITLES
from testbed.studies.linear_attention_entropy.config import KERNELS, LEARNED, LONGER
from testbed.studies.linear_attention_entropy.data import Data
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.linear_attention_entropy.study import LinearAttentionEntropy

LEAST = 1e-4
"""Share of what context tells; what lies below is drawn there."""
COPIES = (
    "copy_relu", "copy_best", "copy_softmax", "copy_grows", "copy_longer", "copy_released", "learned_copies",
)  # fmt: skip


def random_figure(study: "LinearAttentionEntropy", data: Data) -> StudyFigure:
    """Mean entropy of random rows against |q|."""
    import matplotlib.pyplot as plt

    norms, top = np.array(study.reading.norms), float(np.log(study.reading.n_keys))
    figure, axis = plt.subplots(figsize=(4.6, 3.0))
    rows: list[dict[str, Any]] = []
    for place, arm in enumerate(KERNELS):
        found = np.array([data.interval(column) for column in data.random[:, place].T])
        axis.plot(norms, found[:, 0], label=TITLES[arm], markersize=4.0, **style(place))
        axis.fill_between(norms, found[:, 1], found[:, 2], color=style(place)["color"], alpha=0.25, linewidth=0)
        rows += [
            {"kernel": TITLES[arm], "norm of q": norm, "entropy": m, "lower": low, "upper": high}
            for norm, (m, low, high) in zip(norms.tolist(), found.tolist(), strict=True)
        ]
    axis.axhline(top, color="0.5", linewidth=0.8, linestyle=":")
    axis.set_xscale("log")
    axis.set_ylim(bottom=0.0)
    axis.set_xlabel("length of the query |q|")
    axis.set_ylabel("mean entropy (nats)")
    axis.legend(fontsize=7, loc="lower left")
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Entropy of random rows against the length of the query",
        caption=(
            f"Mean entropy of one query's weights over {study.reading.n_keys} keys, both of {study.reading.size} normal"
            f" numbers, the query scaled to length |q|; {study.n_seeds} x {study.reading.n_draws} draws, bands:"
            f" {LEVEL:.0%} intervals of the mean over replicates (often thinner than the line). Dotted: ln N. No"
            " training: a trained head chooses its keys, and is not bound to these values. How NaLa's fall compares"
            " with the softmax's depends on the longest query: at the longest here the softmax has nothing left."
        ),
        claims=tuple(f"{STUDY}.{name}" for name in ("floor", "gap", "monotone")),
    )


def copy_figure(study: "LinearAttentionEntropy", data: Data) -> StudyFigure:
    """Excess against T with rotary positions, and at the middle T by kernel with others."""
    import matplotlib.pyplot as plt

    design = data.design
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.0, 3.2), width_ratios=(1.1, 1.0))
    rows: list[dict[str, Any]] = []
    lengths = np.array(design.lengths, dtype=np.float64)
    for place, arm in enumerate(KERNELS):
        each = np.stack([data.share(task, arm) for task in design.copies], axis=1)
        found = np.array([data.interval(column) for column in each.T])
        at = lengths * (1 + 0.04 * (place - 2))
        drawn = np.maximum(found, LEAST)
        errors = np.maximum([drawn[:, 0] - drawn[:, 1], drawn[:, 2] - drawn[:, 0]], 0.0)
        left.plot(
            np.repeat(at, len(each)), np.maximum(each.T.ravel(), LEAST), color=style(place)["color"], alpha=0.6,
            marker="_", markersize=5.0, linestyle="",
        )  # fmt: skip
        left.errorbar(at, drawn[:, 0], yerr=errors, capsize=2, markersize=4.5, label=TITLES[arm], **style(place))
        rows += [_row("rotary", arm, T, one) for T, one in zip(design.lengths, found.tolist(), strict=True)]
    left.set_xscale("log")
    left.set_xticks(lengths, [f"{T}" for T in design.lengths])
    left.minorticks_off()
    left.set_yscale("log")
    left.set_ylim(LEAST / 2, 2.0)
    left.set_xlabel("T (tokens)")
    left.set_ylabel("excess (share of ln V)")
    left.set_title("rotary positions", fontsize=8)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower left", ncols=len(KERNELS), fontsize=7)
    named = [(LEARNED, arm) for arm in KERNELS]
    named += [(design.central, "nala_rope"), (LONGER, "nala")]
    labels = []
    for place, (task, arm) in enumerate(named):
        each = data.share(task, arm)
        ends = data.interval(each)
        middle, low, high = (max(one, LEAST) for one in ends)
        look = style(KERNELS.index(arm) if arm in KERNELS else len(KERNELS)) | {"linestyle": ""}
        right.errorbar(middle, place, xerr=[[middle - low], [high - middle]], capsize=2, markersize=4.5, **look)
        right.plot(np.maximum(each, LEAST), np.full(len(each), place + 0.28), color="0.55", marker="|", linestyle="")
        what = {LEARNED: "learned", LONGER: f"rotary, {study.training.longer} x steps"}.get(task, "rotary")
        labels.append(f"{TITLES[arm]} ({what})")
        rows.append(_row(what, arm, design.middle, list(ends)))
    right.set_yticks(range(len(named)), labels, fontsize=7)
    right.invert_yaxis()
    right.set_xscale("log")
    right.set_xlim(LEAST / 2, 2.0)
    right.set_xlabel("excess (share of ln V)")
    right.set_title(f"T = {design.middle}", fontsize=8)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Excess on copies by kernel, length and kind of position",
        caption=(
            "KL from the Bayes law at the places of the second block, as a share of ln V, that of the uniform law. One"
            f" layer, one head, no MLP, {study.training.copy_steps} steps; rates are tuned for each kernel, with rotary"
            f" positions at T = {design.middle}. Mean over {study.n_seeds} replicates with {LEVEL:.0%} intervals of the"
            f" mean, each alone; strokes are replicates, some of which are stuck. What lies below {LEAST:g} is drawn"
            " there. Left: positions turn q and k before the kernel. Right: learned positions; NaLa with rotation in"
            " the numerator alone, as released; and NaLa with more steps. NaLa's other runs have its kernel after"
            " rotation, not as released; kernels differ in the number of their features."
        ),
        claims=tuple(f"{STUDY}.{name}" for name in COPIES),
    )


def _row(positions: str, arm: str, length: int, found: list[float]) -> dict[str, Any]:
    mean, low, high = found
    return {
        "positions": positions, "kernel": TITLES[arm], "T": length, "excess share": mean, "lower": low, "upper": high,
    }  # fmt: skip


def price_figure(study: "LinearAttentionEntropy", data: Data) -> StudyFigure:
    """Excess against entropy of the head, run by run, and the exact price of even weights beside one."""
    import matplotlib.pyplot as plt

    design, top = data.design, float(np.log(data.design.vocab_size))
    tasks = [*zip(design.copies, design.lengths, strict=True), (LEARNED, design.middle)]
    figure, axes = plt.subplots(1, len(tasks), figsize=(2.15 * len(tasks) + 0.8, 3.1), sharex=True, sharey=True)
    rows: list[dict[str, Any]] = []
    for axis, (task, length) in zip(axes, tasks, strict=True):
        entropy, price = data.demand[length]
        exact = np.maximum(price / top, LEAST)
        axis.plot(entropy, exact, color="0.4", linewidth=1.0, marker="", linestyle="-", label="price of softness")
        for place, arm in enumerate(KERNELS):
            look = style(place) | {"linestyle": ""}
            h, x = data.least_entropy(task, arm), data.share(task, arm)
            axis.plot(h, np.maximum(x, LEAST), markersize=4.0, alpha=0.8, label=TITLES[arm], **look)
            for what, values in (("entropy", h), ("excess share", x)):
                mean, low, high = data.interval(values)
                rows.append(
                    {"task": task, "kernel": TITLES[arm], "number": what, "mean": mean, "lower": low, "upper": high}
                )
        axis.axvline(study.bounds.spiky, color="0.5", linewidth=0.8, linestyle=":")
        axis.set_yscale("log")
        axis.set_xlabel("entropy of the head (nats)")
        axis.set_title(f"{'learned' if task == LEARNED else 'rotary'}, T = {length}", fontsize=8)
    axes[0].set_ylabel("excess (share of ln V)")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=6, fontsize=7)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Soft heads that copy, and what softness costs",
        caption=(
            "Each point is a run: mean entropy of its head over queries of the second block, and excess there as a"
            f" share of ln V; what lies below {LEAST:g} is drawn there. Line: the least excess of a read-out that is"
            " linear in the weight on each symbol, if one weight is on the key and the others are even; nothing is lost"
            " as long as no other symbol can have more weight (computed for as many keys as queries see in the mean)."
            " Real heads have uneven rests, which can cost more or less, so that points may lie on either side."
            f" Dotted: {study.bounds.spiky:g} nat. Means with {LEVEL:.0%} intervals are in the table."
        ),
        claims=tuple(f"{STUDY}.{name}" for name in ("copy_spiky", "copy_mass", "learned_flat")),
    )
