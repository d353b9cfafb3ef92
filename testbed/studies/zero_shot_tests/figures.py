"""The figures, from records alone."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.measures.entropy.interval_coverage import binomial_interval
from testbed.runs import Record
from testbed.studies.drawing import LEVEL, style
from testbed.studies.study import StudyFigure
from testbed.studies.tables import Floats
from testbed.studies.zero_shot_tests.claims import STUDY
from testbed.studies.zero_shot_tests.data import AZUMA, NORMAL, Data, gather

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from testbed.studies.zero_shot_tests.study import ZeroShotTests

BARS = f"Bars: exact binomial {LEVEL:.0%} intervals, each number alone"


def figures(study: "ZeroShotTests", records: Sequence[Record]) -> dict[str, StudyFigure]:
    """Every figure, once all cells are done."""
    data = gather(study, records)
    if data is None:
        return {}
    return {
        "tails": tails_figure(study, data),
        "exponents": exponents_figure(study, data),
        "errors": errors_figure(study, data),
    }


def shares(
    axis: "Axes", x: Sequence[float] | Floats, counts: Floats, n: int, place: int, label: str, hollow: bool = False
) -> list[dict[str, float]]:
    """Shares of n texts with intervals; of none the upper end alone, as a triangle. The numbers drawn."""
    low, high = binomial_interval(counts.astype(np.int64), n, LEVEL)
    share = counts / n
    some = counts > 0
    look: dict[str, Any] = {"capsize": 1.5, "elinewidth": 0.7, "linewidth": 0.9, "markersize": 3.5, **style(place)}
    if hollow:
        look |= {"markerfacecolor": "none"}
    at = np.asarray(x, dtype=np.float64)
    axis.errorbar(at[some], share[some], yerr=[(share - low)[some], (high - share)[some]], label=label, **look)
    axis.plot(at[~some], high[~some], linestyle="none", marker="v", markersize=3, color=look["color"], alpha=0.6)
    return [
        {"x": float(a), "share": float(b), "lower": float(c), "upper": float(d)}
        for a, b, c, d in zip(at, share, low, high, strict=True)
    ]


def tails_figure(study: "ZeroShotTests", data: Data) -> StudyFigure:
    """Share of texts beyond each threshold against the bounds, one panel a source."""
    import matplotlib.pyplot as plt

    n_columns = 2
    n_rows = -(-len(study.tails) // n_columns)
    figure, axes = plt.subplots(
        n_rows, n_columns, figsize=(7.0, 0.7 + 2.3 * n_rows), sharex=True, sharey=True, squeeze=False
    )
    rows: list[dict[str, Any]] = []
    for axis, one in zip(axes.ravel(), study.tails, strict=False):
        found = data.tails[one.label]
        n = round(float(found["n_texts"]))
        for i, length in enumerate(one.lengths):
            drawn = shares(axis, one.reaches, found["beyond"][:, i], n, i, f"own entropies, {length} tokens")
            rows += [{"source": one.label, "statistic": "G", "tokens": length, **row} for row in drawn]
        last = one.lengths[-1]
        drawn = shares(
            axis, one.reaches, found["beyond_rate"][:, -1], n, len(one.lengths), f"entropy rate, {last} tokens", True
        )
        rows += [{"source": one.label, "statistic": "less h", "tokens": last, **row} for row in drawn]
        for words, bound, dash in (("Azuma's bound", "azuma", "-"), (f"Freedman's, {last} tokens", "freedman", "--")):
            axis.plot(
                one.reaches, found[bound][:, -1], color="0.3", linestyle=dash, marker="", linewidth=1.0, label=words
            )
            rows += [
                {"source": one.label, "statistic": bound, "tokens": last, "x": x, "share": float(y)}
                for x, y in zip(one.reaches, found[bound][:, -1], strict=True)
            ]
        axis.set_title(f"{one.label}, c = {float(found['span']):.2f} nats", fontsize=8)
        axis.set_yscale("log")
        axis.set_ylim(5e-5, 2.0)
    for axis in axes.ravel()[len(study.tails) :]:
        axis.set_visible(False)
    for axis in axes[-1]:
        axis.set_xlabel("threshold, in units of c / sqrt(N)")
    for axis in axes[:, 0]:
        axis.set_ylabel("share of texts beyond")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=7)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="How far log-perplexity strays under the model itself",
        caption=(
            f"Share of {study.tails[0].n_texts:,} texts whose log-perplexity is farther from the mean entropy of the"
            " laws"
            " along the text than the threshold; hollow: from the entropy rate. The bounds are for the former alone,"
            " and"
            f" the slow source shows why. {BARS}; triangles: upper ends where no text lies beyond."
        ),
        claims=tuple(f"{STUDY}.{name}" for name in ("bound", "freedman", "bound_of_rate")),
    )


def exponents_figure(study: "ZeroShotTests", data: Data) -> StudyFigure:
    """Exponents from exact error probabilities against predictions."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(7.2, 2.9))
    rows: list[dict[str, Any]] = []
    names = {"independent": "three symbols, independent", "chain": "two symbols, order 1"}
    plots = (
        ("predicted", "slope", "predicted I", "perplexity test, measured"),
        ("forward", "best_slope", "KL(A || B)", "likelihood ratio, measured"),
        ("backward", "best_slope", "KL(B || A)", "likelihood ratio, measured"),
    )
    for axis, (of_x, of_y, x_words, y_words) in zip(axes, plots, strict=True):
        ends = []
        for place, (arm, label) in enumerate(names.items()):
            x, y = data.pairs[arm][of_x], data.pairs[arm][of_y]
            axis.plot(x, y, **{**style(place), "linestyle": "none", "markersize": 3, "alpha": 0.7}, label=label)
            ends += [x.min(), x.max(), y.min(), y.max()]
            rows += [
                {"arm": arm, "axis": f"{of_y} against {of_x}", "x": float(a), "y": float(b)}
                for a, b in zip(x, y, strict=True)
            ]
        line = [0.8 * float(min(ends)), 1.25 * float(max(ends))]
        axis.plot(line, line, color="0.4", linewidth=0.8, linestyle="-", marker="")
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_xlabel(f"{x_words} (nats a token)")
        axis.set_ylabel(y_words, fontsize=7.5)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    lengths = study.independent.lengths
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Exponents of the errors",
        caption=(
            "How fast the probability falls that B's text passes as A's, each point a random pair of laws; from error"
            f" probabilities summed over all texts of {lengths[0]} and {lengths[1]} tokens, so that points have no"
            " interval. Line: measured = predicted. Right: the two laws swapped."
        ),
        claims=tuple(f"{STUDY}.{name}" for name in ("exponent", "exponent_chain", "stein", "swapped", "optimal")),
    )


