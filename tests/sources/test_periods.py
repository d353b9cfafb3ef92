"""Periods: what products and blocks are ergodic, and what mixtures may then say of their excess entropy.

The slow twin of a period is the number of eigenvalues of modulus one of the merged machine's transition matrix; that of
`ergodic`, the number of closed classes of the composed machine's merged states.
"""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError, UndefinedError
from testbed.sources import IIDSource, MarkovSource, Source
from testbed.sources.as_machine import EdgeMachine, as_edges
from testbed.sources.combinators import BlockSource, MixtureSource, ProductSource, RecodedSource
from testbed.sources.deterministic import CellularAutomatonSource, CongruentialSource, ShiftRegisterSource
from testbed.sources.equivalent_states import EdgeList
from testbed.sources.hidden.hidden_markov import HiddenMarkovSource
from testbed.sources.hierarchical.broadcast_tree import BroadcastTree
from testbed.sources.hierarchical.random_hierarchy import RandomHierarchy
from testbed.sources.lags.noisy_copy import NoisyCopySource
from testbed.sources.lags.noisy_xor import NoisyXorSource
from testbed.sources.lags.staircase import StaircaseSource
from testbed.sources.lexicon import LexiconSource
from testbed.sources.machine_laws import transition_matrix
from testbed.sources.machine_truths import MachineTruths
from testbed.sources.periods import machine_cycle
from testbed.sources.power_law.multiperiodic import MultiperiodicSource
from testbed.sources.power_law.renewal import RenewalSource
from testbed.sources.power_law.santa_fe import SantaFeSource
from testbed.sources.source import sources

CYCLE = MarkovSource([[0.0, 1.0], [1.0, 0.0]])
CHAIN = MarkovSource([[0.75, 0.25], [0.25, 0.75]])
REGISTER = ShiftRegisterSource(taps=(1, 3), zero_state=False)
GENERATOR = CongruentialSource(modulus_bits=4, output_bits=1, multiplier=5, increment=3)
ALTERNATING = NoisyCopySource(lag=1, noise=1.0)
PAIRS = BroadcastTree(theta=1.0, depth=1, phase="random")
TWICE = MixtureSource([CYCLE, CYCLE])


def merged(source: Source) -> MachineTruths:
    edges, law = as_edges(source)
    return MachineTruths.of(edges, source.vocab_size, law)


def unit_eigenvalues(edges: EdgeList) -> int:
    values = np.linalg.eigvals(transition_matrix(edges).toarray())
    return int(np.count_nonzero(np.abs(values) > 1 - 1e-9))


def small_machines():
    for name in sources.names():
        for number, example in enumerate(sources.find(name).examples()):
            if example.judges_all and example.stationary and example.ergodic:
                try:
                    n_states = as_edges(example)[0].n_states
                except ConfigError:
                    continue
                if n_states <= 128:
                    yield pytest.param(example, id=f"{name}-{number}")


# ------------------------------------------------------------------------------------------------ periods
@pytest.mark.parametrize("source", list(small_machines()))
def test_the_period_counts_eigenvalues_of_modulus_one(source: Source) -> None:
    assert source.period == unit_eigenvalues(merged(source).edges)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(2, 9), min_size=1, max_size=4))
def test_cycles_through_one_state_have_their_common_divisor(lengths: list[int]) -> None:
    first = 1 + np.cumsum([0, *(n - 1 for n in lengths)])
    edges = []
    for symbol, (begin, end) in enumerate(itertools.pairwise(first)):
        edges += [(0, symbol, begin)] + [(s, 0, s + 1 if s + 1 < end else 0) for s in range(begin, end)]
    origins, symbols, successors = np.array(sorted(edges)).T
    chances = 1.0 / np.bincount(origins)[origins]
    assert machine_cycle(EdgeList(origins, symbols, successors, chances, int(first[-1]))) == math.gcd(*lengths)


