"""Cells, packing, the store, the runner. Importing this does not import torch."""

from testbed.runs.cell import Cell
from testbed.runs.packing import Plan, pack, training_positions
from testbed.runs.record import FINISHED, Record
from testbed.runs.runner import Executor, InProcess, Outcome, TimeLimitReached, finished_records, run, survey
from testbed.runs.store import Store
from testbed.runs.work import MeasureContext

__all__ = [
    "FINISHED",
    "Cell",
    "Executor",
    "InProcess",
    "MeasureContext",
    "Outcome",
    "Plan",
    "Record",
    "Store",
    "TimeLimitReached",
    "finished_records",
    "pack",
    "run",
    "survey",
    "training_positions",
]
