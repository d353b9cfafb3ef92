"""The cells of the study: random keys, tuning, then the members that are judged."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from testbed.core import Config
from testbed.methods import AnyMethod
from testbed.methods.two_ranges import ReRoPE
from testbed.models import ModelConfig
from testbed.runs import Cell, Record
from testbed.studies.attention_theory.config import RandomKeys
from testbed.studies.cosscale.arms import NOPE, PLAIN, Arm, arms_of
from testbed.studies.cosscale.config import Reading, Role, Task
from testbed.studies.gate import learnt
from testbed.training import DataConfig, TrainingSpec

if TYPE_CHECKING:
    from testbed.studies.cosscale.study import CosScaleStudy

TUNING_SEEDS = 1_000_000
"""Seeds from this number on are seen by the tuning alone."""


class MemberProbe(Config):
    """A trained member, and how it is looked at."""

    kind: Literal["member", "tuning"] = Field(description="judged, or for the choice of a learning rate")
    task: Role = Field(description="the task")
    arm: str = Field(description="name of the arm")
    seed: int = Field(ge=0, description="replicate: seed of the initial weights and of all tokens")
    learning_rate: float = Field(description="peak learning rate")
    ratio: int = Field(1, ge=1, description="longest length read, in units of m")
    reading: Reading | None = Field(None, description="how attention is looked at; nothing for tuning")
    ranged: tuple[AnyMethod, ...] = Field((), description="methods that keep its positions in range at any length")
    tilted: tuple[float, ...] = Field((), description="scales under which weights that know no CosScale are read too")
    n_sequences: int = Field(1, ge=1, description="fresh sequences for the excess")
    heat: bool = Field(False, description="keep the matrices of cosines")


class KeysProbe(Config):
    """Keys uniform on the sphere, as in the study `attention_theory`."""

    kind: Literal["random_keys"] = Field("random_keys", description="what is simulated")
    seed: int = Field(ge=0, description="replicate")
    block: Literal["standard", "gau"] = Field(description="the block whose head dimension it is")
    settings: RandomKeys = Field(description="how many keys, in how many dimensions")


def member_cell(
    study: "CosScaleStudy", task: Task, arm: Arm, seed: int, learning_rate: float, kind: Literal["member", "tuning"]
) -> Cell:
    """One member: whole sequences of m tokens, scored where the source judges; equal tokens for all arms of a seed."""
    spec = TrainingSpec(
        source=task.source,
        context_length=study.train_length - 1,
        data=DataConfig(
            batch="sequences",
            max_context=study.train_length - 1,
            targets_per_step=task.sequences_per_step,
            seed=seed,
        ),
        model=_model(study, arm),
        optimiser=study.optimiser.replace(steps=task.steps, learning_rate=learning_rate),
        evaluation=study.evaluation,
        initial_seed=seed,
    )
    probe = MemberProbe(
        kind=kind,
        task=task.role,
        arm=arm.name,
        seed=seed,
        learning_rate=learning_rate,
        n_sequences=task.n_sequences,
    )
    if kind == "member":
        looked_at = task.role in ("local", "far")
        probe = probe.replace(
            ratio=study.ratio,
            reading=study.reading if looked_at else None,
            ranged=in_range(arm),
            tilted=_tilted(study, arm) if looked_at else (),
            heat=seed == study.first_seed and looked_at,
        )
    return Cell(study.type_name, study.version, probe, spec)


def _model(study: "CosScaleStudy", arm: Arm) -> ModelConfig:
    if arm.block == "standard":
        return study.model.replace(methods=arm.methods)
    return study.gau.replace(methods=arm.methods, key_scales=arm.key_scales or study.gau.key_scales)


def _tilted(study: "CosScaleStudy", arm: Arm) -> tuple[float, ...]:
    """Scales under which first weights are read: all, of those without one; its own, of the start from ones."""
    if arm.key_scales is not None and arm.alpha is not None:
        return (arm.alpha,)
    return next((one.alphas for one in study.families if one.plain == arm.name), ())


def in_range(arm: Arm) -> tuple[Any, ...]:
    """Methods under which a standard arm without CosScale meets no position that it was not trained at: none without
    positions, distances cut off at m / 2 with RoPE. Empty for all others."""
    if arm.name == NOPE:
        return arm.methods
    return (ReRoPE(),) if arm.name == PLAIN else ()


def cells(study: "CosScaleStudy", finished: Mapping[str, Record]) -> list[Cell]:
    """Random keys and tuning first; once an arm's rate on a task is chosen, its members."""
    found = [
        Cell(study.type_name, study.version, KeysProbe(seed=seed, block=one.block, settings=study.random_keys(one)))
        for seed in study.seeds
        for one in study.families
    ]
    for task in study.tasks:
        for arm in arms_of(study, task.role):
            tuning = {rate: list(_tuning_cells(study, task, arm, rate)) for rate in study.tuning.learning_rates}
            rate = chosen_rate(tuning, finished, study.own_floor(task.role, arm), study.bounds.gate)
            found += [cell for of_rate in tuning.values() for cell in of_rate if len(tuning) > 1]
            if rate is not None:
                found += [member_cell(study, task, arm, seed, rate, "member") for seed in study.seeds]
    return found


def _tuning_cells(study: "CosScaleStudy", task: Task, arm: Arm, rate: float) -> Iterator[Cell]:
    for seed in range(TUNING_SEEDS, TUNING_SEEDS + study.tuning.n_seeds):
        yield member_cell(study, task, arm, seed, rate, "tuning")


def has_learnt(record: Record, floor: float, share: float) -> bool:
    """The gate of the members that are judged: excess - floor < share x no_context; none that diverged."""
    if record.status != "done":
        return False
    excess, no_context = (float(record.metrics[name]) for name in ("excess", "no_context"))  # type: ignore[arg-type]
    return bool(learnt(excess - floor, no_context, share))


def chosen_rate(
    tuning: Mapping[float, list[Cell]], finished: Mapping[str, Record], floor: float, share: float
) -> float | None:
    """Of the rates at which most replicates learnt, that of the least mean held-out cross-entropy; None while a cell is
    missing.

    Rates at which all learnt are alike within one standard error of the paired difference, and the smallest of them is
    taken. Where some replicates are stuck, that error is their scatter and says nothing of rates, so that there are no
    ties; with one seed there is no error. A rate at which a member diverges comes last. One rate alone needs no tuning.
    """
    rates = sorted(tuning)
    if len(rates) == 1:
        return rates[0]
    if any(cell.key not in finished for of_rate in tuning.values() for cell in of_rate):
        return None
    records = {rate: [finished[cell.key] for cell in tuning[rate]] for rate in rates}
    n_learnt = {rate: sum(has_learnt(one, floor, share) for one in records[rate]) for rate in rates}
    most = max(n_learnt.values())
    rates = [rate for rate in rates if n_learnt[rate] == most]
    losses = np.array([[_heldout(one) for one in records[rate]] for rate in rates])
    best = int(np.argmin(losses.mean(axis=1)))
    if most < losses.shape[1]:
        return rates[best]
    for rate, mine in zip(rates[:best], losses[:best], strict=True):
        above = mine - losses[best]
        if above.mean() <= _standard_error(above):
            return rate
    return rates[best]


def _standard_error(values: NDArray[np.float64]) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0


def _heldout(record: Record) -> float:
    loss = record.metrics["heldout"]
    return float(loss) if record.status == "done" and isinstance(loss, float) and np.isfinite(loss) else np.inf
