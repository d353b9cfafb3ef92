"""Figures of cosine attention: the peak against alpha (figure 4 of the paper), and the window under RoPE."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.attention_theory.claims import STUDY
from testbed.studies.attention_theory.config import RandomKeys
from testbed.studies.attention_theory.cosine_claims import WINDOW
from testbed.studies.attention_theory.data import Data
from testbed.studies.attention_theory.drawing import closed_rows, curve, interval_words, table_rows
from testbed.studies.drawing import style
from testbed.studies.study import StudyFigure
from testbed.theory import cosscale_peak, critical_cosine_scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from testbed.studies.attention_theory.study import AttentionTheory


@dataclass(frozen=True)
class TrainedPeak:
    """The attended cosine of a trained model, for the figure of the peak: what a later study adds to it."""

    alpha: float
    cosine: float
    lower: float
    upper: float
    label: str = "trained"

    def row(self) -> dict[str, Any]:
        return {
            "quantity": self.label,
            "alpha": self.alpha,
            "mean": self.cosine,
            "lower": self.lower,
            "upper": self.upper,
        }


def peak_figure(study: "AttentionTheory", data: Data, trained: Sequence[TrainedPeak] = ()) -> StudyFigure:
    """eta_1* of eq. 18 against alpha, the cosine attended among random keys, and trained models' if there are any."""
    import matplotlib.pyplot as plt

    settings, many = study.random_keys, study.random_keys_many
    d = settings.head_dim
    figure, axis = plt.subplots(figsize=(5.4, 3.3))
    shown = [n for n in settings.lengths if n in (64, 1024, 4096)] or list(settings.lengths)
    arms = [(n, "random_keys") for n in shown] + [(n, "random_keys_many") for n in many.lengths]
    peak_axes(axis, data, settings, arms, trained)
    axis.set_ylim(0, 1)
    axis.legend(loc="upper left")
    rows = closed_rows("eta_1*", data.closed["peak"])
    for arm in ("random_keys", "random_keys_many"):
        rows += table_rows(data, "attended cosine of random keys", data.arms[arm]["cosine"])
        rows += table_rows(data, "largest cosine of random keys", data.arms[arm]["largest_cosine"])
    rows += [one.row() for one in trained]
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="The peak of the attended cosine against alpha",
        caption=(
            f"Black: the theoretical peak eta_1* at d = {d} (c = d instead of d - 3 moves it by two per cent at most)."
            " Markers: mean cosine under softmax(alpha cos) over n random keys. Beyond alpha_c(n) = (d - 3) I(n)"
            " n^(2/d), the upright ticks on the black line, there is none of n keys at the peak, and the attended"
            " cosine stays near the largest one drawn. A trained model that follows the line beyond its tick has"
            f" aligned q and k: softmax alone cannot do it. {interval_words(data)}"
        ),
        claims=tuple(f"{STUDY}.{name}" for name in ("c3_peak", "p6_follows", "p6_saturates")),
    )


def peak_axes(
    axis: "Axes",
    data: Data,
    settings: RandomKeys,
    arms: Sequence[tuple[int, str]],
    trained: Sequence[TrainedPeak] = (),
) -> None:
    """eta_1* of eq. 18, random keys by (n, arm of the data), and trained models, against alpha; no legend."""
    d, scales = settings.head_dim, settings.scales
    dense = np.geomspace(min(scales) / 1.3, max(scales) * 1.3, 300)
    theory = np.asarray(cosscale_peak(dense, d))
    axis.plot(dense, theory, color="C2", marker="", linestyle="-", label="$\\eta_1^*$, eq. 18 (c = d - 3)")
    for place, (n, arm) in zip((0, 1, 3, 4, 5, 6), arms, strict=False):
        look = {**style(place), "linewidth": 0.9, "markersize": 3.5}
        curve(axis, data, scales, data.arms[arm]["cosine"].at(law="none", n=n), f"random keys, n = {n}", **look)
        critical = float(critical_cosine_scale(n, d))
        at_critical = {**look, "linestyle": "none", "marker": "|", "markersize": 11, "markeredgewidth": 1.6}
        axis.plot([critical], [float(cosscale_peak(critical, d))], **at_critical)
    _trained_points(axis, trained)
    axis.set_xscale("log", base=2)
    axis.set_xticks(list(scales), [f"{alpha:g}" for alpha in scales])
    axis.set_xlabel("CosScale $\\alpha$")
    axis.set_ylabel("attended cosine before RoPE")


