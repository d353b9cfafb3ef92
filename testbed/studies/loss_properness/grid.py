"""The cells of the study: the tuning of each loss's rate first, then the members."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from testbed.runs import Cell, Record
from testbed.studies.loss_properness.config import KINDS, Arm, Kind, Probe
from testbed.training import DataConfig, OptimiserConfig, TrainingSpec

if TYPE_CHECKING:
    from testbed.studies.loss_properness.study import LossProperness


def member_cell(study: "LossProperness", arm: Arm, kind: Kind, seed: int, rate: float, tuning: bool = False) -> Cell:
    """One member. All losses of a replicate have the same source, data, order and first weights (paired)."""
    length, training = study.design.context_length, study.training
    spec = TrainingSpec(
        source=study.design.source(kind, seed),
        context_length=length,
        data=DataConfig(max_context=length, targets_per_step=training.targets_per_step, seed=seed),
        model=study.model,
        optimiser=OptimiserConfig(learning_rate=rate, steps=training.steps, warmup_steps=training.warmup_steps),
        evaluation=study.evaluation,
        objective=arm.objective,
        initial_seed=seed,
    )
    probe = Probe(kind="tuning" if tuning else "member", arm=arm.name, source=kind, seed=seed, learning_rate=rate)
    return Cell(study.type_name, study.version, probe, spec)


def tuned(study: "LossProperness", arm: Arm, finished: Mapping[str, Record]) -> tuple[float | None, list[Cell]]:
    """The rate at which the loss's own mean gradient is least at the end, on the Markov chain; None before it is known.

    The gradient is that of the loss at the trained laws, as a share of that at the uniform law. How far a model is from
    the Bayes law or from the predicted one is not looked at.
    """
    rows, cells = [], []
    for rate in study.tuning.learning_rates:
        trial = [member_cell(study, arm, "markov", seed, rate, tuning=True) for seed in study.tuning.seeds]
        cells += trial
        rows.append([finished.get(cell.key) for cell in trial])
    if any(one is None for row in rows for one in row):
        return None, cells
    scores = [[_residual(one) for one in row if one is not None] for row in rows]
    return study.tuning.chosen(scores), cells


def _residual(record: Record) -> float:
    return float(record.metrics["residual"]) if record.status == "done" else float("inf")  # type: ignore[arg-type]


def all_cells(study: "LossProperness", finished: Mapping[str, Record]) -> Iterator[Cell]:
    """Every cell that can be named: members once their loss's rate is chosen."""
    for arm in study.arms:
        rate, tuning = tuned(study, arm, finished)
        yield from tuning
        if rate is not None:
            for kind in KINDS:
                for seed in study.seeds:
                    yield member_cell(study, arm, kind, seed, rate)
