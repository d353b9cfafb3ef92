"""The named hidden Markov sources: golden numbers, closed forms, layouts, errors."""

import math
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.sources.hidden import (
    RRXOR,
    EvenProcess,
    GoldenMean,
    HiddenMarkovSource,
    MatchingParentheses,
    Mess3,
    Nemo,
    SimpleNonunifilar,
    ZeroOneRandom,
)
from testbed.sources.source import sources

BIT = math.log(2)
PROBABILITIES = st.floats(0.05, 0.95)


def binary(p: float) -> float:
    return -p * math.log(p) - (1 - p) * math.log(1 - p) if 0 < p < 1 else 0.0


def entropy(law) -> float:
    law = np.asarray(law)[np.asarray(law) > 0]
    return -float(law @ np.log(law))


# h, E, C_mu in bits, h_l from l = 0
GOLDEN_BITS = [
    (GoldenMean(), 2 / 3, 0.2516, 0.9183, [0.9183, 0.6667]),
    (EvenProcess(), 2 / 3, 0.9183, 0.9183, [0.9183, 0.8742, 0.7925, 0.7704, 0.7296, 0.7185, 0.6981]),
    (
        RRXOR(),
        2 / 3,
        2.2516,
        2.2516,
        [1, 1, 0.9183, 0.9067, 0.8637, 0.8333, 0.8100, 0.7788, 0.7602, 0.7442, 0.7262, 0.7160],
    ),
    (ZeroOneRandom(), 1 / 3, 1.5850, 1.5850, [1, 0.9183, 0.6667, 1 / 3, 1 / 3, 1 / 3]),
    (Nemo(), 0.75, 0.5149, 1.5, []),
    (SimpleNonunifilar(), 0.677867, 0.14723, None, []),
    (Mess3(x=0.15, a=0.6), 1.570934, 0.0181, None, []),
    (Mess3(x=0.05, a=0.85), 1.144717, 0.571, None, [1.5850, 1.2374, 1.1734, 1.1514, 1.1466, 1.1452, 1.1448]),
]


@pytest.mark.parametrize("source, rate, excess, complexity, h", GOLDEN_BITS)
def test_golden_numbers_in_bits(source, rate, excess, complexity, h):
    assert source.entropy_rate().value / BIT == pytest.approx(rate, abs=6e-7 if rate != 0.75 else 1e-12)
    digits = 5e-6 if excess == 0.14723 else 5e-4 if excess == 0.571 else 5e-5
    assert source.excess_entropy().value / BIT == pytest.approx(excess, abs=1.01 * digits)
    if complexity is not None:
        assert source.statistical_complexity().value / BIT == pytest.approx(complexity, abs=5e-5)
    if h:
        assert source.conditional_entropies(len(h) - 1).value / BIT == pytest.approx(np.array(h), abs=5.1e-5)


# nats; intrinsic entropy 11.1
GOLDEN_NATS = [
    (Mess3(x=0.05, a=0.85), [1.098612, 0.857719, 0.813356, 0.798118, 0.794740, 0.793783, 0.793543, 0.793480]),
    (Mess3(x=0.15, a=0.6), [1.098612, 1.091068, 1.089391, 1.089004, 1.088915, 1.088894, 1.088890, 1.088889]),
    (SimpleNonunifilar(), [0.562335, 0.477386, 0.471365, 0.470246, 0.469974, 0.469898]),
    (EvenProcess(), [0.636514, 0.605939, 0.549306, 0.534019, 0.505702, 0.498058]),
]


@pytest.mark.parametrize("source, h", GOLDEN_NATS)
def test_golden_numbers_in_nats(source, h):
    assert source.conditional_entropies(len(h) - 1).value == pytest.approx(np.array(h), abs=5.1e-7)


def test_golden_limits():
    assert SimpleNonunifilar().entropy_rate().value == pytest.approx(0.469862, abs=5e-7)
    assert EvenProcess().entropy_rate().value == pytest.approx(2 / 3 * BIT, abs=1e-15)
    for source in (Mess3(), Mess3(x=0.15, a=0.6)):
        rate = source.entropy_rate()
        assert rate.kind == "bracket"
        assert 0 < rate.upper - rate.lower < 1e-6
    h = RRXOR().conditional_entropies(40).value - RRXOR().entropy_rate().value
    # The table says "tail .66 per 2 steps"; from h_30 on it is 1/4 for every 6, 4^(-1/3) = .630 for every 2 (exact sums
    # here; the ratios of the table itself, .64 to .69 at h_5 .. h_11, still fall).
    assert h[36] / h[30] == pytest.approx(0.25, rel=1e-3)
    h = EvenProcess().conditional_entropies(12).value - EvenProcess().entropy_rate().value
    assert h[2:] / h[:-2] == pytest.approx(np.full(11, 0.5), abs=1e-9)  # "gap halves every 2 steps"


