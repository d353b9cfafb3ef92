"""What the study `multipliers` is asked: which targets, how near the boundary, and the bounds of its claims."""

from typing import Self

from pydantic import Field, model_validator

from testbed.core import Config


class Interior(Config):
    """All pairs of random laws: every sequence has a positive probability, so that the multipliers are finite."""

    vocab_size: int = Field(3, ge=2, le=10, description="V")
    length: int = Field(4, ge=3, le=10, description="n; V^n is laid out, and its square for the predicted rate")
    concentrations: tuple[float, ...] = Field(
        (3.0, 1.0, 0.3, 0.1), min_length=2, description="Dirichlet parameters of the law, falling: ever less even"
    )
    tolerance: float = Field(1e-10, gt=0, description="largest marginal error at which a solver has converged")
    most_sweeps: int = Field(20_000, ge=1, description="sweeps of proportional fitting before it is given up")
    most_steps: int = Field(500, ge=1, description="steps of Newton's method and L-BFGS before they are given up")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if list(self.concentrations) != sorted(set(self.concentrations), reverse=True):
            raise ValueError(f"concentrations: given {self.concentrations}, must fall")
        if self.vocab_size**self.length > 1024:
            raise ValueError(
                f"length: {self.vocab_size}^{self.length} sequences are over 1024, the limit of this study"
            )
        return self

    @property
    def label(self) -> str:
        """What figures call it."""
        return f"V = {self.vocab_size}, n = {self.length}"


class Edge(Config):
    """All pairs of three bits, at a known distance from the boundary: slack s, the largest least probability.

    A law q on six of the eight sequences (not 000, 111) mixed with the uniform one, (1 - 8 s) q + s. The laws with its
    pairs differ from it by multiples of the parity function, of opposite sign at 000 and 111: so s is the slack, 0
    leaves q alone, and below 0 there is no law, though every pair has positive probability.
    """

    inside: tuple[float, ...] = Field(
        (0.05, 0.02, 0.01, 0.005, 0.002, 0.001), min_length=3, description="s > 0, falling"
    )
    outside: tuple[float, ...] = Field((-0.002, -0.005), min_length=1, description="s < 0, falling")
    concentration: float = Field(5.0, gt=0, description="Dirichlet parameter of q")
    least: float = Field(0.05, gt=0, lt=1 / 6, description="q is drawn again until each of its six is at least this")
    tolerance: float = Field(1e-10, gt=0, description="largest marginal error at which a solver has converged")
    most_sweeps: int = Field(20_000, ge=1, description="sweeps of proportional fitting before it is given up")
    most_steps: int = Field(500, ge=1, description="steps of Newton's method and L-BFGS before they are given up")
    boundary_sweeps: int = Field(4096, ge=512, description="sweeps on the boundary and outside, whose trace is kept")
    l2: float = Field(1e-3, gt=0, description="weight of the squares of the soft solver")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if list(self.slacks) != sorted(set(self.slacks), reverse=True) or self.inside[-1] <= 0 or self.outside[0] >= 0:
            raise ValueError(f"inside, outside: given {self.inside}, {self.outside}; must fall, and 0 lie between them")
        if self.inside[0] >= 1 / 8 or self.outside[-1] <= -self.least / 4:
            raise ValueError(
                f"inside, outside: slacks must lie above {-self.least / 4:g} and below 1/8: positive pairs"
            )
        return self

    @property
    def slacks(self) -> tuple[float, ...]:
        """All of them, falling; 0 is the boundary."""
        return (*self.inside, 0.0, *self.outside)


class Chain(Config):
    """Neighbouring pairs of a random law: a decomposable set, whose answer has a closed form."""

    vocab_size: int = Field(3, ge=2, le=10, description="V")
    length: int = Field(5, ge=3, le=10, description="n")
    concentration: float = Field(0.3, gt=0, description="Dirichlet parameter of the law")


class Bounds(Config):
    """Regions of the claims, fixed before the laptop run."""

    rate: float = Field(0.05, gt=0, description="relative error of a predicted rate that counts as agreement")
    newton_steps: int = Field(15, ge=1, description="steps within which Newton's method ends")
    newton_less: float = Field(1.5, gt=1, description="growth of sweeps over that of Newton steps, at least")
    sweep_growth: float = Field(3.0, gt=1, description="ratio of sweeps, least even to most even law, at least")
    exponent: float = Field(0.1, gt=0, description="error of a power of sweeps or slack that counts as agreement")
    answer: float = Field(1e-8, gt=0, description="error of an answer that counts as none")
    stuck: float = Field(0.5, gt=0, lt=1, description="share of a residual that stays where sweeps cycle")
    growth: float = Field(0.1, gt=0, description="least further rise of a multiplier that counts, nats")
    share: float = Field(0.8, gt=0, lt=1, description="share of cases that counts as all but a few")


class Probe(Config):
    """Which part of the study a cell is, with everything that its numbers depend on."""

    arm: str = Field(description="name of the arm")
    replicate: int = Field(ge=0, description="number of the replicate: its stream of random numbers")
    settings: Interior | Edge | Chain = Field(description="what is asked")
