"""Figures of the window: how much attention is near, and CosScale against windowed attention."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.cosscale.arms import Family
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
from testbed.studies.cosscale.evidence import MATCHES, TASKS
from testbed.studies.cosscale.floors import lag_floors
from testbed.studies.cosscale.results import Case, Measured, aligned_within
from testbed.studies.cosscale.stated import PREFIX
from testbed.studies.study import StudyFigure
from testbed.theory import aligned_weights, effective_window

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from testbed.studies.cosscale.study import CosScaleStudy


WINDOWS = {
    "standard": ("c4_window", "c4_others", "p7_aligned", "p9_sharp"),
    "gau": ("c4_gau", "c4_gau_others", "c4_born", "c4_born_others", "gau_blind"),
}
MATCHED = {"standard": ("c4_alike", "p8_local", "p8_far"), "gau": ("p8_gau", "gau_start")}
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
"""Of the scales and of the windows, which lie too near together to be labelled."""
MATCH_TITLES = {"mass_width": "w$_{90}$ (tokens)", "effective_keys": "keys in effect, e$^H$"}


def window_figure(study: "CosScaleStudy", data: Measured, family: Family) -> StudyFigure:
    """Mass near with and without the query's own key, and mass by distance, against aligned q and k under RoPE."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 2, figsize=(7, 5.6))
    m, d, alphas = study.train_length, family.head_dim, family.alphas
    rows: list[dict[str, Any]] = [
        {"quantity": "w_eff", "arm": "aligned", "alpha": a, "mean": effective_window(a, m, d)} for a in alphas
    ]
    aligned = [aligned_within(alpha, m, d, study.reach) for alpha in alphas]
    for axis, name, title in (
        (axes[0, 0], "within", f"attention on the {study.reach} nearest keys"),
        (axes[0, 1], "others", "the same, without the query's own key"),
    ):
        if name == "within":
            axis.plot(alphas, aligned, label="aligned q and k", **look("theory"))
            rows += [
                {"quantity": name, "arm": "aligned", "alpha": a, "mean": t}
                for a, t in zip(alphas, aligned, strict=True)
            ]
        for task in TASKS:
            cases: list[Case] = [(task, family.scaled(alpha)) for alpha in alphas]
            curve(axis, data, [a * 0.97 for a in alphas], cases, name, task, **look(task))
            first: list[Case] = [(task, family.plain)] * len(alphas)
            untrained = [data.at(task, family.plain, f"untrained-{name}-{a:g}") for a in alphas]
            looks = {**look(task), "linestyle": (0, (1, 2)), "marker": "x", "linewidth": 0.8}
            curve(
                axis, data, [a * 1.06 for a in alphas], first, untrained, f"{task}, first weights", gated=False, **looks
            )
            plain: Case = (task, family.plain)
            level(
                axis, data, plain, name, f"plain, {task}", **{**look(task), "linestyle": (0, (4, 3)), "linewidth": 0.8}
            )
            rows += [row(data, case, name, quantity=name, alpha=a) for case, a in zip(cases, alphas, strict=True)]
            rows += [
                row(data, plain, one, gated=False, quantity=f"{name}, first weights", alpha=a)
                for one, a in zip(untrained, alphas, strict=True)
            ]
            rows.append(row(data, plain, name, quantity=name))
        alpha_axis(axis, alphas)
        axis.set_title(title)
        axis.set_ylim(0, 1.05)
    for axis, task in zip(axes[1], TASKS, strict=True):
        rows += _profiles(axis, study, data, family, task)
        axis.legend(loc="best", fontsize=6)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=4, fontsize=6)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title=f"How near attention stays, {family.title}",
        caption=(
            f"Queries of the second half of windows of {m} positions. Top: attention on the {study.reach} nearest keys"
            " by alpha, left with the query's own key, right the share of what is not on that key; crosses: the first"
            " weights under alpha cos; dotted: aligned q and k under RoPE (in the CSV also w_eff, the sum of"
            " e^(-alpha (1 - g)) over distances); horizontal: the arm without CosScale. Bottom: attention by distance;"
            f" dotted: aligned q and k at the main alpha. {interval_words(data)}"
        ),
        claims=tuple(f"{PREFIX}{name}" for name in WINDOWS[family.block]),
    )


