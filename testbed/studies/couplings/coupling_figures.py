"""Gaps of couplings against their bounds, and what maps of bounded entropy tell."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.measures.couplings.coupling import GREEDY_OVER_LEAST, GREEDY_OVER_MEET, LEAST_OVER_MEET
from testbed.measures.entropy.interval_coverage import binomial_interval
from testbed.studies.couplings.couple import ENDS, LEVELS, OBJECTIVES
from testbed.studies.couplings.data import Data
from testbed.studies.couplings.evidence import found, shortfall
from testbed.studies.couplings.statements import STUDY
from testbed.studies.drawing import LEVEL, style
from testbed.studies.study import StudyFigure
from testbed.studies.tables import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from testbed.studies.couplings.study import Couplings

BIT = math.log(2.0)


def cumulative(axis: "Axes", values: Floats, place: int, label: str) -> list[dict[str, Any]]:
    """Share of values up to x as a step with exact binomial intervals at nine of them; the numbers drawn."""
    x = np.sort(values)
    n = len(x)
    y = np.arange(1, n + 1) / n
    look = style(place)
    axis.plot(x, y, drawstyle="steps-post", **{**look, "marker": ""}, label=label)
    at = np.unique(np.linspace(0, n - 1, 9).round().astype(int))
    low, high = binomial_interval(at + 1, n, LEVEL)
    bars = [y[at] - low, high - y[at]]
    points = {**look, "linestyle": "none", "markersize": 3}
    axis.errorbar(x[at], y[at], yerr=np.maximum(bars, 0), elinewidth=0.7, **points)
    return [{"curve": label, "x": float(a), "share": float(b)} for a, b in zip(x, y, strict=True)]


def bounds_figure(study: "Couplings", data: Data) -> StudyFigure:
    """Distribution of the gaps over random pairs and over searches, with the bounds."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(7.2, 3.2), sharey=True, sharex=True)
    levels = data["pairs"]["levels"]
    rows: list[dict[str, Any]] = []
    for axis, words in zip(axes, ("random pairs", "searches for the worst pair"), strict=True):
        for place, name in enumerate(OBJECTIVES):
            upper, lower = (LEVELS.index(end) for end in ENDS[name])
            gaps = levels[:, upper] - levels[:, lower] if words == "random pairs" else found(data, name)
            rows += [{"laws": words, **row} for row in cumulative(axis, gaps / BIT, place, name)]
        for bound, dash, label in (
            (study.bounds.tightened * GREEDY_OVER_LEAST, ":", f"{study.bounds.tightened:g} x 0.53 bit"),
            (GREEDY_OVER_LEAST, "-", "log2(e) / e = 0.53 bit"),
            (LEAST_OVER_MEET, "--", "1 bit"),
            (GREEDY_OVER_MEET, "-.", "log2(e) = 1.44 bit"),
        ):
            axis.axvline(bound / BIT, color="0.45", linestyle=dash, linewidth=1.0, marker="", label=label)
        axis.set_title(words, fontsize=8.5)
        axis.set_xlabel("gap (bit)")
    axes[0].set_ylabel("share of pairs or searches up to it")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=7)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="How far couplings are from one another and from their bounds",
        caption=(
            f"Gaps between the entropies of the greedy coupling, the least one and the meet: {study.pairs.n} random"
            f" pairs of laws, and {study.searches.n} searches for the largest of each gap. Lines: 0.53 bit bounds"
            " greedy over least and nothing counted from the meet; 1 bit bounds least over meet, 1.44 bit greedy over"
            f" meet; the dotted line is no theorem's. Bars: exact binomial {LEVEL:.0%} intervals, each alone."
        ),
        claims=tuple(
            f"{STUDY}.{name}"
            for name in (
                "order", "greedy_is_least", "half_bit", "tightened", "from_meet", "least_from_meet", "one_bit"
            )
        ),
    )  # fmt: skip


def maps_figure(study: "Couplings", data: Data) -> StudyFigure:
    """What greedy maps fall short of, and what random maps add between the levels of maps T = g(X)."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(7.2, 3.1))
    rows: list[dict[str, Any]] = []
    names = {"commonest": "added to the commonest", "rarest": "two rarest merged", "best": "best map T = g(X)"}
    for place, (name, label) in enumerate(names.items()):
        rows += [{"panel": "shortfall", **row} for row in cumulative(axes[0], shortfall(data, name), place, label)]
    axes[0].axvline(1.0, color="0.45", linestyle="--", linewidth=1.0, marker="", label="guarantee")
    axes[0].set_xlabel("(R - I(X; T)) / h(p$_2$)")
    axes[0].set_ylabel("share of laws and rates up to it")
    axes[0].legend(loc="lower right")
    curve = {name: one[0] / BIT for name, one in data["curve"].items()}
    axes[1].plot(curve["rate"], curve["rate"], color="0.45", linestyle="--", linewidth=1.0, marker="", label="I = R")
    for place, (name, label) in enumerate((("random", "random T, best found"), ("deterministic", "best T = g(X)"))):
        axes[1].plot(curve["rate"], curve[name], **{**style(place), "markersize": 2.5}, label=label)
        rows += [
            {"panel": "curve", "curve": label, "x": float(x), "bits": float(y)}
            for x, y in zip(curve["rate"], curve[name], strict=True)
        ]
    axes[1].set_xlabel("R, bound on H(T) (bit)")
    axes[1].set_ylabel("I(X; T) (bit)")
    axes[1].set_title("p = (" + ", ".join(f"{one:g}" for one in study.maps.curve_law) + ")", fontsize=8.5)
    axes[1].legend(loc="upper left")
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Maps of bounded entropy",
        caption=(
            f"Left: by how much maps with H(T) <= R miss R, in units of h(p_2), the binary entropy of the second"
            f" largest probability; {study.maps.n} random laws of {study.maps.n_symbols} symbols, bars: exact binomial"
            f" {LEVEL:.0%} intervals, each alone. Right: information told at each rate, exact for maps T = g(X) and a"
            " lower bound by search for random ones, so that points have no interval."
        ),
        claims=tuple(f"{STUDY}.{name}" for name in ("merging_guarantee", "rarest_guarantee", "close", "random_maps")),
    )
