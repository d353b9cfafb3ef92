"""`BitQuerySource`: fair bits, then a question that asks for the parity of some of them, then the answer."""

import hashlib
import math
from abc import abstractmethod
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from testbed.core import Truth
from testbed.sources.bits import LN2, binary_entropy, entropy, fair_bits
from testbed.sources.dyadic import quantise
from testbed.sources.query import QuerySource
from testbed.sources.randomness import TOTAL, choose, in_range, random_words
from testbed.sources.source import Floats, Tokens, check_tokens, token_dtype

BIT_STREAM, QUESTION_STREAM, NOISE_STREAM, UNSTORED_STREAM = 2, 3, 4, 5
NEVER = 2**62
"""The depth of a question that no context answers."""


class BitQuerySource(QuerySource):
    """u_n ... u_2 u_1 | question t | y:  fair bits (u_1 the nearest), t ~ f, y = parity of the bits of t, xor noise.

    Tokens 0 and 1 are bits, token 2 + t is question t, so V = 2 + (number of questions). A question is answered by the
    context that holds the farthest of its bits, `depth` d_t: any bit that is missing is fair and leaves the parity
    fair. One sequence asks one question, so nothing can be learnt about a missing bit from elsewhere:

        h_l = ln 2 P(d > l) + H_2(noise) P(d <= l)

    In a sequence too short for its question the target is a fair bit, as it would be for a learner that sees no more.
    """

    context_unit: ClassVar[str] = "one bit"

    noise: float = Field(0.0, ge=0, le=1, description="probability that the answer is flipped")

    # -- what a subclass says
    @property
    @abstractmethod
    def tasks(self) -> tuple[tuple[int, ...], ...]:
        """For each question the bits whose parity it asks for, counted from 1, the nearest."""

    @abstractmethod
    def _frequencies(self) -> Floats:
        """(T,) the law of the question, before it is rounded to 2^-32."""

    @property
    def stored_bits(self) -> int | None:
        """The answers to questions about bits beyond this are drawn at random; None: about no bits."""
        return None

    # -- the law
    @property
    def vocab_size(self) -> int:
        return 2 + len(self.tasks)

    @cached_property
    def question_weights(self) -> NDArray[np.int64]:
        """(T,) law of the question as integers over 2^32; read-only."""
        weights = quantise(self._frequencies())
        weights.flags.writeable = False
        return weights

    @property
    def question_law(self) -> Floats:
        """(T,) f = question_weights / 2^32, exact."""
        return self.question_weights / float(TOTAL)

    @cached_property
    def noise_weights(self) -> NDArray[np.int64]:
        """(2,) answer kept, answer flipped, integers over 2^32; read-only."""
        weights = quantise([1.0 - self.noise, self.noise])
        weights.flags.writeable = False
        return weights

    @cached_property
    def depths(self) -> NDArray[np.int64]:
        """(T,) d_t, the bits of context that answer the question; NEVER where that is left to chance."""
        farthest = np.array([max(task) for task in self.tasks], dtype=np.int64)
        if self.stored_bits is not None:
            farthest[farthest > self.stored_bits] = NEVER
        farthest.flags.writeable = False
        return farthest

    @cached_property
    def _columns(self) -> NDArray[np.int64]:
        """(T, w) the bits of each question, filled up with 0; -1 where the answer is left to chance."""
        columns = np.zeros((len(self.tasks), max(len(task) for task in self.tasks)), dtype=np.int64)
        for row, task in enumerate(self.tasks):
            columns[row, : len(task)] = task
        columns[self.depths == NEVER] = 0
        columns[self.depths == NEVER, 0] = -1
        return columns

    @property
    def fingerprint(self) -> str:
        head = f"bit query:{self.stored_bits}:{self._columns.shape}:".encode()
        arrays = (self._columns, self.question_weights, self.noise_weights)
        return hashlib.sha256(head + b"".join(array.astype("<i8").tobytes() for array in arrays)).hexdigest()

    @property
    def _answered_entropy(self) -> float:
        """H_2(noise): the entropy of a target whose question the context answers."""
        return float(binary_entropy(self.noise_weights[1] / TOTAL))

    # -- truths
    def conditional_entropies(self, max_context: int) -> Truth:
        """h_l = ln 2 P(d > l) + H_2(noise) P(d <= l) for l = 0 .. max_context, exact."""
        lengths = np.arange(in_range("max_context", max_context, 2**40) + 1)
        order = np.argsort(self.depths, kind="stable")
        answered = np.append(0, np.cumsum(self.question_weights[order]))
        share = answered[np.searchsorted(self.depths[order], lengths, side="right")] / TOTAL
        return Truth.exact(LN2 * (1.0 - share) + self._answered_entropy * share)

    def entropy_rate(self) -> Truth:
        """lim h_l = ln 2 P(d never) + H_2(noise) P(d finite), exact."""
        share = int(self.question_weights[self.depths < NEVER].sum()) / TOTAL
        return Truth.exact(LN2 * (1.0 - share) + self._answered_entropy * share)

    def excess_entropy(self) -> Truth:
        """E = sum over l of (h_l - lim h) = (ln 2 - H_2(noise)) sum of f_t d_t over the questions that can be answered;
        exact."""
        finite = self.depths < NEVER
        return Truth.exact((LN2 - self._answered_entropy) * float(self.question_law[finite] @ self.depths[finite]))

    def task_entropies(self, context: int) -> Truth:
        """(T,) entropy of the target of each question, given the nearest `context` bits; exact.

        h_l is their mean under `question_law`.
        """
        seen = self.depths <= in_range("context", context, 2**40)
        return Truth.exact(np.where(seen, self._answered_entropy, LN2))

    def position_losses(self, length: int) -> Truth:
        """(length,): ln 2 for each bit, H(f) for the question, h_n for the target; exact."""
        n_units = self.n_units(in_range("length", length, 2**34))
        losses = np.full(length, LN2)
        losses[-2] = entropy(self.question_law)
        losses[-1] = self.conditional_entropies(n_units).lower[-1]
        return Truth.exact(losses)

    # -- prediction
    def _context_laws(self, tokens: Tokens, t: int) -> Floats:
        law = np.zeros(self.vocab_size)
        if t == tokens.shape[1] - 2:
            law[2:] = self.question_law
        else:
            law[:2] = 0.5
        return np.broadcast_to(law, (len(tokens), self.vocab_size))

    def _target_laws(self, tokens: Tokens, n_units: int) -> Floats:
        """nan where the token before the target is no question."""
        laws = np.zeros((len(tokens), self.vocab_size))
        laws[:, 1] = self._chance_of_one(tokens, n_units)
        laws[:, 0] = 1.0 - laws[:, 1]
        return laws

    def _chance_of_one(self, tokens: Tokens, n_units: int) -> Floats:
        question = tokens[:, -2].astype(np.int64) - 2
        asked = question >= 0
        question = np.where(asked, question, 0)
        seen = self.depths[question] <= n_units
        nearest_first = tokens[:, :-2][:, ::-1] & 1
        answer = self._answers(nearest_first, np.zeros(len(tokens), dtype=np.int64), np.where(seen, question, -1))
        flipped = self.noise_weights[1] / TOTAL
        chance = np.where(seen, np.where(answer == 1, 1.0 - flipped, flipped), 0.5)
        return np.where(asked, chance, np.nan)

    def _answers(self, nearest_first: Tokens, chance: Tokens, question: NDArray[np.int64]) -> NDArray[np.int64]:
        """(N,) parity of the bits that are asked for, from bits (N, n) that hold them, or the bit `chance` (N,)."""
        zero = np.zeros((len(question), 1), dtype=np.int64)
        columns = np.concatenate([zero, nearest_first, chance[:, None]], axis=1, dtype=np.int64)
        wanted = np.where(question[:, None] >= 0, self._columns[question], -1) % columns.shape[1]
        return np.bitwise_xor.reduce(np.take_along_axis(columns, wanted, axis=1), axis=1)

    def log_probs(self, tokens: Tokens, context: int | None = None) -> Floats:
        """(N, L) ln p(tokens[:, t] | what stands before): no (N, L, V) array is made."""
        tokens = check_tokens(tokens, self.vocab_size, context)
        n_units = self.n_units(tokens.shape[1])
        result = np.where(tokens < 2, -math.log(2.0), -np.inf)
        one = self._chance_of_one(tokens, n_units if context is None else min(context, n_units))
        with np.errstate(divide="ignore"):
            result[:, -2] = np.log(np.append([0.0, 0.0], self.question_law))[tokens[:, -2]]
            result[:, -1] = np.log(np.select([tokens[:, -1] == 0, tokens[:, -1] == 1], [1.0 - one, one], 0.0))
        return result

    # -- samples
    def sample(self, n_sequences: int, length: int, seed: int = 0, first_sequence: int = 0) -> Tokens:
        """(N, L) bits, question, target; row i depends on (source, seed, first_sequence + i) alone."""
        n_units = self.n_units(in_range("length", length, 2**34))
        answerable = self.depths[self.depths < NEVER]
        n_bits = max(n_units, int(answerable.max(initial=0)))  # bits beyond the sequence are drawn too, but not shown
        bits = fair_bits(n_sequences, n_bits, seed, first_sequence, BIT_STREAM)
        question_words = random_words(n_sequences, 1, seed, first_sequence, QUESTION_STREAM)[:, 0]
        question = choose(question_words, self.question_weights)
        flips = choose(random_words(n_sequences, 1, seed, first_sequence, NOISE_STREAM)[:, 0], self.noise_weights)
        chance = fair_bits(n_sequences, 1, seed, first_sequence, UNSTORED_STREAM)[:, 0]
        tokens = np.empty((n_sequences, length), dtype=token_dtype(self.vocab_size))
        tokens[:, :-2] = bits[:, :n_units][:, ::-1]
        tokens[:, -2] = 2 + question
        tokens[:, -1] = self._answers(bits, chance, question) ^ flips
        return tokens
