"""What the study `positional_prior` is asked: sources, priors, blocks, bounds. Fixed before the runs that decide."""

from typing import Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from testbed.core import Config
from testbed.sources import Source, build

Arm = Literal["nope", "rope", "alibi", "harmonic", "rope_harmonic", "kerple_log", "kerple_power"]
ARMS: tuple[Arm, ...] = ("nope", "rope", "alibi", "harmonic", "rope_harmonic", "kerple_log", "kerple_power")
SLOPED: tuple[Arm, ...] = ("alibi", "harmonic", "rope_harmonic")
"""Arms with a fixed slope: ALiBi's and the harmonic one's are chosen for each source; with RoPE it is the same."""
FALLING: tuple[Arm, ...] = ("nope", "alibi", "harmonic", "kerple_log", "kerple_power")
"""Arms whose logits see no lag but through a bias that never rises with it."""
WEAKEST: tuple[Arm, ...] = ("alibi", "harmonic")
"""Arms with an exact read-out of their own; on the single lag both stand at the weakest slope."""
EXPONENTIAL, SINGLE = "exponential", "single"


class Design(Config):
    """The sources, mixture transitions of one alphabet and one share of fresh draws that differ in the law of the lag:

    power_A        w_l ~ l^-(1 + A), for each exponent A
    exponential    w_l ~ exp(-l / scale)
    single         one lag

    All up to lag length x reach: beyond the length of training there are more of them.
    """

    vocab_size: int = Field(4, ge=2, le=64, description="tokens V")
    fresh: float = Field(0.3, gt=0, lt=1, description="probability w_0 of a fresh draw")
    length: int = Field(32, ge=8, le=1024, description="tokens T of a training sequence")
    reach: int = Field(4, ge=2, le=4, description="longest sequence looked at, in lengths of training")
    exponents: tuple[float, ...] = Field(
        (0.25, 0.75, 1.25), min_length=2, max_length=8, description="A of the power laws, rising"
    )
    scale: float = Field(4.0, ge=0.25, le=1e4, description="of the exponential law, tokens")
    lag: int = Field(8, ge=2, le=512, description="the single lag")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if list(self.exponents) != sorted(set(self.exponents)) or not 0 <= self.exponents[0] <= self.exponents[-1] <= 8:
            raise ValueError(f"exponents: given {self.exponents}, must rise within 0 .. 8")
        if 2 * self.lag > self.length:
            raise ValueError(f"lag: given {self.lag}, must be at most half of length {self.length}")
        if len(set(self.powers)) < len(self.exponents):
            raise ValueError(
                f"exponents: given {self.exponents}, must differ in six digits, their sources' names do not"
            )
        return self

    @property
    def powers(self) -> tuple[str, ...]:
        """Names of the power laws."""
        return tuple(f"power_{one:g}" for one in self.exponents)

    @property
    def tails(self) -> tuple[str, ...]:
        """Sources whose law of the lag falls."""
        return (*self.powers, EXPONENTIAL)

    @property
    def names(self) -> tuple[str, ...]:
        """All sources."""
        return (*self.tails, SINGLE)

    @property
    def middle(self) -> str:
        """The power law that speaks for all of them where one must."""
        return self.powers[len(self.powers) // 2]

    @property
    def longest(self) -> int:
        """Tokens of the longest sequence, and the longest lag."""
        return self.length * self.reach

    def source(self, name: str) -> Source:
        """The source of this name."""
        values: dict[str, Any] = {"type": "mixture_transition", "vocab_size": self.vocab_size, "fresh": self.fresh}
        if name == SINGLE:
            law = np.arange(1, self.lag + 1) == self.lag
            return build(values | {"lag_law": law.astype(np.float64).tolist()})
        if name == EXPONENTIAL:
            law = np.exp(-np.arange(1, self.longest + 1) / self.scale)
            return build(values | {"lag_law": (law / law.sum()).tolist()})
        exponent = self.exponents[self.powers.index(name)]
        return build(values | {"n_lags": self.longest, "lag_exponent": exponent})


class Slopes(Config):
    """Slopes that are tried: m of the harmonic bias, with and without rotation, and of ALiBi; as many of each."""

    harmonic: tuple[float, ...] = Field(
        (0.6, 0.9, 1.2, 1.5, 1.8, 2.1), min_length=3, max_length=32, description="rising"
    )
    alibi: tuple[float, ...] = Field(
        (0.1, 0.16, 0.25, 0.4, 0.64, 1.0), min_length=3, max_length=32, description="rising"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name, grid in (("harmonic", self.harmonic), ("alibi", self.alibi)):
            if list(grid) != sorted(set(grid)) or not 0 < grid[0] <= grid[-1] <= 100:
                raise ValueError(f"{name}: given {grid}, must rise within 0 .. 100, 0 left out")
        if len(self.harmonic) != len(self.alibi):
            raise ValueError(f"alibi: given {len(self.alibi)} slopes, harmonic has {len(self.harmonic)}; give as many")
        return self

    def of(self, arm: Arm) -> tuple[float, ...]:
        """The grid of an arm."""
        return self.alibi if arm == "alibi" else self.harmonic


class Training(Config):
    """What all members share but rate and slope."""

    steps: int = Field(650, ge=1, le=10**7, description="optimiser steps")
    warmup_steps: int = Field(20, ge=0, le=10**6, description="steps of linear warm-up")
    sequences_per_step: int = Field(16, ge=1, le=10**6, description="fresh sequences of a step")


class Reading(Config):
    """What is looked at on fresh sequences, the same for all arms of a replicate."""

    n_sequences: int = Field(256, ge=2, le=10**6, description="sequences of the longest length, for the excess")
    n_blocks: int = Field(128, ge=2, le=10**6, description="of these, sequences on which blocks are dropped")
    n_exact: int = Field(2048, ge=2, le=10**6, description="sequences for the divergences of the exact side")
    block: int = Field(2, ge=1, le=1024, description="tokens in a block")
    near: int = Field(1, ge=0, le=1024, description="blocks apart up to which all is kept")
    powers: tuple[float, ...] = Field(
        (0.25, 0.5, 1.0, 2.0),
        min_length=1,
        max_length=16,
        description="of pi(r) = (1 + max(r - near, 0))^-power, rising",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if list(self.powers) != sorted(set(self.powers)) or not 0 < self.powers[0] <= self.powers[-1] <= 100:
            raise ValueError(f"powers: given {self.powers}, must rise within 0 .. 100, 0 left out")
        if self.n_blocks > self.n_sequences:
            raise ValueError(f"n_blocks: given {self.n_blocks}, at most n_sequences = {self.n_sequences}")
        return self


class Bounds(Config):
    """Regions of the claims, fixed before the runs that decide."""

    lower: float = Field(1e-4, gt=0, lt=1, description="nats: less excess, at the length of training")
    beyond: float = Field(5e-4, gt=0, lt=1, description="nats: less excess, beyond it")
    single: float = Field(0.05, gt=0, lt=1, description="nats: less excess, on the single lag")
    unread: float = Field(0.1, gt=0, lt=1, description="share of what context tells: reads what the exact one reads")
    moved: float = Field(
        0.01, gt=0, lt=1, description="single lag: share that a falling prior must read, or no verdict"
    )
    slope: float = Field(0.25, gt=0, lt=10, description="of best slopes: alike")
    rise: float = Field(0.5, gt=0, lt=1, description="of the best slope, a unit of the exponent: tracks it")
    reach: float = Field(0.1, gt=0, lt=1, description="share of what context tells: small, beyond training")
    as_ideal: float = Field(1.25, ge=1, le=100, description="times what an ideal read-out pays: not more than it")
    cheap: float = Field(0.25, gt=0, lt=1, description="share of what context tells: dropped blocks are cheap")
    dear: float = Field(0.5, gt=0, lt=10, description="share of what context tells: they are dear")
    gate: float = Field(0.25, gt=0, lt=1, description="share of what context tells: excess below which an arm learnt")


class Probe(Config):
    """A cell: the exact side of a source, or a member."""

    kind: Literal["exact", "rate", "slope", "member", "sweep"] = Field(
        description="exact: no model; rate, slope: seen by their choice alone; member, sweep: judged"
    )
    source: str = Field(description="which source")
    arm: Arm | None = Field(None, description="which prior")
    seed: int = Field(0, ge=0, description="replicate: seed of sequences and of first weights")
    learning_rate: float | None = Field(None, description="peak learning rate")
    slope: float | None = Field(None, description="of the arms that have one")
    design: Design | None = Field(None, description="what sources are made of; none of a member that only tunes")
    reading: Reading | None = Field(None, description="what is looked at; none of a member that only tunes")
    slopes: Slopes | None = Field(None, description="exact: the slopes")
    n_exact: int | None = Field(None, description="exact: sequences")


def methods_of(arm: Arm, slope: float | None = None) -> list[Any]:
    """The attention methods of an arm."""
    harmonic = {"type": "harmonic", "slope": slope}
    chosen: dict[Arm, list[Any]] = {
        "nope": ["nope"],
        "rope": ["rope"],
        "alibi": [{"type": "alibi", "slope": slope}],
        "harmonic": ["nope", harmonic],
        "rope_harmonic": ["rope", harmonic],
        "kerple_log": ["nope", "kerple_log"],
        "kerple_power": ["nope", "kerple_power"],
    }
    return chosen[arm]
