"""The rule by which studies of length choose learning rates."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.core import Config, ConfigError
from testbed.runs import Cell, Record
from testbed.studies.tuning import TUNING_OFFSET, Tuning, least_scored, mean_metric


class Here(Config):
    """A probe."""

    place: int


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


@given(st.lists(st.integers(0, 6), min_size=1, max_size=5), st.integers(0, 3))
def test_the_first_score_near_to_the_least_is_taken_and_only_once_all_are_known(scores, tie):
    """One cell a rate; the slow twin goes through the rates in order."""
    rates = [1e-3 * 2**i for i in range(len(scores))]
    cells = [Cell("x", 1, Here(place=i)) for i in range(len(scores))]
    records = {c.key: Record(c.key, "x", {}, "done", {"loss": float(s)}) for c, s in zip(cells, scores, strict=True)}

    def choose(finished):
        return least_scored(rates, lambda rate: [cells[rates.index(rate)]], mean_metric("loss"), finished, float(tie))

    wanted = [rate for rate, score in zip(rates, scores, strict=True) if all(score <= other + tie for other in scores)]
    assert choose(records) == (wanted[0], cells)
    assert choose(dict(list(records.items())[1:])) == (None, cells)


def test_replicates_of_the_tuning_are_its_own():
    assert list(Tuning(n_seeds=3).seeds) == [TUNING_OFFSET, TUNING_OFFSET + 1, TUNING_OFFSET + 2]


@pytest.mark.parametrize("rates", [(2e-3, 1e-3), (1e-3, 1e-3), (0.0, 1e-3), (-1.0,)])
def test_rates_must_be_positive_and_rise(rates):
    with pytest.raises(ConfigError, match="must be positive and rise"):
        Tuning(learning_rates=rates)
