"""The compiled edge machine against a slow twin on Python's integers, against its law, and against every way to split
the work.
"""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2
from test_sampling import alias_row_slowly, first_sequences, random_words, seeds

from testbed.core import ConfigError
from testbed.sources.dyadic import quantise, quantise64
from testbed.sources.edges import Edges
from testbed.sources.machine_sampling import MachineSampler

FALSE_ALARM = 1e-6  # of every chi-square test below; all are seeded


# --- the slow twin ---------------------------------------------------------------------------------------------------


def walk_slowly(edges, initial_weights, length, seed, sequence):
    """The states before, the edges and the symbols of one sequence."""
    bits = max(1, (edges.weights.shape[1] - 1).bit_length())
    high, low, *_ = random_words(seed, sequence, 0, substream=1)
    draw, state = (high << 32) + low, 0
    if np.count_nonzero(initial_weights) == 1:
        state = int(np.argmax(initial_weights))
    else:
        while draw >= int(initial_weights[state]):
            draw -= int(initial_weights[state])
            state += 1
    path = []
    for t in range(length):
        word = random_words(seed, sequence, t // 4, substream=0)[t % 4]
        column, height = word >> (32 - bits), word % 2 ** (32 - bits)
        threshold, alias = alias_row_slowly(edges.weights[state], bits)[column]
        edge = column if height < threshold else alias
        path.append((state, edge, int(edges.symbols[state, edge])))
        state = int(edges.successors[state, edge])
    return path


def sample_slowly(sampler, n_sequences, length, seed, first_sequence):
    paths = [
        walk_slowly(sampler.edges, sampler.initial_weights, length, seed, first_sequence + i)
        for i in range(n_sequences)
    ]
    return np.array([[symbol for _, _, symbol in path] for path in paths]).reshape(n_sequences, length)


# --- random machines -------------------------------------------------------------------------------------------------


def random_machine(n_states, n_edges, vocab_size, seed):
    """Edges of any symbol and successor; about a third of them have weight 0 and say nonsense."""
    generator = np.random.default_rng(seed)
    laws = generator.dirichlet(np.full(n_edges, 0.7), n_states) * (generator.random((n_states, n_edges)) > 1 / 3)
    laws[:, 0] += 1e-3
    weights = quantise(laws / laws.sum(axis=1, keepdims=True))
    symbols = np.where(weights > 0, generator.integers(0, vocab_size, weights.shape), -7).astype(np.int32)
    successors = np.where(weights > 0, generator.integers(0, n_states, weights.shape), 10**6).astype(np.int32)
    return MachineSampler(
        Edges(symbols, successors, weights), quantise64(generator.dirichlet(np.ones(n_states))), vocab_size
    )


machines = st.builds(
    random_machine, st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 2, 5, 256]), st.integers(0, 2**32)
)


# --- tokens ----------------------------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(machines, st.integers(0, 4), st.integers(0, 70), seeds, first_sequences)
def test_tokens_equal_the_slow_twin(sampler, n_sequences, length, seed, first_sequence):
    tokens = sampler.sample(n_sequences, length, seed, first_sequence)
    assert tokens.shape == (n_sequences, length)
    assert tokens.dtype == np.uint8
    assert tokens.flags.c_contiguous
    assert (tokens == sample_slowly(sampler, n_sequences, length, seed, first_sequence)).all()


@pytest.mark.parametrize("n_states, n_edges, vocab_size", [(3, 5, 257), (2, 300, 65536), (1, 1, 65536)])
def test_wide_tokens_equal_the_slow_twin(n_states, n_edges, vocab_size):
    sampler = random_machine(n_states, n_edges, vocab_size, seed=1)
    tokens = sampler.sample(3, 45, seed=5, first_sequence=2)
    assert tokens.dtype == np.uint16
    assert (tokens == sample_slowly(sampler, 3, 45, 5, 2)).all()


