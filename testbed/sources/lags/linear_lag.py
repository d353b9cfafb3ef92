"""`LinearLagSource`: each token is the sum of a few earlier ones, plus noise, over Z_V."""

import hashlib
import math
from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from testbed.core import ConfigError, Truth
from testbed.sources.bits import entropy
from testbed.sources.dyadic import quantise
from testbed.sources.edges import Edges
from testbed.sources.lags.two_point import recursion_certificate, recursion_two_point
from testbed.sources.machine_algebra import Machine
from testbed.sources.randomness import TOTAL, choose, in_range, random_words
from testbed.sources.source import (
    Floats,
    Source,
    Tokens,
    check_positions,
    check_tokens,
    require_law_memory,
    token_dtype,
)

NOISE_STREAM, START_STREAM = 2, 3
MAX_STATES, MAX_EDGES = 2**12, 2**20  # of the stream as a machine


class LinearLagSource(Source):
    """x_t = sum over taps a of x_(t-a) + n_t (mod V), independent noises n_t; b is the largest tap.

    The first b tokens are uniform and independent, and that is stationary: given x_2 .. x_b and n, the next token
    x_(b+1) = x_1 + (a function of the others) is uniform because x_1 is, so x_2 .. x_(b+1) are uniform and independent
    again, whatever the law of the noise. Hence

        h_l = ln V for l < b,    h_l = H(n) for l >= b,    E = b (ln V - H(n)).

    The noise law is dyadic. The start is drawn with 64-bit words, floor(V word / 2^64): exactly uniform where V is a
    power of two, else within 2^-64 for each symbol, which float64 does not resolve.
    """

    vocab_size: int = Field(2, ge=2, le=4096, description="number of symbols V; tokens are added modulo V")
    noise: float = Field(ge=0, le=1, description="probability that the noise is not 0; the other symbols equally often")

    @property
    @abstractmethod
    def taps(self) -> tuple[int, ...]:
        """The lags that are added, ascending."""

    @property
    def max_lag(self) -> int:
        """b, the largest tap."""
        return self.taps[-1]

    # -- the law
    @cached_property
    def noise_weights(self) -> NDArray[np.int64]:
        """(V,) law of the noise, integers over 2^32; read-only."""
        others = np.full(self.vocab_size - 1, self.noise / (self.vocab_size - 1))
        weights = quantise(np.append(1.0 - self.noise, others))
        weights.flags.writeable = False
        return weights

    @cached_property
    def noise_law(self) -> Floats:
        """(V,) noise_weights / 2^32, exact; read-only."""
        law = self.noise_weights / float(TOTAL)
        law.flags.writeable = False
        return law

    @property
    def ergodic(self) -> bool:  # type: ignore[override]
        """The noise can do more than one thing; or bits are flipped at lag 1 or 2, one cycle through all states.

        A character k of the last b tokens is carried to another by each step, times phi(k_1), the mean of its first
        component over the noise. Where two values of the noise differ by a unit of Z_V, |phi(k_1)| < 1 unless k_1 = 0,
        and no character other than k = 0 keeps k_1 = 0 for b steps: none is invariant. Without noise the state 0 stays.
        Bits with noise 1 run through the cycles of x_t = 1 + sum x_(t-a), and (1 + D) P(D) has the order 2^b for
        P = 1 + D and 1 + D^2 alone.
        """
        if np.count_nonzero(self.noise_weights) > 1:
            return True
        return bool(self.noise_weights[0] == 0 and self.taps in ((1,), (2,)))

    @property
    def period(self) -> int | None:  # type: ignore[override]
        """1 where the noise can do more than one thing, since all characters die out; else the one cycle's 2^b."""
        if not self.ergodic:
            return None
        return 1 if np.count_nonzero(self.noise_weights) > 1 else 2**self.max_lag

    @property
    def fingerprint(self) -> str:
        head = f"linear lag:{self.vocab_size}:{self.taps}:".encode()
        return hashlib.sha256(head + self.noise_weights.astype("<i8").tobytes()).hexdigest()

    def finite_form(self) -> Machine:
        """The machine on the last b tokens, the oldest first in base V; ConfigError above 4096 states or 2^20 edges."""
        n_states = self.vocab_size**self.max_lag if self.max_lag <= 12 else MAX_STATES + 1
        if n_states > MAX_STATES or n_states * self.vocab_size > MAX_EDGES:
            raise ConfigError(
                f"taps: the last {self.max_lag} tokens over {self.vocab_size} symbols have too many values; at most"
                f" {MAX_STATES} are written as a machine"
            )
        state = np.arange(n_states)
        total = sum(state // self.vocab_size ** (tap - 1) % self.vocab_size for tap in self.taps)
        symbols = (np.asarray(total)[:, None] + np.arange(self.vocab_size)) % self.vocab_size
        successors = (state[:, None] * self.vocab_size + symbols) % n_states
        weights = np.tile(self.noise_weights, (n_states, 1))
        edges = Edges(symbols.astype(np.int32), successors.astype(np.int32), weights)
        return edges, np.full(n_states, 1.0 / n_states)

    # -- truths
    def conditional_entropies(self, max_context: int) -> Truth:
        """h_l = ln V below the largest tap, H(n) from there on; exact."""
        lengths = np.arange(in_range("max_context", max_context, 2**40) + 1)
        return Truth.exact(np.where(lengths < self.max_lag, math.log(self.vocab_size), entropy(self.noise_law)))

    def entropy_rate(self) -> Truth:
        """h = H(n), exact."""
        return Truth.exact(entropy(self.noise_law))

    def excess_entropy(self) -> Truth:
        """E = b (ln V - H(n)), exact."""
        return Truth.exact(self.max_lag * max(0.0, math.log(self.vocab_size) - entropy(self.noise_law)))

    def two_point(self, lags: int | Sequence[int]) -> Truth:
        """kappa(m) = (P(x_t = x_(t-m)) - 1/V) / (1 - 1/V) at these lags, exact; E[s_t s_(t-m)] for bits s = +-1.

        For bits (1 - 2 noise)^weight(Q) where 1 + D^m = Q(D) P(D) over GF(2), P(D) = 1 + sum D^a, else zero. The
        quotient is unique, so there is no lightest one to look for. In general see `two_point.first_returns`.
        """
        return recursion_two_point(self.taps, self.noise_law, lags)

    def correlation_certificate(self, horizon: int) -> Truth:
        """max |kappa(m)| over m = 1 .. horizon, exact."""
        return Truth.exact(recursion_certificate(self.taps, self.noise_law, horizon))

    # -- prediction
    def predict(self, tokens: Tokens, context: int | None = None, positions: Sequence[int] | None = None) -> Floats:
        """(N, L, V) exact laws: uniform where fewer than b tokens are seen, else the noise around the taps' sum."""
        tokens = check_tokens(tokens, self.vocab_size, context)
        at = check_positions(positions, tokens.shape[1])
        require_law_memory(len(tokens), len(at), self.vocab_size)
        laws = np.full((len(tokens), len(at), self.vocab_size), 1.0 / self.vocab_size)
        symbols = np.arange(self.vocab_size)
        for column, t in enumerate(at):
            if t >= self.max_lag and (context is None or context >= self.max_lag):
                total = sum(tokens[:, t - tap] for tap in self.taps)
                laws[:, column] = self.noise_law[(symbols - np.asarray(total)[:, None]) % self.vocab_size]
        return laws

    def log_probs(self, tokens: Tokens, context: int | None = None) -> Floats:
        """(N, L) ln p(tokens[:, t] | what stands before), from the noises: no (N, L, V) array is made."""
        tokens = check_tokens(tokens, self.vocab_size, context)
        result = np.full(tokens.shape, -math.log(self.vocab_size))
        length, longest = tokens.shape[1], self.max_lag
        if length > longest and (context is None or context >= longest):
            noises = tokens[:, longest:] - sum(tokens[:, longest - tap : length - tap] for tap in self.taps)
            with np.errstate(divide="ignore"):
                result[:, longest:] = np.log(self.noise_law)[noises % self.vocab_size]
        return result

    # -- samples
    def sample(self, n_sequences: int, length: int, seed: int = 0, first_sequence: int = 0) -> Tokens:
        """(N, L) stationary sequences; row i depends on (source, seed, first_sequence + i) alone."""
        from testbed.sources._kernels.lags import run_recursion

        words = random_words(n_sequences, length, seed, first_sequence, NOISE_STREAM)
        dtype = token_dtype(self.vocab_size)
        if self.vocab_size == 2:  # what `choose` does, without its 64-bit arrays
            tokens = (words >= self.noise_weights[0]).astype(dtype)
        else:
            tokens = choose(words, self.noise_weights).astype(dtype)
        n_start = min(self.max_lag, tokens.shape[1])
        tokens[:, :n_start] = self._uniform(len(tokens), n_start, seed, first_sequence)
        run_recursion(tokens, np.asarray(self.taps, dtype=np.int64), self.vocab_size, self.max_lag)
        return tokens

    def _uniform(self, n_sequences: int, length: int, seed: int, first_sequence: int) -> NDArray[np.uint64]:
        """(N, length) floor(V word / 2^64) of 64-bit words."""
        words = random_words(n_sequences, 2 * length, seed, first_sequence, START_STREAM).astype(np.uint64)
        scale = np.uint64(self.vocab_size)
        high, low = words[:, 0::2] * scale, words[:, 1::2] * scale
        return (high + (low >> np.uint64(32))) >> np.uint64(32)
