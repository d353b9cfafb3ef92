"""The number of each claim."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.studies.gate import learnt, usable
from testbed.studies.induction_phases.claims import STUDY
from testbed.studies.induction_phases.data import Data, Floats, Level, in_order, nearest, nearness, slowness, visited
from testbed.studies.judge import Evidence, Max, Min, Student
from testbed.studies.judge.proportion import Proportion

if TYPE_CHECKING:
    from testbed.studies.induction_phases.study import InductionPhases


def evidence(study: "InductionPhases", data: Data) -> dict[str, Evidence]:
    """Every claim's number, by the claim's id."""
    a, band = data.arms, study.bounds.band
    two, one, doubly, gate = a["two"], a["one_two"], a["doubly"], study.bounds.gate
    level = data.levels["two"]

    def above(name: str) -> Floats:
        """(R,): excess at which a law of the counts lies, exact."""
        return np.full(len(two["final"]), getattr(level, name) - level.bayes)

    unigram = float(level.unigram[0]) - level.bayes
    found: dict[str, Evidence] = {
        "order_two": share(in_order(nearest(two))),
        "order_three": share(in_order(nearest(a["three"]))),
        "near": Max([data.mean(nearness(a[name])) for name in ("two", "three")]),
        "doubly_gain": best_gain(data.paper["doubly"]),
        "doubly_never": share(visited(nearest(a["doubly"])), learnt(doubly["final"], doubly["level_uniform"], gate)),
        "learnt": Max([data.mean(a[name]["final"]) for name in ("two", "three", "eight")]),
        "dwells_unigram": Min([data.mean(slowness(a[n], a[n]["level_unigram"], band)) for n in ("two", "three")]),
        "dwells_last": data.mean(slowness(two, above("counts_last"), band)),
        "one_stays": Min([data.mean(a[n]["final"] / a[n]["level_unigram"]) for n in ("one_two", "one_three")]),
        "one_unigram": data.mean(one["final"] - unigram),
        "one_last": data.mean(one["final"] - above("counts_last")),
        "eight_worse": -gain(data.paper["eight"], 0),
        "eight_order": share(in_order(nearest(a["eight"]))),
        "eight_smoothed": share(in_order(nearest(a["eight"], "smoothed"))),
    }
    return {f"{STUDY}.{name}": number for name, number in found.items()}


def share(flags: NDArray[np.bool_], kept: NDArray[np.bool_] | None = None) -> Evidence:
    """Of runs, which are independent; of those that are kept, and nothing is decided where they are too few."""
    held = flags if kept is None else flags[kept]
    if kept is not None and not usable(kept):
        return Student(0.0, np.inf, 1)
    return Proportion(int(held.sum()), len(held), "run")


def gain(level: Level, which: int) -> Evidence:
    """What a unigram law gains over the uniform one: mean over drawn sequences."""
    assert level.gains is not None
    rows = level.gains[:, which]
    return Student(float(rows.mean()), float(rows.std(ddof=1)), len(rows), "sequence")


def best_gain(level: Level) -> Evidence:
    """The largest gain over all smoothings."""
    assert level.gains is not None
    return Max([gain(level, which) for which in range(level.gains.shape[1])])