def errors_figure(study: "ZeroShotTests", data: Data) -> StudyFigure:
    """Errors of the tests against the length, for writers that perplexity sees and for those that it does not."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(7.0, 3.4), sharey=True)
    rows: list[dict[str, Any]] = []
    arms = {"drift": ("drawn writers", study.drift), "blind": ("blind writers", study.blind)}
    for axis, (arm, (words, settings)) in zip(axes, arms.items(), strict=True):
        found, lengths = data.pairs[arm], np.array(settings.lengths, dtype=np.float64)
        total = settings.n_pairs * settings.n_texts
        curves = {
            "B passes, Azuma's threshold": settings.n_texts - found[AZUMA][:, 1],
            "B passes, normal threshold": settings.n_texts - found[NORMAL][:, 1],
            "B passes, likelihood ratio": found["mistaken"][:, 1],
            "A rejected, Azuma's threshold": found[AZUMA][:, 0],
            "A rejected, normal threshold": found[NORMAL][:, 0],
        }
        for place, (label, counts) in enumerate(curves.items()):
            drawn = shares(axis, lengths * 1.06 ** (place - 2), counts.sum(axis=0), total, place, label, place > 2)
            for i, row in enumerate(drawn):
                row["x"] = float(lengths[i])
                of_pairs = counts[:, i] / settings.n_texts
                rows.append(
                    {
                        "writers": words,
                        "curve": label,
                        **row,
                        "least": float(of_pairs.min()),
                        "most": float(of_pairs.max()),
                    }
                )
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_xticks(lengths, [f"{n:g}" for n in lengths])
        axis.minorticks_off()
        axis.set_xlabel("tokens of a text")
        axis.set_title(words, fontsize=8.5)
    axes[0].set_ylabel("share of texts")
    axes[0].set_ylim(5e-5, 2.0)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=7)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Errors against the length",
        caption=(
            f"Errors of the tests on texts by A and by B, {study.drift.n_pairs} and {study.blind.n_pairs} pairs of"
            f" order-1 chains together ({study.drift.n_texts:,} texts each); nominal size {study.drift.size:.0%}, but"
            " for the likelihood ratio, which says B wherever B's law gives the text more: it errs on A's texts too,"
            " which is not drawn. Blind writers have A's expected surprise in every context."
            f" {BARS}; triangles: upper ends where no text is counted. Least and largest share of single pairs in the"
            " CSV."
        ),
        claims=tuple(
            f"{STUDY}.{name}"
            for name in ("size", "size_azuma", "converges", "errors_fall", "errors_fall_always", "blind_visible")
        ),
    )
