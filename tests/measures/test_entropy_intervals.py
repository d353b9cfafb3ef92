"""h_k of streams of known truth: values, identities, intervals, and the order beyond which nothing is known."""

import math

import numpy as np
import pytest

from testbed.core import ConfigError
from testbed.measures.entropy import ESTIMATORS, GramCounter, conditional_entropies, count_grams, entropy_profiles
from testbed.measures.entropy.interval_coverage import binomial_interval, measure_coverage
from testbed.measures.entropy.intervals import standard_errors
from testbed.measures.entropy.profile import differences
from testbed.sources import MarkovSource
from testbed.sources.hidden import GoldenMean
from testbed.sources.iid import IIDSource


def plug_in_by_contexts(tokens: np.ndarray, k: int) -> float:
    """Mean entropy of the frequencies that follow each context."""
    following: dict[tuple[int, ...], list[int]] = {}
    for i in range(len(tokens) - k):
        following.setdefault(tuple(tokens[i : i + k]), []).append(int(tokens[i + k]))
    total = 0.0
    for tail in following.values():
        p = np.bincount(tail) / len(tail)
        total -= len(tail) * (p[p > 0] * np.log(p[p > 0])).sum()
    return total / (len(tokens) - k)


def test_plug_in_is_the_mean_entropy_after_each_context() -> None:
    tokens = np.random.default_rng(0).integers(0, 3, 500, dtype=np.uint8)
    profile = conditional_entropies(tokens, 4, "plug_in", interval="none")
    expected = [plug_in_by_contexts(tokens, k) for k in range(5)]
    assert profile.values == pytest.approx(expected, abs=1e-12)
    assert np.isnan(profile.lower).all()


@pytest.mark.parametrize("name", ["plug_in", "miller_madow", "chao_shen", "chao_wang_jost", "james_stein", "zhang"])
def test_a_constant_and_a_periodic_stream(name) -> None:
    assert conditional_entropies(np.zeros(300, np.uint8), 3, name, vocab_size=2).values.tolist() == [0.0] * 4
    periodic = np.tile(np.array([0, 1], np.uint8), 200)
    profile = conditional_entropies(periodic, 3, name, vocab_size=2, interval="none")
    assert profile.values[0] == pytest.approx(math.log(2), abs=4e-3)
    assert profile.values[1:] == pytest.approx(np.zeros(3), abs=0.02 if name == "james_stein" else 4e-3)  # it shrinks
    if name == "plug_in":
        assert profile.values[1:] == pytest.approx(np.zeros(3), abs=1e-14)


@pytest.mark.slow
def test_estimates_of_a_chain_lie_at_its_truth() -> None:
    """Within 6 standard errors of the jackknife over 20 blocks: Student's t beyond 6 has probability 9e-6 in each of
    the 40 cells, which share one draw; the draw is fixed, and the bias at these orders is far below the allowance."""
    source = MarkovSource.random(vocab_size=3, order=2, entropy_rate=0.7, seed=0)
    tokens = source.sample(1, 200_000, seed=1)[0]
    truth = np.asarray(source.conditional_entropies(3).value)
    for profile in entropy_profiles(tokens, 3, list(ESTIMATORS)):
        assert np.all(np.abs(profile.values - truth) < 6 * profile.standard_error + 5e-4), profile.estimator
        assert profile.trust_limit == 3
        steps = np.diff(profile.block_entropies, prepend=0.0)
        assert steps == pytest.approx(profile.values, abs=1e-3)


def test_beyond_the_trust_limit_plug_in_falls_whatever_the_law() -> None:
    """A fair coin: h_k = ln 2 at every k."""
    coin = np.random.default_rng(3).integers(0, 2, 20_000, dtype=np.uint8)
    profile = conditional_entropies(coin, 16, "plug_in", interval="none")
    limit = profile.trust_limit
    assert 9 <= limit <= 12
    assert profile.values[limit] > 0.9 * math.log(2)
    assert profile.values[16] < 0.1
    assert np.all(np.diff(profile.coverage_deficit) > -1e-9)


def test_the_jackknife_is_that_of_definition() -> None:
    tokens = np.random.default_rng(4).integers(0, 2, 400, dtype=np.uint8)
    counter = GramCounter(tokens, 2, 2, n_pieces=5)
    errors = standard_errors(counter, lambda counts: differences(counts, "plug_in"))
    starts = np.linspace(0, 399, 6).round().astype(int)
    estimates = []
    for block in range(5):
        kept = [i for i in range(399) if not starts[block] <= i < starts[block + 1]]
        codes = [2 * tokens[i] + tokens[i + 1] for i in kept]
        pairs = np.bincount(codes, minlength=4) / len(kept)
        first = pairs.reshape(2, 2).sum(axis=1)
        estimates.append((first @ np.log(first)) - (pairs @ np.log(pairs)))
    spread = np.std(estimates) * math.sqrt(4)
    assert errors[1] == pytest.approx(spread, rel=1e-10)


