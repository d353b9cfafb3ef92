"""What the study `compression_at_inference` is asked: models, caches, contexts, adapters. Fixed before the run."""

from typing import Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from testbed.core import Config
from testbed.methods import methods
from testbed.methods.method import Method
from testbed.models import ModelConfig
from testbed.sources import Source, build
from testbed.studies.tuning import Tuning

Trained = Literal["copy_rope", "copy_bias", "copy_nope", "markov_rope", "markov_bias", "mess3"]
CACHED: tuple[Trained, ...] = ("copy_rope", "copy_bias", "copy_nope", "markov_rope", "markov_bias")
"""Arms whose keys and values are rounded. The last part of a name is the model's positions: rotary, a learned bias by
distance (KERPLE's logarithm), or none. In the time given here a model without positions learns no in-context chain."""
TURNING: tuple[Trained, ...] = ("copy_rope", "markov_rope")
STILL: tuple[Trained, ...] = ("copy_bias", "copy_nope", "markov_bias")
POSITIONS = {"rope": "rope", "bias": "kerple_log", "nope": "nope"}
Dropped = Literal["fillers", "noise", "alone", "twice"]
DROPPED: tuple[Dropped, ...] = ("fillers", "noise", "alone", "twice")

SCHEMES: dict[str, dict[str, Any]] = {
    "channel before": {"keys_by": "channel", "rotated": False},
    "channel after": {"keys_by": "channel", "rotated": True},
    "token before": {"keys_by": "token", "rotated": False},
    "token after": {"keys_by": "token", "rotated": True},
    "uneven": {"keys_by": "channel", "rotated": False, "levels": "normal", "outliers": 0.125},
    "values by token": {"values_by": "token"},
    "values by channel": {"values_by": "channel"},
}
"""Ways to round: keys before or after positions enter, by channel or by token; `uneven`: keys by channel before, on the
levels of a normal law, the numbers beyond its ends kept apart (nothing is fitted to data); and values."""
KEYS = ("channel before", "channel after", "token before", "token after")
"""Ways to round keys on even levels; the first of `SCHEMES`, in its order."""


def rounding(scheme: str, bits: int) -> Method:
    """The method that rounds keys, or values, to so many bits and leaves the other alone."""
    of_keys = not scheme.startswith("values")
    number = {"key_bits": bits if of_keys else 0, "value_bits": 0 if of_keys else bits}
    return methods.build({"type": "quantised_cache", **number, **SCHEMES[scheme]})


class Cache(Config):
    """Sources and models whose cache is rounded, and how."""

    lag: int = Field(2, ge=1, le=256, description="copy: distance k of the token that is repeated")
    noise: float = Field(0.1, gt=0, lt=0.5, description="copy: probability of another symbol")
    copy_vocab: int = Field(4, ge=2, le=256, description="copy: symbols")
    copy_length: int = Field(24, ge=4, le=4096, description="copy: tokens of a sequence")
    copy_steps: int = Field(1000, ge=1, le=10**8, description="copy: optimiser steps")
    markov_vocab: int = Field(3, ge=2, le=64, description="in-context chains: symbols")
    markov_length: int = Field(32, ge=4, le=4096, description="in-context chains: tokens of a sequence")
    markov_steps: int = Field(800, ge=1, le=10**8, description="in-context chains: optimiser steps")
    sequences_per_step: int = Field(32, ge=1, le=10**6, description="fresh sequences of a step")
    n_sequences: int = Field(192, ge=2, le=10**6, description="fresh sequences on which a rounded cache is measured")
    bits: tuple[int, ...] = Field((1, 2, 3, 4, 5, 6, 7, 8), min_length=4, max_length=16, description="b, rising")
    high: int = Field(6, ge=1, le=16, description="bits from which the rate counts as high")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if list(self.bits) != sorted(set(self.bits)) or self.bits[0] < 1 or self.bits[-1] > 16:
            raise ValueError(f"bits: given {self.bits}, must rise within 1 .. 16")
        if not {2, 3, 4} <= set(self.bits):
            raise ValueError(f"bits: given {self.bits}; claims are about 2, 3 and 4, which must be among them")
        if sum(one >= self.high for one in self.bits) < 2:
            raise ValueError(f"high: given {self.high}; a slope needs two of the bits {self.bits} from there on")
        if self.copy_length < 2 * self.lag:
            raise ValueError(f"copy_length: given {self.copy_length}, must be at least twice the lag {self.lag}")
        return self

    def source(self, arm: Trained) -> Source:
        """Tokens that an arm learns."""
        if arm.startswith("copy"):
            return build({"type": "noisy_copy", "lag": self.lag, "noise": self.noise, "vocab_size": self.copy_vocab})
        return build({"type": "dirichlet_markov", "vocab_size": self.markov_vocab})

    def length(self, arm: Trained) -> int:
        """Tokens of a sequence."""
        return self.copy_length if arm.startswith("copy") else self.markov_length

    def steps(self, arm: Trained) -> int:
        """Optimiser steps."""
        return self.copy_steps if arm.startswith("copy") else self.markov_steps

    def model(self, arm: Trained, model: ModelConfig) -> ModelConfig:
        """The transformer: two blocks; with MLPs on copies, attention alone on in-context chains."""
        ratio = 2 if arm.startswith("copy") else 0
        return model.replace(depth=2, mlp_ratio=ratio, methods=(POSITIONS[arm.partition("_")[2]],))


