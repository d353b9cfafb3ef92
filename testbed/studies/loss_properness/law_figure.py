"""Every probability of every context: what training made of it against what the loss's fixed point says."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.loss_properness.claims import STUDY, title
from testbed.studies.loss_properness.config import NOISY
from testbed.studies.loss_properness.data import Data, Laws
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.loss_properness.study import LossProperness

MARKERS = "osD^vP*X"
COLUMNS = 4
MOST_RANKS = 4
"""Ranks that are told apart by colour and marker; those beyond share the last."""


def law_figure(study: "LossProperness", data: Data) -> StudyFigure:
    """A panel a loss: trained probability against that of the fixed point, with the Bayes probabilities as lines."""
    import matplotlib.pyplot as plt

    n = len(study.arms)
    lines = -(-n // COLUMNS)
    figure, axes = plt.subplots(lines, COLUMNS, figsize=(7.2, 2.0 * lines + 0.5), sharex=True, sharey=True)
    flat = axes.ravel()
    colours = plt.get_cmap("viridis")(np.linspace(0.0, 0.85, MOST_RANKS))
    rows: list[dict[str, Any]] = []
    for axis, arm in zip(flat, study.arms, strict=False):
        axis.plot([0, 1], [0, 1], color="0.6", linewidth=0.8, marker="", linestyle="-")
        for kind in NOISY:
            for one in _points(data.laws[arm.name, kind]):
                rank = min(one["rank"], MOST_RANKS) - 1
                look = {"color": colours[rank], "marker": MARKERS[rank], "linestyle": "", "markersize": 2.5}
                axis.plot(one["predicted"], one["trained"], alpha=0.35, markeredgewidth=0, **look)
                rows.append({"loss": title(arm), "source": kind} | one)
        bayes = sorted({round(one["bayes"], 6) for one in rows if one["loss"] == title(arm)})
        axis.set_title(title(arm) + (" (proper)" if arm.objective.proper else ""), fontsize=8)
        for p in bayes[-MOST_RANKS:]:
            axis.axhline(p, color="0.8", linewidth=0.6, linestyle=":", marker="", zorder=0)
    for axis in flat[n:]:
        axis.set_visible(False)
    for axis in axes[:, 0]:
        axis.set_ylabel("trained")
    for axis in flat[max(0, n - COLUMNS) : n]:
        axis.set_xlabel("predicted")
        axis.tick_params(labelbottom=True)
    handles = [
        plt.Line2D([], [], color=colours[k], marker=MARKERS[k], linestyle="", markersize=4) for k in range(MOST_RANKS)
    ]
    names = ["likeliest token", "second", "third", "fourth and beyond"]
    figure.legend(handles, names, loc="outside lower center", ncols=4, fontsize=7)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Trained laws against the fixed points of their losses",
        caption=(
            "Each point is the probability of one token in one context of one replicate,"
            f" {study.n_seeds} replicates of the {' and '.join(NOISY)} sources: trained, against the fixed point of the"
            " loss, solved for the exact law of the context (EMO, own read-out: with the vectors that the member has in"
            " the end). On the diagonal training ended where it was predicted."
            " Dotted: the Bayes probabilities, the same in every context but for their order; on them training ended at"
            " the truth. Where both hold the loss is proper. Colour and marker: rank of the token in the Bayes law."
            " Points are single measurements; intervals of their distances stand in the figure of floors."
        ),
        claims=tuple(one.id for one in study.claims() if one.id.startswith((f"{STUDY}.at_", f"{STUDY}.moved_"))),
    )


def _points(laws: Laws) -> list[dict[str, Any]]:
    """A point for each replicate, token and different law; contexts of one law are the same up to training."""
    found = []
    for r in range(len(laws.bayes)):
        _, first = np.unique(laws.bayes[r].round(6), axis=0, return_index=True)
        for c in first:
            ranks = np.argsort(np.argsort(-laws.bayes[r, c])) + 1
            for v, rank in enumerate(ranks):
                values = {name: float(getattr(laws, name)[r, c, v]) for name in ("bayes", "predicted", "trained")}
                found.append({"replicate": r, "context": int(c), "token": v, "rank": int(rank)} | values)
    return found
