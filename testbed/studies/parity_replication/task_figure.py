"""The figure of which tasks were learnt, by context length and dataset size."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from testbed.sources.bit_query import BitQuerySource
from testbed.studies.drawing import LEVEL
from testbed.studies.judge.proportion import Proportion
from testbed.studies.parity_replication.config import ProtocolName
from testbed.studies.parity_replication.results import Measured, Point
from testbed.studies.study import StudyFigure
from testbed.training.mlp_path import RULES

if TYPE_CHECKING:
    from testbed.studies.parity_replication.study import ParityReplication

PANELS: tuple[tuple[ProtocolName, str, str], ...] = (
    ("released", "stopped", "released,\nearly stop"),
    ("sound", "end", "sound,\nend"),
)


def learnt_share(study: "ParityReplication", data: Measured, point: Point, rule: str) -> NDArray[np.float64]:
    """(lengths, answerable tasks) share of seeds whose exact excess on the task is below the bound; nan where the
    context does not hold the task. Tasks in order of depth."""
    tasks = study.designed
    source = tasks.source
    assert isinstance(source, BitQuerySource)
    order = answerable(source)
    excess = data.task_excess[point][:, :, RULES.index(rule)][:, :, order]
    share = np.mean(excess < study.learnt_below, axis=0)
    held = source.depths[order][None, :] <= np.array(tasks.lengths)[:, None]
    return np.where(held, share, np.nan)


def answerable(source: BitQuerySource) -> NDArray[np.int64]:
    """The tasks that stored bits answer, by depth."""
    order = np.argsort(source.depths, kind="stable")
    return order[source.depths[order] < 2**40]


def tasks_figure(study: "ParityReplication", data: Measured) -> StudyFigure:
    """Share of seeds in which each task was learnt, a panel for each D and protocol."""
    import matplotlib.pyplot as plt

    tasks = study.designed
    source = tasks.source
    assert isinstance(source, BitQuerySource)
    depths = source.depths[answerable(source)]
    figure, axes = plt.subplots(
        len(PANELS),
        len(tasks.sizes),
        figsize=(1.75 * len(tasks.sizes) + 1.4, 4.4),
        sharex=True,
        sharey=True,
        squeeze=False,
    )
    table: list[dict[str, Any]] = []
    image = None
    colours = plt.get_cmap("cividis").with_extremes(bad="#DDDDDD")
    for row, (protocol, rule, title) in enumerate(PANELS):
        for axis, size in zip(axes[row], tasks.sizes, strict=True):
            share = learnt_share(study, data, Point("designed", protocol, size), rule)
            masked = np.ma.masked_invalid(share.T)
            axis.grid(visible=False)
            image = axis.imshow(masked, origin="lower", aspect="auto", vmin=0, vmax=1, cmap=colours)
            if row == 0:
                axis.set_title(f"D = {size:,}")
            for i, length in enumerate(tasks.lengths):
                for j, depth in enumerate(depths):
                    table.append(
                        {
                            "protocol": protocol,
                            "rule": rule,
                            "size": size,
                            "context_length": length,
                            "depth": int(depth),
                        }
                        | _with_interval(float(share[i, j]), data.n_seeds)
                    )
        axes[row][0].set_ylabel(f"{title}\ndepth of the task (bits)")
    few = range(0, len(depths), max(1, len(depths) // 10))
    axes[0][0].set_yticks(list(few), [str(int(depths[j])) for j in few])
    axes[0][0].set_xticks(range(len(tasks.lengths)), [str(length) for length in tasks.lengths])
    for axis in axes[-1]:
        axis.set_xlabel("length $l$ (bits)")
        axis.tick_params(axis="x", labelrotation=90)
    assert image is not None
    figure.colorbar(image, ax=list(axes.flat), label="share of seeds that learnt the task")
    return StudyFigure(
        figure=figure,
        rows=table,
        title="Which tasks were learnt",
        caption=(
            f"Share of {data.n_seeds} seeds whose mean exact KL on a task is below {study.learnt_below:g} nats (ln 2 ="
            " 0.693 where nothing is known of its answer), by context length and depth of the task. Grey: the context"
            f" does not hold the task. A share has a standard error of at most {0.5 / np.sqrt(data.n_seeds):.2f}; exact"
            f" {LEVEL:.0%} intervals are in the CSV."
        ),
        shows=("2502.01481 F11",),
        claims=(),
    )


def _with_interval(share: float, n_seeds: int) -> dict[str, Any]:
    """A share of seeds with its exact binomial interval; nothing where the context does not hold the task."""
    row: dict[str, Any] = {"learnt": share, "replicates": n_seeds}
    if np.isnan(share):
        return row
    low, high = Proportion(round(share * n_seeds), n_seeds, unit="seed").interval((1 - LEVEL) / 2)
    return row | {"lower": low, "upper": high}
