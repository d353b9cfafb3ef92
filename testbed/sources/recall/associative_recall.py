"""Exact associative recall: the query repeats one of n distinct keys, the answer is the value that stood beside it."""

from typing import Self

import numpy as np
from pydantic import Field

from testbed.core import Truth
from testbed.sources.randomness import in_range, random_words
from testbed.sources.recall._draws import Shuffle, law_fingerprint, uniform_entropy, uniform_index, uniform_law
from testbed.sources.recall._value_query import ValueQuery
from testbed.sources.sampled_truth import law_entropies
from testbed.sources.source import Floats, Tokens, source, token_dtype

KEYS, SITES = 4, 5


@source("associative_recall")
class AssociativeRecall(ValueQuery):
    """Pairs of a key and its value, all keys distinct; one key is asked again and its value is the answer.

        k3 v1  k7 v0  k1 v1 | k7 | v0        (n = 3)

    Keys are drawn without replacement, so n is at most n_keys; the query repeats each of the n with equal probability.
    The answer's law is a point mass, or the channel's row, at every n: its Bayes loss does not depend on n, while
    attention of a fixed temperature thins out as 1/n (task T2; Li et al. 2025 need a ln n law here).

    Tokens: values 0 .. n_values - 1, then the keys. Given the nearest l of n pairs alone,
    h_l = (l/n) H(channel) + (1 - l/n) H(answer):

    >>> AssociativeRecall(n_keys=8, n_values=2).context_entropies(n_sites=4, max_context=4).value / np.log(2)
    array([1.  , 0.75, 0.5 , 0.25, 0.  ])
    """

    n_keys: int = Field(16, ge=1, le=2**16, description="number of keys, the largest n")

    @classmethod
    def examples(cls) -> list[Self]:
        return [
            cls(n_keys=8, n_values=4),
            cls(n_keys=2, n_values=2, noise=0.1),
            cls(n_keys=5, n_values=3, channel=np.array([[1.0, 0.0, 0.0], [0.2, 0.5, 0.3], [0.0, 0.0, 1.0]])),
            cls(n_keys=5, n_values=1),
        ]

    @property
    def vocab_size(self) -> int:
        return self.n_values + self.n_keys

    def sites_limit(self) -> int:
        return self.n_keys

    @property
    def fingerprint(self) -> str:
        return law_fingerprint(self.type_name, self.n_keys, self.channel_weights)

    def sample(self, n_sequences: int, length: int, seed: int = 0, first_sequence: int = 0) -> Tokens:
        n = self.n_units(in_range("length", length, 2**32))
        values = self._draw_values(n_sequences, n, seed, first_sequence)
        keys = draw_keys(n_sequences, n, self.n_keys, seed, first_sequence, KEYS)
        asked = uniform_index(random_words(n_sequences, 1, seed, first_sequence, SITES)[:, 0], n)
        rows = np.arange(n_sequences)
        tokens = np.empty((n_sequences, length), dtype=token_dtype(self.vocab_size))
        tokens[:, 0:-2:2] = keys + self.n_values
        tokens[:, 1:-2:2] = values
        tokens[:, -2] = keys[rows, asked] + self.n_values
        tokens[:, -1] = self._draw_answers(values[rows, asked], seed, first_sequence)
        return tokens

    def _context_laws_at(self, tokens: Tokens, at: list[int]) -> Floats:
        laws = np.zeros((len(tokens), len(at), self.vocab_size))
        question = tokens.shape[1] - 2
        keys = tokens[:, 0:question:2] - self.n_values
        wanted = {t: column for column, t in enumerate(at)}
        for t, column in wanted.items():
            if t % 2 and t < question:
                laws[:, column, : self.n_values] = self.value_law
        if question in wanted:
            shown = np.clip(keys, 0, self.n_keys - 1) + self.n_values
            share = uniform_law(keys.shape[1])
            np.add.at(laws[:, wanted[question]], (np.arange(len(tokens))[:, None], shown), share)
        shuffle = Shuffle(len(tokens), self.n_keys)
        for i in range(1 + max((t for t in at if t % 2 == 0 and t < question), default=-2) // 2):
            if 2 * i in wanted:
                laws[:, wanted[2 * i], self.n_values :] = shuffle.law()
            shuffle.take(keys[:, i])
        return laws[:, [wanted[t] for t in at]]

    def _target_laws(self, tokens: Tokens, n_units: int) -> Floats:
        question = tokens.shape[1] - 2
        near = slice(question - 2 * n_units, question)
        match = (tokens[:, near][:, 0::2] == tokens[:, [question]]).astype(np.float64)
        unseen = 1.0 - match.any(axis=1)
        return self._answers_of(tokens[:, near][:, 1::2], match, unseen)

    # -- truths
    def context_entropies(self, n_sites: int, max_context: int) -> Truth:
        """h_0 .. h_max_context of the answer in sequences of n_sites pairs, given the query and the nearest l pairs."""
        self.n_units(self.length_of(in_range("n_sites", n_sites, 2**32)))
        l = np.minimum(np.arange(in_range("max_context", max_context, 2**31) + 1), n_sites)
        seen = np.concatenate([[0.0], np.cumsum(uniform_law(n_sites)[::-1])])[l]
        return Truth.exact(seen * self.known_loss + (1.0 - seen) * self.prior_loss)

    def position_losses(self, length: int) -> Truth:
        """(length,) exact: ln of the keys left, ln n_values; ln n for the query; the channel's entropy at the end."""
        n = self.n_units(length)
        losses = np.empty(length)
        losses[0:-2:2] = [uniform_entropy(self.n_keys - i) for i in range(n)]
        losses[1:-2:2] = law_entropies(self.value_law)
        losses[-2] = uniform_entropy(n)
        losses[-1] = self.known_loss
        return Truth.exact(losses)

    def entropy_rate(self) -> Truth:
        """Loss of the answer given all pairs: the channel's entropy, the same for every n."""
        return Truth.exact(self.known_loss)


def draw_keys(n_sequences: int, n: int, n_keys: int, seed: int, first_sequence: int, stream: int) -> Tokens:
    """(N, n) distinct keys of 0 .. n_keys - 1."""
    words = random_words(n_sequences, n, seed, first_sequence, stream)
    shuffle = Shuffle(n_sequences, n_keys)
    for i in range(n):
        shuffle.take(shuffle.pick(words[:, i]))
    return shuffle.order[:, :n]
