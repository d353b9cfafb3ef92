"""The finished records as arrays, one row a replicate, and the numbers that claims and figures share."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.runs import Record
from testbed.studies.causal_state_codes.config import Arm, Clusters
from testbed.studies.causal_state_codes.grid import arms_of
from testbed.studies.drawing import LEVEL
from testbed.studies.judge import Evidence, Replicates, mean_if_known

if TYPE_CHECKING:
    from testbed.studies.causal_state_codes.study import CausalStateCodes

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
TRAINED, UNTRAINED = 0, 1
PARTITIONS = ("state", "law", "law and token", "token")
"""Of places, in the order in which the largest DSE within a class is stored."""


@dataclass(frozen=True, eq=False)
class Data:
    """at[arm]: arrays of all replicates, (R, ...) each; `excess` in units of what context is worth."""

    replicates: Replicates
    at: dict[Arm, dict[str, Floats]]
    rates: dict[Arm, float]

    def of(self, arm: Arm, name: str) -> Floats:
        """(R, ...) of an arm."""
        return self.at[arm][name]

    def mean(self, values: Floats) -> Evidence:
        return mean_if_known(values, self.replicates)

    def interval(self, values: Floats) -> tuple[float, float, float]:
        """Mean with its interval of level LEVEL."""
        found = self.mean(values)
        return found.estimate, *found.interval((1 - LEVEL) / 2)


def gather(study: "CausalStateCodes", records: Sequence[Record]) -> Data | None:
    """The records of every arm and replicate that the study names; None if one is missing or diverged."""
    done = [one for one in records if one.status == "done" and one.probe["kind"] == "member"]
    found = {(one.probe["arm"], one.probe["seed"]): one for one in done}
    at: dict[Arm, dict[str, Floats]] = {}
    rates: dict[Arm, float] = {}
    for arm in arms_of(study):
        known = [found[arm, seed] for seed in study.seeds if (arm, seed) in found]
        if len(known) < study.n_seeds:
            return None
        arrays = {name: np.stack([one.arrays[name] for one in known]) for name in known[0].arrays}
        excess = [float(one.metrics["excess"]) / float(one.metrics["worth"]) for one in known]  # type: ignore[arg-type]
        at[arm] = {**arrays, "excess": np.array(excess)}
        rates[arm] = float(known[0].probe["learning_rate"])
    return Data(replicates_of(study.seeds), at, rates)


def replicates_of(numbers: Sequence[int]) -> Replicates:
    return Replicates({"seed": numbers}, seed=0)


def plateau(sweep: Floats, value: float, off: float, reading: Clusters) -> Floats:
    """(R,) decades of the longest stretch of bandwidths at which a sweep (R, n) is within `off` of a value.

    From the first to the last bandwidth of the stretch: one alone is no stretch.
    """
    step = float(np.log10(reading.bandwidths[1] / reading.bandwidths[0]))
    near = np.abs(sweep - value) <= off
    longest, current = np.zeros(len(sweep)), np.zeros(len(sweep))
    for column in near.T:
        current = np.where(column, current + 1, 0)
        longest = np.maximum(longest, current)
    return np.maximum(longest - 1, 0) * step


def rival_accuracy(data: Data, arm: Arm) -> Floats:
    """(R,) the best of what needs no training: untrained codes, the window's tokens, the longest common suffix."""
    return np.max([data.of(arm, "accuracy")[:, UNTRAINED], data.of(arm, "tokens"), data.of(arm, "suffix")], axis=0)


def regret(data: Data, arm: Arm, accuracy: Floats) -> Floats:
    """(R, ...) Bayes accuracy less an accuracy (R, ...) at the same places; never negative."""
    bayes = data.of(arm, "bayes")
    return np.asarray(bayes.reshape(-1, *[1] * (accuracy.ndim - 1)) - accuracy)