@settings(deadline=None, max_examples=20)
@given(PROBABILITIES, PROBABILITIES)
def test_closed_forms(p, q):
    """Every formula of a docstring, on the given floats; the sources round them to 2^-32."""
    near = {"abs": 1e-7}
    golden, even = GoldenMean(p=p), EvenProcess(p=p)
    assert golden.entropy_rate().value == pytest.approx(binary(p) / (1 + p), **near)
    assert golden.excess_entropy().value == pytest.approx(binary(p / (1 + p)) - binary(p) / (1 + p), **near)
    assert golden.statistical_complexity().value == pytest.approx(binary(1 / (1 + p)), **near)
    assert even.entropy_rate().value == pytest.approx(binary(p) / (1 + p), **near)
    assert even.excess_entropy().value == pytest.approx(binary(1 / (1 + p)), **near)
    triple = ZeroOneRandom(p=p)
    assert triple.entropy_rate().value == pytest.approx(binary(p) / 3, **near)
    assert triple.excess_entropy().value == pytest.approx(math.log(3), **near)
    nemo, a = Nemo(p=p, q=q), 1 / (3 - 2 * p)
    assert nemo.entropy_rate().value == pytest.approx(a * binary(p) + a * (1 - p) * binary(q), **near)
    assert nemo.statistical_complexity().value == pytest.approx(entropy([a, a * (1 - p), a * (1 - p)]), **near)
    xor = RRXOR(p=p, q=q)
    assert xor.entropy_rate().value == pytest.approx((binary(p) + binary(q)) / 3, **near)
    complexity = math.log(3) + (binary(p) + binary(p * (1 - q) + q * (1 - p))) / 3
    assert xor.statistical_complexity().value == pytest.approx(complexity, **near)


@pytest.mark.parametrize("types, depth, opening", [(1, 1, 0.5), (1, 4, 0.3), (2, 3, 0.6), (3, 2, (0.25,))])
def test_parentheses_match(types, depth, opening):
    source = MatchingParentheses(max_depth=depth, n_types=types, open_probability=opening)
    opens = source.open_probabilities
    chain = np.zeros((depth + 1, depth + 1))
    for d in range(depth + 1):
        if d < depth:
            chain[d, d + 1] = opens[d]
        if d > 0:
            chain[d, d - 1] = 1 - opens[d]
    law = HiddenMarkovSource.from_stochastic_matrix(chain).stationary_law
    rate = sum(weight * (binary(o) + o * math.log(types)) for weight, o in zip(law, opens, strict=True))
    assert source.entropy_rate().value == pytest.approx(rate, abs=1e-8)
    for row in source.sample(200, 60, seed=2):
        stack: list[int] = []
        for token in row.tolist():
            if token < types:
                stack.append(token)
            elif stack:  # else it closes what was open before the sequence began
                assert stack.pop() == token - types
            assert len(stack) <= depth


