"""What the study `linear_entropy` is asked: sources with exact S(l), trained arms, bounds. Fixed before the run."""

from typing import Literal, Self

from pydantic import Field, model_validator

from testbed.core import Config
from testbed.sources import AnySource

Role = Literal["true", "false"]
MOST_LENGTH = 2**16


class Exact(Config):
    """A source whose S(l) and h_l are both exact."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_ ,.-]*$", description="name in figures")
    role: Role = Field(description="true: the linear law holds by construction; false: it does not")
    source: AnySource = Field(description="law of the tokens")
    lengths: tuple[int, ...] = Field(
        (8, 12, 16, 24, 32, 48, 64, 128, 256, 512),
        min_length=6,
        max_length=64,
        description="l, rising; the paper's ten",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if list(self.lengths) != sorted(set(self.lengths)) or self.lengths[0] < 1 or self.lengths[-1] > MOST_LENGTH:
            raise ValueError(f"lengths: given {self.lengths}, must rise within 1 .. {MOST_LENGTH}")
        if not hasattr(self.source, "state_entropies"):
            raise ValueError(f"source: the entropy of the Bayes state of {self.source.type_name} is not known")
        return self


class Arm(Config):
    """A source on which transformers are trained, and the context lengths at which their features are looked at."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_ -]*$", description="name in figures and records")
    source: AnySource = Field(description="law of the tokens")
    lengths: tuple[int, ...] = Field(
        min_length=6, max_length=32, description="l at which entropies of features are estimated, rising"
    )
    probed: int = Field(16, ge=1, le=1024, description="l at which the Bayes state is read off the features")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if list(self.lengths) != sorted(set(self.lengths)) or self.lengths[0] < 1 or self.lengths[-1] > 1024:
            raise ValueError(f"lengths: given {self.lengths}, must rise within 1 .. 1024")
        return self


class Tuning(Config):
    """The learning rate of each arm: least held-out loss over seeds that only the tuning sees."""

    learning_rates: tuple[float, ...] = Field((2e-3, 5e-3, 1.2e-2), min_length=1, max_length=16, description="rising")
    n_seeds: int = Field(2, ge=1, le=64, description="replicates of each rate")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if list(self.learning_rates) != sorted(set(self.learning_rates)) or self.learning_rates[0] <= 0:
            raise ValueError(f"learning_rates: given {self.learning_rates}, must rise from above 0")
        return self


class Estimators(Config):
    """The paper's estimators, on features of fresh sequences."""

    n_sequences: int = Field(2000, ge=50, le=2**20, description="features of each l: as many rows")
    thresholds: tuple[float, ...] = Field(
        (1e-1, 1e-2, 1e-3, 1e-4), min_length=1, max_length=32, description="theta of the intrinsic dimension"
    )
    n_terms: tuple[int, ...] = Field((4, 8, 16, 32), min_length=1, max_length=32, description="N of S_N")
    penalty: float = Field(
        0.01, gt=0, le=1e6, description="prior precision of the probe that bounds I(features; state)"
    )
    n_shuffles: int = Field(19, ge=1, le=10_000, description="shuffled nulls of the probe")


class Bounds(Config):
    """Regions of the claims, fixed before the runs that decide."""

    residual: float = Field(0.02, gt=0, lt=1, description="largest residual of the line, share of the range: linear")
    correlation: float = Field(0.97, gt=0, lt=1, description="|r| from which the paper calls a relation linear")
    noisy_residual: float = Field(0.05, gt=0, lt=1, description="the same of estimates on trained features")
    learnt: float = Field(0.03, gt=0, lt=1, description="gain in |r| over untrained features that counts as learnt")
    probe: float = Field(0.9, gt=0, lt=1, description="least R^2 at which features track the Bayes state")
    over_untrained: float = Field(0.02, gt=0, lt=1, description="gain in R^2 over untrained features that counts")
    information: float = Field(0.98, gt=0, lt=1, description="least share of S that a probe finds")
    gate: float = Field(0.1, gt=0, lt=1, description="learnt: excess below this share of h_0 - h_l at the longest l")


class Probe(Config):
    """Which point of the grid a cell is, with everything that its numbers depend on."""

    kind: Literal["exact", "member", "tuning"] = Field(description="what is measured")
    name: str = Field(description="name of source or arm")
    seed: int = Field(0, ge=0, description="replicate: seed of first weights and of all tokens")
    learning_rate: float | None = Field(None, description="peak learning rate")
    exact: Exact | None = Field(None, description="settings")
    arm: Arm | None = Field(None, description="settings")
    estimators: Estimators | None = Field(None, description="settings")
