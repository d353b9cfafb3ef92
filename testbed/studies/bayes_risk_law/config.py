"""What the study `bayes_risk_law` is asked: how far, how exactly, how many, and the bounds of its claims."""

from typing import Self

from pydantic import Field, model_validator

from testbed.core import Config


class Reading(Config):
    """How a curve R(l) is read: at which lengths, and how exactly."""

    points: int = Field(19, ge=12, le=64, description="context lengths of each window, evenly on a logarithmic scale")
    start: int = Field(8, ge=2, le=64, description="first length of the window of sources with long memory")
    late_start: int = Field(64, ge=4, le=4096, description="first length of the window where laws are asymptotic")
    longest: int = Field(4096, ge=64, le=16384, description="last length of both")
    noise: float = Field(
        0.01, gt=0, le=0.2, description="standard error of a measured R(l), as a share of its fall over the window"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not 16 * self.late_start <= self.longest or not self.start < self.late_start:
            raise ValueError(
                f"late_start: given {self.late_start}, must lie above start and at most at a sixteenth of longest"
            )
        return self


class Rule(Config):
    """When a measured curve is accepted as C_0 + C / l^gamma: all of these."""

    aicc: float = Field(10.0, gt=0, description="AICc of the power law above the best of five laws, at most")
    extrapolation: float = Field(
        0.05, gt=0, description="rms error of what l <= longest / 8 predicts beyond, as a share of the fall, at most"
    )
    negative: float = Field(0.05, ge=0, description="how far below 0 the limit C_0 may lie, as a share of the fall")
    least_fall: float = Field(1e-3, gt=0, description="fall over the window as a share of h_0 - h, at least")


class Bounds(Config):
    """Regions of the claims, fixed before the laptop run."""

    share: float = Field(0.8, gt=0, lt=1, description="share of curves that counts as all but a few")
    few: float = Field(0.2, gt=0, lt=1, description="share of curves that counts as few")
    exponent: float = Field(0.05, gt=0, description="relative error of an exponent that counts as none")
    limit: float = Field(0.05, gt=0, description="error of C_0, as a share of h_l - h at the window's start")
    r_squared: float = Field(0.99, gt=0, lt=1, description="R^2 from which a fit looks good")
    levelling: float = Field(0.9, gt=0, lt=1, description="ratio of successive rises of S(l), over factors 4 of l")
    left: float = Field(0.25, gt=0, lt=1, description="share of h_l - h that is left over the window, at most")


class Probe(Config):
    """One class of sources, with everything that its numbers depend on."""

    kind: str = Field(description="name of the class")
    first_replicate: int = Field(ge=0, description="number of the first draw")
    replicates: int = Field(ge=1, description="draws of the class")
    reading: Reading = Field(description="how curves are read")
    rule: Rule = Field(description="when they are accepted")
    most_keys: int = Field(description="keys of a Santa Fe process, at most")
