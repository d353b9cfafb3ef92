"""The finished records as arrays over replicates."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from testbed.runs import Record
from testbed.studies.judge import Evidence, Mean, Replicates, Student
from testbed.studies.variable_order.blends import CONSTANT, UNASKING
from testbed.studies.variable_order.config import quarters

if TYPE_CHECKING:
    from testbed.studies.variable_order.study import VariableOrder

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ArmData:
    """One arm over R replicates; P positions, from D on. Names as in `measure.member_record`."""

    excess: Floats
    to_orders: Floats
    to_counts: Floats
    to_sure: Floats
    gap_orders: Floats
    weights: Floats
    preference: Floats
    follows: Floats
    depth: Floats
    chance: Floats
    own: Floats
    path_step: Floats
    path_excess: Floats
    rate: float = 0.0

    def gap(self, order: int, part: slice | None = None) -> Floats:
        """(R,): excess of a fixed order, mean over positions."""
        return np.asarray(self.gap_orders[:, order, part or slice(None)].mean(axis=-1))

    def mean(self, part: slice | None = None) -> Floats:
        """(R,): excess, mean over positions."""
        return np.asarray(self.excess[:, part or slice(None)].mean(axis=-1))

    def share(self, order: int, part: slice | None = None) -> Floats:
        """(R,): excess in units of that of a fixed order."""
        return np.asarray(self.mean(part) / self.gap(order, part))


@dataclass(frozen=True, eq=False)
class Data:
    """What verdicts and figures are made from.

    arms        by name
    rows        by rival: (N,) excess of each sequence; `tree`: what is lost against it; `rate`: the Bayes loss
    positions   by rival: (P,)
    errors      by rival: (P,) standard errors of those
    follows     by rival: slope of its preferences along those of context-tree weighting
    weights     by constant blend: (D + 1,)
    gaps        by learner that asks no evidence: (R, P) excess on the sequences of each replicate
    unasking    likewise: (R, 2) what `follows` and `depth` are of it, on those sequences
    bayes       (R, N) preferences of context-tree weighting there
    half        by arm: mean excess of the tuning's runs at its rate, all positions, at half of the steps
    full_gap, full_below   on full trees: see `measure.rivals_record`
    paired      z of cross-entropy less Bayes loss and excess, of every judged member
    """

    numbers: tuple[int, ...]
    arms: dict[str, ArmData]
    rows: dict[str, Floats]
    positions: dict[str, Floats]
    gaps: dict[str, Floats]
    unasking: dict[str, Floats]
    bayes: Floats
    errors: dict[str, Floats] = field(default_factory=dict)
    follows: dict[str, float] = field(default_factory=dict)
    half: dict[str, Floats] = field(default_factory=dict)
    weights: dict[str, Floats] = field(default_factory=dict)
    full_gap: float = 0.0
    full_below: float = 1.0
    paired: Floats = field(default_factory=lambda: np.zeros(1))
    diverged: int = 0

    @property
    def n_orders(self) -> int:
        """D + 1."""
        return sum(name.startswith("order_") for name in self.positions)

    @property
    def best(self) -> int:
        """The fixed order of least excess over all positions, on the rivals' sequences."""
        return self.best_in(slice(None))

    def best_in(self, part: slice) -> int:
        """Likewise over some positions."""
        return int(np.argmin([self.positions[f"order_{order}"][part].mean() for order in range(self.n_orders)]))

    def bar(self, part: slice | None = None, names: Sequence[str] = CONSTANT) -> Floats:
        """(R,): excess of the one of these learners that is best there on the rivals' sequences; run by run on the
        sequences on which models are judged."""
        where = part or slice(None)
        name = min(names, key=lambda one: float(self.positions[one][where].mean()))
        return np.asarray(self.gaps[name][:, where].mean(axis=-1))

    def largest(self, what: Literal["follows", "depth"]) -> Floats:
        """(R,): the largest of learners that ask no evidence, run by run."""
        place = ("follows", "depth").index(what)
        return np.asarray(np.max([one[:, place] for one in self.unasking.values()], axis=0))

    def beyond(self, arm: ArmData, what: Literal["follows", "depth"]) -> Floats:
        """(R,): by how much an arm's number is above it."""
        return np.asarray(getattr(arm, what) - self.largest(what))

    @property
    def parts(self) -> list[slice]:
        """Quarters of the positions."""
        return quarters(len(self.positions["order_0"]))

    def mean(self, values: Floats) -> Evidence:
        """Evidence on the mean over replicates; decides nothing where some are not known."""
        if not np.isfinite(values).all():
            return Student(0.0, np.inf, 1)
        return Mean(values, Replicates({"seed": self.numbers}, seed=0))


