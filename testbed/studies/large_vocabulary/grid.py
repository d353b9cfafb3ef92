"""The cells of the study: flows of logits, curves on exact laws, transformers once their loss's rate is chosen."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from testbed.runs import Cell, Record
from testbed.studies.large_vocabulary.config import (
    ARMS,
    ROLES,
    Arm,
    ExtraProbe,
    FlowProbe,
    NetworkProbe,
    Role,
    SourceName,
)
from testbed.studies.tuning import least_scored, mean_metric
from testbed.training import DataConfig, OptimiserConfig, TrainingSpec

if TYPE_CHECKING:
    from testbed.studies.large_vocabulary.study import LargeVocabulary


def flow_cell(study: "LargeVocabulary", role: Role, seed: int | None) -> Cell:
    """Logits alone on the law of a role."""
    probe = FlowProbe(role=role, law=study.law(role), seed=seed, settings=study.flow_of(role))
    return Cell(study.type_name, study.version, probe)


def extra_cell(study: "LargeVocabulary") -> Cell:
    """Curves on exact laws."""
    probe = ExtraProbe(law=study.large, settings=study.flow_of("large"), extras=study.extras)
    return Cell(study.type_name, study.version, probe)


def member_cell(
    study: "LargeVocabulary", source: SourceName, arm: Arm, seed: int, rate: float, tuning: bool = False
) -> Cell:
    """A transformer. All losses of a replicate have the same source, data, order and first weights (paired)."""
    network = study.network
    spec = TrainingSpec(
        source=network.source(source, seed),
        context_length=1,
        data=DataConfig(max_context=1, targets_per_step=network.targets_per_step, seed=seed),
        model=study.model,
        # Not clipped: a filtered gradient is not as long as a whole one, and would be cut differently.
        optimiser=OptimiserConfig(
            learning_rate=rate, steps=network.steps, warmup_steps=network.warmup_steps, clip=None
        ),
        evaluation=study.evaluation,
        objective=network.loss(source, arm),
        initial_seed=seed,
    )
    probe = NetworkProbe(kind="tuning" if tuning else "member", source=source, arm=arm, seed=seed, learning_rate=rate)
    return Cell(study.type_name, study.version, probe, spec)


def tuned(
    study: "LargeVocabulary", source: SourceName, arm: Arm, finished: Mapping[str, Record]
) -> tuple[float | None, list[Cell]]:
    """The rate of least excess over replicates that nothing else sees, one rule for every loss; None before it is
    known."""

    def cells_at(rate: float) -> list[Cell]:
        return [member_cell(study, source, arm, seed, rate, tuning=True) for seed in study.tuning.seeds]

    rates = study.tuning.learning_rates
    return least_scored(rates, cells_at, mean_metric("excess"), finished, study.tuning.tie)


def all_cells(study: "LargeVocabulary", finished: Mapping[str, Record]) -> Iterator[Cell]:
    """Every cell that can be named: transformers once their loss's rate is chosen."""
    yield extra_cell(study)
    for role in ROLES:
        yield flow_cell(study, role, None)
        for seed in study.seeds:
            yield flow_cell(study, role, seed)
    for source, arms in ARMS.items():
        for arm in arms:
            rate, tuning = tuned(study, source, arm, finished)
            yield from tuning
            if rate is not None:
                for seed in study.seeds:
                    yield member_cell(study, source, arm, seed, rate)
