"""What the study `conditioning` is asked: tasks, arms, streams, bounds. Fixed before the runs that decide."""

from typing import Literal, Self

from pydantic import Field, model_validator

from testbed.core import Config
from testbed.models import ModelConfig
from testbed.sources import AnySource, MarkovSource

KINDS = ("queries", "keys", "values", "output", "MLP in", "MLP out")
"""Matrices of a head, and of its share of the MLP's hidden units, in this order."""
Arm = Literal[
    "low", "high", "random", "sham", "all", "low_in_kind", "high_in_kind", "flat", "uneven",
    "planted_low", "planted_norm", "planted_high",
]  # fmt: skip
ARMS: tuple[Arm, ...] = (
    "low", "high", "random", "sham", "all", "low_in_kind", "high_in_kind", "flat", "uneven",
    "planted_low", "planted_norm", "planted_high",
)  # fmt: skip
Learner = Literal["layer", "decayed", "bare", "normalised", "nap", "fresh", "fresh_nap"]
LEARNERS: tuple[Learner, ...] = ("layer", "decayed", "bare", "normalised", "nap", "fresh", "fresh_nap")
FRESH: tuple[Learner, ...] = ("fresh", "fresh_nap")
"""Those who begin every task with fresh weights."""
PROJECTED: tuple[Learner, ...] = ("nap", "fresh_nap")
OLD, NEW, STREAM = range(3)
"""Chains of a replicate."""
SHARES = tuple(round(0.05 * i, 2) for i in range(19, 0, -1))
"""Of the new task's first KL, at which forgetting is read for figures."""


class Design(Config):
    """Chains: rows drawn from a symmetric Dirichlet law, anew for each replicate and purpose."""

    vocab_size: int = Field(6, ge=2, le=32, description="symbols V")
    order: int = Field(2, ge=1, le=4, description="tokens k that the law depends on; the context length, too")
    concentration: float = Field(0.5, gt=0, le=100, description="Dirichlet parameter of the rows")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.vocab_size**self.order > 4096:
            raise ValueError(f"order: {self.vocab_size} symbols at order {self.order} give more than 4096 contexts")
        return self

    def chain(self, number: int, purpose: int) -> MarkovSource:
        """A replicate's chain for a purpose."""
        return MarkovSource.random(
            vocab_size=self.vocab_size,
            order=self.order,
            concentration=self.concentration,
            seed=3 * number + purpose,
        )


class Forgetting(Config):
    """How the first task is learnt, and how the second is."""

    first_steps: int = Field(500, ge=1, le=10**6, description="steps on the first task")
    first_rate: float = Field(1e-2, gt=0, le=1, description="peak learning rate on the first task")
    steps: int = Field(200, ge=1, le=10**6, description="steps on the second task")
    warmup_steps: int = Field(10, ge=0, le=10**6, description="steps of linear warm-up, of both")
    every: int = Field(3, ge=1, le=10**5, description="steps between points of the path")
    planted_kappa: float = Field(30.0, gt=1, le=1e4, description="condition number of the changes that are planted")


class Stream(Config):
    """A stream of tasks: the same chain with its symbols renamed at random each time. No learner warms up."""

    n_tasks: int = Field(50, ge=6, le=1000, description="tasks m")
    skipped: int = Field(25, ge=3, le=999, description="first tasks, which the judged slopes and times leave out")
    steps: int = Field(120, ge=4, le=10**6, description="steps on each task, whether it is learnt or not")
    weight_decay: float = Field(0.1, gt=0, le=10, description="of the learner that decays its matrices")
    target: float = Field(0.1, gt=0, lt=1, description="delta, as a share of h_0 - h")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.skipped + 3 > self.n_tasks:
            raise ValueError(f"skipped: given {self.skipped}, must leave 3 of n_tasks {self.n_tasks} at least")
        return self


class Bounds(Config):
    """Regions of the claims, and when they are decided."""

    levels: tuple[float, ...] = Field(
        (0.5, 0.25), min_length=1, max_length=19, description="shares of the new task's first KL, at each of which"
    )
    less: float = Field(0.05, gt=0, lt=1, description="share of KL(A || B): less forgetting; this project's margin")
    spread: float = Field(1.25, ge=1, le=10, description="spread of ln kappa within a member over Gaussian matrices'")
    inherited: float = Field(0.5, gt=0, le=1, description="rank correlation of kappa with that of the fresh weights")
    known: float = Field(0.05, gt=0, lt=1, description="share of h_0 - h: excess below which the first task is learnt")
    slope: float = Field(0.005, gt=0, lt=1, description="of log time, per task: ageing; within it, none")
    later: float = Field(0.1, gt=0, lt=5, description="of log time: more steps than another")
    missed: float = Field(0.1, ge=0, lt=1, description="share of tasks not learnt in time, up to which a slope counts")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not set(self.levels) <= set(SHARES):
            raise ValueError(f"levels: given {self.levels}, must be multiples of 0.05 between 0.05 and 0.95")
        return self


class Probe(Config):
    """A cell: one second task of one member, or one stream."""

    kind: Literal["rate", "judged"] = Field(description="rate: seen by the choice of rates alone")
    number: int = Field(ge=0, description="replicate: seed of chains, weights and draws")
    learning_rate: float = Field(description="peak learning rate")
    design: Design = Field(description="the chains")
    source: AnySource | None = Field(None, description="stream: the chain of the first task")
    arm: Arm | None = Field(None, description="forgetting: which matrices are trained")
    forgetting: Forgetting | None = Field(None, description="forgetting: the tasks")
    learner: Learner | None = Field(None, description="stream: what is trained")
    stream: Stream | None = Field(None, description="stream: the tasks")
    model: ModelConfig | None = Field(None, description="stream: the network")