_TRAINED = (("C4", "*"), ("C5", "P"), ("C3", "X"), ("C6", "d"), ("C1", "h"))
"""Colour and marker of trained models, by the order of their labels."""


def _trained_points(axis: "Axes", trained: Sequence[TrainedPeak]) -> None:
    for number, label in enumerate(dict.fromkeys(one.label for one in trained)):
        mine = [one for one in trained if one.label == label]
        middle = np.array([one.cosine for one in mine])
        ends = [middle - [one.lower for one in mine], np.array([one.upper for one in mine]) - middle]
        colour, marker = _TRAINED[number % len(_TRAINED)]
        axis.errorbar(
            [one.alpha for one in mine],
            middle,
            yerr=np.clip(ends, 0, None),
            color=colour,
            marker=marker,
            markersize=6,
            linestyle="none",
            label=label,
        )


def window_figure(study: "AttentionTheory", data: Data) -> StudyFigure:
    """Mass within the window and entropy of aligned attention under RoPE, against alpha."""
    import matplotlib.pyplot as plt

    closed = study.closed_forms
    mass, entropy = data.closed["window_mass"], data.closed["window_entropy"]
    figure, axes = plt.subplots(1, 3, figsize=(7, 2.6))
    for place, n in enumerate(closed.window_lengths):
        look = {**style(place), "markersize": 3.5, "linewidth": 1.0}
        axes[0].plot(closed.alphas, mass.at(reach=WINDOW, n=n), label=f"n = {n}", **look)
        axes[1].plot(closed.alphas, entropy.at(n=n), label=f"n = {n}", **look)
    axes[0].axhline(study.bounds.window, color="0.5", linewidth=0.7, linestyle="-", marker="")
    axes[0].set_ylim(0, 1.05)
    axes[0].set_title(f"mass within {WINDOW}")
    axes[1].set_title("entropy (nats)")
    decay = data.closed["decay"]
    axes[2].plot([d + 1 for d in closed.distances], decay.values, **{**style(2), "markersize": 3.5, "linewidth": 1.0})
    axes[2].axhline(0, color="0.5", linewidth=0.7, linestyle="-", marker="")
    axes[2].set_title("cosine left, g($\\Delta$)")
    axes[2].set_xscale("log", base=2)
    axes[2].set_xticks([1, 16, 256, 4096], ["1", "16", "256", "4096"])
    axes[2].set_xlabel("distance $\\Delta$ + 1 (tokens)")
    for axis in axes[:2]:
        axis.set_xscale("log", base=2)
        axis.set_xticks(list(closed.alphas), [f"{a:g}" if a != 96 else "" for a in closed.alphas])
        axis.set_xlabel("CosScale $\\alpha$")
    axes[1].legend(loc="upper right")
    rows = [
        *closed_rows("window_mass", mass),
        *closed_rows("entropy", entropy),
        *closed_rows("largest weight", data.closed["window_peak"]),
        *closed_rows("decay", decay),
    ]
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Aligned keys under RoPE make a window",
        caption=(
            f"If q and k point one way, RoPE leaves the cosine g at distance Delta (right; d = {closed.head_dim}, base"
            " 10,000) and softmax(alpha g) is attention. Left: its mass within distance"
            f" {WINDOW} of the centre query; line: {study.bounds.window:g}. Middle: its entropy. Exact values, no"
            " interval."
        ),
        claims=tuple(f"{STUDY}.{name}" for name in ("c4_window", "p7_threshold", "p7_length_free")),
    )
