"""What the study `predictive_surplus` is asked: sources, how layers are read, bounds. Fixed before the run."""

from typing import Literal, Self

from pydantic import Field, model_validator

from testbed.core import Config
from testbed.sources import AnySource

Role = Literal["memoryless", "chain", "hidden", "spectral"]
ROLES: tuple[Role, ...] = ("memoryless", "chain", "hidden", "spectral")
DRAFTED: tuple[Role, ...] = ("memoryless", "chain", "hidden")
"""Roles whose surplus is read off; of two symbols."""


class Arm(Config):
    """A source, and how long transformers are trained on it."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_ -]*$", description="name in figures and records")
    source: AnySource = Field(description="law of the tokens, its h_l exact")
    steps: int = Field(300, ge=1, le=10**8, description="optimiser steps")
    learning_rates: tuple[float, ...] = Field(
        (2e-3, 4e-3, 8e-3), min_length=1, max_length=16, description="rates that are tried, rising"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if list(self.learning_rates) != sorted(set(self.learning_rates)) or self.learning_rates[0] <= 0:
            raise ValueError(f"learning_rates: given {self.learning_rates}, must rise from above 0")
        return self


class Reading(Config):
    """How layers are read, at every history of positive probability."""

    horizon: int = Field(3, ge=2, le=6, description="K: the next token and K - 1 after it")
    n_folds: int = Field(4, ge=2, le=100, description="parts into which histories are dealt, one held out at a time")
    ridges: tuple[float, ...] = Field(
        (1e-5, 1e-3), min_length=1, max_length=32, description="penalties, the best of which counts for all alike"
    )
    spectral_context: int = Field(6, ge=1, le=16, description="tokens of a history whose spectrum is looked at")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if list(self.ridges) != sorted(set(self.ridges)) or not 0 < self.ridges[0] <= self.ridges[-1] <= 1e3:
            raise ValueError(f"ridges: given {self.ridges}, must rise within (0, 1000]")
        return self


class Bounds(Config):
    """Regions of the claims, fixed before the runs that decide."""

    none: float = Field(0.002, gt=0, le=1, description="nats of surplus that count as none")
    gain: float = Field(0.02, gt=0, le=1, description="nats of surplus that count as a gain")
    share: float = Field(0.8, gt=0, lt=1, description="share of the exact surplus that counts as found")
    beyond: float = Field(0.05, gt=0, lt=1, description="gain in share that counts")
    law: float = Field(0.95, gt=0, lt=1, description="share of the surplus that counts as all of it")
    aligned: float = Field(0.9, gt=0, lt=1, description="overlap of subspaces that counts as alignment")
    null: float = Field(0.3, gt=0, lt=1, description="overlap that counts as none")
    gate: float = Field(0.2, gt=0, lt=1, description="learnt: last excess below this share of h_0 - h_T")


class Probe(Config):
    """Which point of the grid a cell is, with everything that its numbers depend on."""

    kind: Literal["member", "tuning"] = Field(description="judged, or seen by the choice of the rate alone")
    role: Role = Field(description="what the source is there for")
    seed: int = Field(0, ge=0, description="replicate: seed of first weights and of all tokens")
    learning_rate: float = Field(description="peak learning rate")
    reading: Reading | None = Field(None, description="how layers are read")
