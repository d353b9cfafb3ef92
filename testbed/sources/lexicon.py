"""Words and their spelling: one law, to be learnt letter by letter, by pieces of words, or by words."""

import math
from collections.abc import Sequence
from functools import cached_property
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveFloat, model_validator

from testbed.core import ArrayInput, ConfigError, Truth
from testbed.sources.dyadic import check_rows, quantise
from testbed.sources.edges import Edges
from testbed.sources.iid import dirichlet_draw, zipf_law
from testbed.sources.machine import MachineSource
from testbed.sources.randomness import choose_rows, derive_seed, in_range, random_words
from testbed.sources.sampled_truth import law_entropies
from testbed.sources.source import Floats, Tokens, check_positions, check_tokens, require_law_memory, source
from testbed.sources.trie import Trie, WordStream

MAX_ROUNDS = 200


@source("lexicon")
class LexiconSource(MachineSource):
    """Independent words, p_k ~ k^-s by rank, spelt out and each followed by a delimiter (the last symbol, V - 1).

        words  a, ba, b          b a # a # a # b # ...   =   1 0 2 0 2 0 2 1 2 ...

    A word is spelt without loss, so that the rate per letter is that of words, shared out:

        h = H(word) / (E[length] + 1)

    and a model of letters, of pieces or of words is held to the same bits (Thawani et al. 2023, 2310.11628).
    Sequences start at an unknown place of a word. h_l is exact: with a delimiter among the last l tokens the prefix of
    the present word is known, without one the last l letters are (`testbed.sources.trie`); h_l = h where l is above the
    longest word.

    `words` are given, most frequent first (their characters in order are the letters), or drawn by `seed`: n_words
    different ones with lengths uniform on shortest .. longest and uniform letters or, with `letter_concentration`,
    letters of an order-1 chain with symmetric Dirichlet rows. A word that is there already is drawn again, so a
    crowded lexicon has longer words in its tail. Edges of the trie are quantised to 2^-32; `word_law` is the law of
    words that they multiply out to, and the one in every truth.

    >>> source = LexiconSource(words=["a", "ba", "b"], word_law=[0.5, 0.25, 0.25])
    >>> round(float(source.entropy_rate().value / np.log(2)), 6)      # 1.5 bits / (1.25 + 1)
    0.666667
    """

    ergodic: ClassVar[bool] = True

    words: tuple[str, ...] | None = Field(None, min_length=1, max_length=2**16, description="the words, by rank")
    word_law: ArrayInput = Field(None, description="(n_words,) probability of each word, in place of Zipf's law")
    zipf_exponent: float = Field(1.0, ge=0, le=20, description="s: p_k ~ k^-s")
    n_words: int = Field(100, ge=1, le=2**15, description="number of words drawn")
    n_letters: int = Field(8, ge=1, le=1024, description="number of letters of drawn words; V is one more")
    shortest: int = Field(1, ge=1, le=32, description="least length of a drawn word")
    longest: int = Field(6, ge=1, le=32, description="largest length of a drawn word")
    letter_concentration: PositiveFloat | None = Field(None, description="Dirichlet parameter of the letters' chain")
    seed: int = Field(0, ge=0, description="seed of the drawn words")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.shortest > self.longest:
            raise ValueError(f"shortest: given {self.shortest}, above longest = {self.longest}")
        if self.words is not None:
            self._check_words(self.words)
        elif self.n_words > sum(self.n_letters**n for n in range(self.shortest, self.longest + 1)):
            raise ValueError(
                f"n_words: given {self.n_words}; {self.n_letters} letters do not make that many different words of"
                f" {self.shortest} to {self.longest} letters"
            )
        if self.word_law is not None:
            if self.word_law.shape != (self.size,):
                raise ValueError(f"word_law: given shape {self.word_law.shape}, must be ({self.size},)")
            check_rows(self.word_law, "word_law")
            if (self.word_law == 0).any():
                raise ValueError(f"word_law: word {int(np.argmin(self.word_law))} has probability 0; leave it out")
            if self.zipf_exponent != 1.0:
                raise ValueError("word_law and zipf_exponent each give the law of words: give one of them")
        return self

    def _check_words(self, words: tuple[str, ...]) -> None:
        for name in ("n_words", "n_letters", "shortest", "longest", "letter_concentration", "seed"):
            if getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"{name}: shapes drawn words; words are given here")
        for rank, word in enumerate(words):
            if not 1 <= len(word) <= 64:
                raise ValueError(f"words: word {rank} has {len(word)} letters, must have 1 .. 64")
        if len(set(words)) != len(words):
            twice = next(word for word in words if words.count(word) > 1)
            raise ValueError(f"words: {twice!r} is there twice; add its probabilities up in word_law")

    @classmethod
    def examples(cls) -> list[Self]:
        return [
            cls(words=("a", "ba", "b")),
            cls(n_words=20, n_letters=3, longest=4, seed=1),
            cls(n_words=60, n_letters=6, shortest=2, letter_concentration=0.5, zipf_exponent=1.3),
            cls(words=("x",)),
            cls(words=("abab", "ab"), word_law=np.array([0.9, 0.1])),
        ]

    # -- the words
    @property
    def size(self) -> int:
        """Number of words."""
        return self.n_words if self.words is None else len(self.words)

    @property
    def alphabet(self) -> tuple[str, ...] | None:
        """The letters of given words, in the order of their tokens."""
        return None if self.words is None else tuple(sorted(set("".join(self.words))))

    @property
    def vocab_size(self) -> int:
        return (self.n_letters if self.alphabet is None else len(self.alphabet)) + 1

    @cached_property
    def spellings(self) -> list[tuple[int, ...]]:
        """The letters of each word, by rank."""
        if self.words is None:
            return self._draw_words()
        number = {letter: token for token, letter in enumerate(self.alphabet or ())}
        return [tuple(number[letter] for letter in word) for word in self.words]

    def _draw_words(self) -> list[tuple[int, ...]]:
        size = self.n_letters
        chain = np.full((size + 1, size), 1 / size)  # the last row draws the first letter
        if self.letter_concentration is not None:
            seeds = [derive_seed(self.seed, "letters after", letter) for letter in range(size + 1)]
            chain = np.stack([dirichlet_draw(self.letter_concentration, size, seed) for seed in seeds])
        weights = quantise(chain)
        found: dict[tuple[int, ...], None] = {}
        draws = derive_seed(self.seed, "words")
        for block in range(MAX_ROUNDS):
            words = random_words(2 * self.n_words, self.longest + 1, draws, first_sequence=block * 2 * self.n_words)
            lengths = self.shortest + (words[:, 0].astype(np.uint64) * np.uint64(self._n_lengths) >> np.uint64(32))
            letters = np.full((len(words), self.longest + 1), size)
            for place in range(self.longest):
                letters[:, place + 1] = _choose_each(words[:, place + 1], weights, letters[:, place])
            for row, n in zip(letters[:, 1:].tolist(), lengths.tolist(), strict=True):
                found.setdefault(tuple(row[:n]))
                if len(found) == self.n_words:
                    return list(found)
        raise ConfigError(
            f"n_words: after {MAX_ROUNDS * 2 * self.n_words} draws there are {len(found)} different words, not"
            f" {self.n_words}; give more letters, longer words or a larger letter_concentration"
        )

    @property
    def _n_lengths(self) -> int:
        return self.longest - self.shortest + 1

    @cached_property
    def period(self) -> int:  # type: ignore[override]
        """The greatest common divisor of the distances of delimiters."""
        possible = zip(self.spellings, self.word_probabilities, strict=True)
        return math.gcd(*{len(word) + 1 for word, chance in possible if chance > 0})

    @cached_property
    def stream(self) -> WordStream:
        """The trie, its machine and what can be known of it."""
        law = zipf_law(self.zipf_exponent, self.size) if self.word_law is None else self.word_law / self.word_law.sum()
        n_letters = self.vocab_size - 1
        return WordStream(Trie.of(self.spellings, n_letters), n_letters, law)

    @property
    def word_probabilities(self) -> Floats:
        """(n_words,) the law of words that is sampled."""
        return self.stream.word_law

    @property
    def mean_length(self) -> float:
        """E[length] of a word, in letters."""
        return float(self.stream.reach.sum()) - 1.0

    def _make_edges(self) -> Edges:
        return self.stream.edges

    def _make_initial(self) -> Floats:
        return self.stream.node_law

    # -- truths in closed form
    def conditional_entropies(self, max_context: int) -> Truth:
        """h_0 .. h_max, exact."""
        return self.stream.conditional_entropies(in_range("max_context", max_context, 2**34))

    def entropy_rate(self) -> Truth:
        """h = H(word) / (E[length] + 1), exact."""
        return Truth.exact(float(law_entropies(self.word_probabilities)) / (self.mean_length + 1))

    def excess_entropy(self) -> Truth:
        """E = sum of (h_l - h), exact: no more terms than the longest word has letters, and one."""
        h = self.stream.conditional_entropies(int(self.stream.trie.depth[-1]) + 1).lower
        return Truth.exact(float(np.sum(h - h[-1])))

    # -- prediction, by tables of what can be known
    def _contexts(self, tokens: NDArray[np.int64], context: int | None, at: list[int]) -> NDArray[np.int64]:
        """(N, len(at)) the mixed state before each wanted place, -1 after an impossible token."""
        table = self.stream.mixed_successors
        reach = tokens.shape[1] if context is None else context
        found = np.empty((len(tokens), len(at)), dtype=np.int64)
        columns: dict[int, list[int]] = {}
        for column, t in enumerate(at):
            if t <= reach:
                columns.setdefault(t, []).append(column)
            else:
                found[:, column] = self._run(table, tokens[:, t - reach : t])
        state = np.full(len(tokens), self.stream.start)
        for t in range(max(columns, default=-1) + 1):
            found[:, columns.get(t, [])] = state[:, None]
            state = self._run(table, tokens[:, t : t + 1], state)
        return found

    def _run(  # the states after these tokens, from the given states or from having seen nothing
        self, table: NDArray[np.int32], tokens: NDArray[np.int64], state: NDArray[np.int64] | None = None
    ) -> NDArray[np.int64]:
        state = np.full(len(tokens), self.stream.start) if state is None else state
        for t in range(tokens.shape[1]):
            state = np.where(state >= 0, table[state, tokens[:, t]], -1)
        return state

    def predict(self, tokens: Tokens, context: int | None = None, positions: Sequence[int] | None = None) -> Floats:
        """(N, L, V) exact laws; nan after an impossible token."""
        tokens = check_tokens(tokens, self.vocab_size, context)
        at = check_positions(positions, tokens.shape[1])
        require_law_memory(len(tokens), len(at), self.vocab_size)
        state = self._contexts(tokens, context, at)
        laws = self.stream.mixed_laws[state]
        laws[state < 0] = np.nan
        return laws

    def log_probs(self, tokens: Tokens, context: int | None = None) -> Floats:
        """(N, L) ln p(tokens[:, t] | what stands before), without an array over the vocabulary."""
        tokens = check_tokens(tokens, self.vocab_size, context)
        state = self._contexts(tokens, context, list(range(tokens.shape[1])))
        with np.errstate(divide="ignore"):
            return np.where(state >= 0, np.log(self.stream.mixed_laws[state, tokens]), np.nan)


def _choose_each(
    words: NDArray[np.uint32], weights: NDArray[np.int64], rows: NDArray[np.int64], step: int = 4096
) -> NDArray[np.int64]:
    """One outcome for each word from row `rows` of the integer weights."""
    chosen = [choose_rows(words[i : i + step], weights[rows[i : i + step]]) for i in range(0, len(words), step)]
    return np.concatenate(chosen)
