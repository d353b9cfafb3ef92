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

if TYPE_CHECKING:
    from testbed.studies.parity_replication.study import ParityReplication

Floats = NDArray[np.float64]


class Point(NamedTuple):
    """A set of tasks, a protocol, a dataset size."""

    tasks: Role
    protocol: ProtocolName
    size: int


@dataclass
class Measured:
    """Every number of the judged members.

    metrics       {(point, metric): (n_seeds, n_lengths)}
    task_excess   {point: (n_seeds, n_lengths, rules, questions)}
    settings      {(protocol, D): (learning rate, weight decay)}
    """

    n_seeds: int
    metrics: dict[tuple[Point, str], Floats] = field(default_factory=dict)
    task_excess: dict[Point, Floats] = field(default_factory=dict)
    settings: dict[tuple[ProtocolName, int], Setting] = field(default_factory=dict)
    diverged: int = 0

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
    return found


def _take(found: Measured, point: Point, records: list[Record], shape: tuple[int, int]) -> None:
    found.diverged += sum(record.status == "diverged" for record in records)
    for metric in records[0].metrics:
        values = [float(record.metrics[metric]) for record in records]  # type: ignore[arg-type]
        found.metrics[point, metric] = np.reshape(values, shape)
    excess = np.array([record.arrays["task_excess"] for record in records])
    found.task_excess[point] = excess.reshape(*shape, *excess.shape[1:])
