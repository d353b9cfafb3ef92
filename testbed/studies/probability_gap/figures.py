"""The figures, from records alone."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.runs import Record
from testbed.studies.drawing import LEVEL, style
from testbed.studies.judge.proportion import Proportion
from testbed.studies.probability_gap.chains import STATEMENTS
from testbed.studies.probability_gap.claims import STUDY
from testbed.studies.probability_gap.counterexample_figure import counterexample_figure
from testbed.studies.probability_gap.data import Data, gather, proportion
from testbed.studies.probability_gap.drawing import curve, interval_words
from testbed.studies.probability_gap.samples import ESTIMATES
from testbed.studies.probability_gap.trained_figure import trained_figure
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.probability_gap.study import ProbabilityGap

NAMES = {
    "entropy_chain": "mean entropy falls",
    "averaged_gap": "mean gap grows",
    "extremes": "extremes spread",
    "size": "growth is bounded",
    "every_context": "gap grows in every context",
    "most_contexts": "... in half of them",
    "every_entropy": "entropy falls in every context",
    "margin": "mean margin grows",
    "ratio": "mean ratio grows",
    "strict": "mean gap grows strictly",
}
LEARNER = ("a learner's mean entropy falls", "a learner's mean gap grows")
PANELS = {
    "gap": "mean gap",
    "margin": "mean margin",
    "violating_mass": "where the gap shrinks",
}
KINDS = {"noise": "uniform noise", "chain": "random chain", "copy": "copying chain"}
ESTIMATE_NAMES = {"plug_in": "plug-in", "split": "split-sample", "shrunk": "shrunk"}


def figures(study: "ProbabilityGap", records: Sequence[Record]) -> dict[str, StudyFigure]:
    """Every figure, once all cells are done."""
    data = gather(study, records)
    if data is None:
        return {}
    return {
        "violations": violations_figure(study, data),
        "growth": growth_figure(study, data),
        "counterexamples": counterexample_figure(study, data),
        "trained": trained_figure(study, data),
        "samples": samples_figure(study, data),
    }


def violations_figure(study: "ProbabilityGap", data: Data) -> StudyFigure:
    """Share of chains on which each statement is false."""
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(7, 4.2))
    labels = [*NAMES.values(), *LEARNER]
    rows: list[dict[str, Any]] = []
    for place, one in enumerate(study.chains):
        shares = [data.share(one, name) for name in STATEMENTS]
        shares += [proportion(data.learner[one.label][:, i]) for i in range(2)]
        numbers = np.array([_with_interval(share) for share in shares])
        middle, low, high = numbers.T
        height = np.arange(len(labels)) + 0.17 * (place - (len(study.chains) - 1) / 2)
        look = {**style(place), "linestyle": "none"}
        axis.errorbar(middle, height, xerr=[middle - low, high - middle], capsize=1.5, label=one.label, **look)
        rows += [
            {"chains": one.label, "statement": name, "share_violated": a, "lower": b, "upper": c}
            for name, (a, b, c) in zip((*STATEMENTS, "learner_entropy", "learner_gap"), numbers.tolist(), strict=True)
        ]
    axis.set_yticks(range(len(labels)), labels)
    axis.invert_yaxis()
    axis.set_xlim(-0.03, 1.03)
    axis.axvline(study.bounds.rare, color="0.5", linewidth=0.7, linestyle="-", marker="")
    axis.axhline(3.5, color="0.7", linewidth=0.7, linestyle="-", marker="")
    axis.axhline(9.5, color="0.7", linewidth=0.7, linestyle="-", marker="")
    axis.set_xlabel("share of chains that violate the statement")
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    names = [*STATEMENTS, "learner_entropy", "learner_gap", "margin_binary", "ratio_usual", "copying"]
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Which statements of appendix A hold on random chains",
        caption=(
            "Above the first line: proved for every law. Between the lines: not proved. Below: a learner whose laws at"
            f" different lengths come from no one joint law. Vertical line: the share {study.bounds.rare:g} up to which"
            f" a statement is taken to hold. Bars: exact binomial {LEVEL:.0%} intervals, each point alone, over all"
            f" chains of {study.replicates} streams."
        ),
        claims=tuple(f"{STUDY}.{name}" for name in names if name != "ratio"),
    )


def _with_interval(share: Proportion) -> tuple[float, float, float]:
    return share.estimate, *share.interval((1 - LEVEL) / 2)


def growth_figure(study: "ProbabilityGap", data: Data) -> StudyFigure:
    """Mean gap, mean margin and the mass of contexts that violate the pointwise statement, by context length."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(PANELS), figsize=(7, 2.9))
    rows: list[dict[str, Any]] = []
    for axis, (name, title) in zip(axes, PANELS.items(), strict=True):
        for place, one in enumerate(study.chains):
            values = data.raw[one.label][name].mean(axis=1)
            lengths = np.arange(values.shape[1])
            drawn = curve(axis, data, lengths, values, one.label, place)
            rows += [{"quantity": name, "chains": one.label, "context": row.pop("x"), **row} for row in drawn]
        axis.set_title(title)
        axis.set_xlabel("m (tokens of context)")
        axis.set_xticks(range(max(one.order for one in study.chains) + 2))
        axis.set_ylim(bottom=0)
    axes[0].set_ylabel("mean over chains")
    axes[2].set_ylabel("probability of such contexts")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="The gap grows on average, and shrinks in many contexts",
        caption=(
            "G_m = E (max - min), the mean margin E (largest - second largest), and the probability of contexts whose"
            " gap is smaller than without their oldest token; exact for each chain, mean over chains. Beyond a chain's"
            f" order nothing changes. {interval_words(data)}"
        ),
        claims=tuple(f"{STUDY}.{name}" for name in ("averaged_gap", "every_context", "most_contexts", "margin")),
    )


