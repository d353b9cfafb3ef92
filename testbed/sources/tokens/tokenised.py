"""`TokenisedSource`: the token stream of a finite source, as a source of its own."""

from functools import cached_property
from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from testbed.core import ConfigError
from testbed.sources.as_machine import as_edges
from testbed.sources.edges import Edges
from testbed.sources.machine import MachineSource
from testbed.sources.source import AnySource, source
from testbed.sources.tokens.byte_pairs import train_byte_pairs
from testbed.sources.tokens.dictionary import MOST_GRAMS, all_grams, train_lz78, train_lzw
from testbed.sources.tokens.exact import token_chain
from testbed.sources.tokens.token_chain import TokenChain
from testbed.sources.tokens.tokenizer import Tokenizer
from testbed.sources.tokens.words import train_words

Kind = Literal["byte_pairs", "lzw", "lz78", "grams", "words"]


@source("tokenised")
class TokenisedSource(MachineSource):
    """The tokens that a tokenizer makes of a Markov chain or unifilar machine; one token of context is one token.

        r-grams of 2    0 1 1 0 0 0 ...   =   01 10 00 ...

    The tokenizer is trained on `training_length` symbols of the component (sequence 0 of `training_seed`). The token
    stream is a finite machine itself (`testbed.sources.tokens.exact`), stationary from token to token, and conserves
    the entropy: h of tokens = h of symbols x E[length]. The machine's weights are rounded to 2^-32 like all others; the
    chain before rounding is `chain`.

    >>> from testbed.sources import MarkovSource
    >>> tokens = TokenisedSource(component=MarkovSource([[0.9, 0.1], [0.2, 0.8]]), tokenizer="grams", size=3)
    >>> round(float(tokens.entropy_rate().value / tokens.component.entropy_rate().value), 6)
    3.0
    """

    component: AnySource = Field(description="Markov chain or unifilar machine that writes the symbols")
    tokenizer: Kind = Field(description="byte_pairs (needs the `tokenizers` package), lzw, lz78, grams or words")
    size: int = Field(ge=1, le=4096, description="number of tokens to train; for grams, their length")
    separator: int | None = Field(None, ge=0, le=65535, description="words: the symbol that ends a word")
    training_length: int = Field(20_000, ge=1, le=10**7, description="symbols that the tokenizer is trained on")
    training_seed: int = Field(0, ge=0, description="seed of these symbols")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.separator is None) == (self.tokenizer == "words"):
            raise ConfigError("separator: needed for tokenizer = words, and for no other")
        if self.separator is not None and self.separator >= self.component.vocab_size:
            raise ConfigError(f"separator: given {self.separator}, must be below {self.component.vocab_size}")
        n_symbols = self.component.vocab_size
        if self.tokenizer != "grams" and self.size < n_symbols:
            raise ConfigError(f"size: given {self.size}, must be at least the {n_symbols} symbols")
        if self.tokenizer == "grams" and (self.size > 16 or n_symbols**self.size > MOST_GRAMS):
            raise ConfigError(f"size: given {self.size}; at most {MOST_GRAMS} grams of at most 16 symbols")
        as_edges(self.component)
        return self

    @classmethod
    def examples(cls) -> list[Self]:
        from testbed.sources.hidden.golden_mean import GoldenMean
        from testbed.sources.markov import MarkovSource

        chain = MarkovSource.random(vocab_size=2, order=2, seed=4)
        three = MarkovSource.random(vocab_size=3, order=1, seed=5)
        return [
            cls(component=chain, tokenizer="lzw", size=7, training_length=200),
            cls(component=three, tokenizer="lz78", size=8, training_length=200),
            cls(component=GoldenMean(), tokenizer="grams", size=2),
            cls(component=three, tokenizer="words", size=6, separator=2, training_length=200),
        ]

    @cached_property
    def coder(self) -> Tokenizer:
        """The trained tokenizer."""
        n_symbols = self.component.vocab_size
        if self.tokenizer == "grams":
            return all_grams(n_symbols, self.size)
        text = self.component.sample(1, self.training_length, seed=self.training_seed)[0].astype(np.int64)
        if self.tokenizer == "words":
            assert self.separator is not None
            return train_words(text, n_symbols, self.size, self.separator)
        train = {"byte_pairs": train_byte_pairs, "lzw": train_lzw, "lz78": train_lz78}[self.tokenizer]
        return train(text, n_symbols, self.size)

    @cached_property
    def chain(self) -> TokenChain:
        """The exact chain of tokens."""
        return token_chain(self.component, self.coder)

    @property
    def vocab_size(self) -> int:
        """The tokens asked for, also where the training text had fewer; those never come. All grams up to `size`."""
        if self.tokenizer != "grams":
            return self.size
        return sum(self.component.vocab_size**length for length in range(1, self.size + 1))

    @property
    def mean_length(self) -> float:
        """E[length], symbols in a token."""
        return self.chain.mean_length

    def _make_edges(self) -> Edges:
        return self.chain.edges
