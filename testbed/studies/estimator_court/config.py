"""What the study `estimator_court` is asked: which sources, sizes and coders, and the bounds of its claims."""

from typing import Literal, Self

from pydantic import Field, model_validator

from testbed.core import Config
from testbed.sources import AnySource

Kind = Literal["near_uniform", "power_law", "other", "slow", "mixture"]
NAME = r"^[A-Za-z0-9][A-Za-z0-9 .,=_-]*$"
MOST_TOKENS = 10**8


class CourtSource(Config):
    """A source whose h_k are exact, and up to which order they are estimated."""

    label: str = Field(pattern=NAME, description="name in figures and records")
    kind: Kind = Field(
        description="near_uniform and power_law: the claims on NSB rest on them; slow: mixes slowly; mixture: not"
        " ergodic, so that no stream shows h_k; other"
    )
    source: AnySource = Field(description="law of the tokens, the same for all streams")
    max_order: int = Field(ge=2, le=16, description="K: h_0 .. h_K are estimated")
    depth: int = Field(ge=0, le=16, description="longest context of the coders")


class Size(Config):
    """Streams of one length, and what is made of them."""

    n_tokens: int = Field(ge=500, le=MOST_TOKENS, description="N, tokens of a stream")
    replicates: int = Field(ge=5, le=100_000, description="independent streams of each source")
    intervals: bool = Field(
        True, description="jackknife intervals of every estimate, as many times the work as there are blocks"
    )
    first_with: int | None = Field(
        None, ge=5, le=100_000, description="so many of the streams get them, the first; all if left out"
    )
    blocks: int = Field(20, ge=2, le=100, description="blocks of the jackknife")
    coders: bool = Field(True, description="context-tree weighting and back-off code the streams")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.first_with is not None and (self.first_with > self.replicates or not self.intervals):
            raise ValueError(f"first_with: given {self.first_with}, of {self.replicates} streams with intervals")
        return self

    @property
    def n_intervals(self) -> int:
        """Streams that get intervals."""
        return (self.first_with or self.replicates) if self.intervals else 0


class Streams(Config):
    """Streams of one source and length."""

    source: CourtSource = Field(description="what writes them")
    size: Size = Field(description="how long they are")


class Correction(Config):
    """Miller and Madow's correction where every gram is met often: against the bias of first order."""

    label: str = Field(pattern=NAME, description="name in figures and records")
    role: Literal["independent", "dependent"] = Field(
        description="independent: k tokens are all the memory there is; dependent: k = 0 on a chain of order 1"
    )
    source: AnySource = Field(description="a chain, whose log_probs give the law of a token after k others")
    order: int = Field(ge=0, le=8, description="k")
    n_tokens: int = Field(ge=500, le=MOST_TOKENS, description="N")
    replicates: int = Field(ge=5, le=100_000, description="streams")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.source.vocab_size ** (self.order + 1) > 4096:
            raise ValueError(
                f"order: {self.source.vocab_size}^{self.order + 1} grams are over 4096, all of them visited"
            )
        if self.role == "dependent" and self.order != 0:
            raise ValueError(f"order: given {self.order}; a dependent arm is about single tokens, order 0")
        return self


class Extrapolated(Config):
    """The ansatz H(n) / n = A n^(b-1) + h on exact block entropies, and on a coder's rates of streams if asked for."""

    label: str = Field(pattern=NAME, description="name in figures and records")
    role: Literal["class", "other"] = Field(
        description="class: block entropies are of that form; other: not, or a limit of it"
    )
    source: AnySource = Field(description="gives exact block entropies")
    first: int = Field(16, ge=1, le=2**16, description="shortest block")
    last: int = Field(2048, ge=8, le=2**16, description="longest block")
    points: int = Field(12, ge=4, le=100, description="blocks between, in equal ratios")
    n_tokens: int = Field(100_000, ge=500, le=MOST_TOKENS, description="tokens of each coded stream")
    replicates: int = Field(0, ge=0, le=100_000, description="streams coded by back-off of depth 0; 0: none")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.last < 4 * self.first:
            raise ValueError(f"last: given {self.last}, must be at least four times first, {self.first}")
        if 0 < self.replicates < 5:
            raise ValueError(f"replicates: given {self.replicates}; fewer than 5 decide nothing")
        return self


class Bounds(Config):
    """Regions of the claims, fixed before the laptop run."""

    tolerance: float = Field(0.05, gt=0, le=10, description="nats by which an estimate of h_k may be off")
    nsb: float = Field(0.1, gt=0, lt=1, description="bias of NSB over that of plug-in: a tenth")
    beats: float = Field(0.9, gt=0, lt=1, description="the same ratio where NSB is merely better")
    correction: float = Field(
        0.2, gt=0, lt=1, description="share of the first-order bias that the correction may leave"
    )
    coverage: float = Field(0.85, gt=0, lt=1, description="share of nominal 95 % intervals that hold, at least")
    broken: float = Field(0.8, gt=0, lt=1, description="share that hold where intervals mean nothing, at most")
    sensitivity: float = Field(0.9, gt=0, lt=1, description="share of biased orders that the trust limit excludes")
    false_alarms: float = Field(0.1, gt=0, lt=1, description="share of unbiased orders that it excludes, at most")
    falls: float = Field(0.9, gt=0, lt=1, description="share of h_0 by which plug-in h_k falls without structure")
    falls_not: float = Field(0.1, gt=0, lt=1, description="the same of a corrected estimate, at most")
    close: float = Field(0.9, gt=0, lt=1, description="share of streams that an extrapolation should be right on")
    ansatz: float = Field(0.01, gt=0, le=10, description="error of an extrapolation from exact numbers, nats")


class Probe(Config):
    """Which part of the study a cell is, with everything that its numbers depend on."""

    arm: str = Field(description="streams, correction or extrapolated, and the label")
    first: int = Field(ge=0, le=2**40, description="number of the first stream")
    settings: Streams | Correction | Extrapolated = Field(description="what is asked")
