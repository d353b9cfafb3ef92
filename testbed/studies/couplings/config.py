"""What the study `couplings` is asked: laws, searches, maps, merges, pairs of streams, and the bounds of its claims."""

from typing import Literal, Self

from pydantic import Field, model_validator

from testbed.core import Config

MOST = 100_000
Kind = Literal["", "sticky", "twins", "random", "driven", "feedback", "common cause"]
MERGED_KINDS: tuple[Kind, ...] = ("sticky", "twins", "random")
STREAM_KINDS: tuple[Kind, ...] = ("driven", "feedback", "common cause")


class Pairs(Config):
    """Random pairs of laws, whose couplings are compared with the bounds."""

    n: int = Field(400, ge=5, le=MOST, description="pairs")
    least: int = Field(2, ge=2, le=4, description="symbols of the smallest laws")
    most: int = Field(4, ge=2, le=4, description="and of the largest; all couplings' vertices are looked at")
    concentrations: tuple[float, ...] = Field((0.3, 1.0, 3.0), min_length=1, description="Dirichlet, one is drawn")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.least > self.most:
            raise ValueError(f"least: given {self.least}, must be at most most, {self.most}")
        if not all(0.01 <= one <= 100 for one in self.concentrations):
            raise ValueError(f"concentrations: given {self.concentrations}, must lie in 0.01 .. 100")
        return self


class Searches(Config):
    """Searches for the pair of laws that comes closest to breaking a bound, or breaks it."""

    n: int = Field(80, ge=5, le=MOST, description="independent searches of each bound")
    sizes: tuple[int, int] = Field((3, 4), description="symbols of the two laws; every other search has equal sizes")
    starts: int = Field(4, ge=1, le=100, description="random starts of a search, the best end counts")
    steps: int = Field(500, ge=1, le=MOST, description="random steps from each start")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not all(2 <= one <= 4 for one in self.sizes):
            raise ValueError(f"sizes: given {self.sizes}, must lie in 2 .. 4")
        return self


class Maps(Config):
    """Random laws of X, each with a rate R at which maps T with H(T) <= R are sought."""

    n: int = Field(400, ge=5, le=MOST, description="laws, and rates uniform in 0 .. H(X)")
    n_symbols: int = Field(8, ge=2, le=9, description="of X, for maps T = g(X)")
    n_random: int = Field(80, ge=5, le=MOST, description="laws of three symbols, for which T may be random too")
    laws_tried: int = Field(300, ge=10, le=MOST, description="laws of T tried in each round")
    rounds: int = Field(6, ge=0, le=100, description="rounds near the best so far")
    curve_law: tuple[float, ...] = Field((0.5, 0.3, 0.2), min_length=2, max_length=4, description="drawn against R")
    curve_points: int = Field(30, ge=3, le=1000, description="rates of the curve")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if min(self.curve_law) <= 0 or abs(sum(self.curve_law) - 1.0) > 1e-9:
            raise ValueError(f"curve_law: given {self.curve_law}, must be positive and sum to 1")
        return self


class Merges(Config):
    """Order-1 chains whose alphabet is merged: sticky, twins (equal marginals, equal futures in twos), random."""

    n: int = Field(60, ge=5, le=MOST, description="chains of each kind")
    n_symbols: int = Field(6, ge=4, le=8, description="of the chain; even, for the twins")
    stay: float = Field(0.9, gt=0, lt=1, description="probability that a sticky chain repeats its symbol")
    rates: tuple[float, ...] = Field((0.35, 0.5, 0.62, 0.75, 0.9), min_length=1, description="R over H(X), rising")
    judged_rate: float = Field(0.62, gt=0, lt=1, description="the one that the claims are about")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.n_symbols % 2:
            raise ValueError(f"n_symbols: given {self.n_symbols}, must be even")
        check_rising("rates", self.rates, 1.0)
        if self.judged_rate not in self.rates:
            raise ValueError(f"judged_rate: given {self.judged_rate}, must be one of rates, {self.rates}")
        return self


class Streams(Config):
    """Pairs of binary streams, X and Y, that act on each other or do not."""

    n: int = Field(40, ge=5, le=MOST, description="random chains of each kind")
    couplings: tuple[float, ...] = Field((0.0, 0.25, 0.5, 0.75), min_length=1, description="strengths, rising")
    judged_coupling: float = Field(0.5, gt=0, lt=1, description="the one that the claims are about")
    steps: int = Field(6, ge=3, le=8, description="n, steps of a block")
    lengths: tuple[int, ...] = Field((200, 1000, 5000, 20_000), min_length=2, description="tokens of a text, rising")
    n_texts: int = Field(40, ge=2, le=MOST, description="texts of each length")

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_rising("lengths", self.lengths, 10**6)
        if (
            list(self.couplings) != sorted(set(self.couplings))
            or not 0 <= min(self.couplings) <= max(self.couplings) < 1
        ):
            raise ValueError(f"couplings: given {self.couplings}, must rise within 0 .. 1, 1 excluded")
        if self.judged_coupling not in self.couplings:
            raise ValueError(f"judged_coupling: given {self.judged_coupling}, must be one of {self.couplings}")
        return self


def check_rising(name: str, values: tuple[float, ...], most: float) -> None:
    """ValueError unless the values rise within 0 .. most, 0 excluded."""
    if list(values) != sorted(set(values)) or values[0] <= 0 or values[-1] > most:
        raise ValueError(f"{name}: given {values}, must rise, above 0 and up to {most:g}")


class Bounds(Config):
    """Regions of the claims, fixed before the laptop run."""

    few: float = Field(0.02, gt=0, lt=1, description="share of random laws that counts as none")
    few_searches: float = Field(0.1, gt=0, lt=1, description="share of searches that counts as none")
    tightened: float = Field(0.4, gt=0, lt=1, description="of the constant log2(e) / e: a bound that must fail")
    gain: float = Field(0.01, gt=0, le=1, description="nats that a random map must gain to count")
    close: float = Field(0.05, gt=0, lt=1, description="share of the rate by which greedy maps may fall short")
    kept: float = Field(0.95, gt=0, lt=1, description="share of the best merge's information that counts as found")
    adjacent: float = Field(0.9, gt=0, lt=1, description="the same for merges of adjacent symbols")
    driven: float = Field(0.02, gt=0, le=1, description="nats a token that count as an influence")
    none: float = Field(0.001, gt=0, le=1, description="nats a token that count as no influence")
    estimate: float = Field(0.002, gt=0, le=1, description="bias of an estimate that counts as none, nats")


Settings = Pairs | Searches | Maps | Merges | Streams


class Probe(Config):
    """Which part of the study a cell is: some replicates of an arm, with everything that their numbers depend on."""

    arm: str = Field(description="name of the arm")
    kind: Kind = Field("", description="of chains or streams")
    first: int = Field(ge=0, le=2**40, description="number of the first replicate: its random numbers")
    count: int = Field(ge=1, le=MOST, description="replicates")
    settings: Settings = Field(description="what is asked")
