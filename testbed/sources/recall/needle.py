"""Recall from statements of one token each: the asked key stands in one of n, however many there are."""

from functools import cached_property
from typing import ClassVar, Self

import numpy as np
from pydantic import Field

from testbed.core import Truth
from testbed.sources.randomness import in_range, random_words
from testbed.sources.recall._draws import Integers, exact_at, law_fingerprint, uniform_index, uniform_law
from testbed.sources.recall._value_query import ValueQuery
from testbed.sources.sampled_truth import sampled_position_losses
from testbed.sources.source import Floats, Tokens, source, token_dtype

KEYS, SITES, ASKED = 4, 5, 6


@source("needle")
class Needle(ValueQuery):
    """n statements, each a key with its value in one token; the key that is asked for stands in exactly one of them.

        k3=1  k0=0  k7=1  k0=1 | k7 | 1        (n = 4)

    The asked key and the place of its statement are uniform; the other statements have any of the other keys, with
    repetition, so that n has no limit. All values are uniform. The answer is the asked key's value through the channel,
    the same law at every n, and it does not depend on the order of the statements: where a model loses by n, either
    the many keys or their positions did it (tasks T2 and T4; claim C7 of Li et al. 2025). One token a statement, so
    that nothing need be bound to its neighbour by position. Leaving out statements but the asked one, at places drawn
    uniformly, gives a sequence of the same source with the same answer.

    Tokens: values 0 .. V - 1 (answers), then V + V k + x for the value x of key k, then the K questions.

    >>> source = Needle(n_keys=3, n_values=2, noise=0.1)
    >>> source.predict(np.array([[2, 7, 4, 10, 0]]), positions=[4])[0, 0, :2].round(4).tolist()   # 0=0 2=1 1=0 | 2 |
    [0.1, 0.9]
    """

    site_length: ClassVar[int] = 1
    context_unit: ClassVar[str] = "one statement"

    n_keys: int = Field(8, ge=2, le=4096, description="number of keys")

    @classmethod
    def examples(cls) -> list[Self]:
        return [
            cls(n_keys=4, n_values=2, noise=0.1),
            cls(n_keys=2, n_values=3),
            cls(n_keys=3, n_values=2, channel=np.array([[1.0, 0.0], [0.3, 0.7]])),
        ]

    # -- laws
    @property
    def vocab_size(self) -> int:
        return self.n_values + self.n_values * self.n_keys + self.n_keys

    @cached_property
    def other_laws(self) -> Floats:
        """(K, K): law of another statement's key, by the asked key."""
        law, others = np.zeros((self.n_keys, self.n_keys)), uniform_law(self.n_keys - 1)
        for asked in range(self.n_keys):
            law[asked, np.arange(self.n_keys) != asked] = others
        return law

    @property
    def fingerprint(self) -> str:
        return law_fingerprint(self.type_name, self.n_keys, self.channel_weights)

    # -- draws
    def sample(self, n_sequences: int, length: int, seed: int = 0, first_sequence: int = 0) -> Tokens:
        n, rows = self.n_units(in_range("length", length, 2**32)), np.arange(n_sequences)
        asked = uniform_index(random_words(n_sequences, 1, seed, first_sequence, ASKED)[:, 0], self.n_keys)
        site = uniform_index(random_words(n_sequences, 1, seed, first_sequence, SITES)[:, 0], n)
        keys = uniform_index(random_words(n_sequences, n, seed, first_sequence, KEYS), self.n_keys - 1)
        keys += keys >= asked[:, None]
        keys[rows, site] = asked
        values = self._draw_values(n_sequences, n, seed, first_sequence)
        tokens = np.empty((n_sequences, length), dtype=token_dtype(self.vocab_size))
        tokens[:, :n] = self.n_values * (1 + keys) + values
        tokens[:, -2] = self.n_values * (1 + self.n_keys) + asked
        tokens[:, -1] = self._draw_answers(values[rows, site], seed, first_sequence)
        return tokens

    # -- prediction
    def keys_of(self, statements: Tokens) -> Integers:
        """Keys of statements, any shape; -1 for what is none."""
        index = np.asarray(statements, dtype=np.int64) - self.n_values
        return np.where((index >= 0) & (index < self.n_values * self.n_keys), index // self.n_values, -1)

    def asked_sites(self, tokens: Tokens) -> Integers:
        """(N,) which statement of each sequence has the asked key (the first, should there be several)."""
        asked = np.asarray(tokens[:, -2], dtype=np.int64) - self.n_values * (1 + self.n_keys)
        return np.asarray(np.argmax(self.keys_of(tokens[:, :-2]) == asked[:, None], axis=1))

    def _asked_weights(self, tokens: Tokens, n: int, t: int) -> tuple[Floats, Floats]:
        """(N, K) each: p(asked key, first t statements, up to a factor), its statement being to come, or among them."""
        is_asked = self.keys_of(tokens[:, :t])[:, :, None] == np.arange(self.n_keys)  # (N, t, K)
        times, places = is_asked.sum(axis=1), uniform_law(n)
        with np.errstate(divide="ignore"):
            others = np.log(self.other_laws).T  # (key, asked key)
        log_others = np.where(is_asked, 0.0, others[np.maximum(self.keys_of(tokens[:, :t]), 0)]).sum(axis=1)
        here = np.einsum("ntk,t->nk", is_asked, places[:t])
        possible = np.where(times <= 1, log_others, -np.inf)
        with np.errstate(invalid="ignore"):  # no key is possible: the law is undefined
            scale = np.exp(possible - possible.max(axis=1, keepdims=True)) * uniform_law(self.n_keys)
        return np.where(times == 0, scale * places[t:].sum(), 0.0), np.where(times == 1, scale * here, 0.0)

    def _context_laws_at(self, tokens: Tokens, at: list[int]) -> Floats:
        laws = np.zeros((len(tokens), len(at), self.vocab_size))
        n = self.n_units(tokens.shape[1])
        for column, t in enumerate(at):
            ahead, behind = self._asked_weights(tokens, n, t)
            with np.errstate(invalid="ignore"):  # a sequence that cannot be: the law is undefined
                total = (ahead + behind).sum(axis=1, keepdims=True)
                if t == n:
                    laws[:, column, self.n_values * (1 + self.n_keys) :] = behind / total
                    continue
                places = uniform_law(n)
                now = places[t] / places[t:].sum()
                keys = (ahead * now + ((1.0 - now) * ahead + behind) @ self.other_laws) / total
            joint = keys[:, :, None] * self.value_law
            laws[:, column, self.n_values : self.n_values * (1 + self.n_keys)] = joint.reshape(len(tokens), -1)
        return laws

    def _target_laws(self, tokens: Tokens, n_units: int) -> Floats:
        n = self.n_units(tokens.shape[1])
        asked = tokens[:, -2].astype(np.int64) - self.n_values * (1 + self.n_keys)
        near = tokens[:, n - n_units : n]
        match = (self.keys_of(near) == asked[:, None]).astype(np.float64)
        values = (near.astype(np.int64) - self.n_values) % self.n_values
        return self._answers_of(values, match, 1.0 - match.any(axis=1))

    # -- truths
    def position_losses(self, length: int) -> Truth:
        """(length,) sampled, but for the answer: the channel's entropy, exact."""
        return exact_at(sampled_position_losses(self, length), [(length - 1, self.known_loss)])

    def entropy_rate(self) -> Truth:
        """Loss of the answer given all statements: the channel's entropy, the same for every n."""
        return Truth.exact(self.known_loss)
