"""Figures of the window: how much attention is near, and CosScale against windowed attention."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.cosscale.arms import Family
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
from testbed.studies.cosscale.evidence import TASKS, matched_reach
from testbed.studies.cosscale.results import Measured, aligned_within
from testbed.studies.study import StudyFigure
from testbed.theory import aligned_weights, effective_window

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from testbed.studies.cosscale.study import CosScaleStudy


WINDOWS = {"standard": ("c4_window", "p7_aligned", "p9_sharp"), "gau": ("c4_gau", "c4_born")}
MATCHED = {"standard": ("c4_alike", "p8_local", "p8_far"), "gau": ("p8_gau",)}


def window_figure(study: "CosScaleStudy", data: Measured, family: Family) -> StudyFigure:
    """Mass near, keys in effect, and mass by distance, against aligned q and k under RoPE."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 2, figsize=(7, 5))
    m, d, alphas = study.train_length, family.head_dim, family.alphas
    rows: list[dict[str, Any]] = []
    near = [aligned_within(alpha, m, d, study.reach) for alpha in alphas]
    aligned = [aligned_weights(alpha, m, d, query=m - 1) for alpha in alphas]
    keys = [float(np.exp(-np.sum(w * np.log(np.maximum(w, 1e-300))))) for w in aligned]
    rows += [{"quantity": "w_eff", "arm": "aligned", "alpha": a, "mean": effective_window(a, m, d)} for a in alphas]
    for axis, name, theory, label in (
        (axes[0, 0], "within", near, f"attention on the {study.reach} nearest keys"),
        (axes[0, 1], "effective_keys", keys, "keys in effect, e$^H$"),
    ):
        axis.plot(alphas, theory, label="aligned q and k", **look("theory"))
        rows += [
            {"quantity": name, "arm": "aligned", "alpha": a, "mean": t} for a, t in zip(alphas, theory, strict=True)
        ]
        for task in TASKS:
            values = [data.at(task, family.scaled(alpha), name) for alpha in alphas]
            curve(axis, data, alphas, values, TITLES[task], **look(task))
            plain = data.at(task, family.plain, name)
            level(axis, data, plain, f"plain, {task}", **{**look(task), "linestyle": (0, (2, 2)), "linewidth": 0.8})
            rows += [row(data, v, quantity=name, task=task, alpha=a) for a, v in zip(alphas, values, strict=True)]
            rows.append(row(data, plain, quantity=name, task=task, arm=family.plain))
        alpha_axis(axis, alphas)
        axis.set_title(label)
    axes[0, 0].set_ylim(0, 1.05)
    axes[0, 1].set_yscale("log", base=2)
    axes[0, 1].set_ylim(bottom=1)
    for axis, task in zip(axes[1], TASKS, strict=True):
        rows += _profiles(axis, study, data, family, task)
    axes[0, 1].legend(loc="best")
    axes[1, 1].legend(loc="best")
    return StudyFigure(
        figure=figure,
        rows=rows,
        title=f"How near attention stays, {family.title}",
        caption=(
            f"Queries of the second half of windows of {m} positions. Top: by alpha, beside aligned q and k under RoPE"
            " (dotted; in the CSV also w_eff, the sum of e^(-alpha (1 - g)) over distances) and the arm without"
            " CosScale (horizontal). Bottom: attention by distance, bands from the least to the largest seed;"
            f" dotted: aligned q and k at the main alpha. In the top row: {interval_words(data)}"
        ),
        claims=tuple(f"{PREFIX}{name}" for name in WINDOWS[family.block]),
    )


