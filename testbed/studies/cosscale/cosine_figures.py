"""Figures of the attended cosine: figure 4 of the paper with trained members, and all ways of counting it."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.attention_theory.cosine_figures import TrainedPeak, peak_axes
from testbed.studies.attention_theory.data import Data, axes_of
from testbed.studies.cosscale.arms import Family
from testbed.studies.cosscale.claims import PREFIX
from testbed.studies.cosscale.drawing import TITLES, alpha_axis, curve, cycle_look, interval_words, row
from testbed.studies.cosscale.evidence import TASKS
from testbed.studies.cosscale.results import Floats, Measured, random_cosine
from testbed.studies.study import StudyFigure
from testbed.studies.tables import Table
from testbed.theory import cosscale_peak

if TYPE_CHECKING:
    from testbed.studies.cosscale.study import CosScaleStudy

CLAIMS = {
    "standard": tuple(f"{PREFIX}{name}" for name in ("c3_rises", "c3_follows", "c3_learnt")),
    "gau": (f"{PREFIX}c3_gau",),
}
SHARED = {
    "standard": "",
    "gau": " Here q and k share a projection: in the first block equal tokens have cosines near 1 whatever alpha.",
}
NAMES = {"untrained": "before training", "tilted": "trained without it"}


def peak_figure(study: "CosScaleStudy", data: Measured, family: Family) -> StudyFigure:
    """eta_1* against alpha: eq. 18, random keys, trained members, and weights that know no CosScale."""
    import matplotlib.pyplot as plt

    settings, alphas = study.random_keys(family), family.alphas
    simulated = Data(
        data.design,
        {"random_keys": {"cosine": Table(axes_of(settings)["cosine"], data.keys[family.block])}},
        {},
        settings.head_dim,
    )
    arms = [(n, "random_keys") for n in study.key_lengths]
    figure, axes = plt.subplots(1, 2, figsize=(7, 3.5), sharey=True)
    rows: list[dict[str, Any]] = [
        {"quantity": "eta_1*, eq. 18", "alpha": a, "mean": float(cosscale_peak(a, family.head_dim))} for a in alphas
    ]
    for at, n in enumerate(study.key_lengths):
        cosine = random_cosine(data, family.block, at)
        rows += [row(data, cosine[:, i], quantity="random keys", n=n, alpha=a) for i, a in enumerate(alphas)]
    for axis, task in zip(axes, TASKS, strict=True):
        trained = []
        for alpha in alphas:
            cases = [("trained with it", data.at(task, family.scaled(alpha), "eta"))]
            cases += [(NAMES[key], data.at(task, family.plain, f"{key}-{alpha:g}")) for key in ("tilted", "untrained")]
            for label, values in cases:
                trained.append(TrainedPeak(alpha, *data.interval(values), label))
                rows.append(row(data, values, quantity="eta_1*", task=task, weights=label, alpha=alpha))
            mean = data.at(task, family.scaled(alpha), "eta_mean")
            rows.append(
                row(data, mean, quantity="mean attended cosine", task=task, weights="trained with it", alpha=alpha)
            )
        trained.append(_plain_point(data, family, task))
        rows.append(
            row(data, data.at(task, family.plain, "eta"), quantity="eta_1*", task=task, weights="plain softmax")
        )
        rows += _by_head(data, family, task)
        peak_axes(axis, simulated, settings, arms, sorted(trained, key=lambda one: _ORDER.index(one.label)))
        axis.set_title(TITLES[task])
        axis.set_ylim(-1.05, 1.05)
    axes[1].set_ylabel("")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title=f"Figure 4: the peak of the attended cosine against alpha, trained models, {family.title}",
        caption=(
            "eta_1*, the mode of the attended cosine before RoPE, without the diagonal, heads averaged."
            f" Black: eq. 18 at d = {family.head_dim}; upright ticks: alpha_c(n), beyond which n random keys saturate."
            " Trained with it: one arm an alpha. Controls: first weights, and weights trained without CosScale, both"
            " read under alpha cos; plain softmax stands at the scale |q| |k| / sqrt d that it has trained. If the"
            " trained points lay on those before training, softmax would tilt random cosines and nothing be learnt."
            f"{SHARED[family.block]} {interval_words(data)} Per layer and head in the CSV (averages over seeds)."
        ),
        claims=CLAIMS[family.block],
    )


_ORDER = ("trained with it", "plain softmax", "before training", "trained without it")


def _plain_point(data: Measured, family: Family, task: Any) -> TrainedPeak:
    where = float(data.at(task, family.plain, "scale").mean())
    return TrainedPeak(where, *data.interval(data.at(task, family.plain, "eta")), "plain softmax")


def _by_head(data: Measured, family: Family, task: Any) -> list[dict[str, Any]]:
    rows = []
    for alpha in family.alphas:
        modes = np.mean(
            [one.arrays["cosine_mode"][0, 1, 0] for one in data.records[task, family.scaled(alpha)]], axis=0
        )
        rows += [
            {
                "quantity": "eta_1* of a head",
                "task": task,
                "alpha": alpha,
                "layer": at[0],
                "head": at[1],
                "mean": modes[at],
            }
            for at in np.ndindex(*modes.shape)
        ]
    return rows


COUNTINGS = {
    "all pairs alike": (0, 0),
    "by attention": (1, 0),
    "by attention, with the diagonal": (1, 1),
}
"""Weighting and place of `cosine_mode`."""


def countings_figure(data: Measured, family: Family) -> StudyFigure:
    """The mode of the cosine, before and after rotation, counted every way."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 2, figsize=(7, 4.8), sharex=True, sharey=True)
    rows = []
    for line, stage in enumerate(("before", "after")):
        for column, task in enumerate(TASKS):
            axis = axes[line, column]
            theory = [float(cosscale_peak(alpha, family.head_dim)) for alpha in family.alphas]
            axis.plot(family.alphas, theory, color="C2", linestyle=(0, (1.2, 1.2)), marker="", label="eq. 18")
            for place, (name, (weighting, diagonal)) in zip((0, 1, 3), COUNTINGS.items(), strict=True):
                values: list[Floats] = []
                for alpha in family.alphas:
                    arrays = [one.arrays for one in data.records[task, family.scaled(alpha)]]
                    modes = np.array([one["cosine_mode"][line, weighting, diagonal].mean() for one in arrays])
                    means = np.array([one["cosine_mean"][line, weighting, diagonal].mean() for one in arrays])
                    values.append(modes)
                    labels = {"task": task, "rope": stage, "counted": name, "alpha": alpha}
                    rows.append(row(data, modes, quantity="mode", **labels))
                    rows.append(row(data, means, quantity="mean", **labels))
                curve(axis, data, family.alphas, values, name, **cycle_look(place))
            alpha_axis(axis, family.alphas)
            axis.set_ylim(-1.05, 1.05)
            axis.set_title(f"{stage} RoPE, {TITLES[task]}")
            axis.set_ylabel("" if column else "mode of the cosine")
            axis.set_xlabel("CosScale $\\alpha$" if line else "")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title=f"The cosine of trained q and k, counted every way, {family.title}",
        caption=(
            "Mode of the histogram of cos(q, k) over visible pairs (queries of the second half, 200 bins averaged over"
            " five), by alpha, one trained arm each. All pairs alike, or each by the attention that it gets; the"
            " diagonal is the query's own key. RoPE turns pairs apart by distance, so that the two rows differ where"
            f" q and k are aligned. Means beside the modes in the CSV. {interval_words(data)}"
        ),
        claims=CLAIMS[family.block],
    )
