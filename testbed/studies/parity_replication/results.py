"""The finished records of the study as arrays over replicates and context lengths."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from testbed.runs import Record
from testbed.studies.judge import Mean, Ranking, Replicates
from testbed.studies.parity_replication.config import PROTOCOLS, ProtocolName, Role
from testbed.studies.parity_replication.grid import ROLES, Setting, chosen_setting, judged_cells
from testbed.studies.parity_replication.transformer_grid import chosen_rate, shown_cell, sizes

if TYPE_CHECKING:
    from testbed.studies.parity_replication.study import ParityReplication

Floats = NDArray[np.float64]


class Point(NamedTuple):
    """A set of tasks, a protocol, a dataset size."""

    tasks: Role
    protocol: ProtocolName
    size: int


@dataclass(frozen=True, eq=False)
class Shown:
    """The paper's own network at one D, at every visible length.

    loss, excess      (R, n_l) R(l) + excess; exact mean KL
    task_excess       (R, n_l, T)
    paired            (R, n_l, 2) mean of -ln q + ln p - KL at the sampled answers, and its error
    elsewhere         (R, n_l) probability of what is no answer
    """

    loss: Floats
    excess: Floats
    task_excess: Floats
    paired: Floats
    elsewhere: Floats


@dataclass
class Measured:
    """Every number of the judged members.

    metrics       {(point, metric): (n_seeds, n_lengths)}
    task_excess   {point: (n_seeds, n_lengths, rules, questions)}
    settings      {(protocol, D): (learning rate, weight decay)}
    shown, rate   {D, None for endless samples: the paper's own network}, its learning rate
    """

    n_seeds: int
    metrics: dict[tuple[Point, str], Floats] = field(default_factory=dict)
    task_excess: dict[Point, Floats] = field(default_factory=dict)
    settings: dict[tuple[ProtocolName, int], Setting] = field(default_factory=dict)
    diverged: int = 0
    shown: dict[int | None, Shown] = field(default_factory=dict)
    rate: float = float("nan")

    def at(self, point: Point, metric: str) -> Floats:
        """(n_seeds, n_lengths) of a metric."""
        return self.metrics[point, metric]

    def ranking(self, point: Point, rule: str) -> Ranking:
        """The context lengths of a point by their losses at the weights of a stopping rule."""
        return Ranking(self.at(point, f"{rule}_loss"), design(self.n_seeds))

    def mean(self, values: Floats) -> Mean:
        """Evidence on the mean of one number a replicate."""
        return Mean(values, design(self.n_seeds))


@lru_cache(maxsize=8)
def design(n_seeds: int) -> Replicates:
    """Independent replicates; all means share their resamples."""
    return Replicates.grid({"seed": n_seeds}, seed=0)


def measured(study: "ParityReplication", records: Sequence[Record]) -> Measured | None:
    """Gather the members' records; None where some are missing."""
    finished = {record.key: record for record in records if record.status != "failed"}
    found = Measured(study.n_seeds)
    for name in PROTOCOLS:
        for size in study.designed.sizes:
            setting, _ = chosen_setting(study, name, size, finished)
            if setting is None:
                return None
            found.settings[name, size] = setting
            for role in ROLES:
                tasks = study.task_set(role)
                if size not in tasks.sizes:
                    continue
                mine = [finished.get(cell.key) for cell in judged_cells(study, role, name, size, setting)]
                if any(one is None for one in mine):
                    return None
                shape = (study.n_seeds, len(tasks.lengths))
                _take(found, Point(role, name, size), [one for one in mine if one is not None], shape)
    return found if _take_shown(study, found, finished) else None


def _take(found: Measured, point: Point, records: list[Record], shape: tuple[int, int]) -> None:
    found.diverged += sum(record.status == "diverged" for record in records)
    for metric in records[0].metrics:
        values = [float(record.metrics[metric]) for record in records]  # type: ignore[arg-type]
        found.metrics[point, metric] = np.reshape(values, shape)
    excess = np.array([record.arrays["task_excess"] for record in records])
    found.task_excess[point] = excess.reshape(*shape, *excess.shape[1:])


def _take_shown(study: "ParityReplication", found: Measured, finished: dict[str, Record]) -> bool:
    """The paper's own network; False where records are missing. One that diverged counts as such and leaves no data."""
    rate, _ = chosen_rate(study, finished)
    if rate is None:
        return False
    found.rate, risks = rate, np.array(study.transformer.tasks.risks)
    for size in sizes(study):
        named = [finished.get(shown_cell(study, size, seed, rate).key) for seed in study.seeds_of_transformer]
        mine = [one for one in named if one is not None]
        if len(mine) < len(named):
            return False
        found.diverged += sum(one.status == "diverged" for one in mine)
        if found.diverged:
            continue
        arrays = {name: np.array([one.arrays[name] for one in mine]) for name in mine[0].arrays}
        found.shown[size] = Shown(
            risks + arrays["excess"],
            arrays["excess"],
            arrays["task_excess"],
            np.stack([arrays["paired"], arrays["paired_error"]], axis=-1),
            arrays["elsewhere"],
        )
    return True
