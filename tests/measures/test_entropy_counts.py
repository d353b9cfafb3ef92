"""k-gram counts of all orders against a dictionary, by table, by buckets and by sorted codes."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.measures.entropy import (
    Fingerprint,
    GramCounter,
    count_grams,
    counting,
    gram_tables,
    sorted_codes,
    tables,
)
from testbed.measures.entropy.pieces import Piece, cut
from testbed.measures.entropy.sorted_codes import SortedCounter
from testbed.measures.entropy.tables import TableCounter


def slow(rows: np.ndarray, k: int, followed: int = 0) -> Fingerprint:
    """Counts of counts of the k-grams that `followed` tokens follow, from a dictionary of tuples."""
    counted: Counter[tuple[int, ...]] = Counter()
    for row in rows.tolist():
        counted.update(tuple(row[i : i + k]) for i in range(len(row) - k + 1 - followed))
    return Fingerprint.of(list(counted.values()))


@st.composite
def streams(draw):
    """(rows, V, K)."""
    vocab_size, order = draw(st.integers(1, 5)), draw(st.integers(1, 6))
    n_rows, length = draw(st.integers(1, 4)), draw(st.integers(order, order + 40))
    dtype = draw(st.sampled_from([np.uint8, np.uint16, np.uint64, np.int32]))
    seed = draw(st.integers(0, 2**32 - 1))
    return np.random.default_rng(seed).integers(0, vocab_size, (n_rows, length)).astype(dtype), vocab_size, order


def check(tally, rows: np.ndarray, order: int) -> None:
    for k in range(1, order + 1):
        assert tally.grams[k] == slow(rows, k)
        if k < order:
            assert tally.contexts[k] == slow(rows, k, followed=1)


@settings(max_examples=50)
@given(streams())
def test_all_orders_by_table(stream) -> None:
    rows, vocab_size, order = stream
    counts = count_grams(rows, order, vocab_size)
    check(counts, rows, order)
    assert counts.n_tokens == rows.size
    assert counts.grams[0] == Fingerprint([rows.size], [1])


@settings(max_examples=60)
@given(streams(), st.integers(1, 7), st.integers(1, 60), st.integers(1, 3))
def test_all_orders_by_sorted_codes(stream, n_pieces, share_codes, prefix) -> None:
    rows, vocab_size, order = stream
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sorted_codes, "PREFIX_BINS", vocab_size**prefix)
        counter = SortedCounter(vocab_size, order, share_codes)
        for piece in cut(rows, order, min(n_pieces, Piece(rows, order, True).n_windows)):
            counter.add(piece)
        check(counter.tally(), rows, order)


@pytest.mark.parametrize("vocab_size, order", [(2, 9), (3, 6), (256, 2)])
def test_buckets_and_chunks_count_the_same(monkeypatch, vocab_size, order) -> None:
    rows = np.random.default_rng(0).integers(0, vocab_size, (2, 700), dtype=np.uint16)
    plain = gram_tables(rows, order, vocab_size)
    for k in range(1, order + 1):
        codes = sum(rows[:, j : 700 - k + 1 + j].astype(np.int64) * vocab_size ** (k - 1 - j) for j in range(k))
        assert np.array_equal(plain[k], np.bincount(codes.ravel(), minlength=vocab_size**k))
    monkeypatch.setattr(tables, "LARGEST_DIRECT", 1)
    monkeypatch.setattr(tables, "BLOCK_CODES", 64)
    monkeypatch.setattr("testbed.measures.entropy.pieces.CHUNK_TOKENS", 100)
    in_buckets = gram_tables(rows, order, vocab_size)
    assert all(np.array_equal(in_buckets[k], plain[k]) for k in plain)


def test_counts_above_the_small_ones_are_kept() -> None:
    constant = np.zeros(70_000, dtype=np.uint8)
    assert count_grams(constant, 3, 2).grams[3] == Fingerprint([69_998], [1])
    many = np.tile(np.arange(2, dtype=np.uint32), 9000)
    counter = SortedCounter(2**20, 3)
    counter.add(Piece(many[np.newaxis], 3, True))
    assert counter.tally().grams[3] == Fingerprint([8999], [2])


@settings(max_examples=60)
@given(streams(), st.integers(2, 6), st.booleans())
def test_pieces_left_out_and_repeated(stream, n_pieces, by_codes) -> None:
    rows, vocab_size, order = stream
    n_windows = rows.shape[0] * (rows.shape[1] - order + 1)
    assume(n_windows > 1)
    n_pieces = min(n_pieces, n_windows)
    with pytest.MonkeyPatch.context() as patch:
        if by_codes:
            patch.setattr(counting, "LARGEST_TABLE", 0)
        counter = GramCounter(rows, order, vocab_size, n_pieces)
    assert len(counter.pieces) == n_pieces
    assert sum(piece.n_windows for piece in counter.pieces) == n_windows
    whole = counter.counts()
    for left_out, counts in enumerate(counter.counts_without_each()):
        alone = TableCounter(vocab_size, order)
        for i, piece in enumerate(counter.pieces):
            if i != left_out:
                alone.add(piece)
        assert all(counts.grams[k] == one for k, one in alone.tally().grams.items())
    times = np.random.default_rng(n_pieces).integers(0, 3, n_pieces)
    repeated = counter.counts_of(times)
    assert repeated.grams[order].total == sum(
        n * piece.n_windows for n, piece in zip(times, counter.pieces, strict=True)
    )
    again = counter.counts_of(np.ones(n_pieces, dtype=int))
    assert again.grams == whole.grams
    assert again.contexts == whole.contexts


def test_memory_is_said_and_bounded() -> None:
    tokens = np.random.default_rng(0).integers(0, 4, 5000, dtype=np.uint8)
    assert count_grams(tokens, 6, 4).n_bytes == 4 * 4**6 + 4 * 4**5
    wide = np.random.default_rng(0).integers(0, 2**16, 5000, dtype=np.uint16)
    counter = SortedCounter(2**16, 3, share_codes=500)
    counter.add(Piece(wide[np.newaxis], 3, True))
    counter.tally()
    assert counter.largest_share <= 500
    assert counter.n_bytes < 8 * 500 + 4 * 2**16 + 4 + 64


@pytest.mark.parametrize(
    "tokens, order, vocab_size, said",
    [
        (np.zeros(5), 2, None, "need integers (N,) or (N, L), given float64"),
        (np.zeros((2, 2, 2), int), 2, None, "given int64 of shape (2, 2, 2)"),
        (np.array([0, 1, 7, 1]), 2, 4, "token 2 is 7, must lie in 0 .. 3"),
        (np.array([0, -1]), 1, None, "token 1 is -1, must lie in 0 or above"),
        (np.array([0, 1]), 3, None, "given 1 sequences of 2; grams of 3 need as many"),
        (np.array([0, 1]), 0, None, "max_order: given 0, must be at least 1"),
        (np.array([0, 2**40]), 1, None, "at most 67108864; number the tokens anew"),
        (np.zeros(50, np.uint8), 9, 256, "9-grams of 256 symbols take 72 bits, codes have 64; the longest here: 8"),
    ],
)
def test_what_cannot_be_counted_is_refused(tokens, order, vocab_size, said) -> None:
    with pytest.raises(ConfigError) as error:
        count_grams(tokens, order, vocab_size)
    assert said in str(error.value)
