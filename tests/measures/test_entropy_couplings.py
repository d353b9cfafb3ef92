"""Couplings, maps of bounded entropy and merges: inequalities on random laws, and plain twins of every search."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.measures.couplings.bottleneck import (
    best_maps,
    cell_laws,
    merge_into_commonest,
    merge_rarest,
    numbered,
    random_map_information,
    set_partitions,
    tempered,
)
from testbed.measures.couplings.coupling import (
    GREEDY_OVER_LEAST,
    GREEDY_OVER_MEET,
    LEAST_OVER_MEET,
    greedy_coupling,
    greedy_entropies,
    least_entropies,
    minimum_entropy_coupling,
)
from testbed.measures.couplings.laws import entropies, entropy, majorises, meet, meets, mutual_information
from testbed.measures.couplings.merges import (
    adjacent_merges,
    best_kept,
    entropy_kept,
    kept_information,
    predictive_merges,
)
from testbed.measures.couplings.trees import n_trees, spanning_trees

seeds = st.integers(0, 2**32 - 1)
ERROR = 1e-9


def laws_of(seed: int, most: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Two random laws, some with equal or vanishing entries."""
    rng = np.random.default_rng(seed)
    found = []
    for size in rng.integers(1, most + 1, 2):
        law = rng.dirichlet(np.full(size, rng.choice([0.2, 1.0, 5.0])))
        if rng.random() < 0.3:
            law = np.round(law * 6) + (law == law.max())  # ties and zeros
        found.append(law / law.sum())
    return found[0], found[1]


# ------------------------------------------------------------------------------------------------ couplings
@given(seed=seeds)
@settings(max_examples=30, deadline=None)
def test_entropies_are_ordered_and_keep_their_bounds(seed):
    p, q = laws_of(seed)
    greedy, least = greedy_coupling(p, q), minimum_entropy_coupling(p, q)
    for joint in (greedy, least):
        np.testing.assert_allclose(joint.sum(axis=1), p, atol=1e-11)
        np.testing.assert_allclose(joint.sum(axis=0), q, atol=1e-11)
        assert joint.min() >= 0
        assert (joint > 0).sum() <= len(p) + len(q) - 1
        assert majorises(meet(p, q), np.sort(joint.ravel()) / joint.sum(), 1e-9)
    values = [max(entropy(p), entropy(q)), entropy(meet(p, q)), entropy(least), entropy(greedy)]
    assert (np.diff(values) >= -ERROR).all()
    assert values[3] <= values[2] + GREEDY_OVER_LEAST
    assert values[2] <= values[1] + LEAST_OVER_MEET
    assert values[3] <= values[1] + GREEDY_OVER_MEET
    assert mutual_information(least) == pytest.approx(entropy(p) + entropy(q) - values[2], abs=1e-9)


@given(seed=seeds)
@settings(max_examples=30, deadline=None)
def test_the_meet_is_the_greatest_law_below_both(seed):
    p, q = laws_of(seed)
    found = meet(p, q)
    assert found.sum() == pytest.approx(1.0)
    assert (np.diff(found) <= 1e-12).all()
    assert majorises(p, found)
    assert majorises(q, found)
    rng = np.random.default_rng(seed)
    below = rng.dirichlet(np.ones(6))
    if majorises(p, below) and majorises(q, below):
        assert majorises(found, below)


def vertex_entropies(p: np.ndarray, q: np.ndarray) -> list[float]:
    """Of all couplings with at most n + m - 1 cells that the marginals fix, by solving for every choice of cells."""
    n, m = len(p), len(q)
    found = []
    for cells in itertools.combinations(itertools.product(range(n), range(m)), n + m - 1):
        matrix = np.zeros((n + m, n + m - 1))
        for place, (i, j) in enumerate(cells):
            matrix[i, place] = matrix[n + j, place] = 1.0
        if np.linalg.matrix_rank(matrix) < n + m - 1:
            continue
        entries = np.linalg.lstsq(matrix, np.concatenate([p, q]), rcond=None)[0]
        if entries.min() > -1e-10:
            found.append(entropy(np.maximum(entries, 0.0)))
    return found


