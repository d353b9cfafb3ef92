"""What the study `competition_of_predictors` is asked: chains, readings, bounds. Fixed before the runs that decide."""

from typing import Literal, Self

from pydantic import Field, model_validator

from testbed.core import Config

CONTINUUM = 0
"""Number of chains that stands for rows drawn anew for every sequence."""


class Task(Config):
    """Sequences of one of N chains each, or of a chain of its own each."""

    vocab_size: int = Field(3, ge=2, le=64, description="number of symbols K")
    length: int = Field(32, ge=8, le=4096, description="tokens L of a sequence, from its start")
    concentration: float = Field(1.0, gt=0, le=1000, description="Dirichlet parameter a of all rows, a rational number")
    chains: tuple[int, ...] = Field((1, 4, 16, 64), min_length=4, max_length=16, description="numbers N, rising from 1")
    between: int = Field(16, ge=2, le=1024, description="of these, the N at which one predictor is to follow the other")
    unseen: int = Field(16, ge=2, le=1024, description="chains that the continuum's retrievals know: none of them seen")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if list(self.chains) != sorted(set(self.chains)) or self.chains[0] != 1 or self.chains[-1] > 1024:
            raise ValueError(f"chains: given {self.chains}, must rise from 1 to at most 1024")
        if self.between not in self.chains[2:-1]:
            raise ValueError(f"between: given {self.between}, must be among {self.chains[2:-1]}, within chains")
        return self

    @property
    def few(self) -> int:
        """The smallest family of more than one chain."""
        return self.chains[1]

    @property
    def many(self) -> int:
        """The largest family."""
        return self.chains[-1]

    @property
    def arms(self) -> tuple[int, ...]:
        """All N, the continuum last."""
        return (*self.chains, CONTINUUM)


class Reading(Config):
    """What is read along training, and where."""

    n_sequences: int = Field(
        256, ge=16, le=2**20, description="fresh sequences of the family, and as many of new chains"
    )
    early: tuple[float, float] = Field((0.045, 0.18), description="shares of training that count as early")
    late: tuple[float, float] = Field((0.6, 1.0), description="shares of training that count as late")
    limit_chains: tuple[int, ...] = Field(
        (1, 4, 16, 64, 256, 1024), min_length=2, max_length=16, description="N at which Bayes laws are compared, rising"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not 0 < self.early[0] < self.early[1] <= self.late[0] < self.late[1] <= 1:
            raise ValueError(f"early, late: given {self.early} and {self.late}, must follow each other within 0 .. 1")
        given = self.limit_chains
        if list(given) != sorted(set(given)) or given[0] < 1 or given[-1] > 1024:
            raise ValueError(f"limit_chains: given {given}, must rise within 1 .. 1024")
        return self


class Bounds(Config):
    """Regions of the claims."""

    alone: float = Field(0.8, gt=0, lt=1, description="weight of retrieval that counts as nothing but retrieval")
    lead: float = Field(0.05, gt=0, lt=1, description="smallest lead of one weight over another that matters")
    absent: float = Field(0.15, gt=0, lt=1, description="weight below which a predictor counts as absent")
    rise: float = Field(0.005, gt=0, lt=10, description="smallest rise of a divergence that matters, nats")
    boundary: float = Field(0.2231, gt=0, lt=10, description="smallest rise of ln N* that matters: by a quarter")
    left: float = Field(
        0.5, gt=0, lt=1, description="share of the best single predictor's divergence that interpolation may leave"
    )
    censored: float = Field(
        0.25, ge=0, lt=1, description="share of N* at an end of the grid beyond which their mean decides nothing"
    )
    share: float = Field(0.5, gt=0, lt=1, description="share of the loss that retrieval would save, left on the table")
    learnt: float = Field(0.6, gt=0, lt=1, description="learnt: excess below this share of that of uni_inf")


class Probe(Config):
    """Which point of the grid a cell is. A member's training is held by the cell itself."""

    kind: Literal["member", "tuning", "limit"] = Field(description="why it is trained; limit: Bayes laws alone")
    chains: int = Field(ge=0, description="number of chains N; 0: the continuum")
    seed: int = Field(ge=0, description="replicate: seed of the families, all tokens and first weights")
    learning_rate: float | None = Field(None, description="peak learning rate")
    task: Task | None = Field(None, description="the task, where nothing is trained, and of the unseen family")
    reading: Reading | None = Field(None, description="what is read")
