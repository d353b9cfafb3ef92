"""Clocks within clocks: no entropy rate at all, and yet ever more to learn."""

import hashlib
import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from testbed.core import Truth
from testbed.sources.bits import binary_entropy
from testbed.sources.power_law.occurrences import row_chunks
from testbed.sources.randomness import in_range, random_words
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

PHASE_STREAM = 14
MAX_PERIOD = 2**31
LOW = np.uint64(32)


@source("multiperiodic")
class MultiperiodicSource(Source):
    """Symbol r takes every pi_r-th of the places that the symbols before it leave free; the last symbol takes the rest.

        periods 3, 2       0 . . 0 . . 0 . . 0       then       0 1 2 0 1 2 0 1 2 0

    The Infinite Clock of Debowski (2302.09049). Each sequence draws its phases, independent and uniform; symbol r is
    then at the free places i with i = phase_r (mod pi_r). A step forward turns the phase of symbol r by one where the
    symbols before it leave the place free, and else not: a bijection of phases, hence the process is stationary. It is
    ergodic if and only if that bijection is one cycle: prod_{s<r} (pi_s - 1) and pi_r have no common divisor, for all
    r. After all phases are seen nothing is uncertain:

        h = 0,     E = sum_r ln pi_r

    What stands before a place tells, for each r in turn, how many of the places free for r have gone by (m_r), and its
    phase once it has come. If it has not, it comes next with probability 1 / (pi_r - m_r). So the law of the next token
    is a product of such hazards, and h_l the sum over r of the mean of H_b(1 / (pi_r - m_r)), exact by the law of m_r.

    Given `periods`, or pi_r = 1 + floor(growth r): then frequencies fall as r^-(1 + 1/growth), and H(l), until the last
    period is known, grows as a power of l (Hilberg's law, with exponent growth / (1 + growth)).

    >>> MultiperiodicSource(periods=(3, 2)).block_entropies(4).value.round(4)
    array([1.0986, 1.7918, 1.7918, 1.7918])
    """

    given_periods: tuple[int, ...] | None = Field(None, alias="periods", min_length=1, description="pi_1, pi_2, ...")
    n_periods: int | None = Field(None, ge=1, le=2**15, description="number of periods; V is one more")
    growth: float | None = Field(None, ge=1, le=2**15, description="pi_r = 1 + floor(growth r)")

    @model_validator(mode="after")
    def _check(self) -> Self:
        made = [value is not None for value in (self.n_periods, self.growth)]
        if any(made) if self.given_periods is not None else not all(made):
            raise ValueError("periods: give either periods, or n_periods and growth")
        for r, period in enumerate(self.given_periods or ()):
            if not 2 <= period < MAX_PERIOD:
                raise ValueError(f"periods: entry {r} is {period}, must be 2 .. 2^31 - 1 (1 would leave no place free)")
        return self

    @classmethod
    def examples(cls) -> list[Self]:
        return [
            cls(periods=(3, 2)),
            cls(periods=(2,)),
            cls(periods=(2, 3, 5, 4)),
            cls(n_periods=30, growth=1.5),
            cls(periods=(100, 2)),
        ]

    # -- the law
    @cached_property
    def periods(self) -> tuple[int, ...]:
        """pi_1, pi_2, ..., as given or made."""
        if self.given_periods is not None:
            return self.given_periods
        assert self.n_periods is not None
        assert self.growth is not None
        return tuple(1 + math.floor(self.growth * r) for r in range(1, self.n_periods + 1))

    @property
    def vocab_size(self) -> int:
        return len(self.periods) + 1

    @property
    def ergodic(self) -> bool:  # type: ignore[override]
        free = 1  # places that a full turn of the clocks so far leaves free
        for period in self.periods:
            if math.gcd(free, period) != 1:
                return False
            free *= period - 1
        return True

    @property
    def period(self) -> int | None:  # type: ignore[override]
        """prod pi_r, the length of the one cycle of phases: all of them are seen in the end."""
        return math.prod(self.periods) if self.ergodic else None

    @property
    def frequencies(self) -> Floats:
        """(V,) the share of each symbol, (1 / pi_r) prod_{s<r} (1 - 1 / pi_s)."""
        taken = 1 / np.array(self.periods)
        free = np.concatenate([[1.0], np.cumprod(1 - taken)])
        return free * np.append(taken, 1.0)

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(f"multiperiodic:{','.join(map(str, self.periods))}".encode()).hexdigest()

    # -- truths
    def conditional_entropies(self, max_context: int) -> Truth:
        """h_0 .. h_max, exact: O(max^2 n_periods) steps."""
        max_context = in_range("max_context", max_context, 2**20)
        from scipy.sparse import csr_array

        # gone[l, m] = P(place l is free for symbol r, and m of the places before it were)
        gone = np.eye(max_context + 1)
        h = np.zeros(max_context + 1)
        count = np.arange(max_context + 1)
        for period in self.periods:
            left = np.maximum(period - count, 1)  # phases that are still possible, given that r has not come
            h += gone @ (np.maximum(period - count, 0) / period * binary_entropy(1 / left))
            turns, rest = np.divmod(count, period)  # among m places r has come turns or, if its phase < rest, turns + 1
            later = np.concatenate([count - turns, np.maximum(count - turns - 1, 0)])
            chance = np.concatenate([(period - rest - 1) / period, rest / period])
            step = csr_array((chance, (np.tile(count, 2), later)), shape=gone.shape)
            gone = gone @ step
        return Truth.exact(h)

    def entropy_rate(self) -> Truth:
        """0."""
        return Truth.exact(0.0)

    def excess_entropy(self) -> Truth:
        """E = sum of ln pi_r, exact."""
        return Truth.exact(math.fsum(math.log(period) for period in self.periods))

    # -- prediction
    def _hazards(self, tokens: NDArray[np.int64], context: int | None) -> Iterator[Floats]:
        """For each r, (N, L): probability of r at a place that is free for it, given what stands before; nan where
        nothing is possible."""
        n_sequences, length = tokens.shape
        place = np.arange(length)
        begin = np.maximum(place - length if context is None else place - context, 0)
        for r, period in enumerate(self.periods):
            free = np.zeros((n_sequences, length + 1), dtype=np.int64)
            np.cumsum(tokens >= r, axis=1, out=free[:, 1:])
            last = np.full((n_sequences, length), -1)
            if length > 1:
                last[:, 1:] = np.maximum.accumulate(np.where(tokens == r, place, -1), axis=1)[:, :-1]
            since = free[:, :-1] - np.take_along_axis(free, np.maximum(last, 0), axis=1)
            left = period - (free[:, :-1] - free[:, begin])
            with np.errstate(divide="ignore"):
                first_time = np.where(left > 0, 1 / left, np.nan)
            yield np.where(last >= begin, since % period == 0, first_time)

    def predict(self, tokens: Tokens, context: int | None = None, positions: Sequence[int] | None = None) -> Floats:
        """(N, L, V) exact laws; nan after tokens that no phases write."""
        tokens = check_tokens(tokens, self.vocab_size, context)
        at = check_positions(positions, tokens.shape[1])
        require_law_memory(len(tokens), len(at), self.vocab_size)
        laws = np.empty((len(tokens), len(at), self.vocab_size))
        remaining = np.ones((len(tokens), len(at)))
        for r, hazard in enumerate(self._hazards(tokens, context)):
            laws[:, :, r] = remaining * hazard[:, at]
            remaining = remaining * (1 - hazard[:, at])
        laws[:, :, -1] = remaining
        return laws

    def log_probs(self, tokens: Tokens, context: int | None = None) -> Floats:
        """(N, L) ln p(tokens[:, t] | what stands before), without an array over the vocabulary."""
        tokens = check_tokens(tokens, self.vocab_size, context)
        chance = np.ones(tokens.shape)
        for rows in row_chunks(*tokens.shape):
            part = tokens[rows]
            for r, hazard in enumerate(self._hazards(part, context)):
                chance[rows] *= np.where(part == r, hazard, np.where(part > r, 1 - hazard, 1.0))
        with np.errstate(divide="ignore"):
            return np.log(chance)

    # -- samples
    def phases(self, n_sequences: int, seed: int = 0, first_sequence: int = 0) -> NDArray[np.int64]:
        """(N, n_periods) the phases of each sequence, uniform to 2^-64: floor(word pi_r / 2^64) of 64-bit words."""
        words = random_words(n_sequences, 2 * len(self.periods), seed, first_sequence, PHASE_STREAM).astype(np.uint64)
        periods = np.array(self.periods, dtype=np.uint64)
        low, high = words[:, ::2], words[:, 1::2]
        return ((((low * periods) >> LOW) + high * periods) >> LOW).astype(np.int64)

    def sample(self, n_sequences: int, length: int, seed: int = 0, first_sequence: int = 0) -> Tokens:
        """(N, L) tokens, symbol by symbol until no place is free."""
        length = in_range("length", length, 2**34)
        phases = self.phases(n_sequences, seed, first_sequence)
        tokens = np.full((n_sequences, length), len(self.periods), dtype=token_dtype(self.vocab_size))
        free = np.ones(tokens.shape, dtype=np.bool_)
        for r, period in enumerate(self.periods):
            index = np.cumsum(free, axis=1, dtype=np.int64) - 1
            taken = free & (index % period == phases[:, r, None])
            tokens[taken] = r
            free &= ~taken
            if not free.any():
                break
        return tokens
