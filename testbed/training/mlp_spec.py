"""`MLPSpec`: everything that decides what an MLP learns of a query over bits."""

from typing import ClassVar, Self

from pydantic import Field, model_validator

from testbed.core import Config, ConfigError
from testbed.models.mlp_config import MLPConfig
from testbed.sources import AnySource
from testbed.sources.bit_query import BitQuerySource

MLP_TRAINER_VERSION = 1
"""Raised when an unchanged spec would train to something else."""


class MLPOptimiserConfig(Config):
    """AdamW at a constant rate, or at one that falls to zero by half a cosine; torch's other defaults."""

    learning_rate: float = Field(1e-3, gt=0, description="peak learning rate")
    weight_decay: float = Field(8e-4, ge=0, description="decoupled weight decay of all weights")
    clip: float | None = Field(1.0, gt=0, description="largest gradient norm; None: no clipping")
    cosine: bool = Field(False, description="the rate falls to zero by half a cosine; else it is constant")


class MLPSpec(Config):
    """One member: D samples are drawn once, and gone through in batches of B, in a new order every epoch."""

    source: AnySource = Field(description="law of bits, question and answer")
    context_length: int = Field(ge=0, le=2**20, description="l: the nearest bits that the member sees")
    n_bits: int = Field(ge=1, le=2**20, description="bits of a sample; the longest l")
    n_targets: int = Field(gt=0, le=2**40, description="dataset size D, samples")
    batch_size: int = Field(ge=1, le=2**30, description="samples a step, B; the last batch of an epoch holds the rest")
    steps: int = Field(ge=1, le=10**9, description="optimiser steps")
    patience: int = Field(25, ge=1, le=10**6, description="epochs without a new least validation loss that end the run")
    most_epochs: int = Field(200, ge=1, le=10**6, description="epochs that end the run in any case")
    n_validation: int = Field(4096, ge=2, le=2**30, description="validation samples, all of them scored every epoch")
    model: MLPConfig = Field(MLPConfig(), description="the network")
    optimiser: MLPOptimiserConfig = Field(MLPOptimiserConfig(), description="the optimiser")
    data_seed: int = Field(0, ge=0, lt=2**63, description="seed of all samples and of their order")
    initial_seed: int = Field(0, ge=0, lt=2**63, description="seed of the initial weights")

    member_fields: ClassVar[frozenset[str]] = frozenset(
        {"context_length", "data_seed", "initial_seed", "optimiser.learning_rate", "optimiser.weight_decay"}
    )
    """What may differ between members of one ensemble."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not isinstance(self.source, BitQuerySource):
            raise ConfigError(f"source: {self.source.type_name} is no query over bits, which alone an MLP can read")
        if self.context_length > self.n_bits:
            raise ConfigError(f"context_length: given {self.context_length}, must be at most n_bits = {self.n_bits}")
        return self

    @property
    def steps_per_epoch(self) -> int:
        """ceil(D / B)."""
        return -(-self.n_targets // self.batch_size)

    @property
    def shape(self) -> str:
        """What the members of one ensemble share, as a string."""
        shared = self.resolved()
        for name in self.member_fields:
            table, _, key = name.rpartition(".")
            (shared[table] if table else shared).pop(key)
        return repr(shared)
