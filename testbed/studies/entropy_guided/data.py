"""The finished records as arrays, one row a replicate, and the numbers that are made of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.runs import Record
from testbed.studies.drawing import LEVEL
from testbed.studies.entropy_guided.config import HMAX, Arm, Place
from testbed.studies.entropy_guided.exact import early, late
from testbed.studies.entropy_guided.grid import dose_arms, main_arms, seeds_of
from testbed.studies.judge import Evidence, Mean, Open, Replicates, Student
from testbed.studies.judge.share import Share

if TYPE_CHECKING:
    from testbed.studies.entropy_guided.study import EntropyGuidedStudy

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Runs:
    """The replicates of one arm.

    curve      (R, T) KL at every place; infinite throughout where a run diverged
    entropy    (R, L, H, T) mean entropy of rows
    over, under   by Hmax, (R,): overload and collapse over all heads and rows
    theta      (R, L, H), nan without a penalty
    broken     (R,) diverged, or spiked on the way
    halves     (R, 2) KL on either half of the sequences
    path       (R, points) excess along training
    rate       learning rate
    """

    curve: Floats
    entropy: Floats
    over: dict[str, Floats]
    under: dict[str, Floats]
    theta: Floats
    broken: Bools
    halves: Floats
    path: Floats
    rate: float

    @property
    def kl(self) -> Floats:
        """(R,) mean over places."""
        return np.asarray(self.curve.mean(axis=1))

    def part(self, rows: Bools) -> Floats:
        """(R,) mean over some rows."""
        return np.asarray(self.curve[:, rows].mean(axis=1))

    def error(self, rows: Bools) -> Floats:
        """(R,) ln n - H, mean over heads and some rows, nats."""
        n = np.arange(1, self.curve.shape[1] + 1)
        return np.asarray((np.log(n) - self.entropy)[..., rows].mean(axis=(1, 2, 3)))


@dataclass(frozen=True, eq=False)
class Data:
    """What verdicts and figures are made from.

    runs       by arm
    told       by source, (R, T): what context tells
    paired     (n,) z-scores of cross-entropy = Bayes loss + excess
    early, late   (T,) rows
    """

    runs: dict[Arm, Runs]
    told: dict[Place, Floats]
    paired: Floats
    early: Bools
    late: Bools

    def mean(self, values: Floats) -> Evidence:
        """Evidence on the mean over replicates of (R,) values; decides nothing where some are not finite."""
        good = np.isfinite(values).all()
        return Mean(values, Replicates({"replicate": list(range(len(values)))}, seed=0)) if good else UNKNOWN

    def interval(self, values: Floats, shares: bool = False) -> tuple[float, float, float]:
        """Mean with its interval of level LEVEL; of shares, of which most may be 0 or 1, as such."""
        found = self.mean(values)
        found = Share(found) if shares and found is not UNKNOWN else found
        return found.estimate, *found.interval((1 - LEVEL) / 2)

    def information(self, place: Place) -> float:
        """What context tells, nats a token."""
        return float(self.told[place].mean())

    def above_gate(self, arm: Arm, share: float) -> int:
        """Runs of the arm whose own KL is above a share of what context tells."""
        return int((self.runs[arm].kl >= share * self.information(arm.place)).sum())

    def learnt(self, arm: Arm, share: float) -> bool:
        """Whether the arm's mean KL is below a share of what context tells."""
        return float(self.runs[arm].kl.mean()) < share * self.information(arm.place)


UNKNOWN = Open(Student(0.0, float("inf"), 1), "a run diverged, and a mean over runs is not finite")


def spiked(path: Floats, times: float, jump: float) -> bool:
    """Whether a curve rises, at one of its points, to `times` its least so far and by `jump` above it."""
    least = np.minimum.accumulate(path)[:-1]
    return bool(np.any((path[1:] > times * least) & (path[1:] > least + jump)))


def gather(study: "EntropyGuidedStudy", records: Sequence[Record]) -> Data | None:
    """The records that the study names; None if one is missing."""
    by: dict[tuple[Arm, int], Record] = {}
    for one in records:
        p = one.probe
        if p["kind"] == "member" and "curve" in one.arrays:
            by[Arm(p["place"], p["lattice"], p.get("form", "none"), p.get("coefficient", 0.0)), p["seed"]] = one
    runs: dict[Arm, Runs] = {}
    told: dict[Place, Floats] = {}
    z: list[float] = []
    for arm in main_arms(study) + dose_arms(study):
        mine = [by.get((arm, seed)) for seed in seeds_of(study, arm)]
        known = [one for one in mine if one is not None]
        if len(known) < len(mine):
            return None
        runs[arm] = _runs(study, known)
        if arm.form == "none":
            told[arm.place] = np.stack([one.arrays["told"] for one in known])
        z += [_number(one, "paired") / max(_number(one, "paired_error"), 1e-9) for one in known if one.status == "done"]
    length, tolerance = study.sources.length, study.penalty.tolerance
    return Data(runs, told, np.array(z), early(length, tolerance), late(length, tolerance))


def _runs(study: "EntropyGuidedStudy", records: list[Record]) -> Runs:
    lost = np.array([one.status != "done" for one in records])
    curve = np.stack([one.arrays["curve"] for one in records])
    curve[lost] = np.inf
    entropy = np.stack([one.arrays["entropy"] for one in records])
    theta = [one.arrays.get("theta", np.full(entropy.shape[1:3], np.nan)) for one in records]
    jumps = [spiked(one.arrays["path"], study.bounds.spike, study.bounds.jump) for one in records]
    shares = {
        f"{name}_{hmax}": np.array([one.arrays[f"{name}_{hmax}"].mean() for one in records])
        for name in ("over", "under")
        for hmax in HMAX
    }
    return Runs(
        curve=curve,
        entropy=entropy,
        over={hmax: shares[f"over_{hmax}"] for hmax in HMAX},
        under={hmax: shares[f"under_{hmax}"] for hmax in HMAX},
        theta=np.stack(theta),
        broken=lost | np.array(jumps),
        halves=np.stack([one.arrays["halves"] for one in records]),
        path=np.stack([one.arrays["path"] for one in records]),
        rate=float(records[0].probe["learning_rate"]),
    )


def _number(record: Record, name: str) -> float:
    return float(record.metrics[name])  # type: ignore[arg-type]
