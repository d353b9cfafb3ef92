"""Uniform draws, shuffles and channels on the dyadic grid, shared by the recall sources.

A uniform law over n outcomes has the weights floor(2^32 / n), one more on the first 2^32 mod n: what `quantise` makes
of it. Laws, entropies and samplers below all use these integers.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from testbed.core import ConfigError, Truth
from testbed.sources.dyadic import check_rows, quantise
from testbed.sources.randomness import TOTAL, random_words
from testbed.sources.sampled_truth import law_entropies
from testbed.sources.source import Floats, Tokens

Integers = NDArray[np.int64]


def uniform_weights(n: int) -> Integers:
    """(n,) integer weights of the uniform law over n outcomes; they sum to 2^32.

    >>> uniform_weights(3).tolist()
    [1431655766, 1431655765, 1431655765]
    """
    return TOTAL // n + (np.arange(n) < TOTAL % n)


def uniform_law(n: int) -> Floats:
    """(n,) uniform_weights(n) / 2^32, exact in float64."""
    return uniform_weights(n) / float(TOTAL)


def uniform_entropy(n: int) -> float:
    """Entropy of `uniform_law(n)` in nats, ln n up to the grid; 0 for n = 1."""
    floor, larger = divmod(TOTAL, n)
    p, q = (floor + 1) / TOTAL, floor / TOTAL
    return float(-larger * p * np.log(p) - (n - larger) * q * np.log(q))


def rank_law(rank: NDArray[Any], n: ArrayLike) -> Floats:
    """Probability of outcome number `rank` of a uniform law over n outcomes, elementwise; 0 outside 0 .. n - 1."""
    size = np.maximum(np.asarray(n, dtype=np.int64), 1)
    weights = TOTAL // size + (rank < TOTAL % size)
    return np.where((rank >= 0) & (rank < np.asarray(n)), weights, 0) / float(TOTAL)


def uniform_index(words: NDArray[np.uint32], n: ArrayLike) -> Integers:
    """One of n outcomes a word, by the inverse CDF of `uniform_weights(n)`; n may differ from word to word."""
    size = np.maximum(np.asarray(n, dtype=np.int64), 1)
    floor, larger = TOTAL // size, TOTAL % size
    word = words.astype(np.int64)
    border = larger * (floor + 1)
    return np.where(word < border, word // (floor + 1), (word - border) // floor + larger)


def coin_weight(probability: float) -> int:
    """Integer weight over 2^32 of an event; at least 1 if it is possible, less than 2^32 if it is not certain."""
    return int(quantise([probability, 1.0 - probability])[0])


def coins(words: NDArray[np.uint32], weight: int) -> NDArray[np.bool_]:
    """True with probability weight / 2^32."""
    return words.astype(np.int64) < weight


def uniform_reals(n_sequences: int, n: int, seed: int, first_sequence: int, stream: int) -> Floats:
    """(N, n) reals of (0, 1): the middles of 2^53 equal cells."""
    words = random_words(n_sequences, 2 * n, seed, first_sequence, stream)
    high, low = words[:, 0::2] >> np.uint32(5), words[:, 1::2] >> np.uint32(6)
    return np.asarray((high * 2.0**26 + low + 0.5) / 2.0**53)


def symmetric_channel(n_values: int, noise: float) -> Integers:
    """(n, n) weights: a value passes with probability 1 - noise, else becomes one of the others, each alike."""
    others = noise / (n_values - 1) if n_values > 1 else 0.0
    return quantise(np.full((n_values, n_values), others) + np.eye(n_values) * (1.0 - noise - others))


def check_noise(n_values: int, noise: float) -> None:
    """A single value cannot be mistaken for another."""
    if n_values == 1 and noise > 0:
        raise ConfigError(f"noise: given {noise}; with one value there is no other, so it must be 0")


def check_channel(channel: Floats, n_values: int) -> None:
    """`channel` holds one law over the values a row."""
    if channel.shape != (n_values, n_values):
        raise ConfigError(f"channel: given shape {channel.shape}, must be ({n_values}, {n_values})")
    check_rows(channel, "channel")


def mixture_entropy(weight: float, first: float, second: float) -> float:
    """Entropy of weight * p + (1 - weight) * q for laws p, q on disjoint supports, from their entropies."""
    coin = float(law_entropies(np.array([weight, 1.0 - weight])))
    return coin + weight * first + (1.0 - weight) * second


def exact_at(sampled: Truth, losses: Sequence[tuple[slice | int, float]]) -> Truth:
    """A sampled truth (length,) whose entries at these positions are known: those values, standard error 0."""
    mean, error = sampled.lower.copy(), sampled.standard_error.copy()
    for at, value in losses:
        mean[at], error[at] = value, 0.0
    return Truth.sampled(mean, error)


def law_fingerprint(name: str, *parts: Any) -> str:
    """SHA-256 of a name and of all that determines the tokens: arrays by type, shape and bytes, the rest as text."""
    digest = hashlib.sha256(name.encode())
    for part in parts:
        if isinstance(part, np.ndarray):
            little = np.ascontiguousarray(part.astype(part.dtype.newbyteorder("<"), copy=False))
            digest.update(f"|{little.dtype.str}{little.shape}".encode() + little.tobytes())
        else:
            digest.update(f"|{part}".encode())
    return digest.hexdigest()


class Shuffle:
    """Draws without replacement from 0 .. n - 1 in N sequences at once (Fisher and Yates).

    order  (N, n)  items; the first `taken` of a row are drawn, the rest are left, in a definite order
    place  (N, n)  the position of every item in `order`
    taken  (N,)
    """

    def __init__(self, n_sequences: int, n_items: int) -> None:
        self.n_items = n_items
        self.order = np.tile(np.arange(n_items), (n_sequences, 1))
        self.place = self.order.copy()
        self.taken = np.zeros(n_sequences, dtype=np.int64)

    def law(self) -> Floats:
        """(N, n): the law of the next item, uniform over those left."""
        return rank_law(self.place - self.taken[:, None], (self.n_items - self.taken)[:, None])

    def pick(self, words: NDArray[np.uint32]) -> Integers:
        """(N,) the item that each word points at; it is not taken yet."""
        rank = uniform_index(words, self.n_items - self.taken)
        return self.order[np.arange(len(words)), np.minimum(self.taken + rank, self.n_items - 1)]

    def take(self, items: Tokens, wanted: NDArray[np.bool_] | None = None) -> None:
        """Take these items, in the rows that are wanted; what is no item or is taken already changes nothing."""
        fits = (items >= 0) & (items < self.n_items)
        rows = np.flatnonzero(fits if wanted is None else fits & wanted)
        rows = rows[self.place[rows, items[rows]] >= self.taken[rows]]
        item, slot = items[rows], self.taken[rows]
        other, place = self.order[rows, slot], self.place[rows, item]
        self.order[rows, place], self.order[rows, slot] = other, item
        self.place[rows, other], self.place[rows, item] = place, slot
        self.taken[rows] += 1
