"""Losses over dataset size with the laws fitted to them: tables read early and late, and transformers."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.drawing import style
from testbed.studies.irreducible_loss.claims import STUDY
from testbed.studies.irreducible_loss.classes import COMMON, KINDS, RARE, TRAINED
from testbed.studies.irreducible_loss.data import Data, Floats
from testbed.studies.irreducible_loss.limits import smoothed_errors
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.irreducible_loss.study import IrreducibleLoss

TWO_ERRORS = 1.96


def fitted_curve(sizes: Floats, losses: Floats, fit: Floats, at: Floats) -> Floats:
    """C_0 + C x^-gamma at `at`, from a row of limits; C by least squares on the losses (n, S) that were fitted."""
    weights = smoothed_errors(sizes, losses) ** -2.0
    shape = (sizes / sizes[0]) ** -fit[3]
    amplitude = float((weights * shape * (losses.mean(axis=1) - fit[0])).sum() / (weights * shape**2).sum())
    return np.asarray(fit[0] + amplitude * (at / sizes[0]) ** -fit[3])


def early_figure(study: "IrreducibleLoss", data: Data) -> StudyFigure:
    """One panel a class: the first draw's losses above h_l, early and late, and both fits carried on."""
    import matplotlib.pyplot as plt

    names = (*COMMON, *RARE)
    figure, axes = plt.subplots(2, (len(names) + 1) // 2, figsize=(7.4, 4.6), sharey=True)
    rows: list[dict[str, Any]] = []
    for axis, name in zip(axes.flat, names, strict=False):
        one = data.curves["table"][name]
        truth = one["truth"][0]
        every = np.geomspace(one["early_sizes"][0, 0], one["late_sizes"][0, -1], 200)
        axis.axhline(0.0, color="0.3", linewidth=1.0, label="Bayes loss")
        for place, sweep in enumerate(("early", "late")):
            sizes, losses, fit = one[f"{sweep}_sizes"][0], one[f"{sweep}_losses"][0], one[f"{sweep}_power"][0]
            bars = TWO_ERRORS * smoothed_errors(sizes, losses)
            drawn = style(place) | {"linestyle": "none", "markersize": 3.5, "markerfacecolor": "none"}
            axis.errorbar(sizes, losses.mean(axis=1) - truth, yerr=bars, label=f"{sweep} sizes", **drawn)
            curve = fitted_curve(sizes, losses, fit, every) - truth
            label = f"power law of the {sweep} ones"
            axis.plot(every, curve, color=style(place)["color"], linestyle=("--", ":")[place], marker="", label=label)
            if np.isfinite(fit[0]):
                axis.annotate(
                    "", (every[-1] * 3, fit[0] - truth), (every[-1] * 30, fit[0] - truth),
                    arrowprops={"arrowstyle": "->", "color": style(place)["color"]}, annotation_clip=True,
                )  # fmt: skip
            rows += [
                {
                    "class": KINDS[name].label,
                    "sweep": sweep,
                    "targets": float(size),
                    "loss": float(mean),
                    "error": float(bar / TWO_ERRORS),
                    "bayes_loss": float(truth),
                    "fitted_limit": float(fit[0]),
                    "lower": float(fit[1]),
                    "upper": float(fit[2]),
                    "fitted_exponent": float(fit[3]),
                }
                for size, mean, bar in zip(sizes, losses.mean(axis=1), bars, strict=True)
            ]
        axis.set(xscale="log", title=KINDS[name].label)
        axis.set_yscale("symlog", linthresh=1e-3)
        axis.set_ylim(-3.0, 3.0)
        axis.set_xlim(every[0] / 2, every[-1] * 40)
        axis.title.set_fontsize(8)
        axis.tick_params(labelsize=6)
        axis.set_yticks([-1, -1e-1, -1e-2, -1e-3, 0, 1e-3, 1e-2, 1e-1, 1])
    for axis in axes.flat[len(names) :]:
        axis.remove()
    for axis in axes[:, 0]:
        axis.set_ylabel("loss - Bayes loss (nats)", fontsize=8)
    for axis in axes[-1]:
        axis.set_xlabel("targets D", fontsize=8)
    figure.legend(*axes.flat[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=7)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Where the fitted law ends",
        caption=(
            "Losses of tables on the first source of each class, above the exact Bayes loss of the window (line; the"
            " axis is linear within 0.001 nats), at early and late sizes (bars: 95 % of the mean), each with the power"
            " law and constant fitted to it, carried on. An arrow marks the fitted constant; one that lies below the"
            " frame is not seen."
        ),
        claims=tuple(f"{STUDY}.{name}" for name in ("late", "early", "early_low", "rare")),
    )


def trained_figure(study: "IrreducibleLoss", data: Data) -> StudyFigure:
    """One panel a class: all draws' transformers over D, above h_l, with the first draw's fit."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(TRAINED), figsize=(7.4, 2.9), sharey=True)
    rows: list[dict[str, Any]] = []
    for axis, name in zip(axes, TRAINED, strict=True):
        one = data.trained[name]
        sizes = one["sizes"][0]
        axis.axhline(0.0, color="0.3", linewidth=1.0, label="Bayes loss")
        for draw, (losses, truth, fit) in enumerate(zip(one["losses"], one["truth"], one["power"], strict=True)):
            errors = smoothed_errors(sizes, losses)
            drawn = style(draw) | {"linestyle": "none", "markersize": 3.0, "markerfacecolor": "none"}
            label = "losses of a source" if draw == 0 else None
            axis.errorbar(sizes, losses.mean(axis=1) - truth, yerr=TWO_ERRORS * errors, label=label, **drawn)
            limit = fit[:3] - truth
            end = sizes[-1] * 2.5 * 1.35**draw
            ends = np.clip(limit[1:], -5.0, 5.0)
            axis.plot([end, end], ends, color=style(draw)["color"], linewidth=1.2, linestyle="-", marker="")
            axis.plot(
                end, np.clip(limit[0], -5, 5), color=style(draw)["color"], marker="_", markersize=6, linestyle="none",
                label="its limit and 95 % interval" if draw == 0 else None,
            )  # fmt: skip
            axis.plot(
                end, one["floor"][draw] - truth, color="0.2", marker="x", markersize=3.5, linestyle="none",
                label="endless stream" if draw == 0 else None,
            )  # fmt: skip
            rows += [
                {
                    "class": KINDS[name].label,
                    "draw": draw,
                    "targets": float(size),
                    "loss": float(mean),
                    "error": float(error),
                    "bayes_loss": float(truth),
                    "endless": float(one["floor"][draw]),
                    "fitted_limit": float(fit[0]),
                    "lower": float(fit[1]),
                    "upper": float(fit[2]),
                }
                for size, mean, error in zip(sizes, losses.mean(axis=1), errors, strict=True)
            ]
        axis.set(xscale="log", title=KINDS[name].label, xlabel="targets D")
        axis.set_yscale("symlog", linthresh=1e-3)
        axis.set_ylim(-2.0, 2.0)
        axis.set_yticks([-1, -1e-1, -1e-2, -1e-3, 0, 1e-3, 1e-2, 1e-1, 1])
        axis.title.set_fontsize(8)
        axis.tick_params(labelsize=6)
    axes[0].set_ylabel("loss - Bayes loss (nats)", fontsize=8)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=7)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Transformers",
        caption=(
            "Losses of transformers above the exact Bayes loss of their window, stopped where the held-out loss is"
            " least (one colour and marker a source; bars: 95 % of the mean over training sets). At the right of each"
            " panel: the constant of the power law fitted to each source's losses with its 95 % interval (cut at the"
            " frame), and the loss of the same transformer on an endless stream."
        ),
        claims=(f"{STUDY}.trained", f"{STUDY}.trained_floor"),
    )
