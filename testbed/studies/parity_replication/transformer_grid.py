"""The cells of the paper's own network: the choice of its rate, then the members, whose training is the runner's."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from testbed.core import Config
from testbed.runs import Cell, Record
from testbed.studies.parity_replication.grid import TUNING_OFFSET
from testbed.studies.tuning import least_scored, mean_metric
from testbed.training import DataConfig, EvaluationConfig, OptimiserConfig, TrainingSpec

if TYPE_CHECKING:
    from testbed.studies.parity_replication.study import ParityReplication

WARM_UP = 20
"""A part in so many of the steps is warm-up."""


class ShownProbe(Config):
    """One network, judged at every visible length."""

    kind: Literal["shown", "shown_tuning"] = Field(description="judged, or seen by the choice of the rate alone")
    seed: int = Field(ge=0, description="replicate: seed of samples, their order, and initial weights")
    size: int | None = Field(None, description="dataset size D; left out: an endless stream")
    lengths: tuple[int, ...] = Field((), description="visible lengths")
    n_contexts: int = Field(ge=2, description="fresh samples on which it is scored")


def sizes(study: "ParityReplication") -> tuple[int | None, ...]:
    """The dataset sizes, and the endless stream."""
    return (*study.transformer.sizes, None)


def shown_cell(study: "ParityReplication", size: int | None, seed: int, rate: float, tuning: bool = False) -> Cell:
    """One network. All D of a replicate have the same first weights; smaller datasets begin the larger ones."""
    arm = study.transformer
    tokens = arm.lengths[-1] + 1  # and the question
    spec = TrainingSpec(
        source=arm.source,
        context_length=tokens,
        data=DataConfig(
            n_targets=size, max_context=tokens, batch="sequences", targets_per_step=arm.batch_size, seed=seed
        ),
        model=arm.model,
        optimiser=OptimiserConfig(learning_rate=rate, steps=arm.steps, warmup_steps=arm.steps // WARM_UP),
        evaluation=EvaluationConfig(n_contexts=study.n_contexts, n_heldout=study.n_contexts, path_points=4),
        initial_seed=seed,
    )
    probe = ShownProbe(
        kind="shown_tuning" if tuning else "shown",
        seed=seed,
        size=size,
        lengths=() if tuning else arm.lengths,
        n_contexts=study.n_contexts,
    )
    return Cell(study.type_name, study.version, probe, spec)


def chosen_rate(study: "ParityReplication", finished: Mapping[str, Record]) -> tuple[float | None, list[Cell]]:
    """The rate of least mean held-out loss on the endless stream, None before it is known; and its cells."""
    arm = study.transformer
    seeds = range(TUNING_OFFSET, TUNING_OFFSET + arm.n_tuning_seeds)

    def trial(rate: float) -> list[Cell]:
        return [shown_cell(study, None, seed, rate, tuning=True) for seed in seeds]

    return least_scored(arm.learning_rates, trial, mean_metric("heldout"), finished)


def shown_cells(study: "ParityReplication", finished: Mapping[str, Record]) -> Iterator[Cell]:
    """The choice first, then every replicate at every D."""
    rate, tuning = chosen_rate(study, finished)
    yield from tuning
    if rate is not None:
        for size in sizes(study):
            for seed in study.seeds_of_transformer:
                yield shown_cell(study, size, seed, rate)