@given(seed=seeds)
@settings(max_examples=12, deadline=None)
def test_the_least_coupling_is_that_of_all_vertices(seed):
    p, q = laws_of(seed, most=3)
    expected = min(vertex_entropies(p, q))
    assert entropy(minimum_entropy_coupling(p, q)) == pytest.approx(expected, abs=1e-9)
    assert least_entropies(p, np.stack([q, q])) == pytest.approx([expected] * 2, abs=1e-9)


@given(seed=seeds)
@settings(max_examples=20, deadline=None)
def test_no_coupling_at_random_has_less_entropy(seed):
    """Mixtures of vertices and of the independent law are couplings too."""
    rng = np.random.default_rng(seed)
    p, q = laws_of(seed)
    least = entropy(minimum_entropy_coupling(p, q))
    for _ in range(5):
        rows, columns = rng.permutation(len(p)), rng.permutation(len(q))
        corner = np.zeros((len(p), len(q)))
        left, right = p.copy(), q.copy()
        for i, j in itertools.product(rows, columns):  # the north-west corner rule, in a random order
            corner[i, j] = min(left[i], right[j])
            left[i] -= corner[i, j]
            right[j] -= corner[i, j]
        mixed = corner + rng.random() * (np.outer(p, q) - corner)
        assert entropy(corner) >= least - ERROR
        assert entropy(mixed) >= least - ERROR


@given(seed=seeds)
@settings(max_examples=15, deadline=None)
def test_batches_are_single_pairs_side_by_side(seed):
    rng = np.random.default_rng(seed)
    p, q = (rng.dirichlet(np.full(size, 0.5), 3) for size in rng.integers(1, 5, 2))
    pairs = list(zip(p, q, strict=True))
    assert greedy_entropies(p, q) == pytest.approx([entropy(greedy_coupling(*pair)) for pair in pairs], abs=1e-9)
    assert least_entropies(p, q) == pytest.approx(
        [entropy(minimum_entropy_coupling(*pair)) for pair in pairs], abs=1e-9
    )
    np.testing.assert_allclose(meets(p, q), [meet(*pair) for pair in pairs], atol=1e-12)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (1, 3), (2, 2), (2, 4), (3, 3), (3, 4)])
def test_trees_are_all_there_once_each(n, m):
    cells, flows = spanning_trees(n, m)
    assert len(cells) == len({tuple(one) for one in cells.tolist()}) == n_trees(n, m)
    assert set(np.unique(flows)) <= {-1, 0, 1}


def test_no_coupling_is_within_half_a_bit_of_this_meet():
    """The bound of 0.53 bit counts from the least coupling, not from the meet."""
    p, q = np.full(3, 1 / 3), np.array([5, 2, 2]) / 9
    above = entropy(minimum_entropy_coupling(p, q)) - entropy(meet(p, q))
    assert above > GREEDY_OVER_LEAST + 0.03 * math.log(2)


# ------------------------------------------------------------------------------------------------ maps and merges
@given(seed=seeds, n=st.integers(2, 7))
@settings(max_examples=30, deadline=None)
def test_greedy_maps_keep_the_rate_and_one_its_guarantee(seed, n):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(n, rng.choice([0.3, 1.0, 10.0])))
    rate = float(rng.uniform(0, 1.05 * entropy(p)))
    second = np.sort(p)[-2]
    told = [entropy(cell_laws(p, one)) for one in (merge_into_commonest(p, rate), merge_rarest(p, rate))]
    best = [entropy(cell_laws(p, one)) for one in best_maps(p, rate)]
    assert max(best) - min(best) < 1e-8
    assert max(told) <= best[0] + ERROR <= rate + 2 * ERROR
    assert rate <= told[0] + entropy([second, 1 - second]) + ERROR or rate > entropy(p)


def test_merging_the_rarest_has_no_such_guarantee():
    """Eight equal symbols at 0.9 bit: all are merged, and 0.9 bit are lost where h(1/8) = 0.54 bit."""
    p, rate = np.full(8, 1 / 8), 0.9 * math.log(2)
    assert entropy(cell_laws(p, merge_rarest(p, rate))) == 0.0
    assert rate - entropy(cell_laws(p, merge_into_commonest(p, rate))) < entropy([1 / 8, 7 / 8]) < rate


