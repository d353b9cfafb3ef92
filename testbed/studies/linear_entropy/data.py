"""The finished records as labelled arrays, one row a replicate, and the lines put through them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.measures.linearity import Linearity, linearity
from testbed.runs import Record
from testbed.studies.drawing import LEVEL
from testbed.studies.judge import Evidence, Replicates, mean_if_known

if TYPE_CHECKING:
    from testbed.studies.linear_entropy.study import LinearEntropy

Floats = NDArray[np.float64]
LEAST_POINTS = 5  # that a line is put through


@dataclass(frozen=True, eq=False)
class Data:
    """What verdicts and figures are made from.

    exact[name]     (S, S_ntp) at the source's lengths
    bracket         widest bracket of an h_l
    arms[name]      arrays of all replicates, (R, ...) each
    rates           chosen learning rates, for the reader
    """

    replicates: Replicates
    exact: dict[str, tuple[Floats, Floats]]
    bracket: float
    arms: dict[str, dict[str, Floats]]
    rates: dict[str, float]

    def mean(self, values: Floats) -> Evidence:
        """Evidence on the mean over replicates of (R,) values; open where some are not known."""
        return mean_if_known(values, self.replicates)

    def interval(self, values: Floats) -> tuple[float, float, float]:
        """Mean with its interval of level LEVEL."""
        found = self.mean(values)
        return found.estimate, *found.interval((1 - LEVEL) / 2)

    def line(self, name: str) -> Linearity:
        """S_ntp against S of an exact source."""
        return linearity(*self.exact[name])

    def loss(self, arm: str) -> Floats:
        """(R, n_l) exact cross-entropy h_l + KL."""
        return self.arms[arm]["risk"] + self.arms[arm]["excess"]

    def centred(self, estimate: Floats) -> Floats:
        """(R, n_l) an estimate less each replicate's mean over l: where a seed's curve lies is its own."""
        return estimate - np.nanmean(estimate, axis=1, keepdims=True)

    def lines(self, arm: str, estimate: Floats) -> tuple[Floats, Floats, Floats]:
        """|r|, largest residual and curvature (R,) of the loss against an estimate (R, n_l) of each replicate.

        Lengths at which an estimate is not defined are left out; nan where fewer than 5 are left.
        """
        found = np.full((3, len(estimate)), np.nan)
        for row, (x, y) in enumerate(zip(estimate, self.loss(arm), strict=True)):
            known = np.isfinite(x)
            if known.sum() >= LEAST_POINTS and len(np.unique(x[known])) >= 3:
                one = linearity(x[known], y[known])
                found[:, row] = abs(one.pearson), one.largest_residual, one.curvature
        return found[0], found[1], found[2]


def learnt(data: Data, study: "LinearEntropy", arm: str) -> bool:
    """The mean excess at the longest l is below the gate's share of what context is worth there."""
    risk, excess = data.arms[arm]["risk"], data.arms[arm]["excess"]
    whole = next(one.source for one in study.arms if one.name == arm).conditional_entropies(0).value
    worth = float(np.asarray(whole)[0] - risk[0, -1])
    return float(excess[:, -1].mean()) < study.bounds.gate * worth


def gather(study: "LinearEntropy", records: Sequence[Record]) -> Data | None:
    """The records of every source and replicate that the study names; None if one is missing."""
    done = [record for record in records if record.status == "done"]
    found = {(r.probe["kind"], r.probe["name"], r.probe["seed"]): r for r in done if r.probe["kind"] != "tuning"}
    exact, bracket = {}, 0.0
    for one in study.exact:
        record = found.get(("exact", one.name, 0))
        if record is None:
            return None
        exact[one.name] = (record.arrays["entropy"], record.arrays["shown"])
        bracket = max(bracket, float(record.arrays["bracket"][0]))
    arms, rates = {}, {}
    for arm in study.arms:
        mine = [found.get(("member", arm.name, seed)) for seed in study.seeds]
        if any(record is None for record in mine):
            return None
        known = [record for record in mine if record is not None]
        arms[arm.name] = {name: np.stack([record.arrays[name] for record in known]) for name in known[0].arrays}
        rates[arm.name] = float(known[0].probe["learning_rate"])
    return Data(replicates_of(study.seeds), exact, bracket, arms, rates)


def replicates_of(numbers: Sequence[int]) -> Replicates:
    return Replicates({"seed": numbers}, seed=0)
