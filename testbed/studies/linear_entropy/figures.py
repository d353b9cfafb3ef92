"""The figures, from records alone."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.runs import Record
from testbed.studies.drawing import LEVEL, style
from testbed.studies.linear_entropy.claims import STUDY, entropy_arms
from testbed.studies.linear_entropy.data import Data, Floats, gather
from testbed.studies.linear_entropy.feature_figures import estimates_figure, probe_figure, spectra_figure
from testbed.studies.linear_entropy.rise_figure import rises_figure
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.linear_entropy.study import LinearEntropy

RUNS = (("", "trained"), ("_untrained", "untrained"))


def figures(study: "LinearEntropy", records: Sequence[Record]) -> dict[str, StudyFigure]:
    """Every figure, once all cells are done."""
    data = gather(study, records)
    if data is None:
        return {}
    return {
        "exact": exact_figure(study, data),
        "features": features_figure(study, data),
        "spectra": spectra_figure(study, data),
        "estimates": estimates_figure(study, data),
        "probe": probe_figure(study, data),
        "rises": rises_figure(study, data),
    }


def exact_figure(study: "LinearEntropy", data: Data) -> StudyFigure:
    """S_ntp against S on every source, with the best line."""
    import matplotlib.pyplot as plt

    n = len(study.exact)
    columns = min(4, n)
    n_rows = -(-n // columns)
    figure, axes = plt.subplots(n_rows, columns, figsize=(7, 0.6 + 2.0 * n_rows), squeeze=False)
    rows: list[dict[str, Any]] = []
    for axis, one in zip(axes.ravel(), study.exact, strict=False):
        s, shown = data.exact[one.name]
        line = data.line(one.name)
        axis.plot(s, shown, **{**style(0 if one.role == "true" else 1), "linestyle": "", "markersize": 3.5})
        axis.plot(s, line.intercept + line.slope * s, color="0.5", linewidth=0.9, linestyle="-", marker="")
        axis.set_title(f"{one.name}\nr = {line.pearson:.3f}, off by {line.largest_residual:.1%}", fontsize=7)
        axis.tick_params(labelsize=6)
        rows += [
            {"source": one.name, "role": one.role, "l": l, "entropy": a, "shown": b, "r": line.pearson}
            | {"largest_residual": line.largest_residual, "curvature": line.curvature}
            for l, a, b in zip(one.lengths, s.tolist(), shown.tolist(), strict=True)
        ]
    for axis in axes.ravel()[n:]:
        axis.remove()
    figure.supxlabel("S(l), entropy of the Bayes state (nats)", fontsize=8)
    figure.supylabel("h$_0$ $-$ h$_l$ (nats)", fontsize=8)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="What the next token shows against what the state holds",
        caption=(
            "Exact values, no interval; grey: the best line; off by: its largest residual over the range. Circles: the"
            " law is linear by construction; other markers: it is not. Parity B, the data of the paper's last version,"
            " passes any test by r, and is curved."
        ),
        claims=_ids("c3_by_design", "c3_everywhere", "c3_correlation", "c3_slope"),
        shows=("2502.01481 F4",),
    )


def features_figure(study: "LinearEntropy", data: Data) -> StudyFigure:
    """The paper's Fig. 2: loss against kernel entropy of features; beside it the same loss against the exact S."""
    import matplotlib.pyplot as plt

    arms = entropy_arms(study)
    figure, axes = plt.subplots(len(arms), 3, figsize=(7, 0.5 + 2.3 * len(arms)), squeeze=False)
    rows: list[dict[str, Any]] = []
    for line, arm in zip(axes, arms, strict=True):
        settings = next(one for one in study.arms if one.name == arm)
        loss = data.loss(arm)
        y = [data.interval(column) for column in loss.T]
        states = settings.source.state_entropies(settings.lengths[-1]).value[list(settings.lengths)]  # type: ignore[attr-defined]
        for axis, (suffix, word) in zip(line[:2], RUNS, strict=True):
            estimate = data.arms[arm]["kde" + suffix]
            x = [data.interval(column) for column in data.centred(estimate).T]
            _cross(axis, x, y, 1 if suffix else 0)
            r, residual, curvature = (data.interval(one) for one in data.lines(arm, estimate))
            axis.set_title(f"{arm}, {word}\n|r| = {r[0]:.3f}, off by {residual[0]:.0%}", fontsize=7)
            rows += [
                {"arm": arm, "features": word, "l": l, "kernel_entropy": a[0], "lower": a[1], "upper": a[2]}
                | {"loss": b[0], "loss_lower": b[1], "loss_upper": b[2], "r": r[0], "residual": residual[0]}
                | {"curvature": curvature[0]}
                for l, a, b in zip(settings.lengths, x, y, strict=True)
            ]
        _cross(line[2], [(one, one, one) for one in states], y, 2)
        line[2].set_title(f"{arm}, exact S", fontsize=7)
        line[0].set_ylabel("h$_l$ + KL (nats)", fontsize=7)
        for axis in line:
            axis.tick_params(labelsize=6)
            axis.ticklabel_format(useOffset=False)
    for axis in axes[-1][:2]:
        axis.set_xlabel("kernel entropy $-$ its mean over l (nats)", fontsize=7)
    axes[-1][2].set_xlabel("S(l) (nats)", fontsize=7)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Loss against the kernel entropy of features",
        caption=(
            "The paper's Fig. 2. Each point is one l; h_l is exact, KL is the member's. Left to right: features of"
            " trained and of untrained models, less each seed's mean over l, and the exact entropy of the Bayes state."
            f" Bars: {LEVEL:.0%} intervals over {study.n_seeds} seeds, each point alone."
        ),
        claims=_ids("c3_features_correlate", "c3_features_linear", "c3_features_learnt"),
        shows=("2502.01481 F4",),
    )


def _cross(axis: Any, x: list[tuple[float, float, float]], y: list[tuple[float, float, float]], place: int) -> None:
    """Points with intervals on both axes."""
    a, b = np.array(x), np.array(y)
    axis.errorbar(
        a[:, 0],
        b[:, 0],
        xerr=_reach(a),
        yerr=_reach(b),
        capsize=1.2,
        elinewidth=0.7,
        **{**style(place), "linestyle": "", "markersize": 3.5},
    )


def _reach(found: Floats) -> Floats:
    """(2, n) lengths of error bars; none where nothing is known."""
    return np.nan_to_num(np.stack([found[:, 0] - found[:, 1], found[:, 2] - found[:, 0]]), posinf=0.0, neginf=0.0)


def _ids(*names: str) -> tuple[str, ...]:
    return tuple(f"{STUDY}.{name}" for name in names)
