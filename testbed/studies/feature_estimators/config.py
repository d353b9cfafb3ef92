"""What the study `feature_estimators` is asked: states, clouds, dials, bounds. All of it fixed before the run."""

from typing import Literal, Self

from pydantic import Field, model_validator

from testbed.core import Config

MOST_BITS = 6


class Clouds(Config):
    """Features of known state: l fair bits, embedded in d dimensions with isotropic noise."""

    n_bits: tuple[int, ...] = Field((1, 2, 3, 4, 5), min_length=3, max_length=MOST_BITS, description="l, rising")
    dimension: int = Field(32, ge=8, le=256, description="d")
    n_samples: int = Field(1200, ge=200, le=8192, description="N, rows of a cloud")
    noise: float = Field(0.1, gt=0, le=1, description="standard deviation of the noise in each dimension")
    scale: float = Field(3.0, gt=1, le=100, description="factor of the condition `rescaled`")
    condition: float = Field(10.0, gt=1, le=1000, description="largest over smallest factor of the random affine map")
    fewer: int = Field(2, ge=2, le=16, description="N is divided by it in the condition `samples`")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if list(self.n_bits) != sorted(set(self.n_bits)) or not 1 <= self.n_bits[0] <= self.n_bits[-1] <= MOST_BITS:
            raise ValueError(f"n_bits: given {self.n_bits}, must rise within 1 .. {MOST_BITS}")
        if 2 ** self.n_bits[-1] > self.dimension:
            raise ValueError(f"dimension: given {self.dimension}, must be 2^l = {2 ** self.n_bits[-1]}: one-hot states")
        if self.n_samples // self.fewer <= self.dimension + 8:
            few = self.n_samples // self.fewer
            raise ValueError(
                f"n_samples: given {self.n_samples}; {few} rows are too few in dimension = {self.dimension}"
            )
        return self


class Kernel(Config):
    """The kernel entropy against its identity, and on laws of one covariance."""

    dimensions: tuple[int, ...] = Field(
        (2, 4, 8, 16, 32, 64, 128), min_length=3, max_length=16, description="d, rising"
    )
    bandwidths: tuple[float, ...] = Field(
        (0.2, 0.4, 0.6, 0.8, 1.0), min_length=2, max_length=16, description="h beside Scott's, rising"
    )
    n_samples: int = Field(1000, ge=200, le=8192, description="N")
    spread: float = Field(0.1, gt=0, lt=1, description="s of two-valued coordinates +-(1 - s^2)^(1/2) + s g")

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name in ("dimensions", "bandwidths"):
            given = getattr(self, name)
            if list(given) != sorted(set(given)) or given[0] <= 0:
                raise ValueError(f"{name}: given {given}, must rise from above 0")
        if self.dimensions[-1] * 2 > self.n_samples:
            raise ValueError(f"n_samples: given {self.n_samples}, must be twice the largest of dimensions")
        if self.bandwidths[-1] > 100:
            raise ValueError(f"bandwidths: given {self.bandwidths}, at most 100")
        return self


class Sweep(Config):
    """The clouds of bits again, one thing changed at a time: how many rows, how many dimensions, which unit."""

    n_bits: tuple[int, ...] = Field((1, 2, 3, 4), min_length=3, max_length=MOST_BITS, description="l, rising")
    n_samples: tuple[int, ...] = Field((150, 300, 600, 1200), min_length=2, max_length=8, description="N, rising")
    dimensions: tuple[int, ...] = Field((16, 32, 64), min_length=2, max_length=8, description="d, rising")
    scales: tuple[float, ...] = Field((0.1, 0.3, 1.0, 3.0, 10.0), min_length=2, max_length=8, description="a, rising")
    base: tuple[int, int] = Field((1200, 32), description="N and d where they are not the thing changed; a is 1")
    noise: float = Field(0.1, gt=0, le=1, description="standard deviation of the noise in each dimension")

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name, low, high in (("n_bits", 1, MOST_BITS), ("n_samples", 50, 8192), ("dimensions", 16, 256)):
            given = getattr(self, name)
            if list(given) != sorted(set(given)) or not low <= given[0] <= given[-1] <= high:
                raise ValueError(f"{name}: given {given}, must rise within {low} .. {high}")
        if list(self.scales) != sorted(set(self.scales)) or not 0 < self.scales[0] <= self.scales[-1] <= 1e3:
            raise ValueError(f"scales: given {self.scales}, must rise from above 0 to 1000 at most")
        if self.base[0] not in self.n_samples or self.base[1] not in self.dimensions or 1.0 not in self.scales:
            raise ValueError(f"base: given {self.base}; it must be among n_samples and dimensions, and 1 among scales")
        if min(self.n_samples[0], self.base[0]) <= max(self.dimensions[-1], self.base[1]) + 8:
            raise ValueError(f"n_samples: given {self.n_samples}; some are too few in {self.dimensions[-1]} dimensions")
        return self

    @property
    def points(self) -> tuple[tuple[str, int, int, float], ...]:
        """What is changed, N, d and a, of every cloud."""
        n, d = self.base
        return (
            *(("N", one, d, 1.0) for one in self.n_samples),
            *(("d", n, one, 1.0) for one in self.dimensions),
            *(("a", n, d, one) for one in self.scales),
        )


class Bounds(Config):
    """Regions of the claims, fixed before the runs that decide."""

    error: float = Field(0.05, gt=0, lt=1, description="largest error of S, share of its range, with which one passes")
    own_share: float = Field(
        0.99, gt=0, lt=1, description="share of its own kernel from which a density is an identity"
    )
    shape: float = Field(0.25, gt=0, lt=1, description="least share of a true difference of entropies that is seen")
    sweep: float = Field(0.02, gt=0, lt=1, description="share within which a bandwidth moves an estimate by d ln h")


class Probe(Config):
    """Which point of the grid a cell is, with everything that its numbers depend on."""

    kind: Literal["clouds", "kernel", "sweep"] = Field(description="what is computed")
    replicate: int = Field(ge=0, description="number of the replicate: its stream of random numbers")
    clouds: Clouds | None = Field(None, description="settings")
    kernel: Kernel | None = Field(None, description="settings")
    sweep: Sweep | None = Field(None, description="settings")
