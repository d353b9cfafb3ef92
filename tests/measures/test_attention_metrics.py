"""Measures of one row against loops and closed forms."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.measures.attention_metrics import (
    concentration,
    critical_scale_and_gap,
    entropy,
    entropy_slope,
    logit_std,
    mass_by_distance,
    mass_width,
    shape_drift,
    train_length_tax,
    two_largest,
    window_mass,
)
from testbed.measures.places import spread_places
from testbed.theory import gap_counting_scale

finite = st.floats(-20, 20)


def causal_rows(T: int, seed: int, scale: float = 2.0) -> tuple[torch.Tensor, torch.Tensor]:
    """(3, T, T) logits, -inf above the diagonal, and their softmax."""
    a = torch.randn(3, T, T, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * scale
    a = a.masked_fill(torch.ones(T, T).triu(1).bool(), -math.inf)
    return a, a.softmax(dim=-1)


def test_rows_by_loops():
    T = 9
    logits, weights = causal_rows(T, 0)
    distance = torch.arange(T)[:, None] - torch.arange(T)
    by_distance = mass_by_distance(weights, distance)
    critical, gap = critical_scale_and_gap(logits)
    first, second = two_largest(weights)
    for b in range(3):
        for i in range(T):
            a, p = logits[b, i, : i + 1].tolist(), weights[b, i, : i + 1].tolist()
            assert entropy(weights)[b, i].item() == pytest.approx(-sum(x * math.log(x) for x in p))
            assert concentration(weights)[b, i].item() == pytest.approx(sum(x * x for x in p))
            ordered = [*sorted(p, reverse=True), 0.0]
            assert (first[b, i].item(), second[b, i].item()) == pytest.approx(tuple(ordered[:2]))
            assert logit_std(logits)[b, i].item() == pytest.approx(np.std(a))
            assert critical[b, i].item() == pytest.approx(gap_counting_scale(a))
            top = sorted(a, reverse=True)
            assert gap[b, i].item() == (pytest.approx(top[0] - top[1]) if i else math.inf)
            for reach in (0, 2, 20):
                inside = sum(x for j, x in enumerate(p) if i - j <= reach)
                assert window_mass(by_distance, reach)[b, i].item() == pytest.approx(inside)
            width = next(w for w in range(T) if sum(x for j, x in enumerate(p) if i - j <= w) >= 0.9)
            assert mass_width(by_distance)[b, i].item() == width


def test_distances_count_on_both_sides():
    weights = torch.tensor([[0.1, 0.2, 0.3, 0.4]])
    distance = torch.tensor([[1, 0, -1, -2]])
    assert mass_by_distance(weights, distance)[0].tolist() == pytest.approx([0.2, 0.4, 0.4])
    assert mass_width(mass_by_distance(weights, distance)).tolist() == [2.0]


@given(st.lists(finite, min_size=1, max_size=12), st.floats(-5, 5))
@settings(max_examples=50)
def test_bounds_and_invariances(row, shift):
    """0 <= H <= ln n, 1/n <= sum p^2 <= 1, -ln sum p^2 <= H; a shift of all logits changes nothing."""
    a = torch.tensor([row], dtype=torch.float64)
    p = a.softmax(dim=-1)
    H, c = entropy(p).item(), concentration(p).item()
    assert -1e-9 <= H <= math.log(len(row)) + 1e-9
    assert 1 / len(row) - 1e-9 <= c <= 1 + 1e-9
    assert -math.log(c) <= H + 1e-9
    assert logit_std(a + shift).item() == pytest.approx(logit_std(a).item(), abs=1e-9)
    assert two_largest(p)[0].item() >= two_largest(p)[1].item()


def test_rows_that_are_no_law_have_no_entropy():
    rows = torch.tensor([[0.5, 0.5, 0.0], [0.7, 0.5, -0.2], [0.3, 0.3, 0.3]])
    assert entropy(rows).isnan().tolist() == [False, True, True]
    assert mass_width(rows).isnan().tolist() == [False, True, True]


def test_one_visible_key():
    logits, weights = torch.tensor([[0.3]]), torch.ones(1, 1)
    assert entropy(weights).item() == 0.0
    assert [one.item() for one in two_largest(weights)] == [1.0, 0.0]
    assert [one.item() for one in critical_scale_and_gap(logits)] == [0.0, math.inf]
    assert logit_std(logits).item() == 0.0


@given(st.lists(finite, min_size=2, max_size=6), st.lists(finite, min_size=1, max_size=6), st.floats(0.2, 3.0))
@settings(max_examples=50)
def test_temperature_one_leaves_the_shape_among_originals(originals, appended, temperature):
    """Keys that join change no ratio among the others; another temperature does, by a computable KL (2.4 e)."""
    old, new = torch.tensor(originals, dtype=torch.float64), torch.tensor(appended, dtype=torch.float64)
    at = torch.arange(len(new), len(new) + len(old))  # the new ones stand first
    before, joined = old.softmax(dim=-1), torch.cat([new, old])
    assert shape_drift(before, joined.softmax(dim=-1), at).item() == pytest.approx(0.0, abs=1e-9)
    sharper = (temperature * old).softmax(dim=-1)
    expected = (before * (before / sharper).log()).sum().item()
    assert shape_drift(before, (temperature * joined).softmax(dim=-1), at).item() == pytest.approx(expected, abs=1e-7)


def test_a_lost_original_drifts_without_bound():
    before, after = torch.tensor([0.5, 0.5]), torch.tensor([1.0, 0.0, 0.0])
    assert shape_drift(before, after, torch.tensor([0, 1])).item() == math.inf
    assert shape_drift(torch.tensor([1.0, 0.0]), after, torch.tensor([0, 1])).item() == 0.0


def test_slope_and_tax():
    n = np.array([64, 256, 1024, 4096])
    assert entropy_slope(n, np.log(n)) == pytest.approx(1.0)
    assert entropy_slope(n, np.full(4, 2.0)) == pytest.approx(0.0, abs=1e-12)
    assert train_length_tax(0.3, 0.1) == pytest.approx(0.2)


@given(st.integers(1, 500), st.integers(1, 80), st.integers(0, 20))
@settings(max_examples=50)
def test_places_are_spread(n, count, seed):
    places = spread_places(n, count, seed)
    assert len(places) == min(n, count)
    assert np.all(np.diff(places) > 0)
    assert places[0] >= 0
    assert places[-1] < n
    assert np.all(places * count // n == np.arange(len(places))) or count >= n or n % count
    assert np.array_equal(places, spread_places(n, count, seed))


def test_every_place_is_as_likely():
    """Each of 12 places in 4 parts is drawn with probability 1/3: 3000 seeds, 5.6 standard errors, alarm below 1e-6."""
    hits = np.zeros(12)
    for seed in range(3000):
        hits[spread_places(12, 4, seed)] += 1
    assert np.abs(hits / 3000 - 1 / 3).max() < 5.6 * math.sqrt(2 / 9 / 3000)
    with pytest.raises(ConfigError, match="at least 1"):
        spread_places(5, 0)
