"""R(l) of one draw of every class, with the power law fitted to it and the one fitted to its first part."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.bayes_risk_law.claims import STUDY
from testbed.studies.bayes_risk_law.classes import KINDS, OTHERS, POWERS
from testbed.studies.bayes_risk_law.data import Data
from testbed.studies.bayes_risk_law.fits import extrapolated, fall_of, power_fits, seen_part
from testbed.studies.drawing import style
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.bayes_risk_law.study import BayesRiskLaw


def curves_figure(study: "BayesRiskLaw", data: Data) -> StudyFigure:
    """One panel a class: measured R(l) - R(longest) over its fall."""
    import matplotlib.pyplot as plt

    names = (*POWERS, *OTHERS)
    figure, axes = plt.subplots(3, 5, figsize=(7.4, 5.2), sharey=True)
    rows: list[dict[str, Any]] = []
    for axis, name in zip(axes.flat, names, strict=True):
        one = data.kinds[name]
        lengths, exact, measured = one["lengths"], one["risk"][:1], one["measured"][:1]
        fall = fall_of(exact)[0]
        gamma, constant, _ = power_fits(lengths, measured)
        amplitude = np.polyfit(lengths ** -gamma[0], measured[0] - constant[0], 1)[0]
        fitted = constant[0] + amplitude * lengths ** -gamma[0]
        ahead = extrapolated(lengths, measured)[0]
        seen = seen_part(lengths)

        def scaled(values: Any, low: float = exact[0, -1], over: float = fall) -> Any:
            return (np.asarray(values) - low) / over

        axis.plot(lengths, scaled(exact[0]), color="0.3", linewidth=1.0, linestyle="-", marker="", label="exact")
        axis.errorbar(
            lengths,
            scaled(measured[0]),
            yerr=study.reading.noise,
            label="measured",
            **{**style(0), "linestyle": "none", "markersize": 2.5},
        )
        axis.plot(lengths, scaled(fitted), color="C1", linewidth=1.0, linestyle="--", marker="", label="power law")
        axis.plot(
            lengths[~seen],
            np.clip(scaled(ahead[~seen]), -0.5, 1.5),
            color="C2",
            linewidth=1.2,
            linestyle=":",
            marker="",
            label="fitted to the first part",
        )
        accepted = one["accepted"]
        axis.set_title(f"{KINDS[name].label}\naccepted {int(accepted.sum())} of {len(accepted)}", fontsize=7)
        axis.set_xscale("log")
        if lengths.max() < 10 * lengths.min():  # less than a decade
            ends = [int(lengths.min()), int(np.sqrt(lengths.min() * lengths.max())), int(lengths.max())]
            axis.set_xticks(ends, [str(one) for one in ends])
            axis.minorticks_off()
        axis.set_ylim(-0.4, 1.15)
        axis.tick_params(labelsize=6)
        for place, length in enumerate(lengths):
            rows.append(
                {
                    "class": KINDS[name].label,
                    "context_length": float(length),
                    "bayes_risk": float(exact[0, place]),
                    "measured": float(measured[0, place]),
                    "error": float(study.reading.noise * fall),
                    "power_law": float(fitted[place]),
                    "power_law_of_first_part": float(ahead[place]),
                }
            )
    for axis in axes[-1]:
        axis.set_xlabel("context length l", fontsize=7)
    for axis in axes[:, 0]:
        axis.set_ylabel("R(l), of its fall", fontsize=7)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="R(l) and the power law",
        caption=(
            "Exact Bayes risk of the first draw of every class, less its last value and over its fall (line); the same"
            f" measured (marks; bars: one standard error, {study.reading.noise:.0%} of the fall); C₀ + C / l^γ fitted"
            " to all marks (dashed), and to those up to an eighth of the longest context, or the middle of a short"
            " window, beyond it (dotted, cut at the frame). In the titles: draws that the rule accepts. Upper row:"
            " the classes that it should."
        ),
        claims=tuple(f"{STUDY}.{name}" for name in (*(f"accepted_{one}" for one in POWERS), "limit")),
        shows=("2502.01481 F9",),
    )
