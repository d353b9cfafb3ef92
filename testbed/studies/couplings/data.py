"""The finished records as arrays, by arm, first axis over replicates."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.runs import Record
from testbed.studies.judge import Mean, Replicates
from testbed.studies.judge.proportion import Proportion
from testbed.studies.tables import Floats

if TYPE_CHECKING:
    from testbed.studies.couplings.study import Couplings

SEED = 20
"""Of the resampling behind means over chains."""


@dataclass(frozen=True, eq=False)
class Data:
    """What verdicts and figures are made from: by arm, or by kind of chain or stream, then by name of the array."""

    arms: dict[str, dict[str, Floats]]

    def __getitem__(self, arm: str) -> dict[str, Floats]:
        return self.arms[arm]


def gather(study: "Couplings", records: Sequence[Record]) -> Data | None:
    """The records of every arm that the study names; None if one is missing."""
    done = {record.key: record.arrays for record in records if record.status == "done"}
    parts: dict[str, list[dict[str, Floats]]] = {}
    for cell, probe in zip(study.cells({}), study.probes, strict=True):
        if cell.key not in done:
            return None
        parts.setdefault(probe.kind or probe.arm, []).append(done[cell.key])
    return Data(
        {arm: {name: np.concatenate([one[name] for one in found]) for name in found[0]} for arm, found in parts.items()}
    )


def share(flags: NDArray[np.bool_], unit: str) -> Proportion:
    """Of independent cases."""
    return Proportion(int(flags.sum()), flags.size, unit)


def mean(values: Floats) -> Mean:
    """Over independent chains."""
    return Mean(values, Replicates.grid({"chain": len(values)}, seed=SEED))
