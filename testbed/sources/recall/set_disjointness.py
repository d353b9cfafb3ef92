"""Set disjointness: two sets one after the other, then whether they share an element."""

import math
from functools import cached_property
from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from testbed.core import ConfigError, Truth, UndefinedError
from testbed.sources.randomness import TOTAL, in_range, random_words
from testbed.sources.recall._draws import (
    Shuffle,
    coin_weight,
    coins,
    law_fingerprint,
    mixture_entropy,
    uniform_entropy,
    uniform_index,
    uniform_law,
)
from testbed.sources.recall._sweep_query import SweepQuery
from testbed.sources.refusals import WithoutContextEntropies
from testbed.sources.source import Floats, Tokens, source, token_dtype

ELEMENTS, ANSWER, PLACE, COMMON = 2, 3, 4, 5


@source("set_disjointness")
class SetDisjointness(WithoutContextEntropies, SweepQuery):
    """Two sets of the elements 0 .. n_elements - 1, a separator after the first, a question mark after the second.

        3 7 1 | 0 7 5 2 ?  ->  common            (set_size = 3, fixed set first)
        3 7 1 | 0 7 5 2 ? 3 7 1 | 0 7 5 2 ?  ->  common     (repeats = 2: the same presentation twice)

    One set has `set_size` elements, the other takes up the length: it has (L - 1) / repeats - set_size - 2. With
    probability `intersecting` the sets share exactly one element, at a uniform place; otherwise none. Elements are
    drawn without replacement. The answer's entropy is H_b(intersecting) without context and 0 with all of it.

    A recurrent state must hold ln C(n_elements, |first set|) nats when the presentation is read once, and the smaller
    set is enough when it is read twice: then the order doesn't matter (Arora et al. 2024, 2407.05483).

    Tokens: elements, then `|`, `?`, disjoint, common.

    >>> round(SetDisjointness(n_elements=16, set_size=2).information_needed(9), 4)    # ln C(16, 2)
    4.7875
    """

    n_elements: int = Field(16, ge=2, le=2**16, description="size of the universe")
    set_size: int = Field(3, ge=1, description="size of the set that doesn't grow with the length")
    order: Literal["fixed_first", "fixed_last"] = Field("fixed_first", description="where that set stands")
    repeats: Literal[1, 2] = Field(1, description="how often the presentation is written")
    intersecting: float = Field(0.5, ge=0, le=1, description="probability that the sets share an element")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.set_size >= self.n_elements:
            raise ConfigError(
                f"set_size: given {self.set_size}; it must leave room for another set among {self.n_elements} elements"
            )
        return self

    @classmethod
    def examples(cls) -> list[Self]:
        return [
            cls(n_elements=8, set_size=2),
            cls(n_elements=12, set_size=3, order="fixed_last", repeats=2, intersecting=0.3),
            cls(n_elements=3, set_size=1, intersecting=0.75),
            cls(n_elements=2, set_size=1, order="fixed_last", intersecting=0.0),
            cls(n_elements=5, set_size=2, repeats=2, intersecting=1.0),
        ]

    @property
    def vocab_size(self) -> int:
        return self.n_elements + 4

    @cached_property
    def intersecting_weight(self) -> int:
        """Integer weight over 2^32 of sets that share an element."""
        return coin_weight(self.intersecting)

    @property
    def fingerprint(self) -> str:
        return law_fingerprint(
            self.type_name, self.n_elements, self.set_size, self.order, self.repeats, self.intersecting_weight
        )

    # -- shape
    def sizes(self, length: int) -> tuple[int, int]:
        """Elements of the first and the second set; a ConfigError where the length has no room for both."""
        presentation, rest = divmod(length - 1, self.repeats)
        other = presentation - self.set_size - 2
        if rest or not 1 <= other <= self.n_elements - self.set_size:
            raise ConfigError(
                f"length: given {length}; set_disjointness writes {self.repeats} (m + {self.set_size + 2}) + 1 tokens,"
                f" m = 1 .. {self.n_elements - self.set_size} the size of the other set"
            )
        return (self.set_size, other) if self.order == "fixed_first" else (other, self.set_size)

    def lengths(self, up_to: int) -> list[int]:
        all_of = range(1, self.n_elements - self.set_size + 1)
        written = [self.repeats * (other + self.set_size + 2) + 1 for other in all_of]
        return [length for length in written if length <= up_to]

    def n_units(self, length: int) -> int:
        self.sizes(length)
        return super().n_units(length)

    def information_needed(self, length: int) -> float:
        """ln C(n, m), nats a recurrent state needs between the sets: m the first set's size, or the smaller one's if
        the presentation is read twice."""
        first, second = self.sizes(length)
        size = first if self.repeats == 1 else min(first, second)
        return math.lgamma(self.n_elements + 1) - math.lgamma(size + 1) - math.lgamma(self.n_elements - size + 1)

    # -- draws
    def sample(self, n_sequences: int, length: int, seed: int = 0, first_sequence: int = 0) -> Tokens:
        first, second = self.sizes(in_range("length", length, 2**32))
        rows = np.arange(n_sequences)
        words = random_words(n_sequences, first + second, seed, first_sequence, ELEMENTS)
        once = [random_words(n_sequences, 1, seed, first_sequence, stream)[:, 0] for stream in (ANSWER, PLACE, COMMON)]
        common = coins(once[0], self.intersecting_weight)
        place, which = uniform_index(once[1], second), uniform_index(once[2], first)
        shuffle = Shuffle(n_sequences, self.n_elements)
        show = np.empty((n_sequences, first + second + 2), dtype=token_dtype(self.vocab_size))
        for i in range(first):
            show[:, i] = shuffle.pick(words[:, i])
            shuffle.take(show[:, i].astype(np.int64))
        shared = show[rows, which].astype(np.int64)
        show[:, first] = self.n_elements
        for i in range(second):
            here = common & (place == i)
            fresh = shuffle.pick(words[:, first + i])
            shuffle.take(fresh, ~here)
            show[:, first + 1 + i] = np.where(here, shared, fresh)
        show[:, -1] = self.n_elements + 1
        answer = (self.n_elements + 2 + common)[:, None].astype(show.dtype)
        return np.concatenate([show] * self.repeats + [answer], axis=1)

    # -- prediction
    def _common_chance(self, second: int) -> Floats:
        """(second,): p(element i of the second set is the shared one | no element before it was)."""
        share = self.intersecting_weight / TOTAL * uniform_law(second)
        later = np.cumsum(share[::-1])[::-1]
        return np.asarray(share / ((TOTAL - self.intersecting_weight) / TOTAL + later))

    def _context_laws_at(self, tokens: Tokens, at: list[int]) -> Floats:
        first, second = self.sizes(tokens.shape[1])
        presentation = first + second + 2
        laws = np.zeros((len(tokens), len(at), self.vocab_size))
        columns = {t: [column for column, one in enumerate(at) if one == t] for t in at}
        rows = np.arange(len(tokens))
        for t, column in columns.items():
            if t >= presentation:
                laws[rows[:, None], column, tokens[:, [t - presentation]]] = 1.0
            elif t in (first, presentation - 1):
                laws[:, column, self.n_elements + (t != first)] = 1.0
        shuffle = Shuffle(len(tokens), self.n_elements)
        seen = np.zeros(len(tokens), dtype=np.bool_)  # an element of the first set was repeated
        first_set = np.where(tokens[:, :first] < self.n_elements, tokens[:, :first], 0)
        chances = self._common_chance(second)
        for t in range(min(max(at, default=-1) + 1, presentation - 1)):
            if t == first:
                continue
            if t in columns:
                law = shuffle.law()
                if t > first:
                    chance = np.where(seen, 0.0, chances[t - first - 1])
                    law *= (1.0 - chance)[:, None]
                    np.add.at(law, (rows[:, None], first_set), chance[:, None] * uniform_law(first))
                laws[:, columns[t], : self.n_elements] = law[:, None]
            repeated = (tokens[:, :first] == tokens[:, [t]]).any(axis=1) & (t > first)
            seen |= repeated
            shuffle.take(tokens[:, t], ~repeated)
        return laws

    def _target_laws(self, tokens: Tokens, n_units: int) -> Floats:
        first, second = self.sizes(tokens.shape[1])
        if n_units < self.n_units(tokens.shape[1]):
            raise UndefinedError(
                "set_disjointness gives its laws given all tokens before, not given a context that cuts the sets off"
            )
        later = tokens[:, first + 1 : first + 1 + second]
        common = (tokens[:, :first, None] == later[:, None, :]).any(axis=(1, 2))
        laws = np.zeros((len(tokens), self.vocab_size))
        laws[np.arange(len(tokens)), self.n_elements + 2 + common] = 1.0
        return laws

    # -- truths
    def position_losses(self, length: int) -> Truth:
        """(length,) exact: the elements' order and choice, 0 in a second presentation and 0 for the answer."""
        first, second = self.sizes(length)
        losses = np.zeros(length)
        losses[:first] = [uniform_entropy(self.n_elements - i) for i in range(first)]
        chance = self._common_chance(second)
        place = uniform_law(second)
        for i in range(second):
            p_seen = self.intersecting_weight / TOTAL * float(place[:i].sum())
            left = self.n_elements - first - i
            after = uniform_entropy(left + 1)
            before = mixture_entropy(float(chance[i]), uniform_entropy(first), uniform_entropy(left) if left else 0.0)
            losses[first + 1 + i] = p_seen * after + (1.0 - p_seen) * before
        return Truth.exact(losses)

    def entropy_rate(self) -> Truth:
        """Loss of the answer given both sets: 0."""
        return Truth.exact(0.0)

    def _why_no_context(self) -> str:
        return (
            "set_disjointness asks about two sets of which one grows with the length, so no h_l holds for every length;"
            " position_losses(length) gives the Bayes loss of every position"
        )
