"""Beliefs and what is computed from them, against enumeration of all strings."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import UndefinedError
from testbed.sources import coarse_beliefs
from testbed.sources.beliefs import BeliefGraph
from testbed.sources.coarse_beliefs import CoarseLevels, long_bounds
from testbed.sources.dyadic import quantise
from testbed.sources.edges import Edges
from testbed.sources.equivalent_states import EdgeList, merge, state_classes
from testbed.sources.hidden import RRXOR, EvenProcess, HiddenMarkovSource, Mess3, SimpleNonunifilar
from testbed.sources.machine_laws import machine_stationary_law
from testbed.sources.machine_truths import MachineTruths, start_entropies
from testbed.sources.sampled_truth import law_entropies


def random_tensor(vocab_size: int, n_states: int, concentration: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rows = rng.dirichlet(np.full(vocab_size * n_states, concentration), size=n_states) + 1e-6
    rows /= rows.sum(axis=1, keepdims=True)
    return np.moveaxis(rows.reshape(n_states, vocab_size, n_states), 0, 1)


def word_vectors(tensor: np.ndarray, start: np.ndarray, length: int) -> np.ndarray:
    """Slow, obvious twin: (V^l, ..., S) start T[x_1] ... T[x_l] for every word; start may be (S,) or (S, S)."""
    vectors = []
    for word in itertools.product(range(len(tensor)), repeat=length):
        vector = start
        for symbol in word:
            vector = vector @ tensor[symbol]
        vectors.append(vector)
    return np.array(vectors)


def entropy(law: np.ndarray) -> float:
    law = law[law > 0]
    return -float(law @ np.log(law))


def by_enumeration(tensor: np.ndarray, law: np.ndarray, n: int) -> dict[str, np.ndarray]:
    """h_l, f_l = H(X_l | X^l, S_0) and I(S_0; S_l | X^l) from the joint laws of words and states."""
    free = [entropy(word_vectors(tensor, law, l).sum(axis=-1).ravel()) for l in range(n + 2)]
    told = [entropy(word_vectors(tensor, np.diag(law), l).sum(axis=-1).ravel()) for l in range(n + 2)]
    states = [entropy(word_vectors(tensor, law, l).ravel()) for l in range(n + 1)]
    both = [entropy(word_vectors(tensor, np.diag(law), l).ravel()) for l in range(n + 1)]
    mutual = [told[l] + states[l] - both[l] - free[l] for l in range(n + 1)]
    return {"h": np.diff(free), "f": np.diff(told), "mutual": np.array(mutual)}


MACHINES = st.builds(
    random_tensor,
    vocab_size=st.integers(2, 3),
    n_states=st.integers(1, 4),
    concentration=st.sampled_from([0.1, 0.5, 2.0]),
    seed=st.integers(0, 10_000),
)


@settings(deadline=None, max_examples=25)
@given(MACHINES)
def test_levels_equal_enumeration(tensor):
    edges = Edges.from_tensor(tensor)
    law = machine_stationary_law(edges)
    found = by_enumeration(edges.tensor(len(tensor)), law, 4)
    truths = MachineTruths.of(edges, len(tensor), law)
    truths = MachineTruths(truths.edges, len(tensor), truths.law, max_cost=20_000)
    assert truths.conditional_entropies(4).value == pytest.approx(found["h"], abs=1e-11)
    for _ in range(5):
        truths._free.grow(), truths._told.grow()
    assert truths._told.entropies[:4] == pytest.approx(found["f"][:4], abs=1e-11)
    mutual = np.array(truths._free.uncertainties[:5]) - truths._told.uncertainties[:5]
    assert mutual == pytest.approx(found["mutual"], abs=1e-11)


@settings(deadline=None, max_examples=12)
@given(MACHINES)
def test_birch_bounds_are_nested_and_monotone(tensor):
    """P8: f_1 <= f_2 <= ... <= h <= ... <= h_2 <= h_1, and the brackets of any two limits overlap."""
    edges = EdgeList.of(Edges.from_tensor(tensor))
    law = machine_stationary_law(Edges.from_tensor(tensor))
    truths = [MachineTruths(edges, len(tensor), law, max_cost=cost) for cost in (300, 3_000, 100_000)]
    rates = [one.entropy_rate for one in truths]
    excess = [one.excess_entropy for one in truths]
    for one, other in itertools.permutations(rates, 2):
        assert one.lower <= other.upper
    for one, other in itertools.permutations(excess, 2):
        assert one.lower <= other.upper
    for one in truths:  # without bounds from coarse beliefs these are the brackets, so those are nested
        assert max(one._told.entropies, default=0.0) <= rates[-1].upper
        assert min(one._free.entropies, default=math.inf) >= rates[-1].lower
    for kind in ("_free", "_told"):  # the last level of the smaller limits is computed ahead, without its successors
        listed = [getattr(one, kind).entropies for one in truths]
        for short in listed[:-1]:
            n = min(len(short), len(listed[-1]))
            assert short[:n] == pytest.approx(listed[-1][:n], abs=1e-13)
    assert np.all(np.diff(truths[-1]._free.entropies) <= 1e-12)
    assert np.all(np.diff(truths[-1]._told.entropies) >= -1e-12)
    beyond = truths[0].conditional_entropies(8)
    exact = truths[-1].conditional_entropies(6)
    assert np.all(beyond.lower[:7] <= exact.upper + 1e-12)
    assert np.all(beyond.upper[:7] >= exact.lower - 1e-12)


@settings(deadline=None, max_examples=20)
@given(MACHINES)
def test_the_tail_of_the_excess_entropy_is_bounded_by_what_two_states_share(tensor):
    """sum over l >= n of (h_l - f_l) <= I(S_0; S_n | X^n), on enumerated laws."""
    law = machine_stationary_law(Edges.from_tensor(tensor))
    found = by_enumeration(Edges.from_tensor(tensor).tensor(len(tensor)), law, 5)
    gaps = found["h"] - found["f"]
    for n in range(6):
        assert gaps[n:].sum() <= found["mutual"][n] + 1e-12


@pytest.mark.parametrize("source, n_beliefs", [(EvenProcess(), 4), (RRXOR(), 36)])
def test_finite_mixed_states(source, n_beliefs):
    graph = BeliefGraph(EdgeList.of(source.edges), 2, source.stationary_law[None])
    while not graph.closed:
        assert graph.expand()
    assert graph.finite
    assert graph.n_nodes == n_beliefs  # RRXOR: 36, Shai et al. 2024 (2405.15943)
    parents, symbols, _, probabilities = graph.transitions
    assert np.bincount(parents, probabilities) == pytest.approx(np.ones(n_beliefs))
    assert len(np.unique(np.stack([parents, symbols]), axis=1).T) == len(parents), "unifilar"


def test_beliefs_average_to_the_stationary_law():
    source = Mess3()
    for state in range(3):
        values = np.eye(3)[state]
        graph = BeliefGraph(EdgeList.of(source.edges), 3, source.stationary_law[None], values)
        law = graph.start_law(np.ones(1))
        for _ in range(5):
            assert graph.expand()
            law = graph.advance(law)
            assert law.sum() == pytest.approx(1.0, abs=1e-14)
            assert law @ graph.mean_values == pytest.approx(source.stationary_law[state], abs=1e-14)


def test_a_graph_stops_at_its_limit():
    graph = BeliefGraph(EdgeList.of(Mess3().edges), 3, np.full((1, 3), 1 / 3), max_cost=1_000)
    while graph.expand():
        pass
    assert not graph.closed
    assert graph.n_nodes == (3 ** (graph.depth + 1) - 1) // 2
    assert not graph.expand()


def test_contraction_is_not_taken_for_finitely_many_beliefs():
    """Beliefs that come within 2^-40 of each other close the graph, but are known to have differed."""
    source = Mess3(x=0.3333, a=0.6)
    graph = BeliefGraph(EdgeList.of(source.edges), 3, source.stationary_law[None])
    while not graph.closed:
        assert graph.expand()
    assert not graph.finite
    assert source.truths.epsilon_machine is None


@given(st.integers(0, 1000))
@settings(deadline=None, max_examples=10)
def test_states_with_equal_futures_are_merged(seed):
    """Every state twice, and which copy is entered depends on the copy that is left: nothing of it shows."""
    rows = quantise(np.random.default_rng(seed).dirichlet(np.full(6, 0.7), size=3), total_bits=20) / 2**20
    tensor = np.moveaxis(rows.reshape(3, 2, 3), 0, 1)
    doubled = np.zeros((2, 6, 6))
    for copy, share in ((0, 0.25), (1, 0.875)):
        doubled[:, copy::2, 0::2] = tensor * share
        doubled[:, copy::2, 1::2] = tensor * (1 - share)
    classes = state_classes(EdgeList.of(Edges.from_tensor(doubled)))
    assert classes.tolist() == [0, 0, 1, 1, 2, 2]
    one, two = HiddenMarkovSource(tensor), HiddenMarkovSource(doubled)
    assert two.truths.edges.n_states == 3
    assert two.conditional_entropies(4).value == pytest.approx(one.conditional_entropies(4).value, abs=1e-12)


def test_states_that_look_alike_are_one():
    copies = HiddenMarkovSource(matrix=np.full((3, 3), 1 / 4) + np.eye(3) / 4, emissions=[[1.0, 0], [1, 0], [1, 0]])
    assert copies.truths.edges.n_states == 1
    assert copies.entropy_rate().value == 0.0


def test_merging_keeps_the_order_of_first_appearance():
    edges = EdgeList.of(Edges.from_lists([[(0, 2, 1.0)], [(1, 2, 1.0)], [(0, 0, 0.5), (0, 1, 0.5)], [(0, 2, 1.0)]]))
    classes = state_classes(edges)
    assert classes.tolist() == [0, 1, 2, 0]
    merged = merge(edges, classes)
    assert merged.n_states == 3
    assert merged.successors.tolist() == [2, 2, 0, 1]


@settings(deadline=None, max_examples=15)
@given(st.integers(2, 4), st.integers(0, 1000), st.booleans())
def test_coarsening_keeps_the_mean_and_moves_entropies_one_way(n_states, seed, reveal):
    """Merged beliefs are surer of nothing more; revealed ones of nothing less. Cells are few here."""
    rng = np.random.default_rng(seed)
    beliefs, weights = rng.dirichlet(np.full(n_states, 0.5), size=400), rng.dirichlet(np.ones(400))
    edges = EdgeList.of(Edges.from_tensor(random_tensor(2, n_states, 1.0, seed)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(coarse_beliefs, "N_CELLS", 30)
        chain = CoarseLevels(edges, 2, beliefs, weights, reveal)
        found, shares = chain._coarsen(beliefs, weights)
    assert len(shares) <= 30 * n_states
    assert shares.sum() == pytest.approx(1.0, abs=1e-12)
    assert shares @ found == pytest.approx(weights @ beliefs, abs=1e-12)
    assert np.all(found >= 0)
    before, after = weights @ law_entropies(beliefs), shares @ law_entropies(found)
    assert after < before if reveal else after > before


@settings(deadline=None, max_examples=10)
@given(
    st.builds(
        random_tensor,
        vocab_size=st.just(2),
        n_states=st.integers(2, 4),
        concentration=st.sampled_from([0.2, 1.0]),
        seed=st.integers(0, 10_000),
    )
)
def test_bounds_from_coarse_beliefs_hold(tensor):
    """Against h_l, h and I(S_0; S_l | X^l) from the listed beliefs."""
    edges = Edges.from_tensor(tensor)
    listed = MachineTruths(EdgeList.of(edges), 2, machine_stationary_law(edges), max_cost=200_000)
    listed.excess_entropy, listed.conditional_entropies(10)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(coarse_beliefs, "N_CELLS", 60)
        patch.setattr(coarse_beliefs, "MAX_LEVELS", 24)
        bounds = long_bounds(listed.edges, 2, listed.law)
    n = min(len(listed._free.entropies), len(bounds.upper))
    h = np.array(listed._free.entropies[:n])
    assert np.all(bounds.upper[:n] >= h - 1e-12)
    assert np.all(bounds.lower[:n] <= h + 1e-12)
    assert bounds.rate_lower <= listed.entropy_rate.upper + 1e-12
    n = min(len(listed._told.uncertainties), len(bounds.mutual))
    mutual = np.array(listed._free.uncertainties[:n]) - listed._told.uncertainties[:n]
    assert np.all(bounds.mutual[:n] >= mutual - 1e-12)


def test_a_slow_machine_is_bracketed_for_long_contexts():
    """Two coins, nearly alike, changed about every hundred tokens: h_20 is still far from h."""
    source = HiddenMarkovSource(matrix=[[0.99, 0.01], [0.02, 0.98]], emissions=[[0.55, 0.45], [0.4, 0.6]])
    rate, h = source.entropy_rate(), source.conditional_entropies(400)
    assert rate.upper - rate.lower < 1e-7
    assert np.all(h.upper - h.lower < 1e-7)
    assert h.lower[20] > rate.upper + 1e-4
    assert np.all(np.diff(h.upper) <= 1e-15)
    # 400,000 tokens: the mean surprise over the last 50 of 150, within 5.5 standard errors of their mean h_l
    surprise = -source.log_probs(source.sample(8_000, 150, seed=5))[:, 100:].mean(axis=1)
    error = 5.5 * surprise.std(ddof=1) / math.sqrt(len(surprise))
    assert abs(surprise.mean() - h.value[100:150].mean()) < error


@settings(deadline=None, max_examples=10)
@given(MACHINES)
def test_any_first_state_may_be_given(tensor):
    start = np.eye(tensor.shape[1])[0]
    edges = Edges.from_tensor(tensor)
    blocks = [entropy(word_vectors(edges.tensor(len(tensor)), start, l).sum(axis=-1)) for l in range(5)]
    found = start_entropies(edges, len(tensor), start, 4)
    assert found.value == pytest.approx(np.diff(blocks), abs=1e-11)


def test_positions_beyond_the_limit_are_refused():
    with pytest.raises(UndefinedError, match="at most that many positions"):
        start_entropies(Mess3().edges, 3, start=np.eye(3)[0], length=30)


def test_many_steps_of_a_slow_machine_stay_consistent():
    """SNS for 600 tokens: one belief more a token, h_l falling to h."""
    h = SimpleNonunifilar(p=0.01, q=0.02).conditional_entropies(600)
    rate = SimpleNonunifilar(p=0.01, q=0.02).entropy_rate()
    assert h.kind == "exact"
    assert np.all(np.diff(h.value) <= 0)
    assert rate.lower <= h.value[-1] + 1e-12
    gap = np.arange(1, 200_000)
    p, q = 0.01, 0.02
    law = p * q / (q - p) * ((1 - p) ** (gap - 1) - (1 - q) ** (gap - 1))  # of a sum of two geometric gaps
    assert law.sum() == pytest.approx(1.0, abs=1e-9)
    closed_form = entropy(law) / (1 / p + 1 / q)
    assert rate.lower - 1e-9 <= closed_form <= rate.upper + 1e-9  # p, q are rounded to 2^-32
    assert math.isclose(closed_form, float(np.mean([rate.lower, rate.upper])), abs_tol=1e-3)
