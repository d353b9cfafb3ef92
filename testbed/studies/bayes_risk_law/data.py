"""The finished records as arrays over draws, by class."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.runs import Record
from testbed.studies.bayes_risk_law.classes import KINDS, Floats
from testbed.studies.judge import Mean, Replicates
from testbed.studies.judge.proportion import Proportion

if TYPE_CHECKING:
    from testbed.studies.bayes_risk_law.study import BayesRiskLaw


@dataclass(frozen=True, eq=False)
class Data:
    """What verdicts and figures are made from: kinds[class][name], first axis over draws (`measure.measured`)."""

    kinds: dict[str, dict[str, Floats]]

    def mean(self, values: Floats) -> Mean:
        """Evidence on a mean over draws."""
        return Mean(values, Replicates({"draw": list(range(len(values)))}, seed=0))

    def share(self, flags: NDArray[np.bool_]) -> Proportion:
        """Of draws."""
        return Proportion(int(flags.sum()), flags.size, "draw")


def gather(study: "BayesRiskLaw", records: Sequence[Record]) -> Data | None:
    """The record of every class; None if one is missing."""
    done = {r.probe["kind"]: r.arrays for r in records if r.status == "done"}
    if any(name not in done for name in KINDS):
        return None
    return Data({name: dict(done[name]) for name in KINDS})
