"""The cells of the study: the tuning of each table's learning rate first, then the members."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from testbed.runs import Cell, Record
from testbed.studies.parity_features.config import ROLES, Probe, Role
from testbed.studies.tuning import least_scored
from testbed.training.mlp_spec import MLP_TRAINER_VERSION, MLPOptimiserConfig, MLPSpec

if TYPE_CHECKING:
    from testbed.studies.parity_features.study import ParityFeatures

TUNING_OFFSET = 1_000_000
"""Seeds from this number on are seen by the tuning alone."""


def all_cells(study: "ParityFeatures", finished: Mapping[str, Record]) -> Iterator[Cell]:
    """Every cell that can be named: members once their table's rate is chosen."""
    for role in ROLES:
        rate, tuning = tuned(study, role, finished)
        yield from tuning
        if rate is not None:
            for seed in study.seeds:
                for length in study.table(role).lengths:
                    yield member_cell(study, role, seed, length, rate)


def member_cell(study: "ParityFeatures", role: Role, seed: int, length: int, rate: float, tuning: bool = False) -> Cell:
    """One member. All l of a replicate have the same samples in the same order (paired)."""
    table, training = study.table(role), study.training
    spec = MLPSpec(
        source=table.source,
        context_length=length,
        n_bits=table.n_bits,
        n_targets=training.n_targets,
        batch_size=training.batch_size,
        steps=training.steps,
        n_validation=training.n_validation,
        model=study.model,
        optimiser=MLPOptimiserConfig(learning_rate=rate, weight_decay=training.weight_decay, cosine=True),
        data_seed=seed,
        initial_seed=seed,
    )
    probe = Probe(
        kind="tuning" if tuning else "member",
        role=role,
        seed=seed,
        spec=spec,
        reading=None if tuning else study.reading,
        n_contexts=training.n_contexts,
        trainer=MLP_TRAINER_VERSION,
    )
    return Cell(study.type_name, study.version, probe)


def tuned(study: "ParityFeatures", role: Role, finished: Mapping[str, Record]) -> tuple[float | None, list[Cell]]:
    """The rate of least mean validation loss at the longest l, None before it is known; and its cells.

    The smallest of those alike. The choice reads no truth.
    """
    longest = study.table(role).lengths[-1]
    seeds = range(TUNING_OFFSET, TUNING_OFFSET + study.tuning.n_seeds)

    def trial(rate: float) -> list[Cell]:
        return [member_cell(study, role, seed, longest, rate, tuning=True) for seed in seeds]

    def score(records: list[Record]) -> float:
        return float(np.mean([_loss(one) for one in records]))

    return least_scored(study.tuning.learning_rates, trial, score, finished, study.tuning.tie)


def _loss(record: Record) -> float:
    value = float(record.metrics["validation"])  # type: ignore[arg-type]
    return value if record.status == "done" and np.isfinite(value) else np.inf
