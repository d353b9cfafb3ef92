"""Overload and collapse of every arm, in the manner of the paper's bars."""

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from testbed.studies.drawing import LEVEL, style
from testbed.studies.entropy_guided.claims import STUDY
from testbed.studies.entropy_guided.config import HMAX, LOGS, PLACES, Arm, Place, Sources, cell_title
from testbed.studies.entropy_guided.data import Data
from testbed.studies.entropy_guided.exact import overload_range
from testbed.studies.entropy_guided.grid import main_arms
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.entropy_guided.study import EntropyGuidedStudy

EXACT_SEED, N_EXACT = 7, 4096
"""Of the sequences over which the range of overload on chains is averaged."""


def arm_title(arm: Arm) -> str:
    """An arm's name for the reader."""
    return cell_title(arm.cell) + ("" if arm.form == "none" else f"\npenalty, {LOGS[arm.form]}")


def allowed(study: "EntropyGuidedStudy", place: Place, hmax: str) -> tuple[float, float]:
    """Range of overload of models whose needed heads have their best entropy."""
    sources = study.sources
    return overload_range(place, _tokens(sources, place), sources.lag, study.network.heads, hmax)


@lru_cache(maxsize=3)
def _tokens(sources: Sources, place: Place) -> NDArray[np.int64]:
    return sources.source(place).sample(N_EXACT, sources.length, seed=EXACT_SEED).astype(np.int64)


def bars_figure(study: "EntropyGuidedStudy", data: Data) -> StudyFigure:
    """Rows: Hmax = ln T, ln i; columns: sources."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 3, figsize=(11.5, 6.2), sharey=True, sharex="col")
    rows: list[dict[str, Any]] = []
    looks = {"collapse": (style(0)["color"], "//"), "middle": ("0.88", ""), "overload": (style(1)["color"], "..")}
    for line, hmax in enumerate(HMAX):
        for column, place in enumerate(PLACES):
            axis = axes[line, column]
            arms = [arm for arm in main_arms(study) if arm.place == place]
            for x, arm in enumerate(arms):
                one = data.runs[arm]
                under, over = one.under[hmax], one.over[hmax]
                parts = {"collapse": under, "middle": 1 - under - over, "overload": over}
                base = 0.0
                for name, values in parts.items():
                    colour, hatch = looks[name]
                    height = float(values.mean())
                    label = name if (line, column, x) == (0, 0, 0) else None
                    axis.bar(
                        x, height, 0.7, bottom=base, color=colour, hatch=hatch, edgecolor="0.25", linewidth=0.5,
                        label=label,
                    )  # fmt: skip
                    base += height
                row: dict[str, Any] = {"source": place, "arm": arm_title(arm).replace("\n", ", "), "hmax": LOGS[hmax]}
                for name, values, place_x, from_top in (("collapse", under, -0.12, 0), ("overload", over, 0.12, 1)):
                    mean, low, high = data.interval(values, shares=True)
                    low, high = max(low, 0.0), min(high, 1.0)
                    row |= {name: mean, f"{name}_lower": low, f"{name}_upper": high}
                    if 2 * np.unique(values, return_counts=True)[1].max() > len(values):
                        continue
                    middle = 1 - mean if from_top else mean
                    ends = (
                        (max(high - mean, 0), max(mean - low, 0))
                        if from_top
                        else (max(mean - low, 0), max(high - mean, 0))
                    )
                    axis.errorbar(
                        x + place_x, middle, yerr=np.array([[ends[0]], [ends[1]]]), color="black", capsize=2,
                        linewidth=0.9, marker="v" if from_top else "^", markersize=3, linestyle="",
                    )  # fmt: skip
                rows.append(row)
            low, high = allowed(study, place, hmax)
            for end, text in ((low, "least"), (high, "most")):
                label = f"overload of best heads, {text}" if (line, column) == (0, 0) else None
                axis.axhline(
                    1 - end,
                    color="black",
                    linewidth=1.2,
                    linestyle="-" if text == "least" else "--",
                    label=label,
                    marker="",
                )
            rows.append(
                {
                    "source": place,
                    "arm": "best heads",
                    "hmax": LOGS[hmax],
                    "overload_lower": low,
                    "overload_upper": high,
                }
            )
            axis.set_xticks(range(len(arms)), [arm_title(arm) for arm in arms], rotation=60, fontsize=7, ha="right",
                            rotation_mode="anchor")  # fmt: skip
            axis.set_ylim(0, 1)
            axis.tick_params(axis="x", which="minor", bottom=False)
            if line == 0:
                axis.set_title(place, fontsize=9)
            if column == 0:
                axis.set_ylabel(f"share of rows, Hmax = {LOGS[hmax]}")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=5, fontsize=8)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Overload and collapse of attention, and what the sources ask for",
        caption=(
            "Shares of rows with H < Hmax / 4 (collapse, from below) and H > 3/4 Hmax (overload, from above), over all"
            f" heads; means over {study.n_seeds} replicates, with a penalty"
            f" {min(study.penalty.n_seeds, study.n_seeds)}, and {LEVEL:.0%} intervals (triangles; none where most"
            " replicates are alike, where the table has a bound for such shares). Above with Hmax ="
            " ln T of the window, below with ln i of the row. SM softmax, LN layer norm, G GELU. What the source"
            " asks for is a range: black lines, counted from above, are the least (solid) and the most (dashed)"
            " overload of models whose needed heads have their exact best entropy and whose free heads have any; on the"
            f" coin a head in full overload suffices. Penalty: c = {study.penalty.coefficient:g}. The paper's figure 2a"
            " counts heads on text, in four"
            " bins, with the largest entropy observed."
        ),
        claims=(f"{STUDY}.mitigated",),
        shows=("2501.03489 F2",),
    )
