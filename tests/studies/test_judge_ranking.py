"""Comparisons of options: identities of regret and shortfall, coverage of the sets, and behaviour at the edges."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.studies.judge import Ranking, Replicates, clopper_pearson

TWO = Replicates.grid({"kernel": 2}, seed=0)


def exact_ranking(theta: list[float]) -> Ranking:
    """Losses without spread: the ranking is of the numbers themselves."""
    return Ranking(np.tile(theta, (2, 1)), TWO)


grid_losses = st.lists(st.integers(0, 6).map(lambda i: i / 4), min_size=2, max_size=6)  # binary fractions: exact sums


@given(grid_losses, st.integers(0, 4).map(lambda i: i / 4))
def test_shortfall_decides_which_option_is_the_smallest_within_delta(theta: list[float], delta: float):
    ranking = exact_ranking(theta)
    truth = min(i for i, value in enumerate(theta) if value <= min(theta) + delta)
    shortfalls = [ranking.shortfall(m).estimate for m in range(len(theta) - 1)]
    assert shortfalls == [min(theta[: m + 1]) - min(theta[m + 1 :]) for m in range(len(theta) - 1)]
    assert np.all(np.diff(shortfalls) <= 0)
    assert [s <= delta for s in shortfalls] == [truth <= m for m in range(len(theta) - 1)]
    assert ranking.smallest_within(delta) == (truth, truth, truth)


@given(grid_losses)
def test_regret_and_best_set_of_exact_losses(theta: list[float]):
    ranking = exact_ranking(theta)
    for option, value in enumerate(theta):
        others = [other for i, other in enumerate(theta) if i != option]
        assert ranking.regret(option).estimate == value - min(others)
    assert ranking.best_set() == tuple(np.flatnonzero(np.array(theta) == min(theta)))


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1), st.sampled_from([6, 9]), st.permutations(range(4)))
def test_permuting_options_permutes_the_best_set(seed: int, n: int, order: list[int]):
    losses = np.random.default_rng(seed).normal(np.array([0.0, 0.5, 1.5, 0.0]), size=(n, 4))
    design = Replicates.grid({"kernel": n}, seed=0)
    best = Ranking(losses, design).best_set()
    permuted = Ranking(losses[:, order], design).best_set()
    assert {order[option] for option in permuted} == set(best)
    assert best


@pytest.mark.parametrize(
    ("n", "n_draws"),
    [(3, 600), pytest.param(5, 600, marks=pytest.mark.slow), pytest.param(8, 200, marks=pytest.mark.slow)],
)
@pytest.mark.parametrize(
    ("theta", "delta"),
    [
        ((1.0, 0.3, 0.0, 0.0, 0.0), 0.05),  # ties beyond the optimum, as beyond a source's order
        ((0.5, 0.3, 0.15, 0.1, 0.0), 0.1001),  # one option a hair within delta
        ((0.5, 0.3, 0.15, 0.1, 0.0), 0.0999),  # ... and a hair outside
        ((0.1, 0.0, 1.0, 1.0, 1.0), 0.0999),
    ],
)
def test_smallest_within_and_best_set_cover(theta: tuple[float, ...], delta: float, n: int, n_draws: int):
    """Misses of 90 % statements are at most 10 % (false alarm 1e-4 each); noise shared by the options is large."""
    rng, design = np.random.default_rng([n, int(1e4 * delta)]), Replicates.grid({"kernel": n}, seed=0)
    truth = int(np.argmax(np.array(theta) <= min(theta) + delta))
    best = int(np.argmin(theta))
    missed = np.zeros(2, dtype=int)
    for _ in range(n_draws):
        losses = theta + 0.1 * rng.normal(size=(n, 5)) + rng.normal(size=(n, 1))
        ranking = Ranking(losses, design)
        estimate, lowest, highest = ranking.smallest_within(delta, alpha=0.1)
        assert lowest <= estimate <= highest
        missed += [not lowest <= truth <= highest, best not in ranking.best_set(alpha=0.1)]
    assert all(clopper_pearson(int(count), n_draws, 2e-4)[0] <= 0.1 for count in missed), missed / n_draws


def test_intervals_shrink_to_the_truth_and_flag_edges():
    rng = np.random.default_rng(0)
    theta, design = np.array([0.4, 0.2, 0.0, 0.1]), Replicates.grid({"kernel": 6, "draw": 2}, seed=0)
    sharp = Ranking(theta + 0.01 * rng.normal(size=(6, 2, 4)), design)
    assert sharp.best_set() == (2,)
    assert sharp.smallest_within(0.05) == (2, 2, 2)
    assert sharp.edges(sharp.best_set()) == ()
    assert sharp.edges(sharp.smallest_within(0.05)) == ()
    assert sharp.edges(sharp.smallest_within(0.5)) == ("first",)
    assert sharp.regret(2).upper(0.05) < 0 < sharp.regret(0).lower(0.05)
    vague = Ranking(rng.normal(size=(12, 4)), design)
    assert vague.edges(vague.smallest_within(0.0)) == ("first", "last")


def test_what_is_refused():
    with pytest.raises(ValueError, match=r"nan for option 1 at kernel=1"):
        Ranking([[0.0, 1.0], [0.0, np.nan]], TWO)
    with pytest.raises(ValueError, match="two options at least"):
        Ranking([[0.0], [1.0]], TWO)
    with pytest.raises(ValueError, match="3 rows, the replicates 2"):
        Ranking(np.zeros((3, 2)), TWO)
    ranking = exact_ranking([0.0, 1.0])
    with pytest.raises(ValueError, match="no option is left beyond 1"):
        ranking.shortfall(1)
    with pytest.raises(ValueError, match="options are 0 to 1, not 2"):
        ranking.regret(2)
    with pytest.raises(ValueError, match="delta"):
        ranking.smallest_within(-0.1)
