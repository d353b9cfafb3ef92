"""The cells of the study: learners without a rate and the tuning at once; networks when their rate is tuned."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from testbed.runs import Cell, Record
from testbed.studies.approximation_law.config import LAG_LEARNERS, LEARNERS, NETWORKS, Learner, Probe
from testbed.studies.tuning import least_scored

if TYPE_CHECKING:
    from testbed.studies.approximation_law.study import ApproximationLaw

TUNING_OFFSET = 1_000_000
"""Replicates from this number on are seen by the tuning alone."""
LAG = "lag"
"""In place of a learner's name: the network on bits."""


def all_cells(study: "ApproximationLaw", finished: Mapping[str, Record]) -> Iterator[Cell]:
    """Every cell that can be named."""
    for learner in LEARNERS:
        for d in study.manifolds.dimensions_of(learner):
            rate = None
            if learner in NETWORKS:
                rate, tuning = tuned(study, learner, d, finished)
                yield from tuning
                if rate is None:
                    continue
            for number in study.numbers:
                yield manifold_cell(study, learner, d, number, rate)
    rate, tuning = tuned(study, LAG, 0, finished)
    yield from tuning
    for lag_learner in LAG_LEARNERS:
        if lag_learner == "network" and rate is None:
            continue
        for number in study.numbers:
            yield lag_cell(study, lag_learner, number, rate if lag_learner == "network" else None)
    for number in study.numbers:
        probe = Probe(
            kind="extra",
            learner="averaging",
            dimension=study.irrelevant.relevant,
            replicate=number,
            manifolds=study.manifolds,
            irrelevant=study.irrelevant,
        )
        yield Cell(study.type_name, study.version, probe)


def manifold_cell(
    study: "ApproximationLaw", learner: Learner, dimension: int, number: int, rate: float | None, tuning: bool = False
) -> Cell:
    """A learner at every size, on one source."""
    probe = Probe(
        kind="tuning" if tuning else "manifold",
        learner=learner,
        dimension=dimension,
        replicate=number,
        learning_rate=rate,
        manifolds=study.manifolds,
        network=study.network if learner in NETWORKS else None,
        draws=study.informed_draws if learner == "informed" else 1,
    )
    return Cell(study.type_name, study.version, probe)


def lag_cell(study: "ApproximationLaw", learner: str, number: int, rate: float | None, tuning: bool = False) -> Cell:
    """A learner at every length, on one sample."""
    probe = Probe(
        kind="tuning" if tuning else "lag",
        learner=LAG if tuning else learner,
        replicate=number,
        learning_rate=rate,
        irrelevant=study.irrelevant,
        network=study.network if rate is not None else None,
    )
    return Cell(study.type_name, study.version, probe)


def tuned(
    study: "ApproximationLaw", learner: str, dimension: int, finished: Mapping[str, Record]
) -> tuple[float | None, list[Cell]]:
    """The rate of least geometric mean excess over sizes (lengths) and tuning seeds, None before it is known; cells.

    The smaller of equal ones. Every arm is tuned alike, on the same grid, on replicates that nothing else sees.
    """
    numbers = range(TUNING_OFFSET, TUNING_OFFSET + study.tuning.n_seeds)

    def trial(rate: float) -> list[Cell]:
        if learner == LAG:
            return [lag_cell(study, "network", number, rate, tuning=True) for number in numbers]
        assert learner in NETWORKS
        return [manifold_cell(study, learner, dimension, number, rate, tuning=True) for number in numbers]

    def score(records: list[Record]) -> float:
        excess = np.concatenate([one.arrays["excess"] for one in records])
        return float(np.log(excess).mean()) if np.all(excess > 0) else np.inf

    return least_scored(study.tuning.learning_rates, trial, score, finished)
