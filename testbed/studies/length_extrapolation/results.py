"""The finished records of the study as arrays over replicates, and which members learnt their task."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from testbed.runs import Record
from testbed.studies.judge import Mean, Ranking, Replicates
from testbed.studies.judge.evidence import MINIMUM_REPLICATES
from testbed.studies.length_extrapolation.config import NONE
from testbed.studies.length_extrapolation.grid import changes_of

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
    learnt      {(task, arm): (n_seeds,) bool}      excess at n = m, unchanged, below `gate` times no_context
    heads       {(task, row, ratio): {measure: (n_seeds, depth, heads)}}, where heads were looked at: `heads.MEASURES`
    """

    seeds: tuple[int, ...]
    late: dict[tuple[str, Row, int], Floats] = field(default_factory=dict)
    everywhere: dict[tuple[str, Row, int], Floats] = field(default_factory=dict)
    no_context: dict[tuple[str, int], Floats] = field(default_factory=dict)
    learnt: dict[tuple[str, str], NDArray[np.bool_]] = field(default_factory=dict)
    heads: dict[tuple[str, Row, int], dict[str, Floats]] = field(default_factory=dict)
    designs: dict[tuple[int, ...], Replicates] = field(default_factory=dict)

    def judge_learnt(self, gate: float) -> None:
        """Fill `learnt` from the rest."""
        for (task, row, ratio), values in self.late.items():
            if row.change == NONE and ratio == 1:
                with np.errstate(invalid="ignore"):
                    self.learnt[task, row.arm] = values < gate * self.no_context[task, 1]

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

    def mean(self, task: str, ratio: int, row: Row) -> Mean | None:
        """Excess of a row over the replicates in which its arm learnt; None where none did."""
        kept = self.learnt[task, row.arm]
        return self.mean_of(self.late[task, row, ratio], kept) if kept.any() else None

    def ranking(self, task: str, ratio: int) -> tuple[list[Row], Ranking] | None:
        """All rows of the arms that can be used, compared over the replicates in which all of those learnt."""
        rows = [row for row in self.rows(task, ratio) if self.usable(task, row.arm)]
        if len(rows) < 2:
            return None
        kept = self.common(task, {row.arm for row in rows})
        if int(kept.sum()) < MINIMUM_REPLICATES:
            return None
        losses = np.stack([self.late[task, row, ratio][kept] for row in rows], axis=1)
        return rows, Ranking(losses, self.design(kept))


def measured(study: "LengthExtrapolation", records: Sequence[Record]) -> Measured | None:
    """Gather the members' records; None where some are missing."""
    index = {
        (p["task"], Row(p["arm"], p["change"]), p["ratio"], p["seed"]): record
        for record in records
        if "arm" in (p := record.probe) and record.status != "failed"
    }
    found = Measured(tuple(study.seeds))

    def numbers(name: str, task: str, row: Row, ratio: int) -> Floats:
        mine = [index[task, row, ratio, seed] for seed in study.seeds]
        return np.array([float(one.metrics[name]) if one.status == "done" else np.nan for one in mine])  # type: ignore[arg-type]

    try:
        for task in study.tasks:
            for arm in study.arms_of(task):
                for ratio in study.ratios_of(task):
                    for change, _ in changes_of(study, task, arm):
                        key = task.name, Row(arm.name, change), ratio
                        found.late[key] = numbers("excess", *key)
                        found.everywhere[key] = numbers("excess_everywhere", *key)
                        if heads := _heads([index[(*key, seed)] for seed in study.seeds]):
                            found.heads[key] = heads
                    found.no_context[task.name, ratio] = np.array(
                        [index[task.name, Row(arm.name), ratio, seed].metrics["no_context"] for seed in study.seeds],
                        dtype=np.float64,
                    )
    except KeyError:
        return None
    found.judge_learnt(study.gate)
    return found


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
