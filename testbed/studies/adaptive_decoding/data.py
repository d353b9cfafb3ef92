"""The finished records as arrays by role and small model, first axis over replicates; and the number of each claim."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.runs import Record
from testbed.studies.adaptive_decoding.config import NAMES, ROLES, SMALLS, Name, Reading, Role, Small
from testbed.studies.adaptive_decoding.switching import auroc, kept_curve, probe_scores, rolling, skill, staying_curve
from testbed.studies.judge import Mean, Replicates
from testbed.studies.tables import Floats

if TYPE_CHECKING:
    from testbed.studies.adaptive_decoding.study import AdaptiveDecoding

SEED = 30
"""Of the resampling behind means over replicates."""
SWITCHERS = ("oracle", "rolling", "single", "truth", "probe", "last", "stay", "free")
"""Frontiers of trained members. last: the last symbol alone, fitted as the probe is; stay, free: rolling entropy by
thresholds, with a least stay and without."""
IDEAL = ("oracle", "rolling", "single", "truth", "seen")

Arrays = dict[str, Floats]


@dataclass(frozen=True, eq=False)
class Data:
    """What verdicts and figures are made from.

    curves   {(role, small): {switcher: (R, S) kept(x)}}, S shares of calls
    auroc    {(role, small): (R,)}, of the rolling entropy
    excess   {(role, model): (R,)}, mean KL to the source, nats
    ideal    {role: {switcher: (R, S)}, and auroc, gain, beyond, identity (R,)}
    dial     rolling, single (R, n) exact skills; small (R, n, 2) entropies of S in the easy and hard regime
    written  {role: {written_ and single_ forced, share, excess, random_ share, excess: (R, 5)}}
    rates    {model: learning rate}
    z        z-scores of cross-entropy = h + excess on fresh tokens
    """

    curves: dict[tuple[Role, Small], Arrays]
    auroc: dict[tuple[Role, Small], Floats]
    excess: dict[tuple[Role, Name], Floats]
    ideal: dict[Role, Arrays]
    dial: Arrays
    written: dict[Role, Arrays]
    rates: dict[Name, float]
    z: Floats

    def skill(self, role: Role, small: Small, name: str) -> Floats:
        """(R,) of a switcher of trained members."""
        found = self.curves[role, small]
        return skill(found[name], found["oracle"])

    def exact_skill(self, role: Role, name: str) -> Floats:
        """(R,) of a switcher between Bayes laws."""
        return skill(self.ideal[role][name], self.ideal[role]["oracle"])

    def kept_in_text(self, role: Role, name: str) -> Floats:
        """(R, 5) share of the gain of calling always that text of the pair's own keeps, by threshold."""
        excess = self.written[role][f"{name}_excess"]
        return np.asarray((excess[:, :1] - excess) / (excess[:, :1] - excess[:, -1:]))

    def advantage(self, role: Role, name: str) -> Floats:
        """(R,) of that what goes beyond random calls, as many and measured alike; mean over thresholds."""
        kept, by_chance, found = self.kept_in_text(role, name), self.kept_in_text(role, "random"), self.written[role]
        lines = zip(found[f"{name}_share"], found["random_share"], by_chance, strict=True)
        beyond = kept - np.array([np.interp(share, x, y) for share, x, y in lines])
        return np.asarray(beyond[:, 1:-1].mean(axis=1))

    def shift(self, role: Role, name: str) -> Floats:
        """(R, 3) share of calls while writing less that on true sequences, by threshold."""
        found = self.written[role]
        return np.asarray((found[f"{name}_share"] - found[f"{name}_forced"])[:, 1:-1])

    def crossing(self) -> Floats:
        """(R,) entropy of S in the easy regime less that in the hard one where the skill of the rolling entropy changes
        sign, nats; straight lines between points of the dial; nan where it never does."""
        gap = self.dial["small"][..., 0] - self.dial["small"][..., 1]
        return np.array([_crossing(x, y) for x, y in zip(gap, self.dial["rolling"], strict=True)])


def _crossing(x: Floats, y: Floats) -> float:
    turns = np.flatnonzero((y[:-1] > 0) & (y[1:] <= 0))
    if not len(turns):
        return float("nan")
    i = int(turns[0])
    return float(x[i] + (x[i + 1] - x[i]) * y[i] / (y[i] - y[i + 1]))


