"""The validity map of the horizon law, the curves behind it, and the sources on which an exponent is 0 or infinite."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.drawing import LEVEL, style
from testbed.studies.memory_profile.claims import STUDY
from testbed.studies.memory_profile.config import CURVES, LEARNERS, LENGTHS, NETWORK, POWERS, Family
from testbed.studies.memory_profile.data import Data, learners_on, mean
from testbed.studies.memory_profile.evidence import horizon_ratio, loss_ratio
from testbed.studies.study import StudyFigure
from testbed.studies.tables import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from testbed.studies.memory_profile.study import MemoryProfile

SHORT: dict[str, str] = {
    "copy": "copies,\ndyadic lags",
    "mixture": "copies,\nrandom lags",
    "renewal": "renewal",
    "hierarchy": "random\nhierarchy",
    "parity": "parities",
    "twin": "copies, same $h_n$",
    "santa_fe": "Santa Fe",
    "table": "tables",
    "tree": "context trees",
    "pairs": "pairs",
    "screened": "screened pairs",
    "network": "transformers",
}


def validity_figure(study: "MemoryProfile", data: Data) -> StudyFigure:
    """Measured exponent over the law's, by family and learner; the strip is where the law counts as valid."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(7.4, 3.2), sharey=True)
    rows: list[dict[str, Any]] = []
    kinds = (
        ("loss", "exponent of the loss / $\\gamma / 2\\beta$", (*LEARNERS, NETWORK), loss_ratio, study.bounds.exponent),
        ("horizon", "exponent of n*(D) / $1 / 2\\beta$", LENGTHS, horizon_ratio, study.bounds.horizon),
    )
    for axis, (kind, label, learners, ratio, bound) in zip(axes, kinds, strict=True):
        axis.axvspan(1 - bound, 1 + bound, color="0.88", linewidth=0)
        axis.axvline(1.0, color="0.45", linewidth=0.8, linestyle="-", marker="")
        for learner in learners:
            place = (*LEARNERS, NETWORK).index(learner)
            known = [family for family in POWERS if learner in learners_on(data.families[family])]
            for family in known:
                level = POWERS.index(family)
                number = mean(ratio(study, data, learner, family))
                low, high = number.interval((1 - LEVEL) / 2)
                look = {**style(place), "linestyle": "none", "markersize": 4.5}
                axis.errorbar(
                    number.estimate, level + 0.17 * (place - 1.5), capsize=1.5, elinewidth=0.9,
                    xerr=[[max(number.estimate - low, 0.0)], [max(high - number.estimate, 0.0)]],
                    label=SHORT[learner] if family == known[0] else None, **look,
                )  # fmt: skip
                rows.append({"what": kind, "family": family, "learner": learner, "ratio": number.estimate,
                             "lower": low, "upper": high})  # fmt: skip
        if kind == "loss":
            plain = [float((2 * data.families[one]["beta"] / data.families[one]["gamma"]).mean()) for one in POWERS]
            look = {"marker": "D", "linestyle": "none", "markersize": 4.5, "color": "0.35", "fillstyle": "none"}
            axis.plot(plain, range(len(POWERS)), label="$D^{-1}$", **look)
            rows += [{"what": "D^-1", "family": one, "ratio": at} for one, at in zip(POWERS, plain, strict=True)]
        axis.set_xlabel(label, fontsize=8.5)
        axis.set_xlim(*((-0.15, 1.85) if kind == "loss" else (-0.95, 1.6)))
    axes[0].set_yticks(range(len(POWERS)), [SHORT[family] for family in POWERS])
    axes[0].set_ylim(len(POWERS) - 0.5, -0.5)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=6, fontsize=7)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Where the horizon law is valid",
        caption=(
            "Slopes of ln(L - h) and of ln n* on ln D over the law's exponents, which are slopes of the curves of"
            " h_n - h and of correlations over the stretch that the horizon crosses (of copies from random lags it is"
            f" that of the best linear prediction, on samples). Bars: {LEVEL:.0%} intervals over"
            f" {study.n_seeds} replicates, each number alone; every replicate has exponents, or rules, and data of its"
            " own. Grey: the law counts as valid. Context trees and screened pairs have no length to choose. Diamonds:"
            " where D^-1, the rate of a learner of a few parameters, would lie."
        ),
        claims=tuple(
            f"{STUDY}.{name}"
            for family in POWERS
            for name in (
                *(f"loss_{one}_{family}" for one in learners_on(data.families[family])),
                *(f"horizon_{one}_{family}" for one in LENGTHS),
            )
        ),
    )