@pytest.mark.parametrize("vocab_size", [2, 65536])  # the symbol beside the state in 32 bits, and apart from it
def test_a_million_states(vocab_size):
    """A permutation that is easy to follow: state s emits its lowest digits and leads to 7 s + 1."""
    n_states = 2**20
    states = np.arange(n_states)
    edges = Edges(
        (states % vocab_size).astype(np.int32)[:, None],
        ((7 * states + 1) % n_states).astype(np.int32)[:, None],
        np.full((n_states, 1), 2**32),
    )
    sampler = MachineSampler(edges, quantise64(np.eye(1, n_states, 12345)[0]), vocab_size)
    state, expected = 12345, []
    for _ in range(200):
        expected.append(state % vocab_size)
        state = (7 * state + 1) % n_states
    assert (sampler.sample(20, 200, seed=3) == expected).all()


def test_more_edges_than_sixteen_bits_number():
    """One state of 90,000 edges, in 2^17 columns."""
    n_edges = 90_000
    weights = quantise(np.random.default_rng(0).dirichlet(np.ones(n_edges)))[None]
    symbols = (np.arange(n_edges) % 300).astype(np.int32)[None]
    sampler = MachineSampler(Edges(symbols, np.zeros_like(symbols), weights), np.array([1], np.uint64), 300)
    tokens = sampler.sample(2, 20, seed=1)
    row = alias_row_slowly(weights[0], 17)
    for i in range(2):
        words = [random_words(1, i, t // 4, substream=0)[t % 4] for t in range(20)]
        edges = [w >> 15 if w % 2**15 < row[w >> 15][0] else row[w >> 15][1] for w in words]
        assert (tokens[i] == np.array(edges) % 300).all()


@settings(max_examples=10)
@given(machines, st.integers(1, 600), st.integers(1, 150), st.integers(0, 600), st.integers(0, 150))
def test_any_batch_split_and_any_length_give_the_same_tokens(sampler, n_sequences, length, split, short):
    tokens = sampler.sample(n_sequences, length, seed=3, first_sequence=10)
    split = min(split, n_sequences)
    parts = [sampler.sample(split, length, 3, 10), sampler.sample(n_sequences - split, length, 3, 10 + split)]
    assert (np.concatenate(parts) == tokens).all()
    short = min(short, length)
    assert (sampler.sample(n_sequences, short, 3, 10) == tokens[:, :short]).all()


def test_any_thread_count_gives_the_same_tokens():
    import numba

    available = numba.config.NUMBA_NUM_THREADS
    sampler = random_machine(6, 3, 4, seed=0)
    before = numba.get_num_threads()
    try:
        results = []
        for threads in sorted({1, min(2, available), available}):
            numba.set_num_threads(threads)
            results.append(sampler.sample(1000, 301, seed=1))
    finally:
        numba.set_num_threads(before)
    assert all((result == results[0]).all() for result in results)


def test_tokens_do_not_depend_on_the_padding_of_edges():
    sampler = random_machine(5, 3, 4, seed=2)
    edges = sampler.edges
    padded = Edges(*(np.pad(a, ((0, 0), (0, 1))) for a in (edges.symbols, edges.successors, edges.weights)))
    wider = MachineSampler(padded, sampler.initial_weights, 4)
    assert (wider.sample(50, 90) == sampler.sample(50, 90)).all()


# --- the law ---------------------------------------------------------------------------------------------------------


def test_edges_are_drawn_with_their_weights():
    """A machine that says which edge it took: symbol = state * M + edge."""
    n_states, n_edges = 5, 6
    generator = np.random.default_rng(3)
    weights = quantise(generator.dirichlet(np.full(n_edges, 3.0), n_states))
    weights[0] = [2**32, 0, 0, 0, 0, 0]
    edges = Edges(
        np.arange(n_states * n_edges, dtype=np.int32).reshape(n_states, n_edges),
        generator.integers(0, n_states, (n_states, n_edges)).astype(np.int32),
        weights,
    )
    start = generator.dirichlet(np.ones(n_states))
    tokens = MachineSampler(edges, quantise64(start), n_states * n_edges).sample(20_000, 60, seed=4).astype(np.int64)

    states, taken = np.divmod(tokens, n_edges)
    assert (states[:, 1:] == edges.successors[states, taken][:, :-1]).all()
    assert_counts(np.bincount(states[:, 0], minlength=n_states), 20_000 * start, n_states - 1)
    counts = np.bincount(tokens.ravel(), minlength=n_states * n_edges).reshape(n_states, n_edges)
    for state in range(n_states):
        expected = counts[state].sum() * edges.probabilities[state]
        assert expected[expected > 0].min() > 5
        assert_counts(counts[state], expected, np.count_nonzero(expected) - 1)


def assert_counts(counts, expected, degrees_of_freedom):
    possible = expected > 0
    assert counts[~possible].sum() == 0
    statistic = ((counts - expected)[possible] ** 2 / expected[possible]).sum()
    assert degrees_of_freedom == 0 or chi2.sf(statistic, degrees_of_freedom) > FALSE_ALARM


# --- the edge --------------------------------------------------------------------------------------------------------

HALF = np.full((2, 2), 2**31)
ZERO = np.zeros((2, 2), np.int32)
START = np.array([2**63, 2**63], np.uint64)


@pytest.mark.parametrize(
    "edges, initial, vocab_size, message",
    [
        (Edges(ZERO, ZERO, HALF), np.array([2**63, 2**62], np.uint64), 2, "initial_weights: must sum to 2"),
        (Edges(ZERO, ZERO, HALF), np.array([2**63] * 3, np.uint64), 2, "initial_weights: must be 2 integers >= 0 .*st"),
        (Edges(ZERO, ZERO, HALF // 2), START, 2, "the weights of state 0 sum to 2147483648; must sum to"),
        (Edges(ZERO, ZERO, np.array([[2**32, 0], [-1, 2**32]])), START, 2, "weights must lie in 0 .. 2.32, got -1"),
        (Edges(ZERO[:1], ZERO, HALF), START, 2, "must have one shape"),
        (Edges(ZERO, ZERO, HALF / 1.0), START, 2, "must be integers, got float64"),
        (Edges(ZERO + 2, ZERO, HALF), START, 2, r"edge 0 of state 0 has symbol 2, must lie in 0 .. 1"),
        (Edges(ZERO, ZERO - np.eye(2, dtype=np.int32), HALF), START, 2, "edge 0 of state 0 has successor -1"),
        (Edges(ZERO, ZERO, HALF), START, 0, "vocab_size: must be 1 .. 65536, got 0"),
        (Edges(ZERO, ZERO, HALF), START, 65537, "vocab_size: must be 1 .. 65536, got 65537"),
    ],
)
def test_machines_are_checked(edges, initial, vocab_size, message):
    with pytest.raises(ConfigError, match=message):
        MachineSampler(edges, initial, vocab_size)


@pytest.mark.parametrize(
    "arguments", [{"n_sequences": -1}, {"length": 2.5}, {"seed": 2**64}, {"first_sequence": 2**64 - 2}]
)
def test_arguments_are_checked(arguments):
    with pytest.raises(ConfigError, match=f"{next(iter(arguments))}: "):
        MachineSampler(Edges(ZERO, ZERO, HALF), START, 2).sample(**{"n_sequences": 2, "length": 3, **arguments})


def test_numba_is_imported_at_the_first_sample():
    code = (
        "import sys, numpy as np\n"
        "from testbed.sources.edges import Edges\n"
        "from testbed.sources.machine_sampling import MachineSampler\n"
        "zero = np.zeros((1, 1), np.int32)\n"
        "sampler = MachineSampler(Edges(zero, zero, np.array([[2**32]])), np.array([1], np.uint64), 2)\n"
        "assert 'numba' not in sys.modules, 'numba was imported too early'\n"
        "assert sampler.sample(3, 5).shape == (3, 5)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
