"""What the study `activations` is asked: depths, sources, rates, bounds."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from testbed.core import Config

Stack = Literal["layer_gelu", "none_gelu", "none_selu"]
STACKS: tuple[Stack, ...] = ("layer_gelu", "none_gelu", "none_selu")
Act = Literal["relu", "gelu", "silu", "relu2", "selu", "crrelu", "identity"]
ACTS: tuple[Act, ...] = ("relu", "gelu", "silu", "relu2", "selu", "crrelu", "identity")
Arm = Literal["relu", "gelu", "silu", "relu2", "selu", "crrelu", "identity", "gelu2"]
ARMS: tuple[Arm, ...] = (*ACTS, "gelu2")
"""Activations, and GELU once more on the same source with other sequences and first weights: the null."""
Setting = Literal["own", "common"]
SETTINGS: tuple[Setting, ...] = ("own", "common")
"""Rates: tuned for each activation and source, or one for all."""
SourceName = Literal["order1", "order2", "mess3", "counts", "in_context", "rrxor"]


class Depths(Config):
    """Depths, and what models of the first part see."""

    depths: tuple[int, ...] = Field(
        (4, 6), min_length=1, max_length=8, description="blocks, rising; claims are about the most"
    )
    source: SourceName = Field("order2", description="which source, see `draws`")
    vocab_size: int = Field(3, ge=2, le=64, description="tokens V")
    length: int = Field(16, ge=4, le=1024, description="tokens T of a sequence")
    sequences_per_step: int = Field(8, ge=1, le=10**5, description="fresh sequences of a step")
    steps: int = Field(300, ge=1, le=10**7, description="optimiser steps")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if list(self.depths) != sorted(set(self.depths)) or not 1 <= self.depths[0] <= self.depths[-1] <= 64:
            raise ValueError(f"depths: given {self.depths}, must rise within 1 .. 64")
        _three_symbols(self.vocab_size, (self.source,))
        return self


class Kinds(Config):
    """Sources of the second part."""

    sources: tuple[SourceName, ...] = Field(
        ("order1", "order2", "mess3", "counts"), min_length=2, max_length=6, description="which sources, see `draws`"
    )
    vocab_size: int = Field(3, ge=2, le=64, description="tokens V of all of them; rrxor has 2, mess3 has 3")
    length: int = Field(16, ge=4, le=1024, description="tokens T of a sequence")
    sequences_per_step: int = Field(8, ge=1, le=10**5, description="fresh sequences of a step")
    steps: int = Field(300, ge=1, le=10**7, description="optimiser steps")
    points: int = Field(10, ge=2, le=1000, description="evaluations along training, for steps to a share of excess")
    near: float = Field(0.1, gt=0, lt=1, description="share of what context tells below which a model is near")
    common_rate: float = Field(1.4e-2, gt=0, le=10, description="the rate of all, where they have the same")
    bin_width: float = Field(0.1, gt=0, le=1, description="of the histogram of a unit, in its standard deviations")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(set(self.sources)) < len(self.sources):
            raise ValueError(f"sources: given {self.sources}, each may stand once")
        _three_symbols(self.vocab_size, self.sources)
        return self

    @property
    def needed(self) -> int:
        """Two thirds of the sources, rounded up: three of four."""
        return -(-2 * len(self.sources) // 3)

    def vocab_of(self, source: SourceName) -> int:
        """V of a source."""
        return 2 if source == "rrxor" else self.vocab_size


def _three_symbols(vocab_size: int, sources: tuple[SourceName, ...]) -> None:
    if "mess3" in sources and vocab_size != 3:
        raise ValueError(f"vocab_size: given {vocab_size}, mess3 has 3")


class Reading(Config):
    """What is looked at after training."""

    n_sequences: int = Field(1024, ge=2, le=10**6, description="fresh sequences on which the excess is measured")
    n_units: int = Field(96, ge=2, le=10**5, description="of these, for moments and entropies of hidden units")


class Bounds(Config):
    """Regions of the claims, fixed before the runs that decide."""

    low: float = Field(0.8, gt=0, lt=1, description="least variance of hidden units")
    high: float = Field(1.5, gt=1, lt=100, description="largest")
    centre: float = Field(0.1, gt=0, lt=1, description="largest size of their mean")
    excess: float = Field(2.0, gt=1, lt=100, description="times layer norm's excess: still good")
    half: float = Field(0.5, gt=0, lt=1, description="share of replicates; beyond it a median is on one side")
    alike: float = Field(1.25, gt=1, lt=100, description="ratio of steps up to which arms are alike")
    near_gelu: float = Field(0.75, gt=0, lt=10, description="seed noises within which CRReLU is GELU")
    within: float = Field(1.0, gt=0, lt=10, description="seed noises within which all activations are")
    correlation: float = Field(0.3, gt=0, lt=1, description="rank correlation that counts")
    null: float = Field(0.05, gt=0, lt=0.5, description="share of relabelled activations that may do as well")
    reach: float = Field(0.9, gt=0, le=1, description="share of runs that must come near for steps to be compared")
    gate: float = Field(0.25, gt=0, lt=1, description="share of what context tells: excess below which a run learnt")
    runs: float = Field(0.75, gt=0, le=1, description="share of an arm's runs that must have learnt")


Kind = Literal["depth_rate", "depth", "act_rate", "act"]


class Probe(Config):
    """A cell: a member."""

    kind: Kind = Field(description="part of the study; _rate: seen by the choice of rates alone")
    arm: str = Field(description="stack or activation")
    setting: Setting = Field("own", description="whose rate")
    source: str = Field("", description="source of the second part")
    depth: int = Field(0, ge=0, le=64, description="blocks, of the first part")
    seed: int = Field(0, ge=0, description="replicate: seed of source, sequences and first weights")
    learning_rate: float = Field(gt=0, description="peak learning rate")
    kinds: Kinds | None = Field(None, description="of a judged member of the second part")
    reading: Reading | None = Field(None, description="what is looked at; none of a member that only tunes")


def activation_of(act: Arm) -> Any:
    """As a model's config names it."""
    return {"relu2": {"type": "relu", "power": 2}, "gelu2": "gelu"}.get(act, act)
