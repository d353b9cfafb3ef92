"""What the study `induction_phases` is asked: arms, training, reading, bounds. Fixed before the runs that decide."""

from typing import Literal, Self

from pydantic import Field, model_validator

from testbed.core import Config
from testbed.sources import Source, build
from testbed.studies.tuning import Tuning

Name = Literal["two", "three", "eight", "doubly", "one_two", "one_three"]
ARMS: tuple[Name, ...] = ("two", "three", "eight", "doubly", "one_two", "one_three")
"""Dirichlet(1) rows with K = 2, 3 and 8 symbols, doubly stochastic chains, and one layer on the first two."""
LAWS: tuple[Name, ...] = ("two", "three", "eight", "doubly")
"""Arms whose law of chains has levels of its own; the others share them."""
PAPER_LENGTH = 100
"""Positions over which the paper's levels are means: the first token, which nothing predicts, is left out."""


class Arm(Config):
    """A law of chains, drawn anew for each sequence, and the depth and the steps of the model that reads them."""

    vocab_size: int = Field(ge=2, le=64, description="number of symbols K")
    prior: Literal["dirichlet", "doubly_stochastic"] = Field("dirichlet", description="law of the chains, a = 1")
    depth: int = Field(2, ge=1, le=64, description="layers")
    length: int = Field(32, ge=4, le=4096, description="tokens of a sequence, every one of them predicted")
    steps: int = Field(800, ge=1, le=10**8, description="optimiser steps")

    @property
    def source(self) -> Source:
        """The sequences."""
        return build({"type": f"{self.prior}_markov", "vocab_size": self.vocab_size})


class Arms(Config):
    """All of them; the claims are about these."""

    two: Arm = Field(Arm(vocab_size=2), description="K = 2")
    three: Arm = Field(Arm(vocab_size=3), description="K = 3")
    eight: Arm = Field(Arm(vocab_size=8, length=64, steps=1600), description="K = 8")
    doubly: Arm = Field(Arm(vocab_size=3, prior="doubly_stochastic"), description="counting tells nothing")
    one_two: Arm = Field(Arm(vocab_size=2, depth=1), description="K = 2, one layer")
    one_three: Arm = Field(Arm(vocab_size=3, depth=1), description="K = 3, one layer")

    @model_validator(mode="after")
    def _check(self) -> Self:
        wanted = {"two": 2, "three": 3, "eight": 8, "doubly": 3, "one_two": 2, "one_three": 3}
        for name in ARMS:
            arm = self.named(name)
            prior = "doubly_stochastic" if name == "doubly" else "dirichlet"
            if (arm.vocab_size, arm.prior) != (wanted[name], prior):
                raise ValueError(
                    f"{name}: given {arm.vocab_size} symbols and {arm.prior}; it is {wanted[name]}, {prior}"
                )
            if (arm.depth == 1) != name.startswith("one"):
                raise ValueError(f"{name}.depth: given {arm.depth}; one layer where the name says so, else more")
            if arm.length != self.named(name.removeprefix("one_")).length:  # type: ignore[arg-type]
                raise ValueError(f"{name}.length: given {arm.length}; it is held against more layers at their length")
        return self

    def named(self, name: Name) -> Arm:
        """One of them."""
        found: Arm = getattr(self, name)
        return found


class Reading(Config):
    """What is read off a model along training."""

    n_sequences: int = Field(512, ge=2, le=10**6, description="fresh sequences of each replicate, for divergences")
    n_watched: int = Field(32, ge=1, le=10**5, description="of these, sequences whose attention is looked at")
    n_level_sequences: int = Field(8192, ge=8, le=10**7, description="sequences for levels that have no closed form")
    n_last_sequences: int = Field(
        65536, ge=8, le=10**7, description="sequences for the least loss of the counts and the last symbol, K = 3"
    )
    smoothings: tuple[float, ...] = Field(
        (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 32.0),
        min_length=1,
        max_length=64,
        description="what is added to the counts of symbols; the first is the paper's",
    )


class Rates(Tuning):
    """The learning rate of each arm: of the rates whose final excess is within `tie` of the least, the smallest."""

    learning_rates: tuple[float, ...] = Field((3e-4, 1e-3, 3e-3, 1e-2), min_length=1, max_length=16)
    n_seeds: int = Field(3, ge=1, le=1000, description="replicates of each rate")
    tie: float = Field(5e-4, ge=0, le=10, description="nats within which rates are alike")


class Bounds(Config):
    """Regions of the claims, fixed before the runs that decide."""

    most: float = Field(0.5, gt=0, lt=1, description="share of runs: most of them")
    spared: float = Field(0.05, ge=0, lt=0.5, description="of the points of a path that may contradict an order")
    near: float = Field(0.75, gt=0, lt=1, description="of the distance at which the straight way passes by: near")
    band: float = Field(0.05, gt=0, lt=0.25, description="half width of the band, share of the fall: at a level")
    slower: float = Field(1.1, ge=1, le=100, description="how much slower than on either side: a plateau")
    nothing: float = Field(5e-3, gt=0, le=1, description="nats: counts of symbols tell nothing")
    level: float = Field(5e-3, gt=0, le=1, description="nats: at a level")
    gate: float = Field(0.5, gt=0, le=1, description="doubly stochastic: of the uniform excess, below which it learnt")
    learnt: float = Field(0.02, gt=0, le=1, description="nats of excess over Bayes: got there")
    left: float = Field(0.5, gt=0, lt=1, description="of the unigram excess that one layer keeps")


class Probe(Config):
    """A cell: levels of a law of chains, or a member."""

    kind: Literal["levels", "tuning", "member"] = Field(description="what is looked at")
    arm: Name = Field(description="which arm")
    length: int = Field(ge=4, description="tokens of a sequence")
    seed: int = Field(0, ge=0, description="replicate: seed of sequences and of first weights")
    rate: float | None = Field(None, description="learning rate")
    reading: Reading | None = Field(None, description="what is read off; none of a member that only tunes")
    chains: Arm | None = Field(None, description="the law of chains; none of a member that only tunes")
