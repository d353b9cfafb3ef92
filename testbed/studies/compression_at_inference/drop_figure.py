"""Dropped tokens: KL against the share dropped on each source, and surprisal against the number of fillers."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.compression_at_inference.config import DROPPED
from testbed.studies.compression_at_inference.data import Data
from testbed.studies.compression_at_inference.dropping import CRITERIA
from testbed.studies.compression_at_inference.other_claims import DROPS
from testbed.studies.compression_at_inference.statements import STUDY
from testbed.studies.drawing import LEVEL, style
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.compression_at_inference.study import CompressionAtInference

TITLES = {
    "fillers": "fillers, all alike",
    "noise": "fillers are noise",
    "alone": "one token matters",
    "twice": "everything comes twice",
}
NAMES = {
    "surprisal": "surprisal",
    "classifier": "classifier, a token and its neighbours",
    "leave_out": "leave-out loss, each alone",
    "greedy": "leave-out, one after another",
    "best": "best sets",
    "chance": "chance",
}


def drop_figure(study: "CompressionAtInference", data: Data) -> StudyFigure:
    """A panel a source, and one of the dial from informative surprise to noise."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 3, figsize=(7.2, 5.4))
    rows: list[dict[str, Any]] = []
    share = np.linspace(0, 1, study.dropping.context_length + 1)
    for axis, arm in zip(axes.ravel()[[0, 1, 3, 4]], DROPPED, strict=True):
        for look, name in enumerate(CRITERIA):
            means, low, high = np.maximum([data.interval(one) for one in data.drops[arm][name].T], 0.0).T
            at = share + 0.006 * (look - 2.5)
            bars = np.maximum([means - low, high - means], 0.0)
            if look:  # all criteria agree where all is dropped: one bar
                bars[:, -1] = 0.0
            axis.errorbar(
                at, means, yerr=bars, capsize=1.5, markersize=3, linewidth=1.0, label=NAMES[name], **style(look)
            )
            rows += [
                {"source": TITLES[arm], "criterion": NAMES[name], "dropped": float(s), "kl": float(m)}
                | {"lower": float(lo), "upper": float(hi)}
                for s, m, lo, hi in zip(share, means, low, high, strict=True)
            ]
        axis.set_title(TITLES[arm], fontsize=8)
        axis.set_xlabel("share of tokens dropped", fontsize=8)
    for axis in axes[:, 0]:
        axis.set_ylabel("KL to the law of the whole context (nats)", fontsize=7)
    dial = axes[0, 2]
    numbers = np.array(study.dropping.dial)
    means, low, high = np.array([data.interval(one) for one in data.dial().T]).T
    dial.errorbar(
        numbers, means, yerr=[means - low, high - means], capsize=2, markersize=3.5, linewidth=1.0, **style(0)
    )
    for level, name in ((0.0, "best"), (1.0, "chance")):
        dial.axhline(level, color="0.5", linewidth=0.8, linestyle="--", marker="")
        dial.text(numbers[-1], level, name, fontsize=7, ha="right", va="bottom")
    dial.set_xscale("log", base=2)
    dial.set_title("surprisal, half dropped", fontsize=8)
    dial.set_xlabel("number of fillers $r$", fontsize=8)
    dial.set_ylabel("regret", fontsize=8)
    rows += [
        {"source": "fillers", "fillers": int(r), "regret": float(m), "lower": float(lo), "upper": float(hi)}
        for r, m, lo, hi in zip(numbers, means, low, high, strict=True)
    ]
    axes[1, 2].set_visible(False)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=7)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="What dropping context tokens costs, by the criterion",
        caption=(
            "Exact increase of the future's Bayes loss where tokens are dropped from contexts of"
            f" {study.dropping.context_length}, mean over contexts and {study.n_seeds} draws of the source's laws;"
            f" bars: {LEVEL:.0%} intervals of the mean over draws, each alone, cut at 0. Top right: the source of the"
            " first two panels with r fillers, all of which tell nothing; regret of dropping the least surprising half,"
            " 0 the best sets and 1 chance. What tokens tell, and with it the best choice, is the same for all r: only"
            " surprise changes. Points at one share are shifted for the eye; where all is"
            " dropped all criteria agree, and one interval is drawn. The first two panels are one draw of one source:"
            " all but surprisal is the same on both."
        ),
        claims=tuple(f"{STUDY}.{name}" for name in DROPS),
    )
