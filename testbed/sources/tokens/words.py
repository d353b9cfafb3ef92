"""Word-pooled tokens: a whole word where it is known, its symbols where it is not."""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from testbed.core import ConfigError
from testbed.sources.tokens.tokenizer import Integers, String, Tokenizer, check_vocab_size


@dataclass(frozen=True)
class WordPool(Tokenizer):
    """Words end with a separator, which is part of them; a known word is one token, another one is spelt out.

    separator   the symbol that ends a word
    words       the known words, each ending with its only separator; of two symbols or more (the separator alone, an
                empty word, is a token already)

    The pooling of Learn Your Tokens (Thawani et al. 2023, 2310.11628), with a table in place of a learnt pooling.

    >>> coder = WordPool(3, separator=2, words=((0, 1, 2),))
    >>> coder.encode(np.array([0, 1, 2, 1, 2, 0, 1])).tolist()
    [3, 1, 2, 0, 1]
    """

    separator: int = 0
    words: tuple[String, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.separator < self.n_symbols:
            raise ConfigError(f"separator: given {self.separator}, must lie in 0 .. {self.n_symbols - 1}")
        for word in self.words:
            if len(word) < 2 or word.count(self.separator) != 1 or word[-1] != self.separator:
                raise ConfigError(f"words: {word} must have two symbols or more and end with its only {self.separator}")
            if not all(0 <= symbol < self.n_symbols for symbol in word):
                raise ConfigError(f"words: {word} has a symbol outside 0 .. {self.n_symbols - 1}")
        if len(set(self.words)) != len(self.words):
            raise ConfigError("words: one of them is there twice")

    @cached_property
    def vocabulary(self) -> tuple[String, ...]:
        return (*((symbol,) for symbol in range(self.n_symbols)), *self.words)

    def _encode(self, text: Integers) -> Integers:
        number = {word: self.n_symbols + rank for rank, word in enumerate(self.words)}
        tokens: list[int] = []
        start = 0
        for end in (np.flatnonzero(text == self.separator) + 1).tolist():
            word = tuple(text[start:end].tolist())
            tokens.extend([number[word]] if word in number else word)
            start = end
        tokens.extend(text[start:].tolist())
        return np.array(tokens, dtype=np.int64)


def train_words(text: NDArray[Any], n_symbols: int, vocab_size: int, separator: int) -> WordPool:
    """The most frequent words of a text, the earlier one where two are as frequent."""
    check_vocab_size(vocab_size, n_symbols)
    counted: Counter[String] = Counter()
    start = 0
    read = np.asarray(text)
    for end in (np.flatnonzero(read == separator) + 1).tolist():
        if end - start > 1:
            counted[tuple(read[start:end].tolist())] += 1
        start = end
    return WordPool(n_symbols, separator, tuple(word for word, _ in counted.most_common(vocab_size - n_symbols)))
