"""Linear feedback shift registers: fair bits, until the register is known."""

import hashlib
import math
from collections.abc import Sequence
from functools import cached_property
from typing import ClassVar, Self

import numpy as np
from pydantic import Field, model_validator

from testbed.core import Truth, UndefinedError
from testbed.sources.bits import LN2, binary_entropy
from testbed.sources.correlations import check_lags
from testbed.sources.gf2 import is_primitive, power_of_d, tap_polynomial
from testbed.sources.randomness import in_range, random_words
from testbed.sources.source import Floats, Source, Tokens, check_positions, check_tokens, require_law_memory, source

REGISTER_STREAM = 16
MAX_LAG = 2**62


@source("lfsr")
class ShiftRegisterSource(Source):
    """x_t = x_(t-a) xor x_(t-b) xor ... over the taps a, b, ...; the first n = max(taps) bits are fair.

        taps (1, 3), start 1 0 0        1 0 0 1 1 1 0 1 0 0 ...

    All 2^n registers are equally likely, and a step permutes them, since the oldest bit is a tap: the source is
    stationary, with

        h_l = ln 2 for l < n, then 0,     h = 0,     E = n ln 2.

    With `zero_state` = False the register of zeros, which writes zeros for ever, is left out of the start. The source
    stays stationary, l zeros are followed by a one with probability 2^(n-l-1) / (2^(n-l) - 1), and E = ln(2^n - 1). It
    is ergodic where the taps make all other registers one cycle (a primitive polynomial 1 + sum x^a; Golomb 1967).

    n bits determine the rest, yet no shorter window tells anything, and no two bits less than a period apart: the
    time-bounded entropy of a learner who does not solve equations over GF(2) is ln 2.

    >>> ShiftRegisterSource(taps=(1, 3), zero_state=False).ergodic
    True
    """

    vocab_size: ClassVar[int] = 2

    taps: tuple[int, ...] = Field((5, 17), min_length=1, description="lags that are added up, each 1 .. 32")
    zero_state: bool = Field(True, description="the register of zeros is one of the starts")

    @model_validator(mode="after")
    def _check(self) -> Self:
        for tap in self.taps:
            if not 1 <= tap <= 32:
                raise ValueError(f"taps: given {tap}, must be 1 .. 32")
        if len(set(self.taps)) != len(self.taps):
            raise ValueError(f"taps: given {self.taps}, which cancel where they are equal; give each once")
        return self

    @classmethod
    def examples(cls) -> list[Self]:
        return [
            cls(taps=(1, 3)),
            cls(taps=(1, 3), zero_state=False),
            cls(taps=(2, 4), zero_state=False),  # not primitive: several cycles
            cls(taps=(1,), zero_state=False),  # ones for ever
            cls(),
        ]

    @property
    def n_bits(self) -> int:
        """n, the length of the register."""
        return max(self.taps)

    @cached_property
    def ergodic(self) -> bool:  # type: ignore[override]
        return not self.zero_state and is_primitive(self.taps)

    @property
    def period(self) -> int | None:  # type: ignore[override]
        """2^n - 1 registers in one cycle."""
        return 2**self.n_bits - 1 if self.ergodic else None

    @property
    def fingerprint(self) -> str:
        taps = ",".join(map(str, sorted(self.taps)))
        return hashlib.sha256(f"lfsr:{taps}:{self.zero_state}".encode()).hexdigest()

    # -- truths
    def conditional_entropies(self, max_context: int) -> Truth:
        """h_0 .. h_max, exact."""
        max_context = in_range("max_context", max_context, 2**34)
        h = np.zeros(max_context + 1)
        n = min(self.n_bits, max_context + 1)
        h[:n] = LN2
        if not self.zero_state:
            one = self._chance_after_zeros[:n]
            zeros = (2.0 ** (self.n_bits - np.arange(n)) - 1) / (2.0**self.n_bits - 1)  # P(l zeros)
            h[:n] = (1 - zeros) * LN2 + zeros * binary_entropy(one)
        return Truth.exact(h)

    @property
    def _chance_after_zeros(self) -> Floats:
        """(n,) P(1 | l zeros), l = 0 .. n - 1."""
        rest = self.n_bits - np.arange(self.n_bits)
        return np.full(self.n_bits, 0.5) if self.zero_state else 2.0 ** (rest - 1) / (2.0**rest - 1)

    def entropy_rate(self) -> Truth:
        """0."""
        return Truth.exact(0.0)

    def excess_entropy(self) -> Truth:
        """E, the logarithm of the number of registers, exact."""
        return Truth.exact(math.log(2**self.n_bits - (not self.zero_state)))

    def two_point(self, lags: int | Sequence[int]) -> Truth:
        """kappa(m) = (P(x_t = x_(t-m)) - sum p^2) / (1 - sum p^2) at these lags, exact.

        x_t + x_(t-m) is a sum of bits of the register: none, and 0 always, where m steps lead back to the start, and
        kappa = 1; else 0 for half of the 2^n registers, and kappa = 0. The register of zeros is in that half: without
        it kappa = -1 / (2^n - 2).
        """
        wanted = check_lags(lags, MAX_LAG)
        if self.n_bits == 1 and not self.zero_state:
            raise UndefinedError("the two-point correlation of a constant stream is 0 / 0")
        apart = 0.0 if self.zero_state else -1.0 / (2**self.n_bits - 2)
        polynomial = tap_polynomial(self.taps)
        back = [power_of_d(int(m), polynomial) == 1 for m in wanted.ravel()]  # D^m = 1: the step is the identity
        returned = np.array(back, dtype=bool).reshape(wanted.shape)
        return Truth.exact(np.where(returned, 1.0, apart))

    # -- prediction
    def predict(self, tokens: Tokens, context: int | None = None, positions: Sequence[int] | None = None) -> Floats:
        """(N, L, 2) exact laws, from the last n tokens; nan after n zeros where those are left out."""
        tokens = check_tokens(tokens, 2, context)
        at = check_positions(positions, tokens.shape[1])
        require_law_memory(len(tokens), len(at), 2)
        laws = np.empty((len(tokens), len(at), 2))
        chances = np.append(self._chance_after_zeros, 0.0 if self.zero_state else np.nan)
        for column, t in enumerate(at):
            reach = min(t, self.n_bits if context is None else min(context, self.n_bits))
            only_zeros = ~tokens[:, t - reach : t].any(axis=1)
            if reach < self.n_bits:
                one = np.where(only_zeros, chances[reach], 0.5)
            else:
                parity = tokens[:, [t - tap for tap in self.taps]].sum(axis=1) % 2
                one = np.where(only_zeros, chances[reach], parity)
            laws[:, column] = np.stack([1 - one, one], axis=1)
        return laws

    # -- samples
    def sample(self, n_sequences: int, length: int, seed: int = 0, first_sequence: int = 0) -> Tokens:
        """(N, L) bits; the register is drawn from one 32-bit word, again while it is zero and that is left out."""
        length = in_range("length", length, 2**34)
        draw = 0
        words = random_words(n_sequences, 4, seed, first_sequence, REGISTER_STREAM)
        register = words[:, 0] >> np.uint32(32 - self.n_bits)
        while not self.zero_state and (again := np.flatnonzero(register == 0)).size:
            draw += 1
            if draw == words.shape[1]:
                words = random_words(n_sequences, 2 * draw, seed, first_sequence, REGISTER_STREAM)
            register[again] = words[again, draw] >> np.uint32(32 - self.n_bits)
        tokens = np.empty((n_sequences, max(length, self.n_bits)), dtype=np.uint8)
        tokens[:, : self.n_bits] = (register[:, None] >> np.arange(self.n_bits, dtype=np.uint32)) & np.uint32(1)
        for t in range(self.n_bits, length):
            tokens[:, t] = np.bitwise_xor.reduce(tokens[:, [t - tap for tap in self.taps]], axis=1)
        return np.ascontiguousarray(tokens[:, :length])
