"""Trained transformers beside the chains that they learnt."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.drawing import style
from testbed.studies.probability_gap.claims import STUDY
from testbed.studies.probability_gap.data import Data
from testbed.studies.probability_gap.drawing import curve, interval_words
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.probability_gap.study import ProbabilityGap

PANELS = {"gap": "mean gap", "margin": "mean margin", "entropy": "mean entropy (nats)"}


def trained_figure(study: "ProbabilityGap", data: Data) -> StudyFigure:
    """Gap, margin and entropy of model and chain by context length; the gap's difference for every model."""
    import matplotlib.pyplot as plt

    raw, settings = data.raw["trained"], study.trained
    lengths = np.arange(settings.max_context + 1)
    figure, axes = plt.subplots(1, len(PANELS) + 1, figsize=(7, 2.7))
    rows: list[dict[str, Any]] = []
    for axis, (name, title) in zip(axes, PANELS.items(), strict=False):
        for place, (prefix, label) in enumerate((("source_", "chain"), ("", "trained transformer"))):
            # side by side, since the two all but coincide
            drawn = curve(axis, data, lengths + 0.12 * place, raw[prefix + name].mean(axis=1), label, place)
            rows += [{"quantity": name, "law": label, "context": round(row.pop("x")), **row} for row in drawn]
        axis.set_title(title)
        axis.set_ylim(bottom=0)
    difference = raw["gap"] - raw["source_gap"]
    for number, lines in zip(study.numbers, difference, strict=True):
        for model, line in enumerate(lines):
            axes[-1].plot(lengths, line, color="0.8", linewidth=0.5, linestyle="-", marker="", zorder=0)
            named = {"quantity": "gap, model less chain", "law": f"replicate {number}, model {model}"}
            rows += [{**named, "context": float(m), "mean": float(one)} for m, one in zip(lengths, line, strict=True)]
    lines_drawn = difference[..., 0].size
    curve(axes[-1], data, lengths, difference.mean(axis=1), "mean", 2)
    axes[-1].axhline(0.0, **{**style(0), "color": "0.3", "linewidth": 0.7, "linestyle": "-", "marker": ""})
    axes[-1].set_title("difference")
    axes[-1].set_ylabel("gap, model less chain")
    for axis in axes:
        axis.set_xlabel("m (tokens)")
        axis.set_xticks(lengths)
        axis.axvline(settings.order, color="0.85", linewidth=0.7, linestyle="-", marker="", zorder=0)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="A trained transformer's gap beside the source's",
        caption=(
            f"{lines_drawn} transformers, each trained on a chain of its own ({settings.label}) at every context of up"
            f" to {settings.max_context} tokens; its laws are weighted with the chain's contexts. Grey lines on the"
            " right: one model each. The vertical line is the chain's order, from which on the chain's numbers stay;"
            f" the model's need not: its laws at different m come from no one joint law. {interval_words(data)}"
        ),
        claims=(f"{STUDY}.trained_gap", f"{STUDY}.trained_entropy"),
    )
