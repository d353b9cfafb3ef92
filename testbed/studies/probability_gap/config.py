"""What the study `probability_gap` is asked: which chains, which samples, and the bounds of its claims."""

from typing import Literal, Self

from pydantic import Field, model_validator

from testbed.core import Config
from testbed.models import ModelConfig

Kind = Literal["random", "copy"]
SampleKind = Literal["noise", "chain", "copy"]


class Chains(Config):
    """Chains whose every law is known; fresh ones in each replicate."""

    kind: Kind = Field(
        "random", description="random: Dirichlet rows; copy: the token `order` places back, relabelled, or noise"
    )
    vocab_size: int = Field(3, ge=2, le=32, description="V")
    order: int = Field(2, ge=1, le=8, description="k: tokens that the next one depends on")
    concentration: float = Field(1.0, gt=0, description="Dirichlet parameter of the rows of random chains")
    n_chains: int = Field(400, ge=1, description="chains of each replicate")
    learner_tokens: int = Field(300, ge=1, description="observations of the learner that serves as a control")

    @property
    def label(self) -> str:
        """What figures call it."""
        return f"{self.kind}, V = {self.vocab_size}, k = {self.order}"


class Search(Config):
    """First-order chains with whole-number weights, drawn until each statement has a counterexample."""

    vocab_size: int = Field(3, ge=3, le=32, description="V; at two symbols margin and ratio have no counterexample")
    least_weight: int = Field(1, ge=1, description="weights are drawn from this ..")
    largest_weight: int = Field(12, ge=2, description=".. to this")
    n_draws: int = Field(20_000, ge=1, description="chains drawn in each replicate")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.least_weight >= self.largest_weight:
            raise ValueError(f"least_weight: given {self.least_weight}, must be below {self.largest_weight}")
        return self


class Samples(Config):
    """What a sample can tell of the gap."""

    vocab_size: int = Field(4, ge=2, le=32, description="V")
    max_context: int = Field(5, ge=1, le=12, description="M: contexts of 0 .. M tokens")
    chain_order: int = Field(1, ge=1, le=8, description="order of the random chain")
    copy_lag: int = Field(3, ge=1, le=12, description="lag of the copying chain")
    n_sequences: int = Field(100, ge=4, description="sequences of each data set")
    n_targets: int = Field(100, ge=1, description="positions of each sequence that are counted")
    n_sets: int = Field(100, ge=1, description="data sets of each replicate")

    @property
    def n(self) -> int:
        """Positions of a data set, N."""
        return self.n_sequences * self.n_targets

    @model_validator(mode="after")
    def _check(self) -> Self:
        longest = max(self.chain_order, self.copy_lag)
        if longest > self.max_context:
            raise ValueError(f"max_context: given {self.max_context}, must be at least the longest order, {longest}")
        return self


class Trained(Config):
    """Transformers, each trained on a random chain of its own: their laws at each context length beside the chain's."""

    n_models: int = Field(1, ge=1, le=1000, description="transformers in each replicate, each with a chain of its own")
    vocab_size: int = Field(3, ge=2, le=32, description="V")
    order: int = Field(2, ge=1, le=8, description="k: tokens that the next one depends on")
    concentration: float = Field(1.0, gt=0, le=1e6, description="Dirichlet parameter of the rows")
    max_context: int = Field(4, ge=1, le=12, description="M: contexts of 0 .. M tokens")
    steps: int = Field(600, ge=1, le=10**7, description="optimiser steps")
    windows_per_step: int = Field(64, ge=1, le=10**6, description="windows of M + 1 tokens a step, all scored")
    learning_rate: float = Field(5e-3, gt=0, description="peak learning rate")
    model: ModelConfig = Field(ModelConfig(width=32, depth=2, heads=4, mlp_ratio=2), description="the transformer")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.order > self.max_context:
            raise ValueError(f"max_context: given {self.max_context}, must be at least the order, {self.order}")
        if self.vocab_size ** (self.max_context + 1) > 2**16:
            raise ValueError(
                f"max_context: V^(M + 1) = {self.vocab_size ** (self.max_context + 1)} is more than {2**16} contexts"
            )
        return self

    @property
    def label(self) -> str:
        """What figures call it."""
        return f"random, V = {self.vocab_size}, k = {self.order}"


class Bounds(Config):
    """Regions of the claims, fixed before any run of this study."""

    rare: float = Field(0.01, gt=0, lt=1, description="a statement holds if at most this share of chains violates it")
    searches: float = Field(0.5, gt=0, lt=1, description="share of searches that may find a counterexample")
    models: float = Field(0.5, gt=0, lt=1, description="share of transformers that may violate a statement")
    false_alarms: float = Field(0.05, gt=0, lt=1, description="largest false-alarm rate of a sound test")
    formula: float = Field(0.05, gt=0, description="relative error of the formula for noise that counts as agreement")
    bracket: float = Field(0.005, gt=0, description="amount by which a mean estimate may miss its side of the bracket")
    split: float = Field(0.02, gt=0, description="mean split-sample gap of noise that counts as none")
    nearer: float = Field(0.001, gt=0, description="least difference of two errors that counts")


class Probe(Config):
    """Which part of the study a cell is, with everything that its numbers depend on."""

    arm: str = Field(description="name of the arm")
    replicate: int = Field(ge=0, description="number of the replicate: its stream of random numbers")
    settings: Chains | Search | Samples | Trained = Field(description="what is asked")
    kind: SampleKind | None = Field(None, description="source of the samples")
    model: int = Field(0, ge=0, description="trained: number of the transformer within its replicate")
