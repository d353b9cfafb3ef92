"""Directed information: its conservation law, plain sums over all blocks, chains with and without feedback."""

import itertools
import math
from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.measures.directed_information import (
    block_information,
    directed_information,
    feedback_information,
    pair_blocks,
    plug_in_transfer,
    transfer_entropy,
)
from testbed.sources import HiddenMarkovSource, IIDSource, MarkovSource
from testbed.sources.combinators.product import ProductSource

seeds = st.integers(0, 2**32 - 1)


def random_blocks(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    n_x, n_y, n = rng.integers(1, 4), rng.integers(1, 4), rng.integers(1, 4)
    shape = (int(n_x), int(n_y)) * int(n)
    return rng.dirichlet(np.full(math.prod(shape), rng.choice([0.1, 1.0]))).reshape(shape)


def plain_directed(blocks: np.ndarray, *, forward: bool) -> float:
    """sum over all blocks of P ln [P(y_i | x^i, y^(i-1)) / P(y_i | y^(i-1))], from dictionaries of prefixes; backward
    with the streams exchanged and x's present left out."""
    n = blocks.ndim // 2
    total = 0.0
    for i in range(n):
        joint: dict[str, dict] = defaultdict(lambda: defaultdict(float))
        for place in itertools.product(*(range(size) for size in blocks.shape)):
            xs, ys = place[::2], place[1::2]
            seen, own, now = (xs[: i + 1], ys[:i], ys[i]) if forward else (ys[:i], xs[:i], xs[i])
            joint["all"][seen, own, now] += blocks[place]
            joint["past"][seen, own] += blocks[place]
            joint["own, now"][own, now] += blocks[place]
            joint["own"][own] += blocks[place]
        for (seen, own, now), p in joint["all"].items():
            if p > 0:
                alone = joint["own, now"][own, now] / joint["own"][own]
                total += p * math.log(p / joint["past"][seen, own] / alone)
    return total


@given(seed=seeds)
@settings(max_examples=30, deadline=None)
def test_both_directions_make_up_what_the_streams_share(seed):
    blocks = random_blocks(seed)
    forward, backward = directed_information(blocks), feedback_information(blocks)
    assert min(forward, backward) >= 0
    assert forward + backward == pytest.approx(block_information(blocks), abs=1e-9)


@given(seed=seeds)
@settings(max_examples=12, deadline=None)
def test_it_is_the_sum_over_all_blocks(seed):
    blocks = random_blocks(seed)
    assert directed_information(blocks) == pytest.approx(plain_directed(blocks, forward=True), abs=1e-9)
    assert feedback_information(blocks) == pytest.approx(plain_directed(blocks, forward=False), abs=1e-9)


def driven(seed: int, feedback: bool = False) -> MarkovSource:
    """Pairs over 2 x 2 symbols; y's law depends on both last symbols, x's on its own, with feedback on both."""
    rng = np.random.default_rng(seed)
    of_y, of_x = rng.dirichlet([1.0, 1.0], (2, 2)), rng.dirichlet([1.0, 1.0], (2, 2))
    if not feedback:
        of_x[:, 1] = of_x[:, 0]
    rows = [np.outer(of_x[x, y], of_y[x, y]).ravel() for x, y in itertools.product((0, 1), repeat=2)]
    return MarkovSource(np.array(rows))


@given(seed=seeds)
@settings(max_examples=15, deadline=None)
def test_a_follower_tells_its_driver_nothing_new(seed):
    """And what a step adds forward is H(Y_n | Y^(n-1)) - H(Y' | X, Y): the pair is a chain of order 1."""
    source = driven(seed)
    blocks = pair_blocks(source, (2, 2), 4)
    assert feedback_information(blocks) == pytest.approx(0.0, abs=1e-9)
    assert transfer_entropy(blocks, 2, forward=False) == pytest.approx(0.0, abs=1e-9)

    def h_of_y(n: int) -> float:
        law = blocks.sum(axis=tuple(range(0, 8, 2))).sum(axis=tuple(range(n, 4)))
        return float(-(law[law > 0] * np.log(law[law > 0])).sum())

    of_y = source.kernel.reshape(4, 2, 2).sum(axis=1)
    given_both = float(source.stationary_law @ -(of_y * np.log(of_y)).sum(axis=1))
    step = directed_information(blocks) - directed_information(blocks.sum(axis=(-2, -1)))
    assert step == pytest.approx(h_of_y(4) - h_of_y(3) - given_both, abs=1e-9)
    # transfer entropy of order 1 exceeds it by what Y's longer past would have told
    apart = (h_of_y(2) - h_of_y(1)) - (h_of_y(4) - h_of_y(3))
    assert transfer_entropy(blocks, 1) - step == pytest.approx(apart, abs=1e-9)


def test_feedback_is_seen_and_independence_too():
    assert feedback_information(pair_blocks(driven(0, feedback=True), (2, 2), 3)) > 0.01
    apart = ProductSource(MarkovSource([[0.9, 0.1], [0.3, 0.7]]), IIDSource([0.2, 0.3, 0.5]))
    blocks = pair_blocks(apart, (2, 3), 3)
    assert blocks.shape == (2, 3) * 3
    assert block_information(blocks) == pytest.approx(0.0, abs=1e-9)


def test_blocks_are_those_of_the_source():
    source = HiddenMarkovSource.random(vocab_size=4, n_states=3, seed=1)
    blocks = pair_blocks(source, (2, 2), 3)
    np.testing.assert_allclose(blocks.sum(axis=(2, 3, 4, 5)).ravel(), source.predict(np.zeros((1, 1), int))[0, 0])
    counted = Counter(map(tuple, source.sample(4000, 3, seed=0).tolist()))
    for word, count in counted.most_common(5):
        p = blocks.reshape(4, 4, 4)[word]
        assert abs(count - 4000 * p) < 6 * math.sqrt(4000 * p)  # five cells, 6 standard errors: below 1e-6


def plain_transfer(x: np.ndarray, y: np.ndarray, order: int) -> float:
    """From counted tuples, one by one."""
    seen = [
        (tuple(a[i - order : i]), tuple(b[i - order : i]), b[i])
        for a, b in zip(x.tolist(), y.tolist(), strict=True)
        for i in range(order, len(a))
    ]
    n = len(seen)
    full, past = Counter(seen), Counter((a, b) for a, b, _ in seen)
    own, alone = Counter((b, c) for _, b, c in seen), Counter(b for _, b, _ in seen)
    return sum(k / n * math.log(k * alone[b] / past[a, b] / own[b, c]) for (a, b, c), k in full.items())


@given(seed=seeds, order=st.integers(1, 2))
@settings(max_examples=12, deadline=None)
def test_estimates_are_those_of_counted_tuples(seed, order):
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, 2, (2, 30)), rng.integers(0, 3, (2, 30))
    raw, corrected = plug_in_transfer(x, y, (2, 3), order)
    assert raw == pytest.approx(plain_transfer(x, y, order), abs=1e-9)
    assert raw - corrected == pytest.approx((2**order - 1) * 2 * 3**order / (2 * 2 * (30 - order)))


