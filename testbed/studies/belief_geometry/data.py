"""The finished records as arrays, one row a replicate, and the numbers that claims and figures share."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.runs import Record
from testbed.studies.drawing import LEVEL
from testbed.studies.judge import Evidence, Replicates, mean_if_known

if TYPE_CHECKING:
    from testbed.studies.belief_geometry.study import BeliefGeometry

Floats = NDArray[np.float64]

ALIKE = 0.99
"""Largest R^2 of a function of the law from which the law gives the belief."""
PICTURES = ("beliefs", "last", "together", "together_untrained")
"""Kept of the first replicate alone; of others there may be fewer histories."""


@dataclass(frozen=True, eq=False)
class Data:
    """arms[name]: arrays of all replicates, (R, ...) each; pictures[name]: of the first one; rates: for the reader."""

    replicates: Replicates
    arms: dict[str, dict[str, Floats]]
    pictures: dict[str, dict[str, Floats]]
    rates: dict[str, float]

    def mean(self, values: Floats) -> Evidence:
        """Evidence on the mean over replicates of (R,) values; open where some are not known."""
        return mean_if_known(values, self.replicates)

    def interval(self, values: Floats) -> tuple[float, float, float]:
        """Mean with its interval of level LEVEL."""
        found = self.mean(values)
        return found.estimate, *found.interval((1 - LEVEL) / 2)

    def intervals(self, values: Floats) -> Floats:
        """(n, 3) of values (R, n)."""
        return np.array([self.interval(column) for column in values.T])

    def last(self, arm: str, suffix: str = "") -> Floats:
        """(R,) R^2 from the stream that the last block leaves; with "_untrained", before training."""
        return self.arms[arm]["streams" + suffix][:, -2]

    def together(self, arm: str, suffix: str = "") -> Floats:
        """(R,) R^2 from all streams together."""
        return self.arms[arm]["streams" + suffix][:, -1]

    def rivals(self, arm: str) -> dict[str, Floats]:
        """(R,) each: what gives the belief without a trained network."""
        arrays = self.arms[arm]
        return {
            "any function of the law": arrays["bound"],
            "tokens of the window": arrays["window"],
            "untrained, all layers": self.together(arm, "_untrained"),
        }

    def beyond(self, arm: str) -> Floats:
        """(R,) R^2 from all streams less the best of the rivals in the same replicate."""
        return self.together(arm) - np.max(list(self.rivals(arm).values()), axis=0)

    def hidden(self, study: "BeliefGeometry") -> list[str]:
        """Arms, no product, whose belief the next token's law does not give."""
        return [arm.name for arm in study.arms if not arm.is_product and self.arms[arm.name]["bound"].mean() < ALIKE]


def gather(study: "BeliefGeometry", records: Sequence[Record]) -> Data | None:
    """The records of every arm and replicate that the study names; None if one is missing or diverged."""
    done = [one for one in records if one.status == "done" and one.probe["kind"] == "member"]
    found = {(one.probe["name"], one.probe["seed"]): one for one in done}
    arms: dict[str, dict[str, Floats]] = {}
    pictures, rates = {}, {}
    for arm in study.arms:
        known = [found[arm.name, seed] for seed in study.seeds if (arm.name, seed) in found]
        if len(known) < study.n_seeds:
            return None
        first = known[0]
        arms[arm.name] = {
            name: np.stack([one.arrays[name] for one in known]) for name in first.arrays if name not in PICTURES
        }
        pictures[arm.name] = {name: first.arrays[name] for name in PICTURES}
        rates[arm.name] = float(first.probe["learning_rate"])
    return Data(replicates_of(study.seeds), arms, pictures, rates)


def replicates_of(numbers: Sequence[int]) -> Replicates:
    return Replicates({"seed": numbers}, seed=0)


def learnt(study: "BeliefGeometry", data: Data, arm: str) -> bool:
    """The mean excess over positions is below the gate's share of what context is worth, mean over t of h_0 - h_t."""
    arrays = data.arms[arm]
    risk = arrays["risk"][0]
    return bool(arrays["excess"].mean() < study.bounds.gate * (risk[0] - risk).mean())
