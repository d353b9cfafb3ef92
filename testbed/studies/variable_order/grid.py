"""The cells of the study: learners without a network and the tuning first, members once their arm's rate is tuned."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from testbed.runs import Cell, Record
from testbed.studies.tuning import least_scored, mean_metric
from testbed.studies.variable_order.config import RIVAL_SEED, Arm, Probe, source_of
from testbed.training import DataConfig, TrainingSpec

if TYPE_CHECKING:
    from testbed.studies.variable_order.study import VariableOrder


def all_cells(study: "VariableOrder", finished: Mapping[str, Record]) -> list[Cell]:
    """Every cell that can be named."""
    probes = [Probe(kind="learners", seed=RIVAL_SEED, task=study.task, rivals=study.rivals)]
    probes += [
        Probe(kind="blends", seed=seed, task=study.task, rivals=study.rivals, reading=study.reading)
        for seed in study.seeds
    ]
    found = [Cell(study.type_name, study.version, probe) for probe in probes]
    for arm in study.arms:
        rate, tuning = tuned(study, arm, finished)
        found += tuning
        if rate is not None:
            found += [member_cell(study, arm, seed, rate) for seed in study.seeds]
    return found


def tuned(study: "VariableOrder", arm: Arm, finished: Mapping[str, Record]) -> tuple[float | None, list[Cell]]:
    """The rate of an arm, None before it is known, and the cells that decide it: whole trainings of half as many steps.
    Full trees are learnt at the rate of the same model on random ones."""
    if arm.kind == "full":
        return tuned(study, Arm(arm.layers), finished)[0], []
    return least_scored(
        study.rates.learning_rates,
        lambda rate: [member_cell(study, arm, seed, rate, tuning=True) for seed in study.rates.seeds],
        mean_metric("excess"),
        finished,
        study.rates.tie,
    )


def steps_of(study: "VariableOrder", arm: Arm) -> int:
    """Optimiser steps of a member that is judged."""
    return study.full_steps if arm.kind == "full" else study.optimiser.steps


def member_cell(study: "VariableOrder", arm: Arm, seed: int, rate: float, tuning: bool = False) -> Cell:
    """One model on an endless stream."""
    task = study.task
    steps = max(1, steps_of(study, arm) // (2 if tuning else 1))
    spec = TrainingSpec(
        source=source_of(task, arm),
        context_length=task.length - 1,
        data=DataConfig(
            max_context=task.length - 1, batch="sequences", targets_per_step=study.sequences_per_step, seed=seed
        ),
        model=study.model.replace(depth=arm.layers, **({"mlp_ratio": 0} if arm.kind == "bare" else {})),
        optimiser=study.optimiser.replace(learning_rate=rate, steps=steps),
        evaluation=study.evaluation.replace(**({"path_points": 1} if tuning else {})),
        initial_seed=seed,
    )
    probe = Probe(
        kind="tuning" if tuning else "member",
        arm=arm.name,
        seed=seed,
        rate=rate,
        task=None if tuning else task,
        rivals=None if tuning else study.rivals,
        reading=None if tuning else study.reading,
    )
    return Cell(study.type_name, study.version, probe, spec)