@pytest.mark.parametrize(
    ("source", "period"),
    [
        (NoisyCopySource(lag=2, noise=1.0), 4),
        (NoisyCopySource(lag=3, noise=1.0), None),  # two cycles
        (NoisyCopySource(lag=1, noise=0.0), None),
        (NoisyCopySource(lag=3, noise=0.1), 1),
        (NoisyXorSource(taps=(1, 3), noise=0.1), 1),
        (StaircaseSource(lags=(1, 3), noises=(1.0, 0.1)), 2),
        (REGISTER, 7),
        (ShiftRegisterSource(taps=(1, 3)), None),
        (GENERATOR, 16),
        (CellularAutomatonSource(rule=0, width=4, start="cycle"), 1),
        (CellularAutomatonSource(rule=0, width=4), None),  # not stationary
        (MultiperiodicSource(periods=(2,)), 2),
        (MultiperiodicSource(periods=(100, 2)), 200),
        (PAIRS, 2),
        (BroadcastTree(theta=0.0, depth=2, phase="random"), 1),
        (BroadcastTree(theta=0.5, depth=2), None),
        (RandomHierarchy(vocab_size=2, n_rules=2, branching=2, depth=2, phase="random"), 1),
        (RandomHierarchy(vocab_size=4, n_rules=2, branching=2, depth=2, phase="random"), 4),
        (SantaFeSource(n_keys=3, bits="frozen"), 1),
        (SantaFeSource(n_keys=3), None),
        (RenewalSource(gap_law=np.array([0.0, 0.5, 0.0, 0.5])), 2),
        (LexiconSource(words=("a", "bab")), 2),
        (LexiconSource(words=("a", "ba")), 1),
        (HiddenMarkovSource(matrix=[[0.0, 1.0], [1.0, 0.0]], emissions=[[0.5, 0.5], [0.5, 0.5]]), 1),
        (TWICE, 2),
        (RecodedSource(CYCLE, map=(1, 0)), 2),
        (ProductSource(CYCLE, REGISTER), 14),
        (BlockSource(REGISTER, 2), 7),
    ],
    ids=lambda one: getattr(one, "type_name", one),
)
def test_periods_by_hand(source: Source, period: int | None) -> None:
    assert source.period == period


def test_long_cycles_are_followed_quickly() -> None:
    """An order-12 chain through all 4096 contexts, of which it makes one cycle but for the one of zeros."""
    register = ShiftRegisterSource(taps=(1, 4, 6, 12), zero_state=False)
    context = np.arange(2**12)
    following = sum(context >> (tap - 1) for tap in register.taps) & 1
    kernel = np.eye(2)[following]
    kernel[0] = (0.0, 1.0)  # from zeros into the cycle
    chain = MarkovSource(kernel.reshape((2,) * 13))
    assert chain.period == register.period == 4095


# ------------------------------------------------------------------------------------------------ ergodic
@pytest.mark.parametrize(
    "source",
    [
        ProductSource(REGISTER, REGISTER),
        BlockSource(ALTERNATING, 2),
        BlockSource(MultiperiodicSource(periods=(2,)), 2),
        BlockSource(PAIRS, 2),
        ProductSource(PAIRS, PAIRS),
        ProductSource(GENERATOR, GENERATOR),
        ProductSource(TWICE, CYCLE),
        BlockSource(TWICE, 2),
    ],
    ids=lambda source: source.type_name,
)
def test_phases_that_stay_are_not_ergodic(source: Source) -> None:
    assert not source.ergodic
    assert source.period is None


def test_what_shares_no_period_is_ergodic() -> None:
    coin = HiddenMarkovSource(matrix=[[0.0, 1.0], [1.0, 0.0]], emissions=[[0.5, 0.5], [0.5, 0.5]])
    for source in (
        ProductSource(coin, CYCLE),
        ProductSource(REGISTER, CYCLE, CHAIN),
        ProductSource(SantaFeSource(n_keys=3, bits="mixing", flip=0.1), PAIRS),
        BlockSource(REGISTER, 3),
        BlockSource(BlockSource(CYCLE, 3), 5),
    ):
        assert source.ergodic


cyclic = st.builds(
    lambda period, lazy: MarkovSource(np.roll(np.eye(period), 1, axis=1) * (1 - lazy) + lazy * np.eye(period)),
    st.integers(1, 6),
    st.sampled_from([0.0, 0.0, 0.25]),
)


@settings(max_examples=30, deadline=None)
@given(st.lists(cyclic, min_size=1, max_size=3))
def test_a_product_is_as_ergodic_as_its_machine(parts: list[MarkovSource]) -> None:
    product = ProductSource(parts)
    edges, law = as_edges(product)
    assert product.ergodic == (MachineTruths.of(edges, product.vocab_size, law).n_components == 1)
    if product.ergodic:
        assert product.period == unit_eigenvalues(merged(product).edges)


@settings(max_examples=30, deadline=None)
@given(cyclic, st.integers(1, 5))
def test_blocks_are_as_ergodic_as_their_machine(part: MarkovSource, length: int) -> None:
    blocks = BlockSource(part, length)
    assert blocks.ergodic == (merged(blocks).n_components == 1)
    if blocks.ergodic:
        assert blocks.period == unit_eigenvalues(merged(blocks).edges)


# ------------------------------------------------------------------------------------------------ excess entropy


