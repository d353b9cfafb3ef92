"""What the study `recall_order` is asked: sets, networks, memories, bounds. Fixed before the runs that decide."""

from typing import Literal, Self

from pydantic import Field, model_validator

from testbed.core import Config

Arm = Literal["once", "twice", "narrow", "softmax"]
ARMS: tuple[Arm, ...] = ("once", "twice", "narrow", "softmax")
"""The network; on the presentation written twice; with a smaller state; with softmax attention for the state."""
LIMITED: tuple[Arm, ...] = ("once", "twice")
"""Arms whose memory is bounded after training, and that are trained on with it."""
Order = Literal["small_first", "large_first"]
ORDERS: tuple[Order, ...] = ("small_first", "large_first")
MOST_TOKENS = 1024


class Case(Config):
    """Two sets of a universe: the answer needs log2 C(n, m) bits of the first, of m elements, where it is read once."""

    n_elements: int = Field(10, ge=2, le=4096, description="size n of the universe")
    small: int = Field(1, ge=1, le=512, description="elements of the smaller set")
    large: int = Field(5, ge=1, le=512, description="elements of the larger set")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.small < self.large:
            raise ValueError(f"large: given {self.large}, must be above small, {self.small}")
        if self.small + self.large > self.n_elements:
            raise ValueError(f"n_elements: given {self.n_elements}, must hold both sets, {self.small} + {self.large}")
        return self

    def first(self, order: Order) -> int:
        """Elements of the first set."""
        return self.small if order == "small_first" else self.large


class Design(Config):
    """The sets."""

    main: Case = Field(Case(), description="sets that networks are trained on")
    exact: Case = Field(
        Case(n_elements=5, small=1, large=2), description="sets for which the best memory is found by enumeration"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.exact.n_elements > 5:
            raise ValueError(f"exact.n_elements: given {self.exact.n_elements}, at most 5 can be enumerated")
        return self


class Network(Config):
    """Gated attention units, one head a block; queries and keys of one projection, so that a token finds itself."""

    width: int = Field(32, ge=2, le=4096, description="model dimension D")
    depth: int = Field(2, ge=1, le=64, description="blocks; one alone cannot tell the orders apart")
    expansion: int = Field(2, ge=1, le=16, description="size of values, in widths")
    key_size: int = Field(8, ge=1, le=64, description="size s of queries and keys: 1 + s + s^2 features")
    narrow_key_size: int = Field(1, ge=1, le=64, description="that of the arm `narrow`")
    position_std: float = Field(0.2, gt=0, le=10, description="standard deviation at which learned positions start")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.narrow_key_size >= self.key_size:
            raise ValueError(f"narrow_key_size: given {self.narrow_key_size}, must be under key_size {self.key_size}")
        return self


class Training(Config):
    """What all members share but the rate. Gradients are not clipped."""

    steps: int = Field(700, ge=1, le=10**7, description="optimiser steps")
    warmup_steps: int = Field(20, ge=0, le=10**6, description="steps of linear warm-up")
    final_fraction: float = Field(0.1, ge=0, le=1, description="last learning rate as a fraction of the peak")
    sequences_per_step: int = Field(128, ge=1, le=10**6, description="fresh sequences of a step")


class Memory(Config):
    """How memories are bounded, and how trained networks are trained on with it."""

    states: tuple[int, ...] = Field(
        (1, 2, 4, 8, 16, 32, 64, 128, 256), min_length=3, max_length=32, description="numbers of states M, rising"
    )
    middle: tuple[int, int] = Field((8, 64), description="first and last of the numbers over which claims take means")
    steps: int = Field(100, ge=4, le=10**6, description="optimiser steps with the bound on, after all others")
    rate: float = Field(0.3, gt=0, le=10, description="their peak learning rate, in peak rates")
    refit: int = Field(25, ge=1, le=10**6, description="of these steps: how many until books are made anew")
    n_refit: int = Field(512, ge=2, le=10**6, description="fresh sequences off which books are made in training")
    n_fit: int = Field(2048, ge=2, le=10**6, description="fresh sequences off which the books are made that are judged")
    n_windows: int = Field(1024, ge=2, le=10**6, description="other sequences, on which errors are counted")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if list(self.states) != sorted(set(self.states)) or not 1 <= self.states[0] <= self.states[-1] <= 65_536:
            raise ValueError(f"states: given {self.states}, must rise within 1 .. 65536")
        if self.n_fit < self.states[-1]:
            raise ValueError(f"n_fit: given {self.n_fit}, must be at least the largest of states, {self.states[-1]}")
        if not self.states[0] < self.middle[0] <= self.middle[1] < self.states[-1] or not any(self.between):
            raise ValueError(f"middle: given {self.middle}, must lie within states and hold one of them at least")
        return self

    @property
    def between(self) -> tuple[bool, ...]:
        """Which of the numbers of states lie in the middle."""
        return tuple(self.middle[0] <= one <= self.middle[1] for one in self.states)


class Bounds(Config):
    """Regions of the claims, fixed before the runs that decide."""

    effect: float = Field(0.05, gt=0, lt=0.5, description="share of answers: a difference of errors that counts")
    left: float = Field(0.5, ge=0, lt=1, description="of the effect of order: most that repetition leaves")
    gate: float = Field(0.03, gt=0, lt=1, description="of ln 2: excess below which a run has learnt")
    errors: float = Field(0.005, gt=0, lt=0.5, description="share of answers: most errors of a run that has learnt")
    kept: float = Field(0.5, gt=0, le=1, description="share of replicates that must have learnt, or no verdict")


class Probe(Config):
    """A cell: the exact side, or a member."""

    kind: Literal["exact", "rate", "member"] = Field(description="exact: no model; rate: seen by that choice alone")
    arm: Arm | None = Field(None, description="which network and sets")
    order: Order | None = Field(None, description="which set stands first")
    seed: int = Field(0, ge=0, description="replicate: seed of sequences and of first weights")
    learning_rate: float | None = Field(None, description="peak learning rate")
    case: Case | None = Field(None, description="the sets")
    memory: Memory | None = Field(None, description="how it is bounded; none of a member that only tunes")
