"""What `linear_attention_entropy` computes without training, against slow loops."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.studies.linear_attention_entropy import closed
from testbed.studies.linear_attention_entropy.closed import demand, entropies, weights_of
from testbed.studies.linear_attention_entropy.config import (
    KERNELS,
    Reading,
)
from testbed.studies.linear_attention_entropy.measure import rises

SMALL = Reading(n_draws=3, size=4, n_keys=5, norms=(0.5, 2.0, 50.0))


# ------------------------------------------------------------------------------------------------ without training
def kernel_of(arm, q, k):
    """One pair, by the definition."""
    x = float(q @ k) / math.sqrt(len(q))
    if arm == "softmax":
        return math.exp(x)
    if arm == "elu":
        return sum(
            (a + 1 if a > 0 else math.exp(a)) * (b + 1 if b > 0 else math.exp(b)) for a, b in zip(q, k, strict=True)
        )
    if arm == "relu":
        return sum(max(a, 0.0) * max(b, 0.0) for a, b in zip(q, k, strict=True))
    if arm == "taylor":
        return 1 + x + x * x / 2
    norm = math.sqrt(float(q @ q))
    power = 3 * (0.5 + math.tanh(norm))
    return sum((abs(a) / norm) ** power * abs(b) ** 3 for a, b in zip(q, k, strict=True) if a * b > 0)


def test_entropies_of_random_rows_are_those_of_slow_loops():
    found = entropies(SMALL, 4)
    rng = np.random.default_rng([4, 20])
    q, k = rng.standard_normal((3, 1, 4)), rng.standard_normal((3, 5, 4))
    for place, arm in enumerate(KERNELS):
        for column, norm in enumerate(SMALL.norms):
            for draw in range(3):
                asked = norm * q[draw, 0] / np.linalg.norm(q[draw, 0])
                s = np.array([kernel_of(arm, asked, key) for key in k[draw]])
                w = s / s.sum() if s.sum() > 0 else np.full(5, 0.2)
                expected = -sum(one * math.log(one) for one in w if one > 0)
                assert found[place, column, draw] == pytest.approx(expected, abs=1e-9)


def test_rises_and_changes_of_entropies_are_those_of_slow_loops():
    """A rise counts between neighbouring norms, however small, and apart from that by more than a little."""
    flat, falls, little, large = [2.0, 2.0, 2.0], [2.0, 1.5, 1.0], [2.0, 1.0, 1.001], [1.0, 1.2, 0.5]
    found = rises(np.stack([np.array([flat, falls, little, large]).T, np.array([flat] * 4).T]))
    assert found["rises"].tolist() == [0.5, 0.0]
    assert found["large_rises"].tolist() == [0.25, 0.0]
    assert found["largest"] == pytest.approx([0.2, 0.0])
    assert found["change"] == pytest.approx([1.0, 0.0])
    entropy = entropies(SMALL, 5)
    slow = [[any(h[i + 1] - h[i] > 1e-9 for i in range(len(h) - 1)) for h in one.T] for one in entropy]
    np.testing.assert_allclose(rises(entropy)["rises"], np.mean(slow, axis=1))


@settings(max_examples=6, deadline=None)
@given(st.integers(2, 5), st.integers(2, 14))
def test_a_copy_costs_nothing_while_no_other_symbol_can_have_more_weight(vocab_size, n_keys):
    """It costs ln V at most, and the more the softer the weights."""
    entropy, excess = demand(vocab_size, n_keys)
    assert entropy[[0, -1]] == pytest.approx([0.0, math.log(n_keys)])
    assert (np.diff(excess) > -1e-6).all()
    assert excess.min() >= -1e-12
    assert excess.max() <= math.log(vocab_size)
    own = weights_of(entropy, n_keys)
    rest = (1 - own) / (n_keys - 1)
    again = -own * np.log(own) - (n_keys - 1) * np.where(rest > 0, rest * np.log(np.maximum(rest, 1e-300)), 0.0)
    np.testing.assert_allclose(again, entropy, atol=1e-6)
    assert (excess[own > 0.51] < 0.01).all()


@pytest.mark.parametrize(("vocab_size", "n_keys"), [(2, 5), (3, 4)])
def test_the_price_of_soft_weights_is_a_sum_over_all_rests(vocab_size, n_keys):
    """Every assignment of symbols to the other keys, at the best of many gains."""
    entropy, excess = demand(vocab_size, n_keys)
    for place in (60, 150, 200, 239):
        w = weights_of(entropy, n_keys)[place]
        best = math.inf
        for gain in np.geomspace(0.01, 1e3, 200):
            lost = []
            for symbols in product(range(vocab_size), repeat=n_keys - 1):
                mass = np.bincount(symbols, minlength=vocab_size) * (1 - w) / (n_keys - 1)
                mass[0] += w
                lost.append(np.logaddexp.reduce(gain * mass) - gain * mass[0])
            best = min(best, float(np.mean(lost)))
        assert excess[place] == pytest.approx(best, abs=4e-4)


def test_more_counts_than_can_be_summed_over_are_drawn(monkeypatch):
    exact = demand(3, 24)[1]
    monkeypatch.setattr(closed, "MOST_ROWS", 290)  # of 300
    drawn = demand.__wrapped__(3, 24)[1]
    assert np.abs(exact - drawn).max() < 0.05
    assert not np.array_equal(exact, drawn)
