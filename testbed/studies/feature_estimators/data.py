"""The finished records as labelled arrays, one row a replicate, and errors on each estimator's own scale."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.runs import Record
from testbed.studies.drawing import LEVEL
from testbed.studies.feature_estimators.estimators import CONDITIONS, NAMES
from testbed.studies.judge import Mean, Replicates
from testbed.studies.tables import Table

if TYPE_CHECKING:
    from testbed.studies.feature_estimators.study import FeatureEstimators

Floats = NDArray[np.float64]
KERNEL = ("normal", "two_valued", "sweep")


@dataclass(frozen=True, eq=False)
class Data:
    """What verdicts and figures are made from.

    entropy     (n_l,) S = l ln 2
    values      estimates by estimator, condition and l, one row a replicate
    kernel      arrays of `kernel_arrays`, (R, ...) each
    sweep       (R, n_estimators, n_points, n_l) of `sweep_values`; empty where no figure is drawn
    """

    replicates: Replicates
    entropy: Floats
    values: Table
    kernel: dict[str, Floats]
    sweep: Floats = field(default_factory=lambda: np.empty(0))

    def mean(self, values: Floats) -> Mean:
        """Evidence on the mean over replicates of (R,) values."""
        return Mean(values, self.replicates)

    def interval(self, values: Floats) -> tuple[float, float, float]:
        """Mean with its interval of level LEVEL."""
        found = self.mean(values)
        return found.estimate, *found.interval((1 - LEVEL) / 2)

    def errors(self, estimator: str, condition: str, refitted: bool = False) -> Floats:
        """(R,) largest |a + b estimate - S| over l, as a share of S's range.

        a and b are the replicate's own, by least squares on its baseline, or on this condition where refitted; an
        estimator that does not move on the baseline has b = 0.
        """
        there = self.values.at(estimator=estimator, condition=condition)
        fitted_on = there if refitted else self.values.at(estimator=estimator, condition="baseline")
        return errors_on_scale(there, fitted_on, self.entropy)

    def seen(self) -> Floats:
        """(R, n_d): the kernel entropies' difference between the two laws, over the true one."""
        normal, two_valued = self.kernel["normal"], self.kernel["two_valued"]
        return np.asarray(
            (normal[..., 0] - two_valued[..., 0]) / (normal[..., 3] - two_valued[..., 3]), dtype=np.float64
        )


def gather(study: "FeatureEstimators", records: Sequence[Record]) -> Data | None:
    """The records of every replicate that the study names; None if one is missing."""
    found = {(r.probe["kind"], r.probe["replicate"]): r.arrays for r in records if r.status == "done"}
    keys = [(kind, number) for kind in ("clouds", "kernel", "sweep") for number in study.numbers]
    if any(key not in found for key in keys):
        return None
    values = np.stack([found["clouds", number]["values"] for number in study.numbers])
    kernel = {name: np.stack([found["kernel", number][name] for number in study.numbers]) for name in KERNEL}
    sweep = np.stack([found["sweep", number]["values"] for number in study.numbers])
    return Data(replicates_of(study.numbers), entropies(study), labelled(study, values), kernel, sweep)


def errors_on_scale(values: Floats, fitted_on: Floats, entropy: Floats) -> Floats:
    """(R,) largest |a + b value - S| over l, share of S's range; values (R, n_l), a and b by each row of fitted_on."""
    found = np.empty(len(values))
    for row, (here, base) in enumerate(zip(values, fitted_on, strict=True)):
        centred = base - base.mean()
        square = float(centred @ centred)
        b = float(centred @ (entropy - entropy.mean())) / square if square > 0 else 0.0
        line = entropy.mean() + b * (here - base.mean())
        found[row] = np.abs(line - entropy).max() / np.ptp(entropy)
    return found


def entropies(study: "FeatureEstimators") -> Floats:
    """(n_l,) S."""
    return np.log(2.0) * np.array(study.clouds.n_bits, dtype=np.float64)


def labelled(study: "FeatureEstimators", values: Floats) -> Table:
    """(R, n_estimators, n_conditions, n_l) with its axes."""
    return Table({"estimator": NAMES, "condition": CONDITIONS, "n_bits": study.clouds.n_bits}, values)


def replicates_of(numbers: Sequence[int]) -> Replicates:
    return Replicates({"draw of features": numbers}, seed=0)
