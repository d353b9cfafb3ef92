"""Streams without entropy: registers, automata and congruences against the list of all seeds."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError, UndefinedError
from testbed.sources.deterministic import (
    CellularAutomatonSource,
    CongruentialSource,
    FiniteDeterministicSource,
    ShiftRegisterSource,
)

LN2 = math.log(2)


def partition_entropies(rows: np.ndarray) -> list[float]:
    """H(0) .. H(n) of sequences with equal chances, by counting equal beginnings."""
    entropies = [0.0]
    for n in range(1, rows.shape[1] + 1):
        share = np.unique(rows[:, :n], axis=0, return_counts=True)[1] / len(rows)
        entropies.append(-float(share @ np.log(share)))
    return entropies


def run_from(source: FiniteDeterministicSource, state: int, length: int) -> list[int]:
    tokens = []
    for _ in range(length):
        tokens.append(int(source.outputs[state]))
        state = int(source.successors[state])
    return tokens


def cycle_states(source: FiniteDeterministicSource) -> list[int]:
    """States that come back, each followed until something repeats."""
    found = []
    for state in range(len(source.successors)):
        here = int(source.successors[state])
        for _ in range(len(source.successors)):
            if here == state:
                found.append(state)
                break
            here = int(source.successors[here])
    return found


# ------------------------------------------------------------------------------------------------ finite machines
FINITE = [
    CellularAutomatonSource(width=6),
    CellularAutomatonSource(width=7, start="cycle"),
    CellularAutomatonSource(width=5, rule=110),
    CellularAutomatonSource(width=5, rule=170),
    CellularAutomatonSource(width=4, rule=51),
    CongruentialSource(modulus_bits=6, output_bits=2),
    CongruentialSource(modulus_bits=5, multiplier=3, increment=2),
    CongruentialSource(modulus_bits=6, output_bits=3, multiplier=6, increment=1),
    CongruentialSource(modulus_bits=6, output_bits=3, multiplier=6, increment=1, start="cycle"),
]


@pytest.mark.parametrize("source", FINITE)
def test_truths_equal_the_list_of_seeds(source):
    starts = range(len(source.successors)) if source.start == "uniform" else cycle_states(source)
    assert source.starts.tolist() == list(starts)
    rows = np.array([run_from(source, state, 24) for state in starts])
    blocks = partition_entropies(rows)
    assert source.position_losses(24).lower == pytest.approx(np.diff(blocks), abs=1e-9)
    if source.stationary:
        assert source.conditional_entropies(23).lower == pytest.approx(np.diff(blocks), abs=1e-9)
        long = np.array([run_from(source, state, 150) for state in starts])
        assert source.excess_entropy().lower == pytest.approx(partition_entropies(long)[-1], abs=1e-9)
    assert source.entropy_rate().value == 0.0


@pytest.mark.parametrize("source", FINITE)
def test_predictions_count_the_seeds_that_are_left(source):
    rows = np.array([run_from(source, int(state), 14) for state in source.starts])
    tokens = source.sample(6, 14, seed=2).astype(int)
    laws = source.predict(tokens)
    for row, t in itertools.product(range(6), range(14)):
        left = rows[(rows[:, :t] == tokens[row, :t]).all(axis=1), t]
        assert laws[row, t] == pytest.approx(np.bincount(left, minlength=source.vocab_size) / len(left), abs=1e-12)


@pytest.mark.parametrize("source", FINITE)
def test_stationary_means_that_the_law_stays(source):
    """Strings of 5 from time 0 and from times 1 .. 8, over all seeds."""
    rows = np.array([run_from(source, int(state), 13) for state in source.starts])
    codes = source.vocab_size ** np.arange(5)
    same = all(np.array_equal(np.sort(rows[:, s : s + 5] @ codes), np.sort(rows[:, :5] @ codes)) for s in range(1, 9))
    assert same == source.stationary


def test_rule_30_cell_by_cell():
    """left xor (cell or right), on a ring of 9, written out."""
    source = CellularAutomatonSource(width=9)
    rng = np.random.default_rng(0)
    for state in rng.integers(0, 2**9, 20):
        row = [int(state) >> (8 - i) & 1 for i in range(9)]  # leftmost cell first
        following = [row[i - 1] ^ (row[i] | row[(i + 1) % 9]) for i in range(9)]
        assert int(source.successors[state]) == sum(bit << (8 - i) for i, bit in enumerate(following))
        assert int(source.outputs[state]) == row[4]
    assert not source.stationary
    with pytest.raises(UndefinedError, match="cycle"):
        source.conditional_entropies(3)
    with pytest.raises(UndefinedError, match="cycle"):
        source.predict(source.sample(1, 4), context=2)


def test_congruence_step_by_step():
    """The sequence of the docstring, and the full cycle of Hull and Dobell."""
    source = CongruentialSource(modulus_bits=4, output_bits=2, multiplier=5, increment=3)
    states, state = [], 1
    for _ in range(9):
        states.append(state)
        state = (5 * state + 3) % 16
    assert states == [1, 8, 11, 10, 5, 12, 15, 14, 9]
    assert run_from(source, 1, 9) == [s >> 2 for s in states] == [0, 2, 2, 2, 1, 3, 3, 3, 2]
    assert source.ergodic
    assert source.stationary
    assert not CongruentialSource(modulus_bits=5, multiplier=3, increment=0).ergodic


def test_equal_futures_count_as_one():
    """Rule 0 writes zeros from the second token on: one cycle, though many rows; rule 204 keeps its first bit."""
    assert CellularAutomatonSource(width=5, rule=0).ergodic
    keeps = CellularAutomatonSource(width=5, rule=204)
    assert keeps.stationary
    assert not keeps.ergodic
    assert keeps.excess_entropy().lower == pytest.approx(LN2)


# ------------------------------------------------------------------------------------------------ registers
def registers(taps: tuple[int, ...], length: int, zero_state: bool) -> np.ndarray:
    rows = []
    for start in itertools.product((0, 1), repeat=max(taps)):
        bits = list(start)
        while len(bits) < length:
            bits.append(sum(bits[-tap] for tap in taps) % 2)
        if zero_state or any(start):
            rows.append(bits[:length])
    return np.array(rows)


TAPS = st.sets(st.integers(1, 6), min_size=1, max_size=4).map(lambda taps: tuple(sorted(taps)))


@settings(max_examples=25)
@given(TAPS, st.booleans())
def test_register_truths_equal_the_list_of_registers(taps, zero_state):
    source = ShiftRegisterSource(taps=taps, zero_state=zero_state)
    rows = registers(taps, 12, zero_state)
    blocks = partition_entropies(rows)
    h = source.conditional_entropies(11).lower
    assert h == pytest.approx(np.diff(blocks), abs=1e-9)
    if zero_state:
        assert h == pytest.approx([LN2] * max(taps) + [0.0] * (12 - max(taps)), abs=1e-12)
    assert source.excess_entropy().lower == pytest.approx(blocks[-1], abs=1e-9)
    tokens = source.sample(20, 12, seed=3)
    assert all(any(np.array_equal(row, known) for known in rows) for row in tokens)
    for t in (0, 2, max(taps), 11):
        one = [np.mean([r[t] for r in rows if np.array_equal(r[:t], row[:t])]) for row in tokens]
        assert source.predict(tokens, positions=[t])[:, 0, 1] == pytest.approx(one, abs=1e-12)


@settings(max_examples=40)
@given(TAPS)
def test_register_is_ergodic_where_its_period_is_full(taps):
    start = (1,) + (0,) * (max(taps) - 1)
    register, period = list(start), 0
    while True:
        register = [*register[1:], sum(register[-tap] for tap in taps) % 2]
        period += 1
        if tuple(register) == start:
            break
    assert ShiftRegisterSource(taps=taps, zero_state=False).ergodic == (period == 2 ** max(taps) - 1)
    assert not ShiftRegisterSource(taps=taps).ergodic


def test_known_primitive_registers():
    """Taps of full period from the usual tables (Golomb; Xilinx application note 052), and a square, which is none."""
    for taps in ((5, 17), (3, 5), (3, 31), (1, 2, 22, 32), (4, 13, 15, 16)):
        assert ShiftRegisterSource(taps=taps, zero_state=False).ergodic
    assert not ShiftRegisterSource(taps=(2, 4), zero_state=False).ergodic


def test_registers_without_zero_are_drawn_evenly():
    """Chi-square over the 7 registers of 3 bits, at 1e-6."""
    from scipy.stats import chisquare

    tokens = ShiftRegisterSource(taps=(1, 3), zero_state=False).sample(7000, 3, seed=5).astype(int)
    counts = np.bincount(tokens @ [4, 2, 1], minlength=8)
    assert counts[0] == 0
    assert chisquare(counts[1:]).pvalue > 1e-6


@pytest.mark.parametrize(
    "make, named",
    [
        (lambda: ShiftRegisterSource(taps=(0, 3)), "taps: given 0"),
        (lambda: ShiftRegisterSource(taps=(3, 3)), "taps"),
        (lambda: CellularAutomatonSource(width=17), "width"),
        (lambda: CellularAutomatonSource(rule=256), "rule"),
        (lambda: CongruentialSource(modulus_bits=3, output_bits=4), "output_bits"),
        (lambda: CongruentialSource(start="somewhere"), "start"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(make, named):
    with pytest.raises(ConfigError, match=named):
        make()
