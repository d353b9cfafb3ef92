"""The figures: how the loss splits, which context is best, and what a longer context costs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.runs import Record
from testbed.studies.judge import Mean
from testbed.studies.optimal_context.judgement import ArmData, arm_data
from testbed.studies.study import StudyFigure
from testbed.theory import kt_excess, kt_excess_is_trusted, tabular_change_points

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from testbed.studies.optimal_context.study import OptimalContext

LEVEL = 0.95
FLOOR = 2e-5  # nats: below this a logarithmic axis shows only rounding
NETWORK, BAYES, TABLE, MIXTURE = "C0", "C2", "C1", "C3"


def figures(study: "OptimalContext", records: Sequence[Record]) -> dict[str, StudyFigure]:
    """Every figure whose arm is complete."""
    arms = [data for data in (arm_data(study, arm, records) for arm in study.arms) if data is not None]
    found: dict[str, StudyFigure] = {}
    if arms:
        found["optimal_context"] = optimal_context_figure(study, arms)
    for data in arms:
        found[f"loss_split_{data.arm.name}"] = loss_split_figure(study, data)
    for data in arms:
        if data.arm.role == "designed":
            found["excess_against_size"] = excess_figure(study, data)
    return found


def _interval(data: ArmData, values: np.ndarray) -> tuple[float, float, float]:
    """Mean over replicates with its 95 % interval; nan where a member diverged."""
    if not np.isfinite(values).all():
        return float(np.nanmean(values)), float("nan"), float("nan")
    evidence = Mean(values, data.replicates)
    return evidence.estimate, *evidence.interval((1 - LEVEL) / 2)


def _rows(study: "OptimalContext", data: ArmData) -> list[dict[str, Any]]:
    """The numbers behind the curves: one row for each (D, l)."""
    rate = data.risk[:, -1:]
    rows = []
    for at, size in enumerate(data.arm.sizes):
        for length in data.arm.lengths:
            excess, low, high = _interval(data, data.excess[at][:, length])
            above, above_low, above_high = _interval(data, (data.loss[at] - rate)[:, length])
            rows.append(
                {
                    "arm": data.arm.name,
                    "dataset_size": size,
                    "context_length": length,
                    "bayes_risk": float(data.risk[:, length].mean()),
                    "bayes_risk_above_rate": float((data.risk - rate)[:, length].mean()),
                    "excess": excess,
                    "excess_lower": low,
                    "excess_upper": high,
                    "loss_above_rate": above,
                    "loss_above_rate_lower": above_low,
                    "loss_above_rate_upper": above_high,
                    "excess_fixed_budget": float(np.nanmean(data.fixed[at][:, length])),
                    "excess_oracle_stop": float(np.nanmean(data.oracle[at][:, length])),
                    "excess_endless_stream": float(data.endless[length]),
                    "table_excess": float(data.reference[at][:, length].mean()),
                    "table_excess_closed_form": float(kt_excess(length, data.arm.source.vocab_size, size)),
                    "bayes_mixture_excess": float(data.mixture[at].mean()),
                }
            )
    return rows


def _counts(data: ArmData) -> str:
    parts = [f"{count} {level}s" if count != 1 else f"1 {level}" for level, count in data.replicates.counts.items()]
    return ", ".join(parts) + " in all"


# ------------------------------------------------------------------------------------------------ the split of the loss
def loss_split_figure(study: "OptimalContext", data: ArmData) -> StudyFigure:
    """One panel a dataset size: loss above the entropy rate over l, split into Bayes risk and excess."""
    import matplotlib.pyplot as plt

    rows = _rows(study, data)
    n_panels = len(data.arm.sizes)
    columns = min(4, n_panels + 1)
    lines = -(-(n_panels + 1) // columns)
    figure, axes = plt.subplots(
        lines, columns, figsize=(1.75 * columns, 1.75 * lines + 0.4), sharex=True, sharey=True, squeeze=False
    )
    panels = axes.ravel()
    for at, (size, axis) in enumerate(zip(data.arm.sizes, panels, strict=False)):
        _split_panel(axis, data, [row for row in rows if row["dataset_size"] == size], at)
        axis.set_title(f"D = {size:,}")
        optimum = data.rankings[at].smallest_within(study.delta) if np.isfinite(data.loss[at]).all() else None
        if optimum is not None:
            axis.axvspan(optimum.lowest - 0.25, optimum.highest + 0.25, color="0.9", zorder=0)
    handles, labels = panels[0].get_legend_handles_labels()
    legend = panels[n_panels]
    legend.axis("off")
    legend.legend(handles, labels, loc="center left", borderaxespad=0)
    for spare in panels[n_panels + 1 :]:
        spare.axis("off")
    for axis in panels[max(0, n_panels - columns) : n_panels]:
        axis.tick_params(labelbottom=True)
        axis.set_xticks(list(data.arm.lengths))
    figure.supxlabel("context length l (tokens)", fontsize=8)
    figure.supylabel("loss $-$ h (nats per token)", fontsize=8)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title=f"The loss over context length, {data.arm.name} source",
        caption=(
            f"Loss above the entropy rate h at each dataset size D ({data.arm.name} source, order {data.arm.order}):"
            f" Bayes risk h_l - h (exact; zero from l = {data.arm.order} on), exact excess of the trained transformers"
            f" ({study.estimand.replace('_', ' ')}), and their sum. Bars: {LEVEL:.0%} intervals over {_counts(data)}."
            " The table learner counts on the same targets (add one half). The Bayes mixture knows the order and the"
            f" prior that the kernels were drawn from: no learner does better on average. Grey band: {LEVEL:.0%}"
            f" confidence interval of l*, the shortest context within {study.delta:g} nats of the best."
        ),
        claims=("optimal_context.interior",) if data.arm.role == "designed" else (),
    )


def _split_panel(axis: "Axes", data: ArmData, rows: list[dict[str, Any]], at: int) -> None:
    lengths = np.array([row["context_length"] for row in rows])

    def column(name: str) -> np.ndarray:
        return np.array([row[name] for row in rows], dtype=np.float64)

    risk = column("bayes_risk_above_rate")
    shown = risk > FLOOR
    table = risk + column("table_excess")
    axis.plot(
        lengths, table, color=TABLE, linestyle=(0, (5, 1.5)), marker="s", markersize=3, label="table learner, total"
    )
    if shown.any():
        axis.plot(
            lengths[shown],
            risk[shown],
            color=BAYES,
            linestyle="-",
            marker="D",
            markersize=3,
            label="Bayes risk $h_l - h$",
        )
    else:
        axis.plot([], [], color=BAYES, linestyle="-", marker="D", markersize=3, label="Bayes risk (zero)")
    for name, label, style, marker in (
        ("excess", "excess of the network", (0, (1.2, 1.2)), "^"),
        ("loss_above_rate", "network, total", "-", "o"),
    ):
        middle, low, high = column(name), column(f"{name}_lower"), column(f"{name}_upper")
        below = np.clip(middle - np.maximum(low, FLOOR), 0, None)
        axis.errorbar(
            lengths,
            np.maximum(middle, FLOOR),
            yerr=[below, np.clip(high - middle, 0, None)],
            color=NETWORK if name == "loss_above_rate" else "C6",
            linestyle=style,
            marker=marker,
            markersize=3.5,
            capsize=1.5,
            elinewidth=0.8,
            label=label,
        )
    floor = data.mixture[at].mean()
    if floor > FLOOR:
        axis.hlines(
            floor,
            data.arm.order,
            lengths[-1],
            color=MIXTURE,
            linestyle=(0, (5, 1.5, 1.2, 1.5)),
            label="Bayes mixture",
        )
    axis.set_yscale("log")
    axis.set_ylim(bottom=FLOOR)
    axis.set_xticks(list(data.arm.lengths))


# ------------------------------------------------------------------------------------------------ the optimal context
def optimal_context_figure(study: "OptimalContext", arms: list[ArmData]) -> StudyFigure:
    """l*_delta against D, one panel an arm: network with interval, table learner, theory."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(arms), figsize=(2.35 * len(arms), 2.6), squeeze=False, sharey=True)
    rows = []
    for data, axis in zip(arms, axes[0], strict=True):
        rows += _optimum_panel(study, data, axis)
        axis.set_title(f"{data.arm.name} (k = {data.arm.order})")
        axis.set_xlabel("dataset size D (targets)")
    axes[0][0].set_ylabel("optimal context length $l^*$")
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(4, len(labels)))
    designed = next(data for data in arms if data.arm.role == "designed")
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Optimal context length against dataset size",
        caption=(
            f"l*: the shortest context whose loss is within {study.delta:g} nats of the best. Network: estimate and"
            f" {LEVEL:.0%} confidence interval over {_counts(designed)} (designed source); crosses mark the other"
            " context lengths that cannot be told from the best (multiple comparison with the best). Table learner: the"
            " same rule on its mean exact loss. Theory: steps where the table of order l + 1 overtakes that of order l,"
            " D = V^l (V - 1)^2 / (2 (h_l - h_(l+1))), mean over kernels of the exact h_l. On the memoryless control no"
            " context helps and l* must be 0."
        ),
        claims=tuple(f"optimal_context.{name}" for name in ("grows", "no_fall", "reaches_k", "control")),
    )


