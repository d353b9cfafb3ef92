"""What the study `memory_profile` is asked: profiles, learners, sizes, bounds. Fixed before the runs that decide."""

import math
from typing import Literal, Self

from pydantic import Field, model_validator

from testbed.core import Config
from testbed.methods import AnyMethod

ArmName = Literal["recency", "rotary", "absolute", "exchangeable"]
ARMS: tuple[ArmName, ...] = ("recency", "rotary", "absolute", "exchangeable")
MAIN: tuple[ArmName, ...] = ("recency", "rotary", "absolute")
Family = Literal["copy", "parity", "twin", "mixture", "renewal", "hierarchy", "santa_fe"]
FAMILIES: tuple[Family, ...] = ("copy", "parity", "twin", "mixture", "renewal", "hierarchy", "santa_fe")
POWERS: tuple[Family, ...] = ("copy", "mixture", "renewal")
"""Families with two exponents above zero."""
CURVES: tuple[Family, ...] = (*POWERS, "hierarchy")
"""Families whose losses and best lengths are looked at over D; the last one shows no power law at these depths."""
LINEAR: tuple[Family, ...] = ("copy", "mixture")
"""Of these, families whose law is linear in pairs."""
LEARNERS = ("table", "tree", "pairs", "screened")
NETWORK = "network"
LENGTHS = ("table", "pairs")
"""Learners with a context length to choose."""
NetworkFamily = Literal["parity", "twin", "renewal"]
Range = tuple[float, float]


class Arm(Config):
    """How a transformer knows places, and what it is tried on."""

    methods: tuple[AnyMethod, ...] = Field(description="the method of positions")
    learning_rates: tuple[float, ...] = Field(min_length=1, max_length=16, description="rates that are tried, rising")

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_rates(self.learning_rates)
        return self


def check_rates(rates: tuple[float, ...]) -> None:
    """Raise ValueError unless rates rise from above 0."""
    if list(rates) != sorted(set(rates)) or not 0 < rates[0] <= rates[-1] < math.inf:
        raise ValueError(f"learning_rates: given {rates}, must rise from above 0")


class Profiles(Config):
    """Staircases of three bits, noisy copies of one noise at three lags: h and h_0 are the same for all of them."""

    rate_bits: float = Field(0.5, gt=0, lt=3, description="entropy rate h, bits a token")
    split: int = Field(3, ge=2, le=64, description="m: the far lags of a source are those of at least m")
    sums: tuple[int, ...] = Field((12, 18, 24), min_length=2, max_length=16, description="sums of the three lags")
    window: int = Field(21, ge=4, le=256, description="tokens that a member sees; the longest lag")
    far_split: int = Field(16, ge=2, le=256, description="m of the lags in the farther half of the window")
    far_sums: tuple[int, ...] = Field((45, 47, 49), min_length=2, max_length=16, description="their sums")
    far_draws: int = Field(3, ge=1, le=64, description="sources of each crossing there")

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name in ("sums", "far_sums"):
            given = getattr(self, name)
            if len(set(given)) < len(given):
                raise ValueError(f"{name}: given {given}, each sum must stand once")
        return self


BRANCHING = 2
"""Children of a node of the hierarchy."""


class Horizon(Config):
    """Data and learners without a network."""

    sizes: tuple[int, ...] = Field(
        (316, 681, 1468, 3162, 6813, 14_678, 31_623), min_length=4, max_length=16, description="dataset sizes D, rising"
    )
    longest: int = Field(128, ge=8, le=4096, description="longest context")
    tested: int = Field(
        4096, ge=16, le=10**6, description="contexts on which the loss is measured, exact in the target"
    )
    runs: int = Field(
        4, ge=1, le=64, description="data sets of each source, but for Santa Fe processes and hierarchies: one"
    )
    table_entries: int = Field(2**16, ge=16, le=2**22, description="contexts that a table may have")
    tree_depth: int = Field(20, ge=1, le=64, description="depth of context trees")
    screening: float = Field(
        1e-3, gt=0, lt=1, description="lags that screened pairs take in by chance, a component, at every D"
    )
    least: float = Field(1e-3, gt=0, lt=0.1, description="least probability that a learner of pairs gives")
    copy_exponent: Range = Field((1.4, 2.0), description="gamma of copies; their beta is (gamma + 1) / 2")
    copy_lags: int = Field(
        8, ge=4, le=12, description="lags 1, 2, 4, .. of copies; the last one is their longest context"
    )
    copy_amplitude: float = Field(0.5, gt=0, le=0.6, description="h_0 - h of copies, nats")
    parity_degrees: tuple[int, ...] = Field((7, 8, 9), min_length=1, max_length=8, description="degrees of parities")
    parity_noise: float = Field(0.1, gt=0, lt=0.5, description="their noise")
    parity_window: int = Field(32, ge=8, le=512, description="longest context on parities and their twins")
    mixture_exponent: Range = Field((0.7, 1.0), description="a of w_l ~ l^-(1 + a)")
    mixture_fresh: float = Field(0.3, gt=0, lt=1, description="probability of a fresh draw")
    mixture_reach: int = Field(512, ge=8, le=4096, description="longest lag of the mixture")
    renewal_exponent: Range = Field((2.2, 2.6), description="t: P(gap > n) = (1 + n)^-t")
    renewal_gap: int = Field(2**14, ge=64, le=2**20, description="longest gap")
    tree_symbols: int = Field(8, ge=2, le=64, description="v, symbols of the hierarchy")
    tree_rules: int = Field(3, ge=1, le=64, description="m, rules of a symbol")
    tree_levels: int = Field(4, ge=3, le=8, description="levels of the tree; 2^levels leaves")
    keys: int = Field(8, ge=2, le=64, description="keys of the Santa Fe process")
    hilberg: float = Field(0.5, gt=0, lt=1, description="b: p_k ~ k^(-1/b)")
    key_window: int = Field(24, ge=8, le=256, description="longest context on the Santa Fe process")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if list(self.sizes) != sorted(set(self.sizes)) or not 10 <= self.sizes[0] <= self.sizes[-1] <= 10**8:
            raise ValueError(f"sizes: given {self.sizes}, must rise within 10 .. 10^8")
        for name in ("copy_exponent", "mixture_exponent", "renewal_exponent"):
            low, high = getattr(self, name)
            if not (0 < low <= high <= 8 and math.isfinite(high)):
                raise ValueError(f"{name}: given {low}, {high}, must rise within 0 .. 8")
        degrees = self.parity_degrees
        if len(set(degrees)) < len(degrees) or not 2 <= min(degrees) <= max(degrees) <= self.parity_window:
            raise ValueError(f"parity_degrees: given {degrees}, must differ and lie within 2 .. {self.parity_window}")
        if self.tree_rules > self.tree_symbols ** (BRANCHING - 1):
            raise ValueError(f"tree_rules: given {self.tree_rules}, must be at most tree_symbols, {self.tree_symbols}")
        return self


