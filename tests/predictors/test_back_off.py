"""Back-off against a dictionary of contexts; its laws sum to one, and no source is coded below its entropy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed import predictors
from testbed.core import ConfigError
from testbed.predictors.back_off import back_off_code_lengths, back_off_law
from testbed.sources import MarkovSource


def slow_law(past: list[int], vocab_size: int, depth: int, first: int) -> np.ndarray:
    """q(. | past), from the contexts at positions `first` on."""
    law = np.full(vocab_size, 1 / vocab_size)
    for k in range(depth + 1):
        context = past[len(past) - k :]
        counts = np.zeros(vocab_size)
        for i in range(first, len(past)):
            if past[i - k : i] == context:
                counts[past[i]] += 1
        if counts.sum():
            d = (counts > 0).sum()
            law = (counts + d * law) / (counts.sum() + d)
    return law


@given(st.lists(st.integers(0, 2), min_size=1, max_size=30), st.integers(0, 3))
def test_laws_equal_those_of_a_dictionary(tokens, depth) -> None:
    laws = back_off_law(np.array(tokens), 3, depth)
    assert laws.sum(axis=-1) == pytest.approx(np.ones(len(tokens)))
    for t in range(depth, len(tokens)):
        assert laws[t] == pytest.approx(slow_law(tokens[:t], 3, depth, depth))
    lengths = back_off_code_lengths(np.array(tokens), 3, depth)
    assert lengths == pytest.approx(-np.log(laws[np.arange(len(tokens)), tokens]))


def test_rows_are_sequences_of_their_own() -> None:
    rows = np.random.default_rng(0).integers(0, 4, (3, 50))
    together = back_off_code_lengths(rows, 4, 2)
    assert together == pytest.approx(np.array([back_off_code_lengths(row, 4, 2) for row in rows]))


def test_a_chain_is_coded_near_its_rate_and_not_below() -> None:
    """The mean code length over 20 texts is above h by at least 0 within 6 standard errors, and close to it."""
    source = MarkovSource.random(vocab_size=3, order=2, entropy_rate=0.7, seed=0)
    costs = back_off_code_lengths(source.sample(20, 4000, seed=1), 3, 4).mean(axis=1)
    error = costs.std(ddof=1) / np.sqrt(20)
    assert 0.7 - 6 * error < costs.mean() < 0.78


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ConfigError, match="must lie in 0 .. V - 1 = 1"):
        back_off_code_lengths(np.array([0, 2]), 2, 1)
    with pytest.raises(ConfigError, match="depth: given -1"):
        back_off_code_lengths(np.array([0, 1]), 2, -1)
    with pytest.raises(ConfigError, match="need integers"):
        back_off_code_lengths(np.array([0.5]), 2, 1)


@pytest.mark.parametrize("vocab_size, depth", [(2.0, 1), ("2", 1), (2**40, 1), (0, 1), (2, 1.0), (2, -1)])
def test_sizes_that_are_none_are_refused(vocab_size, depth) -> None:
    for tokens in (np.array([0, 1]), np.zeros(0, int)):
        with pytest.raises(ConfigError, match="vocab_size|depth"):
            back_off_code_lengths(tokens, vocab_size, depth)


def test_it_is_a_public_predictor() -> None:
    assert predictors.back_off_law is back_off_law
    assert "back_off_code_lengths" in predictors.__all__
