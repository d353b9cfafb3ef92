"""R^2 by layer beside its rivals, the loss by position, and what holding out sequences hides."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.belief_geometry.claims import STUDY
from testbed.studies.belief_geometry.data import Data, Floats
from testbed.studies.drawing import LEVEL, style
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.belief_geometry.study import BeliefGeometry

LINES = (
    ("bound", "any function of the law p", "0.25", (0, (5, 1.5))),
    ("law", "affine map of p", "0.45", (0, (1.2, 1.2))),
    ("window", "tokens of the window", "0.65", "-"),
)


def layers_figure(study: "BeliefGeometry", data: Data) -> StudyFigure:
    """R^2 of the belief from each stream and from all, trained and untrained, beside what else gives it."""
    figure, axes, spare = panels(len(study.arms))
    rows: list[dict[str, Any]] = []
    for axis, arm in zip(axes, study.arms, strict=True):
        arrays = data.arms[arm.name]
        n = arrays["streams"].shape[1]
        names = ["embedding", *(f"block {k}" for k in range(1, n - 1)), "all"]
        for key, label, colour, dashes in LINES:
            level = data.interval(arrays[key])
            axis.axhline(level[0], color=colour, linestyle=dashes, linewidth=1.0, marker="", label=label, zorder=1)
            rows.append(row_of(arm.name, label, "", level))
        for place, (suffix, label) in enumerate((("", "trained"), ("_untrained", "untrained"))):
            found = data.intervals(arrays["streams" + suffix])
            points(axis, np.arange(n) + 0.08 * (2 * place - 1), found, label, place)
            rows += [row_of(arm.name, label, name, one) for name, one in zip(names, found, strict=True)]
        logits = data.interval(arrays["logits"])
        points(axis, np.array([n]), np.array([logits]), "own logits", 2)
        rows.append(row_of(arm.name, "own logits", "", logits))
        axis.set_xticks(range(n + 1), [*("emb" if k == 0 else f"{k}" for k in range(n - 1)), "all", "logits"])
        axis.set_title(arm.name)
        axis.set_ylim(min(-0.02, float(arrays["streams_untrained"].min()) - 0.03), 1.04)
    legend(spare, axes[0], "R² held out by history")
    figure.supylabel("held-out R² of the exact belief", fontsize=8)
    figure.supxlabel("residual stream: embedding, after each block, all together", fontsize=8)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="The exact belief, read off each residual stream",
        caption=(
            "R² of an affine map to the exact belief (of the product: to both factors' beliefs), on histories that the"
            " fit has not seen. Horizontal lines: the same without any network: the best of all functions of the exact"
            " next token's law p, an affine map of p, and an affine map of the window's one-hot tokens; the last point"
            f" is the member's own ln q. Bars: {LEVEL:.0%} intervals over {study.n_seeds} seeds, each point alone."
        ),
        claims=ids(
            "headline",
            "headline_everywhere",
            "headline_needs_training",
            "more_linear_than_logits",
            "spread_beyond",
            "beyond_everywhere",
            "layers",
            "last_is_law",
        ),
    )


def positions_figure(study: "BeliefGeometry", data: Data) -> StudyFigure:
    """Loss by position against the exact h_t."""
    figure, axes, spare = panels(len(study.arms))
    rows: list[dict[str, Any]] = []
    for axis, arm in zip(axes, study.arms, strict=True):
        arrays = data.arms[arm.name]
        risk = arrays["risk"][0]
        places = np.arange(len(risk))
        axis.plot(places, risk, color="0.35", linewidth=1.0, linestyle="-", marker="", label="exact h$_t$")
        found = data.intervals(arrays["excess"]) + risk[:, None]
        points(axis, places, found, "transformer: h$_t$ + KL", 0, linestyle="")
        axis.set_title(arm.name)
        for t, exact, one in zip(places.tolist(), risk.tolist(), found.tolist(), strict=True):
            rows.append(
                {"arm": arm.name, "tokens_seen": t, "exact": exact, "loss": one[0], "lower": one[1], "upper": one[2]}
            )
    legend(spare, axes[0], "")
    figure.supxlabel("tokens seen, t", fontsize=8)
    figure.supylabel("loss (nats)", fontsize=8)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="The loss at every position",
        caption=(
            "Line: the exact Bayes loss after t tokens, h_t. Points: of the transformers, h_t plus the mean exact KL to"
            f" the Bayes law on fresh sequences. Bars: {LEVEL:.0%} intervals over {study.n_seeds} seeds, each point"
            " alone; most are shorter than their marker."
        ),
        claims=ids("loss_curve"),
    )


def held_out_figure(study: "BeliefGeometry", data: Data) -> StudyFigure:
    """The same R^2 where sequences are held out, and where histories are; and the shuffled null."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(7, 2.7), sharey=True)
    rows: list[dict[str, Any]] = []
    places = np.arange(len(study.arms))
    for axis, suffix, title in zip(axes, ("", "_untrained"), ("trained", "untrained"), strict=True):
        kinds = [
            ("held out by sequence", [data.arms[arm.name]["by_sequence" + suffix] for arm in study.arms]),
            ("held out by history", [data.together(arm.name, suffix) for arm in study.arms]),
        ]
        if not suffix:
            nulls = [data.arms[arm.name]["null"].mean(axis=1) for arm in study.arms]
            kinds.append(("beliefs shuffled (mean of nulls)", nulls))
        for k, (label, values) in enumerate(kinds):
            found = np.array([data.interval(one) for one in values])
            points(axis, places + 0.16 * (k - 1), found, label, k, linestyle="")
            rows += [row_of(arm.name, label, title, one) for arm, one in zip(study.arms, found, strict=True)]
        axis.set_xticks(places, [arm.name for arm in study.arms])
        axis.set_title(title)
        axis.axhline(study.bounds.headline, color="0.6", linewidth=0.8, linestyle=":", marker="")
    axes[0].set_ylabel("R², all streams together")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Which rows are held out, and what a shuffle controls for",
        caption=(
            "R² from all streams together. Where whole sequences are held out, most histories of a binary source have"
            " been seen in the fit; where histories are held out, none has. The shuffled null is near 0 for any"
            f" features, trained or not. Dotted: {study.bounds.headline:g}. Bars: {LEVEL:.0%} intervals over"
            f" {study.n_seeds} seeds, each point alone."
        ),
        claims=ids("sequences_held_out", "headline_needs_training"),
    )


