"""Adapters: what they carry to the other network's decoder against what they keep of their own."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.compression_at_inference.adapting import FAMILIES, SHORT, TITLES
from testbed.studies.compression_at_inference.data import Data
from testbed.studies.compression_at_inference.other_claims import ADAPTED
from testbed.studies.compression_at_inference.statements import STUDY
from testbed.studies.drawing import LEVEL, style
from testbed.studies.study import StudyFigure

EVERY = 4
"""One interval is drawn in so many, so that they can be told apart."""
LEFT = 0.75
"""Where the axis of what is carried begins."""
SHORTER = {"lambda": "lambda-\northogonal", "ridge": "ridge\nto 0", "shrunk": "ridge to\nthe rotation"}

if TYPE_CHECKING:
    from testbed.studies.compression_at_inference.study import CompressionAtInference


def adapter_figure(study: "CompressionAtInference", data: Data) -> StudyFigure:
    """Left: the paths of families, mean over pairs. Right: what each keeps, mean over what is carried."""
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.6), width_ratios=(3, 2))
    rows: list[dict[str, Any]] = []
    for look, family in enumerate(FAMILIES):
        carried = np.array([one.carried[look] for one in data.paths])
        own = np.array([one.own[look] for one in data.paths])
        defect = np.array([one.defect[look] for one in data.paths]).mean(axis=0)
        x, y = (np.clip([data.interval(one) for one in values.T], 0.0, 1.0) for values in (carried, own))
        left.errorbar(
            x[:, 0],
            y[:, 0],
            xerr=[x[:, 0] - x[:, 1], x[:, 2] - x[:, 0]],
            yerr=[y[:, 0] - y[:, 1], y[:, 2] - y[:, 0]],
            markersize=3,
            linewidth=1.0,
            elinewidth=0.6,
            errorevery=(look, EVERY),
            label=TITLES[family],
            **style(look),
        )
        rows += [
            {"adapter": TITLES[family], "penalty": penalty, "defect": float(d)}
            | {"carried": float(a[0]), "carried lower": float(a[1]), "carried upper": float(a[2])}
            | {"own": float(b[0]), "own lower": float(b[1]), "own upper": float(b[2])}
            for penalty, d, a, b in zip(study.adapters.penalties, defect, x, y, strict=True)
        ]
        middle, low, high = data.interval(data.front(family))
        right.errorbar(look, middle, yerr=[[middle - low], [high - middle]], capsize=3, markersize=5, **style(look))
        right.plot(np.full(len(data.paths), look + 0.15), data.front(family), "o", color="0.6", markersize=2.5)
        rows.append({"adapter": TITLES[family], "front": middle, "front lower": low, "front upper": high})
    for place, name, marker in ((0, "least squares", "P"), (1, "rotation", "X")):
        at = [float(data.end(place, what).mean()) for what in ("carried", "own")]
        left.plot(
            *at, marker=marker, markersize=11, markerfacecolor="none", color="black", linestyle="", label=name, zorder=5
        )
    left.set_xlabel("belief carried: $R^2$ of the other's decoder", fontsize=8)
    left.set_ylabel("kept: $R^2$ of the own decoder, there and back", fontsize=8)
    left.axvline(max(data.tokens), color="0.6", linestyle=":", marker="", label="off the tokens", zorder=0)
    left.set_xlim(LEFT, 1.005)
    left.set_ylim(-0.05, 1.05)
    right.set_xticks(range(len(FAMILIES)), [SHORTER[one] for one in FAMILIES], fontsize=7)
    right.set_xlim(-0.5, len(FAMILIES) - 0.4)
    right.set_ylabel("kept, mean over what is carried", fontsize=8)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=7)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Adapters between two networks on Mess3",
        caption=(
            f"Left: paths of three families by penalty, mean over {study.n_seeds} pairs of networks with {LEVEL:.0%}"
            " intervals, each alone and cut at 0 and 1, every fourth drawn; R^2 below 0 count as 0. The axis begins at"
            f" {LEFT:g}: ridge to 0 goes on to 0. Dotted: what least squares reads off a history's tokens. Right: what"
            " a family, with the affine map and the rotation at its ends, keeps of its own, mean over targets from what"
            f" the rotation carries to {SHORT:g} short of what the affine map does; {LEVEL:.0%} intervals, grey points:"
            " pairs. All R^2 are of exact beliefs, weighted by the exact probabilities of held-out histories."
        ),
        claims=tuple(f"{STUDY}.{name}" for name in ADAPTED),
    )
