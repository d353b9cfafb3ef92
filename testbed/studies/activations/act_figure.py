"""Excess and steps by activation and source, and excess against the entropy of hidden units."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.activations.claims import STUDY
from testbed.studies.activations.config import ACTS, ARMS, SETTINGS
from testbed.studies.activations.data import Data
from testbed.studies.drawing import LEVEL, median_interval, style
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from testbed.studies.activations.study import Activations

TITLES = {
    "relu": "ReLU",
    "gelu": "GELU",
    "silu": "SiLU",
    "relu2": "ReLU squared",
    "selu": "SELU",
    "crrelu": "CRReLU",
    "identity": "none (linear)",
    "gelu2": "GELU, other seed",
}
SOURCES = {
    "order1": "chain of order 1",
    "order2": "chain of order 2",
    "mess3": "Mess3",
    "counts": "counts in context",
    "in_context": "chain in context",
    "rrxor": "RRXOR",
}
RATES = {"own": "rate of its own", "common": "one rate for all"}


def act_figure(study: "Activations", data: Data) -> StudyFigure:
    """A column a source, a row an activation: above excess over GELU's, below steps over GELU's."""
    import matplotlib.pyplot as plt

    sources = study.kinds.sources
    figure, grid = plt.subplots(2, len(sources), figsize=(2.2 * len(sources) + 1.4, 5.6), sharey=True, squeeze=False)
    rows: list[dict[str, Any]] = []
    for column, source in enumerate(sources):
        for axis, what, table in ((grid[0, column], "excess", data.acts), (grid[1, column], "steps", data.steps)):
            axis.axvline(1.0, color="0.4", linewidth=0.8)
            for number, setting in enumerate(SETTINGS):
                for place, arm in enumerate(ARMS):
                    one, gelu = table[setting, arm, source], table[setting, "gelu", source]
                    known = np.isfinite(one) & np.isfinite(gelu)
                    if not known.any():
                        continue
                    low, middle, high = median_interval(one[known] / gelu[known])
                    at = place + 0.3 * number - 0.15
                    look = style(number) | {"linestyle": ""}
                    label = RATES[setting] if place == 0 else None
                    axis.errorbar(
                        middle, at, xerr=[[middle - low], [max(min(high, 1e3) - middle, 0.0)]], capsize=2,
                        markersize=4, label=label, **look,
                    )  # fmt: skip
                    rows.append(
                        {"source": source, "activation": TITLES[arm], "rate": RATES[setting], "what": what,
                         "median_over_gelu": middle, "lower": low, "upper": high, "runs": int(known.sum())}
                    )  # fmt: skip
            axis.set_xscale("log")
            plain_ticks(axis)
            axis.set_xlabel(f"{what} over GELU's", fontsize=8)
        grid[0, column].set_title(SOURCES[source], fontsize=9)
    grid[0, 0].set_yticks(range(len(ARMS)), [TITLES[arm] for arm in ARMS], fontsize=8)
    grid[0, 0].invert_yaxis()
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=8)
    kinds = study.kinds
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Excess and steps by activation and source",
        caption=(
            f"Above: excess over that of GELU on the same sequences; below: steps to {kinds.near:.0%} of what context"
            " tells, over GELU's, of replicates in which both get there. Medians over"
            f" {study.n_seeds} replicates with exact intervals of {LEVEL:.0%}, each alone; an interval without end is"
            f" cut at the right. One block with layer norm, {kinds.steps} steps, rates tuned for each activation and"
            f" source, or {kinds.common_rate:g} for all. GELU, other seed: the same sources with other sequences and"
            " first weights, the noise that differences are held against."
        ),
        claims=tuple(
            f"{STUDY}.{name}" for name in ("crrelu_first", "crrelu_gelu", "all_alike", "crrelu_steps", "identity")
        ),
    )


def plain_ticks(axis: "Axes", vertical: bool = False) -> None:
    """A few ticks of an axis, written out."""
    low, high = axis.get_ylim() if vertical else axis.get_xlim()
    ticks = [t for t in (0.01, 0.05, 0.2, 0.5, 1, 2, 5, 20, 100) if low <= t <= high]
    if len(ticks) > 4:
        ticks = [t for t in ticks if t not in (0.5, 2)]
    (axis.set_yticks if vertical else axis.set_xticks)(ticks, [f"{t:g}" for t in ticks], fontsize=7)
    axis.minorticks_off()


def entropy_figure(study: "Activations", data: Data) -> StudyFigure:
    """A panel a source, a point an activation, at rates of their own."""
    import matplotlib.pyplot as plt

    sources = study.kinds.sources
    figure, axes = plt.subplots(1, len(sources), figsize=(2.2 * len(sources) + 0.6, 3.3), squeeze=False)
    rows: list[dict[str, Any]] = []
    for axis, source in zip(axes[0], sources, strict=True):
        for number, act in enumerate(ACTS):
            x = data.interval(data.entropy["own", act, source])
            low, middle, high = median_interval(data.acts["own", act, source] / data.acts["own", "gelu", source])
            axis.errorbar(
                x[0], middle, xerr=[[x[0] - x[1]], [x[2] - x[0]]], yerr=[[middle - low], [min(high, 1e3) - middle]],
                capsize=2, markersize=4.5, label=TITLES[act], **(style(number) | {"linestyle": ""}),
            )  # fmt: skip
            rows.append({"source": source, "activation": TITLES[act], "entropy": x[0], "median_over_gelu": middle})
        axis.set_yscale("log")
        plain_ticks(axis, vertical=True)
        axis.set_title(SOURCES[source], fontsize=9)
        axis.set_xlabel("entropy of hidden units (nats)", fontsize=8)
    axes[0, 0].set_ylabel("excess over GELU's")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=8)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Excess against the entropy of activations",
        caption=(
            f"Entropy of the histogram of each hidden unit in bins of {study.kinds.bin_width:g} of its standard"
            f" deviations, mean over units, after training, mean over {study.n_seeds} replicates; median excess over"
            f" GELU's; {LEVEL:.0%} intervals, each alone. Rates tuned for each activation and source. Rank"
            " correlations stand in the notes."
        ),
        claims=(f"{STUDY}.entropy_predicts",),
    )
