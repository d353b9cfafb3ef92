"""The figures: how the loss splits, which context is best, and what a longer context costs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.runs import Record
from testbed.studies.drawing import LEVEL
from testbed.studies.optimal_context.arm_data import ArmData, arm_data, counted
from testbed.studies.optimal_context.drawing import BAYES, FLOOR, NETWORK, TABLE, rows_of
from testbed.studies.optimal_context.split_figure import loss_split_figure
from testbed.studies.study import StudyFigure
from testbed.theory import kt_excess, kt_excess_is_trusted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from testbed.studies.optimal_context.study import OptimalContext


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
    axes[0][0].set_yticks(range(max(data.arm.max_context for data in arms) + 1))
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(4, len(labels)))
    replicates = "; ".join(f"{counted(data)} ({data.arm.name})" for data in arms)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Optimal context length against dataset size",
        caption=(
            f"l*: the shortest context whose loss is within {study.delta:g} nats of the best. Network: estimate and"
            f" {LEVEL:.0%} confidence interval over {replicates}; crosses mark the other"
            " context lengths that cannot be told from the best (multiple comparison with the best). Table learner: the"
            " same rule on its mean exact loss. Theory: the same rule on h_l + V^l (V - 1) / (2 D), exact h_l averaged"
            " over kernels, solid where D >= 10 V^(l* + 1). Intervals are for each D alone. On the memoryless control"
            " no context helps and l* must be 0."
        ),
        shows=("2502.01481 F3",),
        claims=tuple(f"optimal_context.{name}" for name in ("grows", "no_fall", "reaches_k", "control")),
    )


def _optimum_panel(study: "OptimalContext", data: ArmData, axis: "Axes") -> list[dict[str, Any]]:
    sizes = np.array(data.arm.sizes, dtype=np.float64)
    best = [ranking.smallest_within(study.delta, 1 - LEVEL) for ranking in data.rankings]
    sets = [ranking.best_set(1 - LEVEL) for ranking in data.rankings]
    table = np.argmax(data.reference_loss <= data.reference_loss.min(axis=1, keepdims=True) + study.delta, axis=1)
    dense, theory, trusted = _theory(study, data)
    axis.plot(dense, np.where(trusted, theory, np.nan), color=BAYES, linestyle="-", marker="", label="theory (table)")
    axis.plot(dense, np.where(trusted, np.nan, theory), color=BAYES, linestyle=(0, (4, 2)), linewidth=0.7, marker="")
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
        label="not separable from the best",
    )
    axis.set_xscale("log")
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


def _theory(study: "OptimalContext", data: ArmData) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """D, the shortest context within delta of the least h_l + V^l (V - 1) / (2 D), and where that can be trusted."""
    vocab_size, lengths = data.arm.source.vocab_size, np.arange(len(data.arm.lengths))
    dense = np.geomspace(data.arm.sizes[0] / 1.5, data.arm.sizes[-1] * 1.5, 2000)
    loss = data.risk.mean(axis=0) + np.asarray(kt_excess(lengths, vocab_size, dense[:, None]))
    theory = np.argmax(loss <= loss.min(axis=1, keepdims=True) + study.delta, axis=1)
    return dense, theory.astype(np.float64), kt_excess_is_trusted(theory, vocab_size, dense)


# ------------------------------------------------------------------------------------------------ the excess
def excess_figure(study: "OptimalContext", data: ArmData) -> StudyFigure:
    """Excess against D for every l: network, table learner, closed form."""
    import matplotlib.pyplot as plt

    rows = rows_of(study, data)
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
            f" (left, mean with {LEVEL:.0%} interval over {counted(data)}) and table learner on the same targets"
            " (right). Lines: V^l (V - 1) / (2 D), solid where it can be trusted (D >= 10 V^(l+1)), dashed where it"
            " cannot."
        ),
        claims=("optimal_context.interior",),
    )
