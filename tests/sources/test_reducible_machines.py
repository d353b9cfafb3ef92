"""Machines of several closed classes: what they are told, believe and refuse."""

import itertools
import math

import numpy as np
import pytest

from testbed.core import ConfigError
from testbed.sources import machine_algebra
from testbed.sources.combinators import MixtureSource, NoisySource, RegimeSwitchingSource, TemperedSource
from testbed.sources.edges import Edges
from testbed.sources.hidden import EvenProcess, HiddenMarkovSource, SimpleNonunifilar
from testbed.sources.iid import IIDSource
from testbed.sources.machine_algebra import direct_sum, same_process
from testbed.sources.markov import MarkovSource

CYCLE = MarkovSource([[0.0, 1.0], [1.0, 0.0]])


def coins(*laws, weights) -> HiddenMarkovSource:
    """A coin is chosen, and thrown for ever."""
    return HiddenMarkovSource(np.stack([np.diag(column) for column in np.transpose(laws)]), initial=weights)


def side_by_side(*sources, weights) -> HiddenMarkovSource:
    """One of the machines, chosen at the start."""
    edges, law = direct_sum([(source.edges, source.stationary_law) for source in sources], weights)
    return HiddenMarkovSource(edges.tensor(sources[0].vocab_size), initial=law)


def reverse(source) -> HiddenMarkovSource:
    """The same sequences backwards."""
    law = source.stationary_law
    return HiddenMarkovSource(np.einsum("s,xst,t->xts", law, source.transitions, 1 / law))


# ------------------------------------------------------------------------------------------------ prediction
def test_a_class_may_come_back_after_any_evidence_against_it():
    """ln of half of 0.9^400 0.1^800 + 0.1^400 0.9^800: the first coin is 1e380 times likelier after 400 tokens."""
    source = coins([0.9, 0.1], [0.1, 0.9], weights=[0.5, 0.5])
    mixture = MixtureSource([IIDSource([0.9, 0.1]), IIDSource([0.1, 0.9])])
    tokens = np.array([[0] * 400 + [1] * 800])
    right = math.log(0.5) + 400 * math.log(0.1) + 800 * math.log(0.9)
    assert source.log_probs(tokens).sum() == pytest.approx(right, abs=1e-6)
    assert source.log_probs(tokens) == pytest.approx(mixture.log_probs(tokens), abs=1e-9)
    assert source.predict(tokens) == pytest.approx(mixture.predict(tokens), abs=1e-9)
    assert source.beliefs(tokens)[0, -1] == pytest.approx([0.0, 1.0])
    assert source.predict(tokens, context=3) == pytest.approx(mixture.predict(tokens, context=3), abs=1e-12)


def test_a_class_that_is_refuted_leaves_the_others():
    source = coins([1.0, 0.0, 0.0], [0.1, 0.0, 0.9], weights=[0.5, 0.5])
    tokens = np.array([[0] * 400 + [2, 2], [0] * 400 + [1, 0]])
    found = source.log_probs(tokens)
    right = 400 * math.log(0.1) + math.log(0.9)
    assert found[0, -2:] == pytest.approx([right, math.log(0.9)], abs=1e-6)
    assert found[1, 400] == -np.inf
    assert np.isnan(found[1, 401])
    beliefs = source.beliefs(tokens)
    assert np.array_equal(beliefs[0, -2:], [[0.0, 1.0]] * 2)
    assert np.array_equal(beliefs[1, 400], [1.0, 0.0])
    assert np.isnan(beliefs[1, 401:]).all()
    assert np.isnan(source.predict(tokens)[1, 401]).all()


def test_classes_together_are_the_filter_of_the_whole():
    """Against the plain forward recursion; the classes' states are interleaved, and one state is transient."""
    rng = np.random.default_rng(3)
    n_states, parts = 6, [[0, 3, 5], [1, 4]]
    tensor = np.zeros((2, n_states, n_states))
    for part in parts:
        rows = rng.dirichlet(np.ones(2 * len(part)), size=len(part)).reshape(len(part), 2, len(part))
        tensor[:, np.array(part)[:, None], part] = np.moveaxis(rows, 0, 1)
    tensor[:, 2] = 1 / 12
    edges = Edges.from_tensor(tensor)
    law = np.zeros(n_states)
    for part, share in zip(parts, (0.3, 0.7), strict=True):
        values, vectors = np.linalg.eig(edges.tensor(2).sum(axis=0)[np.ix_(part, part)].T)
        vector = np.abs(np.real(vectors[:, np.argmax(values.real)]))
        law[part] = share * vector / vector.sum()
    source = HiddenMarkovSource(edges.tensor(2), initial=law)
    words = np.array(list(itertools.product((0, 1), repeat=7)))
    belief = np.tile(law, (len(words), 1))
    for t in range(7):
        joint = np.einsum("ns,nst->nt", belief, edges.tensor(2)[words[:, t]])
        assert source.log_probs(words)[:, t] == pytest.approx(np.log(joint.sum(axis=1)), abs=1e-12)
        belief = joint / joint.sum(axis=1, keepdims=True)
        assert source.beliefs(words)[:, t + 1] == pytest.approx(belief, abs=1e-12)
    assert np.array_equal(source.log_probs(words[5:6]), source.log_probs(words)[5:6])


