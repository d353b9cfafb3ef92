"""The runner: collects the distinct trainings of a study's cells, trains each once, has the study measure, stores.

It alone trains. A study may name further cells once it has seen the first records (a learning rate chosen on tuning
cells, say); the runner asks again until nothing new is named. Where the work is done is the executor's affair; the
driver alone writes the store, one transaction a unit.
"""

import shutil
import signal
import threading
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from testbed.core import TestbedError
from testbed.runs.cell import Cell
from testbed.runs.packing import Plan, pack
from testbed.runs.progress import Progress
from testbed.runs.record import FINISHED, Record
from testbed.runs.store import Store
from testbed.runs.work import Done, MeasuringStudy, Observer, Unit, execute

CELLS_PER_TRANSACTION = 64
CHECKPOINTS = "checkpoints"
"""Folder of a results folder in which trainings that are under way leave their state."""


class TimeLimitReached(TestbedError):
    """The run stopped cleanly at its time limit; started again, it goes on from there."""


class RunnableStudy(MeasuringStudy, Protocol):
    """What the runner asks of a study."""

    @property
    def positions_per_ensemble(self) -> int: ...

    def cells(self, finished: Mapping[str, Record]) -> list[Cell]: ...


class Executor(Protocol):
    """Where units are executed: in this process, or in others."""

    def run(
        self, study: RunnableStudy, units: Iterator[Unit], device: str, observe: Observer, checkpoints: Path
    ) -> Iterator[tuple[Unit, Done]]:
        """What each unit gave, in any order. Takes the next unit only when it can begin it at once.

        checkpoints   where long trainings leave their state, if the place of work can reach the results folder
        """
        ...


class InProcess:
    """One unit after the other, here."""

    def run(
        self, study: RunnableStudy, units: Iterator[Unit], device: str, observe: Observer, checkpoints: Path
    ) -> Iterator[tuple[Unit, Done]]:
        for unit in units:
            yield unit, execute(study, unit, device, observe, checkpoints)


@dataclass
class Outcome:
    """What a run did: numbers of cells."""

    ran: int = 0
    skipped: int = 0
    failed: list[str] = field(default_factory=list)


def run(
    study: RunnableStudy,
    store: Store,
    device: str = "cpu",
    time_limit: float | None = None,
    label: str = "",
    executor: Executor | None = None,
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
        stage = _Stage(study, cells, plans, store, deadline)
        outcome.skipped += len(cells) - stage.n_todo
        stage.run(executor or InProcess(), device, label or study.type_name, outcome)


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


class _Stage:
    """The cells that can be named at one time, as units of work."""

    def __init__(
        self, study: RunnableStudy, cells: list[Cell], plans: list[Plan], store: Store, deadline: float | None
    ) -> None:
        self.study, self.store, self.deadline, self.out_of_time = study, store, deadline, False
        finished = store.finished_keys()
        todo = [cell for cell in cells if cell.key not in finished]
        self.n_todo = len(todo)
        by_training: dict[str, list[Cell]] = {}
        for cell in todo:
            if cell.training is not None:
                by_training.setdefault(cell.training.training_key, []).append(cell)
        self.plain = [cell for cell in todo if cell.training is None]
        self.work = [(plan, [c for s in plan.specs for c in by_training.get(s.training_key, [])]) for plan in plans]
        self.checkpoints = store.folder / CHECKPOINTS
        for plan, mine in self.work:
            if not mine:  # a kill came between the transaction and this
                self._forget(plan)

    def run(self, executor: Executor, device: str, label: str, outcome: Outcome) -> None:
        total = len(self.plain) + sum(plan.positions for plan, _ in self.work)
        progress = Progress(label, total, done=sum(plan.positions for plan, mine in self.work if not mine))
        results = executor.run(self.study, self.units(), device, progress.advance, self.checkpoints)
        try:
            for unit, done in results:
                with uninterrupted(), self.store.transaction():
                    if done.trained:
                        self.store.save_members(done.trained)
                    self.store.save_records(done.records)
                if unit.plan is not None and (done.trained or len(unit.members) == len(unit.plan.specs)):
                    self._forget(unit.plan)
                outcome.failed += done.failed
                outcome.ran += sum(record.status != "failed" for record in done.records)
        finally:
            if isinstance(results, Generator):
                results.close()
            progress.close()
        if self.out_of_time:
            raise TimeLimitReached("stopped at the time limit; the same command goes on from here")

    def _forget(self, plan: Plan) -> None:
        """The state that a training left while it ran; its members are stored now."""
        if (folder := self.checkpoints / plan.key).is_dir():
            shutil.rmtree(folder)

    def units(self) -> Iterator[Unit]:
        """What is to be done, until the time is up; members trained before come along."""
        for unit in self._all_units():
            if self.deadline is not None and time.monotonic() > self.deadline:
                self.out_of_time = True
                return
            yield unit

    def _all_units(self) -> Iterator[Unit]:
        for start in range(0, len(self.plain), CELLS_PER_TRANSACTION):
            yield Unit(tuple(self.plain[start : start + CELLS_PER_TRANSACTION]))
        for plan, mine in self.work:
            if mine:
                yield Unit(tuple(mine), plan, self.store.load_members(plan.specs))


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
