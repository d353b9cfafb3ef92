"""By how much each factor moves the apparent optimum."""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.drawing import LEVEL, style
from testbed.studies.protocol_bias.claims import STUDY
from testbed.studies.protocol_bias.config import ROLES
from testbed.studies.protocol_bias.curves import Row
from testbed.studies.protocol_bias.data import FACTORS, Data, Reading
from testbed.studies.protocol_bias.judgement import NAMES
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.protocol_bias.study import ProtocolBias

DOUBLING = float(np.log(2))


def shift_figure(study: "ProtocolBias", data: Data) -> StudyFigure:
    """One panel a source, one line a factor, one mark a dataset size."""
    import matplotlib.pyplot as plt

    shown: tuple[Reading, ...] = (*FACTORS, "trained_on_all")
    step = study.bounds.shift / DOUBLING
    reach = float(np.log(study.networks.lengths[-1] / study.networks.lengths[0])) / DOUBLING  # of the grid of lengths
    figure, axes = plt.subplots(1, 2, figsize=(7.2, 3.7), sharey=True)
    rows: list[Row] = []
    names = {"designed": study.networks.designed.type_name, "control": study.networks.control.type_name}
    for axis, role in zip(axes, ROLES, strict=True):
        sizes = study.networks.sizes_of(role)
        axis.axvspan(-step, step, color="0.92", zorder=0)
        axis.axvline(0.0, color="black", linewidth=0.8)
        for place, size in enumerate(sizes):
            look = style(study.networks.sizes.index(size))
            for line, factor in enumerate(shown):
                values = data.shift(study, role, size, factor) / DOUBLING
                mean, low, high = data.interval(values, LEVEL, -reach, reach)
                at = len(shown) - 1 - line + (0.15 * (len(sizes) - 1) - 0.3 * place)
                axis.plot([low, high], [at, at], color=look["color"], linewidth=1.4, marker="", linestyle="-")
                axis.plot(
                    mean,
                    at,
                    marker=look.get("marker", "o"),
                    color=look["color"],
                    markersize=5,
                    linestyle="",
                    label=f"D = {size:,}" if line == 0 else None,
                )
                rows.append(
                    {"source": names[role], "D": size, "factor": NAMES[factor], "shift in doublings": mean}
                    | {"lower": low, "upper": high, "replicates": len(values)}
                    | {"longer": float((values >= step).mean()), "shorter": float((values <= -step).mean())}
                )
        axis.set_title(f"{names[role]}{', no memory' if role == 'control' else ''}")
        axis.set_xlabel("shift of the apparent $l^*$ (doublings)")
        axis.grid(visible=False, axis="y")
    labels = [*(NAMES[one] for one in FACTORS), "trained on all\npositions, last read"]
    axes[0].set_yticks(range(len(shown) - 1, -1, -1), labels)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="What each factor of the protocol does to the apparent optimum",
        caption=(
            "Apparent optimal context length under each factor less that under the sound protocol, of the same data and"
            f" first weights. Mean over {study.n_seeds} replicates, bars: {LEVEL:.0%} intervals (cut at what the"
            " grid of lengths allows; no bar: the same in every replicate). Grey: less than half a doubling;"
            " claims are on the share of replicates beyond it. Last line: training on all positions of a block, read at"
            " full context; the rest of the block average's shift is its reading."
        ),
        claims=tuple(
            f"{STUDY}.{name}" for name in (*FACTORS, "block_reading", "block_training", "control", "control_factors")
        ),
    )
