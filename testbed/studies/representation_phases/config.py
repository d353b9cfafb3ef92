"""What the study `representation_phases` is asked: sources, networks, detector, bounds. Fixed before the runs."""

from typing import Literal, Self

from pydantic import Field, model_validator

from testbed.core import Config
from testbed.sources import AnySource
from testbed.sources.machine import MachineSource

FamilyName = Literal["bigram", "hidden"]
FAMILIES: tuple[FamilyName, ...] = ("bigram", "hidden")
"""Chains of order 1; hidden chains, of which every further token tells more."""
Corner = Literal["skewed, tight", "skewed, wide", "uniform, tight", "uniform, wide"]
CORNERS: tuple[Corner, ...] = ("skewed, tight", "skewed, wide", "uniform, tight", "uniform, wide")
"""Zipf or uniform tokens; width far below the vocabulary size, or equal to it."""
SKEWED: tuple[Corner, ...] = ("skewed, tight", "skewed, wide")
UNIFORM: tuple[Corner, ...] = ("uniform, tight", "uniform, wide")
TRUTHS = ("unigram", "bigram", "trigram", "Bayes")


def rising(rates: tuple[float, ...]) -> tuple[float, ...]:
    """The rates, if they rise from above 0."""
    if list(rates) != sorted(set(rates)) or rates[0] <= 0:
        raise ValueError(f"learning_rates: given {rates}, must rise from above 0")
    return rates


