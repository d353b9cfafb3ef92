"""Fixed models at other visible lengths than in training."""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.drawing import LEVEL
from testbed.studies.protocol_bias.claims import STUDY
from testbed.studies.protocol_bias.config import ARMS, ROLES
from testbed.studies.protocol_bias.curves import Row, curve, exact, length_axis
from testbed.studies.protocol_bias.data import Data
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.protocol_bias.study import ProtocolBias

LABELS = {"unmasked": "trained at full length alone", "masked": "visible lengths masked in training"}


def visible_figure(study: "ProtocolBias", data: Data) -> StudyFigure:
    """Excess and whole loss against the visible length, a column for each source."""
    import matplotlib.pyplot as plt

    visible, networks = study.visible, study.networks
    lengths = np.array(visible.lengths, dtype=np.float64)
    figure, axes = plt.subplots(2, 2, figsize=(7.2, 5.4), sharex=True)
    rows: list[Row] = []
    for column, role in enumerate(ROLES):
        source = networks.source(role)
        h = np.asarray(source.conditional_entropies(visible.lengths[-1]).value) - float(source.entropy_rate().value)
        h = h[list(visible.lengths)]
        for row, (part, base) in enumerate((("excess", 0.0 * h), ("loss above the rate", h))):
            axis = axes[row][column]
            axis.axvline(visible.train_length, color="0.6", linewidth=0.8)
            found = [
                one
                for place, arm in enumerate(ARMS)
                for one in curve(
                    axis, data, lengths, base + data.visible[role, arm], place, LABELS[arm], marked=bool(row)
                )
            ]
            if row:
                found += exact(axis, lengths, h, "$h_l - h$ (exact)")
                length_axis(axis, lengths, "visible length (tokens)")
            rows += [{"source": source.type_name, "part": part} | one for one in found]
        axes[0][column].set_yscale("log")
        axes[0][column].set_title(f"{source.type_name}{', no memory' if role == 'control' else ''}")
    axes[0][0].set_ylabel("mean $KL(P_l \\Vert Q)$ (nats)")
    axes[1][0].set_ylabel("loss above the rate (nats)")
    figure.legend(*axes[1][0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="A fixed model shown other lengths than in training",
        caption=(
            f"Transformers trained on windows of {visible.train_length} tokens (grey line), shown windows of other"
            " lengths: upper row the exact excess over the Bayes law of the visible tokens, lower row the whole loss,"
            " with rings at its least mean. Masked: the target at a position drawn for each window, so that every"
            " shorter window was seen in training, by as many targets. Mean over"
            f" {len(study.seeds_of_visible)} replicates, bands: {LEVEL:.0%} intervals."
        ),
        claims=tuple(
            f"{STUDY}.visible_{name}"
            for name in ("masked_rises", "unmasked_rises", "only_unmasked", "shift", "beyond", "control")
        ),
        shows=("2502.01481 F12",),
    )
