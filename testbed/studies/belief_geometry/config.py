"""What the study `belief_geometry` is asked: sources, how streams are read, bounds. Fixed before the run."""

from typing import Literal, Self

from pydantic import Field, model_validator

from testbed.core import Config
from testbed.sources import AnySource
from testbed.sources.combinators.product import ProductSource
from testbed.sources.machine import MachineSource


class Arm(Config):
    """A source whose beliefs are exact, and how long transformers are trained on it."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_ -]*$", description="name in figures and records")
    source: AnySource = Field(description="law of the tokens: a machine, or a product of two")
    steps: int = Field(600, ge=1, le=10**8, description="optimiser steps")
    learning_rates: tuple[float, ...] = Field(
        (2e-3, 4e-3, 8e-3), min_length=1, max_length=16, description="rates that are tried, rising"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if list(self.learning_rates) != sorted(set(self.learning_rates)) or self.learning_rates[0] <= 0:
            raise ValueError(f"learning_rates: given {self.learning_rates}, must rise from above 0")
        parts = self.source.components if isinstance(self.source, ProductSource) else (self.source,)
        if not all(isinstance(one, MachineSource) for one in parts):
            kinds = ", ".join(one.type_name for one in parts)
            raise ValueError(f"source: given {kinds}; beliefs are known of machines with hidden states and products")
        if isinstance(self.source, ProductSource) and len(parts) != 2:
            raise ValueError(f"source: given a product of {len(parts)}, must be of two")
        return self

    @property
    def is_product(self) -> bool:
        return isinstance(self.source, ProductSource)


class Reading(Config):
    """How beliefs are read off residual streams."""

    n_sequences: int = Field(2000, ge=20, le=2**20, description="fresh sequences")
    first_position: int = Field(
        4, ge=1, le=1024, description="tokens seen before the first place that is read: earlier there are few histories"
    )
    n_folds: int = Field(5, ge=2, le=100, description="parts into which histories are dealt, one held out at a time")
    ridges: tuple[float, ...] = Field(
        (1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2),
        min_length=1,
        max_length=32,
        description="penalties on the squared map, in mean eigenvalues of the features' covariance; that of the largest"
        " held-out R^2 is taken, for every set of features alike",
    )
    n_shuffles: int = Field(19, ge=1, le=1000, description="shuffled nulls")
    shown: int = Field(600, ge=10, le=10**5, description="histories kept for the pictures")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if list(self.ridges) != sorted(set(self.ridges)) or not 0 < self.ridges[0] <= self.ridges[-1] <= 1e3:
            raise ValueError(f"ridges: given {self.ridges}, must rise within (0, 1000]")
        return self


class Bounds(Config):
    """Regions of the claims, fixed before the runs that decide."""

    headline: float = Field(0.95, gt=0, lt=1, description="R^2 that counts as a linear picture of the belief")
    beyond: float = Field(0.05, gt=0, lt=1, description="gain in R^2 that counts")
    layers: float = Field(0.1, gt=0, lt=1, description="gain of all layers together over the last one that counts")
    ratio: float = Field(0.5, gt=0, lt=1, description="share of what logits leave unexplained that a stream may leave")
    excess: float = Field(
        0.01, gt=0, lt=10, description="nats above the Bayes loss at any position that count as on its curve"
    )
    joint: float = Field(0.5, gt=0, lt=1, description="share of an exact joint belief's gain at higher ranks")
    gate: float = Field(0.1, gt=0, lt=1, description="learnt: mean excess below this share of mean h_0 - h_t")


class Probe(Config):
    """Which point of the grid a cell is, with everything that its numbers depend on."""

    kind: Literal["member", "tuning"] = Field(description="judged, or seen by the choice of the rate alone")
    name: str = Field(description="name of the arm")
    seed: int = Field(0, ge=0, description="replicate: seed of first weights and of all tokens")
    learning_rate: float = Field(description="peak learning rate")
    reading: Reading | None = Field(None, description="how streams are read")
