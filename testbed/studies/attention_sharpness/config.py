"""What the study `attention_sharpness` is asked: gaps, lengths, rates, bounds. Fixed before the runs that decide."""

from typing import Literal, Self

from pydantic import Field, model_validator

from testbed.core import Config
from testbed.methods import AnyMethod
from testbed.sources import AnySource

Kind = Literal["length", "readout", "sweep", "ramp"]


class Copies(Config):
    """Lag copies read by one head whose logits differ by a gap g at most (part b).

    At each gap models are trained at lengths around the one at which half of the information should be lost: a multiple
    of it each, all keys of the window visible, the farthest to be copied.
    """

    noise: float = Field(0.05, gt=0, lt=0.5, description="share of failed copies; it keeps readouts finite")
    gaps: tuple[float, ...] = Field((1.0, 1.3, 1.6, 1.9), min_length=3, max_length=16, description="g, rising")
    multiples: tuple[float, ...] = Field(
        (0.7, 1.0, 1.4), min_length=2, max_length=16, description="lengths, in units of the predicted one, rising"
    )
    readout_gap: float = Field(4.0, gt=0, le=50, description="g at which the readout that is carried on is trained")
    readout_length: int = Field(12, ge=4, le=65_536, description="keys at which it is")
    carried_gaps: tuple[float, ...] = Field(
        (5.0, 6.0, 7.0, 8.0), min_length=3, max_length=16, description="g with which it is read elsewhere, rising"
    )
    steps: int = Field(500, ge=1, le=10**7, description="optimiser steps")
    windows_per_step: int = Field(64, ge=1, le=10**6, description="windows a step")
    learning_rates: tuple[float, ...] = Field((0.05, 0.1, 0.2, 0.4), min_length=1, max_length=16, description="rising")
    tuning_seeds: int = Field(3, ge=1, le=64, description="seeds that the choice of the rate alone sees")

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name in ("gaps", "multiples", "carried_gaps", "learning_rates"):
            given = list(getattr(self, name))
            if given != sorted(set(given)) or not 0 < given[0] <= given[-1] <= 50:
                raise ValueError(f"{name}: given {given}, must rise within 0 .. 50")
        if not self.multiples[0] < 1 < self.multiples[-1]:
            raise ValueError(f"multiples: given {self.multiples}, must lie on both sides of 1")
        return self


class Arm(Config):
    """What holds attention back in the sweep of learning rates."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="name in figures and records")
    methods: tuple[AnyMethod, ...] = Field((), description="added to learned positions")


class Place(Config):
    """A source of the sweep, and what attention should be on it."""

    name: Literal["copy", "coin"] = Field(description="copy: one key of all; coin: all keys alike")
    source: AnySource = Field(description="law of the tokens")


class Sweep(Config):
    """Learning rates from harmless to ruinous, no clipping, and one rate that rises through training (part c)."""

    places: tuple[Place, ...] = Field(min_length=2, max_length=2, description="one of either kind")
    arms: tuple[Arm, ...] = Field(min_length=2, max_length=16, description="the first without anything")
    length: int = Field(32, ge=8, le=65_536, description="tokens of a sequence")
    rates: tuple[float, ...] = Field(
        (0.01, 0.03, 0.1, 0.3, 1.0), min_length=3, max_length=32, description="peak learning rates, rising"
    )
    steps: int = Field(300, ge=10, le=10**7, description="optimiser steps")
    warmup: int = Field(10, ge=0, le=10**6, description="steps of warm-up")
    points: int = Field(12, ge=3, le=1000, description="evaluations along training")
    ramp_rate: float = Field(0.6, gt=0, le=1e3, description="where a rate that rises from 0 ends")
    ramp_points: int = Field(60, ge=3, le=1000, description="evaluations along that training")
    sequences_per_step: int = Field(12, ge=1, le=10**6, description="sequences a step")
    probes: int = Field(8, ge=1, le=10**6, description="fresh sequences on which attention is looked at")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if list(self.rates) != sorted(set(self.rates)) or self.rates[0] <= 0 or self.rates[-1] > 1e3:
            raise ValueError(f"rates: given {self.rates}, must rise from above 0 to 1000 at most")
        if [one.name for one in self.places] != ["copy", "coin"]:
            raise ValueError("places: need copy and coin, in this order")
        if [one.name for one in self.arms][:2] != ["none", "sigma"] or self.arms[0].methods:
            raise ValueError("arms: need none, without methods, then sigma, then others")
        if len({one.name for one in self.arms}) != len(self.arms):
            raise ValueError("arms: two of one name")
        return self

    @property
    def ramped(self) -> tuple[Arm, ...]:
        """Trained under the rising rate too: without anything, and with sigmaReparam."""
        return self.arms[:2]


class Bounds(Config):
    """Regions of the claims."""

    slope: float = Field(0.25, gt=0, le=0.45, description="error of a slope d ln(T* - 2) / dg that counts as agreement")
    place: float = Field(0.3, gt=0, description="|ln T* - ln T*_predicted| that counts as agreement (the card's)")
    works: float = Field(0.2, gt=0, lt=1, description="it works if its excess ends below this share of no context's")
    collapsed: float = Field(0.25, gt=0, lt=1, description="share of ln n below which a head's entropy has collapsed")
    rise: float = Field(0.5, gt=0, description="rise of the excess above its least so far that is a spike, share")
    ratio: float = Field(2.0, gt=1, description="ratio of largest working rates that counts")
    most: float = Field(0.5, gt=0, lt=1, description="share of members that counts as most")
    few: float = Field(0.1, gt=0, lt=1, description="share of members that counts as few")
    reached: float = Field(0.9, gt=0, lt=1, description="share of g that a copy must reach to be judged")
    entropy: float = Field(0.25, gt=0, lt=1, description="difference of least entropies that counts, share of ln n")
    slack: float = Field(0.1, gt=0, lt=1, description="distance from the floor that counts as near, share of ln n")


class Probe(Config):
    """One trained member."""

    kind: Kind = Field(description="which part it belongs to")
    tuning: bool = Field(False, description="for the choice of a rate alone")
    gap: float = Field(0.0, ge=0, description="bound on the difference of two logits; copies alone")
    length: int = Field(0, ge=0, description="keys of the window; copies alone")
    carried_gaps: tuple[float, ...] = Field((), description="with which a readout is read elsewhere")
    place: str = Field("", description="source; sweeps alone")
    arm: str = Field("", description="arm; sweeps alone")
    seed: int = Field(ge=0, description="replicate: weights and tokens")
    learning_rate: float = Field(description="peak learning rate")
