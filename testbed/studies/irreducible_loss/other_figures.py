"""Two sizes at once, and losses on a stream that is not the one learnt."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.drawing import style
from testbed.studies.irreducible_loss.claims import STUDY
from testbed.studies.irreducible_loss.classes import CHAINS, KINDS, MEMORY, MIXING
from testbed.studies.irreducible_loss.data import Data
from testbed.studies.irreducible_loss.limits import smoothed_errors
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.irreducible_loss.study import IrreducibleLoss

TWO_ERRORS = 1.96


def two_sizes_figure(study: "IrreducibleLoss", data: Data) -> StudyFigure:
    """One panel a class: losses of the first draw above h over N, a line for each D, much data; and the fitted law."""
    import matplotlib.pyplot as plt

    names = (*MIXING, *MEMORY)
    figure, axes = plt.subplots(2, len(names), figsize=(7.4, 4.6), sharex="col")
    rows: list[dict[str, Any]] = []
    for column, name in enumerate(names):
        one = data.curves["two_sizes"][name]
        rate = one["rate"][0]
        for line, sweep in enumerate(("rich", "poor")):
            axis = axes[line, column]
            numbers, targets = one[f"{sweep}_numbers"][0], one[f"{sweep}_targets"][0]
            values, errors, limit = one[f"{sweep}_values"][0], one[f"{sweep}_errors"][0], one[f"{sweep}_limit"][0]
            sizes = np.unique(targets)
            for place, size in enumerate((sizes[0], sizes[len(sizes) // 2], sizes[-1])):
                mine = targets == size
                drawn = style(place) | {"markersize": 3, "linewidth": 0.9}
                label = ("least D", "middle D", "largest D")[place]
                axis.errorbar(numbers[mine], values[mine] - rate, yerr=TWO_ERRORS * errors[mine], label=label, **drawn)
            axis.axhline(0.0, color="0.3", linewidth=1.0, label="entropy rate")
            axis.axhline(limit[0] - rate, color="C3", linewidth=1.0, linestyle="-.", label="fitted L_inf")
            least, most = float((values - rate).min()), float((values - rate).max())
            frame = min(-least, 2 * (limit[0] - rate)), max(2 * most, 2 * (limit[0] - rate))
            ends = np.clip(limit[1:3] - rate, *frame)
            axis.axhspan(ends[0], ends[1], color="C3", alpha=0.2, linewidth=0)
            axis.set_yscale("symlog", linthresh=float(10 ** np.floor(np.log10(least))))
            axis.set_ylim(*frame)
            axis.set_xscale("log")
            axis.tick_params(labelsize=6)
            rows += [
                {
                    "class": KINDS[name].label,
                    "sweep": sweep,
                    "numbers": float(n),
                    "targets": float(d),
                    "loss": float(y),
                    "error": float(e),
                    "entropy_rate": float(rate),
                    "fitted_limit": float(limit[0]),
                    "lower": float(limit[1]),
                    "upper": float(limit[2]),
                }
                for n, d, y, e in zip(numbers, targets, values, errors, strict=True)
            ]
        axes[0, column].set_title(KINDS[name].label, fontsize=8)
        axes[1, column].set_xlabel("numbers N", fontsize=8)
    for line, sweep in enumerate(("much data", "few data")):
        axes[line, 0].set_ylabel(f"{sweep}: loss - h (nats)", fontsize=8)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=5, fontsize=7)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Two sizes",
        caption=(
            "Losses of tables of orders 1 to l, above the exact entropy rate, over the free numbers N of the table and"
            " for three of the dataset sizes (bars: 95 % of the mean); first source of each class. Dash-dotted: the"
            " constant of L_inf + A / N^a + B / D^b fitted to all sizes, with its 95 % interval (shaded, cut at the"
            " frame). The axis is linear near zero."
        ),
        claims=tuple(f"{STUDY}.two_sizes_{name}" for name in ("mixing", "memory", "poor")),
    )


def streams_figure(study: "IrreducibleLoss", data: Data) -> StudyFigure:
    """One panel for each chain and stream: the first draw's losses over D, with what their limit might be."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2 * len(CHAINS), figsize=(7.4, 2.9))
    rows: list[dict[str, Any]] = []
    places = [(name, stream) for name in CHAINS for stream in ("sharper", "flatter")]
    for axis, (name, stream) in zip(axes, places, strict=True):
        one = data.curves["other_stream"][name]
        table = data.curves["table"][name]
        first = table["early_sizes"][0]
        levels = {
            "cross-entropy": one[f"{stream}_cross"][0],
            "its own entropy": one[f"{stream}_entropy"][0],
            "Bayes loss of what is learnt": one["truth"][0],
            "ln V": one["uniform"][0],
        }
        for place, (label, level) in enumerate(levels.items()):
            axis.axhline(
                level, color=f"C{place + 2}", linewidth=1.0, linestyle=("-", "--", "-.", ":")[place], label=label
            )
        sweeps = ((first, one[f"{stream}_first"][0]), (one[f"{stream}_sizes"][0], one[f"{stream}_losses"][0]))
        for place, (sizes, losses) in enumerate(sweeps):
            errors = smoothed_errors(sizes, losses)
            drawn = style(place) | {"linestyle": "none", "markersize": 3.5, "markerfacecolor": "none"}
            label = ("early sizes", "sizes that are fitted")[place]
            axis.errorbar(sizes, losses.mean(axis=1), yerr=TWO_ERRORS * errors, label=label, **drawn)
            rows += [
                {
                    "class": KINDS[name].label,
                    "stream": stream,
                    "sweep": ("early", "fitted")[place],
                    "targets": float(size),
                    "loss": float(mean),
                    "error": float(error),
                    **{label.replace(" ", "_"): float(level) for label, level in levels.items()},
                }
                for size, mean, error in zip(sizes, losses.mean(axis=1), errors, strict=True)
            ]
        axis.set_xscale("log")
        axis.set_title(f"{KINDS[name].label}\n{stream} stream", fontsize=7)
        axis.set_xlabel("targets D", fontsize=8)
        axis.tick_params(labelsize=6)
    axes[0].set_ylabel("loss (nats)", fontsize=8)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=7)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Another test stream",
        caption=(
            "Tables that learn p, tested on p^b: sharper (b > 1) and flatter (b < 1) streams of the first source of"
            " each chain. Losses are exact (bars: 95 % of the mean over training sets); lines: the exact levels that"
            " their limit might be taken for, and where a table begins, ln V."
        ),
        claims=tuple(f"{STUDY}.{name}" for name in ("other_cross", "other_entropy", "sharper_falls", "flatter_rises")),
    )
