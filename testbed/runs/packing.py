"""Pack distinct trainings into ensembles: a pure function of the full list of cells.

A rerun forms the same ensembles whatever is already done, so that a member is always trained in the same company.
"""

from dataclasses import dataclass

from testbed.core import sha256_of
from testbed.runs.cell import Cell
from testbed.training import Shape, TrainingSpec

MAX_MEMBERS = 64


@dataclass(frozen=True)
class Plan:
    """One ensemble: specs of one shape."""

    specs: tuple[TrainingSpec, ...]

    @property
    def key(self) -> str:
        return sha256_of([spec.training_key for spec in self.specs])

    @property
    def positions(self) -> int:
        return sum(training_positions(spec) for spec in self.specs)


POSITIONS_OF_OVERHEAD = 100
"""What a step costs a member besides its positions (kernel launches, optimiser, evaluations), in positions."""


def training_positions(spec: TrainingSpec) -> int:
    """What training this member costs, in positions: steps x (windows x (l + 1) + overhead)."""
    length, data = spec.context_length, spec.data
    if data.batch != "distinct":
        windows = data.targets_per_step
    else:
        windows = spec.source.count_contexts(length)
        windows = windows if data.n_targets is None else min(windows, data.n_targets)
    return spec.optimiser.steps * (windows * (length + 1) + POSITIONS_OF_OVERHEAD)


def pack(cells: list[Cell], positions_per_ensemble: int) -> list[Plan]:
    """Each distinct training once, in ensembles of one shape, at most 64 members and about this many positions each.

    Members are sorted by context length, so that those of one length share their batched products; what a kill can
    lose is one ensemble, hence the bound on positions.
    """
    distinct: dict[str, TrainingSpec] = {}
    for cell in cells:
        if cell.training is not None:
            distinct.setdefault(cell.training.training_key, cell.training)
    groups: dict[Shape, list[TrainingSpec]] = {}
    for spec in distinct.values():
        groups.setdefault(Shape.of(spec), []).append(spec)
    plans = []
    for group in groups.values():
        group.sort(key=lambda spec: spec.context_length)  # stable: the study's order within a length
        current: list[TrainingSpec] = []
        positions = 0
        for spec in group:
            cost = training_positions(spec)
            if current and (len(current) == MAX_MEMBERS or positions + cost > positions_per_ensemble):
                plans.append(Plan(tuple(current)))
                current, positions = [], 0
            current.append(spec)
            positions += cost
        plans.append(Plan(tuple(current)))
    return plans
