"""The cells of the study: exact controls, learning rates, each trained member under every change at every length."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from testbed.core import Config
from testbed.methods import AnyMethod
from testbed.models import ModelConfig
from testbed.runs import Cell, Record
from testbed.sources import AnySource
from testbed.studies.length_extrapolation.config import MULTIPLIERS, NONE, Arm, Change, Task
from testbed.training import DataConfig, TrainingSpec

if TYPE_CHECKING:
    from testbed.studies.length_extrapolation.study import LengthExtrapolation


class MemberProbe(Config):
    """A trained member under these methods, at this length."""

    kind: Literal["member", "tuning"] = Field(description="judged, or seen by the choice of the learning rate alone")
    task: str = Field(description="name of the task")
    arm: str = Field(description="name of the arm")
    change: str = Field(description="name of the change at test time")
    seed: int = Field(ge=0, description="replicate: seed of the initial weights and of all tokens")
    learning_rate: float = Field(description="peak learning rate")
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


def model_of(study: "LengthExtrapolation", task: Task, arm: Arm) -> ModelConfig:
    """The transformer of an arm on a task; with hidden tokens, gated units that see both sides, as in the paper."""
    sized = study.model_for(task)
    if not arm.masked:
        return sized.replace(methods=arm.methods)
    return ModelConfig(
        width=sized.width,
        heads=sized.heads,
        depth=sized.depth,
        block="gau",
        causal=False,
        mask_symbol=True,
        methods=arm.methods,
    )


def training_spec(study: "LengthExtrapolation", task: Task, arm: Arm, seed: int, learning_rate: float) -> TrainingSpec:
    """One member: whole sequences of m tokens, scored where the source judges, or at one hidden token."""
    most = task.train_length if arm.masked else task.train_length - 1
    return TrainingSpec(
        source=task.source,
        context_length=most,
        data=DataConfig(
            batch="masked" if arm.masked else "sequences",
            max_context=most,
            targets_per_step=task.sequences_per_step,
            seed=seed,
        ),
        model=model_of(study, task, arm),
        optimiser=study.optimiser.replace(steps=task.steps, learning_rate=learning_rate),
        evaluation=study.evaluation,
        initial_seed=seed,
    )


def changes_of(study: "LengthExtrapolation", task: Task, arm: Arm) -> Iterator[tuple[str, tuple[AnyMethod, ...]]]:
    """Every change of an arm by name, with all methods that the model then has."""
    yield NONE, arm.methods
    for change in study.changes:
        if change.applies_to(task, arm):
            yield change.name, change.on(arm.methods, task.train_length)


def tuned_rate(
    study: "LengthExtrapolation", task: Task, arm: Arm, finished: Mapping[str, Record]
) -> tuple[float | None, tuple[Cell, ...]]:
    """The rate that the tuning chooses, None before it is known; and its cells. Every arm is tuned alike."""
    rates = study.tuning.learning_rates
    if len(rates) == 1:
        return rates[0], ()
    cells = tuning_cells(study, task, arm)
    if any(cell.key not in finished for cell in cells):
        return None, cells
    found = [finished[cell.key] for cell in cells]
    excess = [float(one.metrics["excess"]) if one.status == "done" else np.inf for one in found]  # type: ignore[arg-type]
    return study.tuning.chosen(np.array(excess).reshape(len(rates), study.tuning.n_seeds).tolist()), cells


@lru_cache(maxsize=512)  # asked for at every round of a run, and a cell keeps its key
def tuning_cells(study: "LengthExtrapolation", task: Task, arm: Arm) -> tuple[Cell, ...]:
    """Each rate of the grid, and for each the tuning's replicates."""
    return tuple(
        _member_cell(study, task, arm, seed, rate, 1, NONE, arm.methods, "tuning")
        for rate in study.tuning.learning_rates
        for seed in study.tuning.seeds
    )


def cells_of(study: "LengthExtrapolation", finished: Mapping[str, Record]) -> list[Cell]:
    """Oracles first; then for each arm of a task the tuning and, once its rate is known, the members."""
    cells = list(_oracle_cells(study))
    for task in study.tasks:
        for arm in study.arms_of(task):
            rate, tuning = tuned_rate(study, task, arm, finished)
            cells += tuning
            if rate is not None:
                cells += member_cells(study, task, arm, rate)
    return cells


def scalings(study: "LengthExtrapolation") -> tuple[Change, ...]:
    """The changes that multiply logits by a function of length, or of length and the head."""
    return tuple(change for change in study.changes if change.kind in MULTIPLIERS)


@lru_cache(maxsize=4)
def _oracle_cells(study: "LengthExtrapolation") -> tuple[Cell, ...]:
    return tuple(_each_oracle(study))


def _each_oracle(study: "LengthExtrapolation") -> Iterator[Cell]:
    from testbed.studies.length_extrapolation.oracle import has_oracle

    chosen = scalings(study)
    for task in study.tasks:
        for ratio in study.ratios_of(task) if has_oracle(task.source) else ():
            probe = OracleProbe(
                task=task.name,
                source=task.source,
                train_length=task.train_length,
                head_dim=study.head_dim(task),
                length=ratio * task.train_length,
                ratio=ratio,
                names=tuple(change.name for change in chosen),
                methods=tuple(change.methods[0] for change in chosen),
                n_sequences=study.n_oracle,
            )
            yield Cell(study.type_name, study.version, probe)


@lru_cache(maxsize=512)
def member_cells(study: "LengthExtrapolation", task: Task, arm: Arm, rate: float) -> tuple[Cell, ...]:
    """Each replicate at every length under every change; a member's cells stand together."""
    return tuple(
        _member_cell(study, task, arm, seed, rate, ratio, name, methods, "member")
        for seed in study.seeds
        for ratio in study.ratios_of(task)
        for name, methods in changes_of(study, task, arm)
    )


def _member_cell(
    study: "LengthExtrapolation",
    task: Task,
    arm: Arm,
    seed: int,
    rate: float,
    ratio: int,
    change: str,
    methods: tuple[AnyMethod, ...],
    kind: Literal["member", "tuning"],
) -> Cell:
    probe = MemberProbe(
        kind=kind,
        task=task.name,
        arm=arm.name,
        change=change,
        seed=seed,
        learning_rate=rate,
        ratio=ratio,
        length=ratio * task.train_length,
        methods=methods,
        n_sequences=task.sequences_at(ratio),
        max_judged=study.max_judged,
        heads=kind == "member" and not arm.masked and study.looks_at_heads(change),
    )
    return Cell(study.type_name, study.version, probe, training_spec(study, task, arm, seed, rate))
