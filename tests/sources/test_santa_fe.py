"""Santa Fe processes: golden numbers, and each kind of bits against enumeration and simulation."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.sources.bits import LN2, binary_entropy
from testbed.sources.power_law.key_sums import santa_fe_excess
from testbed.sources.power_law.santa_fe import SantaFeSource
from testbed.sources.sampled_truth import law_entropies


def zipf(b: float, n_keys: int) -> np.ndarray:
    p = np.arange(1, n_keys + 1) ** (-1 / b)
    return p / p.sum()


def test_golden_excess_in_bits():
    """b = .5: .600 .211 .0688 .0218 bit at n = 1, 10, 100, 1000."""
    p = zipf(0.5, 200_000)
    bits = [santa_fe_excess_at(p, n) / LN2 for n in (1, 10, 100, 1000)]
    assert bits == pytest.approx([0.600, 0.211, 0.0688, 0.0218], abs=5e-4)
    assert bits[2:] == pytest.approx([0.0688, 0.0218], abs=6e-5)


GOLDEN_AT = [4, 16, 64, 256, 1024, 4096]
GOLDEN = {
    0.5: [0.21208, 0.11736, 0.05952, 0.02989, 0.01496, 0.00748],
    0.3: [0.06938, 0.03744, 0.01389, 0.00532, 0.00202, 0.00077],
    # These are of 2e6 keys. With infinitely many (last keys by quadrature) b = .7 has .43733 .29322 .19531 .12915
    # .08525 .05626: its tail of rarer keys weighs .001.
    0.7: [0.43669, 0.29245, 0.19443, 0.12819, 0.08425, 0.05522],
}


@pytest.mark.parametrize("b", GOLDEN)
def test_golden_excess_in_nats(b):
    p = zipf(b, 2_000_000)
    assert [santa_fe_excess_at(p, l) for l in GOLDEN_AT] == pytest.approx(GOLDEN[b], abs=6e-6)


def santa_fe_excess_at(p: np.ndarray, l: int) -> float:
    return LN2 * float(p @ np.exp(l * np.log1p(-p)))


@pytest.mark.parametrize(
    "b, n_keys, tolerance",
    [(0.3, 10_000, 8e-6), (0.5, 50_000, 9e-6), pytest.param(0.7, 2_000_000, 9e-6, marks=pytest.mark.slow)],
)
def test_the_source_has_the_golden_excess(b, n_keys, tolerance):
    """Of 2e6 keys for b = .7. For b = .3 and .5 most of them are rarer than 2^-32, the least that a source gives a key;
    as many keys as that is right for have the same excess."""
    source = SantaFeSource(n_keys=n_keys, hilberg_exponent=b)
    excess = source.conditional_entropies(4096).lower - source.entropy_rate().lower
    assert excess[GOLDEN_AT] == pytest.approx(GOLDEN[b], abs=tolerance)


@pytest.mark.parametrize("b", [0.3, 0.5])
def test_keys_rarer_than_the_grid_are_as_frequent_as_it(b):
    """With all 2e6 keys h_l - h is higher by ln 2 times the probability that rare keys are given, .0003 nats."""
    source = SantaFeSource(n_keys=2_000_000, hilberg_exponent=b)
    given = float(np.maximum(source.key_weights / 2**32 - zipf(b, 2_000_000), 0).sum())
    excess = source.conditional_entropies(4096).lower - source.entropy_rate().lower
    assert excess[GOLDEN_AT] - GOLDEN[b] == pytest.approx(np.full(6, LN2 * given), abs=5e-5)


def test_golden_numbers_hold_for_the_quantised_source_and_its_samples():
    """b = .5, 10^5 keys: the truth, and how often a key is new after n tokens, 5.5 standard errors."""
    source = SantaFeSource(n_keys=100_000)
    at = [1, 10, 100, 1000]
    h = source.conditional_entropies(1000)
    excess = (h.lower[at] - source.entropy_rate().lower) / LN2
    assert excess == pytest.approx([0.600, 0.211, 0.0688, 0.0218], abs=5e-4)
    tokens = source.sample(4000, 1001, seed=5)
    new = np.array([(tokens[:, :n] // 2 != tokens[:, n : n + 1] // 2).all(axis=1).mean() for n in at])
    assert np.all(np.abs(new - excess) < 5.5 * np.sqrt(excess / 4000))


def test_vocabulary_of_told_facts_grows_as_a_power():
    """H(n) - n h = ln 2 E[number of keys seen], and V(n) ~ Gamma(1 - b) (n / zeta(1/b))^b."""
    from scipy.special import gamma, zeta

    source = SantaFeSource(n_keys=300)
    blocks = source.block_entropies(200).lower - np.arange(1, 201) * source.entropy_rate().lower
    p = source.key_weights / 2**32
    seen = [float(np.sum(1 - (1 - p) ** n)) for n in range(1, 201)]
    assert blocks == pytest.approx(LN2 * np.array(seen), abs=1e-9)
    p = zipf(0.5, 2_000_000)
    for n, tolerance in ((10_000, 0.01), (1_000_000, 0.002)):
        count = -np.expm1(n * np.log1p(-p)).sum()
        assert count == pytest.approx(gamma(0.5) * (n / zeta(2)) ** 0.5, rel=tolerance)


def test_excess_entropy_is_the_sum_of_what_is_left():
    """E = n_keys ln 2 for bits that stay, by the series too; and the sum of (h_l - h) for bits that flip."""
    for source, n in (
        (SantaFeSource(n_keys=4, hilberg_exponent=0.8), 3000),
        (SantaFeSource(n_keys=6, bits="mixing", flip=0.01), 4000),
        (SantaFeSource(n_keys=6, bits="mixing", flip=0.5), 10),
    ):
        h = source.conditional_entropies(n).lower - source.entropy_rate().lower
        assert h.sum() == pytest.approx(source.excess_entropy().lower, rel=1e-8, abs=1e-10)


@settings(max_examples=20)
@given(st.integers(1, 30), st.floats(0.1, 0.95), st.floats(0.001, 0.5))
def test_mixing_entropies_equal_the_sum_over_ages(n_keys, b, flip):
    """The formula written out, with the float law in place of the quantised one (they differ by 1e-7 or so)."""
    source = SantaFeSource(n_keys=n_keys, hilberg_exponent=b, bits="mixing", flip=flip)
    p = source.key_weights / 2**32
    for l in (0, 1, 5, 40):
        expected = -float(np.sum(p * np.log(p)))
        for a in range(1, l + 1):
            changed = (1 - (1 - 2 * flip) ** a) / 2
            expected += float(np.sum(p * p * (1 - p) ** (a - 1))) * float(binary_entropy(np.array(changed)))
        expected += float(np.sum(p * (1 - p) ** l)) * LN2
        assert source.conditional_entropies(l).lower[l] == pytest.approx(expected, abs=1e-7)
    far = source.conditional_entropies(5000).lower[-1]
    assert far >= source.entropy_rate().lower - 1e-12


def test_mixing_bits_flip_step_by_step():
    """Bits of one key that flip each step with probability f: the law of 10-token strings, enumerated from scratch."""
    source = SantaFeSource(n_keys=1, bits="mixing", flip=0.2)
    strings = np.array(np.meshgrid(*[[0, 1]] * 8, indexing="ij")).reshape(8, -1).T.astype(np.uint8)
    changes = (strings[:, 1:] != strings[:, :-1]).sum(axis=1)
    expected = 0.5 * 0.2**changes * 0.8 ** (7 - changes)
    assert np.exp(source.log_probs(strings).sum(axis=1)) == pytest.approx(expected, abs=1e-8)
    assert source.entropy_rate().lower == pytest.approx(float(binary_entropy(np.array(0.2))), abs=1e-8)


def test_frozen_bits_are_one_law_for_all_sequences():
    source = SantaFeSource(n_keys=5, bits="frozen", seed=7)
    tokens = source.sample(400, 50, seed=1).astype(int)
    assert np.array_equal(tokens % 2, source.frozen_bits[tokens // 2])
    assert source.conditional_entropies(3).lower == pytest.approx([source.key_entropy] * 4)
    assert source.excess_entropy().lower == 0.0
    assert len({SantaFeSource(n_keys=40, bits="frozen", seed=s).fingerprint for s in range(5)}) == 5


def test_bits_are_fresh_for_each_sequence_and_stay_in_it():
    source = SantaFeSource(n_keys=3)
    tokens = source.sample(2000, 60, seed=2).astype(int)
    for key in range(3):
        here = np.where(tokens // 2 == key, tokens % 2, -1)
        most, least = here.max(axis=1), np.where(here < 0, 2, here).min(axis=1)
        seen = most >= 0
        assert np.array_equal(most[seen], least[seen])
        assert abs(most[seen].mean() - 0.5) < 5.5 * 0.5 / math.sqrt(seen.sum())


def test_large_lexicons_are_read_without_a_law_over_all_tokens():
    source = SantaFeSource(n_keys=1_000_000, hilberg_exponent=0.9)
    tokens = source.sample(20, 300, seed=1)
    assert tokens.dtype == np.uint32
    short = source.sample(3, 4, seed=1)
    laws = source.predict(short)
    read = np.take_along_axis(laws, short.astype(int)[..., None], axis=2)[..., 0]
    assert source.log_probs(short) == pytest.approx(np.log(read))
    assert law_entropies(laws).shape == (3, 4)
    assert np.isfinite(source.log_probs(tokens)).all()


@pytest.mark.parametrize(
    "keys, named",
    [
        ({"bits": "mixing"}, "flip"),
        ({"flip": 0.1}, "flip"),
        ({"bits": "mixing", "flip": 0.0}, "flip"),
        ({"seed": 3}, "seed"),
        ({"hilberg_exponent": 1.0}, "hilberg_exponent"),
        ({"bits": "thawing"}, "bits"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(keys, named):
    with pytest.raises(ConfigError, match=named):
        SantaFeSource(**keys)


def test_excess_of_counted_keys_is_that_of_keys_one_by_one():
    p = np.array([0.5, 0.125, 0.125, 0.25])
    assert santa_fe_excess(np.array([0.5, 0.125, 0.25]), 5, np.array([1, 2, 1])) == pytest.approx(santa_fe_excess(p, 5))
