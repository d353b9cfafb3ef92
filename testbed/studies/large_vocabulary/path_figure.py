"""Excess along the descent of logits: from equal logits, and from the law itself."""

from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.studies.drawing import LEVEL, style
from testbed.studies.large_vocabulary.claims import STUDY
from testbed.studies.large_vocabulary.config import FORMS
from testbed.studies.large_vocabulary.data import Data
from testbed.studies.large_vocabulary.tail_figure import LABELS, LOOKS
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.large_vocabulary.study import LargeVocabulary


def path_figure(study: "LargeVocabulary", data: Data) -> StudyFigure:
    """Left: the largest vocabulary by time; right: filtered steps of rate 1 that start at its law."""
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.2))
    rows: list[dict[str, Any]] = []
    time, exact = data.exact["large"]["time"], data.exact["large"]["path"]
    for k, form in enumerate(FORMS):
        values = data.flows["large"]["path"][:, :, k]
        found = np.array([data.interval(values[:, i]) for i in range(values.shape[1])])
        errors = np.maximum([found[:, 0] - found[:, 1], found[:, 2] - found[:, 0]], 0.0)
        look = {**style(LOOKS[form]), "linestyle": "", "markersize": 3.5}
        left.errorbar(time, found[:, 0], errors, **look, label=LABELS[form], capsize=1.5)
        left.plot(time, exact[:, k], **{**look, "linestyle": "-", "marker": "", "linewidth": 0.8})
        rows += [
            {"panel": "from equal logits", "form": form, "time": float(t), "excess": float(m), "lower": float(lo),
             "upper": float(hi), "exact": float(x)}
            for t, (m, lo, hi), x in zip(time, found, exact[:, k], strict=True)
        ]  # fmt: skip
    left.set_yscale("log")
    left.set_xlabel("time (sum of learning rates)")
    left.set_ylabel("excess (nats)")
    left.set_title(f"from equal logits, V = {study.large.vocab_size}", fontsize=8)
    times, excess = data.extras["tuned_time"], data.extras["tuned_excess"]
    right.plot(times, excess, **{**style(LOOKS["entries"]), "linestyle": "-", "markersize": 3.5})
    right.axhline(
        study.bounds.loss, color="0.4", linestyle="--", linewidth=0.9, marker="", label=f"{study.bounds.loss:g} nats"
    )
    right.axvline(
        study.extras.tuned_steps,
        color="0.4",
        linestyle=":",
        linewidth=0.9,
        marker="",
        label=f"{study.extras.tuned_steps} steps",
    )
    right.set_xscale("log", base=2)
    right.set_yscale("log")
    right.set_xlabel("steps of rate 1")
    right.set_title("from the law itself, exact", fontsize=8)
    rows += [
        {"panel": "from the law", "time": float(t), "excess": float(x)} for t, x in zip(times, excess, strict=True)
    ]
    left.legend(fontsize=7)
    right.legend(fontsize=7)
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="Excess along the descent",
        caption=(
            f"Left: excess of logits alone, mean over {study.n_seeds} replicates of sampled labels; bars: {LEVEL:.0%}"
            " intervals of the mean, each alone (smaller than the marks where none is seen);"
            " lines: the same descent on the exact law. Plain descent falls all the"
            " way; the filtered one is faster at first, as the tail is pushed down by what rises, and goes on past the"
            " truth where tokens starve, by blocks too, later and less; neither has come to rest. Right:"
            " excess of filtered descent that starts at the law, exact, without intervals."
        ),
        claims=tuple(f"{STUDY}.{name}" for name in ("no_loss_large", "no_loss_blocks_large", "path_large")),
    )
