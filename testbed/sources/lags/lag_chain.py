"""An asymmetric binary chain at a fixed lag: its marginal may be biased, so its curve may start below ln 2."""

import hashlib
from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from testbed.core import Truth, UndefinedError
from testbed.sources.bits import binary_entropy
from testbed.sources.correlations import check_lags
from testbed.sources.lags.two_point import MAX_LAG
from testbed.sources.masked_checks import check_masked
from testbed.sources.randomness import in_range, random_words
from testbed.sources.source import (
    Floats,
    Source,
    Tokens,
    check_positions,
    check_tokens,
    require_law_memory,
    source,
)

TOTAL = 2**64
BIT_STREAM = 2


@source("lag_chain")
class LagChainSource(Source):
    """Bit t depends on bit t - b alone: a 0 becomes a 1 with probability p, a 1 becomes a 0 with probability q.

        0 1 1 | 0 1 0 | 0 1 0 ...        (b = 3; p = .1, q = .2)

    b interleaved two-state chains that start in their stationary law pi, P(1) = p / (p + q):

        h_l = H(pi) for l < b,    h = (q H_2(p) + p H_2(q)) / (p + q),    E = b (H(pi) - h)
        kappa(j b) = (1 - p - q)^j

    The source on which tokenisation pays (Rajaraman, Jiao & Ramchandran 2024, 2404.08335); b = 1 is the chain of
    Makkuva et al. 2024 (2402.04161). Where p = q = 0 the bits never change, and `marginal` says what they are.

    Probabilities are integers over 2^64, drawn with 64-bit words: every p of at least 2^-11 is sampled as it is. So is
    the start, whose law is rounded to 2^-64, which float64 does not resolve.

    >>> source = LagChainSource(lag=4, p=0.1, q=0.2)
    >>> source.conditional_entropies(4).value.round(4).tolist()
    [0.6365, 0.6365, 0.6365, 0.6365, 0.3835]
    """

    vocab_size: ClassVar[int] = 2

    lag: int = Field(1, ge=1, le=2**20, description="distance b of the bit that the next one depends on")
    p: float = Field(ge=0, le=1, description="probability of a 1 after a 0")
    q: float = Field(ge=0, le=1, description="probability of a 0 after a 1")
    marginal: float | None = Field(None, ge=0, le=1, description="P(1) of bits that never change; 1/2 if left out")

    @model_validator(mode="after")
    def _check_marginal(self) -> Self:
        if self.marginal is not None and self.weights != (0, 0):
            raise ValueError(f"marginal: given {self.marginal}, but p and q say it all; leave it out")
        return self

    @classmethod
    def examples(cls) -> list[Self]:
        return [
            cls(lag=3, p=0.1, q=0.2),
            cls(lag=1, p=0.9, q=0.7),
            cls(lag=2, p=1.0, q=1.0),  # one cycle 0011
            cls(lag=2, p=0.0, q=0.0, marginal=0.1),  # two bits, for ever
            cls(lag=1, p=0.0, q=0.5),  # zeros
            cls(lag=2, p=1e-12, q=1e-12),
        ]

    # -- the law
    @cached_property
    def weights(self) -> tuple[int, int]:
        """p and q as integers over 2^64."""
        return round(self.p * TOTAL), round(self.q * TOTAL)

    @cached_property
    def start_weight(self) -> int:
        """P(1) of the start as an integer over 2^64."""
        p, q = self.weights
        if p + q == 0:
            return round((0.5 if self.marginal is None else self.marginal) * TOTAL)
        return (p * TOTAL + (p + q) // 2) // (p + q)

    @cached_property
    def marginal_law(self) -> Floats:
        """(2,) pi; read-only."""
        law = np.array([(TOTAL - self.start_weight) / TOTAL, self.start_weight / TOTAL])
        law.flags.writeable = False
        return law

    @cached_property
    def kernel(self) -> Floats:
        """(2, 2) p(x_t | x_(t-b)); read-only."""
        p, q = self.weights
        kernel = np.array([[(TOTAL - p) / TOTAL, p / TOTAL], [q / TOTAL, (TOTAL - q) / TOTAL]])
        kernel.flags.writeable = False
        return kernel

    @property
    def ergodic(self) -> bool:  # type: ignore[override]
        """The chains mix; or bits are flipped at lag 1 or 2, one cycle through all states; or one sequence is all."""
        if self.start_weight in (0, TOTAL):
            return True
        return 0 < sum(self.weights) < 2 * TOTAL or (sum(self.weights) > 0 and self.lag <= 2)

    @property
    def period(self) -> int | None:  # type: ignore[override]
        """2^b where one cycle goes through all states, else 1."""
        if not self.ergodic:
            return None
        return int(2**self.lag) if sum(self.weights) == 2 * TOTAL else 1

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(f"lag_chain:{self.lag}:{self.weights}:{self.start_weight}".encode()).hexdigest()

    # -- truths
    @cached_property
    def _entropies(self) -> tuple[float, float]:
        """H(pi) and h. H_2 of p and of q by their smaller part, so that small ones keep their digits."""
        marginal, rate = _entropy(self.start_weight), 0.0
        for weight, chance in zip(self.weights, self.marginal_law, strict=True):
            rate += float(chance) * _entropy(weight)
        return marginal, min(rate, marginal)  # rounding only

    def conditional_entropies(self, max_context: int) -> Truth:
        """h_l = H(pi) below the lag, h from there on; exact."""
        lengths = np.arange(in_range("max_context", max_context, 2**40) + 1)
        marginal, rate = self._entropies
        return Truth.exact(np.where(lengths < self.lag, marginal, rate))

    def entropy_rate(self) -> Truth:
        """h = (q H_2(p) + p H_2(q)) / (p + q), exact."""
        return Truth.exact(self._entropies[1])

    def excess_entropy(self) -> Truth:
        """E = b (H(pi) - h), exact."""
        marginal, rate = self._entropies
        return Truth.exact(self.lag * (marginal - rate))

    def state_entropies(self, max_context: int) -> Truth:
        """S(l) for l = 0 .. max, exact: the entropy of what a Bayesian keeps after l tokens, the last min(l, b) bits; 0
        for independent bits."""
        lengths = np.arange(in_range("max_context", max_context, 2**40) + 1)
        kept = 0.0 if sum(self.weights) == TOTAL else self._entropies[0]
        return Truth.exact(np.minimum(lengths, self.lag) * kept)

    def two_point(self, lags: int | Sequence[int]) -> Truth:
        """kappa(m) = (1 - p - q)^(m / b) at multiples of the lag, 0 elsewhere; exact. Undefined for constant bits."""
        wanted = check_lags(lags, MAX_LAG)
        if self.start_weight in (0, TOTAL):
            raise UndefinedError("the two-point correlation of a constant stream is 0 / 0")
        kept = (TOTAL - sum(self.weights)) / TOTAL
        return Truth.exact(np.where(wanted % self.lag == 0, kept ** (wanted // self.lag), 0.0))

    def correlation_certificate(self, horizon: int) -> Truth:
        """max |kappa(m)| over m = 1 .. horizon, exact."""
        return Truth.exact(abs(float(self.two_point(self.lag).lower)) if horizon >= self.lag else 0.0)

    # -- prediction
    def predict(self, tokens: Tokens, context: int | None = None, positions: Sequence[int] | None = None) -> Floats:
        """(N, L, 2) exact laws: pi where bit t - b is not seen."""
        tokens = check_tokens(tokens, 2, context)
        at = check_positions(positions, tokens.shape[1])
        require_law_memory(len(tokens), len(at), 2)
        laws = np.empty((len(tokens), len(at), 2))
        for column, t in enumerate(at):
            seen = t >= self.lag and (context is None or context >= self.lag)
            laws[:, column] = self.kernel[tokens[:, t - self.lag]] if seen else self.marginal_law
        return laws

    def predict_masked(self, tokens: Tokens, masked: NDArray[np.bool_]) -> Floats:
        """(n, 2): forward-backward along each of the b chains, which know nothing of each other."""
        from testbed.sources.masked_laws import Part, laws_by_machine

        given, hidden = check_masked(tokens, masked, 2)
        n_sequences, length = given.shape

        def chains(array: NDArray[Any], filled: int) -> NDArray[Any]:
            """(N b, L / b); what is missing at the end stands there as if masked."""
            whole = np.pad(array, ((0, 0), (0, -length % self.lag)), constant_values=filled)
            return whole.reshape(n_sequences, -1, self.lag).swapaxes(1, 2).reshape(n_sequences * self.lag, -1)

        rows, hidden_rows = chains(given, 0), chains(hidden, True)
        bits = np.array([0, 1, 0, 1])  # the next bit, which is the next state, after a 0 and after a 1
        two_states = Part(np.array([0, 2, 4]), bits, bits, self.kernel.ravel(), self.marginal_law, 0.0)
        laws = np.zeros((*rows.shape, 2))
        laws[hidden_rows] = laws_by_machine([two_states], 2, rows, hidden_rows)
        in_time = laws.reshape(n_sequences, self.lag, -1, 2).swapaxes(1, 2).reshape(n_sequences, -1, 2)
        found: Floats = in_time[:, :length][hidden]
        return found

    def most_masked(self) -> int | None:
        return None

    def log_probs(self, tokens: Tokens, context: int | None = None) -> Floats:
        """(N, L) ln p(tokens[:, t] | what stands before)."""
        tokens = check_tokens(tokens, 2, context)
        with np.errstate(divide="ignore"):
            result = np.log(self.marginal_law)[tokens]
            if context is None or context >= self.lag:
                result[:, self.lag :] = np.log(self.kernel)[tokens[:, : -self.lag], tokens[:, self.lag :]]
        return result

    # -- samples
    def sample(self, n_sequences: int, length: int, seed: int = 0, first_sequence: int = 0) -> Tokens:
        """(N, L) stationary sequences; row i depends on (source, seed, first_sequence + i) alone."""
        length = in_range("length", length, 2**33)
        words = random_words(n_sequences, 2 * length, seed, first_sequence, BIT_STREAM).astype(np.uint64)
        words = (words[:, 0::2] << np.uint64(32)) | words[:, 1::2]
        p, q = self.weights
        tokens = np.empty(words.shape, dtype=np.uint8)
        tokens[:, : self.lag] = _below(words[:, : self.lag], self.start_weight)
        from_0, from_1 = _below(words, p), ~_below(words, q)
        for first in range(self.lag, length, self.lag):
            now = slice(first, min(first + self.lag, length))
            before = tokens[:, first - self.lag : now.stop - self.lag]
            tokens[:, now] = np.where(before == 1, from_1[:, now], from_0[:, now])
        return tokens


def _entropy(weight: int) -> float:
    """H_2(weight / 2^64), nats."""
    return float(binary_entropy(min(weight, TOTAL - weight) / TOTAL))


def _below(words: NDArray[np.uint64], weight: int) -> NDArray[np.bool_]:
    """Whether each 64-bit word is below a weight, which may be 2^64."""
    return np.ones(words.shape, dtype=np.bool_) if weight == TOTAL else words < np.uint64(weight)
