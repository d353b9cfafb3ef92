"""The picture of the paper: exact beliefs in their simplex beside the residual stream projected onto it."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.belief_geometry.data import Data, Floats
from testbed.studies.belief_geometry.layer_figures import ids
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.belief_geometry.study import BeliefGeometry

PANELS = (
    ("beliefs", "exact"),
    ("last", "last stream"),
    ("together", "all streams"),
    ("together_untrained", "all, untrained"),
)
MARKERS = "os^DvPX*"
TRIANGLE = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(0.75)], [0.0, 0.0]])
"""The simplex of three states, closed."""


def simplex_figure(study: "BeliefGeometry", data: Data) -> StudyFigure:
    """One row for the headline's arm, one for the arm that is spread over layers."""
    import matplotlib.pyplot as plt

    names = (study.headline, study.spread)
    figure, axes = plt.subplots(2, len(PANELS), figsize=(7, 4.1), squeeze=False)
    rows: list[dict[str, Any]] = []
    for line, name in zip(axes, names, strict=True):
        pictures = data.pictures[name]
        exact = pictures["beliefs"]
        plane, centre = plane_of(exact)
        colours, groups = colours_of(exact), exact.argmax(axis=1)
        shown = [(pictures[key] - centre) @ plane for key, _ in PANELS]
        everything = np.concatenate([*shown, TRIANGLE] if exact.shape[1] == 3 else shown)
        low, high = everything.min(axis=0), everything.max(axis=0)
        margin = 0.05 * (high - low)
        for axis, (_, label), place in zip(line, PANELS, shown, strict=True):
            for group in np.unique(groups):
                mine = groups == group
                axis.scatter(
                    *place[mine].T, c=colours[mine], s=7, marker=MARKERS[group % len(MARKERS)], linewidths=0, alpha=0.85
                )
            if exact.shape[1] == len(TRIANGLE) - 1:
                axis.plot(*TRIANGLE.T, color="0.6", linewidth=0.7, linestyle="-", marker="", zorder=0)
            axis.set_xlim(low[0] - margin[0], high[0] + margin[0])
            axis.set_ylim(low[1] - margin[1], high[1] + margin[1])
            axis.set_xticks([])
            axis.set_yticks([])
            axis.grid(False)
            axis.set_aspect("equal", adjustable="box")
            axis.set_title(f"{name}: {label}", fontsize=7)
            rows += [
                {"arm": name, "panel": label, "x": float(x), "y": float(y), "likeliest_state": int(state)}
                for (x, y), state in zip(place, groups, strict=True)
            ]
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Beliefs in their simplex, exact and as read off the residual stream",
        caption=(
            "After the paper's pictures. Each point is a history; left: its exact belief; then the image of the"
            " residual stream under the affine map fitted on other histories: of the last stream, of all streams"
            " together, and of all before training. Colours mix the probabilities of the states, alike in all panels;"
            f" markers: the likeliest state. {study.headline}: the triangle of laws over its states; {study.spread}:"
            " the plane of the two largest principal components of its beliefs. One network, the first seed; intervals"
            " over seeds stand in the figure of layers."
        ),
        claims=ids("headline", "headline_needs_training", "layers"),
    )


def plane_of(beliefs: Floats) -> tuple[Floats, Floats]:
    """(k, 2) axes and (k,) centre: the triangle of three states upright, else two principal components."""
    if beliefs.shape[1] == 3:
        return TRIANGLE[:3], np.zeros(3)
    centre = beliefs.mean(axis=0)
    _, _, directions = np.linalg.svd(beliefs - centre, full_matrices=False)
    signs = np.sign(directions[np.arange(2), np.abs(directions[:2]).argmax(axis=1)])
    return (directions[:2] * signs[:, None]).T, centre


def colours_of(beliefs: Floats) -> Floats:
    """(n, 3) a mixture of one colour a state, weighted by the belief."""
    import matplotlib

    palette = np.array(
        [
            matplotlib.colors.to_rgb(one)
            for one in ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
        ]
    )
    base = palette[np.arange(beliefs.shape[1]) % len(palette)]
    return np.asarray(np.clip(beliefs @ base, 0.0, 1.0))
