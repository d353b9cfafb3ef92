"""What the study `cosscale` is asked: tasks, scales, windows, and the bounds of its claims. Fixed before the run."""

from typing import Literal, Self

from pydantic import Field, model_validator

from testbed.core import Config
from testbed.methods import AnyMethod, RotaryPositions
from testbed.sources import AnySource

NAME = r"^[A-Za-z0-9][A-Za-z0-9-]*$"
Role = Literal["local", "far", "recall", "content"]
"""T5, T6, T2 and T7b of the catalogue of tasks: what is to be read stands near, far, in one place of all, or in all."""


class Task(Config):
    """A source, how members are trained on it, and what they are scored on."""

    role: Role = Field(description="which claims rest on it")
    source: AnySource = Field(description="law of the tokens, the same for all replicates")
    steps: int = Field(600, ge=1, le=10_000_000, description="optimiser steps, the same for every arm")
    sequences_per_step: int = Field(16, ge=1, le=1_000_000, description="sequences of m tokens a step")
    n_sequences: int = Field(
        64, ge=2, le=1_000_000, description="fresh sequences at each length, on which the excess is measured"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.source.takes_inputs:
            raise ValueError(f"source: {self.source.type_name} has real-valued inputs, which the model does not read")
        if self.role == "local":
            from testbed.sources.power_law.mixture_transition import MixtureTransitionSource
            from testbed.studies.cosscale.floors import enumerable

            if not isinstance(self.source, MixtureTransitionSource) or not enumerable(self.source):
                raise ValueError(
                    "source: a local task is a mixture_transition of few lags and symbols, whose windows' floors are"
                    " exact"
                )
        if self.role == "far":
            from testbed.sources.recall.far_source import FarSource

            if not isinstance(self.source, FarSource) or self.source.min_distance != self.source.max_distance:
                raise ValueError("source: a far task is a far_source with one distance, whose floor is exact")
        return self


class Baseline(Config):
    """Positions of their own, trained on the recall task with and without CosScale (claim C9, figure 3)."""

    name: str = Field(pattern=NAME, description="name in figures and records")
    methods: tuple[AnyMethod, ...] = Field(min_length=1, description="attention methods in training")

    @property
    def rotary(self) -> bool:
        """Whether it has RoPE after all: C9 compares those that have not."""
        return any(isinstance(one, RotaryPositions) for one in self.methods)


class Tuning(Config):
    """Each arm's learning rate on each task: of the rates at which most replicates learnt, on seeds of its own, that of
    the least mean cross-entropy on held-out tokens; where all learnt, the smallest of those within one standard error
    of the paired difference from it."""

    learning_rates: tuple[float, ...] = Field((3e-3, 1e-2, 3e-2), min_length=1, description="grid, rising")
    n_seeds: int = Field(3, ge=1, le=10_000, description="seeds that only the tuning sees")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if list(self.learning_rates) != sorted(set(self.learning_rates)):
            raise ValueError(f"learning_rates: given {self.learning_rates}, must rise")
        return self


class Reading(Config):
    """How attention is looked at."""

    n_sequences: int = Field(
        32, ge=1, le=1_000_000, description="probe sequences of m tokens, the same for every arm of a replicate"
    )
    n_rows: int = Field(
        8, ge=1, le=1_000_000, description="of these, sequences whose rows are kept and compared between arms"
    )
    heat_length: int = Field(64, ge=4, le=65_536, description="tokens of the sequence in the heat maps (figure 5)")


class Bounds(Config):
    """Regions and regimes of the claims, fixed before the run that is judged."""

    gate: float = Field(
        0.05, gt=0, lt=1, description="a replicate has learnt if its excess at m is below this share of no context's"
    )
    reads: float = Field(
        1 / 3,
        gt=0,
        lt=1,
        description="the same where a claim says that an arm loses what a window loses, on the local source: it must"
        " have been trained to look at more than its own key",
    )
    peak_step: float = Field(0.01, gt=0, description="least rise of the peak from one alpha to the next (C3)")
    peak_share: float = Field(
        0.25, gt=0, lt=1, description="share of 1 - eta that is asked for in its place where that is less (C3)"
    )
    cosine: float = Field(0.03, gt=0, description="error of an attended cosine that counts as agreement (S2)")
    learnt: float = Field(0.05, gt=0, description="cosine by which training must pass softmax alone (section 3.3)")
    large_from: float = Field(32.0, description="alpha from which C3's rise must be learnt and P8 is judged")
    main_alpha: float = Field(32.0, description="the 'much larger' alpha of C4 in the standard block")
    gau_main_alpha: float = Field(128.0, description="the same in the paper's block: its main setting")
    window: float = Field(0.9, gt=0, lt=1, description="mass within the window that counts as windowed (C4)")
    windowed_from: float = Field(16.0, description="alpha from which aligned attention is windowed (P7)")
    window_error: float = Field(0.1, gt=0, description="error of a window's mass that counts as agreement (P7)")
    rows: float = Field(0.01, gt=0, description="smallest difference of Jensen-Shannon divergences of rows, nats (C4)")
    excess: float = Field(0.02, gt=0, description="smallest difference of excess that counts, nats")
    failed: float = Field(0.5, gt=0, lt=1, description="share of the windowed floor that counts as failing (P8)")
    entropy: float = Field(1.0, gt=0, description="entropy below which attention is sharp, nats (P9)")
    angle: float = Field(0.05, gt=0, description="smallest difference of angular contrast that counts (C8)")
