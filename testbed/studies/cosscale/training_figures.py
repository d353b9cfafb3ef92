"""Figures of training: excess along it with and without CosScale, what it gains where, and angles."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.cosscale.arms import NOPE, PLAIN, Family, scaled
from testbed.studies.cosscale.claims import PREFIX
from testbed.studies.cosscale.config import Role
from testbed.studies.cosscale.drawing import (
    TITLES,
    alpha_axis,
    curve,
    cycle_look,
    interval_words,
    legend_under,
    level,
    look,
    row,
)
from testbed.studies.cosscale.evidence import TASKS, gains
from testbed.studies.cosscale.results import Measured
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from testbed.studies.cosscale.study import CosScaleStudy


def curves_figure(study: "CosScaleStudy", data: Measured, family: Family) -> StudyFigure:
    """Excess over the Bayes risk along training (figure 2 of the paper, without the noise of the data)."""
    import matplotlib.pyplot as plt

    b = study.bounds
    alphas = [a for a in family.alphas if a in (family.alphas[0], b.windowed_from, b.main_alpha)]
    shown = [family.plain, *(family.scaled(alpha) for alpha in alphas), family.window()]
    arms: dict[Role, list[str]] = {"local": shown, "far": shown}
    if family.block == "standard":
        ends = list(dict.fromkeys((study.content_alphas[0], study.content_alphas[-1])))
        arms["content"] = [one for base in (PLAIN, NOPE) for one in (base, *(scaled(a, base) for a in ends))]
    figure, axes = plt.subplots(1, len(arms), figsize=(7, 3.5))
    rows: list[dict[str, Any]] = []
    for axis, (task, names) in zip(axes, arms.items(), strict=True):
        rows += _paths(axis, data, task, names)
        axis.set_title(TITLES[task])
        legend_under(axis)
    axes[0].set_ylabel("excess over the Bayes risk (nats)")
    return StudyFigure(
        figure=figure,
        rows=rows,
        title=f"Figures 2 and 3: training with and without CosScale, {family.title}",
        caption=(
            "Exact KL(P* || model) on fresh sequences of m tokens along training, equal steps for all arms, each at its"
            " own tuned learning rate. The training loss less the Bayes risk has this mean; its curve is in the CSV."
            f" {interval_words(data)}"
        ),
        claims=(f"{PREFIX}curves",),
    )


def baselines_figure(study: "CosScaleStudy", data: Measured) -> StudyFigure:
    """Excess along training of further methods, with CosScale (left) and without it (right)."""
    import matplotlib.pyplot as plt

    main = study.bounds.main_alpha
    names = [PLAIN, *(one.name for one in study.baselines)]
    figure, axes = plt.subplots(1, 2, figsize=(7, 3.3), sharey=True)
    rows = _paths(axes[0], data, "local", [scaled(main, name) for name in names])
    rows += _paths(axes[1], data, "local", names)
    for axis, title in zip(axes, (f"with CosScale, $\\alpha$ = {main:g}", "without"), strict=True):
        axis.set_title(title)
        legend_under(axis)
    axes[0].set_ylabel("excess over the Bayes risk (nats)")
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Figure 3: further methods with and without CosScale",
        caption=f"Exact KL(P* || model) along training on the local source. {interval_words(data)}",
        claims=(f"{PREFIX}curves",),
    )


def _paths(axis: "Axes", data: Measured, task: Role, arms: Sequence[str]) -> list[dict[str, Any]]:
    """One curve an arm, with its band."""
    rows: list[dict[str, Any]] = []
    for place, arm in enumerate(arms):
        records = data.records[task, arm]
        steps = records[0].arrays["path_step"]
        values = np.stack([one.arrays["path_excess"] for one in records])
        losses = np.stack([one.arrays["path_train_loss"] for one in records])
        found = np.array([data.interval(column) for column in values.T])
        style = cycle_look(place)
        axis.plot(steps, found[:, 0], label=_label(arm), **style)
        axis.fill_between(steps, found[:, 1], found[:, 2], color=style["color"], alpha=0.15, linewidth=0)
        for at, step in enumerate(steps):
            labels = {"task": task, "arm": arm, "step": int(step)}
            rows.append(row(data, values[:, at], quantity="excess", **labels))
            rows.append(row(data, losses[:, at], quantity="training loss", **labels))
    axis.set_xscale("log", base=2)
    axis.set_yscale("log")
    axis.set_xlabel("optimiser steps")
    return rows


def _label(arm: str) -> str:
    return arm.removeprefix("gau-").replace("nope-cosscale-", "nope, $\\alpha$=").replace("cosscale-", "$\\alpha$=")


def gains_figure(study: "CosScaleStudy", data: Measured) -> StudyFigure:
    """What CosScale gains at m and at the longest length, and how far attended keys stand out in angle."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(7, 3.3))
    rows: list[dict[str, Any]] = []
    bases = ((PLAIN, "RoPE"), (NOPE, "NoPE"))
    for axis, name, title in ((axes[0], "excess", "gain at m"), (axes[1], "excess_long", f"gain at {study.ratio} m")):
        for base, position in bases:
            of_base = gains(study, data, base, name)
            for task in dict.fromkeys(task for task, _ in of_base):
                alphas = [alpha for one, alpha in of_base if one == task]
                values = [of_base[task, alpha] for alpha in alphas]
                style = look("nope" if base == NOPE else task)
                curve(axis, data, alphas, values, f"{task}, {position}", **style)
                rows += [
                    row(data, v, quantity=f"gain in {name}", task=task, position=position, alpha=a)
                    for a, v in zip(alphas, values, strict=True)
                ]
        axis.axhline(0, color="0.4", linewidth=0.8, linestyle="-", marker="")
        axis.set_yscale("symlog", linthresh=0.05)
        axis.set_yticks([-1, -0.1, 0, 0.1, 1], ["-1", "-0.1", "0", "0.1", "1"])
        axis.set_title(title)
    axes[0].set_ylabel("nats")
    for task in TASKS:
        values = [data.at(task, scaled(alpha), "contrast") for alpha in study.alphas]
        plain = data.at(task, PLAIN, "contrast")
        curve(axes[2], data, study.alphas, values, task, **look(task))
        level(axes[2], data, plain, f"plain, {task}", **{**look(task), "linestyle": (0, (2, 2)), "linewidth": 0.8})
        rows += [
            row(data, v, quantity="contrast", task=task, alpha=a) for a, v in zip(study.alphas, values, strict=True)
        ]
        rows.append(row(data, plain, quantity="contrast", task=task, arm=PLAIN))
    axes[2].set_title("angular contrast")
    for axis in axes:
        alpha_axis(axis, study.alphas)
        axis.tick_params(axis="x", labelsize=6)
        legend_under(axis)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Where CosScale gains, and what angles it trains",
        caption=(
            "Left and middle: excess of the arm without CosScale less that with it, at equal steps, at m and at the"
            " longest length (linear within 0.05 nats, logarithmic beyond). Right: attended mean cosine less that of"
            f" all visible pairs, after RoPE, without the diagonal; horizontal: plain softmax. {interval_words(data)}"
        ),
        claims=tuple(f"{PREFIX}{name}" for name in ("c8_angles", "c9_rope_only", "p9_small")),
    )
