"""Error of every estimator against sample size, dimension and unit, one changed at a time."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.drawing import LEVEL
from testbed.studies.feature_estimators.claims import STUDY
from testbed.studies.feature_estimators.data import Data, errors_on_scale
from testbed.studies.feature_estimators.estimators import NAMES
from testbed.studies.feature_estimators.labels import SHORT
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.feature_estimators.study import FeatureEstimators

AXES = {"N": "rows N", "d": "dimensions d", "a": "unit: x → a x"}


def sweep_figure(study: "FeatureEstimators", data: Data) -> StudyFigure:
    """Largest error over l on the scale of the base point, for each N, d and a."""
    import matplotlib.pyplot as plt
    from matplotlib.colors import LogNorm

    sweep, points = study.sweep, study.sweep.points
    entropy = np.log(2.0) * np.array(sweep.n_bits, dtype=np.float64)
    base = points.index(("a", *sweep.base, 1.0))
    places = {what: [j for j, point in enumerate(points) if point[0] == what] for what in AXES}
    widths = [len(one) for one in places.values()]
    figure, axes = plt.subplots(1, 3, figsize=(7, 4.2), sharey=True, width_ratios=widths)
    rows: list[dict[str, Any]] = []
    for axis, (what, mine) in zip(axes, places.items(), strict=True):
        table = np.empty((len(NAMES), len(mine)))
        for i, name in enumerate(NAMES):
            for column, j in enumerate(mine):
                values = data.sweep[:, i]
                for refitted in (False, True):
                    errors = errors_on_scale(values[:, j], values[:, j if refitted else base], entropy)
                    middle, low, high = data.interval(errors)
                    if not refitted:
                        table[i, column] = middle
                    rows.append(
                        {"estimator": name, "changed": what, "N": points[j][1], "d": points[j][2], "a": points[j][3]}
                        | {"refitted": refitted, "error": middle, "lower": low, "upper": high}
                    )
        axis.imshow(np.clip(table, 0.005, 5.0), cmap="cividis", norm=LogNorm(0.005, 5.0), aspect="auto")
        for i, column in np.ndindex(*table.shape):
            value = table[i, column]
            axis.text(
                column,
                i,
                f"{value:.2f}" if value < 9.95 else f"{value:.0f}",
                ha="center",
                va="center",
                fontsize=6,
                weight="bold" if value <= study.bounds.error else "normal",
                color="white" if value < 0.16 else "black",
            )
        at = {"N": 1, "d": 2, "a": 3}[what]
        axis.set_xticks(range(len(mine)), [f"{points[j][at]:g}" for j in mine], fontsize=6.5)
        axis.set_xlabel(AXES[what])
        axis.grid(False)
    axes[0].set_yticks(range(len(NAMES)), [SHORT[name] for name in NAMES], fontsize=7)
    n, d = sweep.base
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Error of estimators against sample size, dimension and unit",
        caption=(
            f"S = l ln 2, l = {sweep.n_bits[0]} to {sweep.n_bits[-1]}, bits through a random isometry with noise."
            " Largest error of S over l as a share of its range, after an affine map of each estimator's own that is"
            f" fitted at N = {n}, d = {d}, a = 1; mean over {study.replicates} draws; bold: at most"
            f" {study.bounds.error:.0%}. The CSV has the {LEVEL:.0%} intervals, and errors on a scale fitted anew."
        ),
        claims=tuple(f"{STUDY}.c4_{name}" for name in NAMES),
        shows=("2502.01481 F14",),
    )