def _optimum_panel(study: "OptimalContext", data: ArmData, axis: "Axes") -> list[dict[str, Any]]:
    sizes = np.array(data.arm.sizes, dtype=np.float64)
    best = [ranking.smallest_within(study.delta, 1 - LEVEL) for ranking in data.rankings]
    sets = [ranking.best_set(1 - LEVEL) for ranking in data.rankings]
    table = np.argmax(data.reference_loss <= data.reference_loss.min(axis=1, keepdims=True) + study.delta, axis=1)
    h = data.risk.mean(axis=0)[: data.arm.order + 1]
    points = tabular_change_points(h, data.arm.source.vocab_size)
    edges = (
        [sizes[0] / 2, *np.maximum.accumulate(points), sizes[-1] * 2] if len(points) else [sizes[0] / 2, sizes[-1] * 2]
    )
    steps = [0, *range(1, len(points) + 1)]
    axis.stairs(
        steps, np.minimum(edges, sizes[-1] * 2), baseline=None, color=BAYES, linewidth=1.2, label="theory (table)"
    )
    axis.plot(
        sizes * 1.12,
        table,
        color=TABLE,
        linestyle="none",
        marker="s",
        markersize=4,
        markerfacecolor="none",
        label="table learner",
    )
    estimate = np.array([one.estimate for one in best])
    axis.errorbar(
        sizes,
        estimate,
        yerr=[estimate - [one.lowest for one in best], np.array([one.highest for one in best]) - estimate],
        color=NETWORK,
        linestyle="-",
        linewidth=1,
        marker="o",
        markersize=4,
        capsize=2.5,
        label="network",
    )
    others = [(size, n) for size, found, one in zip(sizes, sets, best, strict=True) for n in found if n != one.estimate]
    axis.plot(
        [o[0] / 1.12 for o in others],
        [o[1] for o in others],
        color="C6",
        linestyle="none",
        marker="x",
        markersize=3.5,
        label="not worse than the best",
    )
    axis.set_xscale("log")
    axis.set_yticks(list(range(max(data.arm.lengths) + 1)))
    return [
        {
            "arm": data.arm.name,
            "dataset_size": int(size),
            "optimal_context": one.estimate,
            "lowest": one.lowest,
            "highest": one.highest,
            "best_set": " ".join(map(str, found)),
            "table_optimal_context": int(of_table),
            "at_grid_edge": " ".join(ranking.edges(range(one.lowest, one.highest + 1))),
        }
        for size, one, found, of_table, ranking in zip(sizes, best, sets, table, data.rankings, strict=True)
    ]


