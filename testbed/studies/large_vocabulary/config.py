"""What the study `large_vocabulary` is asked: laws, flows, transformers, bounds. Fixed before the run."""

from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from testbed.core import Config
from testbed.sources import IIDSource, MarkovSource
from testbed.sources.iid import zipf_law
from testbed.sources.source import Source
from testbed.training.losses import CrossEntropy, Loss
from testbed.training.losses.cut_cross_entropy import CutCrossEntropy

Role = Literal["flat", "small", "middle", "large"]
ROLES: tuple[Role, ...] = ("flat", "small", "middle", "large")
FORMS = ("whole", "entries", "blocks")
"""Of the gradient in the flows: nothing left out, entries below the threshold, or whole blocks of them."""
SourceName = Literal["iid", "bigram"]
Arm = Literal["plain", "never", "quarter", "four", "full"]
ARMS: dict[SourceName, tuple[Arm, ...]] = {
    "iid": ("plain", "never", "quarter", "four", "full"),
    "bigram": ("plain", "four", "full"),
}
"""Losses of transformers on each source; `full` is `four` with the classifier's gradient whole."""
PRODUCTS: dict[Arm, float] = {"plain": 0.0, "never": 1 / 16, "quarter": 1 / 4, "four": 4.0, "full": 4.0}
"""V e of each loss; the released e of 2^-12 has V e = 4 at V = 2^14."""


class Law(Config):
    """One law of tokens, likeliest first."""

    vocab_size: int = Field(ge=16, le=2**17, description="tokens V")
    exponent: float = Field(1.0, ge=0, le=4, description="p_k ~ k^-exponent")

    @property
    def law(self) -> NDArray[np.float64]:
        """(V,) the law."""
        return zipf_law(self.exponent, self.vocab_size)


class Flow(Config):
    """A model that is nothing but V logits: gradient descent on them, with sampled labels or the law itself."""

    threshold: float = Field(2.0**-12, gt=0, lt=1, description="probability e below which nothing is pushed down")
    rate: float = Field(12.0, gt=0, le=1e3, description="first learning rate; it falls to 0 as half a cosine")
    steps: int = Field(20_000, ge=8, le=10**8, description="steps")
    targets_per_step: int = Field(1024, ge=1, le=2**20, description="labels drawn a step; whole blocks of targets")
    block_targets: int = Field(128, ge=1, le=2**16, description="targets of a block of the released kernel")
    block_tokens: int = Field(128, ge=1, le=2**16, description="tokens of a block, taken by frequency")
    points: int = Field(16, ge=1, le=1000, description="evaluations along the way")
    bins: int = Field(24, ge=2, le=1000, description="ranges of ranks in the figure of the tail")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.targets_per_step % self.block_targets:
            raise ValueError(
                f"targets_per_step: given {self.targets_per_step}, must be a multiple of block_targets"
                f" {self.block_targets}"
            )
        return self


class Extras(Config):
    """What is followed on the exact law alone."""

    tuned_steps: int = Field(256, ge=1, le=10**6, description="steps of rate 1 from the law itself, in a note")
    longest: int = Field(4096, ge=1, le=10**7, description="steps of rate 1 from the law itself, drawn")
    products: tuple[float, ...] = Field(
        (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0, 2.0, 4.0, 8.0), min_length=1, max_length=64, description="V e, rising"
    )
    sizes: tuple[int, ...] = Field((512, 1024, 4096), min_length=1, max_length=16, description="V of the same curves")


class Network(Config):
    """What all transformers share but loss and rate."""

    iid_vocab: int = Field(256, ge=16, le=2**16, description="tokens of the independent source")
    bigram_vocab: int = Field(128, ge=16, le=512, description="tokens of the bigram source")
    kinds: int = Field(8, ge=1, le=512, description="laws of the next token in the bigram source")
    exponent: float = Field(1.0, gt=0, le=4, description="p_k ~ k^-exponent, its tokens permuted anew in every kind")
    steps: int = Field(600, ge=1, le=10**7, description="optimiser steps")
    warmup_steps: int = Field(20, ge=0, le=10**6, description="steps of linear warm-up")
    targets_per_step: int = Field(256, ge=1, le=10**6, description="targets drawn a step, of an endless stream")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.kinds > self.bigram_vocab:
            raise ValueError(
                f"kinds: given {self.kinds}, must be at most bigram_vocab {self.bigram_vocab}, one law a context"
            )
        return self

    def vocab_size(self, source: SourceName) -> int:
        """V of a source."""
        return self.iid_vocab if source == "iid" else self.bigram_vocab

    def source(self, name: SourceName, seed: int) -> Source:
        """The source of a replicate: which token is how frequent is drawn."""
        size, rng = self.vocab_size(name), np.random.default_rng([seed, 32, ("iid", "bigram").index(name)])
        law = zipf_law(self.exponent, size)
        if name == "iid":
            return IIDSource(vocab_size=size, probabilities=law[rng.permutation(size)].tolist())
        laws = np.array([law[rng.permutation(size)] for _ in range(self.kinds)])
        return MarkovSource(
            vocab_size=size, order=1, kernel=laws[rng.permutation(np.arange(size) % self.kinds)].tolist()
        )

    def loss(self, source: SourceName, arm: Arm) -> Loss:
        """The loss of an arm."""
        if arm == "plain":
            return CrossEntropy()
        threshold = min(1.0, PRODUCTS[arm] / self.vocab_size(source))
        return CutCrossEntropy(threshold=threshold, full_classifier=arm == "full")


class Bounds(Config):
    """Regions of the claims."""

    loss: float = Field(1e-3, gt=0, lt=1, description="nats of excess that count as a difference")
    at: float = Field(0.05, gt=0, lt=1, description="of ln(q / p) of a decile: as predicted")
    raised: float = Field(0.1, gt=0, lt=10, description="of ln(q / p): over-estimated")
    moved: float = Field(0.1, gt=0, lt=1, description="share of the predicted shift by which it may be missed")
    helps: float = Field(0.01, gt=0, lt=10, description="nats that a whole classifier gradient must save")
    gate: float = Field(
        0.02, gt=0, lt=10, description="at rest: excess of plain cross-entropy, and change by the rate, below this"
    )


class FlowProbe(Config):
    """The logits alone: with labels of one seed, or (seed left out) on the exact law."""

    kind: Literal["flow"] = Field("flow", description="logits alone")
    role: Role = Field(description="which law")
    law: Law = Field(description="the law")
    seed: int | None = Field(None, ge=0, description="replicate: seed of the labels")
    settings: Flow = Field(description="the descent")


class ExtraProbe(Config):
    """Curves on exact laws: excess after starting at the law, and against V e."""

    kind: Literal["extras"] = Field("extras", description="exact curves")
    law: Law = Field(description="the law that is started at")
    settings: Flow = Field(description="the descent")
    extras: Extras = Field(description="the curves")


class NetworkProbe(Config):
    """A transformer: which point of the grid it is."""

    kind: Literal["member", "tuning"] = Field(description="judged, or seen by the choice of the rate alone")
    source: SourceName = Field(description="which source")
    arm: Arm = Field(description="which loss")
    seed: int = Field(ge=0, description="replicate: seed of source, tokens and first weights")
    learning_rate: float = Field(gt=0, description="peak learning rate")
