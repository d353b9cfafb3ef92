"""The finished records as losses by width, dataset size, replicate and context length."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.runs import Record
from testbed.studies.judge import Ranking, Replicates
from testbed.studies.optimal_context.arm_data import EXCESS_OF, number

if TYPE_CHECKING:
    from testbed.studies.context_and_width.study import ContextAndWidth


@dataclass(frozen=True, eq=False)
class WidthData:
    """The records of one width.

    risk        (n_kernels, n_lengths) exact h_l
    excess      (n_sizes, n_kernels, n_lengths) of the judged estimand; nan where a member diverged
    endless     (n_lengths,) the optimiser's own excess on an endless stream, largest over kernels
    """

    kernels: tuple[int, ...]
    risk: np.ndarray
    excess: np.ndarray
    endless: np.ndarray
    learning_rate: float

    @property
    def loss(self) -> np.ndarray:
        """(n_sizes, n_kernels, n_lengths)."""
        return np.asarray(self.risk + self.excess)

    @cached_property
    def rankings(self) -> list[Ranking]:
        """One for each dataset size."""
        replicates = Replicates({"kernel": list(self.kernels)}, seed=0)
        return [Ranking(one, replicates) for one in self.loss]


def gather(study: "ContextAndWidth", records: Sequence[Record]) -> dict[int, WidthData] | None:
    """The records of every width; None where some are missing."""
    index: dict[tuple[Any, ...], Record] = {}
    for record in records:
        p = record.probe
        if record.status in ("done", "diverged") and p["kind"] in ("member", "endless"):
            index[p["arm"], p["kind"], p["kernel"], p["n_targets"], p["context_length"]] = record
    kernels = range(study.first_kernel, study.first_kernel + study.n_kernels)
    name, arm, found = EXCESS_OF[study.estimand], study.arm, dict[int, WidthData]()
    for width in study.widths:
        label = study.name_of(width)
        try:
            mine = [[[index[label, "member", k, d, l] for l in arm.lengths] for k in kernels] for d in arm.sizes]
            endless = [[index[label, "endless", k, None, l] for l in arm.lengths] for k in kernels]
        except KeyError:
            return None
        found[width] = WidthData(
            kernels=tuple(kernels),
            risk=np.array([[number(one.metrics["bayes_risk"]) for one in row] for row in mine[0]]),
            excess=np.array([[[_of(one, name) for one in row] for row in size] for size in mine]),
            endless=np.max([[_of(one, name) for one in row] for row in endless], axis=0),
            learning_rate=number(mine[0][0][0].probe["learning_rate"]),
        )
    return found


def _of(record: Record, name: str) -> float:
    return number(record.metrics[name]) if record.status == "done" else float("nan")