def _profiles(axis: "Axes", study: "CosScaleStudy", data: Measured, family: Family, task: Role) -> list[dict[str, Any]]:
    """Mean attention by distance of four arms."""
    b, m = study.bounds, study.train_length
    shown = [family.plain, family.scaled(family.alphas[0]), family.scaled(b.main_alpha), family.window()]
    rows: list[dict[str, Any]] = []
    distances = np.arange(m)
    for place, arm in zip((2, 0, 1, 3), shown, strict=True):
        profile = np.stack([one.arrays["by_distance"].mean(axis=(0, 1)) for one in data.records[task, arm]])
        style = {**cycle_look(place), "markersize": 2.5}
        middle = profile.mean(axis=0)
        axis.plot(distances, middle, label=arm.removeprefix("gau-").replace("cosscale-", "$\\alpha$ = "), **style)
        axis.fill_between(
            distances, profile.min(axis=0), profile.max(axis=0), color=style["color"], alpha=0.12, linewidth=0
        )
        rows += [
            row(data, column, quantity="by distance", task=task, arm=arm, distance=at)
            for at, column in enumerate(profile.T)
        ]
    aligned = aligned_weights(b.main_alpha, m, family.head_dim, query=m - 1)[::-1]
    axis.plot(distances, aligned, label=f"aligned, {b.main_alpha:g}", **{**look("theory"), "linewidth": 0.9})
    axis.set_xlim(-0.5, min(m, 24) - 0.5)
    axis.set_ylim(0, 1)
    axis.set_xlabel("distance (tokens)")
    axis.set_ylabel("attention")
    axis.set_title(TITLES[task])
    return rows


def matched_figure(study: "CosScaleStudy", data: Measured, family: Family) -> StudyFigure:
    """CosScale against windowed attention: divergence of rows, and excess."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(7, 3.3))
    alphas = family.alphas
    rows: list[dict[str, Any]] = []
    for task in TASKS:
        values = [data.at(task, family.scaled(alpha), "row_js") for alpha in alphas]
        curve(axes[0], data, alphas, values, task, **look(task))
        plain = data.at(task, family.plain, "row_js")
        level(axes[0], data, plain, f"plain, {task}", **{**look(task), "linestyle": (0, (2, 2)), "linewidth": 0.8})
        for name in ("row_kl", "row_js", "excess"):
            arms = {family.plain: None, family.window(): None} | {family.scaled(alpha): alpha for alpha in alphas}
            rows += [
                row(data, data.at(task, arm, name), quantity=name, task=task, arm=arm, alpha="" if a is None else a)
                for arm, a in arms.items()
            ]
    axes[0].set_yscale("log")
    axes[0].set_title(f"rows: from window-{study.reach}")
    axes[0].set_ylabel("nats")
    for axis, task in zip(axes[1:], TASKS, strict=True):
        curve(axis, data, alphas, [data.at(task, family.scaled(a), "excess") for a in alphas], "CosScale", **look(task))
        reaches = family.reaches if task == "local" else family.reaches[-1:]
        level(axis, data, data.at(task, family.plain, "excess"), "plain", **{**cycle_look(2), "linewidth": 0.9})
        for place, reach in zip((3, 4, 5), reaches, strict=False):
            excess = data.at(task, family.window(reach), "excess")
            level(axis, data, excess, f"window-{reach}", **{**cycle_look(place), "linewidth": 0.9})
            rows.append(row(data, excess, quantity="excess", task=task, arm=family.window(reach)))
        axis.set_title(f"excess, {task}")
    floor = float(data.at("far", family.plain, "floor").mean())
    axes[2].axhline(floor, color="0.4", linewidth=0.8, linestyle="-", marker="", label="best in the window")
    rows.append({"quantity": "floor", "task": "far", "mean": floor})
    for axis in axes:
        alpha_axis(axis, alphas)
        axis.tick_params(axis="x", labelsize=6)
        legend_under(axis)
    for axis in axes[1:]:
        axis.set_ylim(bottom=0)
    matched = ", ".join(f"{alpha:g}: {matched_reach(study, alpha, family)}" for alpha in alphas)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title=f"CosScale against windowed attention, {family.title}",
        caption=(
            f"Left: mean Jensen-Shannon divergence of each arm's rows from those of the model trained with a window of"
            f" {study.reach} keys, on the same sequences, queries and seeds (in the CSV KL beside it). Others:"
            " exact excess over the Bayes risk at n = m; on the far source the grey line is that of the best law within"
            f" the window. Windows matched by w_eff of aligned keys, alpha: keys, {matched}. {interval_words(data)}"
        ),
        claims=tuple(f"{PREFIX}{name}" for name in MATCHED[family.block]),
    )
