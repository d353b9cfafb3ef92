"""C_mu of chains and of products: contexts told apart by the laws of all words that may follow them."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import UndefinedError
from testbed.sources import IIDSource, MarkovSource
from testbed.sources.as_machine import EdgeMachine, as_edges
from testbed.sources.combinators.noise import NoisySource
from testbed.sources.combinators.product import ProductSource
from testbed.sources.hidden.even import EvenProcess
from testbed.sources.hierarchical.broadcast_tree import BroadcastTree

CYCLE = MarkovSource([[0.0, 1.0], [1.0, 0.0]])


def entropy(law) -> float:
    law = np.asarray(law)
    return float(-(law[law > 0] * np.log(law[law > 0])).sum())


def by_futures(chain: MarkovSource, length: int) -> float:
    """The entropy of contexts of positive probability, those with one law of the next `length` tokens put together."""
    contexts = np.array(list(itertools.product(range(chain.vocab_size), repeat=chain.order)))
    words = np.array(list(itertools.product(range(chain.vocab_size), repeat=length)))
    kept: dict[tuple[float, ...], float] = {}
    for context, mass in zip(contexts, chain.stationary_law.reshape(-1), strict=True):
        if mass > 0:
            strings = np.column_stack([np.tile(context, (len(words), 1)), words])
            law = np.exp(chain.log_probs(strings)[:, chain.order :].sum(axis=1)).round(9)
            kept[tuple(law)] = kept.get(tuple(law), 0.0) + mass
    return entropy(list(kept.values()))


@st.composite
def chains(draw) -> MarkovSource:
    """Order 1 to 3 with rows from a list of three, so that some contexts have equal futures."""
    order, rows = draw(st.integers(1, 3)), [(0.875, 0.125), (0.5, 0.5), (0.25, 0.75)]
    chosen = draw(st.lists(st.integers(0, 2), min_size=2**order, max_size=2**order))
    return MarkovSource(np.array([rows[i] for i in chosen]).reshape((2,) * (order + 1)))


@settings(max_examples=30, deadline=None)
@given(chains())
def test_contexts_of_equal_futures_are_one_state(chain: MarkovSource) -> None:
    found = chain.statistical_complexity()
    assert found.kind == "exact"
    assert found.value == pytest.approx(by_futures(chain, 5), abs=1e-9)
    assert found.value >= chain.excess_entropy().value - 1e-9


def test_known_complexities() -> None:
    assert IIDSource([0.9, 0.1]).statistical_complexity().value == 0.0
    assert CYCLE.statistical_complexity().value == pytest.approx(math.log(2))
    blind = MarkovSource(np.array([[[0.75, 0.25], [0.5, 0.5]]] * 2))  # order 2: the older token says nothing
    assert blind.statistical_complexity().value == pytest.approx(entropy([2 / 3, 1 / 3]))
    transient = MarkovSource([[0.0, 1.0, 0.0], [0.0, 0.5, 0.5], [0.0, 1.0, 0.0]])
    assert transient.statistical_complexity().value == pytest.approx(entropy([2 / 3, 1 / 3]))


def test_chains_too_large_to_compare_are_refused() -> None:
    with pytest.raises(UndefinedError, match="C_mu: markov has 4194304 transitions"):
        MarkovSource.random(vocab_size=2048, order=1, seed=0).statistical_complexity()


def test_complexities_of_independent_parts_add() -> None:
    """Against the causal states of the composed machine, found anew."""
    chain, even = MarkovSource([[0.75, 0.25], [0.5, 0.5]]), EvenProcess()
    for parts in ([chain, even], [CYCLE, CYCLE], [chain, IIDSource([0.5, 0.5]), CYCLE]):
        product = ProductSource(parts)
        edges, law = as_edges(product)
        machine = EdgeMachine(given=edges, law=law, vocab_size=product.vocab_size)
        found = product.statistical_complexity()
        assert found.kind == "exact"
        assert found.value == pytest.approx(machine.statistical_complexity().value, abs=1e-9)
        assert found.value == pytest.approx(sum(part.statistical_complexity().value for part in parts), abs=1e-12)


def test_parts_that_know_no_complexity() -> None:
    tree = BroadcastTree(theta=0.5, depth=1, phase="random")
    with pytest.raises(UndefinedError, match="C_mu: the causal states of the component broadcast_tree"):
        ProductSource(CYCLE, tree).statistical_complexity()
    with pytest.raises(UndefinedError, match="C_mu: this machine is not unifilar"):
        ProductSource(CYCLE, NoisySource(MarkovSource([[0.9, 0.1], [0.2, 0.8]]), flip=0.1)).statistical_complexity()
    with pytest.raises(UndefinedError, match="not stationary"):
        ProductSource(CYCLE, BroadcastTree(depth=1)).statistical_complexity()
