"""Key-value recall with several queries, repeated keys and keys that were never shown (MQAR with misses)."""

from collections.abc import Sequence
from functools import cached_property
from typing import ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from testbed.core import ConfigError, Truth, UndefinedError
from testbed.sources.randomness import TOTAL, choose_rows, in_range, random_words
from testbed.sources.recall._draws import (
    Integers,
    Shuffle,
    check_noise,
    coin_weight,
    coins,
    exact_at,
    law_fingerprint,
    mixture_entropy,
    rank_law,
    symmetric_channel,
    uniform_entropy,
    uniform_index,
    uniform_law,
)
from testbed.sources.refusals import WithoutContextEntropies
from testbed.sources.sampled_truth import law_entropies, sampled_position_losses
from testbed.sources.source import (
    Batch,
    Floats,
    Tokens,
    check_positions,
    check_tokens,
    require_law_memory,
    source,
    token_dtype,
)

KEYS, VALUES, ASKED, MISSED, LEFT_OUT, ANSWERS = 2, 3, 4, 5, 6, 7


@source("key_value_recall")
class KeyValueRecall(WithoutContextEntropies):
    """n pairs of key and value, then queries, each followed by its answer; the answers are judged.

        k2 v1  k0 v3  k4 v0 | k4 v0  k1 -  k2 v1        (n = 3, three queries, k1 was not shown)

    n follows from the length, 2 n + 2 n_queries. Keys are drawn without replacement (`distinct`, n at most n_keys) or
    with, and then a key's last value counts. With probability `missing` a query takes a key that was not shown, each of
    those alike; otherwise the key of one of the n pairs, each alike. Queries are independent. A missing key is answered
    by the token `none`, or by a fresh value of the `prior`, for which no attention is the Bayes optimum.
    When every key is shown, none can be missing. `noise` replaces a shown value in an answer by one of the
    others.

    Loss of an answer, distinct keys:  (1 - missing) H(channel) + missing H(values), the last term 0 with `none`.

    >>> recall = KeyValueRecall(n_keys=9, n_values=4, missing=0.25, missing_answer="prior")
    >>> float(recall.entropy_rate().value / np.log(4))
    0.25
    """

    stationary: ClassVar[bool] = False
    judges_all: ClassVar[bool] = False
    context_unit: ClassVar[str] = "one pair of key and value"

    n_keys: int = Field(16, ge=1, le=2**16, description="number of keys")
    n_values: int = Field(4, ge=1, le=4096, description="number of values")
    n_queries: int = Field(1, ge=1, le=4096, description="queries at the end of a sequence")
    distinct: bool = Field(True, description="keys are drawn without replacement; else with, and the last value counts")
    missing: float = Field(0.0, ge=0, le=1, description="probability that a query takes a key that was not shown")
    missing_answer: Literal["none", "prior"] = Field("none", description="answer to a missing key: a token, or a value")
    noise: float = Field(0.0, ge=0, le=1, description="probability that an answer is another value than the one shown")

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_noise(self.n_values, self.noise)
        return self

    @classmethod
    def examples(cls) -> list[Self]:
        return [
            cls(n_keys=6, n_values=3, n_queries=2, missing=0.25),
            cls(n_keys=3, n_values=2, distinct=False, missing=0.5, missing_answer="prior", noise=0.1),
            cls(n_keys=2, n_values=2, missing=0.5, missing_answer="prior"),  # no key is left to be missing at n = 2
            cls(n_keys=8, n_values=4),
            cls(n_keys=3, n_values=1, missing=1.0),
        ]

    # -- laws
    @property
    def vocab_size(self) -> int:
        """Values, keys, and the token `none` where there is one."""
        return self.n_values + self.n_keys + (self.missing_answer == "none")

    @cached_property
    def missing_weight(self) -> int:
        return coin_weight(self.missing)

    @cached_property
    def channel_weights(self) -> Integers:
        return symmetric_channel(self.n_values, self.noise)

    @cached_property
    def missing_law(self) -> Floats:
        """(V,): the law of an answer to a missing key."""
        law = np.zeros(self.vocab_size)
        if self.missing_answer == "none":
            law[-1] = 1.0
        else:
            law[: self.n_values] = uniform_law(self.n_values)
        return law

    @property
    def fingerprint(self) -> str:
        sizes = (self.n_keys, self.n_queries, self.distinct, self.missing_weight, self.missing_answer)
        return law_fingerprint(self.type_name, *sizes, self.channel_weights)

    # -- shape
    def n_pairs(self, length: int) -> int:
        """n, the pairs in a sequence of this length; a ConfigError where there is none."""
        n, rest = divmod(length - 2 * self.n_queries, 2)
        if rest or n < 1 or (self.distinct and n > self.n_keys):
            most = f" and at most {self.n_keys}, the number of distinct keys" if self.distinct else ""
            raise ConfigError(
                f"length: given {length}; key_value_recall writes 2 n + {2 * self.n_queries} tokens, n at least 1{most}"
            )
        return n

    def lengths(self, up_to: int) -> Sequence[int]:
        most = min(up_to, 2 * (self.n_keys + self.n_queries)) if self.distinct else up_to
        return range(2 * (1 + self.n_queries), most + 1, 2)

    # -- draws
    def sample(self, n_sequences: int, length: int, seed: int = 0, first_sequence: int = 0) -> Tokens:
        n = self.n_pairs(in_range("length", length, 2**32))

        def words(stream: int, count: int = self.n_queries) -> NDArray[np.uint32]:
            return random_words(n_sequences, count, seed, first_sequence, stream)

        rows = np.arange(n_sequences)
        values = uniform_index(words(VALUES, n), self.n_values)
        keys = self._draw_keys(words(KEYS, n))
        shown = np.zeros((n_sequences, self.n_keys), dtype=np.bool_)
        shown[rows[:, None], keys] = True
        rank = np.cumsum(~shown, axis=1) - 1
        n_missing = self.n_keys - shown.sum(axis=1)
        asked = keys[rows[:, None], uniform_index(words(ASKED), n)]
        left_out = uniform_index(words(LEFT_OUT), n_missing[:, None])
        missed = coins(words(MISSED), self.missing_weight) & (n_missing > 0)[:, None]
        answer_words = words(ANSWERS)
        tokens = np.empty((n_sequences, length), dtype=token_dtype(self.vocab_size))
        tokens[:, 0 : 2 * n : 2] = keys + self.n_values
        tokens[:, 1 : 2 * n : 2] = values
        for i in range(self.n_queries):
            fresh = (~shown & (rank == left_out[:, [i]])).argmax(axis=1)
            query = np.where(missed[:, i], fresh, asked[:, i])
            _, value = _last_value(keys, values, query)
            answer = choose_rows(answer_words[:, i], self.channel_weights[value])
            other = uniform_index(answer_words[:, i], self.n_values)
            if self.missing_answer == "none":
                other = np.full_like(other, self.vocab_size - 1)
            tokens[:, 2 * n + 2 * i] = query + self.n_values
            tokens[:, 2 * n + 2 * i + 1] = np.where(missed[:, i], other, answer)
        return tokens

    def _draw_keys(self, words: NDArray[np.uint32]) -> Integers:
        if not self.distinct:
            return uniform_index(words, self.n_keys)
        shuffle = Shuffle(len(words), self.n_keys)
        for i in range(words.shape[1]):
            shuffle.take(shuffle.pick(words[:, i]))
        return shuffle.order[:, : words.shape[1]]

    def batch(self, n_sequences: int, length: int, seed: int = 0, first_sequence: int = 0) -> Batch:
        """Sampled sequences; the answers are judged."""
        tokens = self.sample(n_sequences, length, seed, first_sequence)
        judged = np.zeros(tokens.shape, dtype=np.bool_)
        judged[:, 2 * self.n_pairs(length) + 1 :: 2] = True
        return Batch(tokens, judged)

    # -- prediction
    def predict(self, tokens: Tokens, context: int | None = None, positions: Sequence[int] | None = None) -> Floats:
        """(N, L, V) exact laws given all tokens before; `context` is refused."""
        tokens = check_tokens(tokens, self.vocab_size, context)
        if context is not None:
            raise UndefinedError(
                "key_value_recall gives its laws given all tokens before, not given a context: the answers of earlier"
                " queries say something about the pairs that are cut off"
            )
        n = self.n_pairs(tokens.shape[1])
        at = check_positions(positions, tokens.shape[1])
        require_law_memory(len(tokens), len(at), self.vocab_size)
        laws = np.zeros((len(tokens), len(at), self.vocab_size))
        key_part = slice(self.n_values, self.n_values + self.n_keys)
        keys = np.clip(tokens[:, 0 : 2 * n : 2] - self.n_values, 0, self.n_keys - 1)
        values = np.minimum(tokens[:, 1 : 2 * n : 2], self.n_values - 1)
        columns = {t: [column for column, one in enumerate(at) if one == t] for t in at}
        if any(t < 2 * n and t % 2 == 0 for t in at):
            shuffle = Shuffle(len(tokens), self.n_keys)
            for i in range(n):
                if 2 * i in columns:
                    laws[:, columns[2 * i], key_part] = shuffle.law()[:, None]
                if self.distinct:
                    shuffle.take(keys[:, i])
        query_law = self._query_law(keys) if any(t >= 2 * n and t % 2 == 0 for t in at) else None
        for t, column in columns.items():
            if t < 2 * n and t % 2:
                laws[:, column, : self.n_values] = uniform_law(self.n_values)
            elif query_law is not None and t >= 2 * n and t % 2 == 0:
                laws[:, column, key_part] = query_law[:, None]
            elif t > 2 * n:
                laws[:, column] = self._answer_law(keys, values, tokens[:, t - 1] - self.n_values)[:, None]
        return laws

    def _query_law(self, keys: Integers) -> Floats:
        """(N, n_keys): one of the pairs' keys, or a missing one."""
        law = np.zeros((len(keys), self.n_keys))
        np.add.at(law, (np.arange(len(keys))[:, None], keys), uniform_law(keys.shape[1]))
        left = law == 0
        n_left = left.sum(axis=1, keepdims=True)
        missing = np.where(n_left > 0, self.missing_weight / TOTAL, 0.0)
        return (1.0 - missing) * law + missing * np.where(left, rank_law(np.cumsum(left, axis=1) - 1, n_left), 0.0)

    def _answer_law(self, keys: Integers, values: Integers, query: Integers) -> Floats:
        found, value = _last_value(keys, values, query)
        law = np.zeros((len(keys), self.vocab_size))
        law[:, : self.n_values] = self.channel_weights[value] / float(TOTAL)
        return np.where(found[:, None], law, self.missing_law)

    # -- truths
    def position_losses(self, length: int) -> Truth:
        """(length,) exact for distinct keys; otherwise the number of keys shown is random, and losses of queries are
        sampled, those of answers too if keys may be missing. Keys, values and the other answers are exact, with
        standard error 0."""
        n = self.n_pairs(length)
        if not self.distinct:
            known = [
                (slice(0, 2 * n, 2), uniform_entropy(self.n_keys)),
                (slice(1, 2 * n, 2), uniform_entropy(self.n_values)),
            ]
            if self.missing_weight == 0:
                known.append((slice(2 * n + 1, None, 2), self._answer_loss(0.0)))
            return exact_at(sampled_position_losses(self, length), known)
        losses = np.empty(length)
        losses[0 : 2 * n : 2] = [uniform_entropy(self.n_keys - i) for i in range(n)]
        losses[1 : 2 * n : 2] = uniform_entropy(self.n_values)
        missing = self.missing_weight / TOTAL if n < self.n_keys else 0.0
        left = uniform_entropy(self.n_keys - n) if n < self.n_keys else 0.0
        losses[2 * n :: 2] = mixture_entropy(missing, left, uniform_entropy(n))
        losses[2 * n + 1 :: 2] = self._answer_loss(missing)
        return Truth.exact(losses)

    def _answer_loss(self, missing: float) -> float:
        known = float(uniform_law(self.n_values) @ law_entropies(self.channel_weights / float(TOTAL)))
        return (1.0 - missing) * known + missing * float(law_entropies(self.missing_law))

    def entropy_rate(self) -> Truth:
        """Loss of an answer given all pairs, exact: the same for every n as long as keys are left to be missing; with
        repeated keys its limit as n grows, when no key is left."""
        can_miss = self.distinct and self.n_keys > 1
        return Truth.exact(self._answer_loss(self.missing_weight / TOTAL if can_miss else 0.0))

    def _why_no_context(self) -> str:
        return (
            "key_value_recall asks about all pairs of a sequence, whose number grows with its length, so no h_l holds"
            " for every length; position_losses(length) gives the Bayes loss of every position"
        )


def _last_value(keys: Integers, values: Integers, query: Integers) -> tuple[NDArray[np.bool_], Integers]:
    """(N,) whether the query's key was shown, and the value that stood last beside it (some value if it was not)."""
    match = keys == query[:, None]
    last = keys.shape[1] - 1 - match[:, ::-1].argmax(axis=1)
    return match.any(axis=1), values[np.arange(len(keys)), last]
