"""The finished records as arrays, one row a replicate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from testbed.runs import Record
from testbed.studies.drawing import LEVEL
from testbed.studies.judge import Evidence, Replicates, Student, mean_if_known
from testbed.studies.large_vocabulary.config import ARMS, FORMS, ROLES, Arm, Role, SourceName

if TYPE_CHECKING:
    from testbed.studies.large_vocabulary.study import LargeVocabulary

Floats = NDArray[np.float64]
Arrays = Mapping[str, Floats]


@dataclass(frozen=True, eq=False)
class Data:
    """What verdicts and figures are made from.

    flows[role]         arrays of `measure.flow_arrays`, replicates first
    exact[role]         the same on the exact law, with the fixed point
    extras              curves of `measure.extra_arrays`
    members[source, arm]  excess (R,), decile (R, 10), bin (R, bins), bin_p
    tried[source, arm]  {rate: the same, of the replicates that the tuning sees}
    rates               chosen learning rates
    paired              z-scores of cross-entropy = h_l + excess
    """

    replicates: Replicates
    flows: Mapping[Role, Arrays]
    exact: Mapping[Role, Arrays]
    extras: Arrays
    members: Mapping[tuple[SourceName, Arm], Arrays]
    tried: Mapping[tuple[SourceName, Arm], Mapping[float, Arrays]]
    rates: Mapping[tuple[SourceName, Arm], float]
    paired: Floats

    def mean(self, values: Floats) -> Evidence:
        """Evidence on the mean over replicates of (R,) values; open where some are not known.

        Values that are all the same to rounding count as one number known without spread."""
        if np.isfinite(values).all() and np.ptp(values) < 1e-12:
            return Student(float(values.mean()), 0.0, len(values))
        if len(values) != self.replicates.n_rows:
            return mean_if_known(values, replicates_of(range(len(values))))  # of the tuning
        return mean_if_known(values, self.replicates)

    def interval(self, values: Floats) -> tuple[float, float, float]:
        """Mean with its interval of level LEVEL."""
        found = self.mean(values)
        return found.estimate, *found.interval((1 - LEVEL) / 2)

    def of_form(self, role: Role, name: str, form: str) -> Floats:
        """(R, ...) an array of the flows of a form."""
        return np.asarray(self.flows[role][name][:, FORMS.index(form)])

    def lost(self, role: Role, form: str = "entries") -> Floats:
        """(R,) excess of a form less that of the whole gradient on the same labels."""
        return self.of_form(role, "excess", form) - self.of_form(role, "excess", "whole")

    def lost_in(self, source: SourceName, arm: Arm) -> Floats:
        """(R,) excess of transformers on a loss less that of plain cross-entropy, paired."""
        return np.asarray(self.members[source, arm]["excess"] - self.members[source, "plain"]["excess"])


def replicates_of(seeds: Sequence[int]) -> Replicates:
    """Replicates by their numbers."""
    return Replicates({"replicate": list(seeds)}, seed=0)


def gather(study: "LargeVocabulary", records: Sequence[Record]) -> Data | None:
    """The records of every law, loss, source and replicate that the study names; None if one is missing."""
    flows: dict[tuple[str, int | None], Record] = {}
    trained: dict[tuple[str, str, int], Record] = {}
    tried: dict[tuple[str, str], dict[float, list[Record]]] = {}
    extras: Arrays | None = None
    for one in records:
        probe: Mapping[str, Any] = one.probe
        if probe["kind"] == "flow":
            flows[probe["role"], probe["seed"]] = one
        elif probe["kind"] == "extras":
            extras = one.arrays
        elif probe["kind"] == "member":
            trained[probe["source"], probe["arm"], probe["seed"]] = one
        elif probe["kind"] == "tuning":
            of_arm = tried.setdefault((probe["source"], probe["arm"]), {})
            of_arm.setdefault(float(probe["learning_rate"]), []).append(one)
    wanted = [(role, seed) for role in ROLES for seed in (None, *study.seeds)]
    members = [(source, arm, seed) for source, arms in ARMS.items() for arm in arms for seed in study.seeds]
    if extras is None or any(key not in flows for key in wanted) or any(key not in trained for key in members):
        return None
    found: dict[tuple[SourceName, Arm], Arrays] = {}
    rates, z = {}, []
    for source, arms in ARMS.items():
        for arm in arms:
            mine = [trained[source, arm, seed] for seed in study.seeds]
            found[source, arm] = _members(mine)
            rates[source, arm] = float(mine[0].probe["learning_rate"])
            z += [
                float(one.metrics["paired"]) / max(float(one.metrics["paired_error"]), 1e-9)  # type: ignore[arg-type]
                for one in mine
                if one.status == "done"
            ]
    return Data(
        replicates_of(study.seeds),
        {role: _stacked([flows[role, seed] for seed in study.seeds]) for role in ROLES},
        {role: flows[role, None].arrays for role in ROLES},
        extras,
        found,
        {
            (source, arm): {rate: _members(of) for rate, of in sorted(tried.get((source, arm), {}).items())}
            for source, arm in found
        },
        rates,
        np.array(z),
    )


def _stacked(records: Sequence[Record]) -> Arrays:
    return {name: np.stack([one.arrays[name] for one in records]) for name in records[0].arrays}


def _members(records: Sequence[Record]) -> Arrays:
    """Excess is infinite where a member diverged; its laws are not known then."""
    done = [one for one in records if one.status == "done"]
    excess = np.array(
        [float(one.metrics["excess"]) if one.status == "done" else np.inf for one in records]  # type: ignore[arg-type]
    )
    found: dict[str, Floats] = {"excess": excess}
    for name in done[0].arrays if done else ():
        nothing = np.full_like(done[0].arrays[name], np.nan)
        found[name] = np.stack([one.arrays[name] if one.status == "done" else nothing for one in records])
    return found