# ------------------------------------------------------------------------------------------------ one process twice
def test_one_process_in_two_forms_is_ergodic():
    one = SimpleNonunifilar(p=0.3, q=0.8)
    both = side_by_side(one, reverse(one), weights=[0.5, 0.5])
    assert both.ergodic
    excess = both.excess_entropy()
    assert excess.lower == pytest.approx(0.0642282, abs=1e-7)
    assert excess.upper - excess.lower < 1e-9
    assert both.entropy_rate().upper - both.entropy_rate().lower < 1e-9
    three = side_by_side(one, EvenProcess(), reverse(one), weights=[0.25, 0.5, 0.25])
    assert not three.ergodic
    assert three.truths.n_components == 2
    assert three.truths.law.sum() == pytest.approx(1.0)
    wanted = 0.5 * float(excess.lower) + 0.5 * EvenProcess().excess_entropy().value + math.log(2)
    assert three.excess_entropy().lower - 1e-8 <= wanted <= three.excess_entropy().upper + 1e-8


def test_processes_that_differ_beyond_rounding_stay_two(monkeypatch):
    """A state entered once in 2^31 tokens, where laws differ by 2^-20: no word's probability shows it to 1e-11."""

    def rare(shift):
        emissions = [[0.5, 0.5], [0.25, 0.75], [0.5 + shift, 0.5 - shift]]
        matrix = [[0.5, 0.5 - 2**-31, 2**-31], [0.5, 0.5, 0.0], [0.5, 0.0, 0.5]]
        source = HiddenMarkovSource(matrix=matrix, emissions=emissions)
        return source.edges, source.stationary_law

    assert same_process(rare(0.0), rare(0.0), 2)
    assert same_process(rare(0.0), rare(2**-20), 2) is False
    monkeypatch.setattr(machine_algebra, "MODULAR_WORK", 0)
    assert same_process(rare(0.0), rare(2**-20), 2)  # what comparing in float64 can say


# ------------------------------------------------------------------------------------------------ when built
def test_components_in_step_for_ever():
    """Regimes that alternate between two cycles: 0 0 1 1 0 0 1 1 from either phase, one process."""
    source = RegimeSwitchingSource([CYCLE, CYCLE], dwell=1.0, memory="keep")
    assert source.stationary_law == pytest.approx(np.full(8, 1 / 8))
    assert len(source.closed_classes) == 2
    assert source.ergodic
    assert source.excess_entropy().value == pytest.approx(math.log(4))


def test_three_phases_are_two_processes():
    """Cycles of three: steps 0 1 0 1 ... (of two phases) or 2 2 2 2 ..."""
    three = MarkovSource([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    source = RegimeSwitchingSource([three, three], dwell=1.0, memory="keep")
    wanted = math.log(3) - math.log(2) * 2 / 3 + math.log(6) * 2 / 3 + math.log(3) / 3
    assert source.excess_entropy().value == pytest.approx(wanted, abs=1e-9)
    assert not source.ergodic


def test_regimes_that_never_meet_are_refused_when_built():
    pairs = [[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]]
    for memory in ("restart", "keep"):
        with pytest.raises(ConfigError, match=r"switches: the regimes \[0, 1\], \[2, 3\] are never left"):
            RegimeSwitchingSource([CYCLE] * 4, dwell=3.0, switches=pairs, memory=memory)


def test_what_a_component_never_visits_does_not_count():
    """An ergodic machine that has a second closed class, of probability zero."""
    tensor = np.zeros((2, 3, 3))
    tensor[0, 0, 1] = tensor[1, 1, 0] = 1.0
    tensor[:, 2, 2] = 0.3, 0.7
    source = HiddenMarkovSource(tensor, initial=[0.5, 0.5, 0.0])
    for built in (
        TemperedSource(source, inverse_temperature=2.0),
        TemperedSource(source, entropy_rate=0.0),
        NoisySource(source, flip=0.0),
    ):
        assert built.ergodic
        assert built.entropy_rate().value == 0.0
    for memory in ("restart", "keep"):
        assert RegimeSwitchingSource([source, CYCLE], dwell=2.0, memory=memory).ergodic


@pytest.mark.parametrize("component", [MarkovSource([[0.9, 0.1], [0.3, 0.7]]), EvenProcess(p=0.3)])
@pytest.mark.parametrize("wanted", [0.0, 1e-9, 1e-7])
def test_tempering_to_hardly_any_entropy(component, wanted):
    """Weights of 2^-32 leave some, within the promised 1e-6."""
    assert TemperedSource(component, entropy_rate=wanted).entropy_rate().value == pytest.approx(wanted, abs=1e-6)
