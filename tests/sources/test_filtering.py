"""The compiled forward filters against a slow twin with exact sums, far beyond where products underflow, and after
impossible tokens.
"""

import math
import subprocess
import sys
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError, ResourceError
from testbed.sources.dyadic import quantise, quantise64
from testbed.sources.edges import Edges
from testbed.sources.filtering import MachineFilter
from testbed.sources.machine_sampling import MachineSampler

# (S, edges a state, V): a register of 2, 4, 8; one panel and several; lists of edges
FEW = [(1, 1, 1), (2, 3, 2), (1, 2, 3), (3, 4, 2), (4, 7, 300), (5, 4, 3), (8, 9, 2)]
DENSE = [(9, 30, 3), (16, 40, 2), (33, 60, 2), (17, 300, 70)]
SPARSE = [(90, 1, 2), (90, 2, 3), (30, 5, 20), (40, 3, 300)]


def filter_slowly(edges, initial, tokens):
    """Log probabilities and beliefs of one sequence, every sum rounded once."""
    probabilities = edges.probabilities
    belief = [float(p) for p in initial]
    log_probs, beliefs = [], [belief]
    for token in tokens:
        shares = [[] for _ in belief]
        for state, edge in np.argwhere((edges.symbols == token) & (edges.weights > 0)):
            shares[edges.successors[state, edge]].append(belief[state] * probabilities[state, edge])
        advanced = [math.fsum(share) for share in shares]
        total = math.fsum(advanced)
        if total > 0:
            log_probs.append(math.log(total))
            belief = [a / total for a in advanced]
        else:
            log_probs.append(math.nan if math.isnan(belief[0]) else -math.inf)
            belief = [math.nan] * edges.n_states
        beliefs.append(belief)
    return np.array(log_probs), np.array(beliefs)


def random_edges(n_states, n_edges, vocab_size, seed, concentration=0.5):
    generator = np.random.default_rng(seed)
    return Edges(
        generator.integers(0, vocab_size, (n_states, n_edges)).astype(np.int32),
        generator.integers(0, n_states, (n_states, n_edges)).astype(np.int32),
        quantise(generator.dirichlet(np.full(n_edges, concentration), n_states)),
    )


def kind(shape):
    n_states, _, vocab_size = shape
    machine_filter = MachineFilter(random_edges(*shape, seed=0), vocab_size)
    return "sparse" if machine_filter._is_sparse else "few" if n_states <= 8 else "dense"


def test_every_kernel_is_tested():
    assert {kind(shape) for shape in FEW} == {"few"}
    assert {kind(shape) for shape in DENSE} == {"dense"}
    assert {kind(shape) for shape in SPARSE} == {"sparse"}


def agree(result, expected):
    """Equal where infinite or nan, to rounding elsewhere."""
    np.testing.assert_allclose(result, expected, rtol=1e-11, atol=1e-14)


@settings(max_examples=60)
@given(
    st.sampled_from(FEW + DENSE + SPARSE),
    st.integers(0, 2**32),
    st.integers(0, 11),
    st.integers(0, 40),
    st.booleans(),
    st.booleans(),
)
def test_every_kernel_equals_the_slow_twin(shape, seed, n_sequences, length, one_each, possible):
    n_states, _, vocab_size = shape
    edges = random_edges(*shape, seed)
    generator = np.random.default_rng(seed)
    initial = generator.dirichlet(np.full(n_states, 0.3), n_sequences if one_each else None)
    if possible:
        start = initial[0] if one_each and n_sequences else np.full(n_states, 1 / n_states)
        initial = start
        tokens = MachineSampler(edges, quantise64(start), vocab_size).sample(n_sequences, length, seed)
    else:
        tokens = generator.integers(0, vocab_size, (n_sequences, length))
    machine_filter = MachineFilter(edges, vocab_size)
    log_probs, beliefs = machine_filter.log_probs(initial, tokens), machine_filter.beliefs(initial, tokens)
    assert log_probs.shape == (n_sequences, length)
    assert beliefs.shape == (n_sequences, length + 1, n_states)
    for i in range(n_sequences):
        expected, expected_beliefs = filter_slowly(edges, initial if initial.ndim == 1 else initial[i], tokens[i])
        agree(log_probs[i], expected)
        agree(beliefs[i], expected_beliefs)
        assert not possible or np.isfinite(log_probs[i]).all()


