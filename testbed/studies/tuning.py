"""The rule by which studies of length choose the learning rate of an arm: one for all of them, so that they compare.

Each arm of each task is trained at every rate of a grid, on replicates that nothing else sees; the rate of the least
mean excess at n = m is taken, and of rates that are alike within `tie` the smallest. Arms are then judged at rates of
their own, all chosen alike. How much attention is diluted beyond m depends on how sharp training made it, hence on the
rate: numbers of arms that were tuned by different rules, or on different grids, say little beside each other.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Self

import numpy as np
from pydantic import Field, model_validator

from testbed.core import Config
from testbed.runs import Cell, Record

TUNING_OFFSET = 1_000_000
"""Seeds from this number on are seen by the tuning alone."""


class Tuning(Config):
    """The learning rate of each arm on each task: least excess at n = m over replicates that only the tuning sees."""

    learning_rates: tuple[float, ...] = Field((1e-3, 3e-3, 8e-3, 2.4e-2), min_length=1, description="grid, rising")
    n_seeds: int = Field(2, ge=1, le=10_000, description="replicates of each rate")
    tie: float = Field(2e-4, ge=0, description="nats within which rates are alike; the smallest of them is taken")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if list(self.learning_rates) != sorted(set(self.learning_rates)) or self.learning_rates[0] <= 0:
            raise ValueError(f"learning_rates: given {self.learning_rates}, must be positive and rise")
        return self

    @property
    def seeds(self) -> range:
        """The replicates of every rate."""
        return range(TUNING_OFFSET, TUNING_OFFSET + self.n_seeds)

    def chosen(self, excess: Sequence[Sequence[float]]) -> float:
        """The rate of least mean excess; of those within `tie` of it the smallest.

        excess   one row a rate, one number a replicate, nats; infinite where it diverged, so that such a rate is taken
                 only if one replicate diverges at every rate (then the smallest)

        >>> Tuning(learning_rates=(1e-3, 3e-3, 1e-2)).chosen([[0.3, 0.1], [0.0101, 0.0101], [0.01, 0.01]])
        0.003
        """
        means = [sum(row) / len(row) for row in excess]
        return next(
            rate for rate, mean in zip(self.learning_rates, means, strict=True) if mean <= min(means) + self.tie
        )


def least_scored(
    rates: Sequence[float],
    cells_at: Callable[[float], list[Cell]],
    score: Callable[[list[Record]], float],
    finished: Mapping[str, Record],
    tie: float = 0.0,
) -> tuple[float | None, list[Cell]]:
    """The rate of least score, the first of those alike, None before all are known; and the cells of all rates.

    cells_at    rate -> the cells of its trial
    score       their records, in the same order -> one number; infinite where the rate is of no use
    tie         scores this near to the least are alike
    """
    trials = [cells_at(rate) for rate in rates]
    cells = [cell for trial in trials for cell in trial]
    if any(cell.key not in finished for cell in cells):
        return None, cells
    scores = [score([finished[cell.key] for cell in trial]) for trial in trials]
    return next(rate for rate, one in zip(rates, scores, strict=True) if one <= min(scores) + tie), cells


def mean_metric(name: str) -> Callable[[list[Record]], float]:
    """The mean of a metric over records, as a score; infinite where a member diverged."""

    def score(records: list[Record]) -> float:
        values = [float(one.metrics[name]) if one.status == "done" else np.inf for one in records]  # type: ignore[arg-type]
        return float(np.mean(values))

    return score
