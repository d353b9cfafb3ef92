"""What the study `mep_cost` is asked: sizes at which it counts and times, and the bounds of its claims."""

from typing import Literal, Self

from pydantic import Field, model_validator

from testbed.core import Config
from testbed.models import ModelConfig

MOST_LENGTH = 4096


def _rising(name: str, given: tuple[int, ...], least: int) -> None:
    if list(given) != sorted(set(given)) or given[0] < least or given[-1] > MOST_LENGTH:
        raise ValueError(f"{name}: given {given}, must rise, from {least} to {MOST_LENGTH}")


class Counts(Config):
    """Tables, their entries and independent equations: exact, nothing is laid out."""

    lengths: tuple[int, ...] = Field((4, 8, 16, 32, 64), min_length=3, description="T of pairs, by formula; even")
    window_lengths: tuple[int, ...] = Field((4, 6, 8, 10), min_length=3, description="T of windows, by enumeration")
    vocab_sizes: tuple[int, ...] = Field((2, 4, 8, 16, 32), min_length=3, description="V")

    @model_validator(mode="after")
    def _check(self) -> Self:
        _rising("lengths", self.lengths, 2)
        _rising("window_lengths", self.window_lengths, 2)
        _rising("vocab_sizes", self.vocab_sizes, 2)
        if self.window_lengths[-1] > 14:
            raise ValueError(f"window_lengths: given {self.window_lengths}, at most 14: faces are enumerated")
        return self


class Solving(Config):
    """Bits of a chain of order 2 at which solvers are timed; n = 2T."""

    dense_lengths: tuple[int, ...] = Field((4, 5, 6, 7, 8, 9), min_length=3, description="T: all pairs, V^n laid out")
    window_lengths: tuple[int, ...] = Field(
        (4, 6, 8, 10, 12, 14), min_length=3, description="T: windows in closed form"
    )
    band_lengths: tuple[int, ...] = Field((8, 16, 32, 64), min_length=3, description="T: pairs at lags up to 2, banded")

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name, most in (("dense_lengths", 12), ("window_lengths", 16), ("band_lengths", 1024)):
            _rising(name, getattr(self, name), 2)
            if getattr(self, name)[-1] > most:
                raise ValueError(
                    f"{name}: given {getattr(self, name)}, at most {most}: longer ones do not fit a laptop"
                )
        return self


class Vocabularies(Config):
    """Chains of order 2 over V symbols at which the same solvers are timed, at one length each."""

    dense: tuple[int, ...] = Field((2, 3, 4, 6, 8), min_length=3, description="V of all pairs")
    dense_length: int = Field(3, ge=2, le=6, description="T of all pairs; V^(2T) numbers are laid out")
    band: tuple[int, ...] = Field((2, 4, 8, 16), min_length=3, description="V of pairs at lags up to 2, banded")
    band_length: int = Field(8, ge=2, le=1024, description="T of pairs at lags up to 2")

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name, most in (("dense", 2**22), ("band", 2**18)):
            _rising(name, getattr(self, name), 2)
            power = 2 * self.dense_length if name == "dense" else 3
            if getattr(self, name)[-1] ** power > most:
                raise ValueError(
                    f"{name}: given {getattr(self, name)}, V^{power} at most {most}: more does not fit a laptop"
                )
        return self


class Transformers(Config):
    """A transformer of T tokens and one of 2T, of one shape: a training step of as many tokens, and a decoded token."""

    lengths: tuple[int, ...] = Field((4, 6, 8, 9, 16, 32, 64, 128), min_length=3, description="T")
    vocab_size: int = Field(16, ge=2, le=65_536, description="V")
    tokens_per_step: int = Field(2048, ge=1, le=10**7, description="tokens of a step, the same at T and at 2T")
    timed_steps: int = Field(4, ge=1, le=10**4, description="steps timed in each pass")
    batch: int = Field(8, ge=1, le=4096, description="sequences decoded at once")
    timed_tokens: int = Field(8, ge=1, le=4096, description="new tokens timed in each pass, spread over T .. 2T")

    @model_validator(mode="after")
    def _check(self) -> Self:
        _rising("lengths", self.lengths, 2)
        if 2 * self.lengths[-1] > self.tokens_per_step:
            raise ValueError(f"tokens_per_step: given {self.tokens_per_step}, must hold a window of 2T tokens")
        return self


class Bounds(Config):
    """Regions of the claims, fixed before the run that decides."""

    linear: float = Field(1.2, gt=1, description="log-log slope that counts as linear, overheads and noise allowed for")
    counted: float = Field(1.1, gt=1, description="the same for numbers without noise")
    saving: float = Field(0.05, gt=0, description="share of the training that counts as saved")
    steps: int = Field(1000, ge=1, le=10**9, description="steps of a training")
    decoded: int = Field(1000, ge=1, le=10**9, description="sequences carried from T to 2T once it is done")


class Probe(Config):
    """One pass over everything that is timed, or what needs no clock."""

    kind: Literal["pass", "vocabulary", "closed"]
    replicate: int = Field(ge=0, description="number of the pass: the law that is solved for")
    counts: Counts | None = Field(None, description="what is counted")
    solving: Solving | None = Field(None, description="what is solved")
    vocabularies: Vocabularies | None = Field(None, description="what is solved over more symbols")
    transformers: Transformers | None = Field(None, description="what is trained and decoded")
    model: ModelConfig | None = Field(None, description="shape of the transformers")