def _profiles(axis: "Axes", study: "CosScaleStudy", data: Measured, family: Family, task: Role) -> list[dict[str, Any]]:
    """Mean attention by distance of four arms."""
    m = study.train_length
    last = family.window() if family.reaches else family.ones
    shown = [family.plain, family.scaled(family.alphas[0]), family.scaled(), last]
    rows: list[dict[str, Any]] = []
    distances = np.arange(m)
    for place, arm in zip((2, 0, 1, 3), shown, strict=True):
        kept = [one for one, keep in zip(data.records[task, arm], data.shown((task, arm)), strict=True) if keep]
        if not kept:
            continue
        profile = np.stack([one.arrays["by_distance"].mean(axis=(0, 1)) for one in kept])
        looks = {**cycle_look(place), "markersize": 2.5}
        found = np.array([interval(column) for column in profile.T])
        name = arm.removeprefix("gau-").replace("cosscale-", "$\\alpha$ = ") + flag(data, (task, arm))
        axis.plot(distances, found[:, 0], label=name, **looks)
        axis.fill_between(distances, found[:, 1], found[:, 2], color=looks["color"], alpha=0.15, linewidth=0)
        rows += [
            {
                "task": task,
                "arm": arm,
                "quantity": "by distance",
                "distance": at,
                "mean": found[at, 0],
                "lower": found[at, 1],
                "upper": found[at, 2],
                "seeds": len(kept),
            }
            for at in range(m)
        ]
    aligned = aligned_weights(family.main, m, family.head_dim, query=m - 1)[::-1]
    axis.plot(distances, aligned, label=f"aligned, {family.main:g}", **{**look("theory"), "linewidth": 0.9})
    axis.set_xlim(-0.5, min(m, 16) - 0.5)
    axis.set_ylim(0, 1.02)
    axis.set_xlabel("distance (tokens)")
    axis.set_ylabel("attention")
    axis.set_title(TITLES[task])
    return rows


def _by_alpha(axis: "Axes", data: Measured, family: Family, task: Role, controls: list[str]) -> list[dict[str, Any]]:
    """Excess by alpha, and that of arms beside."""
    cases: list[Case] = [(task, family.scaled(alpha)) for alpha in family.alphas]
    curve(axis, data, family.alphas, cases, "excess", "CosScale", **look(task))
    for place, arm in enumerate(controls, start=2):
        name = "from ones" if arm == family.ones else arm.removeprefix("gau-")
        level(axis, data, (task, arm), "excess", name, **{**cycle_look(place), "linewidth": 0.9})
    axis.set_title(f"excess, {TITLES[task]}")
    axis.set_ylabel("excess (nats)")
    axis.set_ylim(bottom=-0.04 * axis.get_ylim()[1])  # a marker at 0 stands clear of the axis
    return [row(data, case, "excess", quantity="excess") for case in cases] + [
        row(data, (task, arm), "excess", quantity="excess") for arm in controls
    ]


