"""The cells: what needs no model, then rates, then members, each once its rate is chosen."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from testbed.runs import Cell, Record
from testbed.studies.linear_attention_entropy.config import Arm, Probe
from testbed.studies.tuning import least_scored, mean_metric
from testbed.training import DataConfig, TrainingSpec

if TYPE_CHECKING:
    from testbed.studies.linear_attention_entropy.study import LinearAttentionEntropy


def member_cell(
    study: "LinearAttentionEntropy", task: str, arm: Arm, seed: int, rate: float, judged: bool = True
) -> Cell:
    """One model. All arms of a replicate have the same sequences; first weights too, up to what arms add (paired)."""
    design, training = study.design, study.training
    length = design.length(task)
    spec = TrainingSpec(
        source=design.source(task),
        context_length=length - 1,
        data=DataConfig(
            max_context=length - 1, batch="sequences", targets_per_step=training.sequences_per_step, seed=seed
        ),
        model=study.model.replace(depth=design.depth(task), methods=design.methods(task, arm)),
        optimiser=study.optimiser.replace(
            learning_rate=rate, steps=training.steps(task), warmup_steps=training.warmup_steps
        ),
        evaluation=study.evaluation,
        initial_seed=seed,
    )
    probe = Probe(
        kind="member" if judged else "rate",
        task=task,
        arm=arm,
        seed=seed,
        learning_rate=rate,
        design=design if judged else None,
        reading=study.reading if judged else None,
    )
    return Cell(study.type_name, study.version, probe, spec)


def rate_of(
    study: "LinearAttentionEntropy", task: str, arm: Arm, finished: Mapping[str, Record]
) -> tuple[float | None, list[Cell]]:
    """The arm's rate on a task, None before it is known, and the cells that decide it."""
    where = study.design.tuned_on(task)
    tuning = study.rates.tuning(where)

    def trial(rate: float) -> list[Cell]:
        return [member_cell(study, where, arm, seed, rate, judged=False) for seed in tuning.seeds]

    return least_scored(tuning.learning_rates, trial, mean_metric("excess"), finished, tuning.tie)


def all_cells(study: "LinearAttentionEntropy", finished: Mapping[str, Record]) -> Iterator[Cell]:
    """Every cell that can be named."""
    design = study.design
    for seed in study.seeds:
        probe = Probe(kind="untrained", seed=seed, design=design, reading=study.reading)
        yield Cell(study.type_name, study.version, probe)
    named: set[str] = set()
    for task in design.tasks:
        for arm in design.arms(task):
            rate, cells = rate_of(study, task, arm, finished)
            for cell in cells:
                if cell.key not in named:
                    named.add(cell.key)
                    yield cell
            if rate is not None:
                for seed in study.seeds:
                    yield member_cell(study, task, arm, seed, rate)
