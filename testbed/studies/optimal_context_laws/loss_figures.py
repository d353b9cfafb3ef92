"""The loss against the context length: how it splits, and how far each length is from the best."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.drawing import LEVEL, style
from testbed.studies.optimal_context_laws.claims import STUDY
from testbed.studies.optimal_context_laws.data import Data, Floats
from testbed.studies.optimal_context_laws.statements import BLUNT, SHARP, TABLE, lag_arm
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from testbed.studies.optimal_context_laws.study import OptimalContextLaws


def _student(data: Data, values: Floats) -> tuple[Floats, Floats, Floats]:
    """Mean over replicates of (R, n) and Student's interval."""
    found = [data.mean(column).student for column in values.T]
    ends = [one.interval((1 - LEVEL) / 2) for one in found]
    low, high = np.array(ends).T
    return np.array([one.estimate for one in found]), low, high


def _length_axis(axis: "Axes", lengths: Floats) -> None:
    axis.set_xscale("symlog", base=2, linthresh=1, linscale=0.6)
    axis.set_xlim(-0.2, lengths.max() * 1.15)
    top = int(np.log2(lengths.max()))
    ticks = [0, *(2**k for k in range(0, top + 1, max(1, top // 4)))]
    axis.set_xticks(ticks, [str(one) for one in ticks])
    axis.minorticks_off()
    axis.set_xlabel("context length l")


def split_figure(study: "OptimalContextLaws", data: Data) -> StudyFigure:
    """Bayes risk, excess and their sum at one dataset size, three arms."""
    import matplotlib.pyplot as plt

    arms = {TABLE: "tables", lag_arm(study.lags.middle): "regression on lags", BLUNT: "distances, blunt"}
    figure, axes = plt.subplots(1, 3, figsize=(7.2, 2.9))
    rows: list[dict[str, Any]] = []
    for axis, (arm, title) in zip(axes, arms.items(), strict=True):
        at = len(data.sizes[arm]) // 2
        size, lengths = data.sizes[arm][at], data.lengths(arm)
        parts = {
            "Bayes risk, h_l - h (exact)": data.arms[arm]["missing"],
            "excess (exact divergence)": data.arms[arm]["excess"][:, at],
            "loss above the rate": data.losses(arm)[:, at],
        }
        for place, (label, values) in enumerate(parts.items()):
            middle, low, high = _student(data, values)
            look = style(place) | {"markersize": 3}
            axis.plot(lengths, middle, label=label, **look)
            axis.fill_between(lengths, np.maximum(low, 1e-9), high, color=look["color"], alpha=0.2, linewidth=0)
            rows += [
                {"arm": title, "D": size, "l": float(l), "part": label, "mean": a, "lower": b, "upper": c}
                for l, a, b, c in zip(lengths, middle.tolist(), low.tolist(), high.tolist(), strict=True)
            ]
        total = data.losses(arm)[:, at].mean(axis=0)
        axis.set_yscale("log")
        axis.set_ylim(total.min() / 30, 3 * total.max())
        _length_axis(axis, lengths)
        axis.set_title(f"{title}, D = {size:,}")
    axes[0].set_ylabel("nats per target")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="How the loss splits",
        caption=(
            "Loss above the entropy rate of learners of context l: what the missing context costs (known exactly) and"
            " the learner's excess (exact divergence from the Bayes law of l tokens), at the middle dataset size."
            f" Mean over {study.replicates} replicates, bands: {LEVEL:.0%} intervals (Student)."
        ),
        shows=("2502.01481 F1",),
        claims=tuple(f"{STUDY}.interior_{role}" for role in ("table", "lags", "blunt")),
    )


def gaps_figure(study: "OptimalContextLaws", data: Data) -> StudyFigure:
    """Loss over its least value against l, a curve for each D, six learners."""
    import matplotlib.pyplot as plt

    middle = lag_arm(study.lags.middle)
    panels = (
        (TABLE, "excess", "tables of order l"),
        (middle, "excess", "regression on lags"),
        (BLUNT, "excess", "distances, blunt"),
        (TABLE, "tree", "context trees of depth l"),
        (middle, "screened", "screened lags"),
        (SHARP, "excess", "distances, sharp"),
    )
    figure, axes = plt.subplots(2, 3, figsize=(7.2, 4.6), sharey=True)
    rows: list[dict[str, Any]] = []
    for axis, (arm, learner, title) in zip(axes.flat, panels, strict=True):
        losses, lengths = data.losses(arm, learner), data.lengths(arm, learner)
        sizes = data.sizes[arm][: losses.shape[1]]
        for place, size in enumerate(sizes):
            least = float(losses[:, place].mean(axis=0).min())
            middle_, low, high = _student(data, losses[:, place] / least)
            colour = plt.get_cmap("viridis")(0.9 * place / max(len(sizes) - 1, 1))
            axis.plot(lengths, middle_, color=colour, linewidth=0.9, linestyle="-", marker="")
            axis.fill_between(lengths, np.maximum(low, 0.1), high, color=colour, alpha=0.15, linewidth=0)
            best = int(np.argmin(middle_))
            edge = best in (0, len(lengths) - 1)
            marker = "s" if edge else "o"
            axis.plot(lengths[best], 1.0, marker=marker, color=colour, markersize=5, markerfacecolor="white")
            if place in (0, len(sizes) - 1):  # below the marks, that of the largest size a line lower
                axis.annotate(
                    f"D = {size:,}",
                    (lengths[best], 1.0),
                    (0, -9 if place == 0 else -16),
                    textcoords="offset points",
                    ha="left" if best == 0 else "right" if best == len(lengths) - 1 else "center",
                    fontsize=5.5,
                )
            rows += [
                {"learner": title, "D": size, "l": float(l), "over least": a, "lower": b, "upper": c, "edge": edge}
                for l, a, b, c in zip(lengths, middle_.tolist(), low.tolist(), high.tolist(), strict=True)
            ]
        axis.set_yscale("log")
        axis.set_ylim(0.55, 12)
        axis.set_yticks([1, 2, 5, 10], ["1", "2", "5", "10"])
        axis.minorticks_off()
        _length_axis(axis, lengths)
        axis.set_title(title)
    for axis in axes[:, 0]:
        axis.set_ylabel("loss above the rate,\nover its least value")
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="How far each context length is from the best",
        caption=(
            "Loss above the entropy rate over its least value at the same dataset size; one curve a size, from the"
            " smallest (dark) to the largest (light), cut at 12. Round marks: an interior optimum, square ones: at the"
            " edge of the grid. Upper row: learners that pay for length; lower row: learners that do not, whose curves"
            f" stay down. Mean over {study.replicates} replicates, bands: {LEVEL:.0%} intervals (Student)."
        ),
        shows=("2502.01481 F2",),
        claims=tuple(
            f"{STUDY}.{name}"
            for name in (
                *(f"interior_{role}" for role in ("table", "lags", "blunt", "sharp")),
                "tree_needs_none",
                "screening_needs_none",
            )
        ),
    )
