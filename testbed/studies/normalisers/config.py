"""What the study `normalisers` is asked: norms, stays, statistics, bounds."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from testbed.core import Config

NormName = Literal["layer", "rms", "power", "power_bare", "batch", "batch_scaled", "dyt", "none"]
CORE: tuple[NormName, ...] = ("layer", "batch", "power_bare", "rms", "batch_scaled", "power")
"""Norms that claims are about."""
EVERYWHERE: tuple[NormName, ...] = ("layer", "batch")
"""Norms that are trained in both families and at every stay; others see the longest stay of `burst` alone."""
Family = Literal["burst", "flat"]
FAMILIES: tuple[Family, ...] = ("burst", "flat")


class Bursts(Config):
    """Two regimes, each an order-1 chain, of a mean stay of B tokens; what models see.

    At a stay of 2 the regime is drawn anew at every token; at 1 the two would take turns, the opposite of a burst.
    """

    vocab_size: int = Field(4, ge=2, le=64, description="tokens V")
    tilt: float = Field(0.8, gt=0, lt=1, description="share of a regime's rows on its own half of the tokens")
    stays: tuple[float, ...] = Field((2.0, 64.0), min_length=2, max_length=12, description="B, rising")
    length: int = Field(32, ge=4, le=1024, description="tokens T of a sequence")
    sequences_per_step: int = Field(4, ge=1, le=10**5, description="sequences of a batch, over which norms take means")
    steps: int = Field(800, ge=1, le=10**7, description="optimiser steps")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if list(self.stays) != sorted(set(self.stays)) or not 2 <= self.stays[0] <= self.stays[-1] <= 1e6:
            raise ValueError(f"stays: given {self.stays}, must rise from 2, independent regimes, to at most 1e6")
        return self


class Parts(Config):
    """The second part: the same steps with statistics over fewer sequences, at the longest stay of `burst`."""

    sequences_per_step: int = Field(16, ge=2, le=10**5, description="sequences of a step")
    sizes: tuple[int, ...] = Field(
        (4, 16), min_length=2, max_length=8, description="sequences that share statistics, rising; divide a step's"
    )
    steps: int = Field(250, ge=1, le=10**7, description="optimiser steps")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if list(self.sizes) != sorted(set(self.sizes)) or self.sizes[0] < 1:
            raise ValueError(f"sizes: given {self.sizes}, must be positive and rise")
        if odd := [one for one in self.sizes if self.sequences_per_step % one]:
            raise ValueError(f"sizes: given {odd[0]}, must divide sequences_per_step {self.sequences_per_step}")
        return self


class Reading(Config):
    """What is looked at after training."""

    n_batches: int = Field(24, ge=1, le=10**5, description="fresh batches of a step's size, read as in training")


class Bounds(Config):
    """Regions of the claims, fixed before the runs that decide."""

    slope: float = Field(1e-3, gt=0, lt=1, description="nats a doubling of the stay: a slope that counts")
    closed: float = Field(0.8, gt=0, lt=1, description="share of batch norm's gap that power norm closes")
    left: float = Field(0.5, gt=0, lt=1, description="share of the gap that may be left where statistics are steady")
    gate: float = Field(0.25, gt=0, lt=1, description="share of what context tells: excess below which a run learnt")
    runs: float = Field(
        0.5, gt=0, le=1, description="share of an arm's runs of which this must be true, beside their mean"
    )


Kind = Literal["norm_rate", "norm", "part_rate", "part"]


class Probe(Config):
    """A cell: a member."""

    kind: Kind = Field(description="part of the study; _rate: seen by the choice of rates alone")
    arm: NormName = Field(description="norm")
    family: Family = Field(description="family of sources")
    stay: float = Field(ge=2, le=1e6, description="mean stay B")
    size: int = Field(ge=0, le=10**5, description="sequences that share statistics; 0: a norm without any")
    seed: int = Field(0, ge=0, description="replicate: seed of source, sequences and first weights")
    learning_rate: float = Field(gt=0, description="peak learning rate")
    bursts: Bursts | None = Field(None, description="the source's numbers; of a member that is judged")
    reading: Reading | None = Field(None, description="what is looked at; none of a member that only tunes")


def norm_of(arm: NormName, ghosts: int = 1) -> Any:
    """As a model's config names it."""
    if arm == "power_bare":
        return {"type": "power", "groups": 0}
    if arm == "batch_scaled":
        return {"type": "batch", "scaled": True}
    return {"type": "batch", "ghosts": ghosts} if arm == "batch" and ghosts > 1 else arm