def test_mixtures_say_exact_only_of_ergodic_components() -> None:
    """Blocks of 0 1 0 1 ... are 01 01 ... or 10 10 ...; beside the source of 01 alone E = H(3/4, 1/4) = .5623351."""
    excess = MixtureSource([BlockSource(ALTERNATING, 2), IIDSource([0.0, 1.0, 0.0, 0.0])]).excess_entropy()
    assert excess.kind == "bracket"
    assert excess.lower <= -(0.75 * math.log(0.75) + 0.25 * math.log(0.25)) <= excess.upper


def test_mixtures_with_blocks_of_pairs() -> None:
    """Pairs 00 or 11 in phase are i.i.d. blocks, the law of the other component; out of phase, weight 1/4, they are an
    order-1 chain over blocks that shares one fair bit: E = H(3/4, 1/4) + ln 2 / 4 = .73562."""
    excess = MixtureSource([BlockSource(PAIRS, 2), IIDSource([0.5, 0.0, 0.0, 0.5])]).excess_entropy()
    right = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25)) + math.log(2) / 4
    assert right == pytest.approx(0.73562, abs=5e-6)
    assert excess.kind == "bracket"
    assert excess.lower <= right <= excess.upper


def test_lag_sources_are_compared_as_machines() -> None:
    mixture = MixtureSource([NoisyCopySource(lag=1, noise=0.25), CHAIN])
    assert mixture.ergodic
    assert mixture.excess_entropy().value == pytest.approx(0.130812, abs=5e-7)
    other = MixtureSource([NoisyXorSource(taps=(1, 3), noise=0.25), CHAIN]).excess_entropy()
    assert other.value == pytest.approx((3 + 1) / 2 * 0.130812 + math.log(2), abs=2e-6)


@pytest.mark.parametrize(
    "source",
    [
        NoisyXorSource(taps=(1, 3), noise=0.1),
        NoisyXorSource(taps=(2, 3), noise=0.3, vocab_size=3),
        NoisyCopySource(lag=2, noise=1.0),
    ],
)
def test_the_machine_of_a_lag_source_writes_its_law(source: Source) -> None:
    edges, law = as_edges(source)
    machine = EdgeMachine(given=edges, law=law, vocab_size=source.vocab_size)
    tokens = source.sample(20, 9, seed=1)
    assert machine.log_probs(tokens) == pytest.approx(source.log_probs(tokens), abs=1e-12)
    assert machine.conditional_entropies(4).value == pytest.approx(source.conditional_entropies(4).value, abs=1e-9)


def test_large_lag_sources_are_no_machines() -> None:
    for source in (NoisyCopySource(lag=13, noise=0.1), NoisyCopySource(lag=1, noise=0.1, vocab_size=4096)):
        with pytest.raises(ConfigError, match=r"component\.taps: the last"):
            as_edges(source)


def test_rounding_of_a_form_tells_no_laws_apart() -> None:
    """Blocks of blocks: the machines of one law differ by how often products of weights were rounded."""
    chain = MarkovSource.random(vocab_size=2, order=2, seed=0)
    excess = MixtureSource([BlockSource(BlockSource(chain, 2), 2), BlockSource(chain, 4)]).excess_entropy()
    assert excess.lower <= chain.excess_entropy().value <= excess.upper


# ------------------------------------------------------------------------------------------------ not stationary
@pytest.mark.parametrize(
    "source",
    [
        BlockSource(BroadcastTree(theta=1.0, depth=1), 2),
        ProductSource(BroadcastTree(theta=1.0, depth=1), CHAIN),
        BlockSource(sources.find("dirichlet_markov")(vocab_size=2, order=1), 2),
    ],
    ids=lambda source: source.type_name,
)
def test_what_is_made_of_a_moving_law_has_position_losses(source: Source) -> None:
    tokens = source.sample(2, 3)
    for ask in (
        lambda: source.conditional_entropies(2),
        lambda: source.block_entropies(2),
        source.excess_entropy,
        lambda: source.predict(tokens, context=1),
        lambda: source.log_probs(tokens, context=1),
    ):
        with pytest.raises(UndefinedError, match="a component that is not stationary"):
            ask()
    assert source.position_losses(4).shape == (4,)
    assert source.entropy_rate().lower > 0


def test_blocks_of_whole_trees_are_independent() -> None:
    """Trees 00 and 11 read as blocks: one fair bit each, at every position."""
    blocks = BlockSource(BroadcastTree(theta=1.0, depth=1), 2)
    assert blocks.position_losses(5).value == pytest.approx(np.full(5, math.log(2)))
    assert blocks.entropy_rate().value == pytest.approx(math.log(2))
