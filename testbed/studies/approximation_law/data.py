"""The finished records as labelled arrays, one row a replicate, and the exponents fitted to them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.measures.decay import POWER
from testbed.measures.decay.fit import fit_many
from testbed.measures.decay.projection import Projection
from testbed.runs import Record
from testbed.studies.approximation_law.config import LAG_LEARNERS, LEARNERS, Bounds, Learner
from testbed.studies.drawing import LEVEL
from testbed.studies.judge import Evidence, Mean, Replicates, unknown

if TYPE_CHECKING:
    from testbed.studies.approximation_law.study import ApproximationLaw

Floats = NDArray[np.float64]

LEAST_SIZES = 3  # that an exponent is fitted to
LEAST_EXPONENT = 0.02
"""An exponent below it is taken for it: 1 / alpha is to stay finite."""


@dataclass(frozen=True, eq=False)
class Curve:
    """Excess (R, n_sizes) of one learner in d dimensions, and its floor (R,), 0 where there is none."""

    sizes: Floats
    excess: Floats
    floor: Floats
    gate: float

    @cached_property
    def kept(self) -> NDArray[np.bool_]:
        """(n_sizes,) those at which the mean floor is below the gate's share of the mean excess."""
        return np.asarray(self.floor.mean() < self.gate * self.excess.mean(axis=0))

    @property
    def usable(self) -> bool:
        return int(self.kept.sum()) >= LEAST_SIZES

    @cached_property
    def above(self) -> Floats:
        """(R, n_kept) excess less the floor, held above a thousandth of its mean."""
        values = self.excess[:, self.kept] - self.floor[:, None]
        return np.maximum(values, 1e-3 * np.abs(values.mean(axis=0)))

    @cached_property
    def exponents(self) -> Floats:
        """(R,) alpha of each replicate, C_0 = 0 above the floor; a size weighs by its spread over replicates."""
        spread = np.maximum(self.above.std(axis=0, ddof=1), 1e-12)
        problem = Projection.of(POWER, self.sizes[self.kept], spread, 0.0)
        return np.maximum(np.exp(fit_many(problem, self.above)[0][:, 0]), LEAST_EXPONENT)

    @cached_property
    def bends(self) -> Floats:
        """(R,) change of the local exponent -d ln excess / d ln D for each factor e of D: 0 for a power law."""
        x = np.log(self.sizes[self.kept])
        return -2.0 * np.polyfit(x - x.mean(), np.log(self.above).T, 2)[0]


@dataclass(frozen=True, eq=False)
class Data:
    """What verdicts and figures are made from.

    curves[learner][d]   excess against D
    lags[learner]        (R, n_lengths) excess against l on bits of which K matter
    extra                (R, n_extra) excess against the coordinates too many
    rates                chosen learning rates, for the reader
    """

    replicates: Replicates
    bounds: Bounds
    curves: dict[Learner, dict[int, Curve]]
    lags: dict[str, Floats]
    extra: Floats
    rates: dict[tuple[str, int], float]

    def mean(self, values: Floats) -> Evidence:
        """Evidence on the mean over replicates of (R,) values."""
        return Mean(values, self.replicates)

    def interval(self, values: Floats) -> tuple[float, float, float]:
        """Mean with its interval of level LEVEL."""
        found = self.mean(values)
        return found.estimate, *found.interval((1 - LEVEL) / 2)

    def line(self, learner: Learner) -> tuple[Floats, Floats] | None:
        """(R,) a and (R,) b of 1 / alpha = a + b d by least squares; None where some d has too few sizes."""
        curves = self.curves[learner]
        if not all(one.usable for one in curves.values()):
            return None
        inverse = np.array([1.0 / one.exponents for one in curves.values()])
        b, a = np.polyfit(np.array(list(curves), dtype=np.float64), inverse, 1)
        return a, b


def unread() -> Evidence:
    """No exponent, and so no evidence."""
    return unknown("too few sizes are above the floor")


def gather(study: "ApproximationLaw", records: Sequence[Record]) -> Data | None:
    """The records of every replicate that the study names; None if one is missing."""
    finished = {record.key: record for record in records if record.status == "done"}
    found = {
        (p["kind"], p["learner"], p["dimension"], p["replicate"]): record.arrays
        for record in finished.values()
        if (p := record.probe)["kind"] != "tuning"
    }
    rates = {
        (p["learner"], p["dimension"]): float(p["learning_rate"])
        for record in finished.values()
        if (p := record.probe)["kind"] != "tuning" and p["learning_rate"] is not None
    }

    def stacked(kind: str, learner: str, dimension: int, name: str) -> Floats | None:
        mine = [found.get((kind, learner, dimension, number)) for number in study.numbers]
        return None if any(one is None for one in mine) else np.stack([one[name] for one in mine if one is not None])

    curves: dict[Learner, dict[int, Curve]] = {}
    for learner in LEARNERS:
        curves[learner] = {}
        for d in study.manifolds.dimensions_of(learner):
            excess, floor = (stacked("manifold", learner, d, name) for name in ("excess", "floor"))
            if excess is None or floor is None:
                return None
            sizes = np.array(study.manifolds.sizes[learner], dtype=np.float64)
            curves[learner][d] = Curve(sizes, excess, floor[:, 0], study.bounds.gate)
    lags: dict[str, Floats | None] = {learner: stacked("lag", learner, 0, "excess") for learner in LAG_LEARNERS}
    extra = stacked("extra", "averaging", study.irrelevant.relevant, "excess")
    if extra is None or any(one is None for one in lags.values()):
        return None
    known = {learner: one for learner, one in lags.items() if one is not None}
    return Data(replicates_of(study.numbers), study.bounds, curves, known, extra, rates)


def replicates_of(numbers: Sequence[int]) -> Replicates:
    return Replicates({"source and sample": numbers}, seed=0)
