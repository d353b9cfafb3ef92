"""Clocks within clocks: every truth against the list of all phases."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.sources.power_law import MultiperiodicSource


def write(periods: tuple[int, ...], phases: tuple[int, ...], length: int) -> list[int]:
    """The sequence, place by place, with a counter for each symbol."""
    counters, tokens = [0] * len(periods), []
    for _ in range(length):
        token = len(periods)
        for r, (period, phase) in enumerate(zip(periods, phases, strict=True)):
            here = counters[r] % period == phase
            counters[r] += 1
            if here:
                token = r
                break
        tokens.append(token)
    return tokens


def all_sequences(periods: tuple[int, ...], length: int) -> np.ndarray:
    return np.array([write(periods, phases, length) for phases in itertools.product(*map(range, periods))])


def partition_entropy(rows: np.ndarray) -> float:
    if rows.shape[1] == 0:
        return 0.0
    share = np.unique(rows, axis=0, return_counts=True)[1] / len(rows)
    return -float(share @ np.log(share)) + 0.0


PERIODS = st.lists(st.integers(2, 6), min_size=1, max_size=4).map(tuple)


@settings(max_examples=40)
@given(PERIODS)
def test_entropies_equal_those_of_all_phases(periods):
    source = MultiperiodicSource(periods=periods)
    length = 20
    rows = all_sequences(periods, length)
    blocks = [partition_entropy(rows[:, :n]) for n in range(length + 1)]
    assert source.conditional_entropies(length - 1).lower == pytest.approx(np.diff(blocks), abs=1e-9)


@settings(max_examples=40)
@given(PERIODS)
def test_uniform_phases_are_stationary(periods):
    """The law of 6 tokens from any time on is that of the first 6."""
    rows = all_sequences(periods, 15)
    first = np.sort(rows[:, :6] @ 5 ** np.arange(6))
    for shift in range(1, 10):
        assert np.array_equal(np.sort(rows[:, shift : shift + 6] @ 5 ** np.arange(6)), first)


@settings(max_examples=40)
@given(PERIODS)
def test_ergodic_means_one_cycle_of_phases(periods):
    """The shift on all phases is one cycle, followed step by step, where the source says so."""
    phases, steps = tuple(0 for _ in periods), 0
    while True:
        moved, seen = list(phases), True
        for r, period in enumerate(periods):
            if seen:  # the present place is free for r, so that its count moves on
                seen = phases[r] != 0
                moved[r] = (phases[r] - 1) % period
        phases, steps = tuple(moved), steps + 1
        if not any(phases):
            break
    assert MultiperiodicSource(periods=periods).ergodic == (steps == math.prod(periods))


def test_every_seed_is_learnt():
    """E = sum ln pi = sum of h_l, by the time that all phases must have shown."""
    source = MultiperiodicSource(n_periods=5, growth=1.3)
    h = source.conditional_entropies(400)
    assert h.lower.sum() == pytest.approx(source.excess_entropy().lower, abs=1e-9)
    assert h.lower[-1] == 0.0
    assert source.entropy_rate().value == 0.0


def test_samples_follow_the_clock_of_their_phases():
    for source in MultiperiodicSource.examples():
        phases = source.phases(12, seed=8)
        rows = [write(source.periods, tuple(int(p) for p in row), 50) for row in phases]
        assert np.array_equal(source.sample(12, 50, seed=8), rows)


def test_frequencies_are_reached_and_fall_as_a_power():
    source = MultiperiodicSource(periods=(3, 2, 4))
    tokens = source.sample(1, 24_000, seed=1)[0]
    assert np.bincount(tokens, minlength=4) / 24_000 == pytest.approx(source.frequencies, abs=1e-3)
    growth = 2.0
    shares = MultiperiodicSource(n_periods=2000, growth=growth).frequencies
    assert math.log(shares[99] / shares[999]) / math.log(10) == pytest.approx(1 + 1 / growth, abs=0.01)


def test_block_entropy_grows_as_a_power():
    """Hilberg: H(l) ~ l^(growth / (1 + growth)), up to logarithms; doublings of l, growth 1: near .5."""
    h = MultiperiodicSource(n_periods=150, growth=1.0).block_entropies(512).lower
    slopes = np.diff(np.log(h[[63, 127, 255, 511]])) / math.log(2)
    assert np.all((slopes > 0.4) & (slopes < 0.75))


@pytest.mark.parametrize(
    "keys, named",
    [
        ({}, "periods"),
        ({"periods": (3, 1)}, "entry 1 is 1"),
        ({"periods": (3, 2), "n_periods": 2}, "periods"),
        ({"n_periods": 3}, "growth"),
        ({"n_periods": 3, "growth": 0.5}, "growth"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(keys, named):
    with pytest.raises(ConfigError, match=named):
        MultiperiodicSource(**keys)
