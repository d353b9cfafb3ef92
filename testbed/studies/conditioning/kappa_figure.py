"""Whether kappa is more than chance: before and after the first task, and of Gaussian matrices."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.conditioning.data import Data
from testbed.studies.conditioning.evidence import inherited, spread
from testbed.studies.conditioning.notes import said
from testbed.studies.drawing import LEVEL, style
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.conditioning.study import Conditioning

TICKS = (1, 2, 3, 5, 10, 20, 30, 50, 100, 200, 500, 1000)
"""Where ticks may stand."""
QUANTILES = np.linspace(0.01, 0.99, 50)


def kappa_figure(study: "Conditioning", data: Data) -> StudyFigure:
    """Left: quantiles of kappa. Right: every matrix before and after."""
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(7.6, 3.4))
    rows: list[dict[str, Any]] = []
    for look, (name, values) in enumerate(
        (("Gaussian", data.gaussian), ("fresh weights", data.fresh), ("after the first task", data.kappa))
    ):
        found = np.quantile(values, QUANTILES)
        left.plot(found, QUANTILES, markersize=3, linewidth=1, markevery=(2 * look, 7), label=name, **style(look))
        rows += [{"of": name, "quantile": float(q), "kappa": float(k)} for q, k in zip(QUANTILES, found, strict=True)]
    left.set_xscale("log")
    left.set_xlabel("kappa")
    left.set_ylabel("share of matrices below")
    left.legend(fontsize=7)
    right.plot(data.fresh.ravel(), data.kappa.ravel(), ".", color="0.3", markersize=2, alpha=0.5)
    right.set_xscale("log")
    right.set_yscale("log")
    for axis, values in ((left.xaxis, data.kappa), (right.xaxis, data.fresh), (right.yaxis, data.kappa)):
        within = [one for one in TICKS if values.min() <= one <= values.max()]
        axis.set_ticks(within, [f"{one:g}" for one in within])
        axis.set_ticks([], minor=True)
    right.set_xlabel("kappa of the fresh matrix")
    right.set_ylabel("after the first task")
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Condition numbers before and after the first task",
        caption=(
            f"The {data.kappa.shape[1]} matrices of each of {len(data.known)} members, and"
            f" {len(data.gaussian)} of normal entries of the same shape. Spread of ln kappa within a member, after the"
            f" first task, over that of Gaussian matrices: {said(spread(data), 2)}; rank correlation within a member of"
            f" kappa before and after: {said(inherited(data), 2)} (means and {LEVEL:.0%} intervals)."
        ),
    )
