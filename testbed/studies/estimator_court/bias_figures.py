"""At which order each estimator breaks, and how: the map to choose one from, and bias against the order."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.drawing import LEVEL
from testbed.studies.estimator_court.data import MIXING, Data, held_within
from testbed.studies.estimator_court.drawing import SHORT, SHOWN, STUDENT, points
from testbed.studies.estimator_court.measure import NAMES
from testbed.studies.estimator_court.stated import STUDY
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from testbed.studies.estimator_court.config import Size
    from testbed.studies.estimator_court.study import EstimatorCourt

DEEPEST = 5
"""Orders behind the best from which on the colour no longer changes."""


def chooser_figure(study: "EstimatorCourt", data: Data) -> StudyFigure:
    """Sources by estimators, one panel a length: the first order that is off; and a panel that sums them up."""
    import matplotlib.pyplot as plt

    n_rows = (len(study.sizes) + 2) // 2
    figure, axes = plt.subplots(n_rows, 2, figsize=(7.6, 0.6 + 2.75 * n_rows), sharex=True, squeeze=False)
    rows: list[dict[str, Any]] = []
    for place, (axis, size) in enumerate(zip(axes.ravel(), study.sizes, strict=False)):
        _map(axis, study, data, size, rows, place % 2 == 0)
    summary = axes.ravel()[len(study.sizes)]
    _summary(summary, study, data)
    for axis in axes.ravel()[len(study.sizes) + 1 :]:
        axis.set_visible(False)
    for axis in axes.ravel()[len(study.sizes) - 1 : len(study.sizes) + 1]:
        axis.tick_params(labelbottom=True)
    b = study.bounds
    flattered = [one.label for one in study.sources if one.kind == "near_uniform"]
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Which estimator to choose",
        caption=(
            f"First order k at which the mean error of h_k over streams is above {b.tolerance:g} nats; 'ok': at none up"
            " to K. The darker, the more orders behind the best of the row; white is the best there is, which need not"
            " be good. Last column: the first order that the trust"
            " limit excludes (median over streams). Last panel: orders behind the best, mean over the sources; and the"
            " share of 95 % jackknife intervals that hold at the orders within the trust limit, over the sources that"
            " mix, in per cent. In the CSV bias with its interval, standard deviation and root mean"
            f" square error of every estimate ({LEVEL:.0%}, Student). James-Stein and Dirichlet priors are built around"
            f" the uniform law, which flatters them on {' and '.join(flattered)}."
        ),
        claims=tuple(
            f"{STUDY}.{name}" for name in ("nsb_near_uniform", "nsb_power_law", "nsb_still_better", "limit_slow")
        ),
    )


def _map(
    axis: "Axes", study: "EstimatorCourt", data: Data, size: "Size", rows: list[dict[str, Any]], labelled: bool
) -> None:
    for y, source in enumerate(study.sources):
        orders = data.break_orders(source, size, study.bounds.tolerance)
        trust = float(np.median(data.streams[source.label, size.n_tokens]["trust"])) + 1
        rows += _numbers(data, source, size)
        shown = [*((int(one), int(orders.max() - one)) for one in orders), (int(trust), -1)]
        for x, (order, behind) in enumerate(shown):
            depth = min(behind, DEEPEST) / DEEPEST
            grey = 1.0 - 0.75 * depth
            colour = (grey, grey, min(1.0, grey + 0.12)) if behind >= 0 else "#fbe9c6"
            word = "ok" if order > source.max_order else f"{order}"
            _cell(axis, x, y, colour, word, depth > 0.6)
    _frame(axis, [one.label for one in study.sources] if labelled else [""] * len(study.sources))
    axis.set_title(f"{size.n_tokens:,} tokens ({size.replicates} streams)", fontsize=8)


def _summary(axis: "Axes", study: "EstimatorCourt", data: Data) -> None:
    """Two rows a length: mean orders behind the best, and per cent of intervals that hold within the trust limit."""
    labels: list[str] = []
    for size in study.sizes:
        orders = np.array([data.break_orders(source, size, study.bounds.tolerance) for source in study.sources])
        behind = (orders.max(axis=1, keepdims=True) - orders).mean(axis=0)
        for x, value in enumerate(behind):
            depth = min(float(value), DEEPEST) / DEEPEST
            grey = 1.0 - 0.75 * depth
            _cell(axis, x, len(labels), (grey, grey, min(1.0, grey + 0.12)), f"{value:.1f}", depth > 0.6)
        labels.append(f"behind, {size.n_tokens:.0e}".replace("e+0", "e"))
    for size in study.interval_sizes:
        held, total = np.zeros(len(NAMES)), 0
        for source in study.sources:
            if source.kind in MIXING:
                shares, n = held_within(study, data, source, size)
                held, total = held + np.nan_to_num(shares) * n, total + n
        for x, value in enumerate(held / max(total, 1)):
            grey = 1.0 - min(0.75, 1.5 * max(0.0, 0.95 - float(value)))
            _cell(axis, x, len(labels), (min(1.0, grey + 0.12), grey, grey), f"{value:.0%}"[:-1], grey < 0.5)
        labels.append(f"hold %, {size.n_tokens:.0e}".replace("e+0", "e"))
    _frame(axis, labels)
    axis.set_title("in short", fontsize=8)


def _frame(axis: "Axes", labels: list[str]) -> None:
    """Estimators along x, and a row for each label."""
    names = [*(SHORT[name] for name in NAMES), "trust limit"]
    axis.set_xlim(-0.5, len(names) - 0.5)
    axis.set_ylim(len(labels) - 0.5, -0.5)
    axis.set_xticks(range(len(names)), names, rotation=60, ha="right", rotation_mode="anchor", fontsize=6.5)
    axis.set_yticks(range(len(labels)), labels, fontsize=6.5)
    axis.tick_params(length=0)
    axis.grid(visible=False)


def _cell(axis: "Axes", x: int, y: int, colour: Any, word: str, light: bool) -> None:
    """A coloured field with a word in it."""
    axis.add_patch(_rectangle(x, y, colour))
    axis.text(x, y, word, ha="center", va="center", fontsize=6, color="white" if light else "black")


def _rectangle(x: int, y: int, colour: Any) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((x - 0.48, y - 0.46), 0.96, 0.92, facecolor=colour, edgecolor="none")


def _numbers(data: Data, source: Any, size: "Size") -> list[dict[str, Any]]:
    errors = data.errors(source, size)
    found = []
    for i, name in enumerate(NAMES):
        for k in range(source.max_order + 1):
            bias, low, high = data.interval(errors[:, i, k])
            found.append(
                {
                    "source": source.label,
                    "tokens": size.n_tokens,
                    "estimator": name,
                    "order": k,
                    "bias": bias,
                    "lower": low,
                    "upper": high,
                    "standard_deviation": float(errors[:, i, k].std(ddof=1)),
                    "root_mean_square": float(np.sqrt((errors[:, i, k] ** 2).mean())),
                }
            )
    return found


def bias_figure(study: "EstimatorCourt", data: Data) -> StudyFigure:
    """Mean error of h_k against k, one panel a source."""
    import matplotlib.pyplot as plt

    size = study.judged_sizes[(len(study.judged_sizes) - 1) // 2]
    n_columns = 5
    n_rows = -(-len(study.sources) // n_columns)
    figure, axes = plt.subplots(n_rows, n_columns, figsize=(7.4, 0.8 + 1.75 * n_rows), squeeze=False)
    rows: list[dict[str, Any]] = []
    for axis, source in zip(axes.ravel(), study.sources, strict=False):
        errors = data.errors(source, size)
        trust = float(np.median(data.streams[source.label, size.n_tokens]["trust"]))
        axis.axvspan(trust + 0.5, source.max_order + 0.4, color="#fbe9c6", zorder=0, linewidth=0)
        axis.axhspan(-study.bounds.tolerance, study.bounds.tolerance, color="0.85", zorder=0.5, linewidth=0)
        for place, name in enumerate(SHOWN):
            found = np.array([data.interval(errors[:, NAMES.index(name), k]) for k in range(source.max_order + 1)])
            points(
                axis, range(source.max_order + 1), found[:, 0].tolist(), (found[:, 1], found[:, 2]), place, SHORT[name]
            )
            rows += [
                {"source": source.label, "estimator": name, "order": k, "bias": a, "lower": low, "upper": high}
                for k, (a, low, high) in enumerate(found.tolist())
            ]
        shown = [row for row in rows if row["source"] == source.label and row["estimator"] != "james_stein"]
        least, most = min(row["lower"] for row in shown), max(row["upper"] for row in shown)
        room = 0.08 * max(most - least, 4 * study.bounds.tolerance)
        axis.set_ylim(min(least, -study.bounds.tolerance) - room, max(most, study.bounds.tolerance) + 2 * room)
        axis.set_xlim(-0.4, source.max_order + 0.4)
        axis.set_title(source.label, fontsize=7.5)
        axis.tick_params(labelsize=6)
        axis.locator_params(axis="x", integer=True, nbins=5)
    for axis in axes.ravel()[len(study.sources) :]:
        axis.set_visible(False)
    for axis in axes[-1]:
        axis.set_xlabel("order k", fontsize=7)
    for axis in axes[:, 0]:
        axis.set_ylabel("bias of h_k (nats)", fontsize=7)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=len(SHOWN), fontsize=6.5)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Bias against the order",
        caption=(
            f"Estimate less exact h_k, mean over {size.replicates} streams of {size.n_tokens:,} tokens; {STUDENT}."
            " Grey:"
            f" within {study.bounds.tolerance:g} nats. Shaded: orders beyond the median trust limit. Axes differ from"
            " panel to panel, and James-Stein may leave them. The mixture is off inside the limit."
        ),
        claims=tuple(
            f"{STUDY}.{name}" for name in ("correction", "correction_dependent", "tokens_fall", "tokens_corrected")
        ),
    )
