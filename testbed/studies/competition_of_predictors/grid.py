"""The cells of the study: Bayes laws and the tuning first, members of every N once the rate is chosen."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from testbed.runs import Cell, Record
from testbed.sources.in_context import DirichletMarkovSource, MarkovMixtureSource
from testbed.sources.source import Source
from testbed.studies.competition_of_predictors.config import CONTINUUM, Probe, Task
from testbed.training import DataConfig, TrainingSpec

if TYPE_CHECKING:
    from testbed.studies.competition_of_predictors.study import CompetitionOfPredictors


def family_of(task: Task, chains: int, seed: int) -> MarkovMixtureSource:
    """N chains of a replicate; the smaller families are among the larger ones."""
    return MarkovMixtureSource(
        vocab_size=task.vocab_size, order=1, n_chains=chains, concentration=task.concentration, seed=seed
    )


def continuum_of(task: Task) -> DirichletMarkovSource:
    """A chain of its own for every sequence."""
    return DirichletMarkovSource(vocab_size=task.vocab_size, order=1, concentration=task.concentration)


def source_of(task: Task, chains: int, seed: int) -> Source:
    """What a member of N chains is trained on."""
    return continuum_of(task) if chains == CONTINUUM else family_of(task, chains, seed)


def member_cell(study: "CompetitionOfPredictors", chains: int, seed: int, rate: float, tuning: bool = False) -> Cell:
    """One member on an endless stream; members of a replicate share first weights."""
    task = study.task
    spec = TrainingSpec(
        source=source_of(task, chains, seed),
        context_length=task.length - 1,
        data=DataConfig(
            max_context=task.length - 1, batch="sequences", targets_per_step=study.sequences_per_step, seed=seed
        ),
        model=study.model,
        optimiser=study.optimiser.replace(
            learning_rate=rate, steps=study.tuning_steps if tuning else study.optimiser.steps
        ),
        evaluation=study.evaluation.replace(keep_weights=not tuning),
        initial_seed=seed,
    )
    probe = Probe(
        kind="tuning" if tuning else "member",
        chains=chains,
        seed=seed,
        learning_rate=rate,
        task=None if tuning else task,
        reading=None if tuning else study.reading,
    )
    return Cell(study.type_name, study.version, probe, spec)


def tuned(study: "CompetitionOfPredictors", finished: Mapping[str, Record]) -> tuple[float | None, list[Cell]]:
    """The rate of least mean excess over the family between and the continuum, one rate for all N, so that their steps
    compare; None before it is known."""
    arms = (study.task.between, CONTINUUM)
    trials = [
        [member_cell(study, chains, seed, rate, tuning=True) for chains in arms for seed in study.tuning.seeds]
        for rate in study.tuning.learning_rates
    ]
    cells = [cell for trial in trials for cell in trial]
    if any(cell.key not in finished for cell in cells):
        return None, cells
    excess = [[_excess(finished[cell.key]) for cell in trial] for trial in trials]
    return study.tuning.chosen(excess), cells


def _excess(record: Record) -> float:
    return float(record.metrics["excess"]) if record.status == "done" else np.inf  # type: ignore[arg-type]


def all_cells(study: "CompetitionOfPredictors", finished: Mapping[str, Record]) -> list[Cell]:
    """Every cell that can be named."""
    found = [
        Cell(
            study.type_name,
            study.version,
            Probe(
                kind="limit", chains=study.reading.limit_chains[-1], seed=seed, task=study.task, reading=study.reading
            ),
        )
        for seed in study.seeds
    ]
    rate, tuning = tuned(study, finished)
    found += tuning
    if rate is not None:
        found += [member_cell(study, chains, seed, rate) for seed in study.seeds for chains in study.task.arms]
    return found
