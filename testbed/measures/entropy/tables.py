"""Counts of k-grams in a plain table of the longest order, from which all shorter ones are summed."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from testbed.measures.entropy.fingerprint import Fingerprint
from testbed.measures.entropy.pieces import Piece

Table = NDArray[np.uint32]
Integers = NDArray[np.int64]
Advance = Callable[[float], None]

SMALL_COUNTS = 4096
"""Counts below are tallied in a table of their own."""
LARGEST_DIRECT = 2**22
"""Bins up to which windows are counted in the order in which they come; beyond, bucket by bucket."""
BUCKETS = 512
TALLY_BINS = 2**20
BLOCK_CODES = 2**21


class TableCounter:
    """Adds up pieces of windows of `order` tokens, each with a weight, and tallies every order from 1 to `order`."""

    def __init__(self, vocab_size: int, order: int) -> None:
        self.vocab_size, self.order = vocab_size, order
        self.table: Table = np.zeros(vocab_size**order, dtype=np.uint32)
        self.weights: dict[Piece, int] = {}
        self.scratch: tuple[Table, Table] | None = None
        if self.table.size > LARGEST_DIRECT:
            self.scratch = np.empty(BLOCK_CODES, np.uint32), np.empty(BLOCK_CODES, np.uint32)

    @property
    def n_bytes(self) -> int:
        """Of the table, the two next shorter ones, of which one is made from the other, and scratch."""
        scratch = 0 if self.scratch is None else 2 * self.scratch[0].nbytes
        shorter = [self.vocab_size**k for k in range(max(1, self.order - 2), self.order)]
        return self.table.nbytes + self.table.itemsize * sum(shorter) + scratch

    def add(self, piece: Piece, weight: int = 1, advance: Advance | None = None) -> None:
        """Count a piece `weight` times more; a negative weight takes it out again."""
        from testbed.measures.entropy._kernels.grams import add_windows, add_windows_in_buckets, add_windows_of_bits

        added = np.uint32(weight % 2**32)
        bits = (self.vocab_size - 1).bit_length()
        for rows in piece.chunks():
            if self.scratch is None and self.vocab_size == 1 << bits and 4 * bits < 64:
                add_windows_of_bits(rows, bits, self.order, self.table, added)
            elif self.scratch is None:
                add_windows(rows, self.vocab_size, self.order, self.table, added)
            else:
                shift = max(0, (self.table.size - 1).bit_length() - BUCKETS.bit_length() + 1)
                add_windows_in_buckets(
                    rows, self.vocab_size, self.order, self.table, added, shift, self.scratch[0], self.scratch[1]
                )
            if advance is not None:
                advance(rows.shape[0] * (rows.shape[1] - self.order + 1))
        self.weights[piece] = self.weights.get(piece, 0) + weight

    def tally(self) -> "Tally":
        """Counts of counts of the orders 1 .. order."""
        table, k = self.table, self.order
        grams, contexts = {k: tally(table)}, {}
        for k in range(self.order - 1, 0, -1):
            table, codes, times = self.shorter(table, k)
            contexts[k] = tally(table)
            before = table[codes].astype(np.int64)
            table[codes] += times.astype(np.uint32)
            grams[k] = contexts[k].moved(before, before + times)
        return Tally(grams, contexts)

    def tables(self) -> dict[int, Table]:
        """The V^k counts of every order."""
        found = {self.order: self.table.copy()}
        for k in range(self.order - 1, 0, -1):
            found[k], codes, times = self.shorter(found[k + 1], k)
            found[k][codes] += times.astype(np.uint32)
        return found

    def shorter(self, table: Table, order: int) -> tuple[Table, Integers, Integers]:
        """The grams of one token less that are followed by a token, and those at the ends with how often each."""
        from testbed.measures.entropy._kernels.grams import shorten

        counts = np.empty(self.vocab_size**order, dtype=np.uint32)
        shorten(table, self.vocab_size, counts)
        tails = [(piece.tails(order), weight) for piece, weight in self.weights.items()]
        return counts, *last_grams(tails, self.vocab_size)


class Tally(NamedTuple):
    """By order: all grams, and those that are followed by a token."""

    grams: dict[int, Fingerprint]
    contexts: dict[int, Fingerprint]


def tally(table: Table) -> Fingerprint:
    """Counts of counts of a table."""
    from testbed.measures.entropy._kernels.grams import tally_table

    small = np.zeros(SMALL_COUNTS, dtype=np.int64)
    large = np.empty(table.size, dtype=np.uint32) if table.size < 2**16 else np.empty(2**16, dtype=np.uint32)
    n_large = tally_table(table, small, large)
    if n_large > large.size:
        parts = (table[first : first + TALLY_BINS] for first in range(0, table.size, TALLY_BINS))
        large = np.concatenate([part[part >= SMALL_COUNTS] for part in parts])
    return Fingerprint.from_tally(small, large[:n_large])


def last_grams(tails: list[tuple[Integers, int]], vocab_size: int) -> tuple[Integers, Integers]:
    """The different grams, in base V, among rows (R, k) with weights, and how often each is there."""
    length = tails[0][0].shape[1]
    powers = vocab_size ** np.arange(length - 1, -1, -1, dtype=np.int64)
    codes = np.concatenate([grams @ powers for grams, _ in tails])
    weights = np.concatenate([np.full(len(grams), weight) for grams, weight in tails])
    different, where = np.unique(codes, return_inverse=True)
    times = np.bincount(where, weights=weights, minlength=len(different)).astype(np.int64)
    return different[times > 0], times[times > 0]
