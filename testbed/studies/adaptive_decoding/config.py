"""What the study `adaptive_decoding` is asked: sources, models, switchers, bounds. Fixed before the run."""

import math
from functools import lru_cache
from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from testbed.core import ArrayInput, Config, ConfigError
from testbed.models import ModelConfig
from testbed.sources import MarkovSource, Source, build
from testbed.studies.tuning import Tuning

Role = Literal["signal", "noise"]
ROLES: tuple[Role, ...] = ("signal", "noise")
Small = Literal["window", "narrow"]
SMALLS: tuple[Small, ...] = ("window", "narrow")
"""The small models: one that sees a single token, and one that sees all of them but is narrow."""
Name = Literal["window", "narrow", "large"]
NAMES: tuple[Name, ...] = (*SMALLS, "large")
MOST_DRAWS = 500


class Design(Config):
    """Two regimes with symbols of their own, of which one writes at a time (`regime_switching`).

    easy   a random chain of order 1: the small model knows as much of it as the large one
    hard   a random chain of order 2, the first draw whose h_1 - h_2 lies in a band: what the last token alone misses

    The two roles differ in one number, the entropy of the easy regime: little, or nearly as much as there can be. The
    hard chain of a replicate is the same in both, and so is what there is to gain.
    """

    symbols: int = Field(4, ge=3, le=8, description="symbols of each regime; V is twice as many")
    dwell: float = Field(16.0, ge=2, le=1e6, description="mean tokens that a regime lasts")
    signal: float = Field(0.25, gt=0, le=10, description="entropy rate of the easy chain where entropy signals, nats")
    noise: float = Field(1.3, gt=0, le=10, description="and where it is only noise")
    hard: float = Field(0.25, gt=0, le=10, description="entropy rate of the hard chain, nats")
    least_surplus: float = Field(0.4, ge=0, le=10, description="h_1 - h_2 of the hard chain, at least, nats")
    most_surplus: float = Field(0.7, gt=0, le=10, description="and at most")

    @model_validator(mode="after")
    def _check(self) -> Self:
        most = math.log(self.symbols)
        for name in ("signal", "noise", "hard"):
            if getattr(self, name) >= most:
                raise ValueError(f"{name}: given {getattr(self, name)}, must be below ln {self.symbols} = {most:.4f}")
        if self.signal >= self.noise:
            raise ValueError(f"noise: given {self.noise}, must be above signal {self.signal}")
        if self.least_surplus >= self.most_surplus:
            raise ValueError(f"most_surplus: given {self.most_surplus}, must be above least_surplus")
        return self

    def source(self, role: Role, seed: int) -> Source:
        """The source of a replicate in a role."""
        return self.dialled(self.signal if role == "signal" else self.noise, seed)

    def dialled(self, entropy: float, seed: int) -> Source:
        """The same with an easy regime of this entropy rate, nats."""
        return _source(self, entropy, seed)


@lru_cache(maxsize=1024)
def _hard(design: Design, seed: int) -> MarkovSource:
    for number in range(MOST_DRAWS):
        chain = MarkovSource.random(design.symbols, 2, entropy_rate=design.hard, seed=_seed(seed, number))
        h = np.asarray(chain.conditional_entropies(2).value)
        if design.least_surplus <= h[1] - h[2] <= design.most_surplus:
            return chain
    raise ConfigError(
        f"least_surplus, most_surplus: none of {MOST_DRAWS} random chains of rate {design.hard} has h_1 - h_2 between"
        f" {design.least_surplus} and {design.most_surplus} nats; widen the band"
    )


def _easy(symbols: int, entropy: float, seed: int) -> MarkovSource:
    """The first of the replicate's draws that can be tempered to the rate."""
    for number in range(MOST_DRAWS):
        try:
            return MarkovSource.random(symbols, 1, entropy_rate=entropy, seed=_seed(seed, MOST_DRAWS + number))
        except ConfigError:  # rows whose likeliest successors fall apart into classes: the rate leaps past this one
            continue
    raise ConfigError(f"signal, noise: none of {MOST_DRAWS} random chains can be tempered to {entropy} nats")


@lru_cache(maxsize=1024)
def _source(design: Design, entropy: float, seed: int) -> Source:
    k = design.symbols
    components = [_placed(_easy(k, entropy, seed), 0, 2 * k), _placed(_hard(design, seed), k, 2 * k)]
    return build({"type": "regime_switching", "components": components, "dwell": design.dwell})


def _seed(seed: int, number: int) -> int:
    return int(np.random.default_rng([seed, number, 41]).integers(2**31))


