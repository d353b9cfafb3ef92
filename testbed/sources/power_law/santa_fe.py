"""Santa Fe processes: random facts, each known once it has been told. The model case of Hilberg's law."""

import hashlib
import math
from collections.abc import Sequence
from functools import cached_property
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from testbed.core import Truth, UndefinedError
from testbed.sources.bits import LN2, binary_entropy
from testbed.sources.dyadic import quantise
from testbed.sources.iid import zipf_law
from testbed.sources.power_law.key_sums import power_series, santa_fe_excess
from testbed.sources.power_law.occurrences import by_key, put_back, row_chunks
from testbed.sources.randomness import choose, derive_seed, in_range, random_words
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

TOTAL = 2**32
HALF = np.int64(2**31)
KEY_STREAM, BIT_STREAM = 8, 9


@source("santa_fe")
class SantaFeSource(Source):
    """X = (k, z_k): a key k drawn afresh each time, p_k ~ k^(-1/b), and the bit that belongs to it; token 2 k + z_k.

        keys    0  2  0  1  0  2          bits   z_0 = 1, z_1 = 1, z_2 = 0
        tokens  1  4  1  3  1  4

    A bit costs ln 2 where its key comes for the first time, nothing after. With q_k = 1 - p_k, for `bits` =

        per_sequence  fair bits, drawn afresh for each sequence: stationary (exchangeable), not ergodic
                      h_l = H(K) + ln 2 sum_k p_k q_k^l,   h = H(K),   E = n_keys ln 2
        mixing        each bit flips with probability `flip` each step: ergodic. For a bit last seen a steps ago the
                      odds of change are r_a = (1 - (1 - 2 flip)^a) / 2, and with H_b the entropy of a coin
                      h_l = H(K) + sum_k p_k [sum_{a<=l} p_k q_k^(a-1) H_b(r_a) + q_k^l ln 2]
        frozen        drawn once, by `seed`: then tokens are independent, h_l = h = H(K), and it takes data, not
                      context, to learn the bits

    With infinitely many keys h_l - h ~ l^-(1-b) and H(l) - l h ~ l^b (Hilberg), so that E is infinite (Debowski 2011,
    IEEE Trans. Inf. Theory 57, sec. III; 2512.13491). `n_keys` truncates keys and truth alike: the power law holds up
    to l ~ n_keys^(1/b). Laws are quantised: no key is rarer than 2^-32, r_a is a multiple of 2^-32 (hence 1/2 from some
    age on), and all truths are those of the quantised law.

    >>> round(float(SantaFeSource(n_keys=1000).block_entropies(1).value[0] - SantaFeSource(n_keys=1000, bits="frozen")
    ...     .block_entropies(1).value[0]), 6)
    0.693147
    """

    n_keys: int = Field(1000, ge=1, le=2**22, description="number of keys; V is twice that")
    hilberg_exponent: float = Field(0.5, gt=0, lt=1, description="b: p_k ~ k^(-1/b), predictive information ~ l^b")
    bits: Literal["per_sequence", "frozen", "mixing"] = Field("per_sequence", description="how long a bit stays")
    flip: float | None = Field(None, ge=1e-5, le=0.5, description="mixing bits: probability that a bit flips in a step")
    seed: int = Field(0, ge=0, description="frozen bits: the seed that they are drawn by")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.bits == "mixing") != (self.flip is not None):
            raise ValueError(
                "flip: mixing bits need it"
                if self.flip is None
                else f"flip: {self.bits} bits do not flip; leave it out"
            )
        if self.seed != 0 and self.bits != "frozen":
            raise ValueError(f"seed: given {self.seed}, but only frozen bits are drawn once; leave it out")
        return self

    @classmethod
    def examples(cls) -> list[Self]:
        return [
            cls(n_keys=3),
            cls(n_keys=2, hilberg_exponent=0.9, bits="mixing", flip=0.1),
            cls(n_keys=40, hilberg_exponent=0.3, bits="mixing", flip=0.002),
            cls(n_keys=5, bits="frozen", seed=2),
            cls(n_keys=1),
        ]

    # -- the law
    @property
    def vocab_size(self) -> int:
        return 2 * self.n_keys

    @property
    def ergodic(self) -> bool:  # type: ignore[override]
        return self.bits != "per_sequence"

    @property
    def period(self) -> int | None:  # type: ignore[override]
        return 1 if self.ergodic else None

    @cached_property
    def key_weights(self) -> NDArray[np.int64]:
        """(n_keys,) integer weights over 2^32; read-only."""
        weights = quantise(zipf_law(1.0 / self.hilberg_exponent, self.n_keys))
        weights.flags.writeable = False
        return weights

    @cached_property
    def flip_weights(self) -> NDArray[np.int64]:
        """(A,) integer weights over 2^32 of a changed bit at ages 1 .. A; at every age above A the bit is fair."""
        if self.flip is None:
            return np.zeros(0, dtype=np.int64)
        kept = 1.0 - 2.0 * self.flip
        n_ages = 0 if kept == 0.0 else math.ceil(-33 * LN2 / math.log(kept))
        return np.rint((1.0 - kept ** np.arange(1, n_ages + 1)) * 2.0**31).astype(np.int64)

    @cached_property
    def frozen_bits(self) -> NDArray[np.int64]:
        """(n_keys,) the bits that `seed` draws; only for bits = "frozen"."""
        words = random_words(1, self.n_keys, derive_seed(self.seed, "santa_fe"))[0]
        return (words >> np.uint32(31)).astype(np.int64)

    @property
    def fingerprint(self) -> str:
        head = f"santa_fe:{self.bits}:{self.n_keys}:".encode()
        content = self.key_weights.astype("<i8").tobytes() + self.flip_weights.astype("<i8").tobytes()
        bits = self.frozen_bits.astype("<i8").tobytes() if self.bits == "frozen" else b""
        return hashlib.sha256(head + content + bits).hexdigest()

    def _flip_weight(self, age: NDArray[np.int64]) -> NDArray[np.int64]:
        """Integer weight over 2^32 of a changed bit, for ages >= 1."""
        if self.bits != "mixing":
            return np.zeros_like(age)
        table = np.append(self.flip_weights, HALF)
        return table[np.minimum(age - 1, len(table) - 1)]

    # -- truths
    @cached_property
    def _grouped(self) -> tuple[Floats, Floats]:
        """Distinct key probabilities, and how many keys have each: quantised tails hold few values."""
        weights, counts = np.unique(self.key_weights, return_counts=True)
        return weights / TOTAL, counts.astype(np.float64)

    @cached_property
    def key_entropy(self) -> float:
        """H(K), nats."""
        p, count = self._grouped
        return -float(np.sum(count * p * np.log(p))) + 0.0

    @cached_property
    def _bit_entropies(self) -> Floats:
        """(A,) H_b(r_a) for ages 1 .. A."""
        return binary_entropy(self.flip_weights / TOTAL)

    def conditional_entropies(self, max_context: int) -> Truth:
        """h_0 .. h_max, exact."""
        max_context = in_range("max_context", max_context, 2**40)
        if self.bits == "frozen":
            return Truth.exact(np.full(max_context + 1, self.key_entropy))
        p, count = self._grouped
        unknown = santa_fe_excess(p, max_context, count)
        if self.bits == "mixing":
            seen = -np.diff(unknown) / LN2  # probability that the key was last seen 1, 2, ... steps ago
            entropies = np.full(max_context, LN2)
            entropies[: len(self._bit_entropies)] = self._bit_entropies[:max_context]
            unknown[1:] += np.cumsum(seen * entropies)
        return Truth.exact(self.key_entropy + unknown)

    def entropy_rate(self) -> Truth:
        """H(K), plus what flips unseen; exact."""
        if self.bits != "mixing":
            return Truth.exact(self.key_entropy)
        p, count = self._grouped
        late = p * power_series(1 - p, self._bit_entropies) + (1 - p) ** len(self._bit_entropies) * LN2
        return Truth.exact(self.key_entropy + float(np.sum(count * p * late)))

    def excess_entropy(self) -> Truth:
        """E = sum_a a P(last seen a steps ago) (ln 2 - H_b(r_a)), exact; n_keys ln 2 where bits never flip."""
        if self.bits == "frozen":
            return Truth.exact(0.0)
        if self.bits == "per_sequence":
            return Truth.exact(self.n_keys * LN2)
        p, count = self._grouped
        ages = np.arange(1, len(self._bit_entropies) + 1)
        return Truth.exact(float(np.sum(count * p**2 * power_series(1 - p, ages * (LN2 - self._bit_entropies)))))

    def state_entropies(self, max_context: int) -> Truth:
        """S(l) = ln 2 sum_k (1 - q_k^l) for l = 0 .. max, exact: the entropy of the bits that l tokens tell, given
        which keys they show. 0 for frozen bits; refused for mixing ones, which fade with the time since they were
        seen."""
        max_context = in_range("max_context", max_context, 2**40)
        if self.bits == "mixing":
            raise UndefinedError("S(l): the state of mixing bits holds the age of every key; its entropy is not known")
        if self.bits == "frozen":
            return Truth.exact(np.zeros(max_context + 1))
        p, count = self._grouped
        with np.errstate(divide="ignore", invalid="ignore"):  # one key alone: 0 ln 0
            seen = [float(count @ -np.expm1(l * np.log1p(-p))) for l in range(1, max_context + 1)]
        return Truth.exact(LN2 * np.array([0.0, *seen]))

    # -- prediction
    def predict(self, tokens: Tokens, context: int | None = None, positions: Sequence[int] | None = None) -> Floats:
        """(N, L, V) exact laws: bits by the last occurrence of their keys, also where that contradicts earlier ones."""
        tokens = check_tokens(tokens, self.vocab_size, context)
        at = check_positions(positions, tokens.shape[1])
        require_law_memory(len(tokens), len(at), self.vocab_size)
        keys = self.key_weights / TOTAL
        if self.bits == "frozen":
            law = np.zeros(self.vocab_size)
            law[2 * np.arange(self.n_keys) + self.frozen_bits] = keys
            return np.broadcast_to(law, (len(tokens), len(at), self.vocab_size)).copy()
        laws = np.empty((len(tokens), len(at), self.n_keys, 2))
        columns: dict[int, list[int]] = {}
        for column, t in enumerate(at):
            columns.setdefault(t, []).append(column)
        rows = np.arange(len(tokens))
        last = np.full((len(tokens), self.n_keys), -(2**62))  # when each key was last seen, and with which bit
        bit = np.zeros((len(tokens), self.n_keys), dtype=np.int64)
        for t in range(max(at, default=-1) + 1):
            if t in columns:
                age = t - last
                known = age <= (t if context is None else context)
                changed = np.where(known, self._flip_weight(age) / TOTAL, 0.5)
                chances = np.stack([np.where(bit == 0, 1 - changed, changed), np.where(bit == 1, 1 - changed, changed)])
                laws[:, columns[t]] = np.moveaxis(keys * chances, 0, -1)[:, None]
            last[rows, tokens[:, t] // 2] = t
            bit[rows, tokens[:, t] // 2] = tokens[:, t] % 2
        return laws.reshape(len(tokens), len(at), self.vocab_size)

    def log_probs(self, tokens: Tokens, context: int | None = None) -> Floats:
        """(N, L) ln p(tokens[:, t] | what stands before), without an array over the vocabulary."""
        tokens = check_tokens(tokens, self.vocab_size, context)
        result = np.empty(tokens.shape)
        log_keys = np.log(self.key_weights / TOTAL)
        for rows in row_chunks(*tokens.shape):
            part = tokens[rows]
            keys, bits = np.divmod(part, 2)
            with np.errstate(divide="ignore"):
                if self.bits == "frozen":
                    bit = np.where(bits == self.frozen_bits[keys], 0.0, -np.inf)
                else:
                    age, last = self._last_seen(keys, bits)
                    known = (age > 0) & (age <= (part.shape[1] if context is None else context))
                    changed = self._flip_weight(np.maximum(age, 1)) / TOTAL
                    bit = np.log(np.where(known, np.where(bits == last, 1 - changed, changed), 0.5))
            result[rows] = log_keys[keys] + bit
        return result

    @staticmethod
    def _last_seen(keys: NDArray[np.int64], bits: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(N, L) steps since the last occurrence of each key in its row (0 for the first) and the bit it then had."""
        order, _, repeated = by_key(keys)
        sorted_bits = np.take_along_axis(bits, order, axis=1)
        age, last = np.zeros_like(order), np.zeros_like(order)
        age[:, 1:] = np.where(repeated[:, 1:], order[:, 1:] - order[:, :-1], 0)
        last[:, 1:] = sorted_bits[:, :-1]
        return put_back(order, age), put_back(order, last)

    # -- samples
    def sample(self, n_sequences: int, length: int, seed: int = 0, first_sequence: int = 0) -> Tokens:
        """(N, L) tokens; word t of one stream draws the key at t, word t of another its bit, or whether it changed."""
        n_sequences, length = in_range("n_sequences", n_sequences, 2**40), in_range("length", length, 2**34)
        tokens = np.empty((n_sequences, length), dtype=token_dtype(self.vocab_size))
        for rows in row_chunks(n_sequences, length):
            first, n = first_sequence + rows.start, rows.stop - rows.start
            keys = choose(random_words(n, length, seed, first, KEY_STREAM), self.key_weights)
            if self.bits == "frozen":
                bits = self.frozen_bits[keys]
            else:
                bits = self._draw_bits(keys, random_words(n, length, seed, first, BIT_STREAM))
            tokens[rows] = 2 * keys + bits
        if not tokens.size:
            random_words(0, length, seed, first_sequence)  # the arguments are checked all the same
        return tokens

    def _draw_bits(self, keys: NDArray[np.int64], words: NDArray[np.uint32]) -> NDArray[np.int64]:
        order, starts, repeated = by_key(keys)
        age = np.ones_like(order)
        age[:, 1:] = np.where(repeated[:, 1:], order[:, 1:] - order[:, :-1], 1)
        limits = np.where(repeated, self._flip_weight(age), HALF)  # the first time a fair bit, then a change
        changes = (np.take_along_axis(words, order, axis=1) < limits).astype(np.int64)
        total = np.cumsum(changes, axis=1)
        before = np.take_along_axis(total, starts, axis=1) - np.take_along_axis(changes, starts, axis=1)
        return put_back(order, (total - before) % 2)
