"""What the study `approximation_law` is asked: learners, dimensions, sizes, margins. All of it fixed before the run."""

from typing import Literal, Self

from pydantic import Field, model_validator

from testbed.core import Config

Learner = Literal["nearest", "plane", "averaging", "informed", "network_laws", "network_labels"]
LEARNERS: tuple[Learner, ...] = ("nearest", "plane", "averaging", "informed", "network_laws", "network_labels")
NETWORKS: tuple[Learner, ...] = ("network_laws", "network_labels")
NOISY: tuple[Learner, ...] = ("averaging", "informed", "network_labels")
"""Learners that are shown labels; the others are shown the exact law at every point (noise-free)."""
LagLearner = Literal["logistic", "selecting", "network"]
LAG_LEARNERS: tuple[LagLearner, ...] = ("logistic", "selecting", "network")

MOST_SAMPLES = 2**22


def check_rises(name: str, given: tuple[int, ...]) -> None:
    """Raise ValueError unless the numbers rise."""
    if list(given) != sorted(set(given)):
        raise ValueError(f"{name}: given {given}, must rise")


class NetworkConfig(Config):
    """Multilayer perceptrons and how they are fitted; the learning rate is tuned."""

    width: int = Field(48, ge=1, le=4096, description="units of a hidden layer")
    depth: int = Field(2, ge=1, le=16, description="hidden layers")
    steps: int = Field(1500, ge=10, le=10**7, description="optimiser steps, the same at every size")
    batch: int = Field(64, ge=1, le=2**16, description="samples drawn a step, with replacement")
    warmup_steps: int = Field(50, ge=1, le=10**6, description="steps of linear warm-up, before a cosine to zero")
    weight_decay: float = Field(1e-4, ge=0, lt=1, description="of AdamW")
    path_points: int = Field(20, ge=1, le=1000, description="points at which the held-out loss is looked at")


class Tuning(Config):
    """The learning rate of each arm and dimension: least geometric mean excess over sizes, on seeds of its own."""

    learning_rates: tuple[float, ...] = Field((1e-3, 3e-3, 1e-2), min_length=1, max_length=16, description="rising")
    n_seeds: int = Field(2, ge=1, le=64, description="replicates that only the tuning sees")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if list(self.learning_rates) != sorted(set(self.learning_rates)) or self.learning_rates[0] <= 0:
            raise ValueError(f"learning_rates: given {self.learning_rates}, must rise from above 0")
        return self


class Manifolds(Config):
    """Smooth laws of d coordinates on a torus (the source `manifold`), one a replicate, and how they are learnt."""

    inverse_noise: float = Field(2.0, gt=0, le=32, description="beta: log odds of the label run from -2 beta to 2 beta")
    retention: float = Field(0.3, ge=0, le=0.95, description="modulus of a_j: how unevenly the phase turns")
    n_test: int = Field(400, ge=10, le=2**20, description="points at which the exact KL is averaged")
    dimensions: tuple[int, ...] = Field((1, 2, 3, 4), min_length=3, max_length=16, description="d, rising")
    network_dimensions: tuple[int, ...] = Field((2, 3, 4), min_length=3, max_length=16, description="d of the networks")
    sizes: dict[Learner, tuple[int, ...]] = Field(
        {
            "nearest": (1024, 4096, 16384, 65536, 262144),
            "plane": (1024, 4096, 16384, 65536, 262144),
            "averaging": (1024, 4096, 16384, 65536),
            "informed": (128, 512, 2048, 8192),
            "network_laws": (32, 64, 128, 256, 512, 1024, 2048),
            "network_labels": (128, 384, 1152, 3456),
        },
        description="D of each learner, rising",
    )
    endless: int = Field(2**16, ge=100, le=MOST_SAMPLES, description="samples that stand for no end: a network's floor")

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name in ("dimensions", "network_dimensions"):
            check_rises(name, getattr(self, name))
            if min(getattr(self, name)) < 1 or max(getattr(self, name)) > 16:
                raise ValueError(f"{name}: given {getattr(self, name)}, must be 1 .. 16")
        for learner in LEARNERS:
            sizes = self.sizes.get(learner, ())
            check_rises(f"sizes.{learner}", sizes)
            if len(sizes) < 3 or sizes[0] < 16 or sizes[-1] > MOST_SAMPLES:
                raise ValueError(f"sizes.{learner}: given {sizes}, must be three numbers or more, 16 to {MOST_SAMPLES}")
            least = 3 * (max(self.dimensions) + 1)
            if learner == "plane" and sizes[0] < least:
                raise ValueError(f"sizes.plane: given {sizes}, must start at {least}: that many lie in a plane")
        return self

    def dimensions_of(self, learner: Learner) -> tuple[int, ...]:
        """d at which a learner is tried."""
        return self.network_dimensions if learner in NETWORKS else self.dimensions


