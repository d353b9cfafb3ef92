"""The finished records as arrays over replicates, and what is read off the curves."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from testbed.runs import Record
from testbed.studies.induction_phases.config import ARMS, LAWS, PAPER_LENGTH, Name
from testbed.studies.judge import Evidence, Mean, Replicates, Student

if TYPE_CHECKING:
    from testbed.studies.induction_phases.study import InductionPhases

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Level:
    """Losses on one law of chains, nats: mean over positions, the first one in it or not (`later`).

    unigram      one number for each smoothing, the first of them the paper's; `unigram_error` its standard errors
    gain_*       uniform less unigram, of each sequence (N, n), where levels are sampled
    counts, counts_last   least losses of what counts (and the last symbol) tell; nan where they are not known
    rate         E[h]
    """

    bayes: float
    bigram: float
    unigram: Floats
    error: float
    rate: float
    rate_error: float
    exact: bool
    counts: float = float("nan")
    counts_last: float = float("nan")
    gains: Floats | None = None


@dataclass(frozen=True, eq=False)
class Data:
    """What verdicts and figures are made from.

    arms       by name: step (n,); excess, uniform, unigram, smoothed, bigram, ... (R, n) along training; final (R,),
               level_* and straight_* (R,) on the replicate's sequences; rate ()
    levels     of each law of chains at the length of its sequences, all positions
    paper      likewise at positions 1 .. 100
    paired     z of cross-entropy less Bayes loss and excess, of every judged member
    """

    numbers: tuple[int, ...]
    arms: dict[Name, dict[str, Floats]]
    levels: dict[Name, Level]
    paper: dict[Name, Level]
    paired: Floats = field(default_factory=lambda: np.zeros(1))
    diverged: int = 0

    def mean(self, values: Floats) -> Evidence:
        """Evidence on the mean over replicates; decides nothing where some are not known."""
        if not np.isfinite(values).all():
            return Student(0.0, np.inf, 1)
        return Mean(values, Replicates({"seed": self.numbers}, seed=0))


def gather(study: "InductionPhases", records: Sequence[Record]) -> Data | None:
    """The records that the study names; None if one is missing."""
    levels: dict[tuple[Name, int], Level] = {}
    members: dict[tuple[Name, int], Record] = {}
    for record in records:
        p = record.probe
        if record.status == "failed" or p["kind"] == "tuning":
            continue
        if p["kind"] == "levels":
            levels[p["arm"], p["length"]] = level_of(record, later=p["length"] == PAPER_LENGTH + 1)
        else:
            members[p["arm"], p["seed"]] = record
    arms: dict[Name, dict[str, Floats]] = {}
    judged: list[Record] = []
    try:
        for name in ARMS:
            mine = [members[name, seed] for seed in study.seeds]
            judged += mine
            arms[name] = arrays_of([one for one in mine if one.status == "done"])
        own = {name: levels[name, study.arms.named(name).length] for name in LAWS}
        paper = {name: levels[name, PAPER_LENGTH + 1] for name in LAWS}
    except KeyError:
        return None
    diverged = sum(one.status != "done" for one in judged)
    z = [number(one, "paired") / number(one, "paired_error") for one in judged if one.status == "done"]
    return Data(tuple(study.seeds), arms, own, paper, np.array(z), diverged)


def number(record: Record, name: str) -> float:
    """A metric."""
    return float(record.metrics[name])  # type: ignore[arg-type]


def arrays_of(records: Sequence[Record]) -> dict[str, Floats]:
    """The arrays of one arm."""
    if not records:
        return {}
    first = records[0]
    found = {
        name.removeprefix("path_"): np.stack([one.arrays[name] for one in records])
        for name in first.arrays
        if name != "path_step"
    }
    names = [one for one in first.metrics if one.startswith(("level_", "straight_")) or one == "smoothing"]
    found |= {name: np.array([number(one, name) for one in records]) for name in names}
    found["final"] = np.array([number(one, "excess") for one in records])
    found["step"] = np.asarray(first.arrays["path_step"], dtype=np.float64)
    found["rate"] = np.array(first.probe["rate"], dtype=np.float64)
    return found


def level_of(record: Record, later: bool) -> Level:
    """The levels of a record; `later` leaves the first position out."""
    a, skip = record.arrays, int(later)
    exact = bool(record.metrics["exact"])
    mean: dict[str, Any] = {name: a[name][skip:].mean(axis=0) for name in ("bayes", "unigram")}
    error, gains = 0.0, None
    if not exact:
        rows = a["unigram_later" if later else "unigram_rows"]
        error = float(rows.std(axis=0, ddof=1).max() / np.sqrt(len(rows)))
        gains = np.log(record.probe["chains"]["vocab_size"]) - rows
    return Level(
        bayes=float(mean["bayes"]),
        bigram=float(mean["bayes"] if exact else a["bigram"][skip:].mean()),
        unigram=mean["unigram"],
        error=error,
        rate=number(record, "rate"),
        rate_error=number(record, "rate_error"),
        exact=exact,
        counts=float(a["counts"][skip:].mean()) if exact else float("nan"),
        counts_last=float(a["counts_last"][skip:].mean()) if "counts_last" in a else float("nan"),
        gains=gains,
    )


# ------------------------------------------------------------------------------------------------ readings
def nearest(arm: dict[str, Floats], unigram: str = "unigram") -> Ints:
    """(R, n): which of uniform (0), unigram (1), bigram (2) is nearest to the model."""
    return np.asarray(np.stack([arm["uniform"], arm[unigram], arm["bigram"]]).argmin(axis=0))


def in_order(phases: Ints) -> NDArray[np.bool_]:
    """(R,): uniform, then unigram, then bigram, none twice."""
    rising = (np.diff(phases, axis=1) >= 0).all(axis=1)
    return np.asarray(rising & (phases[:, 0] == 0) & (phases[:, -1] == 2) & (phases == 1).any(axis=1))


def visited(phases: Ints) -> NDArray[np.bool_]:
    """(R,): unigram is nearest at some point."""
    return np.asarray((phases == 1).any(axis=1))


def nearness(arm: dict[str, Floats], unigram: str = "unigram") -> Floats:
    """(R,): the least divergence of the unigram law from the model, as a share of where the straight way passes."""
    return np.asarray(arm[unigram].min(axis=1) / arm[f"straight_{unigram}"])


def slowness(arm: dict[str, Floats], level: Floats, half: float) -> Floats:
    """(R,): how much slower than on average the excess falls, per unit of log step, where it lies within `half` of the
    whole fall of a level (R,). On average: from 90 % of uniform's excess to 10 %, or as far as it gets."""
    logs = np.log(arm["step"])
    found = []
    for path, at, whole in zip(arm["excess"], level, arm["level_uniform"], strict=True):
        lowest = np.minimum.accumulate(path)
        top, bottom = min(0.9 * whole, lowest[0]), max(0.1 * whole, lowest[-1])
        high, low = min(at + half * whole, top), max(at - half * whole, bottom)
        if not top > bottom or not high > low:
            found.append(np.nan)
            continue
        times = {one: crossing(logs, lowest, one) for one in (top, high, low, bottom)}
        average = (top - bottom) / max(times[bottom] - times[top], 1e-12)
        inside = (high - low) / max(times[low] - times[high], 1e-12)
        found.append(average / inside)
    return np.array(found)


def crossing(logs: Floats, falling: Floats, level: float) -> float:
    """Where a curve that never rises first comes down to a level, interpolated."""
    return float(np.interp(-level, -falling + 1e-15 * np.arange(len(falling)), logs))
