"""Excess by prior and source at the length of training, and at every place up to several times it."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.drawing import LEVEL, style
from testbed.studies.positional_prior.claims import STUDY, TITLES, source_title
from testbed.studies.positional_prior.config import ARMS, EXPONENTIAL, SINGLE, WEAKEST
from testbed.studies.positional_prior.data import Data, Floats
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from testbed.studies.positional_prior.study import PositionalPrior

BIN = 4
"""Places that are averaged into one point."""
LEAST = 1e-6
"""Nats; what lies below is drawn there."""
MOST = 3.0
"""Times what context tells; what lies above is drawn there."""


def prior_figure(study: "PositionalPrior", data: Data) -> StudyFigure:
    """A panel a source, a row an arm."""
    import matplotlib.pyplot as plt

    names = data.design.names
    figure, axes = plt.subplots(1, len(names), figsize=(1.9 * len(names) + 1.4, 3.1), sharey=True)
    rows: list[dict[str, Any]] = []
    for axis, source in zip(axes, names, strict=True):
        told = float(data.information(source).mean())
        for place, arm in enumerate(ARMS):
            middle, low, high = data.interval(data.inside(arm, source))
            fits = arm in shaped(source)
            look = style(2 if fits else 0)
            each = np.maximum(data.inside(arm, source), LEAST)
            axis.plot(each, np.full(len(each), place + 0.28), color="0.55", marker="|", markersize=4, linestyle="")
            axis.errorbar(
                middle,
                place,
                xerr=[[max(middle - max(low, LEAST), 0.0)], [max(min(high, MOST * told) - middle, 0.0)]],
                color=look["color"],
                marker="s" if fits else "o",
                markerfacecolor=look["color"] if fits else "white",
                markersize=4.5,
                capsize=2,
                linestyle="",
            )
            if low < LEAST:
                axis.plot(LEAST, place, color=look["color"], marker="<", markersize=4.5, linestyle="")
            slope = data.slopes.get((arm, source), np.nan)
            rows.append(
                {"source": source, "prior": TITLES[arm], "slope": slope, "excess": middle, "lower": low, "upper": high}
            )
        axis.axvline(told, color="0.5", linewidth=0.8, linestyle=":")
        axis.set_xscale("log")
        axis.set_title(source_title(source).replace(" lag law", " lag" if source == SINGLE else " lags"), fontsize=8)
        axis.set_xlabel("excess (nats)")
    axes[0].set_yticks(range(len(ARMS)), [TITLES[arm] for arm in ARMS], fontsize=7)
    axes[0].invert_yaxis()
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Excess over Bayes by prior and source",
        caption=(
            f"Mean KL from the Bayes law at the places of sequences of T = {data.design.length} tokens, as in training."
            f" Mean over {study.n_seeds} replicates with {LEVEL:.0%} intervals of the mean, each alone; arms of a"
            " replicate share sequences and first weights, so that differences are known better than the bars say."
            " Filled squares: priors of the shape of the source's lag law (on the single lag, those that can look at"
            " one lag); rings: others; strokes below: each replicate. Dotted: excess of no context at all, and no"
            f" interval is drawn beyond {MOST:g} times it; one that reaches below {LEAST:g} nats ends there in a"
            " triangle. Rates are tuned for each prior on the single lag and, at the middle slope, on the power law"
            f" a = {data.design.middle.removeprefix('power_')}, whose rate all lags that fall take; slopes of ALiBi and"
            " the harmonic bias on each of these, and RoPE x harmonic has the latter's; on the single lag all slopes"
            " are the weakest, without a trial."
        ),
        claims=tuple(
            f"{STUDY}.{name}"
            for name in (
                *("power_alibi", "power_rest", "power_learned", "exponential_harmonic", "exponential_rest"),
                *("single_rope", "single_exact"),
            )
        ),
    )


def shaped(source: str) -> tuple[str, ...]:
    """Arms whose prior has the shape of the source's lag law."""
    if source == SINGLE:
        return ("rope", "rope_harmonic")
    return ("alibi", "kerple_power") if source == EXPONENTIAL else ("harmonic", "rope_harmonic", "kerple_log")


