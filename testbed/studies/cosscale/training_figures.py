"""Figures of training: its loss and excess with and without CosScale, and what CosScale gains where."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.cosscale.arms import KEY_NORM, PLAIN, Family, scaled
from testbed.studies.cosscale.config import Role
from testbed.studies.cosscale.drawing import (
    TITLES,
    alpha_axis,
    curve,
    cycle_look,
    flag,
    interval,
    interval_words,
    legend_under,
    level,
    look,
    row,
)
from testbed.studies.cosscale.evidence import TASKS, gain, gain_cases
from testbed.studies.cosscale.results import Case, Floats, Measured
from testbed.studies.cosscale.stated import PREFIX
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from testbed.studies.cosscale.study import CosScaleStudy

PATHS = {"training loss": "path_train_loss", "excess": "path_excess"}


def curves_figure(study: "CosScaleStudy", data: Measured, family: Family) -> StudyFigure:
    """Training loss and excess over the Bayes risk along training (figure 2 of the paper)."""
    ends = list(dict.fromkeys((family.alphas[0], family.main, family.alphas[-1])))
    last = family.window() if family.reaches else family.ones
    arms = [family.plain, *(family.scaled(alpha) for alpha in ends), last]
    return _paths_figure(
        data,
        dict.fromkeys(TASKS, arms),
        title=f"Figure 2: training with and without CosScale, {family.title}",
    )


def baselines_figure(study: "CosScaleStudy", data: Measured) -> StudyFigure:
    """The same for other positions (figure 3): each colour with CosScale and without."""
    main = study.position_alphas[-1]
    names = [PLAIN, *(one.name for one in study.baselines)]
    return _paths_figure(
        data,
        {"recall": [one for name in names for one in (name, scaled(main, name))]},
        title="Figure 3: training of several positions with and without CosScale",
    )


def _paths_figure(data: Measured, arms: dict[Role, list[str]], title: str) -> StudyFigure:
    """Every seed counts here: how fast one learns is the question, so that no gate is applied, only named."""
    import matplotlib.pyplot as plt

    panels = [(quantity, task) for quantity in PATHS for task in arms]
    shape = (2, len(arms)) if len(arms) > 1 else (1, 2)
    figure, axes = plt.subplots(*shape, figsize=(7, 5.4 if shape[0] > 1 else 3.6), squeeze=False)
    rows: list[dict[str, Any]] = []
    for axis, (quantity, task) in zip(axes.flat, panels, strict=True):
        rows += _paths(axis, data, task, arms[task], quantity)
        axis.set_title(TITLES[task])
        axis.set_ylabel("training loss (nats)" if quantity == "training loss" else "excess over Bayes (nats)")
    for axis in axes[-1] if len(arms) > 1 else axes[-1][:1]:
        legend_under(axis)
    if len(arms) == 1:
        axes[0, 1].legend_ = None
    return StudyFigure(
        figure=figure,
        rows=rows,
        title=title,
        caption=(
            "Training loss of the batch (linear) and exact KL(P* || model) on fresh sequences of m tokens"
            " (logarithmic), along training, equal steps for all arms, each at its own tuned learning rate. Bands: 95%"
            f" bootstrap intervals (BCa) over all {len(data.seeds)} seeds, learnt or not; *not learnt*: fewer than"
            " five seeds passed the gate in the end."
        ),
        claims=(f"{PREFIX}curves",),
    )


def _paths(axis: "Axes", data: Measured, task: Role, arms: Sequence[str], quantity: str) -> list[dict[str, Any]]:
    """One curve an arm, with its band."""
    rows: list[dict[str, Any]] = []
    for place, arm in enumerate(arms):
        records = [one for one in data.records[task, arm] if one.status == "done"]
        if not records:
            continue
        steps = records[0].arrays["path_step"]
        values = np.stack([one.arrays[PATHS[quantity]] for one in records])
        found = np.array([interval(column) for column in values.T])
        looks = cycle_look(place)
        axis.plot(steps, found[:, 0], label=_label(arm) + flag(data, (task, arm)), **looks)
        axis.fill_between(steps, found[:, 1], found[:, 2], color=looks["color"], alpha=0.15, linewidth=0)
        rows += [
            {
                "task": task,
                "arm": arm,
                "step": int(step),
                "quantity": quantity,
                "mean": found[at, 0],
                "lower": found[at, 1],
                "upper": found[at, 2],
                "seeds": len(records),
                "learnt": int(data.learnt((task, arm)).sum()),
            }
            for at, step in enumerate(steps)
        ]
    axis.set_xscale("log", base=2)
    if quantity == "excess":
        axis.set_yscale("log")
    axis.set_xlabel("optimiser steps")
    return rows


def _label(arm: str) -> str:
    name = arm.removeprefix("gau-")
    base, _, alpha = name.rpartition("cosscale-")
    return f"{base.replace('-', ', ')}$\\alpha$={alpha}" if alpha != name else name


def gains_figure(study: "CosScaleStudy", data: Measured) -> StudyFigure:
    """What CosScale gains at the longest length, by positions and by source, and what training adds to angles."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(7, 3.5))
    rows: list[dict[str, Any]] = []
    bases = [PLAIN, *(one.name for one in study.baselines)]
    for place, base in enumerate(bases):
        rows += _gains(axes[0], data, "recall", base, study.position_alphas, cycle_look(place), 0.06 * (place - 1))
    for task in TASKS:
        rows += _gains(axes[1], data, task, PLAIN, study.alphas, look(task), 0.08 if task == "far" else -0.08)
    for axis, alphas, title in (
        (axes[0], study.position_alphas, f"gain at {study.ratio} m, recall"),
        (axes[1], study.alphas, f"gain at {study.ratio} m, RoPE"),
    ):
        axis.axhline(0, color="0.4", linewidth=0.8, linestyle="-", marker="")
        axis.set_title(title)
        alpha_axis(axis, alphas)
    axes[0].set_ylabel("excess without less with CosScale (nats)")
    axes[0].set_xlim(study.position_alphas[0] / 1.5, study.position_alphas[-1] * 1.5)
    for task in TASKS:
        cases: list[Case] = [(task, scaled(alpha)) for alpha in study.alphas]
        values = [_trained_contrast(data, case) for case in cases]
        curve(axes[2], data, study.alphas, cases, values, task, **look(task))
        for arm, dashes in ((PLAIN, (0, (2, 2))), (KEY_NORM, (0, (6, 2)))):
            case: Case = (task, arm)
            number = _trained_contrast(data, case)
            level(
                axes[2], data, case, number, f"{arm}, {task}", **{**look(task), "linestyle": dashes, "linewidth": 0.9}
            )
            rows.append(row(data, case, number, quantity="trained contrast"))
        rows += [
            row(data, case, one, quantity="trained contrast", alpha=alpha)
            for case, one, alpha in zip(cases, values, study.alphas, strict=True)
        ]
    axes[2].set_title("contrast added by training")
    axes[2].set_ylabel("cosine")
    alpha_axis(axes[2], study.alphas)
    for axis in axes:
        axis.tick_params(axis="x", labelsize=6)
        legend_under(axis)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Where CosScale gains, and what angles it trains",
        caption=(
            f"Left: what CosScale gains at {study.ratio} m on the recall source; middle: with RoPE on"
            " the others. A gain rests on the replicates in which both arms learnt. Right: attended mean cosine less"
            " that of all visible pairs, after RoPE, without the diagonal, less the same of the first weights;"
            f" horizontal: plain softmax and KeyNorm. {interval_words(data)}"
        ),
        claims=tuple(
            f"{PREFIX}{name}"
            for name in ("c8_angles", "c8_key_norm", "c9_transfers", "c9_with_rope", "c9_without", "p9_small")
        ),
    )


