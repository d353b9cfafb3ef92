"""Argmax retrieval over a finite alphabet: the answer is the value at the site of the highest level."""

from functools import cached_property
from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from testbed.core import ArrayInput, ConfigError, Truth, UndefinedError
from testbed.sources.dyadic import check_rows, quantise
from testbed.sources.randomness import TOTAL, choose, in_range, random_words
from testbed.sources.recall._draws import Integers, law_fingerprint, rank_law, uniform_weights
from testbed.sources.recall._value_query import ValueQuery
from testbed.sources.sampled_truth import law_entropies
from testbed.sources.source import Floats, Tokens, source, token_dtype

LEVELS, TIES = 4, 5


@source("argmax_retrieval")
class ArgmaxRetrieval(ValueQuery):
    """Each site has a level and a value; the answer is the value of the highest level, through the channel.

        x2 v1  x5 v0  x4 v1 | ? | v0

    Equal highest levels: the `first` site counts, the `last`, or one of them drawn at `random` (each alike).
    With `first` and `last` the answer is certain up to the channel at every n, while the gap between the highest level
    and the rest shrinks (task T3; Velickovic et al. 2024).

    Tokens: values 0 .. n_values - 1, levels, then the question.
    """

    n_levels: int = Field(8, ge=1, le=4096, description="number of levels")
    level_law: ArrayInput = Field(None, description="law of a level, (n_levels,), lowest first; uniform if left out")
    ties: Literal["first", "last", "random"] = Field("first", description="which of several highest sites counts")

    @model_validator(mode="after")
    def _check_levels(self) -> Self:
        if self.level_law is not None:
            if self.level_law.shape != (self.n_levels,):
                raise ConfigError(f"level_law: given shape {self.level_law.shape}, must be ({self.n_levels},)")
            check_rows(self.level_law, "level_law")
        return self

    @classmethod
    def examples(cls) -> list[Self]:
        return [
            cls(n_values=3, n_levels=4, noise=0.2),
            cls(n_values=2, n_levels=2, level_law=np.array([0.7, 0.3]), ties="last"),
            cls(n_values=2, n_levels=2, ties="random"),
            cls(n_values=2, n_levels=1, ties="random"),
        ]

    # -- laws
    @cached_property
    def level_weights(self) -> Integers:
        """(n_levels,) integer weights over 2^32."""
        return uniform_weights(self.n_levels) if self.level_law is None else quantise(self.level_law)

    @property
    def vocab_size(self) -> int:
        return self.n_values + self.n_levels + 1

    @property
    def fingerprint(self) -> str:
        return law_fingerprint(self.type_name, self.level_weights, self.ties, self.channel_weights)

    # -- draws
    def sample(self, n_sequences: int, length: int, seed: int = 0, first_sequence: int = 0) -> Tokens:
        n = self.n_units(in_range("length", length, 2**32))
        levels = choose(random_words(n_sequences, n, seed, first_sequence, LEVELS), self.level_weights)
        values = self._draw_values(n_sequences, n, seed, first_sequence)
        words = random_words(n_sequences, 1, seed, first_sequence, TIES)[:, :1].astype(np.uint64)
        ends = np.cumsum(self._tie_weights(levels), axis=1, dtype=np.uint64)
        site = (words >= ends).sum(axis=1)
        tokens = np.empty((n_sequences, length), dtype=token_dtype(self.vocab_size))
        tokens[:, 0:-2:2] = levels + self.n_values
        tokens[:, 1:-2:2] = values
        tokens[:, -2] = self.vocab_size - 1
        tokens[:, -1] = self._draw_answers(values[np.arange(n_sequences), site], seed, first_sequence)
        return tokens

    def _tie_weights(self, levels: Tokens) -> Integers:
        """(N, n) integer weights over 2^32 with which each site counts."""
        highest = levels == levels.max(axis=1, keepdims=True)
        rank = np.cumsum(highest, axis=1) - 1
        n_highest = highest.sum(axis=1, keepdims=True)
        if self.ties == "random":
            law = rank_law(rank, n_highest)
        else:
            law = (rank == (0 if self.ties == "first" else n_highest - 1)).astype(np.float64)
        return np.where(highest, law * TOTAL, 0).astype(np.int64)

    # -- prediction
    def _context_laws_at(self, tokens: Tokens, at: list[int]) -> Floats:
        law = np.zeros((len(at), self.vocab_size))
        t, question = np.array(at), tokens.shape[1] - 2
        law[t == question, -1] = 1.0
        law[(t < question) & (t % 2 == 0), self.n_values : -1] = self.level_weights / float(TOTAL)
        law[(t < question) & (t % 2 == 1), : self.n_values] = self.value_law
        return np.broadcast_to(law, (len(tokens), *law.shape))

    def _target_laws(self, tokens: Tokens, n_units: int) -> Floats:
        n = self.n_units(tokens.shape[1])
        far = n - n_units
        if n_units == 0:
            nothing = np.zeros((len(tokens), 0))
            return self._answers_of(nothing.astype(np.int64), nothing, np.ones(len(tokens)))
        near = tokens[:, 2 * far : 2 * n]
        levels = near[:, 0::2] - self.n_values
        weights = self._tie_weights(levels) / float(TOTAL)
        unseen = np.zeros(len(tokens))
        if far:
            if self.ties == "random":
                raise UndefinedError("argmax_retrieval: with ties = random there is no law of the nearest sites alone")
            below = np.concatenate([[0.0], np.cumsum(self.level_weights) / float(TOTAL)])
            # The far sites are the older ones: of equals they come first.
            bound = np.clip(levels.max(axis=1) + (self.ties == "last"), 0, self.n_levels)
            unseen = 1.0 - below[bound] ** far
        return self._answers_of(near[:, 1::2], weights * (1.0 - unseen)[:, None], unseen)

    # -- truths
    def position_losses(self, length: int) -> Truth:
        """(length,) exact; with ties = random the answer's loss is sampled (the others then have error 0)."""
        self.n_units(length)
        losses, errors = np.zeros(length), np.zeros(length)
        losses[0:-2:2] = law_entropies(self.level_weights / float(TOTAL))
        losses[1:-2:2] = law_entropies(self.value_law)
        losses[-1] = self.known_loss
        if self.ties != "random":
            return Truth.exact(losses)
        losses[-1], errors[-1] = self._sampled_target_loss(length)
        return Truth.sampled(losses, errors)

    def entropy_rate(self) -> Truth:
        """Limit of the answer's loss as n grows, exact: the channel's entropy; with ties = random ever more sites are
        tied, and the answer's prior is left."""
        return Truth.exact(self.prior_loss if self.ties == "random" else self.known_loss)
