"""The phase diagram: which predictor weighs most at each N and step, and N* along training."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.competition_of_predictors.claims import STUDY
from testbed.studies.competition_of_predictors.data import Data, boundary
from testbed.studies.competition_of_predictors.drawing import LETTERS, TITLES, arm_name, band
from testbed.studies.competition_of_predictors.predictors import NAMES
from testbed.studies.drawing import LEVEL, style
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.competition_of_predictors.study import CompetitionOfPredictors

PALE = 0.25
"""Opacity of a weight of a quarter; a weight of 1 is opaque."""


def phases_figure(study: "CompetitionOfPredictors", data: Data) -> StudyFigure:
    """Left: the leading predictor, letter and colour, over N and steps; right: N* by both readings."""
    import matplotlib.pyplot as plt
    from matplotlib.colors import to_rgb

    figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.3), width_ratios=(3, 2))
    colours = np.array([to_rgb(style(i)["color"]) for i in range(len(NAMES))])
    rows: list[dict[str, Any]] = []
    arms = list(data.arms)
    image = np.ones((len(arms), len(data.steps), 3))
    for y, chains in enumerate(arms):
        mean = data.arms[chains].paths["weights"].mean(axis=0)
        if chains == 1:  # both retrievals are one: their weight is one predictor's
            mean = np.stack([np.zeros(len(mean)), mean[:, 0] + mean[:, 1], *mean[:, 2:].T], axis=1)
        for x, weights in enumerate(mean):
            first = int(np.argmax(weights))
            share = PALE + (1 - PALE) * max(0.0, (weights[first] - 0.25) / 0.75)
            image[y, x] = share * colours[first] + (1 - share)
            light = float(image[y, x] @ [0.3, 0.59, 0.11]) > 0.55
            left.text(x, y, LETTERS[first], ha="center", va="center", fontsize=6, color="black" if light else "white")
            rows.append(
                {"panel": "phases", "N": arm_name(chains), "step": float(data.steps[x]), "leads": NAMES[first]}
                | {name: float(w) for name, w in zip(NAMES, weights, strict=True)}
            )
    left.imshow(image, aspect="auto", origin="lower", interpolation="nearest")
    left.grid(visible=False)
    shown = range(0, len(data.steps), max(1, len(data.steps) // 6))
    left.set_xticks(list(shown), [f"{data.steps[i]:.0f}" for i in shown])
    left.set_yticks(range(len(arms)), [arm_name(n) for n in arms])
    left.set_xlabel("step")
    left.set_title("Predictor of most weight")
    for i, (letters, title) in enumerate(zip(LETTERS, TITLES, strict=True)):
        left.plot([], [], marker="s", linestyle="none", markersize=6, color=colours[i], label=f"{letters}  {title}")
    left.set_ylim(-0.5, len(arms) - 0.5)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower left", ncols=2, fontsize=6.5)
    for place, (weights_of, label) in enumerate((("weights", "of laws"), ("weights_log", "of log-odds"))):
        found = np.exp(band(data, boundary(study, data, weights_of)))
        look = style(place)
        right.plot(data.steps, found[0], markersize=3, label=f"least squares {label}", **look)
        right.fill_between(data.steps, found[1], found[2], color=look["color"], alpha=0.18, linewidth=0)
        rows += [
            {"panel": "boundary", "reading": label, "step": s, "N_star": a, "lower": b, "upper": c}
            for s, a, b, c in zip(data.steps.tolist(), *found.tolist(), strict=True)
        ]
    for shares in (study.reading.early, study.reading.late):
        right.axvspan(shares[0] * data.steps[-1], shares[1] * data.steps[-1], color="0.9", zorder=0)
    ticks = study.task.chains[1:]
    right.set(xscale="log", yscale="log", xlabel="step", ylim=(0.8 * ticks[0], 1.25 * ticks[-1]))
    right.set_yticks(ticks, [str(n) for n in ticks])
    right.minorticks_off()
    right.set_title("N*")
    handles = right.get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower right", ncols=1, fontsize=6.5)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Phases over the number of chains and training",
        caption=(
            "Left: the predictor of most weight in the model, by least squares on the simplex, mean over"
            f" {study.n_seeds} replicates; fuller colours weigh more. Letters carry no intervals: that one"
            " follows another is decided by the claims alone. At N = 1 both retrievals are one, written BR."
            " Right: N*, up to which retrieval by pairs weighs more than inference by pairs; geometric mean over"
            f" replicates, bands: {LEVEL:.0%} intervals of the mean ln N*, each point alone. N* beyond the grid"
            " is written as its end, so that bands there are too narrow; before pairs are learnt it compares two small"
            " weights. Grey: what counts as early and late."
        ),
        claims=tuple(f"{STUDY}.{name}" for name in ("few", "many", "singles_first", "boundary", "same_boundary")),
    )
