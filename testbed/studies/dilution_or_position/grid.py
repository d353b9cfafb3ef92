"""The cells of the study: learning rates first, then each trained member at every length under every change."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from testbed.core import Config
from testbed.methods import AnyMethod
from testbed.runs import Cell, Record
from testbed.studies.dilution_or_position.config import NONE, Arm, Task
from testbed.training import DataConfig, TrainingSpec

if TYPE_CHECKING:
    from testbed.studies.dilution_or_position.study import DilutionOrPosition


class Probe(Config):
    """A trained member under these methods, at the four corners of this length."""

    kind: Literal["member", "tuning"] = Field(description="judged, or seen by the choice of the learning rate alone")
    task: str = Field(description="name of the task")
    arm: str = Field(description="name of the arm")
    change: str = Field(NONE, description="name of the change at test time")
    seed: int = Field(ge=0, description="replicate: seed of the initial weights and of all tokens")
    learning_rate: float = Field(description="peak learning rate")
    ratio: int = Field(1, ge=1, description="n / m")
    length: int = Field(ge=2, description="n, tokens of a sequence")
    methods: tuple[AnyMethod, ...] = Field(description="attention methods at test time")
    n_sequences: int = Field(description="fresh sequences")


def training_spec(study: "DilutionOrPosition", task: Task, arm: Arm, seed: int, learning_rate: float) -> TrainingSpec:
    """One member: whole sequences of m tokens, scored where the source judges."""
    depth = study.model.depth if arm.depth is None else arm.depth
    return TrainingSpec(
        source=task.source,
        context_length=task.train_length - 1,
        data=DataConfig(
            batch="sequences",
            max_context=task.train_length - 1,
            targets_per_step=task.sequences_per_step,
            seed=seed,
        ),
        model=study.model.replace(methods=arm.methods, depth=depth),
        optimiser=study.optimiser.replace(
            steps=task.steps if arm.steps is None else arm.steps, learning_rate=learning_rate
        ),
        evaluation=study.evaluation,
        initial_seed=seed,
    )


def changes_of(study: "DilutionOrPosition", arm: Arm) -> Iterator[tuple[str, tuple[AnyMethod, ...]]]:
    """Every change of an arm by name, with all methods that the model then has."""
    yield NONE, arm.methods
    for change in study.changes:
        if arm.name in change.arms:
            yield change.name, change.on(arm.methods)


def tuned_learning_rate(
    study: "DilutionOrPosition", task: Task, arm: Arm, finished: Mapping[str, Record]
) -> tuple[float | None, list[Cell]]:
    """The rate that the tuning chooses, None before it is known; and its cells. Every arm is tuned alike, and the two
    that `begin` compares as one: by the mean over both."""
    together = study.tuned_together(task, arm)
    grid = [
        [_tuning_cell(study, task, one, rate, seed) for one in together for seed in study.tuning.seeds]
        for rate in study.tuning.learning_rates
    ]
    cells = [cell for row in grid for cell in row]
    if any(cell.key not in finished for cell in cells):
        return None, cells
    found = [[finished[cell.key] for cell in row] for row in grid]
    excess = [[float(one.metrics["base"]) if one.status == "done" else np.inf for one in row] for row in found]  # type: ignore[arg-type]
    return study.tuning.chosen(excess), cells


def _tuning_cell(study: "DilutionOrPosition", task: Task, arm: Arm, rate: float, seed: int) -> Cell:
    probe = Probe(
        kind="tuning",
        task=task.name,
        arm=arm.name,
        seed=seed,
        learning_rate=rate,
        length=task.train_length,
        methods=arm.methods,
        n_sequences=task.n_sequences,
    )
    return Cell(study.type_name, study.version, probe, training_spec(study, task, arm, seed, rate))


def member_cells(study: "DilutionOrPosition", task: Task, arm: Arm, rate: float) -> Iterator[Cell]:
    """Each replicate under every change, at every length; a member's cells stand together."""
    for seed in study.seeds:
        spec = training_spec(study, task, arm, seed, rate)
        for ratio in study.ratios:
            for name, methods in changes_of(study, arm):
                probe = Probe(
                    kind="member",
                    task=task.name,
                    arm=arm.name,
                    change=name,
                    seed=seed,
                    learning_rate=rate,
                    ratio=ratio,
                    length=ratio * task.train_length,
                    methods=methods,
                    n_sequences=task.n_sequences,
                )
                yield Cell(study.type_name, study.version, probe, spec)
