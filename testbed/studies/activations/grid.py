"""The cells: rates of every arm first, then the members that are judged."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from testbed.runs import Cell, Record
from testbed.sources import Source
from testbed.studies.activations.config import (
    ACTS,
    ARMS,
    SETTINGS,
    STACKS,
    Arm,
    Depths,
    Kinds,
    Probe,
    Setting,
    SourceName,
    Stack,
    activation_of,
)
from testbed.studies.activations.draws import source_of
from testbed.studies.tuning import Tuning, least_scored
from testbed.training import DataConfig, OptimiserConfig, TrainingSpec

if TYPE_CHECKING:
    from testbed.studies.activations.study import Activations

UNCLIPPED = 1e9
"""Gradient norm out of reach."""
OTHER_RUN = 3_000_000
"""Added to a replicate's number for the sequences and first weights of GELU as its own null."""


def _spec(
    study: "Activations", part: Depths | Kinds, source: Source, seed: int, rate: float, points: int, **model: Any
) -> TrainingSpec:
    """One member; arms of a replicate share source, sequences and, where shapes agree, first weights."""
    return TrainingSpec(
        source=source,
        context_length=part.length - 1,
        data=DataConfig(
            max_context=part.length - 1, batch="sequences", targets_per_step=part.sequences_per_step, seed=seed
        ),
        model=study.model.replace(**model),
        optimiser=OptimiserConfig(
            learning_rate=rate, steps=part.steps, warmup_steps=study.warmup_steps, clip=UNCLIPPED
        ),
        evaluation=study.evaluation.replace(path_points=points),
        initial_seed=seed,
    )


def depth_cell(study: "Activations", stack: Stack, depth: int, seed: int, rate: float, judged: bool) -> Cell:
    """A stack of blocks; embeddings start at variance 1, matrices that write into the stream at full width."""
    norm, activation = stack.split("_")
    source = source_of(study.depths.source, study.depths.vocab_size, seed)
    spec = _spec(
        study, study.depths, source, seed, rate, study.evaluation.path_points,
        norm=norm, activation=activation, depth=depth, embedding_std=1.0, shrink_writers=False,
    )  # fmt: skip
    probe = Probe(
        kind="depth" if judged else "depth_rate",
        arm=stack,
        depth=depth,
        seed=seed,
        learning_rate=rate,
        reading=study.reading if judged else None,
    )
    return Cell(study.type_name, study.version, probe, spec)


def act_cell(
    study: "Activations", arm: Arm, source: SourceName, seed: int, rate: float, judged: bool, setting: Setting = "own"
) -> Cell:
    """An activation on a source, with layer norm."""
    kinds = study.kinds
    drawn = source_of(source, kinds.vocab_of(source), seed)
    run = seed + (OTHER_RUN if arm == "gelu2" else 0)
    points = kinds.points if judged else study.evaluation.path_points
    spec = _spec(study, kinds, drawn, run, rate, points, norm="layer", activation=activation_of(arm))
    probe = Probe(
        kind="act" if judged else "act_rate",
        arm=arm,
        setting=setting,
        source=source,
        seed=seed,
        learning_rate=rate,
        kinds=kinds if judged else None,
        reading=study.reading if judged else None,
    )
    return Cell(study.type_name, study.version, probe, spec)


def log_score(records: list[Record]) -> float:
    """Mean log excess; infinite where a member diverged."""
    values = [float(one.metrics["excess"]) if one.status == "done" else np.inf for one in records]  # type: ignore[arg-type]
    return float(np.mean(np.log(values)))


def chosen(
    tuning: Tuning, cells_at: Callable[[float], list[Cell]], finished: Mapping[str, Record]
) -> tuple[float | None, list[Cell]]:
    """The rate of an arm, None before it is known, and the cells that decide it: none where the grid has one rate."""
    rates = tuning.learning_rates
    if len(rates) == 1:
        return rates[0], []
    return least_scored(rates, cells_at, log_score, finished, tuning.tie)


def all_cells(study: "Activations", finished: Mapping[str, Record]) -> Iterator[Cell]:
    """Every cell that can be named: members of an arm once its rate is known; the null has GELU's rates."""
    for stack in STACKS:
        for depth in study.depths.depths:

            def deep(rate: float, stack: Stack = stack, depth: int = depth) -> list[Cell]:
                return [depth_cell(study, stack, depth, seed, rate, False) for seed in study.depth_tuning.seeds]

            rate, cells = chosen(study.depth_tuning, deep, finished)
            yield from cells
            if rate is not None:
                yield from (depth_cell(study, stack, depth, seed, rate, True) for seed in study.seeds)
    for source in study.kinds.sources:
        for arm in ARMS:
            tuned: Arm = "gelu" if arm == "gelu2" else arm

            def acted(rate: float, arm: Arm = tuned, source: SourceName = source) -> list[Cell]:
                return [act_cell(study, arm, source, seed, rate, False) for seed in study.tuning.seeds]

            rate, cells = chosen(study.tuning, acted, finished)
            if arm in ACTS:
                yield from cells
            rates = {"own": rate, "common": study.kinds.common_rate}
            for setting in SETTINGS:
                taken = rates[setting]
                if taken is not None:
                    for seed in study.seeds:
                        yield act_cell(study, arm, source, seed, taken, True, setting)
