"""Figures of the tables: the laws' factors, and how the regenerated numbers compare with the printed ones."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.attention_theory.comparison import Comparison, comparisons
from testbed.studies.attention_theory.data import Data
from testbed.studies.attention_theory.drawing import closed_rows, law_style, length_axis
from testbed.studies.attention_theory.printed import ROWS
from testbed.studies.drawing import style
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from testbed.studies.attention_theory.study import AttentionTheory


def factors_figure(study: "AttentionTheory", data: Data) -> StudyFigure:
    """What each law multiplies logits by, against n: InfoScale by head dimension, and its rivals."""
    import matplotlib.pyplot as plt

    closed, settings = data.closed, study.closed_forms
    lengths = settings.factor_lengths
    figure, axes = plt.subplots(1, 2, figsize=(7, 2.9), sharey=True)
    for place, d in enumerate(settings.factor_dims):
        label = "d $\\to\\infty$" if d > 10**6 else f"d = {d}"
        look = {**style(place), "linewidth": 1.0, "markersize": 3.0}
        axes[0].plot(lengths, closed["infoscale_factor"].at(d=d), label=label, **look)
    axes[0].set_title("InfoScale")
    dims = settings.factor_dims
    d, small = settings.head_dim if settings.head_dim in dims else dims[-1], dims[0]
    rivals = (
        ("infoscale", f"InfoScale, d = {d}", closed["infoscale_factor"].at(d=d)),
        ("sphere_exact", f"sphere-exact, d = {d}", closed["sphere_factor"].at(d=d)),
        ("headwise", f"sphere-exact, d = {small}", closed["sphere_factor"].at(d=small)),
        ("log_n", "log n", closed["log_factor"].values),
        ("yarn", "YaRN temperature", closed["yarn_factor"].values),
    )
    for law, label, values in rivals:
        axes[1].plot(lengths, values, label=label, **law_style(law))
    axes[1].set_title("and its rivals")
    for axis in axes:
        axis.set_xlabel("n (keys)")
        length_axis(axis, lengths)
        axis.axvline(settings.train_length, color="0.5", linewidth=0.7, linestyle="-", marker="")
        axis.legend(loc="upper left")
    axes[0].set_ylabel("factor on the logits")
    names = ("infoscale_factor", "sphere_factor", "log_factor", "yarn_factor")
    return StudyFigure(
        figure=figure,
        rows=[row for name in names for row in closed_rows(name, closed[name])],
        title="What each law multiplies logits by",
        caption=(
            f"Factors for training length m = {settings.train_length} (vertical line), where all are 1. InfoScale tends"
            " to sqrt(ln n / ln m) as d grows: a square-root-log law, far weaker than log n. Exact values, no interval."
        ),
    )


def printed_figure(study: "AttentionTheory", data: Data) -> StudyFigure | None:
    """Every printed entry against what was found, in units of the largest difference allowed."""
    import matplotlib.pyplot as plt

    compared = comparisons(study, data)
    closed, simulated = [c for c in compared if c.is_closed], [c for c in compared if not c.is_closed]
    panels = [(name, some) for name, some in (("closed forms", closed), ("simulated", simulated)) if some]
    if not panels:
        return None
    figure, axes = plt.subplots(1, len(panels), figsize=(7, 2.7), sharey=True, squeeze=False)
    for axis, (name, some) in zip(axes[0], panels, strict=True):
        _strips(axis, some)
        axis.set_title(name)
        axis.set_xlabel("table")
    axes[0][0].set_ylabel("difference / allowed")
    return StudyFigure(
        figure=figure,
        rows=[one.row() for one in compared],
        title="Regenerated numbers against the printed ones",
        caption=(
            "Each entry of the re-derivation's tables: found less printed, over the largest difference allowed; crosses"
            " lie outside. Closed forms: half a unit of the last digit; the crosses are slips of the print. Simulated:"
            f" 4 standard errors, ours and theirs, and the rounding; theirs are those of {ROWS:,} rows, which is known"
            " of 2.4 f alone."
        ),
    )


def _strips(axis: "Axes", compared: Sequence[Comparison]) -> None:
    tables = list(dict.fromkeys(one.table for one in compared))
    axis.axhspan(-1, 1, color="0.92", zorder=0)
    for place, table in enumerate(tables):
        mine = [one for one in compared if one.table == table]
        x = place + np.linspace(-0.32, 0.32, len(mine)) if len(mine) > 1 else np.array([float(place)])
        y = np.array([(one.found - one.printed) / one.allowed for one in mine])
        agrees = np.array([one.agrees for one in mine])
        look = {**style(place), "linestyle": "none", "markersize": 2.8}
        axis.plot(x[agrees], y[agrees], **look)
        axis.plot(x[~agrees], y[~agrees], **{**look, "marker": "x", "markersize": 5, "markeredgewidth": 1.4})
    axis.set_xticks(range(len(tables)), tables)
    axis.grid(visible=False, axis="x")
