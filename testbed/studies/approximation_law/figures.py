"""The figures, from records alone."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.measures.decay import POWER, bootstrap_fit
from testbed.runs import Record
from testbed.studies.approximation_law.claims import STUDY
from testbed.studies.approximation_law.config import LEARNERS, NETWORKS, Learner
from testbed.studies.approximation_law.data import Curve, Data, Floats, gather
from testbed.studies.drawing import LEVEL, style
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from testbed.studies.approximation_law.study import ApproximationLaw

MOST_SHOWN = 4.0  # of 1 / alpha: a longer bar is cut, and the CSV has it
NAMES: dict[str, str] = {
    "nearest": "nearest, exact laws",
    "plane": "local plane, exact laws",
    "averaging": "averages, labels",
    "informed": "knows the form, labels",
    "network_laws": "network, exact laws",
    "network_labels": "network, labels",
    "logistic": "logistic regression",
    "selecting": "selects a bit",
    "network": "network",
}


def figures(study: "ApproximationLaw", records: Sequence[Record]) -> dict[str, StudyFigure]:
    """Every figure, once all cells are done."""
    data = gather(study, records)
    if data is None:
        return {}
    return {
        "excess": excess_figure(study, data),
        "exponents": exponents_figure(study, data),
        "irrelevant": irrelevant_figure(study, data),
    }


def words(data: Data) -> str:
    return f"Bars: {LEVEL:.0%} intervals over {data.replicates.n_independent} sources, each point alone."


def bars(axis: "Axes", data: Data, x: Floats, values: Floats, label: str, place: int) -> list[dict[str, Any]]:
    """Means of (R, n) with intervals, drawn positive; the rows behind them."""
    found = np.array([data.interval(column) for column in values.T])
    middle = found[:, 0]
    low = np.clip(found[:, 1], 0.2 * middle, None)
    axis.errorbar(
        x,
        middle,
        yerr=[middle - low, found[:, 2] - middle],
        label=label,
        capsize=1.2,
        elinewidth=0.7,
        **{**style(place), "linewidth": 1.0, "markersize": 3.5},
    )
    return [
        {"x": float(at), "mean": float(one[0]), "lower": float(one[1]), "upper": float(one[2])}
        for at, one in zip(x, found, strict=True)
    ]


def excess_figure(study: "ApproximationLaw", data: Data) -> StudyFigure:
    """Excess against D, a panel for each learner."""
    import matplotlib.pyplot as plt
    from matplotlib.ticker import NullFormatter

    figure, axes = plt.subplots(2, 3, figsize=(7, 4.6))
    rows = []
    every = sorted(set(study.manifolds.dimensions) | set(study.manifolds.network_dimensions))
    for axis, learner in zip(axes.ravel(), LEARNERS, strict=True):
        for d, curve in data.curves[learner].items():
            place = every.index(d)
            found = bars(axis, data, curve.sizes, curve.excess, f"d = {d}", place)
            rows += [{"learner": learner, "d": d, **one} for one in found]
            if learner in NETWORKS:
                floor = float(curve.floor.mean())
                axis.axhline(floor, color=style(place)["color"], linewidth=0.6, linestyle=":")
                rows.append({"learner": learner, "d": d, "x": float("inf"), "mean": floor})
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.set_title(NAMES[learner], fontsize=8)
    for axis in axes[:, 0]:
        axis.set_ylabel("excess (nats)")
    for axis in axes[1]:
        axis.set_xlabel("D (samples)")
    handles = {
        label: handle for axis in axes.ravel() for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)
    }
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=len(handles))
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Excess against dataset size",
        caption=(
            "Exact mean KL on a torus of d relevant coordinates. Dotted: a network's floor, on as many samples as"
            f" its {study.network.steps} steps can use; sizes at which it is above {study.bounds.gate:.0%} of the"
            f" excess are not fitted. {words(data)}"
        ),
        claims=_ids("c6_power_control", "c6_power_network"),
    )


def exponents_figure(study: "ApproximationLaw", data: Data) -> StudyFigure:
    """1 / alpha against d, with the rivals' lines."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(7, 3.4), sharey=True)
    groups: tuple[tuple[str, tuple[Learner, ...]], ...] = (
        ("exact laws shown", ("nearest", "plane", "network_laws")),
        ("labels shown", ("averaging", "informed", "network_labels")),
    )
    rows: list[dict[str, Any]] = []
    d = np.array([0.0, max(study.manifolds.dimensions) + 0.3])
    for axis, (title, learners) in zip(axes, groups, strict=True):
        lines = (
            (("d / 2", 0.0, 0.5), ("d / 4", 0.0, 0.25))
            if axis is axes[0]
            else (("1 + d / 4", 1.0, 0.25), ("1", 1.0, 0.0))
        )
        for k, (name, a, b) in enumerate(lines):
            axis.plot(
                d, a + b * d, color="0.6", linestyle=("-", "--")[k], marker="", linewidth=1.0, label=name, zorder=0
            )
        for k, learner in enumerate(learners):
            usable = {one: curve for one, curve in data.curves[learner].items() if curve.usable}
            if not usable:
                continue
            at = np.array(list(usable)) + 0.06 * (k - 1)
            values = np.stack([1.0 / curve.exponents for curve in usable.values()], axis=1)
            found = bars(axis, data, at, values, NAMES[learner], k)
            for (dimension, curve), one in zip(usable.items(), found, strict=True):
                rows.append({"learner": learner, "d": dimension, **{n: one[n] for n in ("mean", "lower", "upper")}})
                rows[-1] |= _bootstrapped(curve)
        axis.set_title(title)
        axis.set_xlabel("d (relevant coordinates)")
        axis.set_xlim(0, d[1])
        axis.legend(fontsize=6.5, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
    highest, lowest = (max(ends, default=1.0) for ends in ([r["upper"] for r in rows], [-r["lower"] for r in rows]))
    axes[0].set_ylim(-1.1 * max(lowest, 0.0), 1.1 * min(highest, MOST_SHOWN))
    axes[0].set_ylabel("1 / alpha")
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Exponents against dimension",
        caption=(
            "The claim alpha = c / dim is a line through the origin. Grey: d / 2 and d / 4, noise-free interpolation"
            " with one and two derivatives; 1 + d / 4, noisy regression with two; 1, a learner that knows the form."
            " Exponents are fitted above the floor in each replicate; the CSV also has the bootstrap of the mean curve."
            f" {words(data)} Bars above {MOST_SHOWN:g} are cut."
        ),
        shows=("2502.01481 F10",),
        claims=_ids(
            "c6_noise_free",
            "c6_noisy",
            "c6_stone",
            "c6_informed",
            "c6_network_noise_free",
            "c6_network_noisy",
            "c6_network_falls",
        ),
    )


