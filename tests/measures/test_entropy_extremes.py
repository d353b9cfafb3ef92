"""Estimators of entropy where arithmetic breaks: counts beyond 64 bits, vast alphabets, no numbers at all."""

import math

import numpy as np
import pytest

from testbed.core import ConfigError
from testbed.measures.entropy import ESTIMATORS, Fingerprint, entropy_from_counts
from testbed.measures.entropy.bayesian import nsb_entropy, nsb_mean


def test_counts_beyond_64_bits_are_refused_and_huge_ones_are_not() -> None:
    for counts in (np.array([2**63 + 5, 3], np.uint64), [1e19, 1.0]):
        with pytest.raises(ConfigError, match="must be at most 2"):
            entropy_from_counts(counts, "plug_in")
    for name in ESTIMATORS:
        assert entropy_from_counts([2**62, 2**62], name) == pytest.approx(math.log(2.0), abs=1e-11)


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize("size", [math.nan, math.inf])
def test_alphabets_that_are_not_finite_are_refused(name, size) -> None:
    with pytest.raises(ConfigError, match="alphabet_size"):
        entropy_from_counts([1, 2], name, size)


@pytest.mark.parametrize("concentration", [math.nan, math.inf, 0.0, 1e300])
def test_concentrations_that_leave_float64_are_refused(concentration) -> None:
    with pytest.raises(ConfigError, match="concentration"):
        entropy_from_counts([1, 2], "bayes", 4, concentration)
    assert entropy_from_counts([1, 2], "bayes", 4, 1e100) == pytest.approx(math.log(4.0))


@pytest.mark.parametrize("counts", [[5] * 20, [100, 1], [1] * 30 + [2], [10_000, 3, 1]])
@pytest.mark.parametrize("size", [1e9, 1e15, 1.8e19])
def test_nsb_over_as_many_bins_as_codes_have(counts, size) -> None:
    """The concentration is of the order 1 / S, and must not be rounded away beside counts."""
    sample = Fingerprint.of(counts)
    assert nsb_mean(sample, size) == pytest.approx(nsb_entropy(sample, size)[0], rel=1e-6, abs=1e-10)


def test_nsb_of_coincidences_in_a_vast_alphabet() -> None:
    """Five bins met twice among 1e15: by 40-digit arithmetic on a grid of 561 concentrations."""
    assert entropy_from_counts([2] * 5, "nsb", 1e15) == pytest.approx(2.1820381569645595, abs=1e-9)


@pytest.mark.parametrize(
    "name", ["plug_in", "miller_madow", "chao_shen", "chao_wang_jost", "james_stein", "zhang", "nsb", "bayes"]
)
def test_zero_has_no_sign(name) -> None:
    assert math.copysign(1.0, entropy_from_counts([100], name)) == 1.0
