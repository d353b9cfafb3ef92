"""Which lags the sources of a replicate have, and the two quantities that are held against each other.

A source is three independent fair bits, bit j a copy of itself b_j tokens ago but for flips with one probability e:

    h_n = sum_j ( ln 2 [n < b_j] + H_2(e) [n >= b_j] ),    h = 3 H_2(e),    d = ln 2 - H_2(e)

    m-local entropy     h_(m-1) - h = d #{j : b_j >= m}      (H(X_m | X_1 .. X_(m-1)); Someya et al. 2025, 2506.05136)
    excess entropy      E = sum_(n >= 0) (h_n - h) = d (b_1 + b_2 + b_3)

The sum of h_n - h over all n is E itself, so that "the profile, with E held fixed" says something only of one h_(m-1)
at a fixed m: that is what is meant here. Number of far lags and sum of lags are crossed, every number with every sum,
so that sources of equal h and E differ in h_(m-1), and sources of equal h and h_(m-1) differ in E. Lags are drawn anew
for every replicate among those that fit; the three always differ, so that each takes a place of its own.
"""

from collections.abc import Iterable
from functools import lru_cache
from itertools import combinations

import numpy as np

from testbed.core import ConfigError
from testbed.sources.bits import LN2, binary_entropy
from testbed.sources.lags.staircase import StaircaseSource
from testbed.studies.memory_profile.config import Profiles

Lags = tuple[int, int, int]
N_BITS = 3


@lru_cache(maxsize=256)
def fitting(places: range, split: int, n_far: int, total: int) -> tuple[Lags, ...]:
    """Every three different lags of these places of which `n_far` are at least `split`, and whose sum is `total`.

    >>> fitting(range(1, 22), 3, 1, 12), fitting(range(1, 22), 3, 3, 12)
    (((1, 2, 9),), ((3, 4, 5),))
    """
    found = (
        (one, two, total - one - two) for one, two in combinations(places, 2) if two < total - one - two < places.stop
    )
    return tuple(lags for lags in found if sum(lag >= split for lag in lags) == n_far)


def main_cells(profiles: Profiles) -> list[tuple[range, int, int, int]]:
    """(places, m, far lags, sum of lags), every number with every sum."""
    places = range(1, profiles.window + 1)
    return [(places, profiles.split, n_far, total) for n_far in (1, 2, 3) for total in profiles.sums]


def far_cells(profiles: Profiles) -> list[tuple[range, int, int, int]]:
    """The same with lags of the farther half of the window: twice a lag lies outside, so that no bit shows twice."""
    places = range(profiles.window // 2 + 1, profiles.window + 1)
    return [(places, profiles.far_split, n_far, total) for n_far in (1, 2) for total in profiles.far_sums]


def check_cells(profiles: Profiles) -> None:
    """Raise ConfigError where a cell has no lags that fit."""
    for name, cells in (("sums", main_cells(profiles)), ("far_sums", far_cells(profiles))):
        for places, split, n_far, total in cells:
            if not fitting(places, split, n_far, total):
                raise ConfigError(
                    f"profiles.{name}: no three lags of {places.start} .. {places.stop - 1} have the sum {total} and"
                    f" {n_far} of at least {split}"
                )


def drawn_lags(profiles: Profiles, far: bool, seed: int) -> list[Lags]:
    """The lags of a replicate's sources; one for each crossing, or `far_draws`."""
    rng = np.random.default_rng([*(b"far" if far else b"main"), seed])
    cells = far_cells(profiles) * profiles.far_draws if far else main_cells(profiles)
    fit = [fitting(*cell) for cell in cells]
    return [one[int(rng.integers(len(one)))] for one in fit]


@lru_cache(maxsize=16)
def noise_of(rate_bits: float) -> float:
    """e with 3 H_2(e) = rate."""
    low, high = 0.0, 0.5
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if N_BITS * binary_entropy(middle) < rate_bits * LN2 else (low, middle)
    return (low + high) / 2


def source_of(profiles: Profiles, lags: Iterable[int]) -> StaircaseSource:
    """The staircase of these lags."""
    return StaircaseSource(lags=tuple(lags), noises=(noise_of(profiles.rate_bits),) * N_BITS)