def test_against_fractions():
    """Twelve tokens of a two-state machine, without any rounding."""
    edges = random_edges(2, 4, 2, seed=5)
    transitions = edges.tensor(2)
    tokens = np.array([[0, 1, 1, 0, 1, 0, 0, 0, 1, 1, 1, 0]])
    forward = [Fraction(1, 4), Fraction(3, 4)]
    likelihood = [Fraction(1)]
    for token in tokens[0]:
        forward = [sum(forward[s] * Fraction(transitions[token, s, r]) for s in range(2)) for r in range(2)]
        likelihood.append(sum(forward))
    expected = [math.log(after / before) for before, after in pairwise(likelihood)]
    agree(MachineFilter(edges, 2).log_probs(np.array([0.25, 0.75]), tokens)[0], expected)


@pytest.mark.parametrize("shape", [(2, 3, 2), (9, 30, 3), (90, 2, 3)], ids=kind)
def test_ten_thousand_tokens_do_not_underflow(shape):
    n_states, _, vocab_size = shape
    edges = random_edges(*shape, seed=1, concentration=5.0)
    start = np.full(n_states, 1 / n_states)
    tokens = MachineSampler(edges, quantise64(start), vocab_size).sample(2, 10_000, seed=1)
    log_probs = MachineFilter(edges, vocab_size).log_probs(start, tokens)
    assert np.isfinite(log_probs).all()
    assert log_probs.sum(axis=1).max() < -800  # the probability of the string is no float64
    last = MachineFilter(edges, vocab_size).beliefs(start, tokens[:, :9_900])[:, -1]
    for i in range(2):
        agree(log_probs[i, 9_900:], filter_slowly(edges, last[i], tokens[i, 9_900:])[0])


@pytest.mark.parametrize("n_states", [2, 3, 7, 12, 400])
def test_an_impossible_token_is_minus_infinity_and_nan_follows(n_states):
    """A cycle that emits 1 on leaving state 0 and 0 elsewhere; 2 never."""
    states = np.arange(n_states)
    edges = Edges(
        (states == 0).astype(np.int32)[:, None],
        ((states + 1) % n_states).astype(np.int32)[:, None],
        np.full((n_states, 1), 2**32),
    )
    good = (np.arange(30) % n_states == 0).astype(int)
    wrong = good.copy()
    wrong[11] = 2
    tokens = np.stack([good, wrong, good])
    known = np.eye(n_states)[0]
    log_probs = MachineFilter(edges, 3).log_probs(known, tokens)
    beliefs = MachineFilter(edges, 3).beliefs(known, tokens)
    assert (log_probs[[0, 2]] == 0).all()  # certain, and exactly so
    assert (log_probs[1, :11] == 0).all()
    assert log_probs[1, 11] == -math.inf
    assert np.isnan(log_probs[1, 12:]).all()
    assert (beliefs[0] == np.eye(n_states)[np.arange(31) % n_states]).all()
    assert np.isfinite(beliefs[1, :12]).all()
    assert np.isnan(beliefs[1, 12:]).all()
    # What was left off there can go on from there.
    assert np.isnan(MachineFilter(edges, 3).log_probs(beliefs[:, 20], tokens[:, 20:])[1]).all()


@pytest.mark.parametrize("shape", [(2, 3, 2), (7, 9, 5), (16, 40, 2), (17, 300, 70), (90, 2, 3)])
def test_a_sequence_does_not_depend_on_its_company_nor_on_threads(shape):
    import numba

    n_states, _, vocab_size = shape
    edges = random_edges(*shape, seed=3)
    start = np.full(n_states, 1 / n_states)
    tokens = MachineSampler(edges, quantise64(start), vocab_size).sample(300, 35, seed=1)
    machine_filter = MachineFilter(edges, vocab_size)
    together = machine_filter.log_probs(start, tokens)
    for first, last in [(0, 1), (1, 3), (3, 200), (200, 300)]:
        assert (machine_filter.log_probs(start, tokens[first:last]) == together[first:last]).all()
    cut = machine_filter.beliefs(start, tokens[:, :13])[:, -1]
    np.testing.assert_allclose(machine_filter.log_probs(cut, tokens[:, 13:]), together[:, 13:], atol=1e-13)
    before = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        assert (machine_filter.log_probs(start, tokens) == together).all()
    finally:
        numba.set_num_threads(before)


