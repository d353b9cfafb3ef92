"""The figures, from records alone."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.runs import Record
from testbed.studies.bayes_risk_law.claims import STUDY
from testbed.studies.bayes_risk_law.classes import KINDS, OTHERS, POWERS
from testbed.studies.bayes_risk_law.curve_figure import curves_figure
from testbed.studies.bayes_risk_law.data import Data, gather
from testbed.studies.bayes_risk_law.residual_figure import residuals_figure
from testbed.studies.bayes_risk_law.state_figure import states_figure
from testbed.studies.drawing import LEVEL, style
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.bayes_risk_law.study import BayesRiskLaw


def figures(study: "BayesRiskLaw", records: Sequence[Record]) -> dict[str, StudyFigure]:
    """Every figure, once all cells are done."""
    data = gather(study, records)
    if data is None:
        return {}
    return {
        "curves": curves_figure(study, data),
        "residuals": residuals_figure(study, data),
        "rule": rule_figure(study, data),
        "exponents": exponents_figure(study, data),
        "states": states_figure(study, data),
    }


def rule_figure(study: "BayesRiskLaw", data: Data) -> StudyFigure:
    """Share of draws that the rule accepts, and that R^2 would."""
    import matplotlib.pyplot as plt

    names = (*POWERS, *OTHERS)
    figure, axis = plt.subplots(figsize=(7, 3.9))
    rows: list[dict[str, Any]] = []
    for place, (label, shift) in enumerate((("the rule", -0.14), (f"R² ≥ {study.bounds.r_squared:g}", 0.14))):
        found = []
        for name in names:
            one = data.kinds[name]
            flags = one["accepted"] == 1 if place == 0 else one["r_squared"] >= study.bounds.r_squared
            part = data.share(flags)
            low, high = part.interval((1 - LEVEL) / 2)
            found.append((part.estimate, low, high))
            rows.append(
                {"class": KINDS[name].label, "accepted by": label, "share": part.estimate, "lower": low, "upper": high}
            )
        middle, low, high = np.array(found).T
        axis.errorbar(
            middle,
            np.arange(len(names)) + shift,
            xerr=[middle - low, high - middle],
            capsize=1.5,
            label=label,
            **{**style(place), "linestyle": "none", "markersize": 4},
        )
    axis.axhline(len(POWERS) - 0.5, color="0.5", linewidth=0.8, linestyle="-", marker="")
    axis.axvspan(study.bounds.few, study.bounds.share, color="0.92", zorder=0)
    axis.set_yticks(range(len(names)), [KINDS[name].label for name in names])
    axis.set_ylim(len(names) - 0.4, -0.6)
    axis.set_xlim(-0.03, 1.03)
    axis.set_xlabel("share of draws accepted as C₀ + C / l^γ")
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Power laws and what only looks like one",
        caption=(
            f"Share of measured curves (errors {study.reading.noise:.0%} of the fall) that are accepted as a power law"
            " with a constant: by the rule (AICc against four other laws, extrapolation, a limit that is no negative"
            " entropy), and by R² alone. Above the line: sources whose R(l) is such a law in the end; below it:"
            f" sources with another law. Bars: exact binomial {LEVEL:.0%} intervals over {study.replicates} draws."
            " Grey: between few and most."
        ),
        claims=tuple(
            f"{STUDY}.{name}"
            for name in (*(f"accepted_{one}" for one in POWERS), *(f"rejected_{one}" for one in OTHERS), "r_squared")
        ),
    )


def exponents_figure(study: "BayesRiskLaw", data: Data) -> StudyFigure:
    """Fitted over known exponent, from the window's start and from the late one."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(7, 3.4), sharey=True)
    rows: list[dict[str, Any]] = []
    parts = (
        (axes[0], "exact_gamma", f"l from {study.reading.start}"),
        (axes[1], "late_gamma", f"l from {study.reading.late_start}"),
    )
    for axis, which, title in parts:
        for place, name in enumerate(POWERS):
            one = data.kinds[name]
            order = np.argsort(one["truth"], kind="stable")
            ratio = (one[which] / one["truth"])[order]
            truth = one["truth"][order]
            if name == "coin":  # one exponent for all: set apart by number
                truth = truth + np.linspace(-0.04, 0.04, len(truth))
            look = {**style(place), "linestyle": "none", "markersize": 3}
            label = KINDS[name].label
            if which == "exact_gamma":
                low, high = (one[end][order] / one["truth"][order] for end in ("lower", "upper"))
                axis.vlines(truth, low, np.minimum(high, 3.0), color=look["color"], linewidth=0.5, alpha=0.35)
            axis.plot(truth, ratio, label=label, **look)
            rows += [
                {
                    "class": label,
                    "window": title,
                    "gamma": float(one["truth"][i]),
                    "fitted to the exact curve": float(one[which][i]),
                    "lower, measured": float(one["lower"][i]) if which == "exact_gamma" else float("nan"),
                    "upper, measured": float(one["upper"][i]) if which == "exact_gamma" else float("nan"),
                }
                for i in range(len(one["truth"]))
            ]
        axis.axhspan(1 - study.bounds.exponent, 1 + study.bounds.exponent, color="0.9", zorder=0)
        axis.axhline(1.0, color="0.4", linewidth=0.8, linestyle="-", marker="")
        axis.set_xlabel("known exponent γ")
        axis.set_title(f"{title} to {study.reading.longest}")
    axes[0].set_ylim(0.6, 1.3)
    axes[0].set_ylabel("fitted γ / known γ")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="The exponent, fitted and known",
        caption=(
            "γ of C₀ + C / l^γ fitted to exact curves, over the exponent that h_l - h has as l grows; each point one"
            f" draw. Left, thin lines: {LEVEL:.0%} profile intervals from the same curve measured to"
            f" {study.reading.noise:.0%} of its fall, cut at the frame: they do not hold the known exponent where the"
            " window begins before the law does. Grey: the bound of the claims. Unknown coins all have γ = 1 and are"
            " set side by side. Right: exact curves, no error."
        ),
        claims=tuple(f"{STUDY}.{name}" for name in (*(f"exponent_{one}" for one in POWERS), "exponent_from_start")),
        shows=("2502.01481 F9",),
    )