def matched_figure(study: "CosScaleStudy", data: Measured, family: Family) -> StudyFigure:
    """Excess of CosScale and of windows against their measured w_90 and e^H, divergence of rows, and the far source."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 2, figsize=(7, 6.2))
    alphas = family.alphas
    rows: list[dict[str, Any]] = []
    scaled: list[Case] = [("local", family.scaled(alpha)) for alpha in alphas]
    windows: list[Case] = [("local", family.window(reach)) for reach in family.reaches]
    floors = lag_floors(study.local, study.train_length)
    rows += [{"quantity": "floor", "task": "local", "width": w, "mean": floor} for w, floor in enumerate(floors)]
    for axis, by in zip(axes[0], MATCHES, strict=True):
        looks = [(one, MARKERS[at % len(MARKERS)], 0) for at, one in enumerate(scaled)]
        looks += [(one, MARKERS[at % len(MARKERS)], 1) for at, one in enumerate(windows)]
        for case, marker, place in looks:
            name = case[1].removeprefix("gau-").replace("cosscale-", "$\\alpha$ = ")
            drawn = {**cycle_look(place), "linestyle": "none", "marker": marker, "markersize": 4}
            curve(axis, data, [data.average(*case, by)], [case], "excess", name, **drawn)
        for width, floor in enumerate(floors):
            if width and floor > 0:
                axis.axhline(floor, color="0.6", linewidth=0.7, linestyle=":", marker="", zorder=0)
                at = (1.01, floor)
                axis.text(
                    *at, f"floor {width}", transform=axis.get_yaxis_transform(), fontsize=5, va="center", ha="left"
                )
        axis.set_yscale("log")
        axis.margins(x=0.1, y=0.15)
        axis.set_xlabel(MATCH_TITLES[by])
        axis.set_ylabel("excess, local (nats)")
        legend_under(axis, columns=4)
    controls = [family.plain, family.window() if family.reaches else family.ones]
    names = (*MATCHES, "row_kl", "row_js", "excess") if family.reaches else (*MATCHES, "excess")
    for case in dict.fromkeys([*scaled, *windows, *(("local", one) for one in controls)]):
        rows += [row(data, case, name, quantity=name) for name in names]
    if family.reaches:
        for task in TASKS:
            cases = [(task, family.scaled(alpha)) for alpha in alphas]
            curve(axes[1, 0], data, alphas, cases, "row_js", task, **look(task))
            dashed = {**look(task), "linestyle": (0, (2, 2)), "linewidth": 0.8}
            level(axes[1, 0], data, (task, family.plain), "row_js", f"plain, {task}", **dashed)
        axes[1, 0].set_title(f"rows: from {family.window()}")
        axes[1, 0].set_ylabel("divergence (nats)")
    else:
        rows += _by_alpha(axes[1, 0], data, family, "local", controls)
    rows += _by_alpha(axes[1, 1], data, family, "far", controls)
    floor = data.average("far", family.plain, "floor")
    axes[1, 1].axhline(floor, color="0.4", linewidth=0.8, linestyle="-", marker="", label="best in the window")
    rows.append({"quantity": "floor", "task": "far", "mean": floor})
    for one in axes[1]:
        alpha_axis(one, alphas)
        legend_under(one)
    beside = ": arms with CosScale beside windows of so many keys; they are matched to the nearest"
    below = (
        "Bottom left: mean Jensen-Shannon divergence of each arm's rows from those of the model trained with a window"
        f" of {study.reach} keys, on the same sequences, queries and seeds (in the CSV KL beside it)."
    )
    if not family.reaches:
        beside, below = "", "Bottom left: excess on the local source; from ones: the same block from w_q = w_k = 1."
    return StudyFigure(
        figure=figure,
        rows=rows,
        title=f"CosScale against windowed attention, {family.title}",
        caption=(
            "Top: exact excess over the Bayes risk on the local source against what each arm's attention measures, the"
            f" width that holds 90% and e^H{beside}. Dotted: the exact floors of windows of so many tokens, which no"
            f" windowed arm passes. {below} Bottom right: excess on the far source at n = m; grey: the best law within"
            " the window. An arm that has not learnt stands with all its seeds; C4 and P8 ask of the local source that"
            f" an arm reads it, with an excess below {study.bounds.reads:.0%} of that without context."
            f" {interval_words(data)}"
        ),
        claims=tuple(f"{PREFIX}{name}" for name in MATCHED[family.block]),
    )
