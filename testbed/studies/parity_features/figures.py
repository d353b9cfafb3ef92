"""The figures, from records alone."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.runs import Record
from testbed.sources.bits import LN2
from testbed.studies.drawing import LEVEL, style
from testbed.studies.linear_entropy.data import Data
from testbed.studies.linear_entropy.rise_figure import MARKERS
from testbed.studies.parity_features.claims import STUDY
from testbed.studies.parity_features.config import ROLES
from testbed.studies.parity_features.data import Floats, gather
from testbed.studies.parity_features.judgement import TITLES
from testbed.studies.parity_features.spectrum_figures import rises_figure, spectra_figure
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.parity_features.study import ParityFeatures


def figures(study: "ParityFeatures", records: Sequence[Record]) -> dict[str, StudyFigure]:
    """Every figure, once all cells are done."""
    data = gather(study, records)
    if data is None:
        return {}
    return {
        "loss": loss_figure(study, data),
        "spectra": spectra_figure(study, data),
        "rises": rises_figure(study, data),
        "counts": counts_figure(study, data),
    }


def loss_figure(study: "ParityFeatures", data: Data) -> StudyFigure:
    """Cross-entropy against three estimates and against the exact S, on both tables."""
    import matplotlib.pyplot as plt

    terms = study.reading.n_terms[-1]
    panels = (
        ("kde", "kernel entropy", ""),
        ("s_n", f"S$_N$, N = {terms}", ""),
        ("kde_untrained", "kernel entropy, untrained", "_untrained"),
    )
    figure, axes = plt.subplots(2, 4, figsize=(7.4, 4.4), sharey="row")
    rows: list[dict[str, Any]] = []
    for line, role in zip(axes, ROLES, strict=True):
        y = np.array([data.interval(column) for column in data.loss(role).T])
        for place, (axis, (name, label, _)) in enumerate(zip(line, panels, strict=False)):
            estimate = data.arms[role][name]
            estimate = estimate[..., -1] if name == "s_n" else estimate
            known = np.all(np.isfinite(estimate), axis=0).tolist()  # lengths at which every seed has a value
            x = np.array([data.interval(column) for column in data.centred(estimate).T])
            _cross(axis, x[known], y[known], place)
            found = data.lines(role, estimate)[:2]
            decided = bool(np.isfinite(found).all())
            r, residual = (data.interval(one) if decided else (np.nan,) * 3 for one in found)
            said = f"|r| = {r[0]:.3f}, off by {residual[0]:.0%}" if decided else "too few l with a value"
            axis.set_title(f"{label}\n{said}", fontsize=6.5)
            rows += [
                {"table": TITLES[role], "estimate": name, "l": l, "value": a[0], "lower": a[1], "upper": a[2]}
                | {"loss": b[0], "loss_lower": b[1], "loss_upper": b[2], "r": r[0], "r_lower": r[1], "r_upper": r[2]}
                | {"residual": residual[0], "residual_lower": residual[1], "residual_upper": residual[2]}
                for l, a, b, here in zip(study.table(role).lengths, x.tolist(), y.tolist(), known, strict=True)
                if here
            ]
        s, exact = data.exact[role][0], study.table(role).risks
        true = data.line(role)
        at = np.linspace(s[0], s[-1], 2)
        line[3].plot(at, LN2 - true.intercept - true.slope * at, color="0.6", linestyle="-", marker="")
        line[3].plot(s, exact, label="exact R", **{**style(3), "linestyle": "", "markersize": 4})
        line[3].set_title(f"exact S\n|r| = {abs(true.pearson):.3f}, off by {true.largest_residual:.0%}", fontsize=6.5)
        rows += [
            {"table": TITLES[role], "estimate": "exact S", "l": l, "value": a, "lower": a, "upper": a, "loss": b}
            | {"loss_lower": b, "loss_upper": b, "r": abs(true.pearson), "residual": true.largest_residual}
            for l, a, b in zip(study.table(role).lengths, s.tolist(), exact.tolist(), strict=True)
        ]
        line[0].set_ylabel(f"{TITLES[role]}\nR + KL (nats)", fontsize=7)
        line[0].set_ylim(-0.03, 1.05 * float(data.loss(role).max()))
        for axis in line:
            axis.tick_params(labelsize=6)
    for axis in axes[-1]:
        axis.set_xlabel("less its mean over l", fontsize=6.5)
    axes[-1][3].set_xlabel("S(l) (nats)", fontsize=6.5)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Loss against estimates on features and against the exact S",
        caption=(
            "Each point is one l. Upper row: equally frequent tasks, where loss is linear in S by construction (right,"
            " exact; grey: the best line); lower row: uneven frequencies, where it is not. Left to right: kernel"
            " entropy and sum of log relative eigenvalues of trained features, kernel entropy of untrained ones (with"
            " the trained loss), each less its seed's mean over l. Off by: largest residual of the line over the range,"
            f" mean over {study.n_seeds} seeds. Bars: {LEVEL:.0%} intervals, each point alone; bars that leave the"
            " frame are cut, and an l at which a seed's estimate is not defined is left out."
        ),
        claims=_ids("c3_even", "c3_uneven", "c3_correlate", "c3_tells_apart"),
        shows=("2502.01481 F4",),
    )


def counts_figure(study: "ParityFeatures", data: Data) -> StudyFigure:
    """The paper's Fig. 18: eigenvalues above a threshold against the tasks solved; what probes find beside it."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 3, figsize=(7, 4.6))
    rows: list[dict[str, Any]] = []
    for line, role in zip(axes, ROLES, strict=True):
        solved = np.array(study.table(role).n_solved, dtype=np.float64)
        for axis, suffix in zip(line[:2], ("", "_untrained"), strict=True):
            counts = data.arms[role]["dimension" + suffix]
            colours = plt.get_cmap("viridis")(np.linspace(0, 0.9, len(study.reading.thresholds)))
            for k, theta in enumerate(study.reading.thresholds):
                found = np.array([data.interval(column) for column in counts[..., k].T])
                look = {"color": colours[k], "marker": MARKERS[k % len(MARKERS)], "linestyle": "-"}
                _points(axis, solved, found, f"θ = {theta:g}", k, **look)
                rows += _rows(role, f"count{suffix}, theta = {theta:g}", solved, found)
            axis.plot(solved, solved, color="0.6", linestyle="-", marker="", linewidth=1.2, zorder=0, label="exact")
            axis.set_title(f"{TITLES[role]}, {'untrained' if suffix else 'trained'}", fontsize=7)
            axis.set_ylim(-1, study.model.bottleneck + 1)
        line[0].set_ylabel("eigenvalues above θ")
        exact = data.exact[role][0]
        for k, (name, label, over) in enumerate(
            (("probe", "R² of the answers", np.ones(1)), ("information", "information / S", exact))
        ):
            for suffix, fill in (("", "full"), ("_untrained", "none")):
                values = data.arms[role][name + suffix]
                values = (values[..., 0] if name == "probe" else values) / over
                found = np.array([data.interval(column) for column in values.T])
                _points(line[2], solved, found, f"{label}{', untrained' if suffix else ''}", k, fillstyle=fill)
                rows += _rows(role, name + suffix, solved, found)
        line[2].axhline(1.0, color="0.6", linewidth=1.0, linestyle="-", marker="")
        line[2].set_ylim(-0.1, 1.08)
        line[2].set_title(f"{TITLES[role]}, probes", fontsize=7)
        for axis in line:
            axis.tick_params(labelsize=6)
            axis.set_xticks(solved)
    for axis in axes[-1]:
        axis.set_xlabel("tasks that the context solves")
    handles = [axis.get_legend_handles_labels() for axis in (axes[0][0], axes[0][2])]
    figure.legend(
        [one for hs, _ in handles for one in hs],
        [one for _, names in handles for one in names],
        loc="outside lower center",
        ncols=4,
        fontsize=6,
    )
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Counting tasks by eigenvalues, and answers read off features",
        caption=(
            "The paper's Fig. 18. Left and middle: relative eigenvalues above a threshold, for trained and untrained"
            " features, against the number of tasks that the context solves (grey: equal, the exact rank of the"
            " answers' covariance). Right: held-out R² of an affine map to the answers, and what probes find of S."
            f" Bars: {LEVEL:.0%} intervals over {study.n_seeds} seeds, each point alone."
        ),
        claims=_ids("c4_one_threshold", "c5_answers", "c5_over_untrained", "c5_information"),
    )


