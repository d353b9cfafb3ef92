"""The finished records as arrays over replicates."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.runs import Record
from testbed.studies.judge import Evidence, Mean, Replicates, Student
from testbed.studies.variable_order.blends import CONSTANT
from testbed.studies.variable_order.config import quarters

if TYPE_CHECKING:
    from testbed.studies.variable_order.study import VariableOrder

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ArmData:
    """One arm over R replicates; P positions, from D on. Names as in `measure.member_record`."""

    excess: Floats
    to_orders: Floats
    to_interpolation: Floats
    gap_orders: Floats
    gap_interpolation: Floats
    gap_ppm: Floats
    adaptivity: Floats
    late: Floats
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
    late        by rival: coefficient of context-tree weighting in its laws, in the second half
    leads       by constant blend: by how much it is nearer to context-tree weighting than to the nearest fixed order
    weights     by constant blend: (D + 1,)
    constant    by constant blend: (R, P) excess on the sequences of each replicate
    full_gap, full_below   on full trees: see `measure.rivals_record`
    paired      z of cross-entropy less Bayes loss and excess, of every judged member
    """

    numbers: tuple[int, ...]
    arms: dict[str, ArmData]
    rows: dict[str, Floats]
    positions: dict[str, Floats]
    constant: dict[str, Floats]
    errors: dict[str, Floats] = field(default_factory=dict)
    late: dict[str, float] = field(default_factory=dict)
    leads: dict[str, float] = field(default_factory=dict)
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

    def bar(self, part: slice | None = None) -> Floats:
        """(R,): excess of the constant blend that is best there on the rivals' sequences."""
        where = part or slice(None)
        name = min(self.constant, key=lambda one: float(self.positions[one][where].mean()))
        return np.asarray(self.constant[name][:, where].mean(axis=-1))

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
    for record in records:
        p = record.probe
        if record.status == "failed" or p["kind"] == "tuning":
            continue
        if p["kind"] == "learners":
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
        constant={name: np.stack([blends[seed].arrays[f"gap_{name}"] for seed in study.seeds]) for name in CONSTANT},
        errors=named("error_"),
        late=numbers("late_"),
        leads=numbers("lead_"),
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
        late=np.array([number(one, "late") for one in records]),
        own=np.array([number(one, "own") for one in records]),
        path_step=np.asarray(records[0].arrays["path_step"], dtype=np.float64),
        rate=float(records[0].probe["rate"]),
    )
