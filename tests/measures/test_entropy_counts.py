"""k-gram counts of all orders against a dictionary, by table, by buckets and by sorted codes."""

import tracemalloc
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
from testbed.measures.entropy.pieces import Piece, check_tokens, cut
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
    assert count_grams(tokens, 6, 4).n_bytes == 4 * (4**6 + 4**5 + 4**4)
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
        (np.array([0, 2**40]), 1, None, "must lie in 0 .. 67108863; number the tokens anew"),
        (np.zeros(50, np.uint8), 9, 256, "9-grams of 256 symbols take 72 bits, codes have 64; the longest here: 8"),
    ],
)
def test_what_cannot_be_counted_is_refused(tokens, order, vocab_size, said) -> None:
    with pytest.raises(ConfigError) as error:
        count_grams(tokens, order, vocab_size)
    assert said in str(error.value)


def slow_pieces(pieces, times, k: int, followed: int = 0) -> Fingerprint:
    """The grams that begin with the windows of pieces, as often as the piece; at the ends also the shorter ones."""
    counted: Counter[tuple[int, ...]] = Counter()
    for piece, n in zip(pieces, times, strict=True):
        for row in piece.rows.tolist():
            first_beyond = len(row) - (k if piece.at_end else piece.order) + 1
            for i in range(min(first_beyond, len(row) - k + 1 - followed)):
                counted[tuple(row[i : i + k])] += int(n)
    return Fingerprint.of(np.array(list(counted.values()), dtype=np.int64))


@settings(max_examples=60)
@given(streams(), st.integers(1, 6), st.integers(0, 40), st.booleans(), st.sampled_from(["C", "F", "strided", ">u4"]))
def test_pieces_are_what_a_loop_over_their_windows_counts(stream, n_pieces, chunk, by_codes, layout) -> None:
    rows, vocab_size, order = stream
    rows = {
        "C": rows,
        "F": np.asfortranarray(rows),
        "strided": np.repeat(rows, 2, axis=1)[:, ::2],
        ">u4": rows.astype(">u4"),
    }[layout]
    n_windows = rows.shape[0] * (rows.shape[1] - order + 1)
    n_pieces = min(n_pieces, n_windows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("testbed.measures.entropy.pieces.CHUNK_TOKENS", order + 1 + chunk)
        if by_codes:
            patch.setattr(counting, "LARGEST_TABLE", 0)
        counter = GramCounter(rows, order, vocab_size, n_pieces)
        replicates = [(np.arange(n_pieces) != i, one) for i, one in enumerate(counter.counts_without_each())]
        times = np.random.default_rng(chunk).integers(0, 3, n_pieces)
        replicates.append((times, counter.counts_of(times)))
    for weights, counts in replicates:
        for k in range(1, order + 1):
            assert counts.grams[k] == slow_pieces(counter.pieces, weights, k)
            if k < order:
                assert counts.contexts[k] == slow_pieces(counter.pieces, weights, k, followed=1)


def test_codes_that_fill_all_64_bits() -> None:
    rng = np.random.default_rng(0)
    for vocab_size, order in [(2, 64), (256, 8), (2**16, 4), (2**20, 3)]:
        rows = rng.integers(vocab_size - 2, vocab_size, (2, order + 9))
        check(count_grams(rows, order, vocab_size), rows, order)


def test_integers_of_numpy_do_not_overflow() -> None:
    """256^8 is 0 in 64 bits, and would be a table of no bins."""
    tokens = np.random.default_rng(0).integers(0, 256, 60, dtype=np.uint8)
    plain = count_grams(tokens, 8, 256)
    for kind in (np.int64, np.int16, np.uint16):
        assert count_grams(tokens, kind(8), kind(256)).grams == plain.grams
    assert count_grams(tokens % 5, np.int8(6), np.uint8(5)).grams == count_grams(tokens % 5, 6, 5).grams


@pytest.mark.parametrize(
    "keys, said",
    [
        ({"max_order": 2.0}, "max_order: given 2.0, must be an integer"),
        ({"vocab_size": "4"}, "vocab_size: given '4', must be an integer"),
        ({"vocab_size": float("nan")}, "vocab_size: given nan, must be an integer"),
        ({"vocab_size": 0}, "vocab_size: given 0, must be at least 1"),
        ({"n_pieces": 1.5}, "n_pieces: given 1.5, must be an integer"),
    ],
)
def test_arguments_that_are_no_integers_are_refused(keys, said) -> None:
    with pytest.raises(ConfigError) as error:
        GramCounter(np.array([0, 1, 1, 0]), **{"max_order": 2, **keys})
    assert said in str(error.value)


def test_memory_said_is_the_peak() -> None:
    tokens = np.random.default_rng(0).integers(0, 2, 500, dtype=np.uint8)
    count_grams(tokens, 20, 2)
    tracemalloc.start()
    try:
        said = count_grams(tokens, 21, 2).n_bytes
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert said <= peak < 1.05 * said


def test_mapped_files_are_looked_at_in_parts(tmp_path) -> None:
    rows = np.random.default_rng(0).integers(0, 4, (10, 200_000)).astype(np.uint8)
    np.save(tmp_path / "a.npy", np.asfortranarray(rows))
    tracemalloc.start()
    try:
        check_tokens(np.load(tmp_path / "a.npy", mmap_mode="r"), 4)
        assert tracemalloc.get_traced_memory()[1] < rows.nbytes / 4
    finally:
        tracemalloc.stop()