def _trained_contrast(data: Measured, case: Case) -> Floats:
    return data.at(*case, "contrast") - data.at(*case, "untrained-contrast")


def _gains(
    axis: "Axes",
    data: Measured,
    task: Role,
    base: str,
    alphas: Sequence[float],
    looks: dict[str, Any],
    beside: float,
) -> list[dict[str, Any]]:
    """One curve with its bars, hollow where fewer than five replicates learnt both arms; octaves `beside` its alpha."""
    found, hollow, rows = [], [], []
    for alpha in alphas:
        cases, values = gain_cases(base, task, alpha), gain(data, base, task, alpha)
        both = data.learnt(*cases)
        known = data.usable(*cases)
        kept = values[both] if known else values[np.isfinite(values)]
        found.append(interval(kept) if len(kept) else (np.nan,) * 3)
        hollow.append(not known)
        quantity = {"quantity": "gain at the longest length", "task": task, "arm": scaled(alpha, base), "alpha": alpha}
        rows.append(
            quantity
            | dict(zip(("mean", "lower", "upper"), found[-1], strict=True))
            | {"seeds": len(kept), "learnt": int(both.sum())}
        )
    middle, low, high = np.array(found).T
    name = ("rope" if base == PLAIN else base) if task == "recall" else task
    x = np.asarray(alphas) * 2.0**beside
    axis.errorbar(x, middle, yerr=[middle - low, high - middle], capsize=1.2, elinewidth=0.7, label=name, **looks)
    kept_looks = {key: looks[key] for key in ("color", "marker", "markersize") if key in looks}
    axis.plot(x[hollow], middle[hollow], linestyle="none", markerfacecolor="white", zorder=5, **kept_looks)
    return rows
