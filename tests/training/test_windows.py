"""Targets and their windows against obvious loops."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.sources import MarkovSource
from testbed.training import STREAM_LENGTH, first_sequence
from testbed.training.windows import TargetSet, distinct_windows, unique_contexts

SOURCE = MarkovSource.random(vocab_size=3, order=2, seed=1)
STREAMS = ("train", "heldout", "evaluation", "probe")
sizes = {"n": st.integers(1, 40), "longest": st.integers(0, 5), "per": st.integers(1, 6), "seed": st.integers(0, 99)}


@settings(max_examples=40)
@given(**sizes, stream=st.sampled_from(STREAMS), first_row=st.integers(0, 9))
def test_windows_equal_a_loop_and_never_cross_a_sequence(n, longest, per, seed, stream, first_row):
    targets = TargetSet.draw(SOURCE, stream, seed, n, longest, per, first_row)
    first = first_sequence(stream, first_row)
    sequences = SOURCE.sample(n, longest + per, seed=seed, first_sequence=first).tolist()
    for length in range(longest + 1):
        contexts, following, row = targets.windows(length)
        assert (len(contexts), len(following), len(row)) == (n, n, n)
        for i in range(n):
            sequence, at = sequences[i // per], longest + i % per
            assert row[i] == i // per
            assert following[i] == sequence[at]
            assert contexts[i].tolist() == sequence[at - length : at]


@settings(max_examples=40)
@given(**sizes, more=st.integers(0, 40))
def test_smaller_datasets_are_prefixes_of_larger_ones(n, longest, per, seed, more):
    small, large = (
        TargetSet.draw(SOURCE, "train", seed, size, longest, per).windows(longest) for size in (n, n + more)
    )
    for a, b in zip(small, large, strict=True):
        assert np.array_equal(a, b[:n])


@settings(max_examples=40)
@given(**sizes)
def test_every_context_length_has_the_same_targets(n, longest, per, seed):
    targets = TargetSet.draw(SOURCE, "train", seed, n, longest, per)
    full, following, row = targets.windows(longest)
    for length in range(longest + 1):
        shorter, same_following, same_row = targets.windows(length)
        assert np.array_equal(shorter, full[:, longest - length :])
        assert np.array_equal(same_following, following)
        assert np.array_equal(same_row, row)
    with pytest.raises(ConfigError, match=f"hold {longest} tokens of context"):
        targets.windows(longest + 1)


def test_streams_are_disjoint_ranges_of_sequences():
    starts = [first_sequence(stream) for stream in STREAMS]
    assert starts == [i * STREAM_LENGTH for i in range(len(STREAMS))]
    assert first_sequence("train", STREAM_LENGTH - 1) == first_sequence("heldout") - 1
    for offset in (-1, STREAM_LENGTH):
        with pytest.raises(ValueError, match="offset"):
            first_sequence("probe", offset)


@given(st.data(), st.integers(2, 4), st.integers(0, 4), st.integers(1, 60))
def test_distinct_windows_equal_a_counter(data, vocab_size, length, n):
    window = st.lists(st.integers(0, vocab_size - 1), min_size=length + 1, max_size=length + 1)
    drawn = data.draw(st.lists(window, min_size=n, max_size=n))
    windows = np.array(drawn, dtype=np.uint8)
    found = distinct_windows(windows[:, :-1], windows[:, -1], vocab_size)
    counts = Counter((tuple(row[:-1]), row[-1]) for row in drawn)
    expected = {c: [counts[c, x] / n for x in range(vocab_size)] for c, _ in counts}
    assert [tuple(c) for c in found.contexts.tolist()] == sorted(expected)
    assert found.weights.sum() == pytest.approx(1.0, abs=1e-12)
    for context, weights in zip(found.contexts.tolist(), found.weights, strict=True):
        np.testing.assert_allclose(weights, expected[tuple(context)], atol=1e-15)


@pytest.mark.parametrize("vocab_size, length", [(3, 4), (200, 30), (2, 0)])
def test_unique_contexts_both_ways(vocab_size, length):
    """Packed into one integer where V^l fits, by rows beyond."""
    contexts = np.random.default_rng(0).integers(0, min(vocab_size, 3), (200, length)).astype(np.uint8)
    contexts[100:] = contexts[:100]
    unique, row = unique_contexts(contexts, vocab_size)
    assert np.array_equal(unique[row], contexts)
    assert [tuple(c) for c in unique.tolist()] == sorted({tuple(c) for c in contexts.tolist()})