def test_the_bias_is_that_of_chi_square():
    """Independent fair coins, 1,000 texts of 200 steps: the mean of the corrected estimate is zero within 6 errors."""
    rng = np.random.default_rng(0)
    values = [
        plug_in_transfer(rng.integers(0, 2, (1, 201)), rng.integers(0, 2, (1, 201)), (2, 2))[1] for _ in range(1000)
    ]
    spread = np.std(values) / math.sqrt(len(values))
    assert abs(np.mean(values)) < 6 * spread + 2e-4  # the chi-square law itself is off by O(1 / n^2)


def test_nonsense_is_refused():
    source = driven(0)
    with pytest.raises(ConfigError, match="sizes"):
        pair_blocks(source, (2, 3), 2)
    with pytest.raises(ConfigError, match="length"):
        pair_blocks(source, (2, 2), 0)
    with pytest.raises(ConfigError, match="shape"):
        directed_information(np.full((2, 3, 3), 1 / 18))
    with pytest.raises(ConfigError, match="sum to"):
        directed_information(np.ones((2, 2)))
    with pytest.raises(ConfigError, match="order"):
        transfer_entropy(np.full((2, 2), 0.25), 1)
    with pytest.raises(ConfigError, match="shapes"):
        plug_in_transfer(np.zeros((1, 3), int), np.zeros((1, 4), int), (2, 2))
    with pytest.raises(ConfigError, match="must lie"):
        plug_in_transfer(np.full((1, 4), 2), np.zeros((1, 4), int), (2, 2))
