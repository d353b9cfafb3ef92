"""What the study `parity_features` is asked: tables of tasks, the network, estimators, bounds. Fixed before the run."""

from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from testbed.core import Config
from testbed.models.mlp_config import MLPConfig
from testbed.sources import AnySource
from testbed.sources.bits import LN2
from testbed.sources.parity import SparseParitySource
from testbed.training.mlp_spec import MLPSpec

Role = Literal["true", "false"]
ROLES: tuple[Role, ...] = ("true", "false")
"""Whether h_0 - h_l is linear in S(l): true by construction for equally frequent, independent tasks."""


class Table(Config):
    """A table of parities with exact S(l), and the context lengths at which networks are trained on it."""

    source: AnySource = Field(description="law of bits, question and answer")
    lengths: tuple[int, ...] = Field(min_length=5, max_length=32, description="context lengths l, rising")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not isinstance(self.source, SparseParitySource):
            raise ValueError(f"source: given {self.source.type_name}, must be sparse_parity")
        if list(self.lengths) != sorted(set(self.lengths)) or self.lengths[0] < 1 or self.lengths[-1] > 4096:
            raise ValueError(f"lengths: given {self.lengths}, must rise within 1 .. 4096")
        if len(set(self.n_solved)) < len(self.lengths):
            raise ValueError(f"lengths: solve {self.n_solved} tasks; each must solve more than the one before")
        if self.n_solved[0] < 1:
            raise ValueError(f"lengths: given {self.lengths[0]}, which solves no task")
        if not np.allclose(self.entropies, LN2 * np.array(self.n_solved), rtol=1e-12):
            raise ValueError("source: some answers follow from others, or are noise; they must be independent")
        return self

    @property
    def parities(self) -> SparseParitySource:
        assert isinstance(self.source, SparseParitySource)
        return self.source

    @property
    def n_bits(self) -> int:
        """Bits that are laid out for every member."""
        return self.lengths[-1]

    @property
    def n_solved(self) -> tuple[int, ...]:
        """Tasks that each length solves."""
        return tuple(len(self.solved(length)) for length in self.lengths)

    def solved(self, length: int) -> list[tuple[int, ...]]:
        """The tasks whose bits all lie within a length."""
        return [task for task in self.parities.tasks if max(task) <= length]

    @property
    def entropies(self) -> np.ndarray:
        """(n_l,) exact S(l), nats."""
        return np.asarray(self.parities.state_entropies(self.n_bits).value)[list(self.lengths)]

    @property
    def risks(self) -> np.ndarray:
        """(n_l,) exact R(l) = h_l, nats."""
        return np.asarray(self.parities.conditional_entropies(self.n_bits).value)[list(self.lengths)]

    @property
    def bend(self) -> float:
        """Largest residual of the best line of h_0 - h_l in S(l), as a share of the range; exact."""
        s, shown = self.entropies, -self.risks
        return float(np.abs(shown - np.polyval(np.polyfit(s, shown, 1), s)).max() / np.ptp(shown))


class Training(Config):
    """What all members share; samples are so many that none is seen often."""

    n_targets: int = Field(100_000, ge=1000, le=10**9, description="training samples D")
    batch_size: int = Field(250, ge=1, le=10**7, description="samples a step")
    steps: int = Field(6000, ge=1, le=10**8, description="optimiser steps")
    weight_decay: float = Field(8e-4, ge=0, le=1e3, description="the public code's")
    n_validation: int = Field(500, ge=2, le=10**8, description="validation samples")
    n_contexts: int = Field(2400, ge=100, le=10**7, description="fresh samples on which a member's loss is judged")


class Tuning(Config):
    """The learning rate of each table: least validation loss at the longest l, on seeds of the tuning alone.

    There most is to be learnt, and what a network missed shows; at the shortest, rates differ by chance.
    """

    learning_rates: tuple[float, ...] = Field(
        (2e-3, 4e-3, 7e-3, 1.2e-2, 2e-2), min_length=1, max_length=16, description="rising"
    )
    n_seeds: int = Field(4, ge=1, le=64, description="replicates of each rate")
    tie: float = Field(1e-3, ge=0, le=1, description="nats within which rates are alike; the smallest is taken")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if list(self.learning_rates) != sorted(set(self.learning_rates)) or self.learning_rates[0] <= 0:
            raise ValueError(f"learning_rates: given {self.learning_rates}, must rise from above 0")
        return self


class Reading(Config):
    """What is read off the features."""

    n_samples: int = Field(2000, ge=100, le=2**20, description="fresh samples: rows of a cloud of features")
    thresholds: tuple[float, ...] = Field(
        (0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 1e-3, 1e-4), min_length=1, max_length=32, description="theta, falling"
    )
    n_terms: tuple[int, ...] = Field((4, 8, 16, 24), min_length=1, max_length=32, description="N of S_N, rising")
    n_shuffles: int = Field(9, ge=1, le=10_000, description="shuffled nulls of the probe")
    penalty: float = Field(0.01, gt=0, le=1e6, description="prior precision of the probe of the answers")


class Bounds(Config):
    """Regions of the claims, fixed before the runs that decide."""

    residual: float = Field(0.05, gt=0, lt=1, description="largest residual of a line, share of the range: linear")
    correlation: float = Field(0.97, gt=0, lt=1, description="|r| from which the paper calls a relation linear")
    apart: float = Field(0.5, gt=0, lt=1, description="share of the exact difference of residuals that must be seen")
    tasks: float = Field(0.5, gt=0, le=100, description="tasks by which a count may be off, on average over l")
    probe: float = Field(0.9, gt=0, lt=1, description="least R^2 of the answers")
    over_untrained: float = Field(0.1, gt=0, lt=1, description="gain in R^2 over untrained features that counts")
    information: float = Field(0.98, gt=0, lt=1, description="least share of S that a probe finds")
    uniform: float = Field(0.5, gt=0, le=10, description="spread of the rise over its mean: one common factor")
    gate: float = Field(0.05, gt=0, lt=1, description="learnt: excess below this share of ln 2 at every l")


class Probe(Config):
    """A member: which point of the grid it is, and all that decides what it learns and what is read off it."""

    kind: Literal["member", "tuning"] = Field(description="judged, or seen by the choice of the rate alone")
    role: Role = Field(description="table of tasks")
    seed: int = Field(ge=0, description="replicate: seed of samples, their order, and initial weights")
    spec: MLPSpec = Field(description="what is trained")
    reading: Reading | None = Field(None, description="what is read off its features")
    n_contexts: int = Field(ge=2, description="fresh samples on which it is scored")
    trainer: int = Field(description="version of the trainer")


def bi_mlp() -> MLPConfig:
    """The public code's second network, narrower."""
    return MLPConfig(kind="bi_mlp", hidden=128, bottleneck=24, readout=64, slope=0.001)
