"""One long sequence by speculation and repair: bit for bit what a serial walk and the lockstep kernel give, however
slowly the chain forgets.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_sampling import philox_slowly, random_chain, sample_slowly, seeds

from testbed.sources import sampling
from testbed.sources.dyadic import quantise, quantise64
from testbed.sources.sampling import ChainSampler

PADDED, COMPACT = 2**24, 0
BLOCK_TOKENS = 256 * 64  # of the shortest chunks, one block of lanes


def in_chunks(sampler, length, seed=0, sequence=0, blocks=1):
    """Tokens (length,) of one sequence by speculation and repair, and the share of words that were walked again."""
    from testbed.sources._kernels.long_chain import sample_long

    tokens_per_word = 4 // sampler.dtype.itemsize
    words = np.full(-(-length // tokens_per_word), 0xDEADBEEF, dtype=np.uint32)
    tables = sampler._tables
    walked = sample_long(*tables, sampler.order, tokens_per_word, blocks, np.uint64(sequence), np.uint64(seed), words)
    return words.view(sampler.dtype)[:length], walked / words.size


def serially(sampler, length, seed=0, sequence=0):
    from testbed.sources._kernels.chain import draw_starts
    from testbed.sources._kernels.long_chain import walk_serial

    tokens_per_word = 4 // sampler.dtype.itemsize
    words = np.zeros(-(-length // tokens_per_word), dtype=np.uint32)
    start = np.empty(1, dtype=np.uint32)
    tables, sequence, seed = sampler._tables, np.uint64(sequence), np.uint64(seed)
    draw_starts(tables.boundaries, tables.starts, sequence, seed, start)
    never = 2**62
    chain = (*tables[:5], start[0], tokens_per_word, never, 0)
    assert walk_serial(*chain, sequence, seed, words) == words.size
    return words.view(sampler.dtype)[:length]


def in_lockstep(sampler, length, seed=0, sequence=0):
    """The kernel of short sequences, which `sample` takes for more than a few."""
    return sampler.sample(17, length, seed, sequence)[0]


chains = st.tuples(st.integers(1, 6), st.integers(0, 3)).flatmap(
    lambda shape: st.builds(
        lambda seed, sparse, limit: ChainSampler(*random_chain(*shape, seed, sparse=sparse), limit),
        st.integers(0, 2**32),
        st.booleans(),
        st.sampled_from([PADDED, COMPACT]),
    )
)
lengths = st.one_of(
    st.integers(1, 200), st.integers(BLOCK_TOKENS - 70, BLOCK_TOKENS + 70), st.just(3 * BLOCK_TOKENS + 7)
)


@settings(max_examples=40)
@given(chains, lengths, seeds, st.sampled_from([0, 3, 2**32 + 1, 2**63]), st.integers(1, 3))
def test_three_ways_give_the_same_tokens(sampler, length, seed, sequence, blocks):
    tokens, _ = in_chunks(sampler, length, seed, sequence, blocks)
    assert (tokens == serially(sampler, length, seed, sequence)).all()
    assert (tokens == in_lockstep(sampler, length, seed, sequence)).all()


@pytest.mark.parametrize("limit", [PADDED, COMPACT])
def test_serial_walk_equals_the_slow_twin(limit):
    weights, initial = random_chain(3, 2, seed=4)
    sampler = ChainSampler(weights, initial, limit)
    expected = sample_slowly(weights, initial, 1, 3000, 9, 5)[0]
    assert (serially(sampler, 3000, 9, 5) == expected).all()
    assert (in_chunks(sampler, 3000, 9, 5)[0] == expected).all()


def test_words_of_chunks_are_those_of_the_sequence():
    from testbed.sources._kernels.long_chain import fill_words_of_chunks

    words = np.empty((8, 16), dtype=np.uint32)
    first, between, substream, sequence, seed = 2**31 + 3, 1000, 2, 2**40 + 1, 2**63 + 5
    fill_words_of_chunks(words, *(np.uint64(n) for n in (first, between, substream, sequence, seed)))
    for lane in (0, 1, 15):
        for q in range(2):
            counter = (first + lane * between + q, substream, sequence % 2**32, sequence >> 32)
            expected = philox_slowly(counter, (seed % 2**32, seed >> 32))
            assert words[4 * q : 4 * q + 4, lane].tolist() == expected


@pytest.mark.parametrize("vocab_size, order", [(257, 1), (300, 0), (1000, 1)])
def test_wide_tokens(vocab_size, order):
    sampler = ChainSampler(*random_chain(vocab_size, order, seed=2, concentration=0.05))
    tokens, _ = in_chunks(sampler, 50_001, seed=1, blocks=2)
    assert tokens.dtype == np.uint16
    assert (tokens == serially(sampler, 50_001, seed=1)).all()


# --- chains that forget slowly or never ------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [PADDED, COMPACT])
@pytest.mark.parametrize("period", [2, 3, 5, 7])
def test_cycles_are_walked_to_their_end(period, limit):
    """A cycle never forgets where it began: guesses are right by luck of the length or wrong for good."""
    step = np.roll(np.eye(period), 1, axis=1)
    sampler = ChainSampler(quantise(step), quantise64(np.full(period, 1 / period)), limit)
    length = 3 * BLOCK_TOKENS + 11
    for sequence in range(4):
        tokens, share = in_chunks(sampler, length, sequence=sequence, blocks=3)
        assert (np.diff(tokens.astype(int)) % period == 1).all()
        assert (tokens == in_lockstep(sampler, length, sequence=sequence)).all()
        assert share > 0.5 or period == 2


def test_a_cycle_of_two_tokens_of_memory():
    """x_t = x_(t-1) + x_(t-2) mod 3, of period 8 unless it begins with 0 0, where it stays."""
    weights = np.zeros((3, 3, 3), dtype=np.int64)
    for a in range(3):
        for b in range(3):
            weights[a, b, (a + b) % 3] = 2**32
    sampler = ChainSampler(weights, quantise64(np.full(9, 1 / 9)))
    for sequence in range(6):
        tokens = in_chunks(sampler, 20_000, sequence=sequence)[0].astype(int)
        assert (tokens[2:] == (tokens[1:-1] + tokens[:-2]) % 3).all()
        assert (tokens == in_lockstep(sampler, 20_000, sequence=sequence)).all()


@pytest.mark.parametrize("switch, least", [(1e-2, 0.0), (1e-4, 0.2), (1e-6, 0.4)])
def test_slow_switching(switch, least):
    """Two states that are left with this probability: coalescence takes 1 / switch tokens, more than a chunk has."""
    weights = quantise(np.array([[1 - switch, switch], [switch, 1 - switch]]))
    sampler = ChainSampler(weights, quantise64([0.5, 0.5]))
    shares = []
    for sequence in range(8):
        tokens, share = in_chunks(sampler, 200_000, seed=1, sequence=sequence)
        assert (tokens == in_lockstep(sampler, 200_000, seed=1, sequence=sequence)).all()
        shares.append(share)
    assert max(shares) >= least
    assert switch < 1e-2 or max(shares) < 0.5


def test_two_closed_classes():
    """0 and 1 with noise, or 2 and 3: which class it is, is decided at the start."""
    laws = np.array([[0.3, 0.7, 0, 0], [0.7, 0.3, 0, 0], [0, 0, 0.2, 0.8], [0, 0, 0.8, 0.2]])
    sampler = ChainSampler(quantise(laws), quantise64([0.25] * 4))
    rows = np.stack([in_chunks(sampler, 20_000, sequence=sequence)[0] for sequence in range(24)])
    assert (rows[:17] == sampler.sample(17, 20_000)).all()
    assert (rows // 2 == rows[:, :1] // 2).all()
    assert set(rows[:, 0] // 2) == {0, 1}


# --- the choice ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_sequences, length", [(1, 2**14), (1, 2**14 + 13), (3, 2**16), (16, 2**18)])
@pytest.mark.parametrize("forgets", [True, False])
def test_sample_chooses_and_the_tokens_are_the_same(n_sequences, length, forgets, monkeypatch):
    laws = np.array([[0.3, 0.7], [0.9, 0.1]]) if forgets else np.roll(np.eye(3), 1, axis=1)
    sampler = ChainSampler(quantise(laws), quantise64(np.full(len(laws), 1 / len(laws))))
    rows_done = []
    fill_long = ChainSampler._fill_long

    def spy(self, words, first_sequence, seed):
        rows_done.append(fill_long(self, words, first_sequence, seed))
        return rows_done[-1]

    monkeypatch.setattr(ChainSampler, "_fill_long", spy)
    tokens = sampler.sample(n_sequences, length, seed=2, first_sequence=7)
    assert len(rows_done) == 1
    assert rows_done[0] == n_sequences or (not forgets and n_sequences == 16)
    monkeypatch.setattr(sampling, "_FEW", -1)
    assert (sampler.sample(n_sequences, length, seed=2, first_sequence=7) == tokens).all()
    assert len(rows_done) == 1


def test_short_sequences_are_not_cut(monkeypatch):
    monkeypatch.setattr(ChainSampler, "_fill_long", None)
    sampler = ChainSampler(*random_chain(2, 1, seed=0))
    assert sampler.sample(1, 2**14 - 1).shape == (1, 2**14 - 1)
    assert sampler.sample(17, 2**15).shape == (17, 2**15)
    assert sampler.sample(0, 2**15).shape == (0, 2**15)


def test_any_thread_count_gives_the_same_tokens():
    import numba

    sampler = ChainSampler(*random_chain(4, 2, seed=1))
    before = numba.get_num_threads()
    try:
        results = []
        for threads in {1, min(2, numba.config.NUMBA_NUM_THREADS)}:
            numba.set_num_threads(threads)
            results.append(sampler.sample(2, 100_003, seed=1))
    finally:
        numba.set_num_threads(before)
    assert all((result == results[0]).all() for result in results)