class Networks(Config):
    """Transformers on datasets of D targets, stopped where the held-out loss is least."""

    families: tuple[NetworkFamily, ...] = Field((), description="families that they are trained on; stationary ones")
    window: int = Field(64, ge=2, le=1024, description="tokens that they see")
    methods: tuple[AnyMethod, ...] = Field(("learned",), validate_default=True, description="the method of positions")
    learning_rates: tuple[float, ...] = Field((3e-4, 1e-3, 3e-3), min_length=1, max_length=16, description="rising")

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_rates(self.learning_rates)
        if len(set(self.families)) < len(self.families):
            raise ValueError(f"families: given {self.families}, each must stand once")
        if "parity" in self.families and "twin" not in self.families:
            raise ValueError("families: parity needs twin beside it, which shows that the network learns at all")
        return self


class Bounds(Config):
    """Regions of the claims, fixed before the runs that decide."""

    rank: float = Field(0.3, gt=0, lt=1, description="partial rank correlation from which on a quantity predicts")
    none: float = Field(0.4, gt=0, lt=1, description="partial rank correlation below which it does not")
    share: float = Field(0.5, gt=0, lt=1, description="of h_0 - h: an excess below this share counts as a step made")
    gate: float = Field(
        0.75,
        gt=0,
        lt=1,
        description="something learnt: mean last excess below this share of h_0 - h; not all three bits",
    )
    never: float = Field(
        0.1, gt=0, lt=1, description="share of members without the step from which on steps say nothing"
    )
    exponent: float = Field(0.15, gt=0, lt=1, description="relative error of a loss exponent that counts as none")
    rate: float = Field(0.25, gt=0, lt=1, description="distance from 1 of an exponent that counts as none")
    horizon: float = Field(0.25, gt=0, lt=1, description="relative error of the exponent of n*(D) that counts as none")
    length: float = Field(0.5, gt=0, lt=1, description="error of n* over that of the best constant that counts as none")
    nothing: float = Field(0.05, gt=0, lt=1, description="share of h_0 - h that counts as nothing learnt")
    reach: float = Field(0.5, gt=0, lt=1, description="share of h_0 - h that a network must learn to be heard")
    same: float = Field(0.1, gt=0, lt=1, description="mean |ln ratio| of two losses that counts as none")


class MemberProbe(Config):
    """One trained transformer, with everything that its numbers depend on."""

    kind: Literal["member", "tuning"] = Field(description="judged, or seen by the choice of the rate alone")
    arm: ArmName = Field(description="how it knows places")
    seed: int = Field(ge=0, description="replicate")
    place: int = Field(ge=0, description="number of the source in its replicate")
    lags: tuple[int, int, int] = Field(description="of the three bits")
    learning_rate: float = Field(description="peak learning rate")


class NetworkProbe(Config):
    """One transformer on D targets of a family."""

    kind: Literal["network", "network_tuning"] = Field(description="judged, or seen by the choice of the rate alone")
    family: NetworkFamily = Field(description="source")
    seed: int = Field(ge=0, description="replicate")
    size: int = Field(ge=1, description="D")
    learning_rate: float = Field(description="peak learning rate")


class HorizonProbe(Config):
    """One replicate of a family of the horizon law."""

    kind: Literal["horizon"] = Field("horizon", description="learners without a network")
    family: Family = Field(description="source")
    seed: int = Field(ge=0, description="replicate")
    settings: Horizon = Field(description="data and learners")
