"""How far trained models end from the truth, and how far their losses say: total variation and excess."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.drawing import LEVEL, style
from testbed.studies.loss_properness.claims import title
from testbed.studies.loss_properness.config import KINDS, Kind
from testbed.studies.loss_properness.data import Data
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from testbed.studies.loss_properness.study import LossProperness

NAMES: dict[Kind, str] = {"iid": "independent tokens", "markov": "Markov chain", "deterministic": "cycle"}
LEAST = 1e-6  # nats; what lies below is drawn there
BEYOND = 100.0  # nats; where an infinite prediction is drawn


def floor_figure(study: "LossProperness", data: Data) -> StudyFigure:
    """A panel a source: trained excess with its interval, and the prediction; total variation beside."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, len(KINDS), figsize=(7.2, 5.6), sharey=True)
    rows: list[dict[str, Any]] = []
    for column, kind in enumerate(KINDS):
        rows += _panel(study, data, axes[0, column], kind, "excess")
        rows += _panel(study, data, axes[1, column], kind, "total variation")
        axes[0, column].set_title(NAMES[kind], fontsize=8)
        axes[0, column].set_xlabel("excess (nats)")
        axes[1, column].set_xlabel("total variation to the Bayes law")
    axes[0, 0].invert_yaxis()  # shared by all panels
    for axis in axes[:, 0]:
        axis.set_yticks(range(len(study.arms)), [title(arm) for arm in study.arms], fontsize=7)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=7)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Excess and total variation after training, with their predictions",
        caption=(
            "Above: mean KL from the Bayes law to the trained one; below: their total variation. Filled: trained, mean"
            f" over {study.n_seeds} replicates, bars: {LEVEL:.0%} intervals of the mean, each alone. Rings: of the"
            f" fixed point of the loss, without training but for EMO, own read-out, which takes the vectors of the"
            f" trained model; at {BEYOND:g} nats where it gives no probability to a token"
            f" that comes and its KL is infinite, and at {LEAST:g} where it is the Bayes law. On the cycle all losses"
            " but label smoothing have their fixed point at the truth; what is left of their excess is training that"
            " goes on falling."
        ),
        claims=tuple(one.id for one in study.claims()),
    )


def _panel(study: "LossProperness", data: Data, axis: "Axes", kind: Kind, what: str) -> list[dict[str, Any]]:
    rows, look = [], style(0)
    for place, arm in enumerate(study.arms):
        laws = data.laws[arm.name, kind]
        if what == "excess":
            values, predicted = laws.excess, float(laws.predicted_excess.mean())
        else:
            values, predicted = laws.to_bayes, float(laws.distance(laws.predicted, laws.bayes).mean())
        middle, low, high = data.interval(values)
        shown = np.array([middle, low, high, predicted])
        if what == "excess":
            shown = np.clip(shown, LEAST, BEYOND)
        first = place == 0
        axis.errorbar(
            shown[0],
            place,
            xerr=[[max(shown[0] - shown[1], 0.0)], [max(shown[2] - shown[0], 0.0)]],
            color=look["color"],
            marker="o",
            markersize=3.5,
            capsize=2,
            linestyle="",
            label="trained" if first else None,
        )
        axis.plot(
            shown[3],
            place,
            color="black",
            marker="o",
            markersize=8,
            markerfacecolor="none",
            linestyle="",
            label="predicted from the loss" if first else None,
        )
        rows.append(
            {"source": kind, "loss": title(arm), "number": what, "mean": middle, "lower": low, "upper": high}
            | {"predicted": predicted}
        )
    if what == "excess":
        axis.set_xscale("log")
        axis.set_xlim(LEAST / 2, BEYOND * 2)
    else:
        axis.set_xlim(-0.04, 1.0)
    return rows