def gather(study: "VariableOrder", records: Sequence[Record]) -> Data | None:
    """The records that the study names; None if one is missing."""
    members: dict[tuple[str, int], Record] = {}
    blends: dict[int, Record] = {}
    rivals: Record | None = None
    tuning: dict[tuple[str, float], list[float]] = defaultdict(list)
    for record in records:
        p = record.probe
        if record.status == "failed":
            continue
        if p["kind"] == "tuning":
            tuning[p["arm"], float(p["rate"])].append(number(record, "excess") if record.status == "done" else np.inf)
        elif p["kind"] == "learners":
            rivals = record
        elif p["kind"] == "blends":
            blends[p["seed"]] = record
        else:
            members[p["arm"], p["seed"]] = record
    wanted = [(arm.name, seed) for arm in study.arms for seed in study.seeds]
    if rivals is None or any(one not in members for one in wanted) or any(one not in blends for one in study.seeds):
        return None
    judged = [members[one] for one in wanted]
    done = [one for one in judged if one.status == "done"]
    arms = {}
    for arm in study.arms:
        mine = [one for one in done if one.probe["arm"] == arm.name]
        if mine:
            arms[arm.name] = arm_of(mine)

    def named(prefix: str) -> dict[str, Floats]:
        return {name.removeprefix(prefix): one for name, one in rivals.arrays.items() if name.startswith(prefix)}

    def numbers(prefix: str) -> dict[str, float]:
        return {name.removeprefix(prefix): number(rivals, name) for name in rivals.metrics if name.startswith(prefix)}

    return Data(
        numbers=tuple(study.seeds),
        arms=arms,
        rows=named("rows_"),
        positions=named("position_"),
        gaps={name: np.stack([blends[seed].arrays[f"gap_{name}"] for seed in study.seeds]) for name in UNASKING},
        errors=named("error_"),
        follows=numbers("follows_"),
        unasking={
            name: np.array(
                [[number(blends[seed], f"{what}_{name}") for what in ("follows", "depth")] for seed in study.seeds]
            )
            for name in UNASKING
        },
        bayes=np.stack([blends[seed].arrays["bayes"] for seed in study.seeds]),
        half={name: np.array(tuning[name, arm.rate]) for name, arm in arms.items() if (name, arm.rate) in tuning},
        weights=named("weights_"),
        full_gap=number(rivals, "full_gap"),
        full_below=number(rivals, "full_below"),
        paired=np.array([number(one, "paired") / number(one, "paired_error") for one in done]),
        diverged=len(judged) - len(done),
    )


def number(record: Record, name: str) -> float:
    """A metric."""
    return float(record.metrics[name])  # type: ignore[arg-type]


def arm_of(records: Sequence[Record]) -> ArmData:
    """The arrays of one arm."""
    arrays = {
        name: np.stack([one.arrays[name] for one in records]) for name in records[0].arrays if name != "path_step"
    }
    return ArmData(
        **arrays,
        follows=np.array([number(one, "follows") for one in records]),
        depth=np.array([number(one, "depth") for one in records]),
        chance=np.array([number(one, "chance") for one in records]),
        own=np.array([number(one, "own") for one in records]),
        path_step=np.asarray(records[0].arrays["path_step"], dtype=np.float64),
        rate=float(records[0].probe["rate"]),
    )
