"""The asymmetric chain at a lag: golden numbers, all strings, and small probabilities."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.core import ConfigError, UndefinedError
from testbed.sources import MarkovSource
from testbed.sources.lags.lag_chain import TOTAL, LagChainSource


@pytest.mark.parametrize("lag", [1, 4])
def test_golden(lag):
    """p = .1, q = .2 has h = .3835 and H(pi) = .6365 nats, and h_n = H(pi) for n < k."""
    source = LagChainSource(lag=lag, p=0.1, q=0.2)
    assert source.entropy_rate().value == pytest.approx(0.3835, abs=5e-5)
    assert source.conditional_entropies(lag + 2).value == pytest.approx([0.6365] * lag + [0.3835] * 3, abs=5e-5)
    assert source.excess_entropy().value == pytest.approx(lag * (0.6365 - 0.3835), abs=1e-4 * lag)


@given(st.floats(0, 1), st.floats(0, 1), st.integers(1, 3))
def test_all_strings(p, q, lag):
    source = LagChainSource(lag=lag, p=p, q=q)
    p, q = (weight / TOTAL for weight in source.weights)
    one = p / (p + q) if p + q else 0.5
    length, joint = 5, {}
    for x in itertools.product((0, 1), repeat=length):
        chances = [(one if x[t] else 1 - one) for t in range(min(lag, length))]
        for t in range(lag, length):
            stays = 1 - (q if x[t - lag] else p)
            chances.append(stays if x[t] == x[t - lag] else 1 - stays)
        joint[x] = math.prod(chances)
    law = np.array(list(joint.values())).reshape((2,) * length)
    block = [0.0]
    for n in range(1, length + 1):
        marginal = law.sum(axis=tuple(range(length - n))).ravel()
        assert law.sum(axis=tuple(range(n, length))).ravel() == pytest.approx(marginal, abs=1e-12)
        block.append(-float((marginal[marginal > 0] * np.log(marginal[marginal > 0])).sum()))
    assert source.conditional_entropies(length - 1).value == pytest.approx(np.diff(block), abs=1e-11)
    with np.errstate(invalid="ignore"):
        found = np.exp(source.log_probs(np.array(list(joint))).sum(axis=1))
    assert np.nan_to_num(found) == pytest.approx(law.ravel(), abs=1e-12)
    if 0 < one < 1:
        pair = [law.sum(axis=tuple(k for k in range(length) if k not in (0, m))) for m in range(1, length)]
        same = one**2 + (1 - one) ** 2
        if same < 1 - 1e-6:
            expected = [(np.trace(two) - same) / (1 - same) for two in pair]
            assert source.two_point(range(1, length)).value == pytest.approx(expected, abs=1e-7)


def test_lag_one_is_the_markov_chain():
    source, chain = LagChainSource(p=0.125, q=0.75), MarkovSource([[0.875, 0.125], [0.75, 0.25]])
    assert source.conditional_entropies(4).value == pytest.approx(chain.conditional_entropies(4).value, abs=1e-12)
    assert source.excess_entropy().value == pytest.approx(chain.excess_entropy().value, abs=1e-12)
    tokens = source.sample(20, 30, seed=1)
    assert source.log_probs(tokens) == pytest.approx(chain.log_probs(tokens), abs=1e-9)


def test_samples_follow_p_and_q():
    source = LagChainSource(lag=3, p=0.01, q=0.3)
    tokens = source.sample(4000, 63, seed=2).astype(int)
    before, now = tokens[:, :-3], tokens[:, 3:]
    for symbol, chance in ((0, 0.01), (1, 0.3)):
        there = before == symbol
        assert abs((now != before)[there].mean() - chance) < 5.5 * math.sqrt(chance / there.sum())
    assert abs(tokens[:, 40].mean() - 0.01 / 0.31) < 5.5 * math.sqrt(0.01 / 0.31 / 4000)


def test_rare_changes_keep_their_digits():
    source = LagChainSource(p=1e-12, q=3e-12)
    expected = 0.75 * 1e-12 * (1 - math.log(1e-12)) + 0.25 * 3e-12 * (1 - math.log(3e-12))
    assert source.entropy_rate().value == pytest.approx(expected, rel=1e-6)
    assert source.marginal_law[1] == pytest.approx(0.25, abs=1e-6)


def test_bits_that_never_change_are_what_marginal_says():
    source = LagChainSource(lag=2, p=0.0, q=0.0, marginal=0.25)
    tokens = source.sample(4000, 9)
    assert np.array_equal(tokens[:, 2:], tokens[:, :-2])
    assert abs(tokens[:, :2].mean() - 0.25) < 5.5 * math.sqrt(0.1875 / 8000)
    assert not source.ergodic
    assert source.entropy_rate().value == 0
    with pytest.raises(ConfigError, match="marginal: given 0.25, but p and q"):
        LagChainSource(p=0.1, q=0.1, marginal=0.25)
    with pytest.raises(UndefinedError, match="constant"):
        LagChainSource(p=0.0, q=0.1).two_point(1)


@pytest.mark.parametrize(
    "lag, p, q, ergodic, period",
    [(1, 1, 1, True, 2), (2, 1, 1, True, 4), (3, 1, 1, False, None), (2, 0, 0, False, None), (2, 0, 0.5, True, 1)],
)
def test_cycles(lag, p, q, ergodic, period):
    source = LagChainSource(lag=lag, p=p, q=q)
    assert (source.ergodic, source.period) == (ergodic, period)
