"""The finished records as arrays, by source and over pairs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.runs import Record
from testbed.studies.judge.proportion import Proportion
from testbed.studies.tables import Floats
from testbed.studies.zero_shot_tests.config import Tails

if TYPE_CHECKING:
    from testbed.studies.zero_shot_tests.study import ZeroShotTests

AZUMA, NORMAL = "rejected_azuma", "rejected_normal"


@dataclass(frozen=True, eq=False)
class Data:
    """What verdicts and figures are made from.

    tails   by label: the arrays of `tail_arrays`
    pairs   by arm, then name: the arrays of `exact_arrays` and `text_arrays`, first axis over pairs
    """

    tails: dict[str, dict[str, Floats]]
    pairs: dict[str, dict[str, Floats]]


def gather(study: "ZeroShotTests", records: Sequence[Record]) -> Data | None:
    """The records of every arm that the study names; None if one is missing."""
    done = {record.key: record.arrays for record in records if record.status == "done"}
    tails: dict[str, dict[str, Floats]] = {}
    pairs: dict[str, list[dict[str, Floats]]] = {arm: [] for arm in study.pairs}
    for cell, probe in zip(study.cells({}), study.probes, strict=True):
        if cell.key not in done:
            return None
        if isinstance(probe.settings, Tails):
            tails[probe.settings.label] = done[cell.key]
        else:
            pairs[probe.arm].append(done[cell.key])
    stacked = {arm: {name: np.stack([one[name] for one in found]) for name in found[0]} for arm, found in pairs.items()}
    return Data(tails, stacked)


def share(flags: NDArray[np.bool_], unit: str = "pair") -> Proportion:
    """Of independent cases, all axes alike."""
    return Proportion(int(flags.sum()), flags.size, unit)


def of_texts(count: float, n_texts: int) -> Proportion:
    """A number of independent texts."""
    return Proportion(round(count), n_texts, "text")


def within(measured: Floats, predicted: Floats, bound: float) -> NDArray[np.bool_]:
    """Whether the ratio is 1 within the bound."""
    return np.asarray(np.abs(measured / predicted - 1.0) <= bound)
