"""A query over bits whose farthest bits are hidden, a random number of them in each sequence."""

import hashlib
from functools import cached_property
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from testbed.core import ConfigError, Truth
from testbed.sources.bit_query import NEVER, BitQuerySource
from testbed.sources.bits import LN2, binary_entropy, entropy
from testbed.sources.dyadic import quantise
from testbed.sources.parity.sparse_parity import SparseParitySource
from testbed.sources.query import QuerySource
from testbed.sources.randomness import TOTAL, choose, in_range, random_words
from testbed.sources.source import AnySource, Floats, Tokens, source, token_dtype

SHOWN_STREAM = 8
MOST_SHOWN = 2**20


@source("far_bits_hidden")
class FarBitsHiddenSource(QuerySource):
    """Bits | question | target of another source, of which only the v nearest bits are shown; v is drawn a sequence.

        ? ? 1 0 1 | question | target        (v = 3; ? is the symbol V - 1)

        v = infinity with probability `whole`, else uniform over least .. most
        h_l = ln 2 (1 - a_l) + H_2(noise) a_l,      a_l = sum over the questions with d <= l of f P(v >= d)

    One model of it serves all visible lengths: this is how Shi et al. 2025 (2502.01481, v4) train the transformer of
    their parities, half of the samples whole and 10 to 60 of 60 bits visible in the others. What is hidden counts as
    context: l = 3 above says that at most three bits are seen, whatever v. Symbols and questions keep their numbers.

    >>> base = SparseParitySource(tasks=((2, 1), (4, 3)))
    >>> FarBitsHiddenSource(of=base, least=2, most=4).conditional_entropies(4).value.round(4)
    array([0.6931, 0.6931, 0.3466, 0.3466, 0.1155])
    """

    context_unit: ClassVar[str] = "one bit, or the mark of a hidden one"

    of: AnySource = Field(description="a query over bits")
    least: int = Field(0, ge=0, le=MOST_SHOWN, description="least number of bits shown where some are hidden")
    most: int = Field(ge=0, le=MOST_SHOWN, description="largest such number")
    whole: float = Field(0.5, ge=0, le=1, description="probability that no bit is hidden")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not isinstance(self.of, BitQuerySource):
            raise ConfigError(f"of: given {self.of.type_name}, must be a query over bits")
        if self.least > self.most:
            raise ConfigError(f"least: given {self.least}, must be at most most = {self.most}")
        return self

    @classmethod
    def examples(cls) -> list[Self]:
        base = SparseParitySource(tasks=((2, 1), (3, 2), (1,)), frequencies=np.array([0.5, 0.3, 0.2]))
        noisy = SparseParitySource(tasks=((2, 1), (3,)), n_bits=2, noise=0.1)
        return [
            cls(of=base, most=3),
            cls(of=noisy, least=1, most=2, whole=0.25),
            cls(of=base, most=3, whole=1.0),
            cls(of=base, least=2, most=2, whole=0.0),
        ]

    # -- the law
    @property
    def base(self) -> BitQuerySource:
        """The source whose bits are hidden."""
        assert isinstance(self.of, BitQuerySource)
        return self.of

    @property
    def vocab_size(self) -> int:
        return self.of.vocab_size + 1

    @property
    def hidden(self) -> int:
        """The symbol that stands for a hidden bit."""
        return self.of.vocab_size

    @cached_property
    def shown_weights(self) -> NDArray[np.int64]:
        """(1 + most - least + 1,) integer weights over 2^32 of v: all bits, then least, ..., most; read-only."""
        n = self.most - self.least + 1
        weights = quantise(np.append(self.whole, np.full(n, (1.0 - self.whole) / n)))
        weights.flags.writeable = False
        return weights

    def chance_shown(self, bits: NDArray[np.int64]) -> Floats:
        """P(v >= n) for each n >= 0: that the n nearest bits are shown; exact."""
        from_there_on = np.cumsum(self.shown_weights[:0:-1])[::-1]  # of least, ..., most
        tail = np.append(from_there_on, 0)
        at = np.clip(np.asarray(bits, dtype=np.int64) - self.least, 0, len(tail) - 1)
        return (self.shown_weights[0] + tail[at]) / float(TOTAL)

    @cached_property
    def answered(self) -> Floats:
        """(T,) f_t P(v >= d_t): how often a question comes whose bits are all shown, however long the context."""
        return np.where(self.base.depths < NEVER, self.base.question_law * self.chance_shown(self.base.depths), 0.0)

    @property
    def fingerprint(self) -> str:
        head = f"far bits hidden:{self.least}:{self.of.fingerprint}:".encode()
        return hashlib.sha256(head + self.shown_weights.astype("<i8").tobytes()).hexdigest()

    @property
    def _gain(self) -> float:
        """Nats by which an answered question is known better than by chance."""
        return LN2 - float(binary_entropy(self.base.noise_weights[1] / TOTAL))

    # -- truths
    def conditional_entropies(self, max_context: int) -> Truth:
        lengths = np.arange(in_range("max_context", max_context, 2**40) + 1)
        order = np.argsort(self.base.depths, kind="stable")
        share = np.append(0.0, np.cumsum(self.answered[order]))
        known = share[np.searchsorted(self.base.depths[order], lengths, side="right")]
        return Truth.exact(LN2 - self._gain * known)

    def entropy_rate(self) -> Truth:
        """ln 2 - (ln 2 - H_2(noise)) sum of f P(v >= d), exact."""
        return Truth.exact(LN2 - self._gain * float(self.answered.sum()))

    def excess_entropy(self) -> Truth:
        """(ln 2 - H_2(noise)) sum of f P(v >= d) d over the questions that can be answered; exact."""
        finite = self.base.depths < NEVER
        return Truth.exact(self._gain * float(self.answered[finite] @ self.base.depths[finite]))

    def position_losses(self, length: int) -> Truth:
        """(length,): bit i, given that all farther ones are hidden, is hidden as well with probability
        q = P(v < i) / P(v <= i); else fair. Then H(f), then h_n; exact."""
        n = self.n_units(in_range("length", length, 2**34))
        losses = np.empty(length)
        farther = np.append(1.0, 1.0 - self.chance_shown(np.arange(n, 0, -1)))  # all farther bits are hidden
        q = _share(farther[1:], farther[:-1])
        losses[:n] = farther[:-1] * binary_entropy(q) + (1.0 - farther[1:]) * LN2
        losses[-2] = entropy(self.base.question_law)
        losses[-1] = self.conditional_entropies(n).lower[-1]
        return Truth.exact(losses)

    # -- prediction
    def _context_laws(self, tokens: Tokens, t: int) -> Floats:
        """Where bits were shown the next is fair; a mark after a bit, or a bit after the question, is impossible."""
        n = tokens.shape[1] - 2
        laws = np.zeros((len(tokens), self.vocab_size))
        if t == n:
            laws[:, 2 : self.hidden] = self.base.question_law
            return laws
        still = (tokens[:, :t] == self.hidden).all(axis=1)
        this, farther = 1.0 - self.chance_shown(np.array([n - t, n - t + 1]))
        laws[:, self.hidden] = np.where(still, _share(this, farther if t else np.ones(())), 0.0)
        laws[:, :2] = 0.5 * (1.0 - laws[:, [self.hidden]])
        return laws

    def _target_laws(self, tokens: Tokens, n_units: int) -> Floats:
        """Those of the base, given the shown ones of the nearest n_units."""
        marks = tokens[:, :-2][:, ::-1] == self.hidden
        shown = np.where(marks.any(axis=1), marks.argmax(axis=1), marks.shape[1])
        seen, laws = np.minimum(shown, n_units), np.zeros((len(tokens), self.vocab_size))
        bits = np.where(tokens == self.hidden, 0, tokens)
        last = tokens.shape[1] - 1
        for n in np.unique(seen):
            rows = seen == n
            laws[rows, : self.hidden] = self.of.predict(bits[rows], context=int(n), positions=[last])[:, 0]
        return laws

    # -- samples
    def sample(self, n_sequences: int, length: int, seed: int = 0, first_sequence: int = 0) -> Tokens:
        """(N, L) tokens; row i depends on (source, seed, first_sequence + i) alone."""
        n = self.n_units(in_range("length", length, 2**34))
        tokens = self.of.sample(n_sequences, length, seed, first_sequence).astype(token_dtype(self.vocab_size))
        outcome = choose(random_words(n_sequences, 1, seed, first_sequence, SHOWN_STREAM)[:, 0], self.shown_weights)
        shown = np.where(outcome == 0, n, self.least + outcome - 1)
        return self.show(tokens, shown)

    def show(self, tokens: Tokens, shown: NDArray[np.int64] | int) -> Tokens:
        """Sequences (N, L) with all but their `shown` nearest bits hidden: a number, or one for each (N,)."""
        n = self.n_units(tokens.shape[1])
        distance = np.arange(n, 0, -1)
        found = np.array(tokens, dtype=token_dtype(self.vocab_size))
        found[:, :n][distance > np.reshape(shown, (-1, 1)) * np.ones((len(tokens), 1), dtype=np.int64)] = self.hidden
        return found


def _share(part: Floats, whole: Floats) -> Floats:
    """part / whole; 0 where the whole is 0."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
