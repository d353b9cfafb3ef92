"""The compiled sampler against a slow twin on Python's integers, against its law, and against every way to split the
work.
"""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from testbed.core.errors import ConfigError
from testbed.sources.dyadic import quantise, quantise64
from testbed.sources.sampling import ChainSampler

FALSE_ALARM = 1e-6  # of every chi-square test below; all are seeded


# --- the slow twin ---------------------------------------------------------------------------------------------------


def philox_slowly(counter, key):
    """Philox4x32-10 (Salmon et al. 2011), word by word."""
    c, (k0, k1) = list(counter), key
    for _ in range(10):
        low, high = c[0] * 0xD2511F53, c[2] * 0xCD9E8D57
        c = [high >> 32 ^ c[1] ^ k0, high % 2**32, low >> 32 ^ c[3] ^ k1, low % 2**32]
        k0, k1 = (k0 + 0x9E3779B9) % 2**32, (k1 + 0xBB67AE85) % 2**32
    return c


def random_words(seed, sequence, quad, substream):
    return philox_slowly((quad, substream, sequence % 2**32, sequence >> 32), (seed % 2**32, seed >> 32))


def alias_row_slowly(weights, bits):
    """Vose's table of one law: a list of (threshold, alias)."""
    height = 2 ** (32 - bits)
    units = [int(w) for w in weights] + [0] * (2**bits - len(weights))
    short = [j for j, u in enumerate(units) if u < height]
    tall = [j for j, u in enumerate(units) if u > height]
    row = [(0, j) for j in range(2**bits)]
    while short:
        column, donor = short.pop(), tall[-1]
        row[column] = (units[column], donor)
        units[donor] -= height - units[column]
        if units[donor] <= height:
            tall.pop()
            if units[donor] < height:
                short.append(donor)
    return row


