"""Where the flow of the network of two parameters ends."""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.drawing import style
from testbed.studies.study import StudyFigure
from testbed.theory import best_gain, ends_at_bigram, rank_one_energy, rank_one_gain
from testbed.theory.rank_one_flow import PASS_ENERGY, TURNING

if TYPE_CHECKING:
    from testbed.studies.markov_landscape.study import MarkovLandscape

REACH = 1.6
POINTS = 201


def flow_figure(study: "MarkovLandscape") -> StudyFigure:
    """Two phase portraits, p + q below and above 1: ends as shading, the flow, the chain's own law as a line."""
    import matplotlib.pyplot as plt

    p, q = study.grid.spot
    chains = ((round(1 - p, 6), round(1 - q, 6)), (p, q))  # the other one has the opposite correlation
    e, w = np.meshgrid(np.linspace(1e-3, REACH, POINTS), np.linspace(-REACH, REACH, POINTS))
    figure, axes = plt.subplots(1, 2, figsize=(8.4, 4.0), sharey=True)
    rows = []
    for axis, (one, other) in zip(axes, chains, strict=True):
        ends = ends_at_bigram(one, other, e, w)
        goal = best_gain(one, other)
        axis.contourf(e, w, ends, levels=[-0.5, 0.5, 1.5], colors=["0.82", "white"])
        sign = np.sign(goal - rank_one_gain(e, w))
        along_e, along_w = sign * 2 * e * (1 + 2 * w * np.abs(w)), sign * 4 * e**2 * np.abs(w)
        looks = style(0)
        axis.streamplot(e, w, along_e, along_w, density=0.7, linewidth=0.6, arrowsize=0.8, color=looks["color"])
        axis.contour(e, w, rank_one_gain(e, w), levels=[goal], colors="black", linewidths=1.6, linestyles="solid")
        divides = (w < TURNING) if goal > 0 else (w > TURNING) & (w < 0)
        energy = np.where(divides, rank_one_energy(e, w), np.nan)
        axis.contour(e, w, energy, levels=[PASS_ENERGY], colors="black", linewidths=1.0, linestyles="dashed")
        axis.axhline(TURNING, color="0.5", lw=0.8, ls=":")
        axis.set_xlim(0, REACH)
        axis.set_ylim(-REACH, REACH)
        axis.set_title(f"p = {one:g}, q = {other:g}: p + q {'<' if one + other < 1 else '>'} 1")
        axis.set_xlabel("length e of the embedding")
        rows += [
            {"p": one, "q": other, "e": float(e[i, j]), "w": float(w[i, j]), "chain": bool(ends[i, j])}
            for i in range(0, POINTS, 10)
            for j in range(0, POINTS, 10)
        ]
    axes[0].set_ylabel("signed size w of the feed-forward part")
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="The start decides",
        caption=(
            "Gradient flow of the network of two parameters, tied, logit e^2 (1 + 2 w |w|) x + b, bias at its best."
            " Grey: starts from which it ends at e = 0, where it says pi. White: starts from which it ends on the thick"
            " line, the chain's own law. Dashed: the energy that divides the two; dotted: w = -1 / sqrt(2),"
            " where the logit's sign turns. Where p + q > 1 every small start is grey. Exact: no interval."
        ),
        shows=(),
    )
