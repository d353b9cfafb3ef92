"""The finished records as arrays over replicates, and what is read off the curves."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.runs import Record
from testbed.studies.depth_and_order.config import Shape
from testbed.studies.induction_phases.data import crossing, dwelling
from testbed.studies.judge import Evidence, Replicates, mean_if_known

if TYPE_CHECKING:
    from testbed.studies.depth_and_order.study import DepthAndOrder

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Arm = tuple[str, int]
"""The name of a shape, and the order of the chains."""


@dataclass(frozen=True)
class Level:
    """Excess over the Bayes law on chains of one order, nats.

    uniform    of no counts
    counts     of orders 0 .. k - 1, the best smoothing each
    edge       of the counts of order k - 1 and one token more; None for k = 0
    error      largest standard error of these
    """

    uniform: float
    counts: tuple[float, ...]
    edge: float | None
    error: float

    @property
    def steps(self) -> tuple[float, ...]:
        """The levels from the top: uniform, then counts of rising order."""
        return (self.uniform, *self.counts)

    @property
    def gap(self) -> float:
        """What one order less loses: the unit."""
        return self.steps[-1]


@dataclass(frozen=True, eq=False)
class Path:
    """One arm's runs: step (n,), excess (R, n) along training, and the rate."""

    step: Floats
    excess: Floats
    rate: float = float("nan")

    @property
    def final(self) -> Floats:
        """(R,) at the end."""
        return np.asarray(self.excess[:, -1])


@dataclass(frozen=True, eq=False)
class Built:
    """Of a network built by hand, on drawn sequences (N,): its excess and that of counts of one order less, nats."""

    excess: Floats
    short: Floats
    off: float = 0.0


@dataclass(frozen=True, eq=False)
class Data:
    """What verdicts and figures are made from.

    arms      by shape and order
    levels    by order
    built     by shape, the order that it is built for, and that of the chains
    paired    z of cross-entropy less Bayes loss and excess, of every judged member
    """

    numbers: tuple[int, ...]
    arms: dict[Arm, Path]
    levels: dict[int, Level]
    built: dict[tuple[str, int, int], Built]
    paired: Floats
    diverged: int = 0

    def ratio(self, arm: Arm) -> Floats:
        """(R,) excess at the end over the gap."""
        return np.asarray(self.arms[arm].final / self.levels[arm[1]].gap)

    def fall(self, arm: Arm) -> Floats:
        """(R,) what the last doubling of steps took off, over the gap: the mean of its path less that of the one
        before, so that the noise of single points does not count."""
        path, gap = self.arms[arm], self.levels[arm[1]].gap
        last = path.step > path.step[-1] / 2
        before = ~last & (path.step > path.step[-1] / 4)
        if not before.any():
            return np.full(len(path.excess), np.nan)
        return np.asarray((path.excess[:, before].mean(axis=1) - path.excess[:, last].mean(axis=1)) / gap)

    def mean(self, values: Floats) -> Evidence:
        """Evidence on the mean over runs; open where some are not known."""
        return mean_if_known(values, Replicates({"seed": self.numbers}, seed=0))

    def time_to(self, arm: Arm, excess: float) -> Floats:
        """(R,) log of the steps after which a run first lies below an excess; infinite where it never does."""
        path = self.arms[arm]
        logs, found = np.log(path.step), np.full(len(path.excess), np.inf)
        for row, one in enumerate(path.excess):
            lowest = np.minimum.accumulate(one)
            if lowest[-1] <= excess:
                found[row] = crossing(logs, lowest, excess)
        return found

    def learnt_at(self, arm: Arm) -> Floats:
        """(R,) log of the steps after which half of the gap is gone."""
        return self.time_to(arm, self.levels[arm[1]].gap / 2)

    def waited(self, arm: Arm) -> tuple[Floats, Floats]:
        """Of runs that came half way from the level above to that of order k - 1, k >= 1: log of how many times the
        steps had to grow from there until half of the gap was gone, infinite where it never was; and of how many times
        they did grow until the end."""
        path, steps = self.arms[arm], self.levels[arm[1]].steps
        before = self.time_to(arm, (steps[-2] + steps[-1]) / 2)
        came = np.isfinite(before)
        return self.learnt_at(arm)[came] - before[came], np.log(path.step[-1]) - before[came]

    def dwelling(self, arm: Arm, half: float) -> Floats:
        """(R, 2) log of how many times as slowly the loss falls at the level of order k - 1 as right above it, and as
        right below; nan where a run does not come through."""
        path, level = self.arms[arm], self.levels[arm[1]]
        runs = len(path.excess)
        return dwelling(
            {"step": path.step, "excess": path.excess, "level_uniform": np.full(runs, level.uniform)},
            np.full(runs, level.gap),
            half,
        )


def gather(study: "DepthAndOrder", records: Sequence[Record]) -> Data | None:
    """The records that the study names; None if one is missing."""
    levels: dict[int, Level] = {}
    built: dict[tuple[str, int, int], Built] = {}
    members: dict[tuple[str, int, int], Record] = {}
    for record in records:
        p = record.probe
        if record.status == "failed" or p["kind"] == "tuning":
            continue
        if p["kind"] == "levels":
            levels[p["order"]] = level_of(record, p["order"])
            continue
        name = Shape(**p["shape"]).name
        if p["kind"] == "built":
            a = record.arrays
            built[name, p["built_for"], p["order"]] = Built(a["excess"], a["short"], number(record, "off"))
        else:
            members[name, p["order"], p["seed"]] = record
    arms: dict[Arm, Path] = {}
    z: list[float] = []
    diverged = 0
    wanted = {(shape.name, k, on) for shape, k in study.built() for on in (k, k + 1)}
    if set(levels) != {one.order for one in study.orders} or set(built) != wanted:
        return None
    for shape, order in study.arms():
        mine = [members.get((shape.name, order, seed)) for seed in study.seeds]
        if any(one is None for one in mine):
            return None
        done = [one for one in mine if one is not None and one.status == "done"]
        diverged += len(mine) - len(done)
        if not done:
            continue
        z += [number(one, "paired") / number(one, "paired_error") for one in done]
        arms[shape.name, order] = Path(
            np.asarray(done[0].arrays["step"], dtype=np.float64),
            np.stack([one.arrays["path"] for one in done]),
            float(done[0].probe["rate"]),
        )
    return Data(tuple(study.seeds), arms, levels, built, np.array(z), diverged)


def number(record: Record, name: str) -> float:
    """A metric."""
    return float(record.metrics[name])  # type: ignore[arg-type]


def level_of(record: Record, order: int) -> Level:
    """The levels of a record."""
    counts = tuple(number(record, f"counts_{j}") for j in range(order))
    errors = [number(record, name) for name in record.metrics if name.endswith("_error")]
    edge = number(record, "edge") if order else None
    return Level(number(record, "uniform"), counts, edge, max(errors))
