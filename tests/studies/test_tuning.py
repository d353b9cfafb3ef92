"""The rule by which studies of length choose learning rates."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.studies.tuning import TUNING_OFFSET, Tuning

excesses = st.lists(st.lists(st.one_of(st.floats(0, 1), st.just(math.inf)), min_size=2, max_size=2), min_size=1)


@given(excesses, st.floats(0, 0.1))
def test_the_smallest_rate_that_none_beats_by_more_than_the_tie(excess, tie):
    """The slow twin: rates in order, each held against every other."""
    rates = tuple(1e-3 * 2**i for i in range(len(excess)))
    tuning = Tuning(learning_rates=rates, tie=tie)
    mean = {rate: sum(row) / 2 for rate, row in zip(rates, excess, strict=True)}
    wanted = [rate for rate in rates if not any(mean[rate] > mean[other] + tie for other in rates)]
    assert tuning.chosen(excess) == wanted[0]


@given(excesses)
def test_a_rate_that_diverges_is_taken_only_if_all_do(excess):
    rates = tuple(1e-3 * 2**i for i in range(len(excess)))
    diverged = [math.inf in row for row in excess]
    chosen = Tuning(learning_rates=rates).chosen(excess)
    assert diverged[rates.index(chosen)] is all(diverged)


def test_replicates_of_the_tuning_are_its_own():
    assert list(Tuning(n_seeds=3).seeds) == [TUNING_OFFSET, TUNING_OFFSET + 1, TUNING_OFFSET + 2]


@pytest.mark.parametrize("rates", [(2e-3, 1e-3), (1e-3, 1e-3), (0.0, 1e-3), (-1.0,)])
def test_rates_must_be_positive_and_rise(rates):
    with pytest.raises(ConfigError, match="must be positive and rise"):
        Tuning(learning_rates=rates)