class Dropping(Config):
    """Sources of contexts from which tokens are dropped; every replicate draws its own laws.

    fillers, noise   a hidden bit that now and then turns over. A token is its noisy reading, or with the probability
                     `share` one of r fillers, which tell nothing: one filler, or `n_noise`
    alone            the next token repeats, with noise, the oldest of n fair bits
    twice            n / 2 fair bits come twice, each time read with noise, and are wanted once more
    """

    context_length: int = Field(8, ge=4, le=10, description="n, even: tokens of a context; all 2^n sets are weighed")
    n_noise: int = Field(16, ge=2, le=10**6, description="r where fillers are noise")
    dial: tuple[int, ...] = Field((1, 2, 4, 8, 16, 32), min_length=2, max_length=32, description="r, for the figure")
    share: tuple[float, float] = Field((0.6, 0.75), description="least and largest probability of a filler")
    accuracy: tuple[float, float] = Field((0.8, 0.95), description="of a reading of the hidden bit")
    turning: tuple[float, float] = Field((0.02, 0.1), description="probability that the hidden bit turns over")
    flip: tuple[float, float] = Field((0.02, 0.1), description="noise of `alone` and `twice`")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.context_length % 2:
            raise ValueError(f"context_length: given {self.context_length}, must be even")
        for name in ("share", "accuracy", "turning", "flip"):
            low, high = getattr(self, name)
            if not 0 < low <= high < 1:
                raise ValueError(f"{name}: given {low} and {high}, must rise within (0, 1)")
        return self

    @property
    def half(self) -> int:
        """Tokens dropped where claims are judged."""
        return self.context_length // 2

    def future(self, arm: Dropped) -> int:
        """Tokens of the future whose law is wanted."""
        return self.half if arm == "twice" else 1

    def source(self, arm: Dropped, seed: int) -> Source:
        """The source of a replicate; `noise` has the draw of `fillers`, and one filler in the place of all."""
        rng = np.random.default_rng([seed, 29, max(DROPPED.index(arm), 1)])
        if arm in ("fillers", "noise"):
            share, a, q = (float(rng.uniform(*one)) for one in (self.share, self.accuracy, self.turning))
            read = [[(1 - share) * a, (1 - share) * (1 - a), share], [(1 - share) * (1 - a), (1 - share) * a, share]]
            return build({"type": "hidden_markov", "matrix": [[1 - q, q], [q, 1 - q]], "emissions": read})
        flip = float(rng.uniform(*self.flip))
        if arm == "alone":
            return build({"type": "noisy_copy", "lag": self.context_length, "noise": flip, "vocab_size": 2})
        return repeated_bits(self.half, flip)


