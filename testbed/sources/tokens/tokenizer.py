"""`Tokenizer`: a vocabulary of strings and a rule that cuts a text into them."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from testbed.core import ConfigError

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
String = tuple[int, ...]


@dataclass(frozen=True)
class Tokenizer(ABC):
    """Token i stands for the string vocabulary[i] of symbols; the strings of a text's tokens, in order, are the text.

    n_symbols     size of the alphabet; every single symbol is in the vocabulary, so that every text has tokens
    """

    n_symbols: int

    def __post_init__(self) -> None:
        if self.n_symbols < 1:
            raise ConfigError(f"n_symbols: given {self.n_symbols}, must be at least 1")

    @cached_property
    @abstractmethod
    def vocabulary(self) -> tuple[String, ...]:
        """The strings; the first `n_symbols` are the single symbols, in order."""

    @abstractmethod
    def _encode(self, text: Integers) -> Integers:
        """(n,) tokens of a text (N,) that has been checked."""

    @property
    def vocab_size(self) -> int:
        return len(self.vocabulary)

    @cached_property
    def lengths(self) -> Integers:
        """(V,) symbols in each token."""
        return np.array([len(string) for string in self.vocabulary], dtype=np.int64)

    def encode(self, text: NDArray[Any]) -> Integers:
        """(n,) the tokens of a text (N,) of symbols; ConfigError for what is no such text."""
        read = np.asarray(text)
        if read.ndim != 1 or (read.size and read.dtype.kind not in "ui"):
            raise ConfigError(f"text: need integers of shape (N,), given {read.dtype} of shape {read.shape}")
        if read.size and not (int(read.min()) >= 0 and int(read.max()) < self.n_symbols):
            raise ConfigError(
                f"text: given symbols {read.min()} .. {read.max()}, must lie in 0 .. {self.n_symbols - 1}"
            )
        return self._encode(np.ascontiguousarray(read, dtype=np.int64))

    def decode(self, tokens: NDArray[Any]) -> Integers:
        """(N,) the text of tokens (n,)."""
        strings = [self.vocabulary[token] for token in np.asarray(tokens).tolist()]
        return np.array([symbol for string in strings for symbol in string], dtype=np.int64)


def check_vocab_size(vocab_size: int, n_symbols: int) -> None:
    """ConfigError for a vocabulary that cannot hold the single symbols."""
    if vocab_size < n_symbols:
        raise ConfigError(f"vocab_size: given {vocab_size}, must be at least {n_symbols}, the single symbols")
