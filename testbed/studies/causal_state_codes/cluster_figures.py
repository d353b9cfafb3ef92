"""Diffusion spectral entropy against its bandwidth, the sample, and noise."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.causal_state_codes.config import Arm
from testbed.studies.causal_state_codes.data import PARTITIONS, TRAINED, UNTRAINED, Data, Floats
from testbed.studies.causal_state_codes.evidence import BIT, laws_bits, shown, states_bits
from testbed.studies.causal_state_codes.sources import TITLES, complexity
from testbed.studies.causal_state_codes.statements import STUDY, judged_arms
from testbed.studies.drawing import LEVEL, median_interval, style
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from testbed.studies.causal_state_codes.study import CausalStateCodes

MEASURES = ("diffusion spectral entropy", "log2 RankMe", "matrix entropy")


def with_median(axis: "Axes", x: Any, values: Floats, look: int, label: str) -> Floats:
    """A line over x of the medians of values (R, n), with intervals by order statistics: where runs are of two kinds a
    mean is of none. Returns (n, 3)."""
    found = np.array([median_interval(column) for column in values.T])[:, [1, 0, 2]]
    found[:, 2] = np.minimum(found[:, 2], values.max(axis=0))  # few runs bound it on neither side
    below, above = found[:, 0] - found[:, 1], found[:, 2] - found[:, 0]
    axis.errorbar(x, found[:, 0], yerr=[below, above], markersize=3, linewidth=1, label=label, **style(look))
    return found


def clusters_figure(study: "CausalStateCodes", data: Data) -> StudyFigure:
    """A panel for each source: DSE over s, trained and untrained, with what it might be."""
    import matplotlib.pyplot as plt

    arms: tuple[Arm, ...] = (*study.clustered, "mess3")
    reading = study.reading.clusters
    columns = min(3, len(arms))
    n_rows = -(-len(arms) // columns)
    figure, axes = plt.subplots(n_rows, columns, figsize=(7.2, 2.6 * n_rows), sharex=True, sharey=True, squeeze=False)
    rows: list[dict[str, Any]] = []
    for place, arm in enumerate(arms):
        axis = axes[place // columns][place % columns]
        for look, name in ((TRAINED, "trained"), (UNTRAINED, "untrained")):
            found = with_median(axis, reading.bandwidths, data.of(arm, "sweep")[:, look], look, name)
            rows += [
                {"source": TITLES[arm], "stream": name, "s": s, "median DSE": m, "lower": low, "upper": high}
                for s, (m, low, high) in zip(reading.bandwidths, found.tolist(), strict=True)
            ]
        if arm != "mess3":
            for value, dash, name in (
                (states_bits(arm), "-", "log2 S"),
                (complexity(arm) / BIT, ":", "C_mu"),
                (laws_bits(arm), "--", "log2 laws"),
            ):
                axis.axhline(value, color="0.35", linestyle=dash, marker="", linewidth=1, label=name, zorder=0)
        axis.axvline(
            reading.bandwidth, color="0.6", linestyle="-.", marker="", linewidth=0.8, label="the rule", zorder=0
        )
        axis.set_title(TITLES[arm], size=9)
        axis.set_xscale("log")
        axis.set_ylim(-0.2, 7.9)
    for axis in axes.flat[len(arms) :]:
        axis.set_visible(False)
    for place in range(columns):
        last = max(row for row in range(n_rows) if row * columns + place < len(arms))
        axes[last][place].set_xlabel("bandwidth s, radii of the cloud")
        axes[last][place].tick_params(labelbottom=True)
    for row in axes:
        row[0].set_ylabel("DSE, bits")
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=6, fontsize=7)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Clusters of the last residual stream, by bandwidth",
        caption=(
            f"Diffusion spectral entropy of {reading.n_rows} places of the last stream, t = {reading.time:g}; medians"
            f" over {study.n_seeds} runs with {LEVEL:.0%} intervals by order statistics. On unifilar sources places at"
            " which the context has made the state sure. Horizontal lines: log2 of the number S of causal states, their"
            " entropy C_mu, log2 of the number of their different next-token laws (equal where they are one line)."
            " That an untrained stream has as many clusters does not make these"
            " states: see the next figure. 2312.04823."
        ),
        claims=tuple(f"{STUDY}.{name}" for name in ("complexity", "approach")),
    )


def partitions_figure(study: "CausalStateCodes", data: Data) -> StudyFigure:
    """A panel for each source: in how many runs clusters are the classes of each partition."""
    import matplotlib.pyplot as plt

    from testbed.studies.judge.proportion import Proportion

    arms = study.clustered
    figure, axes = plt.subplots(1, len(arms), figsize=(7.2, 3.2), sharey=True, squeeze=False)
    rows: list[dict[str, Any]] = []
    for axis, arm in zip(axes[0], arms, strict=True):
        for look, (name, end, behind) in enumerate(
            (("trained", TRAINED, False), ("trained, behind the norm", TRAINED, True), ("untrained", UNTRAINED, False))
        ):
            flags = [shown(study, data, arm, one, end, behind) for one in PARTITIONS]
            found = [Proportion(int(one.sum()), len(one), "run") for one in flags]
            middle = np.array([one.estimate for one in found])
            ends = np.array([one.interval((1 - LEVEL) / 2) for one in found])
            reach = np.maximum([middle - ends[:, 0], ends[:, 1] - middle], 0)
            x = np.arange(len(PARTITIONS)) + 0.2 * (look - 1)
            axis.errorbar(x, middle, yerr=reach, markersize=4, label=name, **style(look) | {"linestyle": "none"})
            rows += [
                {"source": TITLES[arm], "stream": name, "classes": one, "share": m, "lower": low, "upper": high}
                for one, m, (low, high) in zip(PARTITIONS, middle.tolist(), ends.tolist(), strict=True)
            ]
        axis.axhline(study.bounds.most, color="0.5", linestyle=":", marker="", linewidth=1)
        axis.set_xticks(range(len(PARTITIONS)), PARTITIONS, rotation=50, ha="right", fontsize=8)
        axis.set_title(TITLES[arm], size=9)
        axis.set_ylim(-0.03, 1.03)
    axes[0][0].set_ylabel("share of runs")
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=7)
    parted = [arm for arm in judged_arms(study) if states_bits(arm) != laws_bits(arm)]
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="What the clusters are",
        caption=(
            f"Share of {study.n_seeds} runs in which clusters of the last stream, or of what the read-out is given"
            " behind the final norm, are the classes of equal causal state, law of the next token, law and last token,"
            f" last token: DSE is within {study.bounds.bits:g} bits of log2 of their number, and at most that of the"
            f" rows of each class; with exact {LEVEL:.0%} intervals, each alone. Where two partitions are one, so are"
            " their numbers. Dotted: the claims."
        ),
        claims=tuple(
            f"{STUDY}.{name}" for name in (*(f"states_{arm}" for arm in parted), "laws", "laws_read", "laws_and_tokens")
        ),
    )


def sample_figure(study: "CausalStateCodes", data: Data) -> StudyFigure:
    """Left: DSE over the number of places. Right: what noise does to DSE, RankMe and matrix entropy."""
    import matplotlib.pyplot as plt

    reading, arms = study.reading.clusters, judged_arms(study)
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.4))
    rows: list[dict[str, Any]] = []
    several: tuple[Arm, ...] = (*study.clustered, "mess3")
    lines = [(TITLES[arm], data.of(arm, "growth")[:, TRAINED]) for arm in several]
    for look, (name, values) in enumerate([*lines, ("Mess3, exact beliefs", data.of("mess3", "exact"))]):
        found = with_median(left, reading.sizes, values, look, name)
        rows += [
            {"panel": "sample", "what": name, "x": n, "median": m, "lower": low, "upper": high}
            for n, (m, low, high) in zip(reading.sizes, found.tolist(), strict=True)
        ]
    left.set_xscale("log")
    left.set_xticks(reading.sizes, [str(one) for one in reading.sizes])
    left.minorticks_off()
    left.set_xlabel("places")
    left.set_ylabel("DSE, bits")
    left.set_ylim(bottom=0)
    left.legend(fontsize=7)
    for look, name in enumerate(MEASURES):
        moved = np.mean(
            [np.abs(data.of(arm, "noise")[:, look, 1:] - data.of(arm, "noise")[:, look, :1]) for arm in arms], 0
        )
        found = with_median(right, reading.noises, moved, look, name)
        rows += [
            {"panel": "noise", "what": name, "x": n, "median": m, "lower": low, "upper": high}
            for n, (m, low, high) in zip(reading.noises, found.tolist(), strict=True)
        ]
    right.axhline(study.bounds.bits, color="0.5", linestyle=":", marker="", linewidth=1)
    right.axvline(reading.bandwidth, color="0.5", linestyle="-.", marker="", linewidth=1)
    right.set_xscale("log")
    right.set_yscale("symlog", linthresh=0.01)
    right.set_ylim(bottom=0)
    right.set_xlabel("length of the noise, radii of the cloud")
    right.set_ylabel("change, bits")
    right.legend(fontsize=7)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="More places, and more noise",
        caption=(
            f"Trained networks, last stream, s = {reading.bandwidth:g}, t = {reading.time:g}; medians of"
            f" {study.n_seeds} runs with {LEVEL:.0%} intervals by order statistics, each alone. Left: the first"
            " places of more and more; s stays. Right: absolute change by normal noise, mean over"
            f" {', '.join(TITLES[arm] for arm in arms)}; linear below .01 bits. Dotted: the claimed"
            f" {study.bounds.bits:g} bits; dash-dotted: s, where the decade of the claim ends. Below s it is the kernel"
            " that does not see noise."
        ),
        claims=(f"{STUDY}.noise_diffusion",),
    )
