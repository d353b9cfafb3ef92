"""Counts of k-grams from sorted 64-bit codes, where V^k bins would be too many for a table.

The grams of few tokens are counted in a table; it tells how many windows begin with each of them, so that the codes can
be made and sorted share by share, each of the windows between two prefixes, within a bound of memory.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from testbed.core import ConfigError
from testbed.measures.entropy.fingerprint import Fingerprint
from testbed.measures.entropy.pieces import Piece
from testbed.measures.entropy.tables import Advance, TableCounter, Tally

Codes = NDArray[np.uint64]
Integers = NDArray[np.int64]

CODE_BITS = 64
PREFIX_BINS = 2**16
SHARE_CODES = 2**27
"""Codes sorted at a time, 1 GiB, unless a single prefix has more."""
SMALL_COUNTS = 1024


def bits_of(vocab_size: int) -> int:
    """Of one token in a code."""
    return max(1, (vocab_size - 1).bit_length())


def longest_order(vocab_size: int) -> int:
    """Tokens that one code holds."""
    return CODE_BITS // bits_of(vocab_size)


class SortedCounter:
    """Pieces of windows of `order` tokens, each with a weight; everything is counted when it is asked for."""

    def __init__(self, vocab_size: int, order: int, share_codes: int = SHARE_CODES) -> None:
        if order > longest_order(vocab_size):
            raise ConfigError(
                f"max_order: {order}-grams of {vocab_size} symbols take {order * bits_of(vocab_size)} bits, codes have"
                f" {CODE_BITS}; the longest here: {longest_order(vocab_size)}-grams"
            )
        self.vocab_size, self.order, self.share_codes = vocab_size, order, share_codes
        self.bits = bits_of(vocab_size)
        self.n_prefix = 1
        while self.n_prefix + 1 < order and vocab_size ** (self.n_prefix + 1) <= PREFIX_BINS:
            self.n_prefix += 1
        self.prefixes = TableCounter(vocab_size, self.n_prefix)
        self.weights: dict[Piece, int] = {}
        self.largest_share = 0

    @property
    def n_bytes(self) -> int:
        """Of the prefix table, and the codes with the lists of large counts of the largest share so far."""
        lists = 9 * (self.order * self.largest_share // SMALL_COUNTS)
        return self.prefixes.n_bytes + 8 * self.largest_share + lists

    def add(self, piece: Piece, weight: int = 1, advance: Advance | None = None) -> None:
        """Count a piece `weight` times more; a negative weight takes it out again."""
        self.prefixes.add(piece.shortened(self.n_prefix), weight)
        self.weights[piece] = self.weights.get(piece, 0) + weight
        if advance is not None:
            advance(piece.n_windows)

    def tally(self) -> Tally:
        """Counts of counts of the orders 1 .. order."""
        from testbed.measures.entropy._kernels.codes import tally_sorted

        first = self.n_prefix + 1
        small = np.zeros((self.order + 1, SMALL_COUNTS), dtype=np.int64)
        large: list[tuple[Integers, Integers]] = []
        ends = {k: _Ends.of(self, k) for k in range(first, self.order)}
        for low, high, most in self._shares():
            codes = self._codes(low, high, most)
            codes.sort()
            room = self.order * (len(codes) // SMALL_COUNTS + 1)
            orders, counts = np.empty(room, np.int8), np.empty(room, np.int64)
            n_large = tally_sorted(codes, self.bits, self.order, first, small, orders, counts)
            large.append((orders[:n_large].astype(np.int64), counts[:n_large]))
            for k, end in ends.items():
                end.look_up(codes, (self.order - k) * self.bits)
        large_orders = np.concatenate([orders for orders, _ in large])
        large_counts = np.concatenate([counts for _, counts in large])
        grams, contexts = {}, {}
        for k in range(first, self.order + 1):
            inside = Fingerprint.from_tally(small[k], large_counts[large_orders == k])
            if k == self.order:
                grams[k] = inside
            else:
                grams[k] = inside.moved(ends[k].found, ends[k].found + ends[k].times)
                contexts[k] = inside.moved(ends[k].found, ends[k].found + ends[k].followed)
        few = self.prefixes.tally()
        contexts[self.n_prefix] = self._prefix_contexts(few)
        return Tally({**few.grams, **grams}, {**few.contexts, **contexts})

    def _prefix_contexts(self, few: Tally) -> Fingerprint:
        """The prefixes that are followed by a token: all but those at the ends of sequences."""
        ends = _Ends.of(self, self.n_prefix, last_only=True)
        shift = np.uint64(self.bits)
        symbols = (ends.codes[:, None] >> (shift * np.arange(self.n_prefix, dtype=np.uint64))) & ((1 << shift) - 1)
        places = symbols.astype(np.int64) @ self.vocab_size ** np.arange(self.n_prefix, dtype=np.int64)
        all_of_them = self.prefixes.table[places].astype(np.int64)
        return few.grams[self.n_prefix].moved(all_of_them, all_of_them - ends.times)

    def _shares(self) -> list[tuple[int, int, int]]:
        """(lowest code, highest code, number of windows at most) of each share."""
        everything = (1 << (self.bits * self.order)) - 1
        total = sum(piece.shortened(self.n_prefix).n_windows * times for piece, times in self.weights.items())
        if total <= self.share_codes:
            return [(0, everything, total)]
        cumulative = np.cumsum(self.prefixes.table, dtype=np.int64)
        borders = [0]
        while borders[-1] < len(cumulative):
            done = int(cumulative[borders[-1] - 1]) if borders[-1] else 0
            borders.append(max(int(np.searchsorted(cumulative, done + self.share_codes, "right")), borders[-1] + 1))
        rest = self.bits * (self.order - self.n_prefix)
        shares = []
        for a, b in pairwise(borders):
            most = int(cumulative[b - 1]) - (int(cumulative[a - 1]) if a else 0)
            last = everything if b == len(cumulative) else (self._packed(b) << rest) - 1
            shares.append((self._packed(a) << rest, last, most))
        return shares

    def _packed(self, prefix: int) -> int:
        """A prefix in base V, with `bits` for each token instead."""
        digits = [prefix // self.vocab_size**i % self.vocab_size for i in range(self.n_prefix)]
        return sum(digit << (self.bits * i) for i, digit in enumerate(digits))

    def _codes(self, low: int, high: int, most: int) -> Codes:
        """The codes of the windows of a share, as often as their pieces weigh, in the order of time."""
        from testbed.measures.entropy._kernels.codes import window_codes

        codes = np.empty(most, dtype=np.uint64)
        filled = 0
        for piece, weight in self.weights.items():
            begin = filled
            for rows in piece.chunks() if weight else ():
                filled = window_codes(rows, self.bits, self.order, np.uint64(low), np.uint64(high), codes, filled)
            once = filled - begin
            for _ in range(weight - 1):
                codes[filled : filled + once] = codes[begin : begin + once]
                filled += once
        self.largest_share = max(self.largest_share, most)
        return codes[:filled]


class _Ends:
    """The grams of k tokens that begin too late in their sequences to begin a window.

    codes       (n,) the different ones
    times       how often each is there
    followed    of these, how often it is followed by a token
    found       how many windows begin with it, as far as shares of windows were looked up
    """

    def __init__(self, codes: Codes, last: NDArray[np.bool_], weights: Integers) -> None:
        self.codes, where = np.unique(codes, return_inverse=True)
        n = len(self.codes)
        self.times = np.bincount(where, weights=weights, minlength=n).astype(np.int64)
        self.followed = np.bincount(where, weights=weights * ~last, minlength=n).astype(np.int64)
        self.found = np.zeros(n, dtype=np.int64)

    @classmethod
    def of(cls, counter: SortedCounter, k: int, last_only: bool = False) -> "_Ends":
        codes, last, weights = [], [], []
        shifts = np.uint64(counter.bits) * np.arange(k - 1, -1, -1, dtype=np.uint64)
        for piece, weight in counter.weights.items():
            tails = piece.tails(counter.order - 1).astype(np.uint64)
            final = tails.shape[1] - k
            for start in range(final if last_only else 0, final + 1):
                codes.append((tails[:, start : start + k] << shifts).sum(axis=1, dtype=np.uint64))
                last.append(np.full(len(tails), start == final))
                weights.append(np.full(len(tails), weight))
        return cls(np.concatenate(codes), np.concatenate(last), np.concatenate(weights))

    def look_up(self, codes: Codes, rest: int) -> None:
        """Add the windows among these sorted codes, which have `rest` more bits."""
        low = self.codes << np.uint64(rest)
        high = low | np.uint64((1 << rest) - 1)
        self.found += np.searchsorted(codes, high, "right") - np.searchsorted(codes, low, "left")
