"""What the power law leaves of R(l): residuals of its fits over the draws of every class, and its exponents."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.measures.decay import POWER
from testbed.measures.decay.fit import fit_many
from testbed.measures.decay.projection import Projection
from testbed.studies.bayes_risk_law.claims import STUDY
from testbed.studies.bayes_risk_law.classes import KINDS, OTHERS, POWERS, Floats
from testbed.studies.bayes_risk_law.data import Data
from testbed.studies.bayes_risk_law.fits import fall_of
from testbed.studies.drawing import LEVEL, style
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.bayes_risk_law.study import BayesRiskLaw

LEAST_FRAME = 1.0  # per cent: smaller residuals are drawn on one scale, so that none looks large
MANY = 2  # draws from which there is an interval


def residuals_figure(study: "BayesRiskLaw", data: Data) -> StudyFigure:
    """One panel a class: (exact curve - fitted power law) over the fall, mean over draws."""
    import matplotlib.pyplot as plt

    names = (*POWERS, *OTHERS)
    figure, axes = plt.subplots(3, 5, figsize=(7.4, 5.2))
    rows: list[dict[str, Any]] = []
    for axis, name in zip(axes.flat, names, strict=True):
        one = data.kinds[name]
        lengths = one["lengths"]
        left = 100 * residuals(lengths, one["risk"])
        found = np.array([_interval(data, column) for column in left.T])
        noise = 100 * study.reading.noise
        axis.axhspan(-noise, noise, color="0.9", zorder=0, label="one standard error of a measurement")
        axis.axhline(0.0, color="0.4", linewidth=0.8, linestyle="-", marker="")
        axis.errorbar(
            lengths,
            found[:, 0],
            yerr=[found[:, 0] - found[:, 1], found[:, 2] - found[:, 0]],
            capsize=1.0,
            elinewidth=0.7,
            label="exact curve less its best power law",
            **{**style(0 if KINDS[name].power else 1), "linewidth": 0.8, "markersize": 2.5},
        )
        reach = max(LEAST_FRAME, 1.15 * float(np.abs(found).max()))
        axis.set_ylim(-reach, reach)
        axis.set_xscale("log")
        if lengths.max() < 10 * lengths.min():  # less than a decade
            ends = [int(lengths.min()), int(np.sqrt(lengths.min() * lengths.max())), int(lengths.max())]
            axis.set_xticks(ends, [str(one) for one in ends])
        axis.minorticks_off()
        axis.tick_params(labelsize=6)
        known = _mean(one["truth"])
        title = f"γ {_mean(one['exact_gamma']):.2f}, known {known:.2f}" if KINDS[name].power else "no such law"
        axis.set_title(f"{KINDS[name].label}\n{title}", fontsize=7)
        rows += [
            {"class": KINDS[name].label, "context_length": float(l), "residual_percent_of_fall": float(a)}
            | {"lower": float(b), "upper": float(c), "mean_known_gamma": known}
            | {"mean_gamma_of_exact_curve": _mean(one["exact_gamma"]), "mean_gamma_measured": _mean(one["gamma"])}
            for l, (a, b, c) in zip(lengths, found, strict=True)
        ]
    for axis in axes[-1]:
        axis.set_xlabel("context length l", fontsize=7)
    for axis in axes[:, 0]:
        axis.set_ylabel("residual (% of fall)", fontsize=7)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="What the power law leaves of R(l)",
        caption=(
            "Exact Bayes risk less its least-squares C₀ + C / l^γ, over the fall of the window; mean over"
            f" {study.replicates} draws, bars: {LEVEL:.0%} intervals. Frames differ; none is narrower than"
            f" {LEAST_FRAME:g} %. Grey: the error of one measured point. Titles: mean γ of the exact curves in this"
            " window, and the mean of the known ones (draws differ in γ)."
            " Small residuals make no power law: those of a logarithm and of parity B lie within the error of a point,"
            " and what rejects them is a limit below zero."
        ),
        claims=tuple(
            f"{STUDY}.{name}" for name in (*(f"rejected_{one}" for one in OTHERS), "exponent_from_start", "limit")
        ),
        shows=("2502.01481 F9",),
    )


def residuals(lengths: Floats, curves: Floats) -> Floats:
    """(R, n) curves (R, n) less their least-squares C_0 + C / l^gamma, over each curve's fall."""
    problem = Projection.of(POWER, lengths, None, None)
    theta, _ = fit_many(problem, curves)
    constant, amplitude, _ = problem.linear(curves, theta)
    fitted = constant[:, None] + amplitude[:, None] * lengths ** -np.exp(theta[:, :1])
    return np.asarray((curves - fitted) / fall_of(curves)[:, None])


def _interval(data: Data, values: Floats) -> tuple[float, float, float]:
    """Mean with its interval of level LEVEL; a law without anything drawn at random is a point."""
    if len(values) < MANY or np.ptp(values) == 0:
        return float(values[0]), float(values[0]), float(values[0])
    found = data.mean(values)
    return found.estimate, *found.interval((1 - LEVEL) / 2)


def _mean(values: Floats) -> float:
    return float(np.mean(values))
