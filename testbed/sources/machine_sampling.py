"""Exact samples of a finite edge-emitting machine given by integer weights. numba is imported at the first sample."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from testbed.core import ConfigError
from testbed.sources.edges import TOTAL_WEIGHT, Edges
from testbed.sources.randomness import in_range
from testbed.sources.sampling import LENGTH_LIMIT, TABLE_LIMIT, VOCAB_LIMIT, checked_initial_weights


class _Tables(NamedTuple):
    """What the kernel reads, in the order of its first arguments."""

    table: NDArray[np.uint32]  # (S * 2^c, 2): alias entries and arrivals
    symbols: NDArray[np.uint16]  # (S * 2^c,), or empty where arrivals have room for them
    symbol_bits: int
    column_bits: int
    boundaries: NDArray[np.uint64]
    starts: NDArray[np.uint32]


@dataclass(frozen=True, eq=False)
class MachineSampler:
    """Independent sequences of an edge machine: state s draws edge m, emits its symbol, goes to its successor.

    edges: integer weights over 2^32; an edge of weight 0 is never drawn
    initial_weights: (S,) uint64 over 2^64, the law of the state before the first token
        (`testbed.sources.dyadic.quantise64`; a single positive weight is certainty)
    vocab_size: symbols are 0 .. V - 1

    Token t of sequence i depends on (edges, initial_weights, seed, i, t) alone: not on threads, batches or the layout.
    A token takes one random word. Eight to ten bytes of table are kept for every state and edge, with edges padded to
    a power of two.

    Raises ConfigError where shapes don't fit, rows don't sum to 2^32, or an edge leads or says what there isn't.
    """

    edges: Edges
    initial_weights: NDArray[np.uint64]
    vocab_size: int

    def __post_init__(self) -> None:
        check_edges(self.edges, self.vocab_size)
        if self.edges.n_states << self._column_bits > TABLE_LIMIT:
            raise ConfigError(
                f"edges: {self.edges.n_states} states of {self.edges.weights.shape[1]} edges need a table of "
                f"{self.edges.n_states << self._column_bits} entries; at most {TABLE_LIMIT} can be indexed"
            )
        checked = checked_initial_weights(self.initial_weights, self.edges.n_states, "state")
        object.__setattr__(self, "initial_weights", checked)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The smallest unsigned integer type that holds every token."""
        return np.min_scalar_type(self.vocab_size - 1)

    def sample(
        self, n_sequences: int, length: int, seed: int = 0, first_sequence: int = 0
    ) -> NDArray[np.unsignedinteger[Any]]:
        """Sequences first_sequence .. first_sequence + n_sequences - 1 of stream `seed`: tokens (n_sequences, length).

        Raises ConfigError for negative arguments, a seed of more than 64 bits, or sequence numbers beyond 2^64 - 1.
        """
        n_sequences = in_range("n_sequences", n_sequences, 2**63)
        length = in_range("length", length, LENGTH_LIMIT)
        seed = in_range("seed", seed, 2**64 - 1)
        first_sequence = in_range("first_sequence", first_sequence, 2**64 - 1 - n_sequences)
        from testbed.sources._kernels.machine import sample_machine

        tokens_per_word = 4 // self.dtype.itemsize
        words = np.empty((n_sequences, -(-length // tokens_per_word)), dtype=np.uint32)
        if words.size:
            sample_machine(*self._tables, tokens_per_word, np.uint64(first_sequence), np.uint64(seed), words)
        # The first token of a word lies in its lowest bits: on a little-endian machine that is its first byte.
        return np.ascontiguousarray(words.astype("<u4", copy=False).view(self.dtype)[:, :length])

    @property
    def _column_bits(self) -> int:
        return max(1, (self.edges.weights.shape[1] - 1).bit_length())

    @cached_property
    def _tables(self) -> _Tables:
        from testbed.sources._kernels.alias import alias_build

        bits, (n_states, n_edges) = self._column_bits, self.edges.weights.shape
        entries = np.zeros((n_states, 1 << bits), dtype=np.uint32)
        alias_build(np.ascontiguousarray(self.edges.weights, dtype=np.int64), np.arange(n_states), bits, entries)

        drawn = self.edges.weights > 0  # other edges may say anything
        successors = np.where(drawn, self.edges.successors, 0).astype(np.uint32)
        symbols = np.where(drawn, self.edges.symbols, 0).astype(np.uint32)
        symbol_bits = (self.vocab_size - 1).bit_length()
        apart = np.zeros((0, 0), dtype=np.uint16)
        if (n_states - 1).bit_length() + symbol_bits > 32:
            apart = np.zeros(entries.shape, dtype=np.uint16)
            apart[:, :n_edges] = symbols
            symbols[:], symbol_bits = 0, 0
        table = aligned_zeros(2 * entries.size, np.dtype(np.uint32)).reshape(*entries.shape, 2)
        table[..., 0] = entries
        table[:, :n_edges, 1] = successors << np.uint32(symbol_bits) | symbols

        possible = np.flatnonzero(self.initial_weights)
        return _Tables(
            table=table.reshape(-1, 2),
            symbols=apart.ravel(),
            symbol_bits=symbol_bits,
            column_bits=bits,
            boundaries=np.cumsum(self.initial_weights[possible], dtype=np.uint64)[:-1],
            starts=(possible << bits).astype(np.uint32),
        )


def aligned_zeros(n: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """(n,) zeros that start on a cache line of 64 bytes."""
    space = np.zeros(n * dtype.itemsize + 64, dtype=np.uint8)
    start = -space.ctypes.data % 64
    return space[start : start + n * dtype.itemsize].view(dtype)


def check_edges(edges: Edges, vocab_size: int) -> None:
    """Refuse edges whose rows are no laws, or whose symbols and successors are none of the machine's.

    Raises ConfigError that names the state at fault. Edges of weight 0 may say anything.
    """
    weights, symbols, successors = edges.weights, edges.symbols, edges.successors
    if not 1 <= vocab_size <= VOCAB_LIMIT:
        raise ConfigError(f"vocab_size: must be 1 .. {VOCAB_LIMIT}, got {vocab_size}")
    if weights.ndim != 2 or weights.size == 0 or not weights.shape == symbols.shape == successors.shape:
        raise ConfigError(
            f"edges: weights, symbols and successors must have one shape (S, M), got {weights.shape}, "
            f"{symbols.shape} and {successors.shape}"
        )
    if any(array.dtype.kind not in "iu" for array in (weights, symbols, successors)):
        raise ConfigError(
            f"edges: weights, symbols and successors must be integers, got {weights.dtype}, {symbols.dtype} and "
            f"{successors.dtype}"
        )
    if weights.min() < 0 or weights.max() > TOTAL_WEIGHT:
        raise ConfigError(f"edges: weights must lie in 0 .. 2^32, got {weights.min()} .. {weights.max()}")
    sums = weights.sum(axis=1)
    if (sums != TOTAL_WEIGHT).any():
        state = int(np.argmax(sums != TOTAL_WEIGHT))
        raise ConfigError(
            f"edges: the weights of state {state} sum to {sums[state]}; must sum to 2^32 = {TOTAL_WEIGHT}"
        )
    for name, values, limit in (("symbol", symbols, vocab_size), ("successor", successors, len(weights))):
        wrong = (weights > 0) & ((values < 0) | (values >= limit))
        if wrong.any():
            state, edge = (int(i) for i in np.argwhere(wrong)[0])
            raise ConfigError(
                f"edges: edge {edge} of state {state} has {name} {values[state, edge]}, must lie in 0 .. {limit - 1}"
            )
