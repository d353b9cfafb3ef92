"""The finished records as arrays over replicates, and what is read off the curves."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from testbed.runs import Record
from testbed.studies.induction_phases.config import ARMS, LAWS, PAPER_LENGTH, Name
from testbed.studies.judge import Evidence, Replicates, mean_if_known

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
        """Evidence on the mean over replicates; open where some are not known."""
        return mean_if_known(values, Replicates({"seed": self.numbers}, seed=0))


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
def nearest(arm: dict[str, Floats], unigram: str = "unigram", more: tuple[str, ...] = ()) -> Ints:
    """(R, n): which of uniform (0), unigram (1), bigram (2), and of `more` (3 ..), is nearest to the model."""
    return np.asarray(np.stack([arm[name] for name in ("uniform", unigram, "bigram", *more)]).argmin(axis=0))


def time_in(arm: dict[str, Floats], phases: Ints, which: int) -> Floats:
    """(R,): for how long a predictor is nearest, in units of log step."""
    return np.asarray((phases[:, 1:] == which) @ np.diff(np.log(arm["step"])))


def lead(arm: dict[str, Floats], unigram: str = "unigram") -> Floats:
    """(R,): by how much unigrams are nearer than uniform and bigram where they are so the most, nats; else below 0."""
    return np.asarray((np.minimum(arm["uniform"], arm["bigram"]) - arm[unigram]).max(axis=1))


def in_order(phases: Ints, spared: float = 0.0) -> NDArray[np.bool_]:
    """(R,): uniform, then unigram, then bigram, none twice, but for a share of the points of the path.

    The stretches, none of them empty, are those that the fewest points contradict; these may be `spared` of all, and
    unigram must be nearest at more points than that.
    """
    n = phases.shape[1]
    before = np.concatenate([np.zeros((3, len(phases), 1)), np.cumsum(phases == np.arange(3)[:, None, None], -1)], -1)
    first, second = np.triu_indices(n, k=1)  # unigram from `first` until `second`, uniform before
    first, second = first[first > 0], second[first > 0]
    right = (
        before[0][:, first] + (before[1][:, second] - before[1][:, first]) + (before[2][:, [-1]] - before[2][:, second])
    )
    allowed = np.floor(spared * n + 1e-9)
    return np.asarray((n - right.max(axis=1) <= allowed) & ((phases == 1).sum(axis=1) > allowed))


def visited(phases: Ints) -> NDArray[np.bool_]:
    """(R,): unigram is nearest at some point."""
    return np.asarray((phases == 1).any(axis=1))


def nearness(arm: dict[str, Floats], unigram: str = "unigram") -> Floats:
    """(R,): the least divergence of the unigram law from the model, as a share of where the straight way passes."""
    return np.asarray(arm[unigram].min(axis=1) / arm[f"straight_{unigram}"])


def dwelling(arm: dict[str, Floats], level: Floats, half: float) -> Floats:
    """(R, 2): log of how many times as long the excess stays, in log steps, in the band of `half` of the whole fall
    around a level (R,) as in the bands of the same width right above and right below it. A plateau is slower than both;
    nan where the path does not come through all three."""
    logs = np.log(arm["step"])
    found = np.full((len(level), 2), np.nan)
    for row, (path, at, whole) in enumerate(zip(arm["excess"], level, arm["level_uniform"], strict=True)):
        lowest = np.minimum.accumulate(path)
        edges = at + half * whole * np.array([3, 1, -1, -3])
        if edges[0] <= lowest[0] and edges[-1] >= lowest[-1]:
            above, here, below = np.maximum(np.diff([crossing(logs, lowest, one) for one in edges]), 1e-12)
            found[row] = np.log(here / above), np.log(here / below)
    return found


def crossing(logs: Floats, falling: Floats, level: float) -> float:
    """Where a curve that never rises first comes down to a level, interpolated."""
    return float(np.interp(-level, -falling + 1e-15 * np.arange(len(falling)), logs))
