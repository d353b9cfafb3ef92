"""Far source: a visible pointer says from how far back a token is copied; without one, the stream is Markov."""

from collections.abc import Sequence
from functools import cached_property
from typing import ClassVar, Self

import numpy as np
from pydantic import Field, model_validator

from testbed.core import ArrayInput, ConfigError, Truth, UndefinedError
from testbed.sources.dyadic import check_rows, quantise
from testbed.sources.randomness import TOTAL, choose, choose_rows, derive_seed, in_range, random_words
from testbed.sources.recall._draws import Integers, check_noise, law_fingerprint, symmetric_channel
from testbed.sources.refusals import WithoutContextEntropies
from testbed.sources.sampled_truth import law_entropies
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
from testbed.sources.stationary import stationary_law

START, POINTERS, DATA = 2, 3, 4


@source("far_source")
class FarSource(WithoutContextEntropies):
    """Units of a pointer and a data token; the data tokens are judged.

        - 1   - 0   - 0   <3 1   - 0   <2 0        (x_3 copies x_0, x_5 copies x_3 wrongly)

    With probability p_d, d = min_distance .. max_distance, all alike and `pointer_probability` together, the pointer
    `<d` tells that x_t is x_(t-d) through a channel of the given noise; else x_t follows x_(t-1) by a Markov kernel.
    Pointers beyond the start of the sequence are not written. Given the past and its pointer the law of x_t is the
    channel's or the kernel's row, exactly (task T6): a window shorter than the distance loses the pointers' part.

    Bayes loss of x_t, from the marginals m_t = sum_d p_d m_(t-d) C + (1 - sum_d p_d) m_(t-1) K:

        sum_d p_d m_(t-d) . H(C) + (1 - sum_d p_d) m_(t-1) . H(K)      (d up to t)

    Tokens: data 0 .. n_symbols - 1, no pointer, then the distances.

    >>> copies = FarSource(n_symbols=2, pointer_probability=0.5, kernel=[[0.5, 0.5], [0.5, 0.5]])
    >>> float(copies.entropy_rate().value / np.log(2))
    0.5
    """

    stationary: ClassVar[bool] = False
    judges_all: ClassVar[bool] = False
    context_unit: ClassVar[str] = "one pointer and one data token"

    n_symbols: int = Field(4, ge=1, le=1024, description="number of data symbols")
    min_distance: int = Field(8, ge=1, le=2**16, description="shortest pointer, in units")
    max_distance: int = Field(8, ge=1, le=2**16, description="longest pointer, in units")
    pointer_probability: float = Field(0.5, ge=0, lt=1, description="probability of a pointer, of any distance")
    noise: float = Field(0.0, ge=0, le=1, description="probability that a copy is one of the other symbols")
    kernel: ArrayInput = Field(None, description="p(x_t | x_(t-1)), (n_symbols, n_symbols); drawn if left out")
    concentration: float = Field(1.0, gt=0, description="Dirichlet parameter of the drawn rows")
    seed: int = Field(0, ge=0, description="seed of the drawn rows")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.max_distance < self.min_distance:
            raise ConfigError(
                f"max_distance: given {self.max_distance}, must be at least min_distance = {self.min_distance}"
            )
        check_noise(self.n_symbols, self.noise)
        if self.kernel is not None:
            if self.kernel.shape != (self.n_symbols, self.n_symbols):
                raise ConfigError(f"kernel: given shape {self.kernel.shape}, must be ({self.n_symbols},) * 2")
            check_rows(self.kernel, "kernel")
            stationary_law(self.kernel)  # a reducible chain is refused now
        return self

    @classmethod
    def examples(cls) -> list[Self]:
        return [
            cls(n_symbols=3, min_distance=2, max_distance=4, noise=0.1),
            cls(n_symbols=2, min_distance=1, max_distance=1, pointer_probability=0.9),
            cls(n_symbols=2, min_distance=3, max_distance=3, pointer_probability=0.0),
            cls(n_symbols=2, min_distance=2, max_distance=2, kernel=np.eye(2)[::-1], noise=1.0),
        ]

    # -- laws
    @cached_property
    def kernel_weights(self) -> Integers:
        """(n, n) integer weights over 2^32."""
        if self.kernel is not None:
            return quantise(self.kernel)
        rng = np.random.default_rng(derive_seed(self.seed, "kernel"))
        rows = rng.dirichlet(np.full(self.n_symbols, self.concentration), size=self.n_symbols)
        rows = np.maximum(rows, np.finfo(np.float64).tiny)  # every transition of a drawn chain is possible
        return quantise(rows / rows.sum(axis=1, keepdims=True))

    @cached_property
    def channel_weights(self) -> Integers:
        """(n, n) integer weights over 2^32: copy given original."""
        return symmetric_channel(self.n_symbols, self.noise)

    @cached_property
    def start_weights(self) -> Integers:
        """(n,) integer weights of x_0: the kernel's stationary law."""
        return quantise(stationary_law(self.kernel_weights / TOTAL))

    @cached_property
    def pointer_weights(self) -> Integers:
        """(1 + D,) integer weights: no pointer, then the distances, far from the start."""
        distances = np.full(self.n_distances, self.pointer_probability / self.n_distances)
        return quantise(np.concatenate([[1.0 - self.pointer_probability], distances]))

    def _pointer_law(self, t: int) -> Floats:
        """(1 + D,) at unit t: distances beyond the start count as no pointer."""
        law = self.pointer_weights / TOTAL
        reach = 1 + min(max(t - self.min_distance + 1, 0), self.n_distances)
        law[0] += law[reach:].sum()
        law[reach:] = 0.0
        return law

    @property
    def n_distances(self) -> int:
        return self.max_distance - self.min_distance + 1

    @property
    def vocab_size(self) -> int:
        return self.n_symbols + 1 + self.n_distances

    @property
    def fingerprint(self) -> str:
        laws = (self.kernel_weights, self.channel_weights, self.start_weights, self.pointer_weights)
        return law_fingerprint(self.type_name, self.min_distance, *laws)

    # -- draws
    def sample(self, n_sequences: int, length: int, seed: int = 0, first_sequence: int = 0) -> Tokens:
        length = in_range("length", length, 2**31)
        n_units = -(-length // 2)
        pointers = choose(random_words(n_sequences, n_units, seed, first_sequence, POINTERS), self.pointer_weights)
        distance = np.where(pointers > 0, pointers + self.min_distance - 1, 0)
        distance[distance > np.arange(n_units)] = 0
        words = random_words(n_sequences, n_units, seed, first_sequence, DATA)
        rows = np.arange(n_sequences)
        data = np.zeros((n_sequences, n_units), dtype=np.int64)
        start = random_words(n_sequences, 1, seed, first_sequence, START)
        data[:, :1] = choose(start, self.start_weights)[:, : data.shape[1]]
        rules = np.stack([self.kernel_weights, self.channel_weights])
        for t in range(1, n_units):
            copied = distance[:, t] > 0
            origin = data[rows, t - np.where(copied, distance[:, t], 1)]
            data[:, t] = choose_rows(words[:, t], rules[copied.astype(np.int64), origin])
        tokens = np.empty((n_sequences, 2 * n_units), dtype=token_dtype(self.vocab_size))
        tokens[:, 0::2] = self.n_symbols + np.where(distance > 0, distance - self.min_distance + 1, 0)
        tokens[:, 1::2] = data
        return tokens[:, :length]

    def batch(self, n_sequences: int, length: int, seed: int = 0, first_sequence: int = 0) -> Batch:
        """Sampled sequences; the data tokens are judged."""
        tokens = self.sample(n_sequences, length, seed, first_sequence)
        judged = np.zeros(tokens.shape, dtype=np.bool_)
        judged[:, 1::2] = True
        return Batch(tokens, judged)

    # -- prediction
    def predict(self, tokens: Tokens, context: int | None = None, positions: Sequence[int] | None = None) -> Floats:
        """(N, L, V) exact laws given all tokens before; `context` is refused."""
        tokens = check_tokens(tokens, self.vocab_size, context)
        if context is not None:
            raise UndefinedError(self._why_no_context())
        at = check_positions(positions, tokens.shape[1])
        require_law_memory(len(tokens), len(at), self.vocab_size)
        laws = np.zeros((len(tokens), len(at), self.vocab_size))
        data = np.minimum(tokens[:, 1::2], self.n_symbols - 1)
        rules = np.stack([self.kernel_weights, self.channel_weights]) / TOTAL
        rows = np.arange(len(tokens))
        for column, t in enumerate(at):
            unit = t // 2
            if t % 2 == 0:
                laws[:, column, self.n_symbols :] = self._pointer_law(unit)
            elif unit == 0:
                laws[:, column, : self.n_symbols] = self.start_weights / TOTAL
            else:
                pointer = tokens[:, t - 1] - self.n_symbols
                copied = pointer > 0
                origin = data[rows, np.maximum(unit - np.where(copied, pointer + self.min_distance - 1, 1), 0)]
                laws[:, column, : self.n_symbols] = rules[copied.astype(np.int64), origin]
        return laws

    # -- truths
    def position_losses(self, length: int) -> Truth:
        """(length,) exact, from the marginal law of every data token."""
        losses = np.empty(in_range("length", length, 2**31))
        kernel, channel = self.kernel_weights / TOTAL, self.channel_weights / TOTAL
        marginals = np.zeros((-(-length // 2), self.n_symbols))
        for t in range(len(marginals)):
            law = self._pointer_law(t)
            losses[2 * t] = law_entropies(law)
            if t == 0:
                marginals[0] = self.start_weights / TOTAL
                losses[1:2] = law_entropies(marginals[0])
                continue
            reach = np.arange(self.min_distance, min(self.max_distance, t) + 1)
            copied = law[1 : 1 + len(reach)] @ marginals[t - reach]
            carried = law[0] * marginals[t - 1]
            losses[2 * t + 1 : 2 * t + 2] = copied @ law_entropies(channel) + carried @ law_entropies(kernel)
            marginals[t] = copied @ channel + carried @ kernel
        return Truth.exact(losses)

    def entropy_rate(self) -> Truth:
        """Limit of a data token's loss, exact: m . (p H(C) + (1 - p) H(K)), m the stationary law of p C + (1 - p) K.
        Refused where pointers are written, K is periodic and the start's law is not m: the marginals may circle."""
        copied = 1.0 - float(self.pointer_weights[0]) / TOTAL
        kernel, channel = self.kernel_weights / TOTAL, self.channel_weights / TOTAL
        marginal = stationary_law(copied * channel + (1.0 - copied) * kernel)
        steady = np.abs(marginal - self.start_weights / TOTAL).max() < 1e-9
        if copied > 0 and not steady and not _forgets(kernel):
            raise UndefinedError(
                "far_source: with a periodic kernel the losses need not have a limit; position_losses(length) is exact"
            )
        rows = copied * law_entropies(channel) + (1.0 - copied) * law_entropies(kernel)
        return Truth.exact(float(marginal @ rows))

    def _why_no_context(self) -> str:
        return (
            "far_source gives its laws given all tokens before, not given a context: other copies of a token that is"
            " cut off still tell something of it"
        )


def _forgets(kernel: Floats) -> bool:
    """A chain forgets its start if some state can be reached from all others in one and the same number of steps."""
    reach = kernel > 0
    for _ in range(2 * len(kernel).bit_length() + 1):  # powers beyond n^2
        reach = reach @ reach
    return bool(reach.all(axis=0).any())
