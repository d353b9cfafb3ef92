"""What merges of an alphabet keep of the information on the next symbol."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.couplings.config import MERGED_KINDS
from testbed.studies.couplings.data import Data, mean
from testbed.studies.couplings.squeeze import CRITERIA
from testbed.studies.couplings.statements import STUDY
from testbed.studies.drawing import LEVEL, style
from testbed.studies.judge import Bounded
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.couplings.study import Couplings

WORDS = {
    "entropy": "largest H(T)",
    "predictive": "least loss of I(T; X') at each merge",
    "adjacent": "most often side by side",
}


def merges_figure(study: "Couplings", data: Data) -> StudyFigure:
    """Share of the best merge's information against the rate, one panel a kind of chain."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(MERGED_KINDS), figsize=(7.2, 3.0), sharey=True)
    rows: list[dict[str, Any]] = []
    rates = np.array(study.merges.rates)
    for axis, kind in zip(axes, MERGED_KINDS, strict=True):
        for place, name in enumerate(CRITERIA):
            values = data[kind]["kept"][:, :, place]
            numbers = [Bounded(mean(values[:, i]).student, 0.0, 1.0) for i in range(len(rates))]
            middle = np.array([one.estimate for one in numbers])
            ends = np.array([one.interval((1 - LEVEL) / 2) for one in numbers])
            bars = np.maximum(np.abs(ends.T - middle), 0.0)
            x = rates + 0.008 * (place - 1)
            axis.errorbar(
                x, middle, yerr=bars, **{**style(place), "markersize": 3.5}, elinewidth=0.8, label=WORDS[name]
            )
            rows += [
                {
                    "kind": kind,
                    "criterion": name,
                    "rate": float(r),
                    "kept": float(m),
                    "lower": float(e[0]),
                    "upper": float(e[1]),
                }
                for r, m, e in zip(rates, middle, ends, strict=True)
            ]
        axis.axvline(study.merges.judged_rate, color="0.6", linestyle=":", linewidth=1.0, marker="", label="judged")
        axis.set_title(kind, fontsize=8.5)
        axis.set_xlabel("R / H(X)")
        axis.set_ylim(-0.05, 1.08)
    axes[0].set_ylabel("kept, share of the best merge's")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=7)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Which symbols to take for one",
        caption=(
            "I(T; X') of the next symbol X' that merges with H(T) <= R keep, over the most that any merge keeps;"
            f" {study.merges.n} chains of each kind over {study.merges.n_symbols} symbols, each exact. Sticky: a symbol"
            " tells of itself alone; twins: all symbols equally likely, two and two with one future. Where maps of"
            " largest entropy tie, their mean. Bars:"
            f" {LEVEL:.0%} intervals of the mean over chains, Student's t, each number alone. 0: greedy"
            " merges that end in one cell."
        ),
        claims=tuple(
            f"{STUDY}.{name}"
            for name in (
                "entropy_sticky", "entropy_twins", "entropy_random", "predictive_twins", "predictive_sticky", "adjacent"
            )
        ),
    )  # fmt: skip