def _rows(role: str, quantity: str, solved: Floats, found: Floats) -> list[dict[str, Any]]:
    return [
        {"table": TITLES[role], "quantity": quantity, "tasks_solved": n, "mean": a, "lower": b, "upper": c}
        for n, (a, b, c) in zip(solved.tolist(), found.tolist(), strict=True)
    ]


def _points(axis: Any, x: Floats, found: Floats, label: str, place: int, **more: Any) -> None:
    axis.errorbar(
        x,
        found[:, 0],
        yerr=_reach(found),
        label=label,
        capsize=1.0,
        elinewidth=0.7,
        **{**style(place), "linewidth": 0.8, "markersize": 3, **more},
    )


def _cross(axis: Any, a: Floats, b: Floats, place: int) -> None:
    """Points with intervals on both axes."""
    look = {**style(place), "linestyle": "", "markersize": 3.5}
    axis.errorbar(a[:, 0], b[:, 0], xerr=_reach(a), yerr=_reach(b), capsize=1.0, elinewidth=0.7, **look)


def _reach(found: Floats) -> Floats:
    """(2, n) lengths of error bars; none where nothing is known."""
    return np.nan_to_num(np.stack([found[:, 0] - found[:, 1], found[:, 2] - found[:, 0]]), posinf=0.0, neginf=0.0)


def _ids(*names: str) -> tuple[str, ...]:
    return tuple(f"{STUDY}.{name}" for name in names)
