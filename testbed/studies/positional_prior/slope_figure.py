"""The harmonic slope of least excess against the exponent of the lag law, trained and exact."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.drawing import LEVEL, style
from testbed.studies.positional_prior.claims import STUDY
from testbed.studies.positional_prior.data import Data
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.positional_prior.study import PositionalPrior


def slope_figure(study: "PositionalPrior", data: Data) -> StudyFigure:
    """Left: excess against the slope; right: where it is least, against a."""
    import matplotlib.pyplot as plt

    design, slopes = data.design, data.sweep_slopes
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.4, 3.8))
    rows: list[dict[str, Any]] = []
    for number, (source, a) in enumerate(zip(design.powers, design.exponents, strict=True)):
        look = style(number) | {"linestyle": "-"}
        found = np.array([data.interval(column) for column in data.sweep[source].T])
        bars = np.abs(found[:, 1:] - found[:, :1]).T
        left.errorbar(slopes, found[:, 0], yerr=bars, capsize=2, markersize=4, label=f"a = {a:g}", **look)
        exact = data.exact[source].arrays
        left.plot(exact["harmonic_fine"], exact["harmonic_fine_excess"], color=look["color"], linestyle=":", marker="")
        rows += [
            {"a": a, "slope": m, "excess": one[0], "lower": one[1], "upper": one[2], "exact": e}
            for m, one, e in zip(slopes, found.tolist(), exact["harmonic_excess"], strict=True)
        ]
    left.plot([], [], color="0.4", linestyle=":", marker="", label="exact read-out")
    left.set_xlim(slopes[0] - 0.15, slopes[-1] + 0.15)
    left.set_ylim(bottom=0, top=1.15 * max(float(one.mean(axis=0).max()) for one in data.sweep.values()))
    left.set_xlabel("slope m of the harmonic bias")
    left.set_ylabel("excess (nats)")
    left.legend(fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
    a_range = np.array(design.exponents)
    best = np.array([data.interval(data.best_slope(source)) for source in design.powers])
    right.errorbar(
        a_range, best[:, 0], yerr=np.abs(best[:, 1:] - best[:, :1]).T, capsize=3, label="trained", **style(0)
    )
    for number, name in ((1, "best"), (2, "best_brier")):
        values = [getattr(data.exact[source], name) for source in design.powers]
        label = "exact read-out, KL" if name == "best" else "exact read-out, Brier"
        right.plot(
            a_range, values, label=label, markersize=8 if number == 1 else 3, markerfacecolor="none", **style(number)
        )
        rows += [{"a": a, "best": label, "slope": m} for a, m in zip(design.exponents, values, strict=True)]
    rows += [
        {"a": a, "best": "trained", "slope": m, "lower": low, "upper": high}
        for a, (m, low, high) in zip(design.exponents, best.tolist(), strict=True)
    ]
    right.plot(a_range, a_range, color="0.6", linestyle="--", linewidth=0.9, marker="", label="m = a")
    right.plot(a_range, 1 + a_range, color="0.3", linestyle="-.", linewidth=0.9, marker="", label="m = 1 + a")
    right.set_xlabel("exponent a of the lag law $l^{-(1 + a)}$")
    right.set_ylabel("slope of least excess")
    right.legend(fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=3)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="The best harmonic slope against the exponent of the lags",
        caption=(
            f"Left: excess of trained models with a fixed slope, mean over {study.n_seeds} replicates with {LEVEL:.0%}"
            " intervals of the mean; dotted, of the same colour, of a read-out whose weights are the prior itself (a"
            " mean of exact divergences over sampled contexts; no training). What a trained model has above it at its"
            " best slope is training; what it has below it at others it reads off the tokens. Right: the slope at which"
            " it is least, the vertex of the parabola through the least point and its neighbours in each replicate; of"
            " the exact read-out by KL and by the Brier excess, which is exact; m = a, and m = 1 + a, the fall of the"
            " law."
            f" The claim of trained models' slopes, within {study.bounds.slope:g} of the read-out's, allows a bias; the"
            " notes give it."
        ),
        claims=tuple(f"{STUDY}.{name}" for name in ("slope_is_a", "slope_tail", "slope_exact", "slope_tracks")),
    )
