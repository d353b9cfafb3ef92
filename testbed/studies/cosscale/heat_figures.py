"""Figure 5 of the paper: cosines of all queries with all keys before and after RoPE, one column an alpha."""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.cosscale.arms import Family
from testbed.studies.cosscale.config import Role
from testbed.studies.cosscale.drawing import TITLES, interval_words, row
from testbed.studies.cosscale.results import Measured
from testbed.studies.cosscale.stated import PREFIX
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.cosscale.study import CosScaleStudy


def heat_figure(study: "CosScaleStudy", data: Measured, family: Family, task: Role) -> StudyFigure:
    """Cosines of one sequence of the first seed, of the first head of the last block, each column from 0 to 1."""
    import matplotlib.pyplot as plt

    n = study.reading.heat_length
    alphas = [alpha for alpha in family.alphas if data.records[task, family.scaled(alpha)][0].status == "done"]
    figure, axes = plt.subplots(
        2,
        len(alphas),
        figsize=(7, 0.7 + 13.3 / (len(alphas) + 1)),
        sharex=True,
        sharey=True,
        squeeze=False,
    )
    rows = []
    for column, alpha in enumerate(alphas):
        heat = data.records[task, family.scaled(alpha)][0].arrays["heat"][:, -1, 0].astype(np.float64)  # (2, n, n)
        low, high = float(heat.min()), float(heat.max())
        case = task, family.scaled(alpha)
        for line, matrix in enumerate(heat):
            axis = axes[line, column]
            image = axis.imshow((matrix - low) / (high - low), vmin=0, vmax=1, interpolation="nearest", rasterized=True)
            axis.grid(False)
            axis.set_xticks([0, n // 2])
            axis.set_yticks([0, n // 2])
            for distance in range(n):
                diagonal = np.diagonal(matrix, -distance)
                rows.append(
                    {
                        "task": task,
                        "alpha": alpha,
                        "rope": ("before", "after")[line],
                        "distance": distance,
                        "mean_cosine": diagonal.mean(),
                        "std": diagonal.std(),
                        "least_of_column": low,
                        "most_of_column": high,
                    }
                )
        learnt = bool(data.learnt(case)[0])
        axes[0, column].set_title(f"$\\alpha$ = {alpha:g}" + ("" if learnt else "\nnot learnt"), fontsize=8)
        axes[1, column].set_xlabel("key")
        rows.append(row(data, case, "within", alpha=alpha, rope="after", quantity="within"))
    for line, label in enumerate(("before RoPE\nquery", "after RoPE\nquery")):
        axes[line, 0].set_ylabel(label)
    figure.colorbar(image, ax=axes, fraction=0.02, pad=0.01, label="cosine, scaled")
    masses = ", ".join(f"{data.average(task, family.scaled(alpha), 'within'):.2f}" for alpha in alphas)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title=f"Figure 5: cosines before and after RoPE, {TITLES[task]}, {family.title}",
        caption=(
            f"cos(q, k) of every query with every key of one sequence of {n} tokens (first seed, first head of the last"
            " block), each pair of panels scaled to 0 .. 1; *not learnt* is said of this one member. A window would"
            f" show as a bright band along the diagonal after RoPE. Mass on the {study.reach} nearest keys, mean over"
            f" seeds, by alpha: {masses}. In the CSV the mean cosine by distance (one sequence, no interval) and the"
            f" masses with their intervals. {interval_words(data)}"
        ),
        claims=(f"{PREFIX}{'c4_window' if family.block == 'standard' else 'c4_gau'}",),
    )
