"""The finished records as arrays by role, first axis over replicates; and the number of each claim."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from testbed.runs import Record
from testbed.studies.gate import learnt
from testbed.studies.judge import Bounded, Evidence, Exact, Mean, Replicates
from testbed.studies.predictive_surplus.claims import STUDY
from testbed.studies.predictive_surplus.config import ROLES
from testbed.studies.tables import Floats

if TYPE_CHECKING:
    from testbed.studies.predictive_surplus.study import PredictiveSurplus

SEED = 30
"""Of the resampling behind means over replicates."""
ROUNDING = 1e-12
"""Nats below which a gain is rounding."""


@dataclass(frozen=True, eq=False)
class Data:
    """What verdicts and figures are made from.

    arms    {role: {name: (R, ...)}}: the arrays of `surplus_arrays` and `spectral_arrays`, and excess (R,), nats
    rates   {role: learning rate}
    """

    arms: dict[str, dict[str, Floats]]
    rates: dict[str, float]

    def total(self, role: str, name: str) -> Floats:
        """(R,) surplus of all steps, nats; what rounding left of nothing is nothing: it has no spread to speak of."""
        summed = self.arms[role][name].sum(axis=1)
        return np.where(np.abs(summed) < ROUNDING, 0.0, summed)

    def share(self, role: str, name: str) -> Floats:
        """(R,) over the exact one."""
        return np.asarray(self.total(role, name) / self.total(role, "exact"))


def gather(study: "PredictiveSurplus", records: Sequence[Record]) -> Data | None:
    """The records of every role and replicate that the study names; None if one is missing."""
    done = [one for one in records if one.status == "done" and one.probe["kind"] == "member"]
    found = {(one.probe["role"], one.probe["seed"]): one for one in done}
    arms: dict[str, dict[str, Floats]] = {}
    rates: dict[str, float] = {}
    for role in ROLES:
        rows = [found.get((role, seed)) for seed in study.seeds]
        known = [one for one in rows if one is not None]
        if len(known) < len(rows):
            return None
        arms[role] = {name: np.array([one.arrays[name] for one in known]) for name in known[0].arrays}
        arms[role]["excess"] = np.array([float(one.metrics["excess"]) for one in known])  # type: ignore[arg-type]
        rates[role] = float(known[0].probe["learning_rate"])
    return Data(arms, rates)


def has_learnt(study: "PredictiveSurplus", data: Data, role: str) -> bool:
    """The mean excess with the whole window is below the gate's share of h_0 - h_T."""
    arm = data.arms[role]
    return bool(learnt(arm["excess"].mean(), arm["worth"].mean(), study.bounds.gate))


def can_read(study: "PredictiveSurplus", data: Data, role: str) -> bool:
    """A drafting head that is shown the exact law of the future reads as much as is asked of the last layer."""
    return bool(data.share(role, "future").mean() >= study.bounds.share)


def mean(values: Floats) -> Mean:
    """Over replicates."""
    return Mean(values, Replicates.grid({"replicate": len(values)}, seed=SEED))


def evidence(study: "PredictiveSurplus", data: Data) -> dict[str, Evidence]:
    """Every claim's number, by the claim's id: means over replicates, and one exact share."""
    spectral = data.arms["spectral"]

    def overlap(name: str, column: int) -> Evidence:
        return Bounded(mean(spectral[name][:, column]), 0.0, 1.0)

    last, law = data.share("hidden", "last"), data.share("hidden", "law")
    numbers: dict[str, Evidence] = {
        "vanishes": mean(data.total("memoryless", "last")),
        "equal_gain": mean(data.total("chain", "last") - data.total("memoryless", "last")),
        "tracks_chain": mean(data.share("chain", "last")),
        "tracks_hidden": mean(last),
        "law_is_enough": Exact(float(law[0])),
        "beyond_law": mean(last - law),
        "beyond_untrained": mean(last - data.share("hidden", "untrained")),
        "streams": mean(data.share("hidden", "streams") - last),
        "aligned_span": overlap("span", 0),
        "null_span": overlap("span", 1),
        "aligned_principal": overlap("principal", 0),
        "null_principal": overlap("principal", 1),
        "rises": mean(spectral["principal"][:, 0] - spectral["principal"][:, 1]),
    }
    return {f"{STUDY}.{name}": number for name, number in numbers.items()}