def reach_figure(study: "PositionalPrior", data: Data) -> StudyFigure:
    """A panel a source: excess against the place in the sequence."""
    import matplotlib.pyplot as plt

    names, design = data.design.names, data.design
    figure, grid = plt.subplots(2, (len(names) + 1) // 2, figsize=(8.6, 5.2), sharex=True)
    axes = list(grid.flat)
    rows: list[dict[str, Any]] = []
    for axis, source in zip(axes, names, strict=False):
        places, told = binned(data.told[source])
        axis.plot(places, told.mean(axis=0), color="0.5", linestyle=":", linewidth=1.2, marker="", label="no context")
        for number, arm in enumerate(ARMS):
            rows += [{"source": source} | row for row in _line(axis, data, arm, source, number)]
        axis.axvline(design.length, color="0.4", linewidth=0.8)
        axis.set_yscale("log")
        least = min(float(binned(data.curves[arm, source])[1].mean(axis=0).min()) for arm in ARMS)
        axis.set_ylim(0.5 * least, MOST * float(told.mean(axis=0).max()))
        axis.set_title(source_title(source).replace(" lag law", " lag" if source == SINGLE else " lags"), fontsize=8)
    for axis in axes[len(names) :]:
        axis.set_axis_off()
    for axis in axes[: len(names)]:
        axis.tick_params(labelbottom=True)
        axis.set_xlabel("place in the sequence (tokens)")
    for axis in grid[:, 0]:
        axis.set_ylabel("excess (nats)")
    handles, labels = axes[0].get_legend_handles_labels()
    spare = len(axes) > len(names)
    where = axes[-1].legend if spare else figure.legend
    where(handles, labels, loc="center" if spare else "outside lower center", ncols=1 if spare else 4, fontsize=8)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Excess within and beyond the length of training",
        caption=(
            f"Mean KL from the Bayes law by place, {BIN} places together, up to {design.reach} times the length of"
            f" training T = {design.length} (line). Bands: {LEVEL:.0%} intervals of the mean over {study.n_seeds}"
            f" replicates. Lags go on to {design.longest}. Slopes of {' and '.join(TITLES[arm] for arm in WEAKEST)} are"
            " those of least excess within T, on the single lag the weakest; RoPE x harmonic has the latter's. Dotted:"
            " what context tells, the excess of a model without it. On the single lag runs of RoPE that stay half way"
            " make bands wide, and panels cut them."
        ),
        claims=tuple(f"{STUDY}.{name}" for name in ("reach_rope", "reach_alibi", "reach_small", "reach_exponential")),
    )


def binned(values: Floats) -> tuple[Floats, Floats]:
    """Middles of bins of places (n,), and means (R, n) in them; the first place, which nothing precedes, left out."""
    n = values.shape[1] // BIN
    kept = values[:, : n * BIN].reshape(len(values), n, BIN).copy()
    kept[:, 0, 0] = kept[:, 0, 1:].mean(axis=1)
    return (np.arange(n) + 0.5) * BIN, kept.mean(axis=2)


def _line(axis: "Axes", data: Data, arm: str, source: str, number: int) -> list[dict[str, Any]]:
    places, values = binned(data.curves[arm, source])
    found = np.array([data.interval(column) for column in values.T])
    look = style(number)
    look["markevery"] = (number % 4, 6)
    axis.plot(places, found[:, 0], markersize=3.0, label=TITLES[arm], **look)
    axis.fill_between(
        places,
        np.maximum(found[:, 1], LEAST),
        np.maximum(found[:, 2], LEAST),
        color=look["color"],
        alpha=0.2,
        linewidth=0,
    )
    return [
        {"prior": TITLES[arm], "place": place, "excess": m, "lower": low, "upper": high}
        for place, (m, low, high) in zip(places.tolist(), found.tolist(), strict=True)
    ]
