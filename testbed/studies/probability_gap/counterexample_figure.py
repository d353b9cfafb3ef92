"""Counterexamples that were found, drawn so that a reader can check them by hand."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.drawing import LEVEL, style
from testbed.studies.probability_gap.chains import UNPROVED, Floats, stationary_block
from testbed.studies.probability_gap.claims import STUDY
from testbed.studies.probability_gap.data import Data
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from testbed.studies.probability_gap.study import ProbabilityGap

TITLES = {
    "every_context": "gap in every context",
    "most_contexts": "gap in half of them",
    "every_entropy": "entropy in every context",
    "margin": "mean margin",
    "ratio": "mean ratio",
    "strict": "strict growth of the gap",
}


def counterexample_figure(study: "ProbabilityGap", data: Data) -> StudyFigure:
    """For each statement the deepest counterexample among the streams, as laws before and after one token is known."""
    import matplotlib.pyplot as plt

    found = data.raw["search"]
    figure, axes = plt.subplots(2, 3, figsize=(7, 4.4), sharey=True)
    rows: list[dict[str, Any]] = []
    for i, (axis, name) in enumerate(zip(axes.ravel(), UNPROVED, strict=True)):
        depth = found["depth"][:, i]
        drawn = found["draws"][np.isfinite(depth), i]
        axis.set_title(TITLES[name])
        if not len(drawn):
            axis.text(0.5, 0.5, "none found", ha="center", va="center", transform=axis.transAxes)
            rows.append({"statement": name, "found_in": 0})
            continue
        best = int(np.nanargmax(depth))
        weights = found["weights"][best, i]
        said = _panel(axis, weights, name)
        middle, low, high = np.median(drawn), drawn.min(), drawn.max()
        rows.append(
            {
                "statement": name,
                "found_in": len(drawn),
                "median_draws": float(middle),
                "least_draws": float(low),
                "most_draws": float(high),
                "depth": float(depth[best]),
                "weights": " / ".join(" ".join(f"{w:.0f}" for w in row) for row in weights),
                **said,
            }
        )
    for axis in axes[:, 0]:
        axis.set_ylabel("probability of x")
    axes[0, 0].set_ylim(0, 1.0)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    most = ", ".join(f"{TITLES[row['statement']]} {row.get('median_draws', float('nan')):.0f}" for row in rows)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Counterexamples found automatically",
        caption=(
            "First-order chains p(x | a) = w_ax / sum_x w_ax with whole weights (in the CSV), one for each statement"
            " that is false: the law of x alone, and after each token a, with the probability of a below, and the"
            " statement's number alone and afterwards on top. Exact; no interval belongs to them. Median draws until"
            f" one was found: {most}; their range over {study.replicates} streams stands in the CSV in place of a"
            f" {LEVEL:.0%} interval."
        ),
        claims=(f"{STUDY}.ratio",),
    )


def _panel(axis: "Axes", weights: Floats, name: str) -> dict[str, Any]:
    """Bars of p(x) and of p(x | a); what the statement's number is before and after."""
    laws = weights / weights.sum(axis=1, keepdims=True)
    alone = stationary_block(laws, 1)
    size = len(alone)
    everything = np.vstack([alone, laws])
    hatches = ("", "////", "....", "xxxx")
    for x in range(size):
        places = np.arange(size + 1) + 0.8 * ((x + 0.5) / size - 0.5)
        axis.bar(
            places,
            everything[:, x],
            width=0.8 / size,
            color=style(x)["color"],
            alpha=0.75,
            hatch=hatches[x % len(hatches)],
            edgecolor="white",
            linewidth=0.4,
            label=f"x = {x}",
        )
    names = ["alone", *(f"a = {a}\n({alone[a]:.2f})" for a in range(size))]
    axis.set_xticks(range(size + 1), names)
    axis.grid(visible=False, axis="x")
    before, after, each = _numbers(alone, laws, name)
    averaged = name in ("margin", "ratio", "strict")
    text = (
        f"{before:.4g} → {after:.4g} on average"
        if averaged
        else f"{before:.3g} → " + ", ".join(f"{value:.3g}" for value in each)
    )
    axis.text(0.98, 0.97, text, ha="right", va="top", fontsize=7, transform=axis.transAxes)
    return {"before": before, "after_mean": after, "after": " ".join(f"{value:.6g}" for value in each)}


def _numbers(alone: Floats, laws: Floats, name: str) -> tuple[float, float, Floats]:
    """The statement's number for the law alone, averaged over contexts, and in each of them."""

    def number(law: Floats) -> float:
        ordered = np.sort(law)
        if name == "margin":
            return float(ordered[-1] - ordered[-2])
        if name == "ratio":
            return float(ordered[-1] / ordered[0])
        if name == "every_entropy":
            return float(-(law * np.log(law)).sum())
        return float(ordered[-1] - ordered[0])

    each = np.array([number(law) for law in laws])
    return number(alone), float(alone @ each), each
