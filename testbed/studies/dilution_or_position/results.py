"""The finished records of the study as arrays over replicates, and which members learnt their task."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from testbed.runs import Record
from testbed.studies.dilution_or_position.config import NONE
from testbed.studies.dilution_or_position.grid import changes_of, tuned_learning_rate
from testbed.studies.dilution_or_position.places import CORNERS
from testbed.studies.dilution_or_position.shapley import Effects
from testbed.studies.judge import Mean, Replicates
from testbed.studies.judge.evidence import MINIMUM_REPLICATES

if TYPE_CHECKING:
    from testbed.studies.dilution_or_position.study import DilutionOrPosition

Floats = NDArray[np.float64]
OF_THE_SOURCE = ("no_context", "injected")
"""Numbers in which the member has no part."""


class Row(NamedTuple):
    """A trained arm of a task, with a change at test time."""

    task: str
    arm: str
    change: str = NONE

    def __str__(self) -> str:
        return self.arm if self.change == NONE else f"{self.arm}, {self.change}"


@dataclass
class Measured:
    """Excess of every row at every corner and ratio n / m, one number a seed; nan where a member diverged.

    excess      {(row, ratio): {corner: (n_seeds,)}}
    no_context  {task: (n_seeds,)}     KL of the best law without context at n = m
    injected    {task: (n_seeds,)}     KL of an exact head with multiplied logits, largest ratio; averaging
    rates       {(task, arm): rate}    chosen learning rates
    """

    seeds: tuple[int, ...]
    gate: float
    excess: dict[tuple[Row, int], dict[str, Floats]] = field(default_factory=dict)
    no_context: dict[str, Floats] = field(default_factory=dict)
    injected: dict[str, Floats] = field(default_factory=dict)
    rates: dict[tuple[str, str], float] = field(default_factory=dict)
    designs: dict[tuple[int, ...], Replicates] = field(default_factory=dict)

    @property
    def rows(self) -> list[Row]:
        """Every row, in the order of the grid."""
        return list(dict.fromkeys(row for row, _ in self.excess))

    def learnt(self, row: Row) -> NDArray[np.bool_]:
        """(n_seeds,) excess at n = m below the gate's share of the KL without context, trained and changed alike."""
        found = np.ones(len(self.seeds), dtype=np.bool_)
        for one in {row, Row(row.task, row.arm)}:
            with np.errstate(invalid="ignore"):
                found &= self.excess[one, 1]["base"] < self.gate * self.no_context[row.task]
        return found

    def usable(self, *rows: Row) -> bool:
        """Enough replicates learnt in all of these rows for a verdict to rest on them."""
        return int(self.common(*rows).sum()) >= MINIMUM_REPLICATES

    def common(self, *rows: Row) -> NDArray[np.bool_]:
        """(n_seeds,) the replicates in which all of these rows learnt."""
        return np.logical_and.reduce([self.learnt(row) for row in rows])

    def effects(self, row: Row, ratio: int, kept: NDArray[np.bool_] | None = None) -> Effects:
        """The two factors' effects in the replicates that are kept: those in which the row learnt, unless given."""
        which = self.learnt(row) if kept is None else kept
        corners = self.excess[row, ratio]
        base, position, dilution, both = (corners[corner][which] for corner in CORNERS)
        return Effects(base, position, dilution, both)

    def sensitivity(self, task: str) -> Mean:
        """Evidence on what a multiplier injected into an exact head costs; 0 where there is no such head."""
        found = self.injected.get(task, np.zeros(len(self.seeds)))
        return self.mean(found, np.ones(len(self.seeds), dtype=np.bool_))

    def mean(self, values: Floats, kept: NDArray[np.bool_]) -> Mean:
        """Evidence on the mean of one number for each kept replicate; equal sets share their resamples."""
        seeds = tuple(int(seed) for seed, keep in zip(self.seeds, kept, strict=True) if keep)
        return Mean(values, self.designs.setdefault(seeds, Replicates({"seed": seeds}, seed=0)))


def measured(study: "DilutionOrPosition", records: Sequence[Record]) -> Measured | None:
    """Gather the members' records; None where some are missing."""
    finished = {record.key: record for record in records if record.status != "failed"}
    index = {
        (Row(p["task"], p["arm"], p["change"]), p["ratio"], p["seed"], p["learning_rate"]): record
        for record in finished.values()
        if (p := record.probe)["kind"] == "member"
    }
    found = Measured(tuple(study.seeds), study.gate)
    for task in study.tasks:
        for arm in study.arms_of(task):
            rate, _ = tuned_learning_rate(study, task, arm, finished)
            if rate is None:
                return None
            found.rates[task.name, arm.name] = rate
            for ratio in study.ratios:
                for change, _ in changes_of(study, arm):
                    row = Row(task.name, arm.name, change)
                    mine = [index.get((row, ratio, seed, rate)) for seed in study.seeds]
                    if any(one is None for one in mine):
                        return None
                    found.excess[row, ratio] = {
                        corner: _numbers([one for one in mine if one is not None], corner) for corner in CORNERS
                    }
                    if ratio == study.ratios[-1] and all("injected" in one.metrics for one in mine if one is not None):
                        found.injected[task.name] = _numbers([one for one in mine if one is not None], "injected")
                    if ratio == 1:
                        found.no_context[task.name] = _numbers([one for one in mine if one is not None], "no_context")
    return found


def _numbers(records: list[Record], name: str) -> Floats:
    return np.array(
        [float(one.metrics[name]) if one.status == "done" or name in OF_THE_SOURCE else np.nan for one in records]  # type: ignore[arg-type]
    )
