"""The finished records as arrays over replicates, by arm."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.runs import Record
from testbed.studies.drawing import LEVEL
from testbed.studies.judge import Mean, Replicates
from testbed.studies.judge.proportion import Proportion
from testbed.studies.multipliers.rate import Floats

if TYPE_CHECKING:
    from testbed.studies.multipliers.study import Multipliers


@dataclass(frozen=True, eq=False)
class Data:
    """What verdicts and figures are made from: arms[arm][name], whose first axis is over replicates (`cases`)."""

    numbers: Sequence[int]
    arms: dict[str, dict[str, Floats]]

    def mean(self, values: Floats) -> Mean:
        """Evidence on the mean over the replicates whose value is finite."""
        kept = np.flatnonzero(np.isfinite(values)).tolist()
        labels = [self.numbers[i] for i in kept]
        return Mean(values[kept], Replicates({"stream of random numbers": labels}, seed=0))

    def interval(self, values: Floats) -> tuple[float, float, float]:
        """Mean with Student's interval of level LEVEL; nan where fewer than two values are finite.

        The bootstrap of claims has infinite ends where many replicates have the same count, which no figure can show.
        """
        if np.isfinite(values).sum() < 2:
            return float("nan"), float("nan"), float("nan")
        student = self.mean(values).student
        return student.estimate, *student.interval((1 - LEVEL) / 2)


def share(flags: NDArray[np.bool_] | np.bool_, unit: str = "law") -> Proportion:
    """Of independent cases, all axes alike."""
    return Proportion(int(flags.sum()), flags.size, unit)


def gather(study: "Multipliers", records: Sequence[Record]) -> Data | None:
    """The records of every arm and replicate that the study names; None if one is missing."""
    done = {(r.probe["arm"], r.probe["replicate"]): r.arrays for r in records if r.status == "done"}
    arms: dict[str, dict[str, Floats]] = {}
    for arm in study.arms:
        mine = [done.get((arm, number)) for number in study.numbers]
        if any(one is None for one in mine):
            return None
        present = [one for one in mine if one is not None]
        arms[arm] = {name: np.stack([one[name] for one in present]) for name in present[0]}
    return Data(study.numbers, arms)
