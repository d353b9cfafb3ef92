"""E(l) and S(l) against enumeration of all strings, and against closed forms."""

import itertools
import math

import numpy as np
import pytest

from testbed.core import Truth, UndefinedError
from testbed.measures.predictive_information import predictive_information, state_entropies
from testbed.sources import MarkovSource, Source
from testbed.sources.hidden.mess3 import Mess3
from testbed.sources.in_context import (
    BiasedCoinSource,
    DirichletIIDSource,
    DirichletMarkovSource,
    DoublyStochasticMarkovSource,
)
from testbed.sources.lags import SelectorLagSource
from testbed.sources.lags.lag_chain import LagChainSource
from testbed.sources.parity.sparse_parity import SparseParitySource
from testbed.sources.power_law import RenewalSource, SantaFeSource

LN2 = math.log(2)


def entropy(law) -> float:
    law = np.asarray(list(law))
    law = law[law > 0]
    return -float(law @ np.log(law))


def belief_entropies(source: Source, max_context: int, horizon: int) -> list[float]:
    """H of the law of the next `horizon` tokens after l tokens, over all strings of l: equal laws are one state."""
    found = []
    futures = np.array(list(itertools.product(range(source.vocab_size), repeat=horizon)))
    for l in range(max_context + 1):
        states: dict[tuple[float, ...], float] = {}
        for past in itertools.product(range(source.vocab_size), repeat=l):
            strings = np.concatenate([np.tile(past, (len(futures), 1)), futures], axis=1).astype(np.uint8)
            with np.errstate(invalid="ignore"):
                law = np.exp(np.nan_to_num(source.log_probs(strings), nan=-np.inf).sum(axis=1))
            if law.sum() > 0:
                key = tuple(np.round(law / law.sum(), 9) + 0.0)
                states[key] = states.get(key, 0.0) + float(law.sum())
        found.append(entropy(states.values()))
    return found


@pytest.mark.parametrize(
    "source",
    [
        BiasedCoinSource(),
        DirichletIIDSource(vocab_size=3, concentration="1/2"),
        DoublyStochasticMarkovSource(vocab_size=3),
        MarkovSource([[[0.1, 0.9], [0.4, 0.6]], [[0.2, 0.8], [0.7, 0.3]]]),
        LagChainSource(lag=2, p=0.1, q=0.4),
        LagChainSource(lag=2, p=0.25, q=0.75),
        RenewalSource(gap_law=np.array([0.1, 0.4, 0.2, 0.3])),
    ],
    ids=lambda one: one.type_name,
)
def test_states_are_the_different_beliefs(source):
    assert state_entropies(source, 4).value == pytest.approx(belief_entropies(source, 4, 3), abs=1e-7)


def test_closed_forms():
    l = np.arange(1001)
    assert state_entropies(BiasedCoinSource(), 1000).value == pytest.approx(np.log(l + 1), abs=1e-10)
    source = SantaFeSource(n_keys=50)
    learnt = predictive_information(source, 30).value
    assert state_entropies(source, 30).value == pytest.approx(learnt, abs=1e-12)  # what is told is what is kept
    p = source.key_weights / 2**32
    assert learnt == pytest.approx([LN2 * float(np.sum(1 - (1 - p) ** n)) for n in range(31)], abs=1e-12)
    assert state_entropies(SantaFeSource(n_keys=1), 2).value == pytest.approx([0.0, LN2, LN2])
    for one in (SelectorLagSource(law="linear", max_lag=4), SparseParitySource(variant="A")):
        every = [one.state_entropy(n).value for n in range(12)]
        assert state_entropies(one, 11).value == pytest.approx(every)


def test_information_is_the_block_entropy_beyond_the_rate():
    for source in (BiasedCoinSource(), RenewalSource(max_gap=30), MarkovSource([[0.1, 0.9], [0.4, 0.6]])):
        blocks = source.block_entropies(40).lower - np.arange(1, 41) * source.entropy_rate().lower
        found = predictive_information(source, 40)
        assert found.kind == "exact"
        assert found.value[1:] == pytest.approx(blocks, abs=1e-10)
        assert found.value[0] == 0
        assert found.upper[-1] <= source.excess_entropy().upper + 1e-9
    assert predictive_information(RenewalSource(max_gap=30), 40).upper[-1] == pytest.approx(
        RenewalSource(max_gap=30).excess_entropy().value
    )


def test_golden_offset_of_a_window():
    """A cold start costs Mess3(x = .05, a = .85) E_T / T = .057 bit a token at T = 10; E is .571 bit."""
    found = predictive_information(Mess3(x=0.05, a=0.85), 10)
    assert float(found.upper[10] - found.lower[10]) < 1e-6
    assert found.value[10] / 10 / LN2 == pytest.approx(0.057, abs=5e-4)
    assert found.value[10] / LN2 == pytest.approx(0.571, abs=5e-4)


def test_bounds_and_errors_add_up():
    class Told:
        type_name = "told"

        def __init__(self, h: Truth, rate: Truth) -> None:
            self.conditional_entropies = lambda n: h[: n + 1]
            self.entropy_rate = lambda: rate

    h, rate = Truth.bracket([1.0, 0.5, 0.4], [1.0, 0.6, 0.4]), Truth.bracket(0.3, 0.4)
    found = predictive_information(Told(h, rate), 2)  # type: ignore[arg-type]
    assert (found.lower, found.upper) == (pytest.approx([0, 0.6, 0.7]), pytest.approx([0, 0.7, 1.0]))
    sampled = Truth.sampled([1.0, 0.5, 0.4], [0.0, 0.01, 0.02])
    found = predictive_information(Told(sampled, rate), 2)  # type: ignore[arg-type]
    assert found.value == pytest.approx([0, 0.65, 0.8])
    assert found.standard_error == pytest.approx([0, 0.05, 0.11])
    found = predictive_information(Told(sampled, Truth.sampled(0.3, 0.001)), 2)  # type: ignore[arg-type]
    assert found.standard_error == pytest.approx([0, 0.001, 0.012])
    with pytest.raises(UndefinedError, match="does not say"):
        state_entropies(Told(h, rate), 2)  # type: ignore[arg-type]
    for refused in (DirichletMarkovSource(vocab_size=2, order=1), SantaFeSource(bits="mixing", flip=0.1)):
        with pytest.raises(UndefinedError, match=r"S\(l\)"):
            state_entropies(refused, 2)