class Size(Config):
    """How many symbols there are, how wide the network is, and at what rates it is tried."""

    vocab_size: int = Field(64, ge=4, le=4096, description="symbols V")
    width: int = Field(4, ge=2, le=4096, description="dimension d of the residual stream; even")
    learning_rates: tuple[float, ...] = Field(
        (1e-2, 3e-2, 9e-2), min_length=1, max_length=16, description="rates that are tried, rising"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.width % 2:
            raise ValueError(f"width: given {self.width}, rotary positions need it even")
        rising(self.learning_rates)
        return self


class Family(Config):
    """Sources of one kind, drawn anew for each replicate, and how long networks are trained on them."""

    tight: Size = Field(Size(), description="the bottleneck, d far below V")
    wide: Size = Field(Size(width=64, learning_rates=(1.3e-3, 4e-3, 1.2e-2)), description="no bottleneck, d at least V")
    information: float = Field(
        1.3, gt=0, le=8, description="nats that a token tells of the next one (bigram), or of the hidden state (hidden)"
    )
    memory: float = Field(2.0, gt=0, le=8, description="hidden: nats that a state tells of the next one")
    n_states: int = Field(16, ge=2, le=256, description="hidden: states")
    context_length: int = Field(2, ge=2, le=64, description="tokens that a network sees")
    windows_per_step: int = Field(32, ge=1, le=2**16, description="windows of a step")
    steps: int = Field(2000, ge=2, le=10**8, description="optimiser steps")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if 4 * self.tight.width > self.tight.vocab_size:
            raise ValueError(
                f"tight: given width {self.tight.width}, a bottleneck is at most a quarter of {self.tight.vocab_size}"
            )
        if self.wide.width < self.wide.vocab_size:
            raise ValueError(f"wide: given width {self.wide.width}, must be at least V = {self.wide.vocab_size}")
        return self

    def size(self, corner: Corner) -> Size:
        """Vocabulary and width of a corner."""
        return self.tight if corner.endswith("tight") else self.wide


class Recipe(Config):
    """The networks of all families, but for their width; gradients are not clipped, the rate does not decay."""

    depth: int = Field(1, ge=1, le=64, description="blocks")
    heads: int = Field(1, ge=1, le=64, description="attention heads")
    mlp_ratio: int = Field(2, ge=0, le=16, description="hidden units of the feed-forward part, in widths")
    warmup_steps: int = Field(20, ge=0, le=10**6, description="steps in which the rate rises")
    beta2: float = Field(0.99, ge=0, lt=1, description="decay of the mean squared gradient")
    early_points: int = Field(12, ge=1, le=1000, description="points up to the 64th part of the steps, log-spaced")
    late_points: int = Field(26, ge=4, le=1000, description="points from there on, log-spaced")
    tuning_seeds: int = Field(3, ge=1, le=64, description="replicates of each rate, which only the choice sees")
    n_heldout: int = Field(4096, ge=8, le=2**20, description="held-out windows of a trial, of the deeper networks' too")
    tie: float = Field(2e-3, ge=0, le=1, description="nats within which rates are alike; the smallest is taken")


class Reading(Config):
    """How features are read, and when a path counts as fall, rise, fall."""

    n_inputs: int = Field(1024, ge=16, le=2**20, description="windows on which features are read, the same all along")
    leg: float = Field(0.1, gt=0, lt=5, description="least change of ln RankMe that counts as a fall or a rise")
    jitter: float = Field(4.0, ge=0, le=100, description="least change likewise, in standard deviations of jitter")
    n_null: int = Field(50, ge=1, le=10**5, description="drawn paths of one turn, for each path: the detector's errors")


class LayerArm(Config):
    """A source whose beliefs are exact, or chains drawn anew for each replicate."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_ -]*$", description="name in figures and records")
    source: AnySource | None = Field(None, description="a machine with hidden states; left out: drawn chains")
    vocab_size: int = Field(2, ge=2, le=16, description="of drawn chains: symbols")
    order: int = Field(3, ge=1, le=8, description="of drawn chains: order")
    rate_share: float = Field(0.6, gt=0, lt=1, description="of drawn chains: entropy rate as a share of ln V")
    steps: int = Field(600, ge=1, le=10**8, description="optimiser steps")
    learning_rates: tuple[float, ...] = Field(
        (4e-3, 8e-3, 1.6e-2), min_length=1, max_length=16, description="rates that are tried, rising"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        rising(self.learning_rates)
        if self.source is not None and not isinstance(self.source, MachineSource):
            raise ValueError(f"source: given {self.source.type_name}; beliefs are known of machines with hidden states")
        return self


class Layers(Config):
    """The deeper networks in which the layer of collapse is held against the layer of the belief."""

    arms: tuple[LayerArm, ...] = Field((LayerArm(name="chain"),), min_length=1, max_length=8, description="sources")
    width: int = Field(16, ge=2, le=4096, description="dimension d")
    depth: int = Field(4, ge=2, le=64, description="blocks")
    heads: int = Field(2, ge=1, le=64, description="attention heads")
    mlp_ratio: int = Field(4, ge=0, le=16, description="hidden units of the feed-forward part, in widths")
    context_length: int = Field(10, ge=3, le=256, description="tokens that a network sees")
    windows_per_step: int = Field(32, ge=1, le=2**16, description="windows of a step")
    warmup_steps: int = Field(30, ge=0, le=10**6, description="steps in which the rate rises")
    n_sequences: int = Field(400, ge=20, le=2**20, description="fresh sequences on which streams are read")
    first_position: int = Field(4, ge=1, le=256, description="tokens seen before the first place that is read")
    n_folds: int = Field(4, ge=2, le=100, description="parts into which histories are dealt, one held out at a time")
    ridges: tuple[float, ...] = Field(
        (1e-6, 1e-4, 1e-2), min_length=1, max_length=32, description="penalties; the best held-out one counts"
    )
    n_shuffles: int = Field(5, ge=1, le=1000, description="shuffled nulls of R^2")
    tuning_seeds: int = Field(3, ge=1, le=64, description="replicates of each rate, which only the choice sees")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.width % self.heads or (self.width // self.heads) % 2:
            raise ValueError(f"heads: given {self.heads}, must divide width {self.width} into even parts")
        if self.first_position >= self.context_length:
            raise ValueError(
                f"first_position: given {self.first_position}, must be below context_length {self.context_length}"
            )
        if list(self.ridges) != sorted(set(self.ridges)) or self.ridges[0] <= 0:
            raise ValueError(f"ridges: given {self.ridges}, must rise from above 0")
        names = [arm.name for arm in self.arms]
        if len(set(names)) != len(names):
            raise ValueError(f"arms: names must differ, given {', '.join(names)}")
        return self


class Bounds(Config):
    """Regions of the claims, fixed before the runs that decide."""

    most: float = Field(0.5, gt=0, lt=1, description="share of runs: most of them")
    rare: float = Field(1 / 3, gt=0, lt=1, description="share of runs: up to it few of them")
    gate: float = Field(0.6, gt=0, lt=1, description="learnt: excess under this share of the unigrams' excess")
    levelled: float = Field(
        0.05, gt=0, lt=1, description="learnt: and over the last doubling of steps it fell by less than this share"
    )
    rising: float = Field(
        0.05, gt=0, lt=5, description="a rise of ln RankMe over the last doubling of steps, above which its end is open"
    )
    at_unigrams: float = Field(
        0.25, gt=0, lt=1, description="at the unigrams: KL(unigrams || q) under this share of that before training"
    )
    layer_gate: float = Field(0.2, gt=0, lt=1, description="learnt: likewise, of the deeper networks")


class Probe(Config):
    """A cell: one piece of one run, or the trial of a rate."""

    kind: Literal["tuning", "early", "late", "layer_tuning", "layers"] = Field(description="what is measured")
    name: str = Field(description="family or arm")
    corner: Corner | None = Field(None, description="of families: skew and width")
    seed: int = Field(0, ge=0, description="replicate: seed of the source, first weights and tokens")
    learning_rate: float = Field(description="peak learning rate")
    n_inputs: int = Field(0, ge=0, description="windows on which features are read")
    layers: Layers | None = Field(None, description="how streams are read")
