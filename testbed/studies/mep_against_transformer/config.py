"""What the study `mep_against_transformer` is asked: sources, budgets, few-window models, and bounds of its claims."""

from typing import Literal, Self

from pydantic import Field, model_validator

from testbed.core import Config
from testbed.models import ModelConfig
from testbed.sources import AnySource

NAME = r"^[A-Za-z0-9][A-Za-z0-9_ +-]*$"
Role = Literal["window suffices", "window cannot"]
Kind = Literal["short", "early", "long", "few"]
"""A model of T tokens; the same stopped early; one of 2T tokens; one of T tokens that saw few windows."""
Purpose = Literal["judged", "tuning"]


class Task(Config):
    """A source, and whether its last T - 1 tokens say all that its past says."""

    name: str = Field(pattern=NAME, description="name in figures and records")
    role: Role = Field(description="whether a window of T - 1 tokens can be enough")
    source: AnySource = Field(description="law of the tokens")
    pairwise: bool = Field(False, description="its law is one of pairs, for which all pairs are exact")
    redrawn: bool = Field(False, description="every replicate draws its own law: the replicate's number is its seed")


class Budget(Config):
    """What both models are trained with: the same number of steps, and of tokens a step."""

    steps: int = Field(1200, ge=1, le=10**7, description="optimiser steps")
    sequences_per_step: int = Field(
        32, ge=1, le=10**6, description="windows of 2T tokens a step; a model of T tokens sees twice as many of T"
    )
    early: tuple[int, ...] = Field((60, 240), description="steps of models of T tokens that are stopped early (C17)")
    learning_rates: tuple[float, ...] = Field(
        (1e-3, 3e-3, 1e-2), min_length=1, description="grid of the tuning, rising"
    )
    tuning_seeds: int = Field(2, ge=1, le=1000, description="replicates that the tuning alone sees")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if list(self.learning_rates) != sorted(set(self.learning_rates)):
            raise ValueError(f"learning_rates: given {self.learning_rates}, must rise")
        if list(self.early) != sorted(set(self.early)) or not self.early or not 0 < self.early[-1] < self.steps:
            raise ValueError(f"early: given {self.early}, must rise and end below steps = {self.steps}")
        return self


class Few(Config):
    """Models of T tokens that see N windows again and again: chains of order 2 with a weak memory of the second token.

    Their tables give a neighbour-pair chain and a sliding window; bias against r / 2N says from which N on the window
    is better, if a model's tables err as counts do.
    """

    context_length: int = Field(4, ge=3, le=8, description="T of these models")
    sizes: tuple[int, ...] = Field((64, 256, 1024, 4096), min_length=2, description="N, rising: windows of T tokens")
    alpha: float = Field(4.0, gt=0, le=1e6, description="Dirichlet parameter of the kernels")
    bias: tuple[float, float] = Field((0.005, 0.02), description="chains are drawn until h_1 - h_2 lies here, nats")
    steps: int = Field(400, ge=1, le=10**7, description="optimiser steps")
    windows_per_step: int = Field(64, ge=1, le=10**6, description="windows of T tokens a step")
    learning_rate: float = Field(3e-3, gt=0, description="peak learning rate, the same at every N")
    count_draws: int = Field(16, ge=1, le=10**4, description="sets of N windows for the tables of counts beside them")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if list(self.sizes) != sorted(set(self.sizes)) or not 2 <= self.sizes[0] <= self.sizes[-1] <= 10**7:
            raise ValueError(f"sizes: given {self.sizes}, must rise, from 2 to 10,000,000")
        if not 0 < self.bias[0] < self.bias[1]:
            raise ValueError(f"bias: given {self.bias}, must rise, from above 0")
        return self


class Bounds(Config):
    """Regions of the claims, fixed before the run that decides."""

    gain: float = Field(0.002, gt=0, description="nats per new token: smallest difference of two models of interest")
    own: float = Field(0.002, gt=0, description="nats per new token: smallest difference of two sets of one model")
    gate: float = Field(
        0.005, gt=0, description="learnt: at most this excess per token on the tokens that a model was trained on"
    )
    harmless: float = Field(
        0.001, gt=0, description="nats of 2T tokens: smallest difference of two policies of interest"
    )
    order: float = Field(1e-3, gt=0, description="total variation by which an answer may depend on the tables' order")
    crossing: float = Field(1.5, gt=1, description="factor within which the predicted crossing N counts as right")


class Probe(Config):
    """What is measured of a trained member."""

    kind: Kind = Field(description="which of the models")
    purpose: Purpose = Field("judged", description="judged, or seen by the choice of the learning rate alone")
    task: str = Field(description="name of the task; few: of that arm")
    replicate: int = Field(ge=0, description="number of the replicate: seeds of weights, tokens and redrawn laws")
    context_length: int = Field(description="T")
    learning_rate: float = Field(description="peak learning rate")
    steps: int = Field(description="optimiser steps")
    size: int = Field(0, description="few: N windows; long: sequences of 2T tokens that its counts rest on")
    few: Few | None = Field(None, description="settings of that arm")


def default_model() -> ModelConfig:
    return ModelConfig(width=32, depth=2, heads=4, mlp_ratio=2)
