"""Excess over Bayes against the share of large calls: entropy, oracle, random and others, on both sources."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.adaptive_decoding.claims import STUDY
from testbed.studies.adaptive_decoding.config import ROLES, SMALLS, Role, Small
from testbed.studies.adaptive_decoding.data import Data
from testbed.studies.adaptive_decoding.switching import SHARES
from testbed.studies.drawing import LEVEL, style
from testbed.studies.judge import Student
from testbed.studies.study import StudyFigure
from testbed.studies.tables import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from testbed.studies.adaptive_decoding.study import AdaptiveDecoding

LABELS = {
    "rolling": "rolling entropy of the small model",
    "truth": "entropy of the source's own law",
    "probe": "probe on the small model's last layer",
    "last": "last symbol alone",
    "oracle": "oracle: largest gain first",
}
TITLES: dict[Role, str] = {"signal": "entropy signals", "noise": "entropy is noise"}
SMALL: dict[Small, str] = {"window": "sees one token", "narrow": "narrow"}
MARKED = 10
"""Every which point of a frontier bears a marker."""


def band(values: Floats) -> tuple[Floats, Floats, Floats]:
    """Means over replicates of (R, S) and their intervals, Student's t, each number alone."""
    n, middle, spread = len(values), values.mean(axis=0), values.std(axis=0, ddof=1)
    numbers = [Student(float(one), float(sd), n) for one, sd in zip(middle, spread, strict=True)]
    ends = np.array([one.interval((1 - LEVEL) / 2) for one in numbers])
    return middle, ends[:, 0], ends[:, 1]


def frontier_figure(study: "AdaptiveDecoding", data: Data) -> StudyFigure:
    """A column a source, a row a small model."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(len(SMALLS), len(ROLES), figsize=(7.2, 6.0), sharex=True, sharey="row")
    rows: list[dict[str, Any]] = []
    for line, small in zip(axes, SMALLS, strict=True):
        for axis, role in zip(line, ROLES, strict=True):
            rows += _panel(axis, data, role, small)
            axis.axvline(study.bounds.calls, color="0.7", linewidth=0.7, marker="", zorder=0)
        line[0].set_ylabel(f"excess over Bayes (nats)\nsmall model: {SMALL[small]}")
    for axis, role in zip(axes[0], ROLES, strict=True):
        axis.set_title(f"{TITLES[role]}: easy regime of {getattr(study.design, role):g} nats", fontsize=9)
    for axis in axes[-1]:
        axis.set_xlabel("share of large calls")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=7.5)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Loss against the share of large calls",
        caption=(
            "Mean KL to the exact law of the source on true sequences, each position left to the small model or given"
            f" to the large one; large calls where the score is highest. Means of {study.n_seeds} replicates (laws,"
            " tokens and weights of their own). Bands: intervals over replicates of what calls save, level"
            f" {LEVEL:.0%}, Student's t, each point alone; the ends are means. Dashed: Bayes laws of one token and of"
            f" two, exact, at the trained ends. Vertical line: the {study.bounds.calls:.0%} of calls at which the paper"
            " reports. Both sources have the same hard regime, and the same gain."
        ),
        claims=tuple(
            f"{STUDY}.{name}"
            for name in (
                "signal_skill", "signal_auroc", "signal_kept", "signal_paper", "noise_skill", "noise_auroc",
                "noise_kept", "everywhere", "as_theory", "truth_entropy", "last_symbol", "probe", "narrow_signal",
                "narrow_noise", "narrow_symbol", "narrow_probe", "stay",
            )
        ),
    )  # fmt: skip


def _panel(axis: "Axes", data: Data, role: Role, small: Small) -> list[dict[str, Any]]:
    top, bottom = float(data.excess[role, small].mean()), float(data.excess[role, "large"].mean())
    rows: list[dict[str, Any]] = []

    def draw(label: str, kept: Floats, **look: Any) -> None:
        middle, low, high = (top - (top - bottom) * one for one in band(kept))
        axis.plot(SHARES, middle, label=label, markevery=MARKED, markersize=3.5, **look)
        if "linestyle" not in look or look["linestyle"] != "--":
            axis.fill_between(SHARES, high, low, color=look["color"], alpha=0.2, linewidth=0)
        rows.extend(
            {"source": role, "small": small, "series": label, "share": x, "excess": y, "lower": b, "upper": a}
            for x, y, a, b in zip(
                SHARES[::5].tolist(), middle[::5].tolist(), low[::5].tolist(), high[::5].tolist(), strict=True
            )
        )

    axis.plot([0, 1], [top, bottom], color="0.4", linestyle=":", marker="", label="random calls")
    for place, (name, label) in enumerate(LABELS.items()):
        look = {**style(place), "linestyle": "-"}
        draw(label, data.curves[role, small][name], **look)
    if small == "window":
        draw("rolling entropy, exact Bayes laws", data.ideal[role]["rolling"],
             color=style(5)["color"], linestyle="--", marker="", linewidth=1.4)  # fmt: skip
    return rows
