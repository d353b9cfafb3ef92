"""The runner: collects the distinct trainings of a study's cells, trains each once, has the study measure, stores.

It alone trains. A study may name further cells once it has seen the first records (a learning rate chosen on tuning
cells, say); the runner asks again until nothing new is named.
"""

import signal
import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from testbed.core import TestbedError
from testbed.runs.cell import Cell
from testbed.runs.packing import Plan, pack
from testbed.runs.progress import Progress
from testbed.runs.provenance import provenance
from testbed.runs.record import FINISHED, Record
from testbed.runs.store import Store
from testbed.training.member import TrainedMember

CELLS_PER_TRANSACTION = 64


class TimeLimitReached(TestbedError):
    """The run stopped cleanly at its time limit; started again, it goes on from there."""


@dataclass(frozen=True)
class MeasureContext:
    """What a study may use while it measures."""

    device: str


class RunnableStudy(Protocol):
    """What the runner asks of a study."""

    type_name: ClassVar[str]

    @property
    def positions_per_ensemble(self) -> int: ...

    def cells(self, finished: Mapping[str, Record]) -> list[Cell]: ...

    def measure(
        self, cells: list[Cell], members: Mapping[str, TrainedMember], context: MeasureContext
    ) -> Iterator[Record]: ...


@dataclass
class Outcome:
    """What a run did: numbers of cells."""

    ran: int = 0
    skipped: int = 0
    failed: list[str] = field(default_factory=list)


def run(
    study: RunnableStudy, store: Store, device: str = "cpu", time_limit: float | None = None, label: str = ""
) -> Outcome:
    """Run every cell that is not finished. Raises TimeLimitReached between ensembles, `time_limit` seconds being up."""
    deadline = None if time_limit is None else time.monotonic() + time_limit
    outcome, seen, plans = Outcome(), set[str](), list[Plan]()
    while True:
        # Only what earlier stages named, also where more is finished: a rerun then forms the same stages and ensembles.
        finished = _finished(store, seen)
        cells = [cell for cell in study.cells(finished) if cell.key not in seen]
        if not cells:
            return outcome
        seen |= {cell.key for cell in cells}
        plans += _further_plans(study, cells, plans)
        _run_stage(study, cells, plans, store, device, deadline, label or study.type_name, outcome)


def _further_plans(study: RunnableStudy, cells: list[Cell], plans: list[Plan]) -> list[Plan]:
    """Ensembles for the trainings of a stage's cells that no earlier stage has; of all cells, done or not."""
    planned = {spec.training_key for plan in plans for spec in plan.specs}
    new = [cell for cell in cells if cell.training is not None and cell.training.training_key not in planned]
    return pack(new, study.positions_per_ensemble)


def finished_records(store: Store, study: RunnableStudy) -> dict[str, Record]:
    """The finished records of the study's cells, found stage by stage."""
    return survey(store, study)[1]


def survey(store: Store | None, study: RunnableStudy) -> tuple[dict[str, Cell], dict[str, Record], list[Plan]]:
    """Every cell that can be named with what is finished so far, by key; the finished records; the ensembles.

    The stages are those of `run`. Without a store nothing is finished.
    """
    named: dict[str, Cell] = {}
    finished: dict[str, Record] = {}
    plans: list[Plan] = []
    while True:
        cells = [cell for cell in study.cells(finished) if cell.key not in named]
        if not cells:
            return named, finished, plans
        named |= {cell.key: cell for cell in cells}
        plans += _further_plans(study, cells, plans)
        finished = {} if store is None else _finished(store, set(named))


def _finished(store: Store, keys: set[str]) -> dict[str, Record]:
    return {key: one for key, one in store.records(keys).items() if one.status in FINISHED} if keys else {}


