"""Linear recursions over Z_V against all their strings; primitive polynomials and ranks over GF(2)."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.sources.gf2 import is_primitive, power_of_d, prime_factors, rank, tap_polynomial
from testbed.sources.lags import NoisyCopySource, NoisyXorSource, primitive_taps
from testbed.sources.lags.linear_lag import NOISE_STREAM, START_STREAM, LinearLagSource
from testbed.sources.randomness import choose, random_words

SMALL = [
    NoisyCopySource(lag=3, noise=0.1),
    NoisyCopySource(lag=2, noise=0.3, vocab_size=3),
    NoisyCopySource(lag=1, noise=1.0),
    NoisyXorSource(taps=(1, 3), noise=0.1),
    NoisyXorSource(taps=(3, 1, 2), noise=0.0),
    NoisyXorSource(taps=(1, 2), noise=0.2, vocab_size=3),
    NoisyXorSource(taps=(1, 2), noise=0.6, vocab_size=4),
    NoisyXorSource(taps=(2, 4), noise=1.0),
]


def all_strings(source: LinearLagSource, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Slow, obvious twin: every string and its probability, uniform start times noise probabilities."""
    strings = np.array(list(itertools.product(range(source.vocab_size), repeat=length)))
    probabilities = np.empty(len(strings))
    for row, string in enumerate(strings):
        p = 1.0
        for t, x in enumerate(string):
            if t < source.max_lag:
                p *= 1.0 / source.vocab_size
            else:
                p *= source.noise_law[(x - sum(string[t - tap] for tap in source.taps)) % source.vocab_size]
        probabilities[row] = p
    return strings, probabilities


def window_law(source, strings, probabilities, start, length) -> np.ndarray:
    """(V,) * length: law of the tokens start .. start + length - 1."""
    law = np.zeros((source.vocab_size,) * length)
    np.add.at(law, tuple(strings[:, start : start + length].T), probabilities)
    return law


def entropy_of(law: np.ndarray) -> float:
    positive = law[law > 0]
    return float(-(positive * np.log(positive)).sum())


