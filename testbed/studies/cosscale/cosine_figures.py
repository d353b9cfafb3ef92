"""Figures of the attended cosine: figure 4 of the paper with trained members, and eta_1* before and after RoPE."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.attention_theory.cosine_figures import peak_axes
from testbed.studies.attention_theory.data import Data, axes_of
from testbed.studies.cosscale.arms import Family
from testbed.studies.cosscale.config import Role
from testbed.studies.cosscale.drawing import TITLES, alpha_axis, curve, cycle_look, interval_words, point, row
from testbed.studies.cosscale.evidence import TASKS
from testbed.studies.cosscale.results import Case, Floats, Measured, random_cosine
from testbed.studies.cosscale.stated import PREFIX
from testbed.studies.study import StudyFigure
from testbed.studies.tables import Table
from testbed.theory import cosscale_peak

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from testbed.studies.cosscale.study import CosScaleStudy

CLAIMS = {
    "standard": tuple(f"{PREFIX}{name}" for name in ("c3_rises", "c3_mean", "c3_follows", "c3_learnt")),
    "gau": tuple(f"{PREFIX}{name}" for name in ("c3_gau", "c3_gau_mean")),
}
SHARED = {
    "standard": "",
    "gau": " Here q and k share a projection: in the first block equal tokens have cosines near 1 whatever alpha.",
}
SERIES = (
    ("trained with it", "*", "C4", 0.88),
    ("before training", "d", "C6", 1.13),
    ("trained without it", "X", "C3", 1.27),
)
"""Label, marker, colour, and factor by which the points stand beside their alpha, so that none hides another."""


def peak_figure(study: "CosScaleStudy", data: Measured, family: Family) -> StudyFigure:
    """eta_1* against alpha: eq. 18, random keys, trained members, and weights that know no CosScale."""
    import matplotlib.pyplot as plt

    settings, alphas = study.random_keys(family), family.alphas
    every = np.ones(len(data.seeds), dtype=np.bool_)
    simulated = Data(
        data.design(every),
        {"random_keys": {"cosine": Table(axes_of(settings)["cosine"], data.keys[family.block])}},
        {},
        settings.head_dim,
    )
    arms = [(n, "random_keys") for n in study.key_lengths]
    figure, axes = plt.subplots(1, 2, figsize=(7, 3.6), sharey=True)
    rows: list[dict[str, Any]] = [
        {"quantity": "eta_1*, eq. 18", "alpha": a, "mean": float(cosscale_peak(a, family.head_dim))} for a in alphas
    ]
    for at, n in enumerate(study.key_lengths):
        cosine = random_cosine(data, family.block, at)
        rows += [
            {"quantity": "random keys", "n": n, "alpha": a, "mean": float(cosine[:, i].mean())}
            for i, a in enumerate(alphas)
        ]
    for axis, task in zip(axes, TASKS, strict=True):
        peak_axes(axis, simulated, settings, arms)
        for label, marker, colour, beside in SERIES:
            cases, values = _series(data, family, task, label)
            x = [alpha * beside for alpha in alphas]
            gated = label != "before training"
            curve(
                axis,
                data,
                x,
                cases,
                values,
                label,
                gated,
                marker=marker,
                color=colour,
                linestyle="none",
                markersize=5.5,
            )
            rows += [
                row(data, case, one, gated, quantity="eta_1*", weights=label, alpha=alpha)
                for case, one, alpha in zip(cases, values, alphas, strict=True)
            ]
        rows += _plain_point(axis, data, family, task)
        rows += [
            row(data, (task, family.scaled(alpha)), "eta_mean", quantity="mean attended cosine", alpha=alpha)
            for alpha in alphas
        ]
        rows += _by_head(data, family, task)
        axis.set_title(TITLES[task])
    axes[0].set_ylim(top=1.05)
    axes[1].set_ylabel("")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title=f"Figure 4: the peak of the attended cosine against alpha, trained models, {family.title}",
        caption=(
            "eta_1*, the mode of the attended cosine before RoPE, without the diagonal, heads averaged; points of one"
            f" alpha stand side by side. Black: eq. 18 at d = {family.head_dim}; upright ticks: alpha_c(n), beyond"
            " which n random keys saturate. Trained with it: one arm an alpha. Controls: first weights, and weights"
            " trained without CosScale, both read under alpha cos; plain softmax stands at the scale |q| |k| / sqrt d"
            " that it has trained. If the trained points lay on those before training, softmax would tilt random"
            f" cosines and nothing be learnt.{SHARED[family.block]} {interval_words(data)} Heads one by one in the CSV."
        ),
        claims=CLAIMS[family.block],
    )


def _series(data: Measured, family: Family, task: Role, label: str) -> tuple[list[Case], list[Floats]]:
    if label == "trained with it":
        cases: list[Case] = [(task, family.scaled(alpha)) for alpha in family.alphas]
        return cases, [data.at(*case, "eta") for case in cases]
    name = "untrained" if label == "before training" else "tilted"
    return (
        [(task, family.plain)] * len(family.alphas),
        [data.at(task, family.plain, f"{name}-{alpha:g}") for alpha in family.alphas],
    )


def _plain_point(axis: "Axes", data: Measured, family: Family, task: Role) -> list[dict[str, Any]]:
    case: Case = (task, family.plain)
    where = point(data, case, "scale")[0]
    curve(axis, data, [where], [case], "eta", "plain softmax", marker="P", color="C5", linestyle="none", markersize=5.5)
    return [row(data, case, "eta", quantity="eta_1*", weights="plain softmax", alpha=where)]


def _by_head(data: Measured, family: Family, task: Role) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for alpha in family.alphas:
        case: Case = (task, family.scaled(alpha))
        kept = [one for one, keep in zip(data.records[case], data.shown(case), strict=True) if keep]
        if not kept:
            continue
        means = np.mean([one.arrays["cosine_mean"][0, 1, 0] for one in kept], axis=0)
        rows += [
            {"quantity": "mean attended cosine of a head", "task": task, "arm": case[1], "alpha": alpha}
            | {"layer": at[0], "head": at[1], "mean": means[at], "seeds": len(kept)}
            for at in np.ndindex(*means.shape)
        ]
    return rows


COUNTINGS = {
    "all pairs alike": (0, 0),
    "by attention: $\\eta_1^*$": (1, 0),
    "by attention, with the diagonal": (1, 1),
}
"""Weighting and place of `cosine_mean`."""


def countings_figure(data: Measured, family: Family) -> StudyFigure:
    """eta_1* before and after rotation, and the mean cosine counted every way."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 2, figsize=(7, 4.9), sharex=True, sharey=True)
    rows = []
    for line, stage in enumerate(("before", "after")):
        for column, task in enumerate(TASKS):
            axis = axes[line, column]
            theory = [float(cosscale_peak(alpha, family.head_dim)) for alpha in family.alphas]
            axis.plot(family.alphas, theory, color="C2", linestyle=(0, (1.2, 1.2)), marker="", label="eq. 18")
            cases: list[Case] = [(task, family.scaled(alpha)) for alpha in family.alphas]
            eta = "eta" if stage == "before" else "eta_rotated"
            drawn: dict[str, list[Floats]] = {"mode by attention: $\\eta_1^*$": [data.at(*case, eta) for case in cases]}
            for name, (weighting, diagonal) in COUNTINGS.items():
                means = [_means(data, case, line, weighting, diagonal) for case in cases]
                drawn[f"mean, {name.partition(':')[0]}"] = means
            for place, (name, values) in zip((1, 0, 3, 4), drawn.items(), strict=True):
                x = [alpha * 2 ** (0.12 * (place - 2)) for alpha in family.alphas]
                curve(axis, data, x, cases, values, name, **cycle_look(place))
                rows += [
                    row(data, case, one, quantity=name.replace("$\\eta_1^*$", "eta_1*"), rope=stage, alpha=alpha)
                    for case, one, alpha in zip(cases, values, family.alphas, strict=True)
                ]
            alpha_axis(axis, family.alphas)
            axis.set_title(f"{stage} RoPE, {TITLES[task]}")
            axis.set_ylabel("" if column else "cosine of q and k")
            axis.set_xlabel("CosScale $\\alpha$" if line else "")
    axes[0, 0].set_ylim(top=1.05)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title=f"eta_1* before and after RoPE, {family.title}",
        caption=(
            "cos(q, k) over visible pairs (queries of the second half), by alpha, one trained arm each: the mode of the"
            " histogram by attention (200 bins averaged over five), and means counted all pairs alike, by the attention"
            " that each gets, and with the diagonal, the query's own key. RoPE turns pairs apart by distance, so that"
            f" the two rows differ where q and k are aligned. {interval_words(data)}"
        ),
        claims=CLAIMS[family.block],
    )


def _means(data: Measured, case: Case, stage: int, weighting: int, diagonal: int) -> Floats:
    """(n_seeds,); nan where a member diverged."""
    return np.array(
        [
            one.arrays["cosine_mean"][stage, weighting, diagonal].mean() if one.status == "done" else np.nan
            for one in data.records[case]
        ]
    )
