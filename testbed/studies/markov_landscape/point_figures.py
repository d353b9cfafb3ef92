"""Curvature at the unigram point, and the variants of one tied layer."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.drawing import LEVEL, style
from testbed.studies.markov_landscape.claims import STUDY
from testbed.studies.markov_landscape.config import MIRRORED, POINTS, VARIANTS, VARIED
from testbed.studies.markov_landscape.data import Data
from testbed.studies.markov_landscape.evidence import high
from testbed.studies.markov_landscape.map_figures import interval
from testbed.studies.study import StudyFigure
from testbed.theory import unigram_hessian

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from testbed.studies.markov_landscape.study import MarkovLandscape

NAMES = {"one_tied": "one layer, tied", "one_untied": "one layer, untied", "two_tied": "two layers, tied"}


def curvature_figure(study: "MarkovLandscape", data: Data) -> StudyFigure:
    """Least eigenvalue against p + q: points by automatic differentiation, curve in closed form."""
    import matplotlib.pyplot as plt

    values = np.array(study.grid.values)
    total = values[:, None] + values[None]
    variance = values[:, None] * values[None] / total**2
    figure, axes = plt.subplots(1, len(POINTS), figsize=(8.4, 3.2), sharey=True)
    rows = []
    for k, name in enumerate(POINTS):
        axis = axes[k]
        # back from units of |lambda| pi_0 pi_1 to those of pi_0 pi_1, in which the closed form has p + q alone
        shown = data.curvature[name] * np.abs(1 - total)
        off_line = data.side != 0
        sums = np.linspace(0.05, 1.95, 96)
        curve = [
            np.linalg.eigvalsh(unigram_hessian(s / 2, s / 2, study.exact.width, name != "one_untied"))[0] * 4
            for s in sums
        ]
        axis.axhline(0, color="0.6", lw=0.8)
        axis.axvline(1, color="0.6", ls="--", lw=0.8)
        axis.plot(sums, curve, color="0.3", lw=1, marker="", label="closed form")
        looks = {key: value for key, value in style(k).items() if key != "linestyle"}
        axis.plot(total[off_line], shown[off_line], ls="", ms=5, label="automatic differentiation", **looks)
        axis.set_title(NAMES[name])
        axis.set_xlabel("p + q")
        rows += [
            {"network": name, "p": p, "q": q, "least": float(shown[i, j]), "nats": float(shown[i, j] * variance[i, j])}
            for i, p in enumerate(values)
            for j, q in enumerate(values)
            if off_line[i, j]
        ]
    axes[0].set_ylabel(r"least eigenvalue / ($\pi_0 \pi_1$)")
    axes[0].legend(loc="lower right", fontsize=7)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Bowl or saddle",
        caption=(
            "Least eigenvalue of the Hessian of the exact population loss at the unigram point, over embedding,"
            f" read-out and bias (all else is zero there); no norms, {study.exact.length} positions, every chain of the"
            " grid off the line. Below zero it is a saddle; above, it is a minimum with loss H(pi), as convexity shows"
            " for the directions in which the Hessian is zero. Exact: no interval."
        ),
    )


def variants_figure(study: "MarkovLandscape", data: Data) -> StudyFigure:
    """One tied layer at the spot, by variant: share of runs that have not left, and below it where each run ends."""
    import matplotlib.pyplot as plt

    recipe = study.recipe
    labels = {
        "plain": "as on\nthe map",
        "memory_1": "itself,\n1 before",
        "memory_2": "itself,\n2 before",
        "wide": f"start\n{recipe.wide_std:g}",
        "fast": f"rate\n{recipe.fast_rate:g}",
        "long": f"{recipe.long_factor} times\nthe steps",
        "quiet": f"{recipe.quiet_factor} times\nthe batch",
    }
    figure, axes = plt.subplots(2, 2, figsize=(9.6, 5.2), sharex=True, sharey="row")
    rows = []
    for column, panel in zip(axes.T, VARIED, strict=True):
        for k, variant in enumerate(VARIANTS):
            ends = data.spots[panel, variant]
            share, low, upper = interval(high(ends, study.bounds))
            rows += [
                {"panel": panel, "variant": variant, "units": float(one), "kl_from_pi": float(other)}
                | {"share": share, "low": low, "high": upper}
                for one, other in zip(ends.units, ends.away, strict=True)
            ]
            bars = {"fmt": "D", "ms": 5, "capsize": 3, "clip_on": False}
            label = "p + q > 1" if k == 0 else None
            column[0].errorbar(k, share, [[share - low], [upper - share]], color="black", label=label, **bars)
            spread = 0.6 * (np.arange(len(ends.units)) / max(len(ends.units) - 1, 1) - 0.5)
            column[1].plot(k + spread, np.sort(ends.units), ls="", marker=".", ms=4, color="0.35", clip_on=False)
        if panel == "bare_one_tied":
            rows += _mirrored(study, data, column[0])
        column[1].axhline(study.bounds.stuck, color="0.6", ls="--", lw=0.8)
        column[1].set_xticks(range(len(VARIANTS)), [labels[one] for one in VARIANTS], size=8)
        column[0].set_title("layer norm" if panel == "one_tied" else "no norms")
    axes[0][0].set_ylabel(f"share of runs over {study.bounds.stuck:g}")
    axes[0][0].set_ylim(-0.03, 1.03)
    axes[1][0].set_ylabel("(loss - h) / (H(pi) - h)")
    axes[0][1].legend(loc="center right", fontsize=7)
    p, q = study.grid.spot
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="What frees one tied layer",
        caption=(
            f"One tied layer at p = {p:g}, q = {q:g}, {study.n_spot} runs each. Above: share of runs whose loss after"
            f" {recipe.context_length} tokens is over {study.bounds.stuck:g} of the way from h to H(pi), bars exact"
            f" binomial {LEVEL:.0%} intervals; open squares: {study.n_mirror} runs at the mirror image"
            f" 1 - p, 1 - q. Below: where each run ends, sorted; dashed: {study.bounds.stuck:g}."
            " Itself, 1 or 2 before: attention sees so many tokens alone."
        ),
        claims=tuple(f"{STUDY}.{one}" for one in ("memory", "wide", "long", "fast", "norm_long")),
    )


def _mirrored(study: "MarkovLandscape", data: Data, axis: "Axes") -> list[dict[str, Any]]:
    """The same networks below the line, as open squares; their rows."""
    rows = []
    for variant in MIRRORED:
        ends = data.mirrors[variant]
        share, low, upper = interval(high(ends, study.bounds))
        rows += [
            {"panel": "bare_one_tied below the line", "variant": variant, "units": float(one)}
            | {"kl_from_pi": float(other), "share": share, "low": low, "high": upper}
            for one, other in zip(ends.units, ends.away, strict=True)
        ]
        axis.errorbar(
            VARIANTS.index(variant) + 0.25, share, [[share - low], [upper - share]], fmt="s", ms=5, capsize=3,
            color="0.35", mfc="white", clip_on=False, label="p + q < 1" if variant == MIRRORED[0] else None,
        )  # fmt: skip
    return rows