def samples_figure(study: "ProbabilityGap", data: Data) -> StudyFigure:
    """Error of each estimate against the context's length."""
    import matplotlib.pyplot as plt

    settings = study.samples
    lengths = np.arange(settings.max_context + 1)
    figure, axes = plt.subplots(1, len(KINDS), figsize=(7, 2.9), sharey=True)
    rows: list[dict[str, Any]] = []
    for axis, (kind, title) in zip(axes, KINDS.items(), strict=True):
        found = data.samples[kind]
        axis.axhline(0, color="0.5", linewidth=0.7, linestyle="-", marker="")
        for place, name in enumerate(ESTIMATES):
            drawn = curve(axis, data, lengths, found[name] - found["truth"], ESTIMATE_NAMES[name], place)
            rows += [{"source": kind, "estimate": name, "context": row.pop("x"), **row} for row in drawn]
        if kind == "noise":
            formula = found["noise"].mean(axis=0)
            look = {**style(3), "linestyle": "none", "markersize": 6, "markerfacecolor": "none"}
            axis.plot(lengths, formula, label="formula for noise", **look)
            rows += [
                {"source": kind, "estimate": "formula", "context": float(m), "mean": float(value)}
                for m, value in zip(lengths, formula, strict=True)
            ]
        axis.set_title(title)
        axis.set_xlabel("m (tokens of context)")
        axis.set_xticks(lengths)
    axes[0].set_ylabel("estimate - true gap")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    names = ("plug_in_test", "noise_formula", "split_noise", "bracket", "shrunk_nearer", "shrunk_unbiased")
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="What a sample tells of the gap",
        caption=(
            f"Mean error of the gap estimated from N = {settings.n} positions, V = {settings.vocab_size}. On noise the"
            " true gap is 0 and the plug-in rises all the same, as d2(V) sqrt(V^(m - 1) / N) says. Plug-in and"
            f" split-sample estimates bracket the truth. {interval_words(data)}"
        ),
        claims=tuple(f"{STUDY}.{name}" for name in names),
    )
