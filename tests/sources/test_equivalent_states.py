"""Which states are merged: exactly those that no future tells apart, however small the weights that do."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.sources import equivalent_states
from testbed.sources.combinators import NoisySource, RegimeSwitchingSource
from testbed.sources.edges import TOTAL_WEIGHT, Edges
from testbed.sources.equivalent_states import EdgeList, merge, state_classes
from testbed.sources.hidden import RRXOR, EvenProcess, GoldenMean, HiddenMarkovSource, Nemo, SimpleNonunifilar
from testbed.sources.in_context import MarkovMixtureSource, RandomAutomatonSource
from testbed.sources.markov import MarkovSource
from testbed.sources.sampled_truth import law_entropies

CYCLE = MarkovSource([[0.0, 1.0], [1.0, 0.0]])
SMALL = 2.0**-31


def slow_classes(edges: Edges) -> np.ndarray:
    """Obvious twin: refinement by dictionaries of integer weights."""
    classes = [0] * edges.n_states
    while True:
        signatures = []
        for state in range(edges.n_states):
            sums: dict[tuple[int, int], int] = {}
            for symbol, successor, weight in zip(
                edges.symbols[state].tolist(),
                edges.successors[state].tolist(),
                edges.weights[state].tolist(),
                strict=True,
            ):
                if weight:
                    sums[symbol, classes[successor]] = sums.get((symbol, classes[successor]), 0) + weight
            signatures.append((classes[state], tuple(sorted(sums.items()))))
        numbers = {signature: n for n, signature in enumerate(dict.fromkeys(signatures))}
        finer = [numbers[signature] for signature in signatures]
        if len(numbers) == len(set(classes)):
            return np.array(finer)
        classes = finer


def weights_of_few_kinds(n_states: int, n_edges: int, vocab_size: int, seed: int) -> Edges:
    """Weights near 0, 2^31 - 1, 2^31, 2^32 - 2, which many a modulus confuses."""
    rng = np.random.default_rng(seed)
    kinds = np.array([1, 2, 3, 2**16, 2**31 - 1, 2**31, 2**31 + 1])
    weights = np.zeros((n_states, n_edges), dtype=np.int64)
    for row in weights:
        row[0] = TOTAL_WEIGHT
        for edge in range(1, n_edges):
            row[edge] = min(int(rng.choice(kinds)), row[0] - 1)
            row[0] -= row[edge]
        rng.shuffle(row)
    symbols, successors = np.zeros((2, n_states, n_edges), dtype=np.int32)
    for state in range(n_states):
        pairs = rng.permutation(vocab_size * n_states)[:n_edges]
        symbols[state], successors[state] = np.divmod(pairs, n_states)
    return Edges(symbols, successors, weights)


@settings(deadline=None, max_examples=60)
@given(st.integers(2, 7), st.integers(1, 3), st.integers(2, 3), st.integers(0, 10**6))
def test_classes_are_those_of_exact_refinement(n_states, n_edges, vocab_size, seed):
    edges = weights_of_few_kinds(n_states, n_edges, vocab_size, seed)
    assert np.array_equal(state_classes(EdgeList.of(edges)), slow_classes(edges))


@pytest.mark.parametrize("seed", range(8))
def test_classes_do_not_depend_on_hashes(monkeypatch, seed):
    """Every hash equal: states are compared one by one. Two copies of a machine, so that there is what to merge."""
    one = weights_of_few_kinds(5, 2, 2, seed)
    twice = Edges(
        np.tile(one.symbols, (2, 1)),
        np.concatenate([one.successors, one.successors + 5]).astype(np.int32),
        np.tile(one.weights, (2, 1)),
    )
    wanted = slow_classes(twice)
    assert np.array_equal(wanted[:5], wanted[5:])
    monkeypatch.setattr(equivalent_states, "scramble", lambda values: np.zeros(len(values), dtype=np.uint64))
    assert np.array_equal(state_classes(EdgeList.of(twice)), wanted)


def test_states_split_one_after_the_other():
    """A ladder whose states differ at its end alone needs as many rounds as it has states."""
    n = 40
    symbols, successors = np.zeros((2, n, 2), dtype=np.int32)
    symbols[:, 0], successors[:-1, 1] = 1, np.arange(1, n)
    weights = np.full((n, 2), 2**31)
    weights[-1] = 2**31 - 1, 2**31 + 1
    assert np.array_equal(state_classes(EdgeList.of(Edges(symbols, successors, weights))), np.arange(n))


def test_probabilities_with_rounding_are_compared_to_a_part_of_themselves():
    """1e-20 and 2e-20 differ; 0.1 + 0.2 and 0.3 do not."""
    origins, successors = np.array([0, 0, 1, 1, 2, 2]), np.array([1, 2, 2, 0, 0, 1])
    for values, n_classes in (((1e-20, 2e-20, 1e-20), 3), ((0.1 + 0.2, 0.3, 0.3), 1)):
        mass = np.array([[p, 1 - p] for p in values]).ravel()
        edges = EdgeList(origins, np.array([0, 1] * 3), successors, mass, 3)
        assert merge(edges, state_classes(edges)).n_states == n_classes


def test_rare_transitions_are_seen():
    """Closed forms and order-1 formulas, where a weight is 1, 2 or 2^32 - 2."""
    nearly = np.array([[0.5, 0.5], [1e-12, 1 - 1e-12]])
    noisy = NoisySource(CYCLE, flip=1e-10)
    for truth, right, tolerance in (
        (SimpleNonunifilar(p=0.5, q=1 - SMALL).entropy_rate(), 0.4620981, 1e-7),
        (GoldenMean(p=1 - SMALL).excess_entropy(), 0.6931472, 1e-7),
        (GoldenMean(p=1 - SMALL).statistical_complexity(), 0.6931472, 1e-7),
        (EvenProcess(p=SMALL).excess_entropy(), 1.047e-8, 1e-11),
        (Nemo(p=SMALL, q=SMALL).statistical_complexity(), 1.0986123, 1e-7),
        (RRXOR(p=1 - SMALL, q=1 - SMALL).statistical_complexity(), 1.0986123, 1e-7),
        (noisy.conditional_entropies(0)[0], 0.6931472, 1e-7),
        (noisy.excess_entropy(), 0.6931472, 1e-7),
        (RegimeSwitchingSource([CYCLE] * 2, dwell=1e12).excess_entropy(), 0.6931472, 1e-7),
        (
            HiddenMarkovSource.from_stochastic_matrix(nearly).entropy_rate(),
            MarkovSource(nearly).entropy_rate().value,
            0,
        ),
    ):
        assert truth.lower - tolerance <= right <= truth.upper + tolerance
        assert np.all(truth.upper - truth.lower < 1e-11)


def word_entropies(source, length: int) -> np.ndarray:
    """h_0 .. of a source from the probabilities of all words."""
    blocks = [0.0]
    for n in range(1, length + 1):
        words = np.array(list(itertools.product(range(source.vocab_size), repeat=n)))
        with np.errstate(invalid="ignore"):
            blocks.append(float(law_entropies(np.exp(np.nan_to_num(source.log_probs(words).sum(axis=1), nan=-np.inf)))))
    return np.diff(blocks)


@pytest.mark.parametrize("concentration", [0.01, 0.05, 0.2])
def test_spiky_laws_over_many_seeds(concentration):
    """Against the direct formulas: sum pi H for chains and automata, all words for mixtures."""
    for seed in range(25):
        chain = MarkovSource.random(vocab_size=2, order=1, concentration=concentration, seed=seed)
        hidden = HiddenMarkovSource(matrix=chain.kernel)
        assert hidden.entropy_rate().value == pytest.approx(chain.entropy_rate().value, abs=1e-12)
        assert hidden.excess_entropy().value == pytest.approx(chain.excess_entropy().value, abs=1e-9)
        automaton = RandomAutomatonSource(vocab_size=3, n_states=4, n_edges=2, concentration=concentration, seed=seed)
        direct = automaton.stationary_law @ law_entropies(automaton.edges.emissions(3))
        assert automaton.entropy_rate().value == pytest.approx(direct, abs=1e-12)
        assert np.array_equal(state_classes(EdgeList.of(automaton.edges)), slow_classes(automaton.edges))
        family = MarkovMixtureSource(vocab_size=2, order=1, n_chains=4, concentration=concentration, seed=seed)
        assert family.conditional_entropies(4).value == pytest.approx(word_entropies(family, 5), abs=1e-9)


def test_a_spiky_family():
    family = MarkovMixtureSource(vocab_size=2, order=1, n_chains=4, concentration=0.05, seed=99)
    assert family.conditional_entropies(0).value[0] == pytest.approx(0.5477, abs=5e-5)
