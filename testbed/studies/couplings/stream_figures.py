"""Directed information against the coupling, and what texts say of it."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.couplings.config import STREAM_KINDS
from testbed.studies.couplings.data import Data, mean
from testbed.studies.couplings.statements import STUDY
from testbed.studies.drawing import LEVEL, style
from testbed.studies.study import StudyFigure
from testbed.studies.tables import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from testbed.studies.couplings.study import Couplings

LINES = {"forward": "X to Y, directed", "backward": "Y to X, directed", "lagged": "Y's last symbol and X, undirected"}


def curve(axis: "Axes", x: Floats, values: Floats, place: int, label: str, shift: float = 0.0) -> list[dict[str, Any]]:
    """Means over chains (N, P) with intervals against x (P,); the numbers drawn."""
    numbers = [mean(values[:, i]) for i in range(values.shape[1])]
    middle = np.array([one.estimate for one in numbers])
    ends = np.array([one.interval((1 - LEVEL) / 2) for one in numbers])
    axis.errorbar(
        x + shift,
        middle,
        yerr=np.abs(ends.T - middle),
        **{**style(place), "markersize": 3.5},
        elinewidth=0.8,
        label=label,
    )
    return [
        {"curve": label, "x": float(a), "nats": float(b), "lower": float(c[0]), "upper": float(c[1])}
        for a, b, c in zip(x, middle, ends, strict=True)
    ]


def streams_figure(study: "Couplings", data: Data) -> StudyFigure:
    """Information in both directions against the coupling, one panel a kind of pair."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(STREAM_KINDS), figsize=(7.2, 3.0), sharey=True)
    x = np.array(study.streams.couplings)
    rows: list[dict[str, Any]] = []
    for axis, kind in zip(axes, STREAM_KINDS, strict=True):
        for place, (name, label) in enumerate(LINES.items()):
            drawn = curve(axis, x, data[kind][name], place, label, 0.008 * (place - 1))
            rows += [{"kind": kind, **row} for row in drawn]
        axis.set_title(kind, fontsize=8.5)
        axis.set_xlabel("coupling")
    axes[0].set_ylabel("nats a token")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=7)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Who drives whom",
        caption=(
            f"What step {study.streams.steps} of a block adds to directed information, exact, and the mutual"
            " information of the follower's last symbol and the driver's next one. Driven: X does not hear Y; feedback:"
            " both hear each other; common cause: neither acts on the other, and X hears of the cause a step before Y."
            f" {study.streams.n} random pairs of streams of each kind; bars: {LEVEL:.0%} intervals of the mean over"
            " pairs, bootstrap, each number alone (smaller than the marker where not seen)."
        ),
        claims=tuple(f"{STUDY}.{name}" for name in ("driver", "follower", "no_feedback", "lagged", "cause")),
    )


def estimates_figure(study: "Couplings", data: Data) -> StudyFigure:
    """Error of estimated transfer entropy against the length of the text."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(7.2, 3.0), sharey=True)
    driven = data["driven"]
    place = study.streams.couplings.index(study.streams.judged_coupling)
    x = np.array(study.streams.lengths, dtype=np.float64)
    rows: list[dict[str, Any]] = []
    for way, (axis, words) in enumerate(zip(axes, ("driver to follower", "follower to driver"), strict=True)):
        truth = driven["transfer"][:, place, way]
        for number, (name, label) in enumerate((("raw", "frequencies"), ("corrected", "less the mean of chi-square"))):
            drawn = curve(axis, x, driven[name][:, :, way] - truth[:, None], number, label)
            rows += [{"direction": words, **row} for row in drawn]
        apart = driven["transfer"][:, place, way] - driven[("forward", "backward")[way]][:, place]
        low, high = mean(apart).interval((1 - LEVEL) / 2)
        axis.axhspan(low, high, color="0.75", label="order 1 less directed information, exact")
        rows.append(
            {
                "direction": words,
                "curve": "order 1 less the rate",
                "nats": float(apart.mean()),
                "lower": low,
                "upper": high,
            }
        )
        axis.axhline(0.0, color="0.45", linestyle="--", linewidth=0.9, marker="")
        axis.set_xscale("log")
        axis.set_title(words, fontsize=8.5)
        axis.set_xlabel("tokens of a text")
    axes[0].set_ylabel("estimate - truth (nats a token)")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=7)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Transfer entropy from texts",
        caption=(
            f"Estimated transfer entropy of order 1 of driven pairs at coupling {study.streams.judged_coupling:g}, less"
            f" the exact one: {study.streams.n} pairs of streams, {study.streams.n_texts} texts of each, every text by"
            " itself. Band: by how much the exact transfer entropy of order 1 exceeds what step"
            f" {study.streams.steps} of a block adds to directed information, which no text length mends (from follower"
            f" to driver it is a line at zero). Bars and band: {LEVEL:.0%} intervals of the mean over pairs of streams,"
            " bootstrap, each number alone."
        ),
        claims=tuple(f"{STUDY}.{name}" for name in ("transfer_is_rate", "plug_in", "plug_in_short", "corrected_short")),
    )
