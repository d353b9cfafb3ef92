"""The finished records as arrays over replicates, and the readings of each protocol."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from testbed.runs import Record
from testbed.studies.judge import Bounded, Evidence, Replicates, mean_if_known
from testbed.studies.protocol_bias.config import ARMS, PROTOCOLS, ROLES, Arm, Role
from testbed.studies.protocol_bias.readings import apparent, stopped_at

if TYPE_CHECKING:
    from testbed.studies.protocol_bias.study import ProtocolBias

Floats = NDArray[np.float64]
Factor = Literal["whole_batches", "tied_steps", "block_average", "early_stop", "together"]
FACTORS: tuple[Factor, ...] = ("whole_batches", "tied_steps", "block_average", "early_stop", "together")
"""Each differs from the sound protocol in one thing; the last one in the first three at once."""
Reading = Literal["sound", "trained_on_all"] | Factor
READINGS: tuple[Reading, ...] = ("sound", *FACTORS, "trained_on_all")


class Point(NamedTuple):
    """A source, a dataset size, a protocol with its reading."""

    role: Role
    size: int
    reading: Reading


@dataclass(frozen=True, eq=False)
class Data:
    """What verdicts and figures are made from; first axis of every array over replicates.

    losses        {point: (R, n_l)} loss above the entropy rate, nats
    tables        arrays of `exact.table_arrays`
    visible       {(role, arm): (R, n_vis)} mean KL at each visible length; R may be fewer
    rates         {what: chosen learning rate}
    paired        z of cross-entropy less risk and excess, of every member
    block_error   largest distance of the last place of a block from the loss at full context
    stops         {size: (R, n_l)} share of the steps after which the stop's weights were taken, on the designed source
    """

    numbers: tuple[int, ...]
    losses: dict[Point, Floats]
    tables: dict[str, Floats]
    visible: dict[tuple[Role, Arm], Floats]
    rates: dict[str, float] = field(default_factory=dict)
    paired: Floats = field(default_factory=lambda: np.zeros(1))
    block_error: float = 0.0
    stops: dict[int, Floats] = field(default_factory=dict)
    diverged: int = 0

    def mean(self, values: Floats) -> Evidence:
        """Evidence on the mean over the first R replicates of (R,) values; open where some are not known."""
        return mean_if_known(values, Replicates({"seed": self.numbers[: len(values)]}, seed=0))

    def interval(
        self, values: Floats, level: float, least: float = -np.inf, most: float = np.inf
    ) -> tuple[float, float, float]:
        """Mean with its interval, cut at what the values can be at all."""
        found = Bounded(self.mean(values), least, most)
        return found.estimate, *found.interval((1 - level) / 2)

    def optimum(self, study: "ProtocolBias", role: Role, size: int, reading: Reading) -> Floats:
        """(R,) apparent ln l*."""
        return apparent(self.losses[Point(role, size, reading)], study.networks.lengths, study.bounds.delta)

    def shift(self, study: "ProtocolBias", role: Role, size: int, factor: Reading) -> Floats:
        """(R,) by how much a factor moves the apparent ln l* of the same replicate."""
        return self.optimum(study, role, size, factor) - self.optimum(study, role, size, "sound")


def gather(study: "ProtocolBias", records: Sequence[Record]) -> Data | None:
    """The records that the study names; None if one is missing."""
    index: dict[tuple[Any, ...], Record] = {}
    for record in records:
        if record.status != "failed":
            p = record.probe
            index[p["kind"], p["role"], p["protocol"], p["arm"], p["size"], p["length"], p["seed"]] = record
    networks, seeds = study.networks, study.seeds
    losses: dict[Point, Floats] = {}
    paired: list[float] = []
    rates: dict[str, float] = {}
    stops: dict[int, Floats] = {}
    visible: dict[tuple[Role, Arm], Floats] = {}
    error, diverged = 0.0, 0
    try:
        for role in ROLES:
            for size in networks.sizes_of(role):
                grids = {
                    protocol: [
                        [index["member", role, protocol, None, size, length, seed] for length in networks.lengths]
                        for seed in seeds
                    ]
                    for protocol in PROTOCOLS
                }
                found = _readings(grids, networks.patience)
                losses |= {Point(role, size, reading): values for reading, values in found.items()}
                every = [one for grid in grids.values() for row in grid for one in row]
                diverged += sum(one.status != "done" for one in every)
                paired += [_z(one) for one in every if one.status == "done"]
                error = max(error, *(_block_error(one) for one in every))
                rates["protocols"] = float(every[0].probe["learning_rate"])
                if role == "designed":
                    stops[size] = _table(grids["sound"], lambda one: _stop_share(one, networks.patience))
            for arm in ARMS:
                mine = [index["visible", role, None, arm, None, None, seed] for seed in study.seeds_of_visible]
                diverged += sum(one.status != "done" for one in mine)
                blank = np.full(len(study.visible.lengths), np.nan)
                visible[role, arm] = np.array([one.arrays.get("excess", blank) for one in mine])
                rates[arm] = float(mine[0].probe["learning_rate"])
        of_tables = [index["tables", "designed", None, None, None, None, seed] for seed in seeds]
    except KeyError:
        return None
    tables = {name: np.stack([one.arrays[name] for one in of_tables]) for name in of_tables[0].arrays}
    return Data(tuple(seeds), losses, tables, visible, rates, np.array(paired), error, stops, diverged)


def _readings(grids: dict[Any, list[list[Record]]], patience: int) -> dict[Reading, Floats]:
    """(R, n_l) loss above the rate of every reading."""

    def last(one: Record) -> float:
        return _number(one, "risk") - _number(one, "rate") + _number(one, "excess")

    def stopped(one: Record) -> float:
        at = stopped_at(one.arrays["path_heldout"], patience)
        return _number(one, "risk") - _number(one, "rate") + float(one.arrays["path_excess"][at])

    def block(one: Record) -> float:
        return float(one.arrays["by_position"].mean()) - _number(one, "rate") if "by_position" in one.arrays else np.nan

    return {
        "sound": _table(grids["sound"], last),
        "whole_batches": _table(grids["whole_batches"], last),
        "tied_steps": _table(grids["tied_steps"], last),
        "early_stop": _table(grids["sound"], stopped),
        "trained_on_all": _table(grids["all_positions"], last),
        "block_average": _table(grids["all_positions"], block),
        "together": _table(grids["together"], block),
    }


def _table(grid: list[list[Record]], read: Any) -> Floats:
    return np.array([[read(one) if one.status == "done" else np.nan for one in row] for row in grid])


def _number(record: Record, name: str) -> float:
    return float(record.metrics[name])  # type: ignore[arg-type]


def _stop_share(record: Record, patience: int) -> float:
    steps = record.arrays["path_step"]
    return float(steps[stopped_at(record.arrays["path_heldout"], patience)] / steps[-1])


def _z(record: Record) -> float:
    difference, error = _number(record, "paired"), _number(record, "paired_error")
    return difference / error if error > 0 else 0.0


def _block_error(record: Record) -> float:
    if "by_position" not in record.arrays:
        return 0.0
    return abs(float(record.arrays["by_position"][-1]) - _number(record, "risk") - _number(record, "excess"))
