"""Where the flow of the network of two parameters ends, against its integration on the exact loss."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.optimize import brentq
from scipy.special import expit

from testbed.core import ConfigError
from testbed.theory import best_gain, ends_at_bigram, rank_one_energy, rank_one_gain
from testbed.theory.rank_one_flow import PASS_ENERGY, TURNING

CHAIN = st.sampled_from([(0.2, 0.3), (0.1, 0.6), (0.5, 0.8), (0.9, 0.7)])


def slope(p: float, q: float, gain: float) -> float:
    """dL/dg at the best bias: pi_1 (f(1) - P(1 | 1)), with the bias that makes the mean prediction pi_1."""
    one = p / (p + q)
    bias = brentq(lambda b: one * expit(gain + b) + (1 - one) * expit(b) - one, -60 - abs(gain), 60 + abs(gain))
    return one * (float(expit(gain + bias)) - (1 - q))


def followed(p: float, q: float, e: float, w: float) -> tuple[bool, float]:
    """Whether the flow ends at the best gain, and by how much the energy moves. Time is stretched where it is slow."""
    goal = best_gain(p, q)

    def velocity(_, at):
        gain = float(rank_one_gain(*at))
        push = -math.copysign(1.0, slope(p, q, gain))
        along = np.array([2 * at[0] * (1 + 2 * at[1] * abs(at[1])), 4 * at[0] ** 2 * abs(at[1])])
        return push * along / (at[0] * (0.05 + np.linalg.norm(along)))

    def arrived(_, at):
        return float(rank_one_gain(*at)) - goal

    def vanished(_, at):
        return at[0] - 1e-3

    for event in (arrived, vanished):
        event.terminal = True
    found = solve_ivp(velocity, (0, 300), [e, w], events=(arrived, vanished), rtol=1e-6, atol=1e-8)
    assert found.status == 1
    moved = float(rank_one_energy(*found.y[:, -1]) - rank_one_energy(e, w))
    return bool(found.t_events[0].size), moved


@given(chain=CHAIN, e=st.floats(0.1, 1.5), w=st.floats(-1.3, 1.3))
@settings(max_examples=8, deadline=None)
def test_the_flow_ends_where_the_rule_says(chain, e, w):
    """Not within a hair of a border; there the flow takes for ever."""
    assume(abs(w) > 0.05)
    assume(abs(w - TURNING) > 0.02)
    assume(abs(float(rank_one_energy(e, w)) - PASS_ENERGY) > 0.02)
    assume(abs(float(rank_one_gain(e, w)) - best_gain(*chain)) > 1e-3)
    ended, moved = followed(*chain, e, w)
    assert ended == bool(ends_at_bigram(*chain, e, w))
    assert moved == pytest.approx(0.0, abs=1e-4)


@given(p=st.floats(0.05, 0.95), q=st.floats(0.05, 0.95), e=st.floats(0.01, 0.3), w=st.floats(-0.3, 0.3))
@settings(max_examples=40)
def test_small_starts_end_by_the_side_of_the_line(p, q, e, w):
    assume(abs(p + q - 1) > 1e-9)
    assert bool(ends_at_bigram(p, q, e, w)) == (p + q < 1)


@given(p=st.floats(0.05, 0.95), q=st.floats(0.05, 0.95))
@settings(max_examples=20)
def test_the_best_gain_is_where_the_loss_is_least(p, q):
    assert slope(p, q, best_gain(p, q)) == pytest.approx(0.0, abs=1e-9)
    assert (best_gain(p, q) > 0) == (p + q < 1) or abs(p + q - 1) < 1e-9


def test_edges():
    assert not ends_at_bigram(0.2, 0.3, 0.0, 0.5)
    assert ends_at_bigram(0.2, 0.3, 0.1, 0.0)
    assert not ends_at_bigram(0.5, 0.8, 2.0, 0.0)
    assert rank_one_energy(1.0, 0.0) == math.inf
    assert rank_one_energy(0.0, TURNING) == pytest.approx(PASS_ENERGY)
    assert rank_one_gain(1.0, TURNING) == pytest.approx(0.0, abs=1e-15)
    with pytest.raises(ConfigError, match="p \\+ q = 1"):
        ends_at_bigram(0.25, 0.75, 0.1, 0.1)
