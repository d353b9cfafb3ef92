"""What the study `zero_shot_tests` is asked: texts, their lengths, pairs of writers, and the bounds of its claims."""

from typing import Literal, Self

from pydantic import Field, model_validator

from testbed.core import Config
from testbed.sources import AnySource

NAME = r"^[A-Za-z0-9][A-Za-z0-9 .,=_-]*$"
MOST_TEXTS = 10**6


class Tails(Config):
    """Texts of a source under its own law: how far the statistic strays."""

    label: str = Field(pattern=NAME, description="name in figures and records")
    role: Literal["mixing", "slow"] = Field(description="slow: its conditional entropies drift, the control")
    source: AnySource = Field(description="model and writer; its exact laws are the model's")
    lengths: tuple[int, ...] = Field((32, 128, 512), min_length=1, description="tokens of a text, rising")
    n_texts: int = Field(20_000, ge=100, le=MOST_TEXTS, description="independent texts")
    reaches: tuple[float, ...] = Field(
        (0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 1.0, 1.2, 1.4, 1.6),
        min_length=2,
        description="x: thresholds c x / sqrt(N), rising",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_rising("lengths", self.lengths, 4096)
        check_rising("reaches", self.reaches, 10)
        return self


class Exact(Config):
    """Random pairs of laws, whose error probabilities are summed over all texts."""

    kind: Literal["independent", "chain"] = Field(
        description="independent: three symbols; chain: order 1, two symbols, after a first token 0"
    )
    n_pairs: int = Field(60, ge=5, le=10_000, description="pairs of laws")
    lengths: tuple[int, int] = Field((400, 800), description="N and 2 N, between which exponents are read off")
    least: float = Field(
        0.015, gt=0, le=1, description="pairs of a smaller exponent of the perplexity test are drawn again"
    )
    floor: float = Field(0.05, gt=0, lt=0.3, description="as are laws with a smaller probability")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.lengths[1] != 2 * self.lengths[0] or not 20 <= self.lengths[0] <= 1000:
            raise ValueError(f"lengths: given {self.lengths}, must be N and 2 N with N in 20 .. 1000")
        return self


class Texts(Config):
    """Texts by model A and by another writer B, both chains of order 1 over three symbols."""

    role: Literal["drift", "blind"] = Field(description="blind: B has the same expected surprise in every context")
    n_pairs: int = Field(8, ge=1, le=1000, description="pairs of chains")
    n_texts: int = Field(2000, ge=100, le=MOST_TEXTS, description="texts by each of the two")
    lengths: tuple[int, ...] = Field((16, 64, 256, 1024), min_length=2, description="tokens of a text, rising")
    size: float = Field(0.05, gt=0, lt=0.5, description="nominal probability of taking A's text for another's")
    least: float = Field(0.15, gt=0, le=2, description="drift below which pairs are drawn again, nats")
    floor: float = Field(0.05, gt=0, lt=0.3, description="least probability of A's laws")
    fraction: float = Field(0.9, gt=0, lt=1, description="of the way to the simplex's edge that a blind B is moved")

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_rising("lengths", self.lengths, 4096)
        return self


def check_rising(name: str, values: tuple[float, ...], most: float) -> None:
    """ValueError unless the values rise within 0 .. most."""
    if list(values) != sorted(set(values)) or values[0] <= 0 or values[-1] > most:
        raise ValueError(f"{name}: given {values}, must rise, above 0 and up to {most:g}")


class Bounds(Config):
    """Regions of the claims, fixed before the laptop run."""

    share: float = Field(0.8, gt=0, lt=1, description="share of pairs that counts as all but a few")
    exponent: float = Field(0.05, gt=0, lt=1, description="relative error of an exponent that counts as agreement")
    optimal: float = Field(0.9, gt=0, lt=1, description="share of the best exponent that counts as optimal")
    size: float = Field(0.015, gt=0, lt=0.5, description="error of a nominal size that counts as none")
    near: float = Field(0.1, gt=0, le=5, description="distance from the limit that counts as having converged, nats")
    error: float = Field(0.1, gt=0, lt=1, description="probability of error that a test should fall below")


class Probe(Config):
    """Which part of the study a cell is, with everything that its numbers depend on."""

    arm: str = Field(description="name of the arm")
    number: int = Field(ge=0, le=2**40, description="of the replicate: its random numbers")
    settings: Tails | Exact | Texts = Field(description="what is asked")