def _bootstrapped(curve: Curve) -> dict[str, float]:
    """alpha of the mean curve with its BCa interval; nothing where replicates are too few for it."""
    if len(curve.excess) < 8:
        return {}
    found = bootstrap_fit(POWER, curve.sizes[curve.kept], curve.above, constant=0.0, n_resamples=500)
    return {"alpha_of_mean": found.estimate, "alpha_lower": found.bca[0], "alpha_upper": found.bca[1]}


def irrelevant_figure(study: "ApproximationLaw", data: Data) -> StudyFigure:
    """Excess against context that no answer rests on."""
    import matplotlib.pyplot as plt

    lag = study.irrelevant
    figure, axes = plt.subplots(1, 2, figsize=(7, 3.2))
    lengths = np.array(lag.lengths, dtype=np.float64)
    rows = []
    axes[0].plot(
        lengths,
        lag.max_lag * (lengths + 1) / (2 * lag.size),
        color="0.6",
        linestyle="-",
        marker="",
        linewidth=3,
        zorder=0,
        label="K (l + 1) / 2D",
    )
    for k, (learner, values) in enumerate(data.lags.items()):
        rows += [
            {"panel": "bits", "learner": learner, **one}
            for one in bars(axes[0], data, lengths, values, NAMES[learner], k)
        ]
    axes[0].set_xscale("log", base=2)
    axes[0].set_yscale("log")
    axes[0].set_xticks(lag.lengths, [str(one) for one in lag.lengths])
    axes[0].minorticks_off()
    axes[0].set_xlabel(f"l (bits, of which {lag.max_lag} matter)")
    axes[0].set_ylabel("excess (nats)")
    axes[0].legend(fontsize=7)
    many = lag.relevant + np.array(lag.extra, dtype=np.float64)
    rows += [
        {"panel": "coordinates", "learner": "averaging", **one}
        for one in bars(axes[1], data, many, data.extra, "averages of neighbours", 3)
    ]
    axes[1].set_ylim(bottom=0)
    axes[1].set_xticks(many, [f"{one:.0f}" for one in many])
    axes[1].set_xlabel(f"l (coordinates, of which {lag.relevant} matter)")
    axes[1].legend(fontsize=7)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Irrelevant context",
        caption=(
            f"h_l is flat here: all change is excess. Left: D = {lag.size}, bits; a learner that selects one bit for"
            f" each question pays nothing for length. Right: D = {lag.extra_size}, coordinates on a torus."
            f" {words(data)}"
        ),
        claims=_ids("c7_grows", "c7_intrinsic", "c7_rate"),
    )


def _ids(*names: str) -> tuple[str, ...]:
    return tuple(f"{STUDY}.{name}" for name in names)
