"""The cells of the study: the tuning of each arm's learning rate first, then its members."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from testbed.runs import Cell, Record
from testbed.studies.predictive_surplus.config import ROLES, Probe, Role
from testbed.studies.tuning import TUNING_OFFSET, least_scored, mean_metric
from testbed.training import DataConfig, TrainingSpec

if TYPE_CHECKING:
    from testbed.studies.predictive_surplus.study import PredictiveSurplus


def all_cells(study: "PredictiveSurplus", finished: Mapping[str, Record]) -> Iterator[Cell]:
    """Every cell that can be named."""
    for role in ROLES:
        rate, tuning = tuned(study, role, finished)
        yield from tuning
        if rate is not None:
            for seed in study.seeds:
                yield member_cell(study, role, seed, rate)


def member_cell(study: "PredictiveSurplus", role: Role, seed: int, rate: float, tuning: bool = False) -> Cell:
    """One member: windows of T tokens, scored at every position."""
    arm, length = study.arm(role), study.context_length
    spec = TrainingSpec(
        source=arm.source,
        context_length=length,
        data=DataConfig(max_context=length, targets_per_step=study.windows_per_step, seed=seed),
        model=study.model,
        optimiser=study.optimiser.replace(learning_rate=rate, steps=arm.steps),
        evaluation=study.evaluation,
        loss="all",
        initial_seed=seed,
    )
    probe = Probe(
        kind="tuning" if tuning else "member",
        role=role,
        seed=seed,
        learning_rate=rate,
        reading=None if tuning else study.reading,
    )
    return Cell(study.type_name, study.version, probe, spec)


def tuned(study: "PredictiveSurplus", role: Role, finished: Mapping[str, Record]) -> tuple[float | None, list[Cell]]:
    """The rate of least mean held-out loss, None before it is known, the smaller of equal ones; and its cells."""
    seeds = range(TUNING_OFFSET, TUNING_OFFSET + study.tuning_seeds)

    def trial(rate: float) -> list[Cell]:
        return [member_cell(study, role, seed, rate, tuning=True) for seed in seeds]

    return least_scored(study.arm(role).learning_rates, trial, mean_metric("heldout"), finished)
