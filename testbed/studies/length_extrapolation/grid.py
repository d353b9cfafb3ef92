"""The cells of the study: exact controls, and for each trained member every change at test time at every length."""

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from pydantic import Field

from testbed.core import Config
from testbed.methods import AnyMethod
from testbed.runs import Cell
from testbed.sources import AnySource
from testbed.studies.length_extrapolation.config import MULTIPLIERS, NONE, Arm, Change, Task
from testbed.training import DataConfig, TrainingSpec

if TYPE_CHECKING:
    from testbed.studies.length_extrapolation.study import LengthExtrapolation


class MemberProbe(Config):
    """A trained member under these methods, at this length."""

    task: str = Field(description="name of the task")
    arm: str = Field(description="name of the arm")
    change: str = Field(description="name of the change at test time")
    seed: int = Field(ge=0, description="replicate: seed of the initial weights and of all tokens")
    ratio: int = Field(ge=1, description="n / m")
    length: int = Field(ge=2, description="n, tokens of a sequence")
    methods: tuple[AnyMethod, ...] = Field(description="attention methods at test time")
    n_sequences: int = Field(description="fresh sequences")
    max_judged: int = Field(description="judged positions looked at in each half of a sequence, at most")
    heads: bool = Field(False, description="measure the attention of every head too")


class OracleProbe(Config):
    """What multipliers of the logits cost attention that is exact without them."""

    task: str = Field(description="name of the task")
    source: AnySource = Field(description="law of the tokens")
    train_length: int = Field(description="m")
    head_dim: int = Field(description="head dimension that the multipliers are computed for")
    length: int = Field(description="n")
    ratio: int = Field(description="n / m")
    names: tuple[str, ...] = Field(description="names of the scaling methods")
    methods: tuple[AnyMethod, ...] = Field(description="the scaling methods")
    n_sequences: int = Field(description="sequences in the mean")


def training_spec(study: "LengthExtrapolation", task: Task, arm: Arm, seed: int) -> TrainingSpec:
    """One member: whole sequences of m tokens, scored where the source judges."""
    return TrainingSpec(
        source=task.source,
        context_length=task.train_length - 1,
        data=DataConfig(
            batch="sequences",
            max_context=task.train_length - 1,
            targets_per_step=task.sequences_per_step,
            seed=seed,
        ),
        model=study.model.replace(methods=arm.methods),
        optimiser=study.optimiser.replace(steps=task.steps, learning_rate=task.rate_of(arm.name)),
        evaluation=study.evaluation,
        initial_seed=seed,
    )


def changes_of(study: "LengthExtrapolation", task: Task, arm: Arm) -> Iterator[tuple[str, tuple[AnyMethod, ...]]]:
    """Every change of an arm by name, with all methods that the model then has."""
    yield NONE, arm.methods
    for change in study.changes:
        if change.applies_to(task, arm):
            yield change.name, change.on(arm.methods, task.train_length)


@lru_cache(maxsize=4)  # asked for several times in a run, and a cell keeps its key
def cells_of(study: "LengthExtrapolation") -> tuple[Cell, ...]:
    """Oracles first, then members."""
    return (*_oracle_cells(study), *_member_cells(study))


def scalings(study: "LengthExtrapolation") -> tuple[Change, ...]:
    """The changes that multiply logits by a function of length, or of length and the head."""
    return tuple(change for change in study.changes if change.kind in MULTIPLIERS)


def _oracle_cells(study: "LengthExtrapolation") -> Iterator[Cell]:
    from testbed.studies.length_extrapolation.oracle import has_oracle

    chosen = scalings(study)
    for task in study.tasks:
        for ratio in study.ratios_of(task) if has_oracle(task.source) else ():
            probe = OracleProbe(
                task=task.name,
                source=task.source,
                train_length=task.train_length,
                head_dim=study.model.geometry(task.train_length).head_dim,
                length=ratio * task.train_length,
                ratio=ratio,
                names=tuple(change.name for change in chosen),
                methods=tuple(change.methods[0] for change in chosen),
                n_sequences=study.n_oracle,
            )
            yield Cell(study.type_name, study.version, probe)


def _member_cells(study: "LengthExtrapolation") -> Iterator[Cell]:
    with_heads = {NONE, *(change.name for change in study.changes if change.heads)}
    for task in study.tasks:
        for arm in study.arms_of(task):
            for seed in study.seeds:
                spec = training_spec(study, task, arm, seed)
                for ratio in study.ratios_of(task):
                    for name, methods in changes_of(study, task, arm):
                        probe = MemberProbe(
                            task=task.name,
                            arm=arm.name,
                            change=name,
                            seed=seed,
                            ratio=ratio,
                            length=ratio * task.train_length,
                            methods=methods,
                            n_sequences=task.n_sequences,
                            max_judged=study.max_judged,
                            heads=name in with_heads,
                        )
                        yield Cell(study.type_name, study.version, probe, spec)