def sample_slowly(weights, initial_weights, n_sequences, length, seed, first_sequence):
    vocab_size, order = weights.shape[-1], weights.ndim - 1
    bits = max(1, (vocab_size - 1).bit_length())
    rows = [alias_row_slowly(row, bits) for row in weights.reshape(-1, vocab_size)]
    tokens = np.zeros((n_sequences, length), dtype=int)
    for i in range(n_sequences):
        sequence = first_sequence + i
        high, low, *_ = random_words(seed, sequence, 0, substream=1)
        draw, state = (high << 32) + low, 0
        if np.count_nonzero(initial_weights) == 1:
            state = int(np.argmax(initial_weights))
        else:
            while draw >= int(initial_weights[state]):
                draw -= int(initial_weights[state])
                state += 1
        for t in range(length):
            word = random_words(seed, sequence, t // 4, substream=0)[t % 4]
            column, height = word >> (32 - bits), word % 2 ** (32 - bits)
            threshold, alias = rows[state][column]
            tokens[i, t] = column if height < threshold else alias
            state = (state * vocab_size + tokens[i, t]) % vocab_size**order
    return tokens


# --- random chains ---------------------------------------------------------------------------------------------------


def random_chain(vocab_size, order, seed, concentration=0.7, sparse=False):
    """Weights and a random (not the stationary) initial law; `sparse` forbids about a third of the transitions."""
    generator = np.random.default_rng(seed)
    laws = generator.dirichlet(np.full(vocab_size, concentration), (vocab_size,) * order)
    if sparse:
        laws *= generator.random(laws.shape) > 1 / 3
        laws[..., 0] += 1e-3  # every state is left by 0: one closed class
        laws /= laws.sum(axis=-1, keepdims=True)
    return quantise(laws), quantise64(generator.dirichlet(np.ones(vocab_size**order)))


def stationary_law(weights):
    """(V^k,) by plain iteration."""
    vocab_size, order = weights.shape[-1], weights.ndim - 1
    kernel = weights.reshape(-1, vocab_size) / 2.0**32
    law = np.full(vocab_size**order, 1.0 / vocab_size**order)
    for _ in range(2000):
        law = (law[:, np.newaxis] * kernel).reshape(vocab_size, -1).sum(axis=0)[: vocab_size**order]
    return law


small_chains = st.tuples(st.integers(1, 6), st.integers(0, 3)).flatmap(
    lambda shape: st.tuples(st.just(shape), st.integers(0, 2**32), st.booleans())
)
seeds = st.one_of(st.integers(0, 2**64 - 1), st.sampled_from([0, 2**32, 2**64 - 1]))
first_sequences = st.one_of(st.integers(0, 300), st.integers(0, 2**63), st.sampled_from([2**32 - 3, 2**63]))
padded_limits = st.sampled_from([0, 2**24])  # 0: compact rows wherever the two layouts differ


def p_value(counts, expected, degrees_of_freedom):
    possible = expected > 0
    assert counts[~possible].sum() == 0
    return chi2.sf(((counts - expected)[possible] ** 2 / expected[possible]).sum(), degrees_of_freedom)


# --- random words and tables -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "counter, key, words",
    [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_philox_gives_the_published_words(counter, key, words):
    from testbed.sources._kernels.philox import fill_random_words

    block = np.empty((4, 16), dtype=np.uint32)
    sequence = np.uint64(counter[3] << 32 | counter[2])
    fill_random_words(block, counter[0], np.uint64(counter[1]), sequence, np.uint64(key[1] << 32 | key[0]))
    assert tuple(block[:, 0]) == words
    assert tuple(philox_slowly(counter, key)) == words


@given(st.integers(1, 40), st.integers(0, 2**32), st.sampled_from([0.01, 1.0]))
def test_alias_table_decodes_to_its_weights(vocab_size, seed, concentration):
    from testbed.sources._kernels.alias import alias_build

    weights = quantise(np.random.default_rng(seed).dirichlet(np.full(vocab_size, concentration), 3))
    bits = max(1, (vocab_size - 1).bit_length())
    table = np.zeros((5, 2**bits), dtype=np.uint32)
    alias_build(weights, np.array([4, 0, 2]), bits, table)
    thresholds, aliases = (table >> bits).astype(np.int64), table & (2**bits - 1)
    for law, row in zip(weights, [4, 0, 2], strict=True):
        decoded = thresholds[row].copy()
        np.add.at(decoded, aliases[row], 2 ** (32 - bits) - thresholds[row])
        assert (decoded[:vocab_size] == law).all()
        assert (decoded[vocab_size:] == 0).all()
        assert list(zip(thresholds[row], aliases[row], strict=True)) == alias_row_slowly(law, bits)
    assert (table[[1, 3]] == 0).all()


# --- tokens ----------------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=150)
@given(small_chains, st.integers(0, 5), st.integers(0, 80), seeds, first_sequences, padded_limits)
def test_tokens_equal_the_slow_twin(chain, n_sequences, length, seed, first_sequence, padded_limit):
    (vocab_size, order), chain_seed, sparse = chain
    weights, initial = random_chain(vocab_size, order, chain_seed, sparse=sparse)
    sampler = ChainSampler(weights, initial, padded_limit)
    tokens = sampler.sample(n_sequences, length, seed, first_sequence)
    assert tokens.shape == (n_sequences, length)
    assert tokens.dtype == np.uint8
    assert tokens.flags.c_contiguous
    assert (tokens == sample_slowly(weights, initial, n_sequences, length, seed, first_sequence)).all()


@pytest.mark.parametrize("vocab_size, order, dtype", [(256, 1, "uint8"), (257, 1, "uint16"), (65536, 0, "uint16")])
@pytest.mark.parametrize("padded_limit", [0, 2**24])
def test_wide_tokens_equal_the_slow_twin(vocab_size, order, dtype, padded_limit):
    weights, initial = random_chain(vocab_size, order, seed=1)
    tokens = ChainSampler(weights, initial, padded_limit).sample(3, 77, seed=5, first_sequence=2)
    assert tokens.dtype == dtype
    assert (tokens == sample_slowly(weights, initial, 3, 77, 5, 2)).all()
    assert tokens.max() >= vocab_size // 2


@pytest.mark.parametrize("vocab_size, order", [(3, 12), (17, 4), (2, 20)])
def test_large_tables(vocab_size, order):
    """Above the default limit (but for V = 2): base-V rows, a law that is easy to check, sequences long enough to go
    round.
    """
    n_states = vocab_size**order
    weights = np.zeros((n_states, vocab_size), dtype=np.int64)
    oldest = np.arange(n_states) // (n_states // vocab_size)
    weights[np.arange(n_states), (oldest + 1) % vocab_size] = 2**32
    initial = quantise64(np.full(n_states, 1 / n_states))
    tokens = ChainSampler(weights.reshape((vocab_size,) * (order + 1)), initial).sample(200, 5 * order).astype(int)
    assert (tokens[:, order:] == (tokens[:, :-order] + 1) % vocab_size).all()
    assert len(np.unique(tokens[:, :order], axis=0)) > 190


@settings(deadline=None, max_examples=20)
@given(small_chains, st.integers(1, 400), st.integers(1, 150), st.integers(0, 400), st.integers(0, 150), padded_limits)
def test_any_batch_split_and_any_length_give_the_same_tokens(chain, n_sequences, length, split, short, padded_limit):
    (vocab_size, order), chain_seed, _ = chain
    sampler = ChainSampler(*random_chain(vocab_size, order, chain_seed), padded_limit)
    tokens = sampler.sample(n_sequences, length, seed=3, first_sequence=10)
    split = min(split, n_sequences)
    parts = [sampler.sample(split, length, 3, 10), sampler.sample(n_sequences - split, length, 3, 10 + split)]
    assert (np.concatenate(parts) == tokens).all()
    short = min(short, length)
    assert (sampler.sample(n_sequences, short, 3, 10) == tokens[:, :short]).all()


@pytest.mark.parametrize("padded_limit", [0, 2**24])
def test_any_thread_count_gives_the_same_tokens(padded_limit):
    import numba

    available = numba.config.NUMBA_NUM_THREADS
    sampler = ChainSampler(*random_chain(5, 2, seed=0), padded_limit)
    before = numba.get_num_threads()
    try:
        results = []
        for threads in sorted({1, min(2, available), available}):
            numba.set_num_threads(threads)
            results.append(sampler.sample(1000, 301, seed=1))
    finally:
        numba.set_num_threads(before)
    assert all((result == results[0]).all() for result in results)


def test_seeds_and_sequences_differ():
    sampler = ChainSampler(*random_chain(4, 1, seed=0, concentration=5.0))
    tokens = np.concatenate([sampler.sample(50, 100, seed) for seed in (0, 1, 2**32, 2**63)])
    assert len(np.unique(tokens, axis=0)) == 200


# --- the law ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("padded_limit", [0, 2**24])
@pytest.mark.parametrize("vocab_size, order", [(2, 1), (3, 2), (5, 1), (4, 2), (17, 1), (3, 0)])
def test_first_tokens_and_transitions_follow_the_law(vocab_size, order, padded_limit):
    weights, _ = random_chain(vocab_size, order, seed=7, sparse=True)
    law = stationary_law(weights)
    sampler = ChainSampler(weights, quantise64(law), padded_limit)
    n_sequences, length = 20_000, 50
    tokens = sampler.sample(n_sequences, length, seed=11).astype(np.int64)
    kernel = weights.reshape(-1, vocab_size) / 2.0**32

    # The first k + 1 tokens are one draw a sequence from the stationary law of (k+1)-grams.
    first = tokens[:, : order + 1] @ vocab_size ** np.arange(order, -1, -1)
    grams = (law[:, np.newaxis] * kernel).ravel()
    common = n_sequences * grams >= 5  # rarer ones are pooled, where the chi-square law would not hold
    counts = np.bincount(first, minlength=grams.size)
    pooled = np.append(counts[common], counts[~common].sum())
    expected = n_sequences * np.append(grams[common], grams[~common].sum())
    assert counts[grams == 0].sum() == 0
    assert p_value(pooled, expected, max(1, common.sum() - (grams[~common].sum() == 0))) > FALSE_ALARM

    # Transitions, given how often each state was left: one multinomial a state.
    windows = np.lib.stride_tricks.sliding_window_view(tokens, order + 1, axis=1).reshape(-1, order + 1)
    codes = windows @ vocab_size ** np.arange(order, -1, -1)
    counts = np.bincount(codes, minlength=grams.size).reshape(kernel.shape)
    expected = counts.sum(axis=1, keepdims=True) * kernel
    assert counts[kernel == 0].sum() == 0
    often = (expected >= 5) | (kernel == 0)
    rows = often.all(axis=1)
    degrees = np.count_nonzero(kernel[rows]) - rows.sum()
    assert rows.any()
    assert degrees == 0 or p_value(counts[rows], expected[rows], degrees) > FALSE_ALARM


def test_a_certain_start_is_certain():
    weights = quantise(np.array([[[0.0, 1.0], [1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]]))
    tokens = ChainSampler(weights, quantise64([0.0, 1.0, 0.0, 0.0])).sample(40, 6)
    assert (tokens == [0, 0, 1, 0, 0, 1]).all()


# --- the edge --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"n_sequences": -1}, "n_sequences: must be 0"),
        ({"length": -5}, "length: must be 0"),
        ({"seed": 2**64}, "seed: must be 0"),
        ({"seed": -1}, "seed: must be 0"),
        ({"first_sequence": -1}, "first_sequence: must be 0"),
        ({"first_sequence": 2**64 - 2}, "first_sequence: must be 0"),
    ],
)
def test_arguments_are_checked(arguments, message):
    sampler = ChainSampler(*random_chain(2, 1, seed=0))
    with pytest.raises(ConfigError, match=message):
        sampler.sample(**{"n_sequences": 2, "length": 3, **arguments})


@pytest.mark.parametrize(
    "weights, initial, message",
    [
        (np.full((2, 2), 2**31), np.array([2**63, 2**62], np.uint64), "initial_weights: must sum to 2"),
        (np.full((2, 2), 2**31), np.array([0, 0], np.uint64), "initial_weights: must sum to 2"),
        (np.full((2, 2), 2**31), np.array([2**63] * 4, np.uint64), "initial_weights: must be 2 integers"),
        (np.full((2, 2), 2**30), np.array([2**63] * 2, np.uint64), r"row \[0\] sums to 2147483648"),
        (np.array([[2**32, 0], [-1, 2**32 + 1]]), np.array([2**63] * 2, np.uint64), "must lie in 0"),
        (np.full((2, 3), 2**31), np.array([2**63] * 2, np.uint64), "weights: must be integers of shape"),
        (np.full((2, 2), 0.5), np.array([2**63] * 2, np.uint64), "weights: must be integers of shape"),
    ],
)
def test_laws_are_checked(weights, initial, message):
    with pytest.raises(ConfigError, match=message):
        ChainSampler(weights, initial)


def test_numba_is_imported_at_the_first_sample():
    code = (
        "import sys, numpy as np\n"
        "import testbed.sources.sampling as s\n"
        "chain = s.ChainSampler(np.full((2, 2), 2**31), np.full(2, 2**63, dtype=np.uint64))\n"
        "assert 'numba' not in sys.modules, 'numba was imported too early'\n"
        "assert chain.sample(3, 5).shape == (3, 5)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
