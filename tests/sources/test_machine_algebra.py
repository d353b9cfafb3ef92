"""Machines from edges, sums, products and powers; periods; equality of laws; any finite source as a machine."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError, Truth, UndefinedError
from testbed.sources import IIDSource, MarkovSource
from testbed.sources.as_machine import EdgeMachine, as_edges, is_machine, period
from testbed.sources.combinators.blocks import BlockSource
from testbed.sources.combinators.delegate import DelegatingSource
from testbed.sources.combinators.mixture import MixtureSource
from testbed.sources.combinators.noise import NoisySource
from testbed.sources.combinators.product import ProductSource
from testbed.sources.combinators.recoded import RecodedSource
from testbed.sources.machine_algebra import (
    edge_list,
    edges_from_list,
    invariant_law,
    machine_period,
    machine_power,
    same_process,
    tensor_product,
)
from testbed.sources.source import sources
from testbed.sources.truth_sums import group_truth, scale_truth, sum_truths

QUANTISED = 1e-8
CHAIN = MarkovSource([[0.8, 0.2], [0.3, 0.7]])


def machine_of(source):
    edges, law = as_edges(source)
    return EdgeMachine(given=edges, law=law, vocab_size=source.vocab_size)


def word_probabilities(source, length):
    words = np.array(list(itertools.product(range(source.vocab_size), repeat=length)))
    with np.errstate(invalid="ignore"):
        return np.nan_to_num(np.exp(source.log_probs(words).sum(axis=1)))


# ------------------------------------------------------------------------------------------------ truths
def test_kinds_of_sums():
    exact, bracket, sampled = (
        Truth.exact([1.0, 2.0]),
        Truth.bracket([0.0, 1.0], [0.5, 1.5]),
        Truth.sampled([3.0] * 2, 0.1),
    )
    assert sum_truths([exact, exact]).kind == "exact"
    assert sum_truths([exact, exact]).value.tolist() == [2.0, 4.0]
    both = sum_truths([exact, bracket])
    assert both.kind == "bracket"
    assert np.all(both.lower < [1.0, 3.0])
    assert np.all(both.upper > [1.5, 3.5])
    assert sum_truths([sampled, sampled]).standard_error == pytest.approx([0.2, 0.2])  # not sqrt(2) 0.1: one seed
    mixed = sum_truths([sampled, bracket])
    assert mixed.kind == "sampled"
    assert mixed.standard_error == pytest.approx([0.35, 0.35])
    assert mixed.value == pytest.approx([3.25, 4.25])


def test_infinite_sums():
    assert sum_truths([Truth.exact(np.inf), Truth.exact(1.0)]).value == np.inf
    assert scale_truth(Truth.exact(np.inf), 0.0).value == 0.0
    assert sum_truths([Truth.exact(np.inf), Truth.sampled(1.0, 0.1)]).value == np.inf
    with pytest.raises(UndefinedError, match="without bound"):
        sum_truths([Truth.bracket(0.0, np.inf), Truth.sampled(1.0, 0.1)])


def test_groups():
    assert group_truth(Truth.exact(np.arange(6.0)), 3).value.tolist() == [3.0, 12.0]
    assert group_truth(Truth.sampled(np.ones(4), 0.1), 2).standard_error == pytest.approx([0.2, 0.2])
    assert scale_truth(Truth.sampled(2.0, 0.1), 3.0).standard_error == pytest.approx(0.3)


# ------------------------------------------------------------------------------------------------ building
def test_edges_are_added_up_and_sorted():
    edges = edges_from_list(2, [1, 0, 0, 0, 1], [0, 1, 1, 0, 1], [0, 1, 1, 0, 1], [1.0, 0.25, 0.25, 0.5, 0.0])
    assert [column.tolist() for column in edge_list(edges)] == [[0, 0, 1], [0, 1, 0], [0, 1, 0], [0.5, 0.5, 1.0]]


def test_rows_that_are_no_laws_are_refused():
    with pytest.raises(ConfigError, match="sums to 0.5"):
        edges_from_list(1, [0], [0], [0], [0.5])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(2, 3), st.integers(0, 2))
def test_a_chain_as_a_machine_has_its_entropies(seed, vocab_size, order):
    chain = MarkovSource.random(vocab_size=vocab_size, order=order, seed=seed)
    machine = machine_of(chain)
    edges, law = as_edges(chain)
    assert np.array_equal(edges.weights.ravel(), chain.weights.ravel())
    assert np.array_equal(law, chain.stationary_law.ravel())
    assert edges.unifilar
    assert machine.conditional_entropies(4).value == pytest.approx(chain.conditional_entropies(4).value, abs=1e-10)
    assert machine.excess_entropy().value == pytest.approx(chain.excess_entropy().value, abs=1e-9)
    tokens = chain.sample(5, 9, seed=seed)
    assert machine.predict(tokens) == pytest.approx(chain.predict(tokens), abs=1e-10)


def test_product_of_machines_is_the_product_of_laws():
    left, right = as_edges(CHAIN), as_edges(NoisySource(CHAIN, flip=0.1))
    edges, law = tensor_product(left, right, 2)
    whole = EdgeMachine(given=edges, law=invariant_law(edges, law), vocab_size=4)
    product = ProductSource(CHAIN, NoisySource(CHAIN, flip=0.1))
    assert word_probabilities(whole, 4) == pytest.approx(word_probabilities(product, 4), abs=QUANTISED)
    assert as_edges(product)[0].fingerprint == edges.fingerprint


def test_power_of_a_machine_is_its_block_recoding():
    noisy = NoisySource(CHAIN, flip=0.1)
    blocks = BlockSource(noisy, length=3)
    edges, law = as_edges(blocks)
    assert edges.fingerprint == machine_power(noisy.edges, 3, 2).fingerprint
    machine = EdgeMachine(given=edges, law=law, vocab_size=8)
    assert word_probabilities(machine, 2) == pytest.approx(word_probabilities(noisy, 6), abs=QUANTISED)


def test_what_is_no_machine_is_named():
    class Opaque(DelegatingSource):
        @property
        def inner(self):
            return CHAIN

        def finite_form(self):
            raise ConfigError("inner: nobody knows")

    assert is_machine(RecodedSource(CHAIN, map=(1, 0)))
    assert not is_machine(Opaque())
    with pytest.raises(ConfigError, match=r"^there\.components\[1\]\.inner: nobody knows"):
        as_edges(ProductSource(CHAIN, Opaque()), "there")
    with pytest.raises(ConfigError, match=r"^there: santa_fe is no finite machine"):
        as_edges(sources.find("santa_fe").examples()[0], "there")
    assert period(Opaque()) == 1


# ------------------------------------------------------------------------------------------------ periods
def cycle(n):
    return MarkovSource(np.roll(np.eye(n), 1, axis=1))


def test_periods():
    assert [period(cycle(n)) for n in (1, 2, 3, 4)] == [1, 2, 3, 4]
    assert period(CHAIN) == 1
    assert period(IIDSource([0.5, 0.5])) == 1
    assert period(MarkovSource([[0, 0.5, 0, 0.5], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]])) == 2  # cycles of 2 and 4
    assert period(MarkovSource([[0, 0.5, 0.5], [1, 0, 0], [0, 1, 0]])) == 1  # cycles of 2 and 3
    assert period(MarkovSource([[0.5, 0.5, 0], [0, 0, 1], [0, 1, 0]])) == 2  # a transient loop does not count


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 6))
def test_period_against_powers(seed, n_states):
    """The slow twin: the greatest common divisor of all n <= 40 with a positive diagonal of the n-th power."""
    rng = np.random.default_rng(seed)
    allowed = (rng.random((n_states, n_states)) < 0.4) | (np.roll(np.eye(n_states), 1, axis=1) > 0)
    start, end = np.nonzero(allowed)
    edges = edges_from_list(n_states, start, np.zeros_like(start), end, 1.0 / allowed.sum(axis=1)[start])
    power, returns = np.eye(n_states, dtype=bool), []
    for n in range(1, 41):
        power = (power.astype(int) @ allowed.astype(int)) > 0
        if power.diagonal().any():
            returns.append(n)
    assert machine_period((edges, np.full(n_states, 1 / n_states))) == np.gcd.reduce(returns)


# ------------------------------------------------------------------------------------------------ equality
def test_equal_laws_of_different_form():
    fair = [IIDSource([0.25, 0.75]), MarkovSource([[0.25, 0.75]] * 2), NoisySource(IIDSource([0.0, 1.0]), flip=0.25)]
    padded = MarkovSource(np.stack([CHAIN.kernel, CHAIN.kernel]))
    split = NoisySource(padded, flip=0.0)  # four states for two
    for left, right in itertools.product(fair, fair):
        assert same_process(as_edges(left), as_edges(right), 2)
    for left, right in itertools.product([CHAIN, padded, split], repeat=2):
        assert same_process(as_edges(left), as_edges(right), 2)
    assert same_process(as_edges(CHAIN), as_edges(fair[0]), 2) is False


def test_laws_that_differ_late_or_little():
    """Equal on all words of five tokens, different on six; and one weight of 2^32 moved by one."""
    kernel = np.full((2,) * 6, 0.5)
    kernel[0, 0, 0, 0, 0] = kernel[1, 0, 0, 0, 0] = 0.5, 0.5
    late = kernel.copy()
    for context in itertools.product((0, 1), repeat=5):
        late[context] = (0.9, 0.1) if (context[0] + context[4]) % 2 else (0.1, 0.9)
    fair = as_edges(MarkovSource(kernel))
    assert same_process(fair, as_edges(MarkovSource(late)), 2) is False
    weights = CHAIN.weights.astype(float)
    moved = weights + np.array([[1, -1], [0, 0]])
    assert same_process(as_edges(CHAIN), as_edges(MarkovSource(weights=moved)), 2) is False


def test_machines_of_many_states_are_not_compared():
    large = as_edges(MarkovSource.random(vocab_size=2, order=9, seed=1))
    assert same_process(large, large, 2) is None


def test_mixture_as_a_machine():
    mixture = MixtureSource([CHAIN, IIDSource([0.5, 0.5])], weights=[0.25, 0.75])
    machine = machine_of(mixture)
    assert word_probabilities(machine, 6) == pytest.approx(word_probabilities(mixture, 6), abs=1e-12)
    assert not machine.ergodic
