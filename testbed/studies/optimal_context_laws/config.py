"""What the study `optimal_context_laws` is asked: arms, sizes, and the bounds of its claims."""

import math
from typing import Self

from pydantic import Field, model_validator

from testbed.core import Config

LARGEST_D = 10**8


class Sized(Config):
    """An arm's dataset sizes and context lengths."""

    sizes: tuple[int, ...] = Field(
        (100, 316, 1000, 3162, 10_000, 31_623, 100_000),
        min_length=3,
        max_length=16,
        description="dataset sizes D, rising; each set holds the one before",
    )
    longest: int = Field(256, ge=8, le=65536, description="longest context")

    @model_validator(mode="after")
    def _check_sizes(self) -> Self:
        if list(self.sizes) != sorted(set(self.sizes)) or self.sizes[0] < 10 or self.sizes[-1] > LARGEST_D:
            raise ValueError(f"sizes: given {self.sizes}, must rise within 10 .. {LARGEST_D}")
        return self


class Table(Sized):
    """Tables of order l and context trees on a hidden source of two states, drawn anew for every replicate."""

    longest: int = Field(16, ge=8, le=20, description="longest context; 2^l contexts are listed")
    sizes: tuple[int, ...] = Field(
        (100, 316, 1000, 3162, 10_000, 31_623, 100_000, 316_228, 1_000_000), description="dataset sizes D, rising"
    )
    switch: tuple[float, float] = Field((0.02, 0.05), description="least and largest probability of a switch")
    flip: tuple[float, float] = Field((0.15, 0.25), description="least and largest probability of a flip")
    depths: tuple[int, ...] = Field((1, 2, 4, 6, 8, 10, 12, 14), description="depths of context trees, rising")
    tree_size: int = Field(100_000, ge=10, le=LARGEST_D, description="largest D that context trees are given")

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name in ("switch", "flip"):
            low, high = getattr(self, name)
            if not 0 < low <= high < 0.5:
                raise ValueError(f"{name}: given {low}, {high}, must rise within 0 .. 1/2")
        if list(self.depths) != sorted(set(self.depths)) or not self.depths[0] >= 1 or self.depths[-1] > self.longest:
            raise ValueError(f"depths: given {self.depths}, must rise within 1 .. longest = {self.longest}")
        return self


class Lags(Sized):
    """Logistic regression on l lags, where the law is one: weights fall as lag^-beta (`teacher`)."""

    exponents: tuple[float, ...] = Field((0.75, 1.0, 1.5), min_length=3, max_length=5, description="beta, rising")
    amplitude: float = Field(0.5, gt=0, le=2, description="weight of the nearest lag, nats")
    n_lags: int = Field(512, ge=16, le=4096, description="K, the source's own range: lags with a weight")
    reach: int = Field(8, ge=2, le=256, description="range of the control source, whose farther lags have no weight")

    @model_validator(mode="after")
    def _check(self) -> Self:
        finite = all(math.isfinite(one) for one in self.exponents)
        if not finite or list(self.exponents) != sorted(set(self.exponents)):
            raise ValueError(f"exponents: given {self.exponents}, must rise")
        if not 0.5 < self.exponents[0] <= self.exponents[-1] <= 4.0:
            raise ValueError(f"exponents: given {self.exponents}, must lie above 1/2 and not above 4")
        if not 2 * self.reach <= self.longest <= self.n_lags:
            raise ValueError(f"longest: given {self.longest}, must lie in 2 reach = {2 * self.reach} .. {self.n_lags}")
        return self

    @property
    def middle(self) -> float:
        """The exponent that claims on one source rest on."""
        return self.exponents[len(self.exponents) // 2]


class Distance(Sized):
    """Tables of one announced distance each (`selector`)."""

    longest: int = Field(8192, ge=8, le=65536, description="longest context")
    sizes: tuple[int, ...] = Field(
        (100, 316, 1000, 3162, 10_000, 31_623, 100_000, 316_228, 1_000_000), description="dataset sizes D, rising"
    )
    exponent: float = Field(0.5, gt=0, le=4, description="P(tau > l) = (1 + l)^-exponent")
    max_lag: int = Field(65534, ge=64, le=65534, description="largest distance")
    blunt: float = Field(0.4, gt=0, lt=0.5, description="noise where a distance takes many examples to learn")
    sharp: float = Field(0.02, gt=0, lt=0.5, description="noise where one or two are enough")
    joint_longest: int = Field(14, ge=4, le=20, description="longest context of the joint table")
    joint_size: int = Field(100_000, ge=10, le=LARGEST_D, description="its largest D")


class Keys(Sized):
    """A number for every age of a key on a Santa Fe process: its bits never change."""

    longest: int = Field(8192, ge=8, le=65536, description="longest context")
    sizes: tuple[int, ...] = Field(
        (100, 316, 1000, 3162, 10_000, 31_623, 100_000, 316_228, 1_000_000), description="dataset sizes D, rising"
    )
    n_keys: int = Field(2**14, ge=16, le=2**20, description="number of keys")
    hilberg_exponent: float = Field(0.5, gt=0, lt=1, description="b: h_l - h ~ l^-(1 - b)")


class Pairs(Sized):
    """The parity of two unknown bits for each of 100 announced tasks (variant B)."""

    longest: int = Field(60, ge=20, le=60, description="longest context")
    sizes: tuple[int, ...] = Field(
        (100, 316, 562, 1000, 1778, 3162, 10_000, 31_623, 100_000), description="dataset sizes D, rising"
    )


class Bounds(Config):
    """Regions of the claims, fixed before the laptop run."""

    regret: float = Field(0.1, gt=0, description="share of the least loss above the rate that a choice of l may cost")
    rise: float = Field(0.05, gt=0, description="share of the least loss by which a longer context must cost more")
    growth: float = Field(2.0, gt=1, description="factor by which l* grows over the sizes, at least")
    slope: float = Field(0.1, gt=0, description="error of a power of D that counts as none")
    shift: float = Field(0.35, gt=0, description="|ln ratio| of two l* that counts as none: a step of the grid")
    cost: float = Field(0.2, gt=0, description="relative error of a predicted excess that counts as none")
    asymptotic: int = Field(1000, ge=10, le=LARGEST_D, description="D from which laws of large D are judged")


class Probe(Config):
    """One arm and replicate, with everything that its numbers depend on."""

    arm: str = Field(description="name of the arm")
    replicate: int = Field(ge=0, description="number of the replicate: its stream of random numbers")
    exponent: float | None = Field(None, description="beta, of lags")
    reach: int | None = Field(None, description="lags with a weight, where not all have one")
    noise: float | None = Field(None, description="of distances")
    settings: Table | Lags | Distance | Keys | Pairs = Field(description="the arm")
