"""The cells: the exact side, then rates, then members at the rates chosen."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.methods import LearnedPositions
from testbed.models import ModelConfig
from testbed.runs import Cell, Record
from testbed.sources.recall.set_disjointness import SetDisjointness
from testbed.studies.recall_order.config import ORDERS, Arm, Order, Probe
from testbed.studies.tuning import least_scored
from testbed.training import DataConfig, OptimiserConfig, TrainingSpec

if TYPE_CHECKING:
    from testbed.studies.recall_order.study import RecallOrder


def source_of(study: "RecallOrder", arm: Arm, order: Order) -> SetDisjointness:
    """The source of an arm, its answers balanced."""
    case = study.design.main
    return SetDisjointness(
        n_elements=case.n_elements,
        set_size=case.small,
        order="fixed_first" if order == "small_first" else "fixed_last",
        repeats=2 if arm == "twice" else 1,
    )


def model_of(study: "RecallOrder", arm: Arm) -> ModelConfig:
    """The network of an arm."""
    network = study.network
    methods: list[Any] = [LearnedPositions(std=network.position_std)]
    if arm != "softmax":
        methods.append("linear_taylor")
    return ModelConfig(
        block="gau",
        width=network.width,
        depth=network.depth,
        expansion=network.expansion,
        key_size=network.narrow_key_size if arm == "narrow" else network.key_size,
        tied_head=True,
        methods=tuple(methods),
    )


def member_cell(study: "RecallOrder", arm: Arm, order: Order, seed: int, rate: float, kind: str = "member") -> Cell:
    """One run. The arms and orders of a replicate share a seed of sequences and of first weights."""
    case, training = study.design.main, study.training
    source = source_of(study, arm, order)
    length = source.repeats * (case.small + case.large + 2)
    spec = TrainingSpec(
        source=source,
        context_length=length,
        data=DataConfig(max_context=length, batch="sequences", targets_per_step=training.sequences_per_step, seed=seed),
        model=model_of(study, arm),
        optimiser=OptimiserConfig(
            clip=None,  # left out it would be 1
            learning_rate=rate,
            steps=training.steps,
            warmup_steps=training.warmup_steps,
            final_fraction=training.final_fraction,
        ),
        evaluation=study.evaluation,
        initial_seed=seed,
    )
    probe = Probe(
        kind=kind,  # type: ignore[arg-type]
        arm=arm,
        order=order,
        seed=seed,
        learning_rate=rate,
        case=case,
        memory=study.memory if kind == "member" else None,
    )
    return Cell(study.type_name, study.version, probe, spec)


def exact_cell(study: "RecallOrder") -> Cell:
    """What needs no model."""
    return Cell(study.type_name, study.version, Probe(kind="exact", case=study.design.exact))


def rate_of(study: "RecallOrder", arm: Arm, finished: Mapping[str, Record]) -> tuple[float | None, list[Cell]]:
    """The rate of an arm, the same for both orders, which take turns in the replicates of the choice: the one at which
    most of them learn, of these that of least median excess. None before it is known, and the cells that decide it."""

    def trial(rate: float) -> list[Cell]:
        return [member_cell(study, arm, ORDERS[i % 2], seed, rate, "rate") for i, seed in enumerate(study.tuning.seeds)]

    def score(records: list[Record]) -> float:
        return tuning_score([excess_of(one) for one in records], study.bounds.gate)

    return least_scored(study.tuning.learning_rates, trial, score, finished, study.tuning.tie)


def excess_of(record: Record) -> float:
    """Nats; infinite where it diverged."""
    found = record.metrics.get("excess")
    return float(found) if record.status == "done" and found is not None else float("inf")


def tuning_score(excess: Sequence[float], gate: float) -> float:
    """Replicates that did not learn, and behind the point the median excess.

    >>> tuning_score([0.001, 0.003, float("inf")], 0.03)
    1.003
    """
    missed = sum(not one < gate * math.log(2.0) for one in excess)
    return missed + min(float(np.median(excess)), 0.999)


def all_cells(study: "RecallOrder", finished: Mapping[str, Record]) -> Iterator[Cell]:
    """Every cell that can be named."""
    yield exact_cell(study)
    for arm in study.arms:
        rate, cells = rate_of(study, arm, finished)
        yield from cells
        if rate is not None:
            for order in ORDERS:
                for seed in study.seeds:
                    yield member_cell(study, arm, order, seed, rate)