def crossings_said(data: Data) -> str:
    """Where the skill changes its sign, over replicates: side and spread, which a mean within its margin hides."""
    at = data.crossing()
    if not np.isfinite(at).all():
        return f"none on the dial in {int((~np.isfinite(at)).sum())} of {len(at)} replicates"
    return (
        f"above 0 in {int((at > 0).sum())} of {len(at)} replicates, from {at.min():+.3f} to {at.max():+.3f} nats,"
        f" standard deviation {at.std(ddof=1):.3f}"
    )


def gather(study: "AdaptiveDecoding", records: Sequence[Record]) -> Data | None:
    """The records of every model, role and replicate that the study names; None if one is missing or diverged."""
    found = {
        (one.probe["arm"] or "ideal", one.probe["role"], one.probe["seed"]): one
        for one in records
        if one.status == "done" and one.probe["kind"] != "tuning"
    }
    if any((name, role, seed) not in found for name in ("ideal", *NAMES) for role in ROLES for seed in study.seeds):
        return None

    def rows(name: str, role: str) -> list[Arrays]:
        return [found[name, role, seed].arrays for seed in study.seeds]

    def stacked(name: str, role: str) -> Arrays:
        all_rows = rows(name, role)
        return {key: np.stack([one[key] for one in all_rows]) for key in all_rows[0]}

    curves: dict[tuple[Role, Small], Arrays] = {}
    aurocs: dict[tuple[Role, Small], Floats] = {}
    excess: dict[tuple[Role, Name], Floats] = {}
    written: dict[Role, Arrays] = {}
    first = study.reading.window - 1
    for role in ROLES:
        for small in SMALLS:
            pairs = zip(rows(small, role), rows("large", role), strict=True)
            read = [frontiers(one, other, study.reading) for one, other in pairs]
            curves[role, small] = {name: np.stack([one[name] for one in read]) for name in SWITCHERS}
            aurocs[role, small] = np.array([float(one["auroc"]) for one in read])
        for name in NAMES:
            excess[role, name] = np.array([one["loss"][:, first:].mean() for one in rows(name, role)])
        large = rows("large", role)
        names = [name for name in large[0] if name.startswith(("written_", "single_", "random_"))]
        written[role] = {name: np.stack([one[name] for one in large]) for name in names}
    ideal = {role: stacked("ideal", role) for role in ROLES}
    dial = {name.removeprefix("dial_"): values for name, values in ideal["signal"].items() if name.startswith("dial_")}
    members = [one for key, one in found.items() if key[0] != "ideal"]
    z = np.array([_metric(one, "paired") / max(_metric(one, "paired_error"), 1e-9) for one in members])
    rates = {name: float(found[name, "signal", study.seeds[0]].probe["rate"]) for name in NAMES}
    return Data(curves, aurocs, excess, ideal, dial, written, rates, z)


def frontiers(small: Arrays, large: Arrays, reading: Reading) -> Arrays:
    """Frontiers (S,) of one pair by switcher, and auroc () of the rolling entropy; from position w on."""
    first = reading.window - 1
    gain = (small["loss"] - large["loss"])[:, first:]
    averaged = rolling(small["entropy"], reading.window)
    target = (small["surprise"] - large["surprise"])[:, first:]
    symbols = _one_hot(small["symbols"].astype(np.int64)[:, first:])
    scores = {
        "oracle": gain,
        "rolling": averaged,
        "single": small["entropy"][:, first:],
        "truth": large["truth"][:, first:],
        "probe": probe_scores(small["features"][:, first:].astype(np.float64), target, reading.ridge),
        "last": probe_scores(symbols, target, reading.ridge),
    }
    found = {name: kept_curve(score.ravel(), gain.ravel()) for name, score in scores.items()}
    found["stay"] = staying_curve(averaged, gain, reading.stay)
    found["free"] = staying_curve(averaged, gain, 1)
    found["auroc"] = np.array(auroc(averaged.ravel(), gain.ravel()))
    return found


def _one_hot(symbols: NDArray[np.int64]) -> Floats:
    return np.eye(int(symbols.max()) + 1)[symbols]


def _metric(record: Record, name: str) -> float:
    return float(record.metrics[name])  # type: ignore[arg-type]


def mean(values: Floats) -> Mean:
    """Over replicates."""
    return Mean(values, Replicates.grid({"replicate": len(values)}, seed=SEED))