SMALL = tuple(one * 10.0**power for power in (-3, -2, -1, 0) for one in (1, 2, 5))
TICKS = (1, 2, 5, 10, 20, 50, 100, 200, 500)


def _band(axis: "Axes", x: Floats, values: Floats, **look: Any) -> list[dict[str, float]]:
    """Geometric means over replicates of (R, P), with intervals; the numbers drawn."""
    logs = [mean(np.log(values[:, i])).student for i in range(values.shape[1])]
    middle = np.exp([one.estimate for one in logs])
    ends = np.exp([one.interval((1 - LEVEL) / 2) for one in logs])
    axis.errorbar(x, middle, yerr=np.maximum(np.abs(ends.T - middle), 0.0), elinewidth=0.8, capsize=1.5, **look)
    return [
        {"D": float(a), "value": float(b), "lower": float(c[0]), "upper": float(c[1])}
        for a, b, c in zip(x, middle, ends, strict=True)
    ]


def curves_figure(study: "MemoryProfile", data: Data) -> StudyFigure:
    """L(D) - h above, n*(D) below, one column a family, with the law's slopes and the table's own law."""
    import matplotlib.pyplot as plt
    from matplotlib.ticker import FuncFormatter, NullFormatter

    figure, axes = plt.subplots(2, len(CURVES), figsize=(7.4, 4.3), sharex=True)
    rows: list[dict[str, Any]] = []
    sizes = np.array(study.horizon.sizes, dtype=np.float64)
    grey = {"color": "0.35", "marker": "", "linewidth": 1.0}
    for column, family in enumerate(CURVES):
        one = data.families[family]
        top, bottom = axes[0, column], axes[1, column]
        for place, learner in enumerate(learners_on(one)):
            look = {**style(place), "markersize": 3.5, "label": SHORT[learner]}
            drawn = _band(top, sizes, one[f"loss_{learner}"], **look)
            rows += [{"family": family, "learner": learner, "what": "loss", **row} for row in drawn]
            if learner in LENGTHS:
                drawn = _band(bottom, sizes, np.maximum(one[f"length_{learner}"], 1.0), **look)
                rows += [{"family": family, "learner": learner, "what": "length", **row} for row in drawn]
        for axis in (top, bottom):
            axis.set_xscale("log")
            axis.set_yscale("log")
        limits = top.get_ylim(), bottom.get_ylim()  # lines of laws stretch no axis
        if family in POWERS:
            gamma, beta = one["gamma"].mean(), one["beta"].mean()
            middle = np.sqrt(sizes[0] * sizes[-1])
            start = np.exp(np.log(one["loss_screened"]).mean())
            law = "law's slope"
            top.plot(sizes, start * (sizes / middle) ** -(gamma / (2 * beta)), linestyle="--", label=law, **grey)
            first = np.exp(np.log(np.maximum(one["length_pairs"], 1.0)).mean())
            bottom.plot(sizes, first * (sizes / middle) ** (0.5 / beta), linestyle="--", label=law, **grey)
        tabular = np.exp(np.log(np.maximum(one["tabular"], 1.0)).mean(axis=0))
        bottom.plot(sizes, tabular, linestyle=":", label="law of tables", **grey)
        rows += [{"family": family, "what": "law of tables", "D": float(a), "value": float(b)}
                 for a, b in zip(sizes, tabular, strict=True)]  # fmt: skip
        top.set_title(SHORT[family].replace("\n", " "), fontsize=8)
        top.set_ylim(limits[0])
        bottom.set_ylim(limits[1])
        bottom.set_xlabel("D")
        low, high = top.get_ylim()
        if high < 30 * low:  # a decade's own ticks say too little
            top.set_yticks([y for y in SMALL if low <= y <= high])
            top.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
        top.yaxis.set_minor_formatter(NullFormatter())
        low, high = bottom.get_ylim()
        bottom.set_ylim(max(low, 0.8), min(high, 2.0 * study.horizon.longest))
        bottom.set_yticks([n for n in TICKS if bottom.get_ylim()[0] <= n <= bottom.get_ylim()[1]])
        bottom.yaxis.set_major_formatter(FuncFormatter(lambda n, _: f"{n:g}"))
        bottom.yaxis.set_minor_formatter(NullFormatter())
    axes[0, 0].set_ylabel("L(D) - h (nats)")
    axes[1, 0].set_ylabel("n*(D) (tokens)")
    named: dict[str, Any] = {}
    for axis in axes.ravel():  # some learners, and the law, are not in every panel
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            named.setdefault(label, handle)
    figure.legend(named.values(), named.keys(), loc="outside lower center", ncols=7, fontsize=6.5)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Loss and best context length against dataset size",
        caption=(
            "Above: loss over the entropy rate at the best length, exact in the target. Below: the best length of"
            " tables and of least squares on pairs. Dashed: the law's slopes, with mean exponents, through the middle"
            " of screened pairs (of n*: of pairs); the hierarchy shows no power law. At the smallest D"
            " of copies the longest table is best: it has seen nothing and stays uniform. Dotted:"
            " the length that h_n + V^n (V - 1) / 2D names for tables."
            f" Geometric means of {study.n_seeds} replicates; bars: {LEVEL:.0%} intervals, Student's t, each number"
            " alone."
        ),
        claims=(*(f"{STUDY}.tabular_{family}" for family in CURVES), f"{STUDY}.rate_screened_copy"),
    )


