"""The exact skill of switching by entropy as the easy regime is made less predictable: from help to harm."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.adaptive_decoding.claims import STUDY
from testbed.studies.adaptive_decoding.config import ROLES
from testbed.studies.adaptive_decoding.data import Data, crossings_said, mean
from testbed.studies.adaptive_decoding.frontier_figure import TITLES
from testbed.studies.drawing import LEVEL, style
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.adaptive_decoding.study import AdaptiveDecoding


def dial_figure(study: "AdaptiveDecoding", data: Data) -> StudyFigure:
    """Exact skill of every replicate against how much less sure the small model is of the easy regime; trained ones."""
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(4.6, 3.6))
    gap = data.dial["small"][..., 0] - data.dial["small"][..., 1]
    rows: list[dict[str, Any]] = []
    look = style(0)
    for number, (x, y) in enumerate(zip(gap, data.dial["rolling"], strict=True)):
        named: dict[str, Any] = {"label": "exact, every replicate"} if number == 0 else {}
        axis.plot(
            x, y, color=look["color"], linestyle="-", alpha=0.45, linewidth=0.9, marker=".", markersize=3, **named
        )
        rows += [{"series": f"exact, replicate {number}", "x": a, "skill": b}
                 for a, b in zip(x.tolist(), y.tolist(), strict=True)]  # fmt: skip
    for place, role in enumerate(ROLES, start=1):
        at = _place(study, data, role)
        skill = mean(data.skill(role, "window", "rolling")).student
        low, high = skill.interval((1 - LEVEL) / 2)
        drawn = {**style(place), "linestyle": "none", "markersize": 6}
        error = np.array([[skill.estimate - low], [high - skill.estimate]])
        axis.errorbar([at], [skill.estimate], yerr=error, label=f"trained: {TITLES[role]}", **drawn)
        rows.append({"series": f"trained, {role}", "x": at, "skill": skill.estimate, "lower": low, "upper": high})
    axis.axhline(0.0, color="0.4", linestyle=":", marker="", label="random calls")
    axis.axvline(0.0, color="0.7", linewidth=0.7, marker="", zorder=0)
    axis.set_xlabel("entropy of the small model,\neasy less hard regime (nats)")
    axis.set_ylabel("skill (oracle: 1)")
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=7.5)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="From help to harm",
        caption=(
            "Skill of calling the large model by the rolling entropy of the small one, Bayes laws of one token and of"
            f" two, exact, of {study.n_seeds} replicates, as the easy regime's entropy rate goes from"
            f" {study.reading.dial[0]:g} to {study.reading.dial[-1]:g} nats; what there is to gain stays the same."
            f" Big markers: trained models, means and {LEVEL:.0%} intervals over replicates, Student's t, at the mean"
            f" place of their exact laws. Crossings: {crossings_said(data)}."
        ),
        claims=(f"{STUDY}.crossing", f"{STUDY}.as_theory"),
    )


def _place(study: "AdaptiveDecoding", data: Data, role: str) -> float:
    """Where a source lies on the dial: between its points."""
    gap = (data.dial["small"][..., 0] - data.dial["small"][..., 1]).mean(axis=0)
    return float(np.interp(getattr(study.design, role), study.reading.dial, gap))
