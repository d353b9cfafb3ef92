"""Tokenizers that read the longest string of a dictionary: Lempel-Ziv phrases, and all strings of one length."""

import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from testbed.core import ConfigError
from testbed.sources.tokens.tokenizer import Integers, String, Tokenizer, check_vocab_size

MOST_GRAMS = 2**16


@dataclass(frozen=True)
class Dictionary(Tokenizer):
    """Read the longest string of the dictionary that the rest of the text begins with, and go on behind it.

    strings    beside the single symbols; the dictionary is closed under prefixes, so that one symbol of look-ahead is
               enough: a token ends where no string goes on

    >>> coder = Dictionary(2, strings=((0, 0), (0, 0, 1)))
    >>> coder.encode(np.array([0, 0, 1, 0, 0, 0, 1])).tolist()
    [3, 2, 0, 1]
    """

    strings: tuple[String, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        known = set(self.vocabulary)
        if len(known) != len(self.vocabulary):
            raise ConfigError("strings: one of them is there twice")
        for string in self.strings:
            if string[:-1] not in known:
                raise ConfigError(f"strings: {string} is there, its prefix {string[:-1]} is not")
            if not all(0 <= symbol < self.n_symbols for symbol in string):
                raise ConfigError(f"strings: {string} has a symbol outside 0 .. {self.n_symbols - 1}")

    @cached_property
    def vocabulary(self) -> tuple[String, ...]:
        return (*((symbol,) for symbol in range(self.n_symbols)), *self.strings)

    @cached_property
    def children(self) -> Integers:
        """(V + 1, n_symbols): the token one symbol longer, -1 where there is none; row V is the empty string's."""
        number = {string: token for token, string in enumerate(self.vocabulary)}
        table = np.full((self.vocab_size + 1, self.n_symbols), -1, dtype=np.int64)
        table[-1] = np.arange(self.n_symbols)
        for string, token in number.items():
            if len(string) > 1:
                table[number[string[:-1]], string[-1]] = token
        return table

    def _encode(self, text: Integers) -> Integers:
        from testbed.sources._kernels.tokens import longest_matches

        return np.asarray(longest_matches(text, self.children))


def train_lzw(text: NDArray[Any], n_symbols: int, vocab_size: int) -> Dictionary:
    """Welch's dictionary (1984): each phrase read with the symbol behind it is new, until there are `vocab_size`."""
    check_vocab_size(vocab_size, n_symbols)
    found: dict[String, None] = {}
    phrase: String = ()
    for symbol in np.asarray(text).tolist():
        if len(found) + n_symbols >= vocab_size:
            break
        longer = (*phrase, symbol)
        if len(longer) == 1 or longer in found:
            phrase = longer
        else:
            found[longer] = None
            phrase = (symbol,)
    return Dictionary(n_symbols, tuple(found))


def train_lz78(text: NDArray[Any], n_symbols: int, vocab_size: int) -> Dictionary:
    """The phrases of incremental parsing (Ziv & Lempel 1978): each is the shortest string that was none before."""
    check_vocab_size(vocab_size, n_symbols)
    phrases: set[String] = set()
    found: dict[String, None] = {}
    phrase: String = ()
    for symbol in np.asarray(text).tolist():
        if len(found) + n_symbols >= vocab_size:
            break
        phrase = (*phrase, symbol)
        if phrase not in phrases:
            phrases.add(phrase)
            if len(phrase) > 1:  # single symbols are in every vocabulary
                found[phrase] = None
            phrase = ()
    return Dictionary(n_symbols, tuple(found))  # the prefix of a phrase was a phrase before it


def all_grams(n_symbols: int, length: int) -> Dictionary:
    """All strings of up to `length` symbols: a text is cut into strings of that length, the rest at its end."""
    if length < 1 or n_symbols**length > MOST_GRAMS:
        raise ConfigError(f"length: given {length}; {n_symbols}^length must be at most {MOST_GRAMS}, and length >= 1")
    return Dictionary(
        n_symbols,
        tuple(one for n in range(2, length + 1) for one in itertools.product(range(n_symbols), repeat=n)),
    )