def _placed(chain: MarkovSource, first: int, vocab_size: int) -> MarkovSource:
    """A chain as one over more symbols, its own from `first` on; after foreign ones, which never come, any of its own
    is as likely."""
    k, n = chain.vocab_size, chain.order
    kernel = np.zeros((vocab_size,) * (n + 1))
    kernel[..., first : first + k] = 1 / k
    own = np.ix_(*[range(first, first + k)] * (n + 1))
    kernel[own] = chain.weights.astype(np.float64).reshape((k,) * (n + 1)) / 2.0**32
    return MarkovSource(kernel)


class Arm(Config):
    """A model, how it is trained, and the rates that are tried."""

    model: ModelConfig = Field(description="the transformer")
    steps: int = Field(600, ge=1, le=10**8, description="optimiser steps")
    per_step: int = Field(16, ge=1, le=2**20, description="sequences a step; of one token each for `window`")
    learning_rates: tuple[float, ...] = Field(
        (2e-3, 4e-3, 8e-3, 1.6e-2), min_length=1, max_length=16, description="grid, rising"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        Tuning(learning_rates=self.learning_rates)
        if self.model.block != "standard":
            raise ValueError(f"model.block: given {self.model.block}, the probe reads features of standard blocks")
        if not self.model.causal:
            raise ValueError("model.causal: given false, a model that writes sees no later token; take true")
        return self


class Reading(Config):
    """How switching is read off sequences of the source, and off sequences that the switched pair writes."""

    n_sequences: int = Field(192, ge=4, le=10**6, description="fresh sequences of each replicate")
    window: int = Field(5, ge=1, le=6, description="w: tokens whose entropies are averaged")
    stay: int = Field(8, ge=2, le=10**4, description="tokens for which a switch must last, where a least stay is asked")
    ridge: float = Field(1e-2, gt=0, le=1e6, description="penalty of the probe, per standardised feature")
    written: int = Field(128, ge=2, le=10**5, description="sequences written by the switched pair at each threshold")
    dial: tuple[float, ...] = Field(
        (0.1, 0.25, 0.4, 0.55, 0.7, 0.85, 1.0, 1.15, 1.3, 1.36),
        min_length=2,
        max_length=64,
        description="entropies of the easy regime at which the exact skill is drawn, nats, rising",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if list(self.dial) != sorted(set(self.dial)) or self.dial[0] <= 0:
            raise ValueError(f"dial: given {self.dial}, must rise from above 0")
        return self


class Bounds(Config):
    """Regions of the claims, fixed before the runs that decide."""

    skill: float = Field(0.5, gt=0, lt=1, description="skill that counts as following the oracle")
    some: float = Field(0.1, gt=0, lt=1, description="skill that counts as some")
    narrow: float = Field(0.25, gt=0, lt=1, description="skill that counts, of a narrow small model")
    signals: float = Field(0.8, gt=0.5, lt=1, description="AUROC that counts as a signal")
    calls: float = Field(0.43, gt=0, lt=1, description="share of large calls at which the paper reports")
    kept: float = Field(0.75, gt=0, lt=1, description="share of the gain kept there")
    quality: float = Field(0.967, gt=0, lt=1, description="share of the quality that the paper reports there")
    beyond: float = Field(0.3, gt=0, lt=1, description="difference in skill that counts")
    cost: float = Field(0.03, gt=0, lt=1, description="skill that a least stay costs")
    alike: float = Field(0.05, gt=0, lt=1, description="difference in skill within which probe and symbol are one")
    near: float = Field(0.1, gt=0, lt=1, description="difference in skill within which frontiers are alike")
    advantage: float = Field(0.1, gt=0, lt=1, description="gain kept beyond that of random calls, own text")
    shift: float = Field(0.05, gt=0, lt=1, description="share of calls by which own text may differ")
    crossing: float = Field(0.1, gt=0, le=10, description="nats of entropy within which a crossing is where it should")
    gate: float = Field(0.1, gt=0, lt=1, description="learnt: excess left below this share of the exact gain")


class Probe(Config):
    """A cell: exact frontiers of a replicate, or a member."""

    kind: Literal["ideal", "tuning", "member"] = Field(description="what is looked at")
    arm: Name | None = Field(None, description="which model")
    role: Role = Field(description="which source")
    seed: int = Field(0, ge=0, description="replicate: seed of the source's laws, of all tokens and first weights")
    rate: float | None = Field(None, description="learning rate")
    design: Design | None = Field(None, description="ideal: the sources")
    reading: Reading | None = Field(None, description="how it is read; none of a member that only tunes")
    length: int = Field(ge=4, description="tokens of a sequence")
    small: ArrayInput = Field(None, description="large: ln q of the small model of one token beside it, (V, V)")
