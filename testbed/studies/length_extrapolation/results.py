"""The finished records of the study as arrays over replicates, and which members learnt their task."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from testbed.runs import Record
from testbed.studies.judge import Mean, Replicates
from testbed.studies.judge.evidence import MINIMUM_REPLICATES
from testbed.studies.length_extrapolation.config import NONE
from testbed.studies.length_extrapolation.grid import MemberProbe, member_cells, tuned_rate
from testbed.studies.length_extrapolation.reach import lost_by

if TYPE_CHECKING:
    from testbed.studies.length_extrapolation.study import LengthExtrapolation

Floats = NDArray[np.float64]


class Row(NamedTuple):
    """A trained arm with a change at test time."""

    arm: str
    change: str = NONE

    def __str__(self) -> str:
        return self.arm if self.change == NONE else f"{self.arm}, {self.change}"


@dataclass
class Measured:
    """Excess of every row of a task at every ratio n / m, one number a seed; nan where a member diverged.

    late        {(task, row, ratio): (n_seeds,)}    over the second half of a sequence
    everywhere  likewise, over all of it
    no_context  {(task, ratio): (n_seeds,)}         KL of the best law without context, over the second half
    learnt      {(task, arm): (n_seeds,) bool}      excess at n = m, unchanged, less `lost`, below gate times no_context
    heads       {(task, row, ratio): {measure: (n_seeds, depth, heads)}}, where heads were looked at: `heads.MEASURES`
    rates       {(task, arm): peak learning rate}    as tuned
    apart       {(task, arm): (n_seeds,)}            no_context at n = m of arms scored on hidden tokens: another law,
                                                     so that they are compared with no other arm
    lost        {(task, arm): nats}                  what the exact law loses behind the masks that an arm is trained
                                                     with, where there are any: none of it is for lack of training
    """

    seeds: tuple[int, ...]
    late: dict[tuple[str, Row, int], Floats] = field(default_factory=dict)
    everywhere: dict[tuple[str, Row, int], Floats] = field(default_factory=dict)
    no_context: dict[tuple[str, int], Floats] = field(default_factory=dict)
    learnt: dict[tuple[str, str], NDArray[np.bool_]] = field(default_factory=dict)
    heads: dict[tuple[str, Row, int], dict[str, Floats]] = field(default_factory=dict)
    rates: dict[tuple[str, str], float] = field(default_factory=dict)
    apart: dict[tuple[str, str], Floats] = field(default_factory=dict)
    lost: dict[tuple[str, str], float] = field(default_factory=dict)
    designs: dict[tuple[int, ...], Replicates] = field(default_factory=dict)

    def judge_learnt(self, gate: float) -> None:
        """Fill `learnt` from the rest."""
        for (task, row, ratio), values in self.late.items():
            if row.change == NONE and ratio == 1:
                with np.errstate(invalid="ignore"):
                    floor = self.apart.get((task, row.arm), self.no_context.get((task, 1)))
                    assert floor is not None
                    self.learnt[task, row.arm] = values - self.lost.get((task, row.arm), 0.0) < gate * floor

    def usable(self, task: str, arm: str) -> bool:
        """Enough replicates of the arm learnt the task for a verdict to rest on it."""
        return int(self.learnt.get((task, arm), np.zeros(1)).sum()) >= MINIMUM_REPLICATES

    def rows(self, task: str, ratio: int) -> Iterator[Row]:
        """Rows of a task, in the order of the grid."""
        for one, row, at in self.late:
            if one == task and at == ratio:
                yield row

    def arms(self, task: str) -> list[str]:
        """Arms that were trained on a task."""
        return [arm for one, arm in self.learnt if one == task]

    def together(self, task: str, *arms: str) -> bool:
        """Enough replicates for a verdict in which all of these arms learnt the task."""
        return set(arms) <= set(self.arms(task)) and int(self.common(task, arms).sum()) >= MINIMUM_REPLICATES

    def common(self, task: str, arms: Iterable[str]) -> NDArray[np.bool_]:
        """(n_seeds,) the replicates in which all of these arms learnt the task."""
        return np.logical_and.reduce([self.learnt[task, arm] for arm in arms])

    def design(self, kept: NDArray[np.bool_]) -> Replicates:
        """The replicates that are left; one object for equal sets, so that contrasts share their resamples."""
        seeds = tuple(int(seed) for seed, keep in zip(self.seeds, kept, strict=True) if keep)
        return self.designs.setdefault(seeds, Replicates({"seed": seeds}, seed=0))

    def difference(self, task: str, ratio: int, row: Row, other: Row, everywhere: bool = False) -> Mean:
        """Excess of a row less that of another, paired over the replicates in which both arms learnt."""
        values = self.everywhere if everywhere else self.late
        difference = values[task, row, ratio] - values[task, other, ratio]
        return self.mean_of(difference, self.common(task, {row.arm, other.arm}))

    def mean_of(self, values: Floats, kept: NDArray[np.bool_]) -> Mean:
        """Mean of (n_seeds,) numbers over the replicates kept."""
        return Mean(values[kept], self.design(kept))

    def excess(self, task: str, ratio: int, row: Row) -> Mean:
        """Excess of a row over the replicates in which its arm learnt."""
        return self.mean_of(self.late[task, row, ratio], self.common(task, {row.arm}))

    def mean(self, task: str, ratio: int, row: Row) -> Mean | None:
        """Excess of a row over the replicates in which its arm learnt; None where none did."""
        kept = self.learnt[task, row.arm]
        return self.mean_of(self.late[task, row, ratio], kept) if kept.any() else None

    def comparable(self, task: str, ratio: int) -> list[Row]:
        """Rows of the arms that can be used and are scored on the same law."""
        return [
            row for row in self.rows(task, ratio) if self.usable(task, row.arm) and (task, row.arm) not in self.apart
        ]

    def against(self, task: str, ratio: int, row: Row) -> list[tuple[Row, Mean]]:
        """Every other row, with the excess of this one less that of the other: it is best where none is above zero.

        Each is paired over the replicates in which both arms learnt; rows whose arms share too few are left out.
        """
        return [
            (other, self.difference(task, ratio, row, other))
            for other in self.comparable(task, ratio)
            if other != row and self.together(task, row.arm, other.arm)
        ]


def measured(study: "LengthExtrapolation", records: Sequence[Record]) -> Measured | None:
    """Gather the members' records; None where some are missing."""
    finished = {record.key: record for record in records if record.status != "failed"}
    found = Measured(tuple(study.seeds))
    for task in study.tasks:
        for arm in study.arms_of(task):
            rate, _ = tuned_rate(study, task, arm, finished)
            if rate is None:
                return None
            found.rates[task.name, arm.name] = rate
            found.lost[task.name, arm.name] = lost_by(study, task, arm, 1)
            mine: dict[tuple[Row, int], list[Record]] = {}
            for cell in member_cells(study, task, arm, rate):
                if cell.key not in finished:
                    return None
                assert isinstance(cell.probe, MemberProbe)
                one = Row(arm.name, cell.probe.change), cell.probe.ratio
                mine.setdefault(one, []).append(finished[cell.key])
            for (row, ratio), of_seeds in mine.items():
                key = task.name, row, ratio
                found.late[key] = _numbers(of_seeds, "excess")
                found.everywhere[key] = _numbers(of_seeds, "excess_everywhere")
                if heads := _heads(of_seeds):
                    found.heads[key] = heads
                if row.change == NONE:
                    values = np.array([float(one.metrics["no_context"]) for one in of_seeds])  # type: ignore[arg-type]
                    if not arm.masked:
                        found.no_context[task.name, ratio] = values
                    elif ratio == 1:
                        found.apart[task.name, arm.name] = values
    found.judge_learnt(study.gate)
    return found


def _numbers(records: Sequence[Record], name: str) -> Floats:
    """(n_seeds,): a metric of each replicate, nan where it diverged."""
    return np.array([float(one.metrics[name]) if one.status == "done" else np.nan for one in records])  # type: ignore[arg-type]


def _heads(records: Sequence[Record]) -> dict[str, Floats]:
    """{measure: (n_seeds, depth, heads)}, nan where a member diverged; empty where no head was looked at."""
    shown = next((one.arrays for one in records if one.arrays), None)
    if shown is None:
        return {}
    return {
        name: np.stack([one.arrays.get(name, np.full_like(shown[name], np.nan)) for one in records]) for name in shown
    }


def oracles(records: Sequence[Record]) -> dict[tuple[str, int], Record]:
    """{(task, ratio): record} of the exact controls."""
    return {(p["task"], p["ratio"]): one for one in records if "head_dim" in (p := one.probe) and one.status == "done"}