def test_a_hundred_thousand_ages():
    """A renewal process: at age a an event (1) comes with hazard 2 / (a + 3), else (0) the age grows, up to a last one.

    P(no event up to age a) = 2 / ((a + 1)(a + 2)), so that h(a) is known at every age.
    """
    n_states = 100_000
    age = np.arange(n_states)
    hazard = 2 / (age + 3)
    hazard[-1] = 1.0
    edges = Edges(
        np.broadcast_to([1, 0], (n_states, 2)).astype(np.int32),
        np.stack([np.zeros(n_states), np.minimum(age + 1, n_states - 1)], axis=1).astype(np.int32),
        quantise(np.stack([hazard, 1 - hazard], axis=1)),
    )
    machine_filter = MachineFilter(edges, 2)
    tokens = np.zeros((3, 50), dtype=np.uint8)
    tokens[1, [5, 6]] = 1
    known = machine_filter.log_probs(np.eye(1, n_states)[0], tokens)
    ages = np.arange(50)
    np.testing.assert_allclose(known[0], np.log(1 - 2 / (ages + 3)), rtol=1e-7)
    np.testing.assert_allclose(known[1, 5:9], np.log([2 / 8, 2 / 3, 1 / 3, 1 / 2]), rtol=1e-7)

    # Every age is possible at first; from the first event on the age is known.
    spread = np.full(n_states, 1 / n_states)
    unknown = machine_filter.log_probs(spread, tokens)
    np.testing.assert_allclose(unknown[1, 6:], known[1, 6:], rtol=1e-9)
    expected = np.log((1 - edges.probabilities[:, 0]).mean())
    assert np.isclose(unknown[0, 0], expected, rtol=1e-10)


def test_the_logarithm_is_that_of_numpy_to_a_unit_in_the_last_place():
    from testbed.sources._kernels.logarithm import LEAST, log_probability

    generator = np.random.default_rng(0)
    near_one, tiny = 1 - np.exp(-30 * generator.random(2000)), np.exp(-700 * generator.random(2000))
    values = np.concatenate([generator.random(2000), near_one[near_one > 0], tiny, [LEAST, 0.5, math.sqrt(0.5)]])
    result, expected = np.array([log_probability(x) for x in values]), np.log(values)
    assert (np.abs(result - expected) <= np.spacing(np.abs(expected))).all()
    assert log_probability(1.0) == log_probability(1.0 + 2**-52) == 0.0
    assert log_probability(0.0) == log_probability(LEAST / 2) == -math.inf
    assert math.isnan(log_probability(math.nan))


# --- the edge --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "initial, tokens, message",
    [
        ([0.5, 0.5], [[0, 2]], "tokens: given values 0 .. 2, must lie in 0 .. 1"),
        ([0.5, 0.5], [0, 1], "tokens: need integers of shape"),
        ([0.5, 0.5], [[0.0, 1.0]], "tokens: need integers of shape"),
        ([0.5, 0.6], [[0, 1]], "initial: row 0 sums to 1.1"),
        ([[0.5, 0.5], [1.5, -0.5]], [[0, 1], [1, 1]], "initial: row 1 sums to 1, least entry -0.5; must be a law"),
        ([1.0], [[0, 1]], r"initial: need a belief over 2 states, \(2,\), or one a sequence, \(1, 2\)"),
    ],
)
def test_arguments_are_checked(initial, tokens, message):
    machine_filter = MachineFilter(random_edges(2, 2, 2, seed=0), 2)
    for method in (machine_filter.log_probs, machine_filter.beliefs):
        with pytest.raises(ConfigError, match=message):
            method(np.array(initial), np.array(tokens))


def test_beliefs_that_would_not_fit_are_refused():
    machine_filter = MachineFilter(random_edges(1000, 2, 2, seed=0), 2)
    with pytest.raises(ResourceError, match="beliefs over 1000 states at 10000 x 1001 positions would take 7637"):
        machine_filter.beliefs(np.full(1000, 1e-3), np.zeros((10_000, 1000), dtype=np.uint8))


def test_numba_is_imported_at_the_first_use():
    code = (
        "import sys, numpy as np\n"
        "from testbed.sources.edges import Edges\n"
        "from testbed.sources.filtering import MachineFilter\n"
        "zero = np.zeros((1, 1), np.int32)\n"
        "machine_filter = MachineFilter(Edges(zero, zero, np.array([[2**32]])), 2)\n"
        "assert 'numba' not in sys.modules, 'numba was imported too early'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
