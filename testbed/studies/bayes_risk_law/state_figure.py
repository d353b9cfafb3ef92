"""The entropy of the Bayes state beside the Bayes risk: one may grow without end while the other settles."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.bayes_risk_law.claims import STUDY
from testbed.studies.bayes_risk_law.classes import KINDS, LONG_STATES, SHORT_STATES
from testbed.studies.bayes_risk_law.data import Data
from testbed.studies.bayes_risk_law.evidence import levelling
from testbed.studies.drawing import LEVEL, style
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.bayes_risk_law.study import BayesRiskLaw


def states_figure(study: "BayesRiskLaw", data: Data) -> StudyFigure:
    """S(l), what is left of R(l), and the ratio of successive rises of S."""
    import matplotlib.pyplot as plt

    names = (*LONG_STATES, *SHORT_STATES)
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(7.4, 3.1))
    rows: list[dict[str, Any]] = []
    for place, name in enumerate(names):
        one = data.kinds[name]
        states, lengths = one["states"], one["state_lengths"]
        low, mean, high = np.quantile(states, [0.25, 0.5, 0.75], axis=0)
        look = {**style(place), "markersize": 3}
        left.plot(lengths, mean, label=KINDS[name].label, **look)
        left.fill_between(lengths, low, high, color=look["color"], alpha=0.15, linewidth=0)
        rows += [
            {"class": KINDS[name].label, "quantity": "S(l)", "l": float(l), "lower": a, "middle": b, "upper": c}
            for l, a, b, c in zip(lengths, low.tolist(), mean.tolist(), high.tolist(), strict=True)
        ]
        if name in LONG_STATES:
            excess = one["risk"] - one["rate"][:, None]
            low, mean, high = np.quantile(excess / excess[:, :1], [0.25, 0.5, 0.75], axis=0)
            middle.plot(one["lengths"], mean, **look)
            middle.fill_between(one["lengths"], low, high, color=look["color"], alpha=0.15, linewidth=0)
            rows += [
                {
                    "class": KINDS[name].label,
                    "quantity": "left of R",
                    "l": float(l),
                    "lower": a,
                    "middle": b,
                    "upper": c,
                }
                for l, a, b, c in zip(one["lengths"], low.tolist(), mean.tolist(), high.tolist(), strict=True)
            ]
        number = data.mean(levelling(states))
        ends = number.interval((1 - LEVEL) / 2)
        right.errorbar(
            number.estimate,
            place,
            xerr=[[max(number.estimate - ends[0], 0)], [max(ends[1] - number.estimate, 0)]],
            capsize=2,
            **{**look, "linestyle": "none"},
        )
        rows.append(
            {
                "class": KINDS[name].label,
                "quantity": "ratio of rises",
                "l": float(lengths[-1]),
                "lower": ends[0],
                "middle": number.estimate,
                "upper": ends[1],
            }
        )
    left.set_xscale("log")
    left.set_yscale("symlog", linthresh=1.0)
    left.set_ylim(bottom=0)
    left.set_xlabel("context length l")
    left.set_ylabel("S(l) (nats)")
    middle.set_xscale("log")
    middle.set_yscale("log")
    middle.set_xlabel("context length l")
    middle.set_ylabel(f"(R(l) - h) / (R({study.reading.start}) - h)")
    right.axvline(study.bounds.levelling, color="0.5", linewidth=0.8, linestyle="--", marker="")
    right.set_yticks(range(len(names)), [KINDS[name].label for name in names], fontsize=6)
    right.set_ylim(len(names) - 0.5, -0.5)
    right.set_xlabel("rise of S, last factor 4\nover the one before")
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=6, fontsize=6)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="The entropy of the state",
        caption=(
            "Left: exact entropy S(l) of what a Bayesian keeps of l tokens. Middle: what is left of the Bayes risk's"
            " fall, on the classes whose S(l) grows without end. Median and quartiles over"
            f" {study.replicates} draws. Right: how much the last factor 4 of l adds to S over what the factor before"
            f" added, mean with {LEVEL:.0%} interval; 1 is a logarithm, above it a power of l, and below the dashed"
            " line S counts as levelling off."
        ),
        claims=tuple(
            f"{STUDY}.{name}"
            for name in ("finite_short", "finite_long", "risk_settles", "strict_long", "strict_markov")
        ),
    )