class TestHiddenMarkov:
    even: ClassVar = [[[0.5, 0.0], [0.0, 0.0]], [[0.0, 0.5], [1.0, 0.0]]]

    def test_layouts_are_the_same_machine(self):
        tensor = np.array(self.even)
        for layout, axes in (("from, symbol, to", (1, 0, 2)), ("symbol, to, from", (0, 2, 1))):
            source = HiddenMarkovSource(tensor.transpose(axes), layout=layout)
            assert source.fingerprint == EvenProcess().fingerprint
        assert HiddenMarkovSource.from_simplexity(tensor).fingerprint == EvenProcess().fingerprint
        assert (
            sources.build({"type": "hidden_markov", "transitions": self.even}).fingerprint == EvenProcess().fingerprint
        )

    def test_a_file_will_do(self, tmp_path):
        np.save(tmp_path / "even.npy", np.array(self.even))
        assert HiddenMarkovSource(str(tmp_path / "even.npy")).fingerprint == EvenProcess().fingerprint

    def test_state_emitting_machines(self):
        """Mess3 shows the state arrived at; from its own state on it is a state-emitting machine, the same process."""
        move = np.full((3, 3), 0.05) + 0.85 * np.eye(3)
        channel = np.full((3, 3), 0.075) + 0.775 * np.eye(3)
        source = HiddenMarkovSource.from_stochastic_matrix(move, channel)
        assert source.conditional_entropies(6).value == pytest.approx(Mess3().conditional_entropies(6).value, abs=1e-7)

    def test_without_emissions_it_is_a_markov_chain(self):
        source = HiddenMarkovSource.from_stochastic_matrix([[0.8, 0.2], [0.3, 0.7]])
        h = source.conditional_entropies(2).value / BIT
        assert h[1:] == pytest.approx([0.7857, 0.7857], abs=5e-5)  # binary Markov (.2, .3)
        assert source.excess_entropy().value / BIT == pytest.approx(0.1853, abs=5e-5)

    @pytest.mark.parametrize(
        "values, message",
        [
            (
                {"transitions": [[[0.5, 0.0], [0.0, 0.0]], [[0.0, 0.4], [1.0, 0.0]]]},
                r"transitions: row \[0\] sums to 0.9",
            ),
            ({"transitions": [[[1.5, -0.5], [0.0, 1.0]]]}, "transitions: entry .* negative"),
            ({"transitions": [[0.5, 0.5]]}, "transitions: need three axes"),
            ({"transitions": [[[0.5, 0.5]]]}, "1 states to leave and 2 to reach"),
            ({"transitions": [[[1.0]]], "layout": "to, from"}, "layout: given 'to, from'"),
            ({"transitions": [[[1.0]]], "matrix": [[1.0]]}, "transitions: give them, or a matrix"),
            ({"emissions": [[1.0]]}, "emissions: these go with a matrix"),
            ({}, "transitions: give them"),
            ({"matrix": [[0.5, 0.5]]}, r"matrix: given shape \(1, 2\)"),
            ({"matrix": [[0.5, 0.5], [0.2, 0.7]]}, r"matrix: row \[1\] sums to 0.9"),
            ({"matrix": [[1.0]], "emissions": [[0.5, 0.5], [1.0, 0.0]]}, r"emissions: given shape \(2, 2\)"),
            ({"matrix": [[1.0, 0.0], [0.0, 1.0]]}, "2 closed classes"),
        ],
    )
    def test_errors_name_what_is_wrong(self, values, message):
        with pytest.raises(ConfigError, match=message):
            HiddenMarkovSource(**values)

    def test_nearly_decomposable_machines_are_bracketed_truly(self):
        """Two coins changed once in a million tokens: h lies between the mean coin entropy and that plus a little."""
        epsilon = 1e-6
        source = HiddenMarkovSource(
            matrix=[[1 - epsilon, epsilon], [epsilon, 1 - epsilon]], emissions=[[0.9, 0.1], [0.2, 0.8]]
        )
        coins = (binary(0.1) + binary(0.2)) / 2
        rate = source.entropy_rate()
        assert coins <= rate.upper
        assert rate.lower <= coins + binary(epsilon)
        assert rate.upper - rate.lower < 1e-7
        excess = source.excess_entropy()  # which coin it is: nearly one bit
        assert excess.upper < BIT
        assert BIT - excess.lower < 1e-3

    def test_periodic_machines_come_out_right(self):
        """Two coins in turn: h is their mean entropy, and past and future share the phase, one bit."""
        source = HiddenMarkovSource(matrix=[[0.0, 1.0], [1.0, 0.0]], emissions=[[0.9, 0.1], [0.2, 0.8]])
        assert source.entropy_rate().value == pytest.approx((binary(0.1) + binary(0.2)) / 2, abs=1e-9)
        excess = source.excess_entropy()
        assert excess.lower <= BIT <= excess.upper
        assert excess.upper - excess.lower < 1e-9


@pytest.mark.parametrize(
    "build, message",
    [
        (lambda: GoldenMean(p=1.5), "p: given 1.5"),
        (lambda: SimpleNonunifilar(p=0, q=0), "A and B would be apart"),
        (lambda: Mess3(x=0.6), "x: given 0.6"),
        (lambda: MatchingParentheses(max_depth=3, open_probability=(0.5,)), "open_probability: given 1 numbers"),
        (lambda: MatchingParentheses(open_probability=1.5), "open_probability: given 1.5 at depth 1"),
        (lambda: MatchingParentheses(max_depth=20, n_types=2), "more than 65536 stacks"),
    ],
)
def test_parameters_are_checked(build, message):
    with pytest.raises(ConfigError, match=message):
        build()


def test_degenerate_parameters():
    assert EvenProcess(p=1.0).excess_entropy().value == 0.0
    assert GoldenMean(p=1.0).excess_entropy().value == pytest.approx(BIT)
    assert Nemo(p=0.0).excess_entropy().value == pytest.approx(math.log(3))
    assert not Mess3(x=0.0, a=0.8).ergodic
    assert Mess3(x=0.1, a=1.0).entropy_rate().value == pytest.approx(entropy([0.1, 0.1, 0.8]), abs=1e-8)
    hidden = Mess3(x=0.25, a=1 / 3)
    assert hidden.conditional_entropies(4).value == pytest.approx(np.full(5, math.log(3)), abs=1e-9)
