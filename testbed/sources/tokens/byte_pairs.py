"""Byte-pair encoding: pairs of neighbouring tokens become one, the most frequent pair of the training text first."""

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from testbed.core import ConfigError
from testbed.sources.tokens.tokenizer import Integers, String, Tokenizer, check_vocab_size

FIRST_CHARACTER = 0x4E00
"""Symbol s is written as this character + s for the library: a letter of its own, which no rule takes apart."""
LINE = 10_000
"""Symbols in a line of training text: the library counts pairs line by line."""


@dataclass(frozen=True)
class BytePairs(Tokenizer):
    """merges[i] = (a, b): wherever token a stands before token b, from left to right, they become token n_symbols + i.

    Merges are applied in order, each to the whole text. A learnt list never makes one string twice, and for such lists
    this is what libraries do, which apply the earliest merge that applies anywhere (Sennrich et al. 2016, 1508.07909).

    >>> coder = BytePairs(2, merges=((0, 1), (2, 2)))
    >>> coder.encode(np.array([0, 1, 0, 1, 0, 0, 1, 1])).tolist()
    [3, 0, 2, 1]
    """

    merges: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        for number, pair in enumerate(self.merges):
            if not all(0 <= token < self.n_symbols + number for token in pair):
                raise ConfigError(f"merges: merge {number} joins {pair}, of which one is no earlier token")
        if len(set(self.vocabulary)) != len(self.vocabulary):
            raise ConfigError("merges: two tokens stand for one string, so a string would not say its token")

    @cached_property
    def vocabulary(self) -> tuple[String, ...]:
        strings: list[String] = [(symbol,) for symbol in range(self.n_symbols)]
        for first, second in self.merges:
            strings.append(strings[first] + strings[second])
        return tuple(strings)

    def _encode(self, text: Integers) -> Integers:
        from testbed.sources._kernels.tokens import merge_pair

        tokens = text.copy()
        n = len(tokens)
        for number, (first, second) in enumerate(self.merges):
            n = merge_pair(tokens, n, first, second, self.n_symbols + number)
        return tokens[:n].copy()

    def truncated(self, vocab_size: int) -> "BytePairs":
        """The tokenizer of the first merges alone, as training with a smaller vocabulary would have given."""
        check_vocab_size(vocab_size, self.n_symbols)
        return BytePairs(self.n_symbols, self.merges[: vocab_size - self.n_symbols])


def train_byte_pairs(text: NDArray[Any], n_symbols: int, vocab_size: int) -> BytePairs:
    """The merges that the `tokenizers` library learns from a text (N,); fewer where the text has no more pairs.

    The text is cut into lines of 10,000 symbols and is not cut at any symbol (no pre-tokenizer). A merge that would
    make a string that there is already is left out, with those that build on its own kind of it: rare, and the string
    stays in the vocabulary. Raises ConfigError where the library is not installed.
    """
    try:
        from tokenizers import Tokenizer as LibraryTokenizer
        from tokenizers import models, trainers
    except ImportError:
        raise ConfigError(
            "tokenizer: byte-pair encoding is trained by the `tokenizers` package, which is not installed here"
        ) from None
    check_vocab_size(vocab_size, n_symbols)
    letters = [chr(FIRST_CHARACTER + symbol) for symbol in range(n_symbols)]
    alphabet = np.array(letters)
    lines = ["".join(alphabet[text[start : start + LINE]]) for start in range(0, len(text), LINE)]
    library = LibraryTokenizer(models.BPE())
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size, initial_alphabet=letters, special_tokens=[], show_progress=False
    )
    library.train_from_iterator(lines, trainer)
    return from_library(library, n_symbols)


def from_library(library: Any, n_symbols: int) -> BytePairs:
    """The merges of a trained `tokenizers.Tokenizer` over the letters of `train_byte_pairs`, in order."""
    number = {chr(FIRST_CHARACTER + symbol): symbol for symbol in range(n_symbols)}
    merges: list[tuple[int, int]] = []
    for pair in json.loads(library.to_str())["model"]["merges"]:
        first, second = pair.split(" ") if isinstance(pair, str) else pair
        if first + second not in number and first in number and second in number:
            merges.append((number[first], number[second]))
            number[first + second] = n_symbols + len(merges) - 1
    return BytePairs(n_symbols, tuple(merges))