def degenerate_figure(study: "MemoryProfile", data: Data) -> StudyFigure:
    """What is left of h_0 - h against D where beta is infinite (parities, beside copies of one profile) or zero."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(7.4, 2.8), sharey=True)
    rows: list[dict[str, Any]] = []
    sizes = np.array(study.horizon.sizes, dtype=np.float64)
    families: tuple[tuple[Family, float, str], ...] = (
        ("parity", 1.0, "nothing learnt"),
        ("twin", 0.0, ""),
        ("santa_fe", 0.0, ""),
    )
    for axis, (family, level, said) in zip(axes, families, strict=True):
        one = data.families[family]
        for place, learner in enumerate(learners_on(one)):
            numbers = [mean(values).student for values in (one[f"loss_{learner}"] / one["worth"][:, None]).T]
            middle = np.array([number.estimate for number in numbers])
            ends = np.array([number.interval((1 - LEVEL) / 2) for number in numbers])
            look = {**style(place), "markersize": 3.5}
            error = np.maximum(np.abs(ends.T - middle), 0.0)
            axis.errorbar(sizes, middle, yerr=error, elinewidth=0.8, capsize=1.5, label=SHORT[learner], **look)
            rows += [
                {"family": family, "learner": learner, "D": float(a), "left": float(b), "lower": float(c[0]),
                 "upper": float(c[1])}
                for a, b, c in zip(sizes, middle, ends, strict=True)
            ]  # fmt: skip
        if said:
            axis.axhline(level, color="0.35", linewidth=1.0, linestyle="--", marker="")
            axis.text(sizes[-1], level + 0.05, said, fontsize=7, color="0.3", ha="right")
        axis.set_xscale("log")
        axis.set_title(SHORT[family], fontsize=8.5)
        axis.set_xlabel("D")
    axes[0].set_ylabel("share of $h_0 - h$ not learnt")
    axes[0].set_ylim(-0.05, 1.65)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=7)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Correlations that are absent, and that never decay",
        caption=(
            "Parities have no two-point correlation within the window, copies beside them the same h_n; both are seen"
            " in windows drawn apart. On the Santa Fe process correlations are the same at all lags. Bars:"
            f" {LEVEL:.0%} intervals over {study.n_seeds}"
            " replicates, Student's t, each number alone."
        ),
        claims=tuple(f"{STUDY}.{name}" for name in (f"unseen_{NETWORK}", "rate_screened_twin")),
    )
