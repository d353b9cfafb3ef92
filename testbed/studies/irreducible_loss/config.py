"""What the study `irreducible_loss` is asked: sizes, runs, draws, bounds. Fixed before the runs that decide."""

from typing import Literal, Self

from pydantic import Field, model_validator

from testbed.core import Config

What = Literal["table", "regression", "two_sizes", "other_stream"]


class Sizes(Config):
    """Dataset sizes of a sweep, doubling, in targets for each free number of the learner."""

    first: float = Field(gt=0, le=1e6, description="targets for each free number at the smallest size")
    points: int = Field(7, ge=5, le=24, description="sizes, each twice the one before")

    @property
    def factors(self) -> tuple[float, ...]:
        """Targets for each free number."""
        return tuple(self.first * 2.0**i for i in range(self.points))


class Sweeps(Config):
    """The sizes of every sweep."""

    early: Sizes = Field(
        Sizes(first=0.5), description="fewer than a hundred targets for each number: models of our day"
    )
    late: Sizes = Field(Sizes(first=100.0), description="where the excess is n / 2D")
    rich: Sizes = Field(Sizes(first=64.0), description="two sizes: targets for each number of the largest table")
    poor: Sizes = Field(Sizes(first=0.5, points=9), description="two sizes: from where the largest table has too few")
    other: Sizes = Field(Sizes(first=10.0, points=10), description="tested on another stream")
    runs: int = Field(4, ge=2, le=10_000, description="training sets at each size")
    other_runs: int = Field(16, ge=2, le=10_000, description="training sets at each size, tested on another stream")
    inverse_temperatures: tuple[float, float] = Field(
        (2.0, 0.25), description="of the other test streams: sharper and flatter than what is learnt"
    )
    penalty: float = Field(0.1, gt=0, le=1e6, description="ridge of the regression on lags")

    @model_validator(mode="after")
    def _check(self) -> Self:
        sharper, flatter = self.inverse_temperatures
        if not 0 < flatter < 1 < sharper <= 100:
            raise ValueError(
                f"inverse_temperatures: given {self.inverse_temperatures}, need one above 1 and one within 0 .. 1"
            )
        return self


class Training(Config):
    """Transformers on endless and finite datasets."""

    sizes: tuple[int, ...] = Field(
        (128, 256, 512, 1024, 2048, 4096, 8192), min_length=5, max_length=24, description="targets D, rising"
    )
    runs: int = Field(3, ge=2, le=1000, description="training sets, with first weights of their own, at each size")
    draws: int = Field(6, ge=2, le=10_000, description="sources of each class")
    learning_rates: tuple[float, ...] = Field((2e-3, 6e-3, 2e-2), min_length=1, max_length=16, description="rising")
    tuning_draws: int = Field(2, ge=1, le=64, description="sources that the choice of the rate alone sees")
    steps: int = Field(400, ge=1, le=10**7, description="optimiser steps, whatever D")
    targets_per_step: int = Field(64, ge=1, le=10**6, description="targets drawn a step")

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name in ("sizes", "learning_rates"):
            given = list(getattr(self, name))
            if given != sorted(set(given)) or given[0] <= 0:
                raise ValueError(f"{name}: given {given}, must rise from above 0")
        return self


class Bounds(Config):
    """Regions of the claims."""

    covered: float = Field(0.8, gt=0, lt=1, description="share of 95 % intervals that hold the truth: enough")
    low: float = Field(0.75, gt=0, lt=1, description="share of limits below the Bayes loss that counts as most")
    signs: float = Field(0.9, gt=0, lt=1, description="share of draws in which a slope has the sign foreseen")
    off: float = Field(0.25, gt=0, description="error of a limit, as a share of what is left at the least loss")


class Probe(Config):
    """One class of sources and one question, with everything that the numbers depend on."""

    what: What = Field(description="which learner and sweep")
    kind: str = Field(description="class of sources")
    first_draw: int = Field(ge=0, description="number of the first source")
    draws: int = Field(ge=1, description="sources")
    sweeps: Sweeps = Field(description="sizes")


class MemberProbe(Config):
    """One trained transformer."""

    what: Literal["member", "endless", "tuning"] = Field(description="why it is trained")
    kind: str = Field(description="class of sources")
    draw: int = Field(ge=0, description="number of the source")
    size: int = Field(ge=0, description="targets D; 0: endless")
    run: int = Field(ge=0, description="number of the training set")
    learning_rate: float = Field(description="peak learning rate")
