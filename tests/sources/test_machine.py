"""`MachineSource`: prediction, windows, sampling and symmetries, against brute force."""

import itertools
import math
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError, ResourceError, UndefinedError
from testbed.sources.edges import Edges
from testbed.sources.equivalent_states import EdgeList
from testbed.sources.hidden import EvenProcess, HiddenMarkovSource, Mess3, Nemo, SimpleNonunifilar
from testbed.sources.machine import MachineSource
from testbed.sources.machine_truths import MachineTruths


def reverse(source: MachineSource) -> HiddenMarkovSource:
    """The machine that writes the same sequences backwards: T~[x, s', s] = pi(s) T[x, s, s'] / pi(s')."""
    law = source.stationary_law
    return HiddenMarkovSource(np.einsum("s,xst,t->xts", law, source.transitions, 1 / law))


def quick(source: MachineSource) -> MachineTruths:
    """Its truths with a hundredth of the beliefs: wider brackets."""
    return MachineTruths(EdgeList.of(source.edges), source.vocab_size, source.stationary_law, max_cost=100_000)


SOURCES = st.builds(
    HiddenMarkovSource.random,
    vocab_size=st.integers(2, 3),
    n_states=st.integers(1, 4),
    concentration=st.sampled_from([0.1, 1.0]),
    seed=st.integers(0, 10_000),
)


@settings(deadline=None, max_examples=20)
@given(SOURCES)
def test_predictions_are_ratios_of_word_probabilities(source):
    length = 4
    words = np.array(list(itertools.product(range(source.vocab_size), repeat=length)))
    probability = {(): 1.0}
    for word in map(tuple, words):
        for n in range(1, length + 1):
            vector = source.stationary_law
            for symbol in word[:n]:
                vector = vector @ source.transitions[symbol]
            probability[word[:n]] = float(vector.sum())
    laws, logs = source.predict(words), source.log_probs(words)
    windowed, window_logs = source.predict(words, context=2), source.log_probs(words, context=2)
    for i, word in enumerate(map(tuple, words)):
        for t in range(length):
            for reach, law, log in ((t, laws, logs), (min(t, 2), windowed, window_logs)):
                past = word[t - reach : t]
                expected = [probability[(*past, x)] / probability[past] for x in range(source.vocab_size)]
                assert law[i, t] == pytest.approx(expected, rel=1e-9)
                assert log[i, t] == pytest.approx(math.log(expected[word[t]]), rel=1e-9)


@settings(deadline=None, max_examples=15)
@given(SOURCES)
def test_time_reversal_changes_no_entropy(source):
    """P2: h_l, h and E of the reversed machine are those of the machine, up to its rounding to 2^-32."""
    backwards = reverse(source)
    assert backwards.conditional_entropies(5).value == pytest.approx(source.conditional_entropies(5).value, abs=1e-7)
    left, right = quick(source), quick(backwards)
    for one, other in ((left.entropy_rate, right.entropy_rate), (left.excess_entropy, right.excess_entropy)):
        assert one.lower <= other.upper + 1e-6
        assert other.lower <= one.upper + 1e-6


def test_a_reversed_machine_may_have_other_causal_states():
    """Nemo backwards is no longer unifilar as given, but its beliefs are finitely many; E stays, C_mu need not."""
    backwards = reverse(Nemo())
    assert not backwards.unifilar
    assert backwards.entropy_rate().kind == "exact"
    assert backwards.entropy_rate().value == pytest.approx(Nemo().entropy_rate().value, abs=1e-9)
    assert backwards.excess_entropy().value == pytest.approx(Nemo().excess_entropy().value, abs=1e-9)
    assert backwards.statistical_complexity().value >= backwards.excess_entropy().value


@settings(deadline=None, max_examples=15)
@given(SOURCES, st.randoms(use_true_random=False))
def test_names_of_symbols_and_states_change_no_entropy(source, random):
    """P3."""
    symbols, states = list(range(source.vocab_size)), list(range(source.n_states))
    random.shuffle(symbols), random.shuffle(states)
    renamed = HiddenMarkovSource(source.transitions[symbols][:, states][:, :, states])
    assert renamed.conditional_entropies(5).value == pytest.approx(source.conditional_entropies(5).value, abs=1e-8)


@settings(deadline=None, max_examples=10)
@given(SOURCES)
def test_conditional_entropies_are_those_of_the_contexts(source):
    h = source.conditional_entropies(4).value
    for l in range(5):
        law = source.context_law(l)
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = np.where(law.laws > 0, -law.laws * np.log(law.laws), 0.0).sum(axis=1)
        assert h[l] == pytest.approx(float(law.probabilities @ terms), abs=1e-11)


@pytest.mark.parametrize("source", [Mess3(), SimpleNonunifilar(), EvenProcess()])
def test_ten_thousand_tokens_do_not_underflow(source):
    tokens = source.sample(2, 10_000, seed=1)
    logs = source.log_probs(tokens)
    assert np.isfinite(logs).all()
    rate = -logs.mean()
    assert rate == pytest.approx(float(source.entropy_rate().value), abs=0.03)  # 20,000 tokens: s.e. below 0.006
    assert source.predict(tokens, positions=[9_999]).sum(axis=-1) == pytest.approx(np.ones((2, 1)))