def panels(n: int) -> tuple[Any, list[Any], Any]:
    """A figure with n panels and one place for the legend."""
    import matplotlib.pyplot as plt

    columns = min(3, n + 1)
    n_rows = -(-(n + 1) // columns)
    figure, axes = plt.subplots(n_rows, columns, figsize=(7, 0.5 + 2.1 * n_rows), squeeze=False)
    flat = list(axes.ravel())
    for axis in flat[n + 1 :]:
        axis.remove()
    flat[n].axis("off")
    return figure, flat[:n], flat[n]


def legend(spare: Any, axis: Any, title: str) -> None:
    """The legend of one panel in the place left free."""
    spare.legend(*axis.get_legend_handles_labels(), loc="center", fontsize=7, title=title or None, title_fontsize=7)


def points(axis: Any, x: Any, found: Floats, label: str, place: int, **more: Any) -> None:
    """Values with intervals (n, 3)."""
    look = {**style(place), "linewidth": 0.9, "markersize": 3.2, **more}
    axis.errorbar(x, found[:, 0], yerr=reach(found), label=label, capsize=1.2, elinewidth=0.7, **look)


def reach(found: Floats) -> Floats:
    """(2, n) lengths of error bars; none where nothing is known."""
    ends = np.stack([found[:, 0] - found[:, 1], found[:, 2] - found[:, 0]])
    return np.maximum(np.nan_to_num(ends, posinf=0.0, neginf=0.0), 0.0)


def row_of(arm: str, what: str, where: str, found: Any) -> dict[str, Any]:
    """A row of a CSV."""
    return {
        "arm": arm,
        "what": what,
        "where": where,
        "r_squared": float(found[0]),
        "lower": float(found[1]),
        "upper": float(found[2]),
    }


def ids(*names: str) -> tuple[str, ...]:
    """Claims by their full names."""
    return tuple(f"{STUDY}.{name}" for name in names)