def test_both_intervals_are_as_wide_as_the_estimates_spread() -> None:
    """Standard errors of 30 streams against the deviation over them: each is within 40 % of the other. The deviation of
    30 draws has relative error 1 / sqrt(58) = 13 %, so that 40 % is 3 of them, and jackknife and bootstrap are
    averages over 30; the draws are fixed."""
    source = GoldenMean()
    drawn = [source.sample(1, 3000, seed=5, first_sequence=i)[0] for i in range(30)]
    values, claimed = [], {"jackknife": [], "bootstrap": []}
    for tokens in drawn:
        for interval, errors in claimed.items():
            profile = conditional_entropies(tokens, 1, "miller_madow", 2, interval, n_bootstrap=20)
            errors.append(profile.standard_error)
        values.append(profile.values)
    spread = np.std(values, axis=0, ddof=1)
    for errors in claimed.values():
        assert np.mean(errors, axis=0) == pytest.approx(spread, rel=0.4)


def test_the_bootstrap_follows_its_seed_and_leaves_the_counts_as_they_were() -> None:
    tokens = np.random.default_rng(6).integers(0, 3, 600, dtype=np.uint8)
    one, two, other = (conditional_entropies(tokens, 1, "zhang", 3, "bootstrap", seed=s) for s in (0, 0, 1))
    assert one.standard_error.tolist() == two.standard_error.tolist() != other.standard_error.tolist()
    counter = GramCounter(tokens, 2, 3, n_pieces=4)
    standard_errors(counter, lambda counts: differences(counts, "zhang"), "bootstrap", 3)
    assert counter.counts().grams == count_grams(tokens, 2, 3).grams


def test_measured_coverage_of_intervals() -> None:
    """60 draws where bias is small beside the spread: at least 44 hold (fewer have probability 2e-7 at 95 %)."""
    (found,) = measure_coverage(IIDSource(probabilities=(0.7, 0.3)), 2000, 1, ["miller_madow"], n_draws=60)
    assert np.all(found.held * 60 >= 44)
    assert np.all((found.held_lower <= found.held) & (found.held <= found.held_upper))
    assert np.all(np.abs(found.bias) < found.spread)
    assert found.trust_limit == 1


def test_coverage_needs_an_exact_ergodic_truth() -> None:
    from testbed.sources.in_context import BiasedCoinSource

    with pytest.raises(ConfigError, match="is not ergodic"):
        measure_coverage(BiasedCoinSource(), 100, 1, ["nsb"])


def test_binomial_intervals_cover() -> None:
    """For every p the probability of holding it is at least the confidence."""
    from scipy.stats import binom

    k = np.arange(21)
    lower, upper = binomial_interval(k, 20, 0.9)
    for p in np.linspace(0.01, 0.99, 25):
        assert binom.pmf(k, 20, p)[(lower <= p) & (p <= upper)].sum() >= 0.9


@pytest.mark.parametrize(
    "keys, said",
    [
        ({"max_order": -1}, "max_order: given -1, must be at least 0"),
        ({"interval": "jacknife"}, "did you mean jackknife?"),
        ({"n_blocks": 1}, "n_blocks: given 1; an interval needs at least 2"),
        ({"n_blocks": 500}, "n_blocks: given 500, but there are only 98 windows of 3 tokens"),
        ({"confidence": 1.0}, "confidence: given 1.0, must lie between 0 and 1"),
    ],
)
def test_what_has_no_interval_is_refused(keys, said) -> None:
    with pytest.raises(ConfigError) as error:
        conditional_entropies(np.arange(100) % 2, **{"max_order": 2, **keys})
    assert said in str(error.value)


@pytest.mark.parametrize(
    "keys, said",
    [
        ({"n_blocks": 2.5}, "n_blocks: given 2.5, must be an integer"),
        ({"interval": "bootstrap", "n_bootstrap": 1}, "n_bootstrap: given 1; a standard deviation needs at least 2"),
        ({"max_deficit": math.nan}, "max_deficit: given nan, must lie in 0 .. 1"),
        ({"max_order": "2"}, "max_order: given '2', must be an integer"),
    ],
)
def test_arguments_of_another_kind_are_refused(keys, said) -> None:
    with pytest.raises(ConfigError) as error:
        conditional_entropies(np.array([0, 1] * 50), **{"max_order": 2, "estimator": "zhang", **keys})
    assert said in str(error.value)
