"""A random block repeated for ever: what induction heads copy."""

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Self

import numpy as np
from pydantic import Field, model_validator

from testbed.core import ConfigError, Truth
from testbed.sources.randomness import TOTAL, in_range, random_words
from testbed.sources.recall._draws import (
    law_fingerprint,
    uniform_entropy,
    uniform_index,
    uniform_law,
)
from testbed.sources.sampled_truth import sampled_position_losses
from testbed.sources.source import (
    Floats,
    Source,
    Tokens,
    check_positions,
    check_tokens,
    require_law_memory,
    source,
    token_dtype,
)

BLOCK, LENGTH = 2, 3


@source("repeated_block")
class RepeatedBlock(Source):
    """A block of n independent uniform tokens, one for each sequence, repeated for ever.

        2 0 1 2 0 1 2 0 1 ...        (n = 3)

    h_l = ln V for l < n, then 0; h = 0; E = H(2n) = n ln V. A shifted sequence repeats a block just
    as random, so the process is stationary; it isn't ergodic.

    With `longest_block` the length is drawn too, uniformly from block_length .. longest_block. The law is then a
    posterior over the lengths that agree with what was seen, h_l is sampled, and E is the entropy of the whole
    sequence: one of smallest period d comes from every length that d divides.

    >>> RepeatedBlock(vocab_size=4, block_length=3).excess_entropy().value / math.log(4)
    3.0
    """

    vocab_size: int = Field(4, ge=1, le=65536, description="number of symbols V")
    block_length: int = Field(8, ge=1, le=4096, description="n, the block's length, or the shortest one")
    longest_block: int | None = Field(None, ge=1, le=4096, description="the longest block, if its length is drawn")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.longest_block is not None and self.longest_block < self.block_length:
            raise ConfigError(
                f"longest_block: given {self.longest_block}, must be at least block_length = {self.block_length}"
            )
        return self

    @classmethod
    def examples(cls) -> list[Self]:
        return [
            cls(vocab_size=2, block_length=3),
            cls(vocab_size=3, block_length=1),
            cls(vocab_size=2, block_length=1, longest_block=4),
            cls(vocab_size=5, block_length=8),
            cls(vocab_size=1, block_length=2, longest_block=3),
        ]

    @property
    def ergodic(self) -> bool:  # type: ignore[override]
        return self.vocab_size == 1

    @property
    def period(self) -> int | None:  # type: ignore[override]
        return 1 if self.ergodic else None

    @property
    def blocks(self) -> range:
        """The possible lengths of the block."""
        return range(self.block_length, (self.longest_block or self.block_length) + 1)

    @property
    def fingerprint(self) -> str:
        return law_fingerprint(self.type_name, self.vocab_size, self.blocks)

    def sample(self, n_sequences: int, length: int, seed: int = 0, first_sequence: int = 0) -> Tokens:
        length = in_range("length", length, 2**34)
        words = random_words(n_sequences, self.blocks[-1], seed, first_sequence, BLOCK)
        block = uniform_index(words, self.vocab_size).astype(token_dtype(self.vocab_size))
        drawn = uniform_index(random_words(n_sequences, 1, seed, first_sequence, LENGTH), len(self.blocks))
        return np.take_along_axis(block, np.arange(length) % (drawn + self.block_length), axis=1)

    def predict(self, tokens: Tokens, context: int | None = None, positions: Sequence[int] | None = None) -> Floats:
        """(N, L, V) exact laws: a mixture, over the block lengths that agree with the context, of a fresh token or the
        one a block before."""
        tokens = check_tokens(tokens, self.vocab_size, context)
        n_sequences, length = tokens.shape
        at = np.array(check_positions(positions, length), dtype=np.int64)
        require_law_memory(n_sequences, len(at), self.vocab_size)
        start = np.zeros_like(at) if context is None else np.maximum(at - context, 0)
        fresh = uniform_law(self.vocab_size)
        log_fresh = np.zeros((n_sequences, length + 1))
        np.cumsum(np.log(fresh)[tokens], axis=1, out=log_fresh[:, 1:])
        scores = np.empty((len(self.blocks), n_sequences, len(at)))
        for i, n in enumerate(self.blocks):
            differs = np.zeros((n_sequences, length + 1), dtype=np.int64)
            if length > n:
                np.cumsum(tokens[:, n:] != tokens[:, : length - n], axis=1, out=differs[:, n + 1 :])
            first_end = np.minimum(start + n, at)  # the first n tokens of the context are fresh
            scores[i] = log_fresh[:, first_end] - log_fresh[:, start] + math.log(uniform_law(len(self.blocks))[i])
            scores[i][differs[:, at] > differs[:, first_end]] = -np.inf
        with np.errstate(invalid="ignore"):  # no length agrees: the law is undefined
            weights = np.exp(scores - scores.max(axis=0))
            weights /= weights.sum(axis=0)
        laws = np.zeros((n_sequences, len(at), self.vocab_size))
        rows = np.arange(n_sequences)[:, None]
        for i, n in enumerate(self.blocks):
            known = at - start >= n
            laws[:, ~known] += weights[i][:, ~known, None] * fresh
            columns = np.flatnonzero(known)
            laws[rows, columns, tokens[:, at[columns] - n]] += weights[i][:, columns]
        return laws

    # -- truths
    def conditional_entropies(self, max_context: int) -> Truth:
        """h_0 .. h_max_context; exact for one block length, sampled if it is drawn."""
        l = np.arange(in_range("max_context", max_context, 2**31) + 1)
        if len(self.blocks) > 1 and self.vocab_size > 1:
            return sampled_position_losses(self, max_context + 1)
        return Truth.exact(np.where(l < self.block_length, uniform_entropy(self.vocab_size), 0.0))

    def entropy_rate(self) -> Truth:
        """0: two blocks tell the rest."""
        return Truth.exact(0.0)

    def excess_entropy(self) -> Truth:
        """Entropy of the whole sequence: exact for one block length; if it is drawn, a bracket, as wide as the grid of
        2^-32 makes V tokens differ from uniform ones (exact for V a power of two)."""
        if self.vocab_size == 1 or len(self.blocks) == 1:
            return Truth.exact(self.block_length * uniform_entropy(self.vocab_size))
        entropy = self._sequence_entropy
        if TOTAL % self.vocab_size == 0:
            return Truth.exact(entropy)
        # Every weight is right within a factor 1 + r, so the entropy within r (entropy + 1), to first order in r.
        width = 2.0 * self.blocks[-1] * self.vocab_size / TOTAL * (entropy + 1.0)
        return Truth.bracket(entropy - width, entropy + width)

    @cached_property
    def _sequence_entropy(self) -> float:
        """-sum w ln w over sequences: A(d) of smallest period d, each of weight w_d = sum of p(n) V^-n over n = k d."""
        log_size, chance = math.log(self.vocab_size), uniform_law(len(self.blocks))
        total = 0.0
        for d in range(1, self.blocks[-1] + 1):
            weight_of = [chance[i] * math.exp((d - n) * log_size) for i, n in enumerate(self.blocks) if n % d == 0]
            if weight_of:  # shares scaled by V^d
                share = sum(weight_of)
                total += _primitive_share(d, self.vocab_size) * share * (d * log_size - math.log(share))
        return total


def _primitive_share(d: int, vocab_size: int) -> float:
    """Share of the V^d words of length d that are no power of a shorter one: sum over e | d of mu(d/e) V^(e-d)."""
    log_size = math.log(vocab_size)
    return sum(_moebius(d // e) * math.exp((e - d) * log_size) for e in range(1, d + 1) if d % e == 0)


def _moebius(n: int) -> int:
    """The Moebius function."""
    sign, p = 1, 2
    while n > 1:
        if n % p == 0:
            n //= p
            if n % p == 0:
                return 0
            sign = -sign
        else:
            p += 1
    return sign
