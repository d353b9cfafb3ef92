"""Exact samples of a finite-order Markov chain given by integer weights. numba is imported at the first sample."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from testbed.core.errors import ConfigError, ResourceError
from testbed.sources.randomness import WORDS_LIMIT_BYTES, in_range

PADDED_LIMIT = 2**24  # entries, 64 MiB
TABLE_LIMIT = 2**32  # entries that a 32-bit index reaches
_STATE_LIMIT = 2**31  # up to which the compact layout's remainder is exact
VOCAB_LIMIT = 2**16
LENGTH_LIMIT = 2**34  # four tokens for each value of the counter's first word
_FEW = 16  # sequences, which do not fill the lanes of the lockstep kernel
_LONG = 2**14  # tokens, times the number of sequences, from which on cutting into chunks is faster
_LOCKSTEP = 6  # sequences, from which on the lockstep kernel is faster than a serial walk


class _Tables(NamedTuple):
    """What the kernel reads, in the order of its first arguments."""

    table: NDArray[np.uint32]  # (rows * 2^c,)
    column_bits: int
    compact: bool
    row_mask: int
    successor: tuple[np.uint64, np.uint64, np.uint64, np.uint64]
    boundaries: NDArray[np.uint64]
    starts: NDArray[np.uint32]


@dataclass(frozen=True, eq=False)
class ChainSampler:
    """Independent stationary sequences of an order-k chain over V symbols.

    weights: (V,) * k + (V,) integers over 2^32, oldest symbol first: the law of a token given the k before it.
    initial_weights: (V^k,) uint64 over 2^64: the law of the k tokens *before* a sequence, base V, oldest symbol first
        (`testbed.sources.dyadic.quantise64`; a single positive weight is certainty). With the stationary law here,
        tokens are stationary from t = 0 on.
    padded_limit: largest table, in entries, whose rows are numbered with c bits a symbol (fast) rather than in base V.

    Token t of sequence i depends on (weights, initial_weights, seed, i, t) alone: not on threads, batches or the
    layout.

    Raises ConfigError where shapes don't fit, rows don't sum to 2^32, or the table passes 2^32 entries.
    """

    weights: NDArray[np.int64]
    initial_weights: NDArray[np.uint64]
    padded_limit: int = PADDED_LIMIT

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", _checked_weights(self.weights))
        object.__setattr__(
            self, "initial_weights", checked_initial_weights(self.initial_weights, self.n_states, "context")
        )
        if self.n_states > _STATE_LIMIT or self.n_states << self._column_bits > TABLE_LIMIT:
            raise ConfigError(
                f"weights: {self.n_states} contexts of {self.vocab_size} symbols need an alias table of "
                f"{self.n_states << self._column_bits} entries; at most {TABLE_LIMIT} can be indexed"
            )

    @property
    def vocab_size(self) -> int:
        return self.weights.shape[-1]

    @property
    def order(self) -> int:
        return self.weights.ndim - 1

    @property
    def n_states(self) -> int:
        return self.vocab_size**self.order

    @property
    def dtype(self) -> np.dtype:
        """The smallest unsigned integer type that holds every token."""
        return np.min_scalar_type(self.vocab_size - 1)

    def sample(
        self, n_sequences: int, length: int, seed: int = 0, first_sequence: int = 0
    ) -> NDArray[np.unsignedinteger]:
        """Sequences first_sequence .. first_sequence + n_sequences - 1 of stream `seed`: tokens (n_sequences, length).

        Raises ConfigError for negative arguments, a seed of more than 64 bits, or sequence numbers beyond 2^64 - 1.
        """
        n_sequences = in_range("n_sequences", n_sequences, 2**63)
        length = in_range("length", length, LENGTH_LIMIT)
        seed = in_range("seed", seed, 2**64 - 1)
        first_sequence = in_range("first_sequence", first_sequence, 2**64 - 1 - n_sequences)
        tokens_per_word = 4 // self.dtype.itemsize
        n_words = -(-length // tokens_per_word)
        if 4 * n_words * n_sequences > WORDS_LIMIT_BYTES:
            raise ResourceError(
                f"{n_sequences} sequences of {length} tokens would take {n_words * n_sequences / 2**28:.0f} GiB, over"
                f" the limit of {WORDS_LIMIT_BYTES / 2**30:.0f}; ask for fewer sequences at a time"
            )
        words = np.empty((n_sequences, n_words), dtype=np.uint32)
        long = 0 < n_sequences <= _FEW and length >= n_sequences * _LONG
        done = self._fill_long(words, first_sequence, seed) if long else 0
        if words[done:].size:
            from testbed.sources._kernels.chain import sample_chain

            sample_chain(
                *self._tables, tokens_per_word, np.uint64(first_sequence + done), np.uint64(seed), words[done:]
            )
        # The first token of a word lies in its lowest bits: on a little-endian machine that is its first byte.
        return np.ascontiguousarray(words.astype("<u4", copy=False).view(self.dtype)[:, :length])

    def _fill_long(self, words: NDArray[np.uint32], first_sequence: int, seed: int) -> int:
        """Fill the rows one by one, each in chunks side by side; returns how many rows it did.

        It stops where the chain proves to forget so slowly that most of a row was walked twice, if enough rows are left
        for them to walk in lockstep. The tokens are the same.
        """
        from numba import get_num_threads

        from testbed.sources._kernels.long_chain import sample_long

        tokens_per_word = 4 // self.dtype.itemsize
        for done, row in enumerate(words, start=1):
            sequence = np.uint64(first_sequence + done - 1)
            walked_again = sample_long(
                *self._tables, self.order, tokens_per_word, get_num_threads(), sequence, np.uint64(seed), row
            )
            if walked_again > row.size / 2 and len(words) - done >= _LOCKSTEP:
                return done
        return len(words)

    @property
    def _column_bits(self) -> int:
        return max(1, (self.vocab_size - 1).bit_length())

    @cached_property
    def _tables(self) -> _Tables:
        from testbed.sources._kernels.alias import alias_build

        bits, order, vocab_size = self._column_bits, self.order, self.vocab_size
        padded_rows = 1 << (bits * order)
        compact = padded_rows << bits > self.padded_limit and padded_rows != self.n_states
        row_numbers = np.arange(self.n_states) if compact else _padded_row_numbers(vocab_size, order, bits)
        table = np.zeros((self.n_states if compact else padded_rows, 1 << bits), dtype=np.uint32)
        alias_build(self.weights.reshape(-1, vocab_size), row_numbers, bits, table)

        possible = np.flatnonzero(self.initial_weights)
        return _Tables(
            table=table.ravel(),
            column_bits=bits,
            compact=compact,
            row_mask=0 if compact else (padded_rows - 1) << bits,
            successor=_successor(vocab_size, order) if compact else _successor(1, 1),
            boundaries=np.cumsum(self.initial_weights[possible], dtype=np.uint64)[:-1],
            starts=(row_numbers[possible] << bits).astype(np.uint32),
        )


def _padded_row_numbers(vocab_size: int, order: int, bits: int) -> NDArray[np.int64]:
    """(V^k,): the number with `bits` bits a symbol, oldest symbol highest, of every context in base-V order."""
    numbers = np.zeros(1, dtype=np.int64)
    for _ in range(order):
        numbers = (numbers[:, np.newaxis] << bits | np.arange(vocab_size)).ravel()
    return numbers


def _successor(vocab_size: int, order: int) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    """(V, V^(k-1), reciprocal, shift) with n div V^(k-1) = n * reciprocal >> shift for every n < 2^31."""
    tail_states = vocab_size ** (order - 1)
    shift = 31 + (tail_states - 1).bit_length()
    reciprocal = -(-(1 << shift) // tail_states)
    return np.uint64(vocab_size), np.uint64(tail_states), np.uint64(reciprocal), np.uint64(shift)


def _checked_weights(weights: NDArray[np.integer]) -> NDArray[np.int64]:
    given = np.asarray(weights)
    if given.dtype.kind not in "iu" or given.ndim == 0 or given.size == 0 or len(set(given.shape)) != 1:
        raise ConfigError(
            f"weights: must be integers of shape (V,) * k + (V,), got {given.dtype} of shape {given.shape}"
        )
    if given.shape[-1] > VOCAB_LIMIT:
        raise ConfigError(f"weights: at most {VOCAB_LIMIT} symbols, got {given.shape[-1]}")
    if given.min() < 0 or given.max() > 2**32:
        raise ConfigError(f"weights: must lie in 0 .. 2^32, got {given.min()} .. {given.max()}")
    checked = np.ascontiguousarray(given, dtype=np.int64)
    sums = checked.sum(axis=-1)
    if (sums != 2**32).any():
        row = tuple(int(i) for i in np.argwhere(sums != 2**32)[0])
        raise ConfigError(f"weights: row {list(row)} sums to {sums[row]}; every row must sum to 2^32 = {2**32}")
    return checked


def checked_initial_weights(weights: NDArray[np.integer], n_states: int, each: str) -> NDArray[np.uint64]:
    """`weights` as (n_states,) uint64, if they are a law over 2^64; the error says that there is one for `each`."""
    given = np.asarray(weights)
    if given.dtype.kind not in "iu" or given.shape != (n_states,) or (given.dtype.kind == "i" and given.min() < 0):
        raise ConfigError(
            f"initial_weights: must be {n_states} integers >= 0 (one a {each}), "
            f"got {given.dtype} of shape {given.shape}"
        )
    checked = np.ascontiguousarray(given, dtype=np.uint64)
    positive = checked[checked > 0]
    ends = np.cumsum(positive, dtype=np.uint64)
    wrapped_once = positive.size > 1 and ends[-1] == 0 and bool(np.all(ends[1:-1] > ends[:-2]))
    if not wrapped_once and positive.size != 1:
        raise ConfigError("initial_weights: must sum to 2^64, or have a single positive entry")
    return checked
