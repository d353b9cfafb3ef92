"""The figure of the paper's own network: loss against the visible length, and which tasks were learnt there."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.drawing import LEVEL, style
from testbed.studies.judge import Mean
from testbed.studies.judge.proportion import Proportion
from testbed.studies.parity_replication.results import Measured, design
from testbed.studies.parity_replication.task_figure import answerable
from testbed.studies.parity_replication.transformer_claims import NAMES, held
from testbed.studies.parity_replication.transformer_grid import sizes
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from testbed.studies.parity_replication.study import ParityReplication


def shown_figure(study: "ParityReplication", data: Measured) -> StudyFigure:
    """Left the loss at every visible length with the exact minimum, right the tasks learnt on endless samples."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(7.4, 3.3), width_ratios=[1.1, 1.0])
    table = _losses(study, data, axes[0]) + _tasks(study, data, axes[1])
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    arm = study.transformer
    return StudyFigure(
        figure=figure,
        rows=table,
        title="The paper's own network, shown fewer bits",
        caption=(
            f"One transformer ({arm.model.depth} layers, width {arm.model.width}) for all visible lengths, trained on"
            " samples of which half have their far bits hidden. Left: exact R(l) plus mean exact KL on fresh samples,"
            f" by the number of training samples; bars: {LEVEL:.0%} intervals over {arm.n_seeds} seeds. Right, endless"
            f" samples: share of seeds whose excess on a task is below {study.learnt_below:g} nats; grey: the visible"
            " bits do not hold the task."
        ),
        claims=tuple(f"parity_replication.{name}" for name in NAMES),
    )


def _losses(study: "ParityReplication", data: Measured, axis: "Axes") -> list[dict[str, Any]]:
    arm, table = study.transformer, []
    axis.plot(
        arm.lengths, arm.tasks.risks, color="black", linestyle=(0, (5, 2)), marker="", zorder=5, label="exact $R(l)$"
    )
    for number, size in enumerate(sizes(study)):
        label = "endless samples" if size is None else f"D = {size:,}"
        found = []
        for column in data.shown[size].loss.T:
            evidence = Mean(column, design(len(column)))
            found.append((evidence.estimate, *evidence.interval((1 - LEVEL) / 2)))
        mean, low, high = np.array(found).T
        error = np.nan_to_num([mean - low, high - mean], posinf=0.0)
        look = style(number) | {"markersize": 3.5, "linewidth": 0.9}
        axis.errorbar(arm.lengths, mean, yerr=error, capsize=1.5, elinewidth=0.7, label=label, **look)
        table += [
            {"panel": "loss", "size": label, "visible_length": length, "risk": risk}
            | {"loss": a, "lower": b, "upper": c, "replicates": arm.n_seeds}
            for length, risk, (a, b, c) in zip(arm.lengths, arm.tasks.risks, found, strict=True)
        ]
    axis.axhline(np.log(2), color="#777777", linewidth=0.8, linestyle=":", label="ln 2")
    axis.set_ylim(bottom=0.0)
    axis.set_xlabel("visible length $l$ (bits)")
    axis.set_ylabel("loss (nats)")
    return table


def _tasks(study: "ParityReplication", data: Measured, axis: "Axes") -> list[dict[str, Any]]:
    import matplotlib.pyplot as plt

    arm, table = study.transformer, []
    source = arm.hidden.base
    order = answerable(source)
    depths = source.depths[order]
    learnt = (data.shown[None].task_excess < study.learnt_below).mean(axis=0)
    share = np.where(held(study), learnt, np.nan)[:, order]
    colours = plt.get_cmap("cividis").with_extremes(bad="#DDDDDD")
    axis.grid(visible=False)
    image = axis.imshow(np.ma.masked_invalid(share.T), origin="lower", aspect="auto", vmin=0, vmax=1, cmap=colours)
    for i, length in enumerate(arm.lengths):
        for j, depth in enumerate(depths):
            row = {"panel": "tasks", "size": "endless samples", "visible_length": length, "depth": int(depth)}
            if np.isfinite(share[i, j]):
                hits = Proportion(round(share[i, j] * arm.n_seeds), arm.n_seeds, unit="seed")
                low, high = hits.interval((1 - LEVEL) / 2)
                row |= {"learnt": share[i, j], "lower": low, "upper": high, "replicates": arm.n_seeds}
            table.append(row)
    few = range(0, len(depths), max(1, len(depths) // 10))
    axis.set_yticks(list(few), [str(int(depths[j])) for j in few])
    axis.set_xticks(range(len(arm.lengths)), [str(length) for length in arm.lengths])
    axis.set_xlabel("visible length $l$ (bits)")
    axis.set_ylabel("depth of the task (bits)")
    assert axis.figure is not None
    axis.figure.colorbar(image, ax=axis, label="share of seeds that learnt it")
    return table
