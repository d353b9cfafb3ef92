"""The cells of the study: texts cut into tokens, tuning, then the transformers that are judged."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from testbed.core import Config
from testbed.runs import Cell, Record
from testbed.sources import Source
from testbed.sources.tokens import TokenisedSource
from testbed.studies.tokenizers.config import Arm, Coder, Texts
from testbed.training import DataConfig, TrainingSpec

if TYPE_CHECKING:
    from testbed.studies.tokenizers.study import Tokenizers

TUNING_OFFSET = 500_000
"""Replicates from this number on are seen by the choice of the learning rate alone."""


class Probe(Config):
    """Which point of the grid a cell is."""

    kind: Literal["texts", "member", "tuning"] = Field(description="what is measured")
    arm: str = Field(description="name of the arm")
    replicate: int = Field(ge=0, description="number of the replicate")
    coder: Coder | None = Field(None, description="what a member reads")
    context: int | None = Field(None, description="its context length, in what it reads")
    learning_rate: float | None = Field(None, description="its peak learning rate")
    texts: Texts | None = Field(None, description="lengths of the texts, where nothing is trained")
    sizes: tuple[int, ...] = Field((), description="vocabulary sizes, where nothing is trained")
    source: dict[str, Any] | None = Field(None, description="identity of the source, where nothing is trained")


def text_cells(study: "Tokenizers") -> Iterator[Cell]:
    """One for each arm and replicate."""
    for arm in study.arms:
        for number in study.numbers:
            probe = Probe(
                kind="texts",
                arm=arm.name,
                replicate=number,
                texts=study.texts,
                sizes=arm.sizes,
                source=arm.source.identity(),
            )
            yield Cell(study.type_name, study.version, probe)


def read_source(study: "Tokenizers", arm: Arm, coder: Coder, replicate: int) -> Source:
    """What a member reads: the symbols, or the tokens of a tokenizer of its own."""
    if coder == "symbols":
        return arm.source
    learners = study.learners
    return TokenisedSource(
        component=arm.source,
        tokenizer=coder,
        size=learners.token_size,
        training_length=learners.training_length,
        training_seed=1 + replicate,
    )


def member_cell(
    study: "Tokenizers",
    arm: Arm,
    coder: Coder,
    context: int,
    kind: Literal["member", "tuning"],
    rate: float,
    number: int,
) -> Cell:
    """A cell with a trained member."""
    learners = study.learners
    spec = TrainingSpec(
        source=read_source(study, arm, coder, number),
        context_length=context,
        loss="all",
        data=DataConfig(max_context=context, targets_per_step=learners.windows_per_step, seed=1 + number),
        model=learners.model,
        optimiser=learners.optimiser.replace(learning_rate=rate),
        evaluation=learners.evaluation,
        initial_seed=1 + number,
    )
    probe = Probe(kind=kind, arm=arm.name, replicate=number, coder=coder, context=context, learning_rate=rate)
    return Cell(study.type_name, study.version, probe, spec)


def tuning_cells(study: "Tokenizers", coder: Coder, rate: float) -> Iterator[Cell]:
    """One learning rate of one coder at all of its context lengths, on replicates of its own."""
    for context in study.learners.contexts_of(coder):
        for arm in study.lag_arms:
            for number in range(TUNING_OFFSET, TUNING_OFFSET + study.learners.tuning_replicates):
                yield member_cell(study, arm, coder, context, "tuning", rate, number)


def judged_cells(study: "Tokenizers", coder: Coder, rate: float) -> Iterator[Cell]:
    """The members that read this."""
    for context in study.learners.contexts_of(coder):
        for arm in study.lag_arms:
            for number in study.member_numbers:
                yield member_cell(study, arm, coder, context, "member", rate, number)


def tuned_rate(study: "Tokenizers", coder: Coder, finished: Mapping[str, Record]) -> tuple[float | None, list[Cell]]:
    """The learning rate of a coder, one for all context lengths, or None; and the cells of its tuning.

    Chosen is the rate with the least held-out cross-entropy, nats a symbol, averaged over the log-spaced path (so that
    early learning counts), over arms, contexts and the tuning's replicates; the smaller rate where two are within the
    tie.
    """
    rates = study.learners.learning_rates
    cells = {rate: list(tuning_cells(study, coder, rate)) for rate in rates}
    every = [cell for of_rate in cells.values() for cell in of_rate]
    if any(cell.key not in finished for cell in every):
        return None, every
    scores = np.array([np.mean([path_loss(finished[cell.key]) for cell in cells[rate]]) for rate in rates])
    best = float(np.min(scores)) if np.isfinite(scores).any() else np.inf
    return rates[int(np.argmax(scores <= best + study.learners.tie))], every


def path_loss(record: Record) -> float:
    """Mean held-out cross-entropy along the path, nats a symbol; infinite for a member that diverged."""
    if record.status != "done":
        return np.inf
    length = record.metrics["mean_length"]
    assert isinstance(length, float)
    return float(np.mean(record.arrays["path_heldout"])) / length