def _run_stage(
    study: RunnableStudy,
    cells: list[Cell],
    plans: list[Plan],
    store: Store,
    device: str,
    deadline: float | None,
    label: str,
    outcome: Outcome,
) -> None:
    finished = store.finished_keys()
    todo = [cell for cell in cells if cell.key not in finished]
    outcome.skipped += len(cells) - len(todo)
    by_training: dict[str, list[Cell]] = {}
    for cell in todo:
        if cell.training is not None:
            by_training.setdefault(cell.training.training_key, []).append(cell)
    plain = [cell for cell in todo if cell.training is None]
    work = [(plan, [c for spec in plan.specs for c in by_training.get(spec.training_key, [])]) for plan in plans]
    total = sum(plan.positions for plan, _ in work)
    progress = Progress(label, total, done=sum(plan.positions for plan, mine in work if not mine))
    try:
        for start in range(0, len(plain), CELLS_PER_TRANSACTION):
            _check_deadline(deadline)
            _measure_and_store(study, plain[start : start + CELLS_PER_TRANSACTION], {}, [], store, device, outcome)
        for plan, mine in work:
            if mine:
                _check_deadline(deadline)
                _run_plan(study, plan, mine, store, device, progress, outcome)
    finally:
        progress.close()


def _check_deadline(deadline: float | None) -> None:
    if deadline is not None and time.monotonic() > deadline:
        raise TimeLimitReached("stopped at the time limit; the same command goes on from here")


def _run_plan(
    study: RunnableStudy,
    plan: Plan,
    cells: list[Cell],
    store: Store,
    device: str,
    progress: Progress,
    outcome: Outcome,
) -> None:
    """Train what of the ensemble is not trained yet, measure, and store all of it in one transaction."""
    members = store.load_members(plan.specs)
    trained: list[TrainedMember] = []
    if len(members) == len(plan.specs):
        progress.advance(plan.positions)
    else:
        from testbed.training.trainer import train

        n_steps, seen = plan.specs[0].optimiser.steps, 0

        def observe(step: int) -> None:
            nonlocal seen
            progress.advance(plan.positions * (step - seen) / n_steps)
            seen = step

        try:
            trained = train(list(plan.specs), device, observe)
        except Exception as error:  # one ensemble's failure is recorded, the others go on
            records = [_failure(study, cell, error, device) for cell in cells]
            with store.transaction():
                store.save_records(records)
            outcome.failed += [_reason(error)] * len(cells)
            return
        members = {member.spec.training_key: member for member in trained}
    _measure_and_store(study, cells, members, trained, store, device, outcome)


def _measure_and_store(
    study: RunnableStudy,
    cells: list[Cell],
    members: Mapping[str, TrainedMember],
    trained: list[TrainedMember],
    store: Store,
    device: str,
    outcome: Outcome,
) -> None:
    started = time.perf_counter()
    context = MeasureContext(device)
    try:
        found = _by_key(cells, study.measure(cells, members, context))
    except Exception:  # find the cell at fault: it is recorded as failed and runs again next time
        found = {}
        for cell in cells:
            try:
                found |= _by_key([cell], study.measure([cell], members, context))
            except Exception as error:
                found[cell.key] = _failure(study, cell, error, device)
                outcome.failed.append(_reason(error))
    seconds = (time.perf_counter() - started) / max(len(cells), 1)
    records = [_stamped(found[cell.key], cell, members, seconds, device) for cell in cells]
    with uninterrupted(), store.transaction():
        if trained:
            store.save_members(trained)
        store.save_records(records)
    outcome.ran += sum(record.status != "failed" for record in records)


def _by_key(cells: list[Cell], records: Iterator[Record]) -> dict[str, Record]:
    found = {record.key: record for record in records}
    if found.keys() != {cell.key for cell in cells}:
        raise ValueError(f"measure gave {len(found)} records for {len(cells)} cells; it must give one for each")
    return found


def _stamped(record: Record, cell: Cell, members: Mapping[str, TrainedMember], seconds: float, device: str) -> Record:
    member = None if cell.training is None else members.get(cell.training.training_key)
    fingerprint = None if cell.training is None else cell.training.source.fingerprint
    total = seconds + (0.0 if member is None else member.seconds)
    stamp = provenance(device, total, fingerprint) | record.provenance
    return Record(record.key, record.study, record.cell, record.status, record.metrics, record.arrays, stamp)


def _failure(study: RunnableStudy, cell: Cell, error: Exception, device: str) -> Record:
    stamp = {**provenance(device, 0.0), "traceback": traceback.format_exc()}
    return Record(cell.key, study.type_name, cell.resolved(), "failed", {"error": _reason(error)}, {}, stamp)


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold Ctrl-C back for the moment of a transaction, so that it is either whole or absent, then deliver it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    caught: list[Any] = []
    previous = signal.signal(signal.SIGINT, lambda *received: caught.append(received))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
        if caught:
            raise KeyboardInterrupt
