"""How often the k-grams of a token stream occur, for every k up to some order, from one count of the longest."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from testbed.core import ConfigError, ResourceError
from testbed.measures.entropy.fingerprint import Fingerprint
from testbed.measures.entropy.pieces import Piece, checked_rows, cut, integer
from testbed.measures.entropy.sorted_codes import SortedCounter, longest_order
from testbed.measures.entropy.tables import Advance, Table, TableCounter

LARGEST_TABLE = 2**26
"""Bins of the longest order, 256 MiB; beyond, windows are sorted."""
MOST_WINDOWS = 2**32 - 1


@dataclass(frozen=True)
class GramCounts:
    """Counts of counts of the k-grams of N tokens.

    grams       grams[k], k = 0 .. max_order: all windows of k tokens; the empty gram was met N times
    contexts    contexts[k], k = 0 .. max_order - 1: those of them that a token follows, so that h_k is the entropy of
                grams[k + 1] less that of contexts[k], over the same windows
    n_bytes     memory that counting took beside the tokens
    """

    vocab_size: int
    n_tokens: int
    grams: tuple[Fingerprint, ...]
    contexts: tuple[Fingerprint, ...]
    n_bytes: int

    @property
    def max_order(self) -> int:
        return len(self.grams) - 1


class GramCounter:
    """A token stream cut into pieces, counted whole, without a piece, or with pieces repeated.

    tokens        (N,) or (n_sequences, length) integers in 0 .. V - 1, perhaps a mapped file; no gram runs across rows
    max_order     K, the longest grams
    vocab_size    V; one more than the largest token unless given
    n_pieces      how many pieces to cut the windows of K tokens into, of nearly equal size
    advance       called with numbers of windows as they are counted, for a progress bar

    Counting the K-grams and summing out their last tokens gives all shorter ones; the few that begin too late for a
    K-gram are added one by one. Up to 2^26 bins V^K that is a table, beyond it a sort of 64-bit codes, for which K
    times the bits of a token must fit 64. Memory beside the tokens: 4 V^K (1 + 1/V + 1/V^2) bytes and 16 MiB; for codes
    at most about 1 GiB, or 8 bytes for each window of the most frequent prefix, if that is more.

    Raises ConfigError for tokens that are no integers or outside 0 .. V - 1, for other arguments that are no integers,
    and where codes would be too long; ResourceError beyond 2^32 - 1 windows.
    """

    def __init__(
        self,
        tokens: NDArray[Any],
        max_order: int,
        vocab_size: int | None = None,
        n_pieces: int = 1,
        advance: Advance | None = None,
    ) -> None:
        max_order, n_pieces = integer("max_order", max_order), integer("n_pieces", n_pieces)
        rows, self.vocab_size = checked_rows(tokens, max_order, vocab_size)
        self.n_tokens = rows.size
        n_windows = rows.shape[0] * (rows.shape[1] - max_order + 1)
        if n_windows > MOST_WINDOWS:
            raise ResourceError(f"tokens: given {rows.size}, counted at most {MOST_WINDOWS} windows at a time")
        if not 1 <= n_pieces <= n_windows:
            raise ConfigError(f"n_pieces: given {n_pieces}, must lie in 1 .. {n_windows}, the number of windows")
        self.pieces = cut(rows, max_order, n_pieces)
        few = self.vocab_size**max_order <= LARGEST_TABLE
        self.counter: TableCounter | SortedCounter = (TableCounter if few else SortedCounter)(
            self.vocab_size, max_order
        )
        for piece in self.pieces:
            self.counter.add(piece, 1, advance)

    def counts(self) -> GramCounts:
        """Of all pieces."""
        return self._counts(self.n_tokens)

    def counts_without_each(self) -> Iterator[GramCounts]:
        """Of all pieces but one, for every piece in turn."""
        for piece in self.pieces:
            self.counter.add(piece, -1)
            yield self._counts(self.n_tokens - piece.n_windows)
            self.counter.add(piece, 1)

    def counts_of(self, times: NDArray[np.integer]) -> GramCounts:
        """With every piece as often as `times` (n_pieces,) says."""
        for piece, wanted in zip(self.pieces, times, strict=True):
            change = int(wanted) - self.counter.weights[piece]
            if change:
                self.counter.add(piece, change)
        return self._counts(sum(int(n) * piece.n_windows for n, piece in zip(times, self.pieces, strict=True)))

    def _counts(self, n_tokens: int) -> GramCounts:
        tally = self.counter.tally()
        everything = tally.grams[1].total
        orders = range(1, self.counter.order + 1)
        return GramCounts(
            self.vocab_size,
            n_tokens,
            (Fingerprint([int(everything)], [1]), *(tally.grams[k] for k in orders)),
            (Fingerprint([int(everything)], [1]), *(tally.contexts[k] for k in orders[:-1])),
            self.counter.n_bytes,
        )


def count_grams(
    tokens: NDArray[Any], max_order: int, vocab_size: int | None = None, advance: Advance | None = None
) -> GramCounts:
    """Counts of counts of the k-grams of tokens (N,) or (n_sequences, length), k = 0 .. max_order; see `GramCounter`.

    >>> counts = count_grams(np.array([0, 1, 1, 0, 1], dtype=np.uint8), max_order=2)
    >>> counts.grams[1], counts.grams[2]
    (Fingerprint([2, 3], [1, 1]), Fingerprint([1, 2], [2, 1]))
    """
    return GramCounter(tokens, max_order, vocab_size, advance=advance).counts()


def gram_tables(tokens: NDArray[Any], max_order: int, vocab_size: int | None = None) -> dict[int, Table]:
    """For k = 1 .. max_order the V^k counts of k-grams, numbered in base V with the oldest token first.

    Raises ConfigError where V^max_order is more than 2^26 bins, and as `count_grams` does.

    >>> gram_tables(np.array([0, 1, 1, 0, 1], dtype=np.uint8), max_order=2)[2].tolist()  # 00, 01, 10, 11
    [0, 2, 1, 1]
    """
    max_order = integer("max_order", max_order)
    rows, size = checked_rows(tokens, max_order, vocab_size)
    if size**max_order > LARGEST_TABLE:
        raise ConfigError(f"max_order: {size}^{max_order} bins are more than {LARGEST_TABLE}; `count_grams` sorts")
    counter = TableCounter(size, max_order)
    counter.add(Piece(rows, max_order, True))
    return counter.tables()


__all__ = ["GramCounter", "GramCounts", "count_grams", "gram_tables", "longest_order"]
