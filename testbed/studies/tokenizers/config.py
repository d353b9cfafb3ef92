"""What the study `tokenizers` is asked: arms, sizes, learners, bounds. All of it fixed before the run."""

from typing import Literal, Self

from pydantic import Field, model_validator

from testbed.core import Config
from testbed.models import ModelConfig
from testbed.sources import AnySource
from testbed.sources.chain import DyadicChain
from testbed.sources.tokens.tokenised import Kind
from testbed.training import EvaluationConfig, OptimiserConfig

Role = Literal["coin", "lag", "words"]
Coder = Literal["symbols", "byte_pairs", "lzw"]
CODERS: tuple[Coder, ...] = ("symbols", "byte_pairs", "lzw")
"""What transformers read; each has a learning rate of its own."""


class Arm(Config):
    """A source whose entropies are known, and the vocabulary sizes at which it is cut into tokens."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", description="name in figures and records")
    role: Role = Field(description="coin: nothing to absorb; lag: all is told by one earlier symbol; words: a lexicon")
    source: AnySource = Field(description="a Markov chain or unifilar machine")
    sizes: tuple[int, ...] = Field(min_length=2, max_length=16, description="numbers of tokens, rising")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if list(self.sizes) != sorted(set(self.sizes)) or self.sizes[0] < self.source.vocab_size:
            raise ValueError(f"sizes: given {self.sizes}, must rise from at least {self.source.vocab_size} symbols on")
        if self.sizes[-1] > 2048:
            raise ValueError(f"sizes: given {self.sizes[-1]}, at most 2048 tokens have an exact chain in seconds")
        if self.role != "words" and not isinstance(self.source, DyadicChain):
            raise ValueError(f"source: given {self.source.type_name}, must be a chain of known order")
        return self

    @property
    def coders(self) -> tuple[Kind, ...]:
        """The tokenizers that are tried on it."""
        return ("byte_pairs", "words") if self.role == "words" else ("byte_pairs", "lzw", "lz78", "grams")

    @property
    def separator(self) -> int:
        """The last symbol: a lexicon's delimiter."""
        return self.source.vocab_size - 1

    @property
    def order(self) -> int:
        """How many earlier symbols the law depends on."""
        return self.source.order if isinstance(self.source, DyadicChain) else 0


class Texts(Config):
    """How long the texts are on which tokenizers are trained and entropies estimated."""

    training_length: int = Field(100_000, ge=100, le=10**7, description="symbols on which tokenizers are trained")
    test_length: int = Field(100_000, ge=1000, le=10**7, description="symbols on which entropies are estimated")
    fixed_size: int = Field(64, ge=4, le=2048, description="tokens of the vocabulary while the training text grows")
    training_lengths: tuple[int, ...] = Field(
        (300, 1000, 3000, 10_000, 100_000), min_length=2, max_length=12, description="those training texts, rising"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        given = self.training_lengths
        if list(given) != sorted(set(given)) or given[0] < 10 or given[-1] > 10**7:
            raise ValueError(f"training_lengths: given {given}, must rise within 10 .. 10^7")
        return self


class Learners(Config):
    """The transformers: on symbols at every context length, on tokens at one of them."""

    contexts: tuple[int, ...] = Field((8, 16, 32), min_length=2, max_length=8, description="context lengths, rising")
    token_context: int = Field(16, ge=1, le=4096, description="context length at which tokens are held against symbols")
    token_size: int = Field(16, ge=3, le=512, description="tokens of their vocabulary")
    training_length: int = Field(20_000, ge=100, le=10**7, description="symbols on which their tokenizer is trained")
    windows_per_step: int = Field(
        16, ge=1, le=4096, description="windows of every step; all their positions are scored"
    )
    model: ModelConfig = Field(ModelConfig(width=16), description="the transformer")
    optimiser: OptimiserConfig = Field(OptimiserConfig(), description="the optimiser; its learning rate is tuned")
    evaluation: EvaluationConfig = Field(EvaluationConfig(n_contexts=512, n_heldout=256), description="the scoring")
    learning_rates: tuple[float, ...] = Field(
        (3e-3, 1e-2, 3e-2), min_length=1, max_length=8, description="tried, rising"
    )
    tuning_replicates: int = Field(2, ge=1, le=64, description="replicates that only the choice of the rate sees")
    replicates: int | None = Field(
        None,
        ge=2,
        le=10_000,
        description="independent tokenizers, data and initial weights; as many as texts if left out",
    )
    first_replicate: int | None = Field(
        None, ge=0, le=400_000, description="number of the first of them; that of the texts if left out"
    )
    tie: float = Field(0.002, ge=0, description="nats a symbol within which the smaller learning rate is taken")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if list(self.contexts) != sorted(set(self.contexts)) or self.contexts[0] < 1 or self.contexts[-1] > 4096:
            raise ValueError(f"contexts: given {self.contexts}, must rise within 1 .. 4096")
        if self.token_context not in self.contexts:
            raise ValueError(f"token_context: given {self.token_context}, must be one of contexts {self.contexts}")
        if list(self.learning_rates) != sorted(set(self.learning_rates)) or self.learning_rates[0] <= 0:
            raise ValueError(f"learning_rates: given {self.learning_rates}, must rise from above 0")
        return self

    def contexts_of(self, coder: Coder) -> tuple[int, ...]:
        """Context lengths at which members read this."""
        return self.contexts if coder == "symbols" else (self.token_context,)

    @property
    def settings(self) -> tuple[tuple[Coder, int], ...]:
        """Every (coder, context length) that is trained."""
        return tuple((coder, context) for coder in CODERS for context in self.contexts_of(coder))


class Bounds(Config):
    """Where the numbers of the claims must lie."""

    bpe_factor: float = Field(2.0, gt=1, description="unigram cost over byte pairs, as a multiple of h")
    lzw_exponent: float = Field(0.99, gt=0, le=1, description="the constant in epsilon of the bound on LZW tokens")
    near: float = Field(1.1, gt=1, description="multiple of h that counts as near-optimal")
    hurt: float = Field(0.01, ge=0, description="nats a symbol: a smaller rise of the unigram cost is none")
    entropy: float = Field(0.1, gt=0, description="nats a token: a smaller change of an entropy is none")
    fall: float = Field(0.01, gt=0, description="nats a symbol: a smaller fall of an entropy per symbol is none")
    relative: float = Field(0.1, gt=0, description="relative error up to which a corrected entropy is right")
    share: float = Field(0.5, gt=0, lt=1, description="share of a fall, or of runs, that counts as most of it")
    faster: float = Field(1.0, gt=0, description="log2 of the steps saved by tokens that counts as breaking a barrier")
    exponent: float = Field(0.25, ge=0, description="least exponent of the context length that counts as a dependence")
    words: float = Field(1e-3, gt=0, description="nats a symbol: a unigram over all words is this near to h")
