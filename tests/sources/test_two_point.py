"""Two-point correlations against enumeration, against polynomial division, and against samples."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.core import ConfigError, ResourceError, UndefinedError
from testbed.sources import IIDSource, LagMarkovSource, MarkovSource
from testbed.sources.deterministic import ShiftRegisterSource
from testbed.sources.lags import NoisyCopySource, NoisyXorSource
from testbed.sources.lags.two_point import impulse_response

Z = 5.5  # two-sided false-alarm rate 4e-8


def by_matrices(source, largest: int) -> np.ndarray:
    """kappa(0 .. largest): the chain on the last b tokens, advanced from each first token; slow, obvious twin."""
    V, b = source.vocab_size, source.max_lag
    states = list(itertools.product(range(V), repeat=b))
    number = {state: i for i, state in enumerate(states)}
    step = np.zeros((len(states), len(states)))
    for state in states:
        for n, p in enumerate(source.noise_law):
            following = (*state[1:], (sum(state[-tap] for tap in source.taps) + n) % V)
            step[number[state], number[following]] += p
    last = np.array([state[-1] for state in states])
    law = (last[None, :] == np.arange(V)[:, None]) / len(states)  # (V, S): the last token is a
    kappa = []
    for _ in range(largest + 1):
        match = sum(law[a, last == a].sum() for a in range(V))
        kappa.append((match - 1 / V) / (1 - 1 / V))
        law = law @ step
    return np.array(kappa)


@pytest.mark.parametrize(
    "vocab_size, taps, noise",
    [
        (2, (1, 2), 0.1),
        (2, (1, 3), 0.1),
        (2, (2, 4), 0.05),
        (2, (1, 2, 3, 4), 0.02),
        (2, (1, 4), 0.02),
        (2, (5,), 0.3),
        (2, (1, 3), 0.9),
        (2, (1, 3), 0.0),
        (3, (1, 2), 0.05),
        (3, (1, 2, 3), 0.05),
        (4, (1, 2), 0.05),
        (4, (1,), 0.2),
        (4, (2, 3), 0.0),
        (6, (1, 2), 0.02),
        (5, (1, 2), 1.0),
    ],
)
def test_against_the_chain_of_all_states(vocab_size, taps, noise):
    source = NoisyXorSource(taps=taps, noise=noise, vocab_size=vocab_size)
    expected = by_matrices(source, 60)
    assert source.two_point(range(61)).value == pytest.approx(expected, abs=1e-11)
    assert source.correlation_certificate(60).value == pytest.approx(np.abs(expected[1:]).max(), abs=1e-11)


def test_golden():
    """(1, 3) at 7: (1 - 2 e)^4 = .4096 at e = .1; (1, 2) at 3 and (b/2, b) at 3 b/2:
    (1 - 2 e)^2; zero before."""
    e, near = 0.1, 1e-8  # noises are rounded to 2^-32
    xor = NoisyXorSource(taps=(1, 3), noise=e)
    assert xor.two_point(7).value == pytest.approx(0.4096, abs=near)
    assert xor.two_point(range(1, 7)).value.tolist() == [0.0] * 6
    assert NoisyXorSource(taps=(1, 2), noise=e).two_point(3).value == pytest.approx(0.64, abs=near)
    for b in (2, 4, 6, 16, 64):
        half = NoisyXorSource(taps=(b // 2, b), noise=e)
        assert half.two_point(3 * b // 2).value == pytest.approx(0.64, abs=near)
        assert half.correlation_certificate(3 * b // 2 - 1).value == 0.0
    copy = NoisyCopySource(lag=5, noise=e).two_point(range(1, 16)).value
    assert copy[[4, 9, 14]] == pytest.approx([0.8, 0.64, 0.512], abs=near)
    assert np.count_nonzero(copy) == 3


def quotient_weight(taps: tuple[int, ...], lag: int) -> int | None:
    """Weight of (1 + D^lag) / P over GF(2), or None where P does not divide; long division from the highest power."""
    divisor = 1 + sum(1 << tap for tap in taps)
    rest, weight = 1 ^ (1 << lag), 0
    while rest.bit_length() >= divisor.bit_length():
        rest ^= divisor << (rest.bit_length() - divisor.bit_length())
        weight += 1
    return None if rest else weight


@given(st.sets(st.integers(1, 9), min_size=1, max_size=4), st.floats(0.0, 0.5))
def test_against_polynomial_division(taps, noise):
    source = NoisyXorSource(taps=tuple(taps), noise=noise)
    found = source.two_point(range(1, 600)).value
    keep = float(source.noise_law[0] - source.noise_law[1])
    for lag in range(1, 600):
        weight = quotient_weight(source.taps, lag)
        assert found[lag - 1] == pytest.approx(0.0 if weight is None else keep**weight, rel=1e-9, abs=1e-300)


@pytest.mark.parametrize(
    "source, lag",
    [
        (NoisyXorSource(taps=(1, 3), noise=0.1), 7),
        (NoisyXorSource(taps=(4, 8), noise=0.1), 12),
        (NoisyXorSource(taps=(1, 3), noise=0.1), 5),
        (NoisyXorSource(taps=(1, 2), noise=0.05, vocab_size=4), 6),
        (NoisyCopySource(lag=3, noise=0.3, vocab_size=5), 6),
        (LagMarkovSource(vocab_size=3, change_points=(60, 300), seed=1), 2),
    ],
    ids=str,
)
def test_against_samples(source, lag):
    tokens = source.sample(20_000, lag + 30, seed=4)
    matches = (tokens[:, -1] == tokens[:, -1 - lag]).astype(float)
    law = source.predict(tokens[:1, :1])[0, 0]
    same = law @ law
    kappa = (matches.mean() - same) / (1 - same)
    error = matches.std() / np.sqrt(len(tokens)) / (1 - same)
    assert abs(kappa - source.two_point(lag).value) < Z * error


@pytest.mark.parametrize(
    "chain",
    [
        LagMarkovSource(vocab_size=3, change_points=(60, 300), seed=1),
        LagMarkovSource(vocab_size=2, change_points=(50,), base_entropy=0.6),
        MarkovSource.random(vocab_size=3, order=2, seed=2),
        MarkovSource.random(vocab_size=3, order=0, seed=2),
        MarkovSource.random(vocab_size=4, order=1, seed=2),
        MarkovSource([[0.0, 1.0], [1.0, 0.0]]),
        IIDSource([0.9, 0.1]),
    ],
    ids=str,
)
def test_chains_against_all_strings(chain):
    """P(x_t = x_(t-m)) summed over all strings of m + 1 tokens."""
    for lag in range(5):
        strings = np.array(list(itertools.product(range(chain.vocab_size), repeat=lag + 1)), dtype=np.uint8)
        probabilities = np.exp(chain.log_probs(strings).sum(axis=1))
        match = probabilities[strings[:, 0] == strings[:, -1]].sum()
        law = np.bincount(strings[:, -1], weights=probabilities)
        same = law @ law
        found = chain.two_point(lag).value
        assert found == pytest.approx((match - same) / (1 - same), abs=1e-12)


def test_chains_of_one_symbol_and_large_ones_are_refused():
    for constant in (IIDSource([1.0, 0.0]), MarkovSource([[1.0]]), ShiftRegisterSource(taps=(1,), zero_state=False)):
        with pytest.raises(UndefinedError, match="constant"):
            constant.two_point(1)
    chain = MarkovSource.random(vocab_size=1024, order=1, seed=0)
    assert abs(chain.two_point(1).value) < 0.01
    with pytest.raises(ResourceError, match="lags: 1000 steps for each of 1024 symbols"):
        chain.two_point(1000)


@pytest.mark.parametrize("zero_state", [True, False])
@pytest.mark.parametrize("taps", [(1, 3), (2, 4), (1, 2, 5), (2,), (4, 5)])
def test_registers_against_all_of_their_starts(taps, zero_state):
    """Every register run on, and all of its bits compared with those m later."""
    n, longest = max(taps), 64
    bits = np.array(list(itertools.product((0, 1), repeat=n))[not zero_state :])
    while bits.shape[1] < longest + 1:
        bits = np.column_stack([bits, sum(bits[:, -tap] for tap in taps) % 2])
    one = bits[:, 0].mean()
    same = one**2 + (1 - one) ** 2
    match = (bits == bits[:, :1]).mean(axis=0)
    found = ShiftRegisterSource(taps=taps, zero_state=zero_state).two_point(range(longest + 1))
    assert found.kind == "exact"
    assert found.value == pytest.approx((match - same) / (1 - same), abs=1e-12)


def test_long_registers():
    register = ShiftRegisterSource(taps=(5, 17), zero_state=False)
    apart = -1 / (2**17 - 2)
    assert register.two_point([1, 1000, 2**17 - 1, 2**40]).value == pytest.approx([apart, apart, 1.0, apart], rel=1e-12)


@given(st.sets(st.integers(1, 40), min_size=1, max_size=4), st.integers(1, 300))
def test_impulse_response_of_bits(taps, length):
    """The series by doubling is the recursion run from an impulse."""
    expected = [1]
    while len(expected) < length:
        expected.append(sum(expected[-tap] for tap in taps if tap <= len(expected)) % 2)
    assert impulse_response(tuple(taps), 2, length).tolist() == expected


def test_shapes_and_refusals():
    source = NoisyXorSource(taps=(1, 3), noise=0.1)
    assert source.two_point(7).shape == ()
    assert source.two_point([7, 14]).shape == (2,)
    assert source.two_point(0).value == 1.0
    assert source.two_point([]).shape == (0,)
    for wrong in (-1, 1.5, [1, -2]):
        with pytest.raises(ConfigError, match="lags"):
            source.two_point(wrong)
    with pytest.raises(ResourceError, match="lags"):
        source.two_point(2**40)
