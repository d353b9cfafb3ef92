"""The finished records as arrays, one row a replicate, and the numbers that are made of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.runs import Record
from testbed.studies.drawing import LEVEL
from testbed.studies.judge import Evidence, Replicates, mean_if_known
from testbed.studies.positional_prior.config import ARMS, SLOPED, WEAKEST, Design
from testbed.studies.positional_prior.measure import matched
from testbed.studies.positional_prior.readout import vertex

if TYPE_CHECKING:
    from testbed.studies.positional_prior.study import PositionalPrior

Floats = NDArray[np.float64]
BLOCKS = ("cost", "ideal", "bound", "mass", "keys", "as_middle", "most")


@dataclass(frozen=True, eq=False)
class Exact:
    """The exact side of a source: harmonic slopes of least excess and of least Brier excess, the share of what context
    tells that ALiBi and the harmonic bias leave unread at their weakest slope, and the record's arrays."""

    best: float
    best_brier: float
    unread: dict[str, float]
    arrays: dict[str, Floats]


@dataclass(frozen=True, eq=False)
class Data:
    """What verdicts and figures are made from.

    curves[arm, source]     (R, L) excess at every place
    told[source]            (R, L) what context tells there
    sweep[source]           (R, M) excess of the harmonic arm at each slope, at the length of training; power laws
    blocks[source]          by name, (R, n_powers): see `measure`
    exact[source]           the exact side
    rates, slopes           chosen, by arm and source
    paired                  (n,) z-scores of cross-entropy = Bayes loss + excess
    """

    design: Design
    replicates: Replicates
    curves: dict[tuple[str, str], Floats]
    told: dict[str, Floats]
    sweep: dict[str, Floats]
    sweep_slopes: Floats
    blocks: dict[str, dict[str, Floats]]
    exact: dict[str, Exact]
    rates: dict[tuple[str, str], float]
    slopes: dict[tuple[str, str], float]
    paired: Floats

    def mean(self, values: Floats) -> Evidence:
        """Evidence on the mean over replicates of (R,) values; open where some are not known."""
        return mean_if_known(values, self.replicates)

    def interval(self, values: Floats) -> tuple[float, float, float]:
        """Mean with its interval of level LEVEL."""
        found = self.mean(values)
        return found.estimate, *found.interval((1 - LEVEL) / 2)

    def inside(self, arm: str, source: str) -> Floats:
        """(R,) excess at the length of training."""
        return np.asarray(self.curves[arm, source][:, : self.design.length].mean(axis=1))

    def beyond(self, arm: str, source: str) -> Floats:
        """(R,) excess at all places beyond the length of training."""
        return np.asarray(self.curves[arm, source][:, self.design.length :].mean(axis=1))

    def information(self, source: str) -> Floats:
        """(R,) what context tells, at the length of training."""
        return np.asarray(self.told[source][:, : self.design.length].mean(axis=1))

    def information_beyond(self, source: str) -> Floats:
        """(R,) what context tells beyond it."""
        return np.asarray(self.told[source][:, self.design.length :].mean(axis=1))

    def best_slope(self, source: str) -> Floats:
        """(R,) slope at which trained models have the least excess."""
        return vertex(self.sweep_slopes, self.sweep[source])

    def learnt(self, arm: str, source: str, share: float) -> bool:
        """Whether the arm's mean excess is below a share of what context tells."""
        return float(self.inside(arm, source).mean()) < share * float(self.information(source).mean())


def replicates_of(seeds: Sequence[int]) -> Replicates:
    """Replicates by their numbers."""
    return Replicates({"replicate": list(seeds)}, seed=0)


def gather(study: "PositionalPrior", records: Sequence[Record]) -> Data | None:
    """The records that the study names; None if one is missing or diverged."""
    done = [one for one in records if one.status == "done"]
    by = {(one.probe["kind"], one.probe["arm"], one.probe["source"], one.probe["seed"]): one for one in done}
    swept = {
        (one.probe["source"], one.probe["slope"], one.probe["seed"]): one
        for one in done
        if one.probe["kind"] == "sweep"
    }
    design = study.design
    curves: dict[tuple[str, str], Floats] = {}
    rates: dict[tuple[str, str], float] = {}
    slopes: dict[tuple[str, str], float] = {}
    told, sweep, blocks, exact, z = {}, {}, {}, {}, []
    for source in design.names:
        known = by.get(("exact", None, source, 0))
        if known is None:
            return None
        exact[source] = exact_of(known)
        for arm in ARMS:
            mine = _all([by.get(("member", arm, source, seed)) for seed in study.seeds])
            if mine is None:
                return None
            curves[arm, source] = np.stack([one.arrays["curve"] for one in mine])
            told[source] = np.stack([one.arrays["told"] for one in mine])
            rates[arm, source] = float(mine[0].probe["learning_rate"])
            if arm in SLOPED:
                slopes[arm, source] = float(mine[0].probe["slope"])
            z.append(_metric(mine, "paired") / np.maximum(_metric(mine, "paired_error"), 1e-9))
            if arm == matched(source):
                blocks[source] = {name: np.stack([one.arrays[f"blocks_{name}"] for one in mine]) for name in BLOCKS}
        if source in design.powers:
            rows = []
            for m in study.slopes.harmonic:
                mine = _all([swept.get((source, m, seed)) for seed in study.seeds])
                if mine is None:
                    return None
                rows.append([float(one.arrays["curve"][: design.length].mean()) for one in mine])
            sweep[source] = np.array(rows).T
    grid = np.array(study.slopes.harmonic)
    return Data(
        design, replicates_of(study.seeds), curves, told, sweep, grid, blocks, exact, rates, slopes, np.concatenate(z)
    )


def exact_of(record: Record) -> Exact:
    """The exact side from its record."""
    best, brier, told = (
        float(record.metrics[name])  # type: ignore[arg-type]
        for name in ("harmonic_best", "harmonic_best_brier", "information")
    )
    return Exact(
        best, brier, {arm: float(record.arrays[f"{arm}_excess"][0]) / told for arm in WEAKEST}, dict(record.arrays)
    )


def _all(records: Sequence[Record | None]) -> list[Record] | None:
    """The records, None if one of them is."""
    known = [one for one in records if one is not None]
    return known if len(known) == len(records) else None


def _metric(records: Sequence[Record], name: str) -> Floats:
    return np.array([float(one.metrics[name]) for one in records])  # type: ignore[arg-type]
