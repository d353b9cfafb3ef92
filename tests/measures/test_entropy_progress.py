"""What a progress bar is told while a stream is counted, and that a long stream takes the memory that is said."""

import tracemalloc

import numpy as np
import pytest

from testbed.measures.entropy import count_grams, entropy_profiles


@pytest.mark.parametrize("vocab_size, order", [(4, 5), (40, 8)])
def test_windows_are_announced_as_they_are_counted(vocab_size, order) -> None:
    """By table and by sorted codes: all windows of the longest grams, no more."""
    tokens = np.random.default_rng(0).integers(0, vocab_size, 300_000).astype(np.uint8)
    told: list[float] = []
    count_grams(tokens, order, vocab_size, advance=told.append)
    assert sum(told) == len(tokens) - order + 1
    assert min(told) > 0


def test_replicates_of_intervals_are_announced_one_by_one() -> None:
    tokens = np.random.default_rng(0).integers(0, 3, 5000).astype(np.uint8)
    told: list[tuple[str, float]] = []
    entropy_profiles(
        tokens,
        2,
        ["plug_in", "zhang"],
        3,
        n_blocks=7,
        advance=lambda done: told.append(("done", done)),
        begin=lambda n: told.append(("begin", n)),
    )
    start = told.index(("begin", 7))
    assert sum(done for _, done in told[:start]) == len(tokens) - 2
    assert told[start + 1 :] == [("done", 1)] * 7


@pytest.mark.slow
def test_a_long_stream_takes_the_memory_that_is_said() -> None:
    """10^8 tokens, V = 4, k = 12: tables and blocks beside the tokens, whatever the length of the stream."""
    tokens = np.random.default_rng(0).integers(0, 4, 10**8, dtype=np.uint8)
    count_grams(tokens[:1000], 12, 4)  # compiled
    tracemalloc.start()
    try:
        counts = count_grams(tokens, 12, 4)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert counts.grams[12].total == 10**8 - 11
    assert counts.n_bytes < 2**27
    assert peak < counts.n_bytes + 2**28
