"""What the study `depth_and_order` is asked: orders, shapes of the model, reading, bounds. Fixed before the runs."""

import math
from typing import Literal, Self

from pydantic import Field, model_validator

from testbed.core import Config
from testbed.models import ModelConfig
from testbed.studies.tuning import Tuning

Block = Literal["attention", "full"]
BLOCKS: tuple[Block, ...] = ("attention", "full")
"""Attention alone, without a norm; and with RMS norms and MLPs."""


class Order(Config):
    """Chains of one order, and for how long models are trained on them."""

    order: int = Field(ge=0, le=12, description="tokens k that a chain looks at")
    steps: int = Field(ge=1, le=10**8, description="optimiser steps")


class Shape(Config):
    """Block, layers and heads of a model."""

    block: Block = Field(description="attention alone, or the whole block")
    depth: int = Field(ge=1, le=64, description="layers")
    heads: int = Field(1, ge=1, le=64, description="heads of each layer")

    @property
    def name(self) -> str:
        """attention_2, full_3, attention_2_heads_2."""
        return f"{self.block}_{self.depth}" + (f"_heads_{self.heads}" if self.heads > 1 else "")

    def enough(self, order: int) -> bool:
        """Whether a construction is known that reads chains of this order: see `layers_needed`."""
        return self.depth >= layers_needed(self.block, order, self.heads)


def layers_needed(block: Block, order: int, heads: int = 1) -> int:
    """The least layers of the constructions for chains of order k, in the papers or here.

    attention, one head     ceil(log2(k + 1)) copying layers, each of which doubles the tokens that a place knows, and
                            one that looks for them; none of the former for k = 0. The number is that of this
                            project's own construction; 2407.17686 has O(log2(k + 1))
    attention, k heads      2: one head for each lag
    full                    2 (2508.07208; 3 in 2407.17686)
    """
    if order == 0:
        return 1
    if block == "full" or heads >= order:
        return 2
    return math.ceil(math.log2(order + 1)) + 1


class Reading(Config):
    """What is read off."""

    n_level_sequences: int = Field(16_384, ge=16, le=10**7, description="sequences for levels")
    n_built_sequences: int = Field(2048, ge=8, le=10**6, description="sequences for networks built by hand")
    smoothings: tuple[float, ...] = Field(
        (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 32.0),
        min_length=1,
        max_length=64,
        description="what is added to counts of a lower order; of these the best",
    )
    sharpness: float = Field(24.0, gt=0, le=60, description="logit of a match in a network built by hand")


class Rates(Tuning):
    """The learning rate of each shape: least mean excess at one order; of rates alike within `tie` the smallest."""

    learning_rates: tuple[float, ...] = Field((2e-3, 1e-2, 5e-2), min_length=1, max_length=16)
    n_seeds: int = Field(3, ge=1, le=1000, description="replicates of each rate")
    tie: float = Field(0.0, ge=0, le=10, description="nats within which rates are alike")
    order: int = Field(2, ge=0, le=12, description="order of the chains on which rates are compared")
    share: float = Field(0.5, gt=0, le=1, description="of that order's steps, for which they are")


class Bounds(Config):
    """Regions of the claims, fixed before the runs that decide. Shares of the gap: see `levels`."""

    there: float = Field(0.4, gt=0, lt=1, description="of the gap, below which a run has learnt the order")
    share: float = Field(0.5, gt=0, lt=1, description="of the runs: what gets there, if as many do")
    stays: float = Field(0.5, gt=0, lt=1, description="of the gap, above which an arm has not")
    rest: float = Field(0.15, gt=0, lt=1, description="of the gap, fall over the last doubling of steps: at rest")
    band: float = Field(0.05, gt=0, lt=0.25, description="half width of the band, share of the fall: at a level")
    slower: float = Field(1.1, ge=1, le=100, description="how much slower than on either side: a plateau")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.stays < self.there:
            raise ValueError(f"stays: given {self.stays}, but runs are there below {self.there}; it must not be less")
        return self


class Probe(Config):
    """A cell: levels of an order, a network built by hand, or a member."""

    kind: Literal["levels", "built", "tuning", "member"] = Field(description="what is looked at")
    order: int = Field(ge=0, description="order of the chains")
    vocab_size: int = Field(ge=2, description="symbols")
    length: int = Field(ge=4, description="tokens of a sequence")
    shape: Shape | None = Field(None, description="the model's; none of levels")
    built_for: int | None = Field(None, ge=1, description="the order that a network is built for")
    model: ModelConfig | None = Field(None, description="its config, where it is built by hand")
    seed: int = Field(0, ge=0, description="replicate: seed of sequences and of first weights")
    rate: float | None = Field(None, description="learning rate")
    reading: Reading | None = Field(None, description="what is read off; none of members")
