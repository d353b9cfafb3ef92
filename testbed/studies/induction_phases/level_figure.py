"""What counts of symbols gain, by what is added to them."""

from typing import TYPE_CHECKING

import numpy as np

from testbed.studies.drawing import LEVEL, style
from testbed.studies.induction_phases.claims import STUDY
from testbed.studies.induction_phases.config import Name
from testbed.studies.induction_phases.curves import Row
from testbed.studies.induction_phases.data import Data
from testbed.studies.judge.evidence import student_quantile
from testbed.studies.study import StudyFigure

if TYPE_CHECKING:
    from testbed.studies.induction_phases.study import InductionPhases

TITLES: tuple[tuple[Name, str], ...] = (
    ("two", "K = 2"), ("three", "K = 3"), ("eight", "K = 8"), ("doubly", "K = 3, doubly stochastic")
)  # fmt: skip


def smoothing_figure(study: "InductionPhases", data: Data) -> StudyFigure:
    """Loss of smoothed unigrams less that of the uniform law, at positions 1 .. 100."""
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(4.6, 3.2))
    added, rows = np.array(study.reading.smoothings), []
    for place, (name, title) in enumerate(TITLES):
        level = data.paper[name]
        values = level.unigram - np.log(study.arms.named(name).vocab_size)
        reach = np.zeros(len(added))
        if level.gains is not None and not level.exact:
            n = len(level.gains)
            reach = level.gains.std(axis=0, ddof=1) / np.sqrt(n) * student_quantile((1 - LEVEL) / 2, n - 1)
        axis.errorbar(added, values, yerr=reach, label=title, **style(place))
        rows += [
            Row(arm=name, added=float(b), loss=float(v), lower=float(v - r), upper=float(v + r))
            for b, v, r in zip(added, values, reach, strict=True)
        ]
    axis.axhline(0.0, color="0.4", linewidth=0.9)
    axis.set_xscale("log", base=2)
    axis.set_xlabel("added to each count")
    axis.set_ylabel("loss of unigrams less uniform (nats)")
    axis.legend()
    return StudyFigure(
        figure=figure,
        rows=rows,
        title="What counts of symbols are worth",
        caption=(
            "Loss of in-context unigrams less that of the uniform law, mean over positions 1 .. 100, by what is added"
            " to each count (1 in the paper). Above zero they are worse than uniform. K = 2 is exact; bars:"
            f" {LEVEL:.0%} intervals over {study.reading.n_level_sequences} sequences."
        ),
        claims=tuple(f"{STUDY}.{name}" for name in ("eight_worse", "doubly_gain")),
    )