# ------------------------------------------------------------------------------------------------ the excess
def excess_figure(study: "OptimalContext", data: ArmData) -> StudyFigure:
    """Excess against D for every l: network, table learner, closed form."""
    import matplotlib.pyplot as plt

    rows = _rows(study, data)
    sizes = np.array(data.arm.sizes, dtype=np.float64)
    dense = np.geomspace(sizes[0], sizes[-1], 200)
    vocab_size = data.arm.source.vocab_size
    figure, axes = plt.subplots(1, 2, figsize=(7, 2.8), sharey=True)
    for length in data.arm.lengths:
        mine = [row for row in rows if row["context_length"] == length]
        style: dict[str, Any] = {
            "color": f"C{length % 7}",
            "marker": "osD^vPX"[length % 7],
            "markersize": 3.5,
            "linestyle": "none",
        }
        middle = np.array([row["excess"] for row in mine])
        low = np.array([row["excess_lower"] for row in mine])
        high = np.array([row["excess_upper"] for row in mine])
        axes[0].errorbar(
            sizes,
            middle,
            yerr=[np.clip(middle - np.maximum(low, FLOOR), 0, None), np.clip(high - middle, 0, None)],
            capsize=1.5,
            elinewidth=0.8,
            label=f"l = {length}",
            **style,
        )
        axes[1].plot(sizes, [row["table_excess"] for row in mine], **style)
        closed, trusted = kt_excess(length, vocab_size, dense), kt_excess_is_trusted(length, vocab_size, dense)
        for axis in axes:
            axis.plot(
                dense, np.where(trusted, closed, np.nan), color=style["color"], linestyle="-", linewidth=0.8, marker=""
            )
            axis.plot(
                dense,
                np.where(trusted, np.nan, closed),
                color=style["color"],
                linestyle=(0, (4, 2)),
                linewidth=0.5,
                marker="",
            )
    for axis, title in zip(axes, ("transformers", "table learner"), strict=True):
        axis.set_title(title)
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_ylim(FLOOR, 20)
        axis.set_xlabel("dataset size D (targets)")
    axes[0].set_ylabel("excess (nats per token)")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center")
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="What a longer context costs",
        caption=(
            f"Exact excess over the Bayes risk at each context length, {data.arm.name} source. Markers: transformers"
            f" (left, mean with {LEVEL:.0%} interval over {_counts(data)}) and table learner on the same targets"
            " (right). Lines: V^l (V - 1) / (2 D), solid where it can be trusted (D >= 10 V^(l+1)), dashed where it"
            " cannot."
        ),
        claims=("optimal_context.interior",),
    )
