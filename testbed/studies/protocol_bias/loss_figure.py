"""The loss against the context length under each factor."""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.drawing import LEVEL
from testbed.studies.protocol_bias.claims import STUDY
from testbed.studies.protocol_bias.config import ROLES
from testbed.studies.protocol_bias.curves import Row, curve, exact, length_axis, window
from testbed.studies.protocol_bias.data import FACTORS, Data, Point, Reading
from testbed.studies.protocol_bias.judgement import NAMES
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.protocol_bias.study import ProtocolBias

SHOWN: tuple[Reading, ...] = ("sound", *FACTORS)


def loss_figure(study: "ProtocolBias", data: Data) -> StudyFigure:
    """One panel for each source and size."""
    import matplotlib.pyplot as plt

    networks = study.networks
    lengths = np.array(networks.lengths, dtype=np.float64)
    panels = [(role, size) for role in ROLES for size in networks.sizes_of(role)]
    panels = panels if len(panels) <= 4 else [panels[0], panels[len(networks.sizes) - 1], panels[-1]]
    figure, axes = plt.subplots(1, len(panels), figsize=(2.5 * len(panels), 3.3), squeeze=False)
    rows: list[Row] = []
    for axis, (role, size) in zip(axes[0], panels, strict=True):
        source = networks.source(role)
        h = np.asarray(source.conditional_entropies(networks.lengths[-1]).value) - float(source.entropy_rate().value)
        found = [
            one
            for place, reading in enumerate(SHOWN)
            for one in curve(axis, data, lengths, data.losses[Point(role, size, reading)], place, NAMES[reading])
        ]
        found += exact(axis, lengths, h[list(networks.lengths)], "$h_l - h$ (exact)")
        rows += [{"source": source.type_name, "D": size} | one for one in found]
        axis.set_title(f"{source.type_name}, D = {size:,}")
        length_axis(axis, lengths)
        window(axis, found)
    axes[0][0].set_ylabel("loss above the entropy rate (nats)")
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Loss against context length under each factor",
        caption=(
            "Exact loss above the entropy rate: what the missing context costs (dashed, exact) plus the mean exact KL"
            " of trained transformers; block averages are means over all positions of a block. Rings: the least mean of"
            f" each. Mean over {study.n_seeds} replicates, bands: {LEVEL:.0%} intervals, cut where wide."
        ),
        claims=tuple(f"{STUDY}.{name}" for name in (*FACTORS, "growth", "hidden_growth", "control", "control_factors")),
    )
