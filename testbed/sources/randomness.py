"""Counter-based random words for samplers: word t of sequence i is a function of (seed, stream, i, t) alone.

Samplers written in numpy draw all their randomness here, so that tokens depend on no batch split, thread or machine.
Streams 0 and 1 are those of the compiled chain kernel; a sampler with several kinds of draws gives each its own.
"""

import hashlib
import operator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from testbed.core import ConfigError, ResourceError

TOTAL = 2**32
LONGEST = 2**31
"""Longest sequence or context that can be asked for."""
WORDS_LIMIT_BYTES = 2**35
"""One call draws no more random words than this."""


def random_words(
    n_sequences: int, n_words: int, seed: int = 0, first_sequence: int = 0, stream: int = 0
) -> NDArray[np.uint32]:
    """(N, n_words) uniform 32-bit words, Philox4x32-10 with key `seed` and counter (t // 4, stream, sequence).

    Raises ConfigError for negative arguments, a seed of more than 64 bits, or sequence numbers beyond 2^64 - 1.
    """
    n_sequences = in_range("n_sequences", n_sequences, 2**63)
    n_words = in_range("length", n_words, 2**34)
    seed = in_range("seed", seed, 2**64 - 1)
    first_sequence = in_range("first_sequence", first_sequence, 2**64 - 1 - n_sequences)
    if 4 * n_words * n_sequences > WORDS_LIMIT_BYTES:
        raise ResourceError(
            f"{n_sequences} sequences of {n_words} random words would take {n_words * n_sequences / 2**28:.0f} GiB,"
            f" over the limit of {WORDS_LIMIT_BYTES / 2**30:.0f}; ask for fewer sequences at a time"
        )
    words = np.empty((-(-n_words // 4) * 4, n_sequences), dtype=np.uint32)
    if words.size:
        from testbed.sources._kernels.philox import fill_random_words

        fill_random_words(words, 0, np.uint64(stream), np.uint64(first_sequence), np.uint64(seed))
    return np.ascontiguousarray(words[:n_words].T)


def choose(words: NDArray[np.uint32], weights: NDArray[np.integer]) -> NDArray[np.int64]:
    """One outcome for each word, from one law given by integer `weights` (n,) over 2^32: inverse CDF, exact."""
    ends = np.cumsum(np.asarray(weights, dtype=np.uint64))
    if ends.size == 0 or int(ends[-1]) != TOTAL:
        raise ConfigError(f"weights: must sum to 2^32, got {int(ends[-1]) if ends.size else 0}")
    return np.searchsorted(ends, words.astype(np.uint64), side="right")


def choose_rows(words: NDArray[np.uint32], weights: NDArray[np.integer]) -> NDArray[np.int64]:
    """One outcome for each word (...,), each from its own law `weights` (..., n) over 2^32; zero weights never."""
    ends = np.cumsum(np.asarray(weights, dtype=np.uint64), axis=-1)
    return (words.astype(np.uint64)[..., None] >= ends).sum(axis=-1)


def derive_seed(seed: int, *labels: ArrayLike) -> int:
    """A 64-bit seed for a part of a source: SHA-256 of the seed and the part's labels, so that parts are independent.

    >>> derive_seed(0, "left") != derive_seed(0, "right")
    True
    """
    text = ":".join([str(operator.index(seed)), *(str(label) for label in labels)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")


def in_range(name: str, value: int, largest: int) -> int:
    """`value` as an integer of 0 .. largest, else a ConfigError that names it."""
    try:
        number = operator.index(value)
    except TypeError:
        raise ConfigError(f"{name}: given {value!r}, must be an integer") from None
    if not 0 <= number <= largest:
        raise ConfigError(f"{name}: must be 0 .. {largest}, got {number}")
    return number
