"""Excess along training, which comes to rest at the predicted level."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.drawing import LEVEL, style
from testbed.studies.loss_properness.claims import STUDY, title
from testbed.studies.loss_properness.data import Data
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.loss_properness.study import LossProperness

COLUMNS = 4
LEAST = 1e-9  # nats: what lies below is 0


def path_figure(study: "LossProperness", data: Data) -> StudyFigure:
    """A panel a loss: mean excess on the Markov chain against steps, with the level of the fixed point."""
    import matplotlib.pyplot as plt

    n = len(study.arms)
    lines = -(-n // COLUMNS)
    figure, axes = plt.subplots(lines, COLUMNS, figsize=(7.2, 1.8 * lines + 0.5), sharex=True, sharey=True)
    rows: list[dict[str, Any]] = []
    flat = axes.ravel()
    for axis, arm in zip(flat, study.arms, strict=False):
        steps, excess = data.paths[arm.name, "markov"]
        found = np.array([data.interval(np.log(np.maximum(column, LEAST))) for column in excess.T])
        middle, low, high = np.exp(found).T
        look = style(0)
        axis.fill_between(steps, low, high, color=look["color"], alpha=0.3, linewidth=0)
        axis.plot(steps, middle, color=look["color"], marker="o", markersize=2.5, label="trained")
        level = data.laws[arm.name, "markov"].predicted_excess
        predicted = float(np.exp(np.log(np.maximum(level, LEAST)).mean()))
        if np.isfinite(predicted) and predicted > 2 * LEAST:
            axis.axhline(predicted, color="black", linestyle="--", linewidth=0.9, marker="", label="fixed point")
        axis.set_title(title(arm), fontsize=8)
        where = "0" if predicted <= 2 * LEAST else "infinite" if not np.isfinite(predicted) else f"{predicted:.3g}"
        axis.text(0.04, 0.9, f"fixed point: {where}", transform=axis.transAxes, fontsize=6.5)
        axis.set_xscale("log")
        axis.set_yscale("log")
        rows += [
            {"loss": title(arm), "step": s, "geometric_mean": m, "lower": a, "upper": b, "predicted": predicted}
            for s, m, a, b in zip(steps.tolist(), middle.tolist(), low.tolist(), high.tolist(), strict=True)
        ]
    for axis in flat[n:]:
        axis.set_visible(False)
    for axis in axes[:, 0]:
        axis.set_ylabel("excess (nats)")
    for axis in flat[max(0, n - COLUMNS) : n]:
        axis.set_xlabel("step")
        axis.tick_params(labelbottom=True)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Excess along training and the level of the fixed point",
        caption=(
            f"Markov chain, geometric mean over {study.n_seeds} replicates, bands: {LEVEL:.0%} intervals of the mean"
            " logarithm, each point alone. Dashed: KL from the Bayes law to the fixed point of the loss, its geometric"
            " mean too (EMO, own read-out: with the vectors of the trained model); of proper losses it is 0, and what"
            " is left is training that goes on falling and the noise of sampled batches; of linear ones it is infinite."
        ),
        claims=(f"{STUDY}.floor", f"{STUDY}.emo_better"),
    )
