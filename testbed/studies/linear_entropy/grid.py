"""The cells of the study: exact sources and the tuning first; members once their rate is tuned."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from testbed.runs import Cell, Record
from testbed.studies.linear_entropy.config import Arm, Probe
from testbed.studies.tuning import least_scored, mean_metric
from testbed.training import DataConfig, TrainingSpec

if TYPE_CHECKING:
    from testbed.studies.linear_entropy.study import LinearEntropy

TUNING_OFFSET = 1_000_000
"""Seeds from this number on are seen by the tuning alone."""


def all_cells(study: "LinearEntropy", finished: Mapping[str, Record]) -> Iterator[Cell]:
    """Every cell that can be named."""
    for one in study.exact:
        yield Cell(study.type_name, study.version, Probe(kind="exact", name=one.name, exact=one))
    for arm in study.arms:
        rate, tuning = tuned(study, arm, finished)
        yield from tuning
        if rate is not None:
            for seed in study.seeds:
                yield member_cell(study, arm, seed, rate)


def member_cell(study: "LinearEntropy", arm: Arm, seed: int, rate: float, tuning: bool = False) -> Cell:
    """One member: windows of all tokens, scored at every position."""
    longest = max(*arm.lengths, arm.probed)
    spec = TrainingSpec(
        source=arm.source,
        context_length=longest,
        data=DataConfig(max_context=longest, targets_per_step=study.windows_per_step, seed=seed),
        model=study.model,
        optimiser=study.optimiser.replace(learning_rate=rate),
        evaluation=study.evaluation,
        loss="all",
        initial_seed=seed,
    )
    probe = Probe(
        kind="tuning" if tuning else "member",
        name=arm.name,
        seed=seed,
        learning_rate=rate,
        arm=None if tuning else arm,
        estimators=None if tuning else study.estimators,
    )
    return Cell(study.type_name, study.version, probe, spec)


def tuned(study: "LinearEntropy", arm: Arm, finished: Mapping[str, Record]) -> tuple[float | None, list[Cell]]:
    """The rate of least mean held-out loss, None before it is known, the smaller of equal ones; and its cells."""
    seeds = range(TUNING_OFFSET, TUNING_OFFSET + study.tuning.n_seeds)

    def trial(rate: float) -> list[Cell]:
        return [member_cell(study, arm, seed, rate, tuning=True) for seed in seeds]

    return least_scored(study.tuning.learning_rates, trial, mean_metric("heldout"), finished)
