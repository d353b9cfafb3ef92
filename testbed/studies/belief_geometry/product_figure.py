"""A product's belief: R^2 of the joint belief over rank against both exact geometries, and of the interaction."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.belief_geometry.data import Data
from testbed.studies.belief_geometry.evidence import factored_rank
from testbed.studies.belief_geometry.layer_figures import ids, points, row_of
from testbed.studies.drawing import LEVEL
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.belief_geometry.study import BeliefGeometry


def product_figure(study: "BeliefGeometry", data: Data) -> StudyFigure:
    """Both panels."""
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(7, 2.9))
    name, arrays = study.factored, data.arms[study.factored]
    rows: list[dict[str, Any]] = []
    ranks = np.arange(1, arrays["rank"].shape[1] + 1)
    for key, label, dashes in (
        ("rank_joint", "exact joint belief", "-"),
        ("rank_factored", "exact beliefs side by side", (0, (5, 1.5))),
    ):
        found = data.intervals(arrays[key])
        left.plot(ranks, found[:, 0], color="0.4", linestyle=dashes, linewidth=1.0, marker="", label=label)
        rows += [row_of(name, label, f"rank {r}", one) for r, one in zip(ranks, found, strict=True)]
    for place, (suffix, label) in enumerate((("", "trained"), ("_untrained", "untrained"))):
        found = data.intervals(arrays["rank" + suffix])
        points(left, ranks, found, f"last stream, {label}", place)
        rows += [row_of(name, f"last stream, {label}", f"rank {r}", one) for r, one in zip(ranks, found, strict=True)]
        crossed = data.intervals(arrays["crossed" + suffix])
        n = len(crossed)
        points(right, np.arange(n) + 0.08 * (2 * place - 1), crossed, label, place)
        streams = ["embedding", *(f"block {k}" for k in range(1, n - 1)), "all"]
        rows += [row_of(name, f"interaction, {label}", s, one) for s, one in zip(streams, crossed, strict=True)]
    for key, label, dashes in (
        ("crossed_bound", "any function of the law p", (0, (5, 1.5))),
        ("crossed_window", "tokens of the window", "-"),
    ):
        level = data.interval(arrays[key])
        right.axhline(level[0], color="0.5", linestyle=dashes, linewidth=1.0, marker="", label=label)
        rows.append(row_of(name, f"interaction, {label}", "", level))
    left.axvline(factored_rank(study), color="0.75", linewidth=0.8, linestyle=":", marker="")
    left.set_xlabel("rank of the map")
    left.set_ylabel("held-out R² of the joint belief")
    left.set_title("joint belief")
    left.set_xticks(ranks)
    left.legend(fontsize=6, loc="upper left")
    right.set_xticks(range(n), ["emb", *(f"{k}" for k in range(1, n - 1)), "all"])
    right.set_xlabel("residual stream")
    right.set_ylabel("held-out R² of the interaction")
    right.set_title("interaction of the two beliefs")
    right.set_ylim(0, 1)
    right.legend(fontsize=6, loc="upper left")
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Factored or joint: the belief of a product of two sources",
        caption=(
            f"{name}. Left: R² of the joint belief, the outer product of two, by affine maps of rank 1, 2, ..; two"
            f" exact beliefs side by side are used up at rank {factored_rank(study)} (dotted), an exact joint belief"
            " goes on to 1. Right: R² of the interaction (b¹ − m¹) ⊗ (b² − m²), which a factored geometry does not"
            " give (0) and a"
            f" joint one does (1), beside what gives it without a network. Bars: {LEVEL:.0%} intervals over"
            f" {study.n_seeds} seeds, each point alone."
        ),
        claims=ids("factored", "joint_learnt"),
    )