def test_beliefs_follow_the_tokens():
    source = EvenProcess()
    beliefs = source.beliefs(np.array([[1, 1, 0, 1]]))
    assert beliefs[0] == pytest.approx(np.array([[2, 1], [1, 1], [2, 1], [3, 0], [0, 3]]) / [[3], [2], [3], [3], [3]])
    impossible = source.log_probs(np.array([[0, 1, 0, 1]]))
    assert impossible[0, 2] == -np.inf
    assert np.isnan(impossible[0, 3])


def test_state_uncertainty_falls_with_context():
    h = EvenProcess().state_uncertainties(20).value
    assert h[0] == pytest.approx(EvenProcess().statistical_complexity().value)
    assert np.all(np.diff(h) <= 1e-12)
    assert h[20] < 1e-2
    with pytest.raises(UndefinedError, match="smaller"):
        Mess3().state_uncertainties(40)


def test_long_contexts_are_exact_or_bracketed():
    even = EvenProcess().conditional_entropies(3_000)
    assert even.kind == "exact"
    assert even.value[-1] == EvenProcess().entropy_rate().value
    mess = Mess3().conditional_entropies(1_000)
    assert mess.kind == "bracket"
    assert np.all(mess.upper - mess.lower < 1e-6)
    assert Mess3().conditional_entropies(5).kind == "exact"


@pytest.mark.slow
def test_large_sparse_machines():
    """A ring of 3,000 states that reads its place modulo 256, with noise: unifilar, so h is closed."""
    n, v = 3_000, 256
    rows = [[(s % v, (s + 1) % n, 0.5), ((s + 1) % v, (s + 2) % n, 0.25), ((s + 7) % v, s, 0.25)] for s in range(n)]

    class Ring(MachineSource):
        vocab_size: int = v

        def _make_edges(self) -> Edges:
            return Edges.from_lists(rows)

    ring = Ring()
    assert ring.entropy_rate().value == pytest.approx(1.5 * math.log(2))
    assert ring.stationary_law == pytest.approx(np.full(n, 1 / n), rel=1e-9)
    h = ring.conditional_entropies(3)
    assert h.value[0] == pytest.approx(math.log(v), abs=0.05)
    assert np.all(np.diff(h.value) <= 0)
    assert ring.log_probs(ring.sample(3, 50)).shape == (3, 50)
    with pytest.raises(ResourceError, match="3000 states"):
        _ = ring.transitions


def test_fingerprints_tell_laws_apart():
    assert EvenProcess().fingerprint == EvenProcess(p=0.5).fingerprint
    assert EvenProcess().fingerprint != EvenProcess(p=0.5000001).fingerprint
    assert len(EvenProcess().fingerprint) == 64
    two: ClassVar = [[[0.5, 0.0], [0.0, 0.25]], [[0.5, 0.0], [0.0, 0.75]]]
    one, other = (HiddenMarkovSource(two, initial=law) for law in ([0.5, 0.5], [0.25, 0.75]))
    assert one.fingerprint != other.fingerprint


class TestMixtures:
    two: ClassVar = [[[0.5, 0.0], [0.0, 0.25]], [[0.5, 0.0], [0.0, 0.75]]]

    def test_a_reducible_machine_names_its_classes(self):
        with pytest.raises(ConfigError, match=r"2 closed classes of states.*\{0\}; \{1\}"):
            HiddenMarkovSource(self.two)

    def test_an_invariant_law_makes_it_a_mixture(self):
        mixed = HiddenMarkovSource(self.two, initial=[0.5, 0.5])
        assert not mixed.ergodic
        biased = 0.25 * math.log(4) + 0.75 * math.log(4 / 3)
        assert mixed.entropy_rate().value == pytest.approx(0.5 * math.log(2) + 0.5 * biased)
        excess = mixed.excess_entropy()
        assert excess.lower - 1e-9 <= math.log(2) <= excess.upper + 1e-9  # which coin it is, and nothing else
        assert mixed.statistical_complexity().value == pytest.approx(math.log(2))

    def test_equal_components_are_one(self):
        same = HiddenMarkovSource([[[0.5, 0.0], [0.0, 0.5]]] * 2, initial=[0.5, 0.5])
        assert same.ergodic
        assert same.excess_entropy().value == 0.0

    @pytest.mark.parametrize(
        "initial, message",
        [([1.0, 1.0], "sums to 2"), ([1.0], r"given shape \(1,\)"), ([-0.5, 1.5], "negative")],
    )
    def test_wrong_laws_are_refused(self, initial, message):
        with pytest.raises(ConfigError, match=message):
            HiddenMarkovSource(self.two, initial=initial)

    def test_a_law_that_moves_is_refused(self):
        with pytest.raises(ConfigError, match="initial: a step changes"):
            HiddenMarkovSource([[[0.5, 0.0], [0.0, 0.0]], [[0.0, 0.5], [1.0, 0.0]]], initial=[0.5, 0.5])


def test_arguments_are_checked():
    for call in (EvenProcess().conditional_entropies, EvenProcess().state_uncertainties):
        with pytest.raises(ConfigError, match="max_context"):
            call(-1)
    with pytest.raises(UndefinedError, match="C_mu"):
        Mess3().statistical_complexity()
