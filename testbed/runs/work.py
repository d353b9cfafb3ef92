"""A unit of work: an ensemble with the cells that ask for it, or some cells without training. Knows no store."""

import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

from testbed.runs.cell import Cell
from testbed.runs.packing import Plan
from testbed.runs.provenance import provenance
from testbed.runs.record import Record
from testbed.training.member import TrainedMember

Observer = Callable[[float], None]
"""Called with the work that is done in addition: training positions, or cells where nothing is trained."""


@dataclass(frozen=True)
class MeasureContext:
    """What a study may use while it measures."""

    device: str
    checkpoints: Path | None = None
    """Where a training that is no `TrainingSpec`'s may leave its state and find it again; it removes what it left."""


class MeasuringStudy(Protocol):
    """What a unit of work asks of a study."""

    type_name: ClassVar[str]

    def measure(
        self, cells: list[Cell], members: Mapping[str, TrainedMember], context: MeasureContext
    ) -> Iterator[Record]: ...


@dataclass(frozen=True)
class Unit:
    """Cells that run together, the ensemble they need, and those of its members that are trained already."""

    cells: tuple[Cell, ...]
    plan: Plan | None = None
    members: Mapping[str, TrainedMember] = field(default_factory=dict)

    @property
    def positions(self) -> int:
        """How much work it is, for the reader's progress: positions to train, or else cells to measure."""
        return len(self.cells) if self.plan is None else self.plan.positions


@dataclass(frozen=True)
class Done:
    """What a unit gave: a record for each cell, the members trained for it, the reasons of failures."""

    records: list[Record]
    trained: list[TrainedMember] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


def execute(
    study: MeasuringStudy,
    unit: Unit,
    device: str,
    observe: Observer | None = None,
    checkpoints: Path | None = None,
) -> Done:
    """Train what is not trained yet, then measure. An error fails the ensemble, or the cell that raised it, alone.

    checkpoints   where long trainings leave their state, each in a folder of its plan's key, and find it again; only
                  where this process and the driver see the same folder, since the driver removes it
    """
    report = observe or (lambda amount: None)
    members, trained = unit.members, list[TrainedMember]()
    if unit.plan is not None and len(members) < len(unit.plan.specs):
        try:
            trained = _train(unit.plan, device, report, checkpoints)
        except Exception as error:
            return all_failed(study, unit, _reason(error), device, traceback.format_exc())
        members = {member.spec.training_key: member for member in trained}
    elif unit.plan is not None:
        report(unit.positions)
    told = 0

    def measured_one() -> None:
        """Where nothing is trained beforehand, cells are what is counted."""
        nonlocal told
        if unit.plan is None and told < len(unit.cells):
            told += 1
            report(1)

    started = time.perf_counter()
    context = MeasureContext(device, checkpoints)
    records, failed = _measured(study, list(unit.cells), members, context, measured_one)
    seconds = (time.perf_counter() - started) / max(len(unit.cells), 1)
    if unit.plan is None:
        report(len(unit.cells) - told)
    return Done([_stamped(records[c.key], c, members, seconds, device) for c in unit.cells], trained, failed)


def all_failed(study: MeasuringStudy, unit: Unit, reason: str, device: str, trace: str = "") -> Done:
    """Every cell of the unit recorded as failed."""
    return Done([_failure(study, cell, reason, device, trace) for cell in unit.cells], [], [reason] * len(unit.cells))


def _train(plan: Plan, device: str, report: Observer, checkpoints: Path | None) -> list[TrainedMember]:
    from testbed.training.trainer import train

    n_steps, seen = plan.specs[0].optimiser.steps, 0

    def observe(step: int) -> None:
        nonlocal seen
        report(plan.positions * (step - seen) / n_steps)
        seen = step

    return train(list(plan.specs), device, observe, None if checkpoints is None else checkpoints / plan.key)


def _measured(
    study: MeasuringStudy,
    cells: list[Cell],
    members: Mapping[str, TrainedMember],
    context: MeasureContext,
    done_one: Callable[[], None],
) -> tuple[dict[str, Record], list[str]]:
    failed = list[str]()
    try:
        return _by_key(cells, study.measure(cells, members, context), done_one), failed
    except Exception:  # find the cell at fault: it is recorded as failed and runs again next time
        found: dict[str, Record] = {}
        for cell in cells:
            try:
                found |= _by_key([cell], study.measure([cell], members, context))
            except Exception as error:
                found[cell.key] = _failure(study, cell, _reason(error), context.device, traceback.format_exc())
                failed.append(_reason(error))
        return found, failed


def _by_key(
    cells: list[Cell], records: Iterator[Record], done_one: Callable[[], None] = lambda: None
) -> dict[str, Record]:
    found = {}
    for record in records:
        found[record.key] = record
        done_one()
    if found.keys() != {cell.key for cell in cells}:
        raise ValueError(f"measure gave {len(found)} records for {len(cells)} cells; it must give one for each")
    return found


def _stamped(record: Record, cell: Cell, members: Mapping[str, TrainedMember], seconds: float, device: str) -> Record:
    member = None if cell.training is None else members.get(cell.training.training_key)
    fingerprint = None if cell.training is None else cell.training.source.fingerprint
    total = seconds + (0.0 if member is None else member.seconds)
    stamp = provenance(device, total, fingerprint) | record.provenance
    return Record(record.key, record.study, record.cell, record.status, record.metrics, record.arrays, stamp)


def _failure(study: MeasuringStudy, cell: Cell, reason: str, device: str, trace: str) -> Record:
    stamp: dict[str, Any] = {**provenance(device, 0.0), "traceback": trace}
    return Record(cell.key, study.type_name, cell.resolved(), "failed", {"error": reason}, {}, stamp)


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
