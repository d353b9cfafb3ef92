"""The number of each claim."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.studies.gate import learnt, mean_of_learnt
from testbed.studies.induction_phases.claims import STUDY
from testbed.studies.induction_phases.data import (
    Data,
    Floats,
    Level,
    dwelling,
    in_order,
    lead,
    nearest,
    nearness,
    time_in,
)
from testbed.studies.judge import Evidence, Max, Min, Student
from testbed.studies.judge.proportion import Proportion

if TYPE_CHECKING:
    from testbed.studies.induction_phases.study import InductionPhases


def evidence(study: "InductionPhases", data: Data) -> dict[str, Evidence]:
    """Every claim's number, by the claim's id."""
    a, band, spared = data.arms, study.bounds.band, study.bounds.spared
    two, three, eight, doubly, one = a["two"], a["three"], a["eight"], a["doubly"], a["one_two"]
    four = nearest(two, more=("counts_last",))
    level = data.levels["two"]

    def above(name: str) -> Floats:
        """(R,): excess at which a law of the counts lies, exact."""
        return np.full(len(two["final"]), getattr(level, name) - level.bayes)

    unigram = float(level.unigram[0]) - level.bayes
    found: dict[str, Evidence] = {
        "order_two": share(in_order(nearest(two), spared)),
        "order_three": share(in_order(nearest(three), spared)),
        "last_longer": data.mean(time_in(two, four, 3) - time_in(two, four, 1)),
        "near": Max([data.mean(nearness(a[name])) for name in ("two", "three")]),
        "doubly_gain": best_gain(data.paper["doubly"]),
        "doubly_far": mean_of_learnt(
            nearness(doubly), learnt(doubly["final"], doubly["level_uniform"], study.bounds.gate), data.numbers
        ),
        "learnt": Max([data.mean(a[name]["final"]) for name in ("two", "three", "eight")]),
        "plateau_two": plateau(data, two, two["level_unigram"], band),
        "plateau_three": plateau(data, three, three["level_unigram"], band),
        "plateau_last": plateau(data, two, above("counts_last"), band),
        "one_stays": Min([data.mean(a[n]["final"] / a[n]["level_unigram"]) for n in ("one_two", "one_three")]),
        "one_unigram": data.mean(one["final"] - unigram),
        "one_last": data.mean(one["final"] - above("counts_last")),
        "eight_worse": -gain(data.paper["eight"], 0),
        "eight_order": share(in_order(nearest(eight), spared)),
        "eight_smoothed": share(in_order(nearest(eight, "smoothed"), spared)),
        "eight_lead": data.mean(lead(eight, "smoothed") - lead(doubly, "smoothed")),
    }
    return {f"{STUDY}.{name}": number for name, number in found.items()}


def share(flags: NDArray[np.bool_]) -> Evidence:
    """Of runs, which are independent."""
    return Proportion(int(flags.sum()), len(flags), "run")


def plateau(data: Data, arm: dict[str, Floats], level: Floats, half: float) -> Evidence:
    """Slower than above and slower than below: the lesser of the two logs."""
    return Min([data.mean(side) for side in dwelling(arm, level, half).T])


def gain(level: Level, which: int) -> Evidence:
    """What a unigram law gains over the uniform one: mean over drawn sequences."""
    assert level.gains is not None
    rows = level.gains[:, which]
    return Student(float(rows.mean()), float(rows.std(ddof=1)), len(rows), "sequence")


def best_gain(level: Level) -> Evidence:
    """The largest gain over all smoothings."""
    assert level.gains is not None
    return Max([gain(level, which) for which in range(level.gains.shape[1])])
