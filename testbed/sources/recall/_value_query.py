"""`ValueQuery`: n sites that carry values, a question that singles one out, and its value through a noisy channel."""

from collections.abc import Sequence
from functools import cached_property
from typing import ClassVar, Self

import numpy as np
from pydantic import Field, model_validator

from testbed.core import ArrayInput, ConfigError
from testbed.sources.dyadic import quantise
from testbed.sources.randomness import TOTAL, choose_rows, random_words
from testbed.sources.recall._draws import (
    Integers,
    check_channel,
    check_noise,
    symmetric_channel,
    uniform_index,
    uniform_law,
)
from testbed.sources.recall._sweep_query import SweepQuery
from testbed.sources.refusals import WithoutContextEntropies
from testbed.sources.sampled_truth import CHUNK_BYTES, N_SEQUENCES, TRUTH_SEED, law_entropies
from testbed.sources.source import Floats, Tokens

VALUES, ANSWER = 2, 3
"""Streams of the values and of the answer; each source numbers its own from 4."""


class ValueQuery(WithoutContextEntropies, SweepQuery):
    """Sites of `site_length` tokens, the question, the answer; n follows from the length of the sequence.

    Values are the tokens 0 .. n_values - 1, independent and uniform. The answer is the value of one site, seen through
    `channel` (or a symmetric one of the given `noise`). Which site, is what a subclass is about.

    The question bears on all n sites of the sequence, and n grows with its length, so there is no one h_l for all
    lengths: `conditional_entropies` is refused, `position_losses(length)` gives the Bayes loss at every n.
    """

    context_unit: ClassVar[str] = "one site"
    site_length: ClassVar[int] = 2

    n_values: int = Field(4, ge=1, le=4096, description="number of values")
    noise: float = Field(
        0.0, ge=0, le=1, description="probability that the answer is one of the other values, each alike"
    )
    channel: ArrayInput = Field(
        None, description="p(answer | value) in place of the symmetric noise, (n_values, n_values)"
    )

    @model_validator(mode="after")
    def _check_channel(self) -> Self:
        if self.channel is None:
            check_noise(self.n_values, self.noise)
        else:
            if self.noise != 0:
                raise ValueError(f"noise: given {self.noise}, but a channel is given too, which says it all")
            check_channel(self.channel, self.n_values)
        return self

    # -- laws
    @cached_property
    def channel_weights(self) -> Integers:
        """(n_values, n_values) integer weights over 2^32."""
        return symmetric_channel(self.n_values, self.noise) if self.channel is None else quantise(self.channel)

    @cached_property
    def channel_law(self) -> Floats:
        """p(answer | value)."""
        return self.channel_weights / float(TOTAL)

    @cached_property
    def value_law(self) -> Floats:
        """(n_values,): uniform, on the grid of 2^-32."""
        return uniform_law(self.n_values)

    @cached_property
    def answer_law(self) -> Floats:
        """The law of an answer of which nothing is known."""
        return self.value_law @ self.channel_law

    @property
    def known_loss(self) -> float:
        """Entropy of the answer once the site is found: the channel's, averaged over the values."""
        return float(self.value_law @ law_entropies(self.channel_law))

    @property
    def prior_loss(self) -> float:
        """Entropy of an answer of which nothing is known."""
        return float(law_entropies(self.answer_law))

    def sites_limit(self) -> int | None:
        """The largest number of sites, None where there is no limit."""
        return None

    # -- shape
    def n_units(self, length: int) -> int:
        """n, the number of sites in a sequence of this length; a ConfigError where there is none."""
        n, rest = divmod(length - self.question_length - 1, self.site_length)
        limit = self.sites_limit()
        if rest or n < 1 or (limit is not None and n > limit):
            most = "" if limit is None else f" and at most {limit}"
            raise ConfigError(
                f"length: given {length}; {self.type_name} writes {self.site_length} n + {self.question_length + 1}"
                f" tokens, n at least 1{most}"
            )
        return n

    def length_of(self, n_sites: int) -> int:
        """The length of a sequence of n sites."""
        return self.site_length * n_sites + self.question_length + 1

    def lengths(self, up_to: int) -> Sequence[int]:
        limit = self.sites_limit()
        most = up_to if limit is None else min(up_to, self.length_of(limit))
        return range(self.length_of(1), most + 1, self.site_length)

    # -- draws
    def _draw_values(self, n_sequences: int, n_sites: int, seed: int, first_sequence: int) -> Integers:
        return uniform_index(random_words(n_sequences, n_sites, seed, first_sequence, VALUES), self.n_values)

    def _draw_answers(self, true_values: Integers, seed: int, first_sequence: int) -> Integers:
        words = random_words(len(true_values), 1, seed, first_sequence, ANSWER)[:, 0]
        return choose_rows(words, self.channel_weights[true_values])

    # -- prediction
    def _answers_of(self, values: Tokens, weights: Floats, unseen: Floats) -> Floats:
        """(N, V): the answer's law if the site is the j-th with `weights` (N, m), one not seen with `unseen` (N,)."""
        rows = np.arange(len(values))[:, None]
        flat = (rows * self.n_values + np.minimum(values, self.n_values - 1)).ravel()
        mass = np.bincount(flat, weights.ravel(), minlength=len(values) * self.n_values)
        laws = np.zeros((len(values), self.vocab_size))
        laws[:, : self.n_values] = mass.reshape(-1, self.n_values) @ self.channel_law
        laws[:, : self.n_values] += unseen[:, None] * self.answer_law
        return laws

    # -- truths
    def _why_no_context(self) -> str:
        return (
            f"{self.type_name} asks about all sites of a sequence, whose number grows with its length, so no h_l holds"
            " for every length; position_losses(length) gives the Bayes loss for each"
        )

    def _sampled_target_loss(self, length: int, n_sequences: int = N_SEQUENCES) -> tuple[float, float]:
        """Mean entropy of the answer's law over sequences of this length, and its standard error."""
        entropies = []
        rows = max(1, CHUNK_BYTES // (64 * length))
        for first in range(0, n_sequences, rows):
            batch = self.batch(min(rows, n_sequences - first), length, seed=TRUTH_SEED, first_sequence=first)
            entropies.append(law_entropies(self.predict_batch(batch, positions=[length - 1])[:, 0]))
        found = np.concatenate(entropies)
        return float(found.mean()), float(found.std(ddof=1) / np.sqrt(len(found)))