def test_partitions_are_counted_by_bell_numbers():
    assert [len(set_partitions(n)) for n in range(1, 8)] == [1, 2, 5, 15, 52, 203, 877]
    assert len({tuple(one) for one in set_partitions(6).tolist()}) == 203
    assert all((numbered(one) == one).all() for one in set_partitions(5))


@given(seed=seeds)
@settings(max_examples=8, deadline=None)
def test_random_maps_lie_between_the_best_map_and_the_rate(seed):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(3))
    rate = float(rng.uniform(0, entropy(p)))
    best = entropy(cell_laws(p, best_maps(p, rate)[0]))
    told = random_map_information(p, rate, rng, n_laws=40, n_rounds=1)
    assert best - ERROR <= told <= rate + ERROR
    levels = entropies(cell_laws(p, set_partitions(3)))
    level = float(levels[levels <= rate + 1e-12].max())
    assert random_map_information(p, level, rng, n_laws=40, n_rounds=1) == pytest.approx(level, abs=1e-9)


@given(seed=seeds, share=st.floats(0.05, 0.95))
@settings(max_examples=20, deadline=None)
def test_tempered_laws_have_the_rate(seed, share):
    laws = np.random.default_rng(seed).dirichlet(np.ones(4), 10)
    rate = share * math.log(4)
    found = tempered(laws, rate)
    assert len(found)
    np.testing.assert_allclose(entropies(found), rate, atol=1e-6)


@given(seed=seeds, n=st.integers(3, 5))
@settings(max_examples=15, deadline=None)
def test_merges_keep_no_more_than_the_best_one(seed, n):
    rng = np.random.default_rng(seed)
    joint = rng.dirichlet(np.full(n * n, 0.5)).reshape(n, n)
    rate = float(rng.uniform(0, entropy(joint.sum(axis=1))))
    best = best_kept(joint, rate)
    plain = 0.0
    for labels in set_partitions(n):
        cells = np.array([joint[labels == cell].sum(axis=0) for cell in range(n)])
        if entropy(cells.sum(axis=1)) <= rate + 1e-12:
            plain = max(plain, mutual_information(cells))
    assert best == pytest.approx(plain, abs=1e-9)
    assert best <= mutual_information(joint) + ERROR
    assert entropy_kept(joint, rate).max() <= best + ERROR
    for labels in (predictive_merges(joint, rate), adjacent_merges(joint, rate)):
        assert entropy(cell_laws(joint.sum(axis=1), labels)) <= rate + 1e-9
        assert kept_information(joint, labels) <= best + ERROR


def test_criteria_do_what_their_names_say():
    """Symbols 0 and 1 have one future and never meet; 0 and 2 alternate."""
    joint = np.array([[0.0, 0.0, 0.25], [0.0, 0.0, 0.25], [0.3, 0.2, 0.0]])
    rate = 0.99 * entropy(joint.sum(axis=1))
    assert predictive_merges(joint, rate).tolist() == [0, 0, 1]
    assert adjacent_merges(joint, rate).tolist() == [0, 1, 0]


def test_nonsense_is_refused():
    with pytest.raises(ConfigError, match="must sum to 1"):
        meet([0.5, 0.4], [1.0])
    with pytest.raises(ConfigError, match="vector of probabilities"):
        greedy_coupling([1.2, -0.2], [1.0])
    with pytest.raises(ConfigError, match="trees"):
        minimum_entropy_coupling(np.full(5, 0.2), np.full(5, 0.2))
    with pytest.raises(ConfigError, match="1 .. 9 symbols"):
        set_partitions(10)
    with pytest.raises(ConfigError, match="rate"):
        best_maps([0.5, 0.5], -1.0)
    with pytest.raises(ConfigError, match="square"):
        adjacent_merges(np.full((2, 3), 1 / 6), 0.1)
    with pytest.raises(ConfigError, match="law"):
        kept_information(np.ones((2, 2)), np.arange(2))
