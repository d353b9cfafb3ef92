"""The cells of the study: the tuning of each arm's learning rate first, then its members."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from testbed.runs import Cell, Record
from testbed.studies.belief_geometry.config import Arm, Probe
from testbed.studies.tuning import TUNING_OFFSET, least_scored, mean_metric
from testbed.training import DataConfig, TrainingSpec

if TYPE_CHECKING:
    from testbed.studies.belief_geometry.study import BeliefGeometry


def all_cells(study: "BeliefGeometry", finished: Mapping[str, Record]) -> Iterator[Cell]:
    """Every cell that can be named."""
    for arm in study.arms:
        rate, tuning = tuned(study, arm, finished)
        yield from tuning
        if rate is not None:
            for seed in study.seeds:
                yield member_cell(study, arm, seed, rate)


def member_cell(study: "BeliefGeometry", arm: Arm, seed: int, rate: float, tuning: bool = False) -> Cell:
    """One member: windows of T tokens, scored at every position."""
    spec = TrainingSpec(
        source=arm.source,
        context_length=study.context_length,
        data=DataConfig(max_context=study.context_length, targets_per_step=study.windows_per_step, seed=seed),
        model=study.model,
        optimiser=study.optimiser.replace(learning_rate=rate, steps=arm.steps),
        evaluation=study.evaluation,
        loss="all",
        initial_seed=seed,
    )
    probe = Probe(
        kind="tuning" if tuning else "member",
        name=arm.name,
        seed=seed,
        learning_rate=rate,
        reading=None if tuning else study.reading,
    )
    return Cell(study.type_name, study.version, probe, spec)


def tuned(study: "BeliefGeometry", arm: Arm, finished: Mapping[str, Record]) -> tuple[float | None, list[Cell]]:
    """The rate of least mean held-out loss, None before it is known, the smaller of equal ones; and its cells."""
    seeds = range(TUNING_OFFSET, TUNING_OFFSET + study.tuning_seeds)

    def trial(rate: float) -> list[Cell]:
        return [member_cell(study, arm, seed, rate, tuning=True) for seed in seeds]

    return least_scored(arm.learning_rates, trial, mean_metric("heldout"), finished)