@pytest.mark.parametrize("source", SMALL, ids=repr)
def test_all_strings(source):
    """Stationary at every offset; h_l of windows; the law given l tokens at an unknown time."""
    length = 8 if source.vocab_size == 2 else 6
    strings, probabilities = all_strings(source, length)
    assert probabilities.sum() == pytest.approx(1.0, abs=1e-12)
    blocks = [0.0]
    for n in range(1, source.max_lag + 3):
        laws = [window_law(source, strings, probabilities, start, n) for start in range(length - n + 1)]
        for law in laws:
            assert law == pytest.approx(laws[0], abs=1e-12)
        blocks.append(entropy_of(laws[-1]))
        with np.errstate(invalid="ignore"):
            conditional = (laws[-1] / laws[-1].sum(axis=-1, keepdims=True)).reshape(-1, source.vocab_size)
        tokens = strings[:: max(1, len(strings) // 50)].astype(np.uint8)
        predicted = source.predict(tokens, context=n - 1)[:, -1]
        looked_up = conditional[tokens[:, length - n : length - 1] @ source.vocab_size ** np.arange(n - 1)[::-1]]
        possible = np.isfinite(looked_up[:, 0])
        assert predicted[possible] == pytest.approx(looked_up[possible], abs=1e-12)
    h = source.conditional_entropies(source.max_lag + 1)
    assert h.kind == "exact"
    assert h.value == pytest.approx(np.diff(blocks), abs=1e-12)
    assert source.excess_entropy().value == pytest.approx(float((h.value - h.value[-1]).sum()), abs=1e-12)
    with np.errstate(divide="ignore"):
        assert source.log_probs(strings).sum(axis=1) == pytest.approx(np.log(probabilities), abs=1e-9)


@pytest.mark.parametrize("source", SMALL, ids=repr)
def test_samples_are_the_recursion_of_their_noises(source):
    """Slow twin of the compiled sampler, from the same words in Python integers."""
    rows, length, seed, first = 5, 30, 7, 11
    found = source.sample(rows, length, seed=seed, first_sequence=first)
    noises = choose(random_words(rows, length, seed, first, NOISE_STREAM), source.noise_weights)
    start = random_words(rows, 2 * source.max_lag, seed, first, START_STREAM)
    for row in range(rows):
        x: list[int] = []
        for t in range(length):
            if t < source.max_lag:
                word = int(start[row, 2 * t]) * 2**32 + int(start[row, 2 * t + 1])
                x.append(source.vocab_size * word // 2**64)
            else:
                x.append((sum(x[t - tap] for tap in source.taps) + int(noises[row, t])) % source.vocab_size)
        assert found[row].tolist() == x


@pytest.mark.parametrize("taps", [(1,), (2,), (3,), (4,), (1, 2), (1, 3), (2, 4), (1, 2, 3), (2, 3, 4)])
@pytest.mark.parametrize("vocab_size, noise", [(2, 0.0), (2, 0.3), (2, 1.0), (3, 0.0), (3, 0.4), (3, 1.0), (4, 1.0)])
def test_ergodic_means_one_component(taps, vocab_size, noise):
    """The uniform law is stationary on V^b states: ergodic exactly where all of them are connected."""
    source = NoisyXorSource(taps=taps, noise=noise, vocab_size=vocab_size)
    states = list(itertools.product(range(vocab_size), repeat=source.max_lag))
    label = {state: number for number, state in enumerate(states)}
    changed = True
    while changed:
        changed = False
        for state in states:
            total = sum(state[-tap] for tap in taps)
            for n in np.flatnonzero(source.noise_weights):
                following = (*state[1:], int(total + n) % vocab_size)
                low = min(label[state], label[following])
                changed |= label[state] != low or label[following] != low
                label[state] = label[following] = low
    assert source.ergodic == (len(set(label.values())) == 1)


def test_golden_entropies():
    """XOR(1, 3) with e = .1: .6931 three times, then .3251."""
    h = NoisyXorSource(taps=(1, 3), noise=0.1).conditional_entropies(5)
    assert h.value == pytest.approx([0.6931, 0.6931, 0.6931, 0.3251, 0.3251, 0.3251], abs=5e-5)
    copy = NoisyCopySource(lag=4, noise=0.1)
    assert copy.excess_entropy().value == pytest.approx(4 * (math.log(2) + 0.1 * math.log(0.1) + 0.9 * math.log(0.9)))


def test_a_copy_is_a_sum_of_one():
    copy, sum_of_one = NoisyCopySource(lag=3, noise=0.2), NoisyXorSource(taps=(3,), noise=0.2)
    assert copy.fingerprint == sum_of_one.fingerprint
    assert np.array_equal(copy.sample(3, 20, seed=1), sum_of_one.sample(3, 20, seed=1))
    assert NoisyXorSource(taps=(3, 1), noise=0.1).fingerprint == NoisyXorSource(taps=(1, 3), noise=0.1).fingerprint


def test_nonsense_is_refused():
    with pytest.raises(ConfigError, match="lag"):
        NoisyCopySource(lag=0, noise=0.1)
    with pytest.raises(ConfigError, match="noise"):
        NoisyCopySource(lag=1, noise=1.5)
    with pytest.raises(ConfigError, match=r"taps.*every tap may stand once"):
        NoisyXorSource(taps=(1, 1), noise=0.1)
    with pytest.raises(ConfigError, match="taps"):
        NoisyXorSource(taps=(0, 2), noise=0.1)
    with pytest.raises(ConfigError, match="max_context"):
        NoisyXorSource(taps=(1, 2), noise=0.1).conditional_entropies(1.5)


# -- GF(2)
def companion(taps: tuple[int, ...]) -> np.ndarray:
    """The step of the register (x_t, ..., x_(t-b+1)) as a matrix."""
    size = max(taps)
    matrix = np.eye(size, k=-1, dtype=np.int64)
    matrix[0, [tap - 1 for tap in taps]] = 1
    return matrix


def matrix_power(matrix: np.ndarray, exponent: int) -> np.ndarray:
    result = np.eye(len(matrix), dtype=np.int64)
    while exponent:
        if exponent & 1:
            result = result @ matrix % 2
        matrix = matrix @ matrix % 2
        exponent >>= 1
    return result


@pytest.mark.parametrize("degree", range(1, 33))
def test_primitive_taps_are_primitive(degree):
    """By matrices: the step has the order 2^b - 1, with 2^b - 1 factored here and the primes proved by division."""
    taps = primitive_taps(degree)
    period = 2**degree - 1
    primes = prime_factors(period)
    left = period
    for prime in primes:
        assert all(prime % divisor for divisor in range(2, math.isqrt(prime) + 1))
        while left % prime == 0:
            left //= prime
    assert left == 1, "all prime factors were found"
    step, identity = companion(taps), np.eye(degree, dtype=np.int64)
    assert max(taps) == degree
    assert np.array_equal(matrix_power(step, period), identity)
    assert not any(np.array_equal(matrix_power(step, period // prime), identity) for prime in primes)
    trinomials = any(is_primitive((a, degree)) for a in range(1, degree))
    assert len(taps) == (1 if degree == 1 else 2 if trinomials else 4)


@pytest.mark.parametrize("degree", range(1, 15))
def test_a_primitive_recursion_runs_through_all_states(degree):
    taps = primitive_taps(degree)
    state, steps = (1,) * degree, 0
    while True:
        state, steps = (*state[1:], sum(state[-tap] for tap in taps) % 2), steps + 1
        if state == (1,) * degree:
            break
    assert steps == 2**degree - 1


def test_what_is_not_primitive():
    assert not is_primitive((1, 2, 3, 4))  # irreducible, of order 5
    assert not is_primitive((2, 4))  # a square
    assert not is_primitive((3,))
    assert power_of_d(5, tap_polynomial((1, 2, 3, 4))) == 1
    for degree in (0, 33):
        with pytest.raises(ConfigError, match="degree"):
            primitive_taps(degree)


@given(st.lists(st.integers(0, 255), max_size=10))
def test_rank_counts_the_span(rows):
    span = {0}
    for row in rows:
        span |= {row ^ other for other in span}
    assert 2 ** rank(rows) == len(span)
