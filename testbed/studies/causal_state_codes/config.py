"""What the study `causal_state_codes` is asked: arms, reading, bounds. Fixed before the runs that decide."""

from typing import Literal, Self

from pydantic import Field, model_validator

from testbed.core import Config
from testbed.studies.causal_state_codes.sources import UNIFILAR, Arm


class Steps(Config):
    """Optimiser steps of each arm."""

    golden_mean: int = Field(300, ge=1, le=10**7, description="on the golden mean process")
    even: int = Field(1000, ge=1, le=10**7, description="on the even process")
    triple: int = Field(1000, ge=1, le=10**7, description="on 1s in blocks of three")
    zero_one_random: int = Field(300, ge=1, le=10**7, description="on 0, 1, random")
    rrxor: int = Field(6000, ge=1, le=10**7, description="on RRXOR, where it is trained")
    mess3: int = Field(300, ge=1, le=10**7, description="on Mess3")
    product: int = Field(400, ge=1, le=10**7, description="on Mess3 x golden mean")
    coupled: int = Field(400, ge=1, le=10**7, description="on the pair that is no product")

    def of(self, arm: Arm) -> int:
        found: int = getattr(self, arm)
        return found


class Clusters(Config):
    """How the diffusion spectral entropy is read. Distances are in units of the cloud's root-mean-square radius."""

    bandwidth: float = Field(0.2, gt=0, le=10, description="s of the rule")
    time: float = Field(100.0, ge=1, le=1e6, description="diffusion steps t of the rule")
    bandwidths: tuple[float, ...] = Field(
        (0.02, 0.0356, 0.0632, 0.1125, 0.2, 0.3557, 0.6325, 1.1247, 2.0),
        min_length=3,
        max_length=32,
        description="s of the sweep, evenly spaced in the logarithm",
    )
    n_rows: int = Field(200, ge=20, le=4096, description="places looked at")
    sizes: tuple[int, ...] = Field(
        (100, 200, 400), min_length=2, max_length=8, description="places, rising, over which growth is looked at"
    )
    noises: tuple[float, ...] = Field(
        (0.02, 0.0431, 0.0928, 0.2, 0.431, 2.0),
        min_length=2,
        max_length=16,
        description="root-mean-square lengths of the noise vector that is added, rising",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name in ("bandwidths", "sizes", "noises"):
            values = getattr(self, name)
            if list(values) != sorted(set(values)) or values[0] <= 0 or not values[-1] <= 10**5:
                raise ValueError(f"{name}: given {values}, must rise within (0, 1e5]")
        if self.sizes[0] < 20 or self.sizes[-1] > 4096:
            raise ValueError(f"sizes: given {self.sizes}, must lie in 20 .. 4096")
        if not any(one <= self.bandwidth for one in self.noises):
            raise ValueError(f"noises: given {self.noises}; some must be up to the bandwidth {self.bandwidth}")
        return self

    @property
    def decade(self) -> tuple[int, ...]:
        """Places in `noises` of the decade that ends at the bandwidth of the rule."""
        low, high = self.bandwidth / 10 * (1 - 1e-6), self.bandwidth * (1 + 1e-6)
        return tuple(i for i, one in enumerate(self.noises) if low <= one <= high)


class Codes(Config):
    """Codes of hidden units: how many of the units, and the neighbours that vote."""

    units: tuple[int, ...] = Field(
        (1, 2, 4, 8, 16, 32),
        min_length=2,
        max_length=16,
        description="numbers, rising, of units drawn at random from the network's, of which codes are read beside all",
    )
    few: int = Field(8, ge=2, le=2**20, description="of these, units that are claimed to suffice")
    n_draws: int = Field(2, ge=1, le=100, description="draws of so many units, over which accuracy is averaged")
    n_known: int = Field(1000, ge=20, le=10**5, description="places whose state is known")
    n_judged: int = Field(400, ge=20, le=10**5, description="places, of other histories, at which it is asked for")
    n_neighbours: int = Field(10, ge=1, le=1000, description="nearest that vote, where contexts make the state sure")
    n_neighbours_hidden: int = Field(50, ge=1, le=1000, description="nearest that vote on Mess3, where they do not")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if list(self.units) != sorted(set(self.units)) or self.units[0] != 1 or self.few not in self.units:
            raise ValueError(f"units: given {self.units}, must rise from 1 on and hold few = {self.few}")
        for name in ("n_neighbours", "n_neighbours_hidden"):
            if getattr(self, name) > self.n_known:
                raise ValueError(f"{name}: given {getattr(self, name)}, of {self.n_known} known places")
        return self


class Factors(Config):
    """How residual streams are held against the factors."""

    n_rows: int = Field(1500, ge=100, le=10**5, description="places looked at")
    n_bins: int = Field(4, ge=2, le=64, description="of equal frequency, for each latent: see `factoring`")
    variance: float = Field(0.95, gt=0, lt=1, description="share of the variance that the principal components hold")
    n_shuffles: int = Field(20, ge=1, le=1000, description="shuffles whose information is the null")


class Reading(Config):
    """How features are read."""

    n_sequences: int = Field(500, ge=20, le=2**20, description="fresh sequences")
    first_position: int = Field(4, ge=1, le=1024, description="tokens seen before the first place looked at")
    clusters: Clusters = Field(Clusters(), description="of residual streams")
    codes: Codes = Field(Codes(), description="of hidden units")
    factors: Factors = Field(Factors(), description="of a pair of machines")


class Bounds(Config):
    """Regions of the claims, fixed before the runs that decide."""

    most: float = Field(0.5, gt=0, lt=1, description="share of runs: most of them")
    bits: float = Field(0.1, gt=0, lt=1, description="bits up to which an entropy is as said")
    approach: float = Field(0.1, gt=0, lt=3, description="bits of approach to clusters of laws that count")
    told: float = Field(0.5, gt=0, lt=3, description="DSE, bits, from which noise has clusters to blur")
    regret: float = Field(0.01, gt=0, lt=1, description="accuracy below the Bayes accuracy that counts as reaching it")
    gain: float = Field(0.03, gt=0, lt=1, description="gain in accuracy that counts")
    redundancy: float = Field(0.1, gt=0, lt=1, description="share of histories whose code another has: few")
    modular: float = Field(0.8, gt=0, lt=1, description="InfoM that counts as modular")
    overlap: float = Field(0.5, gt=0, lt=1, description="cos^2 of two factors' directions, over that of random ones")
    explicit_gain: float = Field(0.01, gt=0, lt=1, description="gain of InfoE over the window's tokens that counts")
    trained_gain: float = Field(0.05, gt=0, lt=1, description="gain of InfoE by training that counts")
    gate: float = Field(0.1, gt=0, lt=1, description="a run has learnt: excess below this share of h_0 - h_T")
    learnt: float = Field(0.8, gt=0, le=1, description="share of an arm's runs that must have learnt")


class Probe(Config):
    """Which point of the grid a cell is, with everything that its numbers depend on."""

    kind: Literal["member", "tuning"] = Field(description="judged, or seen by the choice of the rate alone")
    arm: Arm = Field(description="the source")
    seed: int = Field(0, ge=0, description="replicate: seed of first weights and of all tokens")
    learning_rate: float = Field(description="peak learning rate")
    clusters: Clusters | None = Field(None, description="read clusters, and how")
    codes: Codes | None = Field(None, description="read codes, and how")
    factors: Factors | None = Field(None, description="read factors, and how")
    n_sequences: int = Field(0, ge=0, description="fresh sequences")
    first_position: int = Field(0, ge=0, description="tokens seen before the first place looked at")


__all__ = ["UNIFILAR", "Arm", "Bounds", "Clusters", "Codes", "Factors", "Probe", "Reading", "Steps"]
