"""The figures: losses over the grid, the best length against D, which tasks were learnt, and what is exact."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from testbed.runs import Record
from testbed.studies.drawing import LEVEL, style
from testbed.studies.judge import Mean
from testbed.studies.parity_replication.claims import PREFIX
from testbed.studies.parity_replication.config import PROTOCOLS, ProtocolName
from testbed.studies.parity_replication.exact_figures import linear_figure, table_figure
from testbed.studies.parity_replication.grid import ROLES
from testbed.studies.parity_replication.results import Measured, Point, measured
from testbed.studies.parity_replication.task_figure import tasks_figure
from testbed.studies.parity_replication.transformer_figure import shown_figure
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.parity_replication.study import ParityReplication

SHOWN: tuple[tuple[ProtocolName, str, str], ...] = (
    ("released", "stopped", "released, early stop"),
    ("released", "selected", "released, no stop"),
    ("sound", "end", "sound, end"),
    ("sound", "stopped", "sound, early stop"),
)
"""Protocol and rule of the columns, and what they are called."""


def figures(study: "ParityReplication", records: Sequence[Record]) -> dict[str, StudyFigure]:
    """Every figure that has data; the exact ones always."""
    drawn = {"table_1": table_figure(), "state_entropy": linear_figure()}
    data = measured(study, records)
    if data is None or data.diverged:
        return drawn
    return {
        "grid": grid_figure(study, data),
        "best_length": best_length_figure(study, data),
        "tasks": tasks_figure(study, data),
        "visible": shown_figure(study, data),
        **drawn,
    }


def interval(data: Measured, values: NDArray[np.float64]) -> tuple[float, float, float]:
    """Mean of one number a seed with its 95 % interval; an infinite one is not drawn (nan)."""
    evidence: Mean = data.mean(values)
    low, high = evidence.interval((1 - LEVEL) / 2)
    return evidence.estimate, low if np.isfinite(low) else np.nan, high if np.isfinite(high) else np.nan


def grid_figure(study: "ParityReplication", data: Measured) -> StudyFigure:
    """Loss against l, one line a D; a column for each protocol and rule, a row for each set of tasks."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, len(SHOWN), figsize=(2.1 * len(SHOWN) + 0.6, 4.6), sharey=True, squeeze=False)
    table: list[dict[str, Any]] = []
    for row, role in enumerate(ROLES):
        tasks = study.task_set(role)
        for axis, (protocol, rule, title) in zip(axes[row], SHOWN, strict=True):
            risk = {"color": "#777777", "linewidth": 2.5, "linestyle": "-", "marker": "", "alpha": 0.6}
            axis.plot(tasks.lengths, tasks.risks, label="exact $R(l)$", **risk)
            for number, size in enumerate(tasks.sizes):
                loss = data.at(Point(role, protocol, size), f"{rule}_loss")
                found = np.array([interval(data, column) for column in loss.T])
                mean, low, high = found.T
                place = study.designed.sizes.index(size) if size in study.designed.sizes else number
                at = np.array(tasks.lengths) + 0.12 * (place - 1.5) * tasks.lengths[-1] / 24
                look = style(place) | {"markersize": 3, "linewidth": 0.9}
                error = np.nan_to_num([mean - low, high - mean])
                axis.errorbar(at, mean, yerr=error, capsize=1.2, elinewidth=0.7, label=f"D = {size:,}", **look)
                for length, (value, lower, upper) in zip(tasks.lengths, found, strict=True):
                    table.append(
                        {"tasks": role, "protocol": protocol, "rule": rule, "size": size, "context_length": length}
                        | {"loss": value, "lower": lower, "upper": upper, "replicates": data.n_seeds}
                    )
            axis.axhline(np.log(2), color="#777777", linewidth=0.8, linestyle=":")
            if row == 0:
                axis.set_title(title)
            else:
                axis.set_xlabel("context length $l$ (bits)")
        axes[row][0].set_ylabel(f"{role} tasks\nloss (nats)")
    top = min(2.0, 1.05 * max(one["upper"] if np.isfinite(one["upper"]) else one["loss"] for one in table))
    axes[0][0].set_ylim(0.0, top)
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return StudyFigure(
        figure=figure,
        rows=table,
        title="Loss by context length and dataset size",
        caption=(
            "Exact risk plus mean exact KL on fresh samples, by dataset size. Columns: the released protocol at its"
            " early stop and with the same choice of epoch but no stop (the same paths), and the sound protocol at its"
            " end and as the early stop would have left it. Lower row: the control, whose tasks lie within the shortest"
            f" context. Dotted: ln 2. Bars: 95% intervals over {data.n_seeds} seeds; points are set side by side, and"
            " losses above 2 nats (memorised noise) are out of the picture but in the CSV."
        ),
        shows=("2502.01481 F11",),
        claims=tuple(
            PREFIX + f"{what}_{name}"
            for name in PROTOCOLS
            for what in ("rises", "irrelevant", "control", "interior", "stop_costs")
        ),
    )


def best_length_figure(study: "ParityReplication", data: Measured) -> StudyFigure:
    """The shortest length within delta of the best against D, at each protocol and rule."""
    import matplotlib.pyplot as plt

    tasks = study.designed
    figure, axis = plt.subplots(figsize=(4.8, 3.2))
    table: list[dict[str, Any]] = []
    for number, (protocol, rule, title) in enumerate(SHOWN):
        found = [
            data.ranking(Point("designed", protocol, size), rule).smallest_within(study.delta) for size in tasks.sizes
        ]
        at, low, high = (
            np.array([tasks.lengths[getattr(one, end)] for one in found]) for end in ("estimate", "lowest", "highest")
        )
        sizes = np.array(tasks.sizes) * 1.05 ** (number - (len(SHOWN) - 1) / 2)
        look = style(number) | {"markersize": 4, "linewidth": 1}
        axis.errorbar(sizes, at, yerr=[at - low, high - at], capsize=2, elinewidth=0.8, label=title, **look)
        for size, one in zip(tasks.sizes, found, strict=True):
            table.append(
                {"protocol": protocol, "rule": rule, "size": size, "best_length": tasks.lengths[one.estimate]}
                | {"lowest": tasks.lengths[one.lowest], "highest": tasks.lengths[one.highest]}
            )
    axis.set_xscale("log")
    axis.set_xticks(tasks.sizes, [f"{size:,}" for size in tasks.sizes])
    axis.minorticks_off()
    axis.set_yticks(tasks.lengths)
    axis.set_xlabel("dataset size $D$ (samples)")
    axis.set_ylabel(f"shortest length within\n{study.delta:g} nats of the best (bits)")
    figure.legend(loc="outside lower center", ncols=2)
    return StudyFigure(
        figure=figure,
        rows=table,
        title="Best context length against dataset size",
        caption=(
            f"The shortest context length whose mean loss is within {study.delta:g} nats of the least, with 95%"
            f" confidence intervals from paired tests over {data.n_seeds} seeds (ends are lengths of the grid). Points"
            " are set side by side."
        ),
        claims=tuple(PREFIX + f"{what}_{name}" for name in PROTOCOLS for what in ("grows", "stop_shortens")),
    )