class Irrelevant(Config):
    """Bits that no answer rests on (the source `selector_lag`, distance uniform on 1 .. K); too many coordinates."""

    max_lag: int = Field(4, ge=1, le=64, description="K: bits farther back help nobody")
    noise: float = Field(0.1, gt=0, lt=0.5, description="chance that the answer is flipped")
    size: int = Field(8192, ge=64, le=MOST_SAMPLES, description="D")
    draws: int = Field(16, ge=1, le=1000, description="samples of D in each replicate, for learners without a network")
    n_test: int = Field(2000, ge=10, le=2**20, description="contexts over which the exact KL is averaged")
    lengths: tuple[int, ...] = Field((4, 8, 16, 32), min_length=2, max_length=32, description="l, rising from K")
    relevant: int = Field(2, ge=1, le=16, description="d0 of the manifold that is given more coordinates than it needs")
    extra: tuple[int, ...] = Field((0, 1, 2, 3), min_length=2, max_length=16, description="coordinates too many")
    extra_size: int = Field(4096, ge=64, le=MOST_SAMPLES, description="D there")

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_rises("lengths", self.lengths)
        check_rises("extra", self.extra)
        if self.lengths[0] != self.max_lag or self.lengths[-1] > 4096:
            raise ValueError(f"lengths: given {self.lengths}, must rise from max_lag = {self.max_lag} to 4096 at most")
        if self.extra[0] != 0 or self.extra[-1] > 16:
            raise ValueError(f"extra: given {self.extra}, must rise from 0 to 16 at most")
        return self


class Bounds(Config):
    """Regions of the claims, fixed before the runs that decide."""

    origin: float = Field(0.3, gt=0, le=10, description="|a| that counts as a line through the origin")
    slope: float = Field(0.1, gt=0, le=10, description="least b at which exponents count as falling with d")
    curvature: float = Field(0.05, gt=0, le=10, description="change of local exponent for each factor e of D")
    growth: float = Field(0.25, gt=0, le=100, description="share by which irrelevant context must raise the excess")
    rate: float = Field(0.15, gt=0, lt=1, description="share within which l K / 2D counts as right")
    gate: float = Field(
        0.33, gt=0, lt=1, description="sizes at which the floor is above this share of excess are left out"
    )


class Probe(Config):
    """Which point of the grid a cell is, with everything that its numbers depend on."""

    kind: Literal["manifold", "lag", "extra", "tuning"] = Field(description="what is measured")
    learner: str = Field(description="name of the learner")
    dimension: int = Field(0, ge=0, description="d, where the source is a manifold")
    replicate: int = Field(ge=0, description="seed of source, data and first weights")
    learning_rate: float | None = Field(None, description="of networks")
    draws: int = Field(1, ge=1, description="samples of each size whose excess is averaged")
    manifolds: Manifolds | None = Field(None, description="settings")
    irrelevant: Irrelevant | None = Field(None, description="settings")
    network: NetworkConfig | None = Field(None, description="settings")
