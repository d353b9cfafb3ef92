"""The best memory and the best reader of `recall_order`, against enumeration and loops."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.sources.recall.set_disjointness import SetDisjointness
from testbed.studies.recall_order.partition import (
    ball_bound,
    least_error_of_one,
    least_errors,
    lower_bound,
    needed_bits,
)
from testbed.studies.recall_order.reader import reader_error


# ------------------------------------------------------------------------------------------------ the best memory
def partitions(items):
    """All set partitions."""
    if not items:
        yield []
        return
    first, *rest = items
    for parts in partitions(rest):
        yield [[first], *parts]
        for i in range(len(parts)):
            yield [*parts[:i], [first, *parts[i]], *parts[i + 1 :]]


@pytest.mark.parametrize("sizes", [(4, 1, 1), (4, 1, 2), (4, 2, 1), (4, 2, 2), (4, 3, 1)])
def test_the_best_memory_is_that_of_every_partition(sizes):
    """Against all partitions, with the law of the sets counted out from the source's own definition."""
    n, m, k = sizes
    firsts = list(combinations(range(n), m))
    joint = {}
    for a in firsts:
        for shared in (False, True):
            seconds = [b for b in combinations(range(n), k) if len(set(a) & set(b)) == shared]
            for b in seconds:
                joint[a, b, shared] = 0.5 / len(firsts) / len(seconds)
    assert sum(joint.values()) == pytest.approx(1.0)
    best = np.full(len(firsts), np.inf)
    for parts in partitions(firsts):
        error = 0.0
        for part in parts:
            for b in combinations(range(n), k):
                error += min(sum(joint.get((a, b, shared), 0.0) for a in part) for shared in (False, True))
        best[len(parts) - 1] = min(best[len(parts) - 1], error)
    np.testing.assert_allclose(least_errors(n, m, k), np.minimum.accumulate(best), atol=1e-12)


def test_the_sets_have_the_law_that_the_partition_takes_for_granted():
    """First sets uniform, second ones uniform given the answer; 6 standard errors, false alarm below 1e-6."""
    source, n = SetDisjointness(n_elements=4, set_size=1), 15_000
    tokens = source.sample(n, 6, seed=1)
    first, second, common = tokens[:, 0], np.sort(tokens[:, 2:4], axis=1), tokens[:, -1] == 7
    for a in range(4):
        for shared in (False, True):
            pairs = [b for b in combinations(range(4), 2) if (a in b) == shared]
            for b in pairs:
                p = 0.5 / 4 / len(pairs)
                count = int(((first == a) & (second == b).all(axis=1) & (common == shared)).sum())
                assert abs(count - n * p) < 6 * math.sqrt(n * p)


@settings(max_examples=12, deadline=None)
@given(st.integers(2, 9), st.data())
def test_errors_of_one_element_and_the_lower_bound(n, data):
    k = data.draw(st.integers(1, n - 1))
    found = [least_error_of_one(n, k, states) for states in range(1, n + 1)]
    assert found[0] == pytest.approx(0.5)
    assert found[-1] == pytest.approx(0.0)
    assert (np.diff(found) <= 1e-12).all()
    np.testing.assert_allclose(found, least_errors(n, 1, k), atol=1e-12)
    m = data.draw(st.integers(1, n - k))
    if math.comb(n, m) <= 10:
        exact = least_errors(n, m, k)
        assert all(lower_bound(n, m, k, i + 1) <= one + 1e-12 for i, one in enumerate(exact))
        if n >= 2 * m + k - 1:
            assert int(np.argmax(exact < 1e-12)) + 1 == round(2 ** needed_bits(n, m))


def test_too_many_sets_are_refused():
    with pytest.raises(ValueError, match="at most 12"):
        least_errors(6, 2, 1)


@settings(max_examples=10, deadline=None)
@given(st.integers(2, 5), st.data())
def test_balls_bound_what_is_exact(n, data):
    m = data.draw(st.integers(1, n - 1))
    exact = least_errors(n, m, 1)
    assert all(ball_bound(n, m, i + 1) <= one + 1e-12 for i, one in enumerate(exact))
    assert ball_bound(n, m, 1) == pytest.approx(0.5)
    assert ball_bound(n, m, math.comb(n, m)) == 0.0


def test_balls_are_those_of_slow_loops():
    """Sets and codewords in plain loops, the hull by trying all sizes of classes that add up."""
    n, m = 5, 2
    firsts = list(combinations(range(n), m))
    rows = []
    for y in (set(one) for w in range(n + 1) for one in combinations(range(n), w)):
        wrong = [len(set(a) - y) / m + len(y - set(a)) / (n - m) for a in firsts]
        rows.append(np.concatenate([[0.0], np.cumsum(np.sort(wrong))]) / (2 * len(firsts)))
    of_size = np.min(rows, axis=0)
    for states in (1, 2, 3, 4):
        at = len(firsts) / states
        chords = [
            of_size[a] + (of_size[b] - of_size[a]) * (at - a) / (b - a)
            for a in range(11)
            for b in range(11)
            if a < at < b
        ]
        whole = [of_size[int(at)]] if int(at) == at else []
        assert ball_bound(n, m, states) == pytest.approx(states * min(chords + whole))


# ------------------------------------------------------------------------------------------------ the best reader
@pytest.mark.parametrize(("n", "m", "k"), [(5, 2, 1), (5, 1, 2), (6, 2, 2)])
def test_the_reader_reaches_the_least_error_of_a_partition(n, m, k):
    """Told a class of first sets, it errs as the formula of that partition says; 6 standard errors of counting."""
    source = SetDisjointness(n_elements=n, set_size=m)
    length, firsts = m + k + 3, list(combinations(range(n), m))
    part = np.arange(len(firsts)) % 3
    drawn = [source.sample(n_of, length, seed=seed).astype(np.int64) for n_of, seed in ((6000, 1), (6000, 2))]
    number = {one: i for i, one in enumerate(firsts)}
    codes = [part[[number[tuple(sorted(row[:m].tolist()))] for row in rows]] for rows in drawn]
    common = drawn[1][:, -1] == n + 3
    found = reader_error(n, m, k, drawn[0][:, :-1], codes[0], drawn[1][:, :-1], codes[1], common)
    expected = 0.0
    for c in range(3):
        for b in combinations(range(n), k):
            met = [len(set(a) & set(b)) for i, a in enumerate(firsts) if part[i] == c]
            shared, apart = met.count(1) / (m * math.comb(n - m, k - 1)), met.count(0) / math.comb(n - m, k)
            expected += min(shared, apart) / (2 * len(firsts))
    assert found == pytest.approx(expected, abs=6 * 0.5 / math.sqrt(6000))