def repeated_bits(n_bits: int, flip: float) -> Source:
    """n fair bits, drawn once, read over and over in turn, each time with noise: 2^n n states."""
    n_blocks = 2**n_bits
    matrix, emissions = np.zeros((n_blocks * n_bits,) * 2), np.zeros((n_blocks * n_bits, 2))
    for block in range(n_blocks):
        for place in range(n_bits):
            state, bit = block * n_bits + place, (block >> place) & 1
            matrix[state, block * n_bits + (place + 1) % n_bits] = 1.0
            emissions[state, bit], emissions[state, 1 - bit] = 1 - flip, flip
    initial = [1.0 / len(matrix)] * len(matrix)
    return build(
        {"type": "hidden_markov", "matrix": matrix.tolist(), "emissions": emissions.tolist(), "initial": initial}
    )


class Adapters(Config):
    """Two networks on Mess3, and maps from the stream of one to that of the other."""

    x: float = Field(0.05, gt=0, lt=0.5, description="Mess3: probability of a move to each other state")
    a: float = Field(0.85, gt=0, lt=1, description="Mess3: probability that the symbol names the state")
    context_length: int = Field(6, ge=2, le=9, description="tokens of a history; all of them are looked at")
    steps: int = Field(500, ge=1, le=10**8, description="optimiser steps")
    windows_per_step: int = Field(32, ge=1, le=10**6, description="windows of a step")
    n_penalties: int = Field(33, ge=3, le=200, description="penalties on each path, log-spaced over eight decades")
    decoder_ridge: float = Field(1e-6, gt=0, le=1, description="of the maps from streams to beliefs")

    @property
    def source(self) -> Source:
        return build({"type": "mess3", "x": self.x, "a": self.a})

    @property
    def penalties(self) -> tuple[float, ...]:
        """In units of the mean variance of a coordinate."""
        return tuple(float(one) for one in np.logspace(-4, 4, self.n_penalties))


class Rates(Tuning):
    """The learning rate of each arm: of the rates whose final excess is within `tie` of the least, the smallest."""

    learning_rates: tuple[float, ...] = Field((1e-3, 3e-3, 1e-2, 3e-2, 1e-1), min_length=1, max_length=16)
    n_seeds: int = Field(3, ge=1, le=1000, description="replicates of each rate")
    tie: float = Field(2e-4, ge=0, le=10, description="nats within which rates are alike")


class Bounds(Config):
    """Regions of the claims, fixed before the runs that decide."""

    slope: float = Field(0.2, gt=0, lt=1, description="by which a slope may miss -2")
    quadratic: float = Field(0.05, gt=0, lt=1, description="by which KL may miss half the variance of logits")
    straight: float = Field(0.5, gt=0, lt=2, description="by which it may at few bits, where there is no knee")
    knee: float = Field(4.0, gt=2, le=20, description="steepness beyond which there is one")
    broken: float = Field(10.0, gt=1, le=1e6, description="times the law of high rates: it does not hold")
    factor: float = Field(1.1, gt=1, le=10, description="ratio of two divergences that counts")
    wide: float = Field(2.0, gt=1, le=100, description="ratio of two variances that counts")
    good: float = Field(0.25, gt=0, lt=1, description="regret of a good criterion: 0 the best, 1 chance")
    ideal: float = Field(0.1, gt=0, lt=1, description="regret of one as good as the best")
    harm: float = Field(1.1, gt=1, le=10, description="regret of one that harms")
    equal: float = Field(0.01, gt=0, lt=1, description="difference of regrets that counts")
    chance: float = Field(0.25, gt=0, lt=1, description="off 1 by at most so much, a regret is as chance")
    gain: float = Field(0.01, gt=0, lt=1, description="difference of R^2 that counts")
    gate: float = Field(0.1, gt=0, le=1, description="learnt: excess below this share of the uniform law's")


class Probe(Config):
    """A cell: a member that is tuned or measured, or a source of contexts."""

    kind: Literal["tuning", "cache", "null", "net", "drop"] = Field(description="what is looked at")
    arm: str = Field(max_length=40, description="which arm")
    seed: int = Field(ge=0, description="replicate")
    net: int = Field(0, ge=0, le=1, description="mess3: which of two networks")
    rate: float | None = Field(None, description="learning rate")
    cache: Cache | None = Field(None, description="how a cache is rounded")
    dropping: Dropping | None = Field(None, description="how tokens are dropped")
    adapters: Adapters | None = Field(None, description="which histories are looked at")


class Null(Probe):
    """An untrained model whose caches are rounded."""

    model: ModelConfig = Field(description="the arm's model")
