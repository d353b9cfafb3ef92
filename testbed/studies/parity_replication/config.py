"""What the study `parity_replication` is asked: sets of tasks and training protocols. Fixed before the run."""

from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from testbed.core import Config, ConfigError
from testbed.methods import RotaryPositions
from testbed.models import ModelConfig
from testbed.sources import AnySource
from testbed.sources.bit_query import BitQuerySource
from testbed.sources.parity import FarBitsHiddenSource

PAPERS_OWN = ModelConfig(width=208, depth=3, heads=4, mlp_ratio=4, methods=(RotaryPositions(base=4000.0),))
"""Three layers of width 208, FFN 832, rotary base 4000; the number of heads is not published."""
Role = Literal["designed", "control"]
ProtocolName = Literal["released", "sound"]
PROTOCOLS: tuple[ProtocolName, ...] = ("released", "sound")


class TaskSet(Config):
    """A source of parities with the grid of context lengths and dataset sizes on which it is learnt."""

    source: AnySource = Field(description="law of bits, question and answer")
    lengths: tuple[int, ...] = Field(min_length=2, description="context lengths l, rising")
    sizes: tuple[int, ...] = Field(min_length=1, description="dataset sizes D, rising")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not isinstance(self.source, BitQuerySource):
            raise ConfigError(f"source: {self.source.type_name} is no query over bits")
        for name in ("lengths", "sizes"):
            values = getattr(self, name)
            if list(values) != sorted(set(values)) or values[0] < 1 or values[-1] > 2**40:
                raise ConfigError(f"{name}: given {values}, must rise from 1 or more, to 2^40 at most")
        if self.lengths[-1] > 2**16:
            raise ConfigError(f"lengths: given {self.lengths[-1]}, must be at most 65536")
        return self

    @property
    def n_bits(self) -> int:
        """Bits that are laid out for every member."""
        return self.lengths[-1]

    @property
    def risks(self) -> tuple[float, ...]:
        """R_Bayes(l) of every length, exact, nats."""
        risks = np.asarray(self.source.conditional_entropies(self.n_bits).value)
        return tuple(float(risks[length]) for length in self.lengths)


class Protocol(Config):
    """How a network is trained: optimiser, budget, and a grid of settings of which one is chosen for all l and D."""

    learning_rates: tuple[float, ...] = Field((1e-3,), min_length=1, description="grid, rising")
    weight_decays: tuple[float, ...] = Field((8e-4,), min_length=1, description="grid, rising")
    cosine: bool = Field(False, description="the rate falls to zero by half a cosine; else it is constant")
    steps: int = Field(ge=1, le=10**8, description="optimiser steps, the same for every D")
    least_epochs: int = Field(0, ge=0, le=10**6, description="more steps where these are fewer epochs than this")

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name in ("learning_rates", "weight_decays"):
            values = getattr(self, name)
            if list(values) != sorted(set(values)) or values[0] < 0 or values[-1] > 1e3:
                raise ConfigError(f"{name}: given {values}, must rise, from 0 to 1000 at most")
        if self.learning_rates[0] <= 0:
            raise ConfigError(f"learning_rates: given {self.learning_rates}, must be above 0")
        return self

    @property
    def settings(self) -> tuple[tuple[float, float], ...]:
        """Every learning rate with every weight decay, the smaller first."""
        return tuple((rate, decay) for rate in self.learning_rates for decay in self.weight_decays)


class Transformer(Config):
    """The paper's own network: one transformer on tokens, trained at all visible lengths and judged at each."""

    source: AnySource = Field(description="parities whose far bits are hidden in some of the samples")
    lengths: tuple[int, ...] = Field(min_length=3, description="visible lengths l that are judged, rising; last: all")
    sizes: tuple[int, ...] = Field(min_length=1, description="dataset sizes D, rising, beside an endless stream")
    model: ModelConfig = Field(PAPERS_OWN, description="the network")
    learning_rates: tuple[float, ...] = Field((3e-4, 1e-3, 3e-3), min_length=1, description="grid, rising")
    n_tuning_seeds: int = Field(3, ge=1, le=1000, description="replicates on which the rate is chosen")
    batch_size: int = Field(ge=1, le=2**20, description="samples a step")
    steps: int = Field(ge=1, le=10**8, description="optimiser steps, the same for every D")
    n_seeds: int = Field(8, ge=2, le=10_000, description="replicates, the first of the study's")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not isinstance(self.source, FarBitsHiddenSource):
            raise ConfigError(f"source: given {self.source.type_name}, must be far_bits_hidden")
        for name in ("lengths", "sizes", "learning_rates"):
            values = getattr(self, name)
            if list(values) != sorted(set(values)) or not values[0] > 0 or values[-1] > 2**40:
                raise ConfigError(f"{name}: given {values}, must rise from above 0, to 2^40 at most")
        if self.lengths[-1] > 2**16:
            raise ConfigError(f"lengths: given {self.lengths[-1]}, must be at most 65536")
        if self.lengths[0] < self.hidden.least:
            raise ConfigError(f"lengths: given {self.lengths[0]}, shorter than any in training, {self.hidden.least}")
        return self

    @property
    def hidden(self) -> FarBitsHiddenSource:
        assert isinstance(self.source, FarBitsHiddenSource)
        return self.source

    @property
    def tasks(self) -> TaskSet:
        """The parities, all bits shown, at the visible lengths."""
        return TaskSet(source=self.hidden.of, lengths=self.lengths, sizes=self.sizes)
