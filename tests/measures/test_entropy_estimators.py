"""Estimators of entropy against their definitions, published values, and exact expectations by enumeration."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import digamma, exp1, gammaln, polygamma
from scipy.stats import multinomial

from testbed.core import ConfigError
from testbed.measures.entropy import ESTIMATORS, Fingerprint, coverage_deficit, entropy_from_counts, trust_limit
from testbed.measures.entropy.bayesian import dirichlet_entropy, nsb_entropy, nsb_mean
from testbed.measures.entropy.estimators import geometric_tail

COUNTS = st.lists(st.integers(0, 40), min_size=2, max_size=12).filter(lambda counts: sum(counts) > 1)
README_100 = [4, 12, 4, 5, 3, 1, 5, 1, 2, 2, 2, 2, 11, 3, 4, 12, 12, 1, 2]
README_20 = [7, 3, 5, 8, 9, 1, 3, 3, 1, 0, 2, 5, 2, 11, 4, 23, 5, 0, 8, 0]
ZERO_ON_CONSTANT = {"plug_in", "miller_madow", "chao_shen", "chao_wang_jost", "james_stein", "zhang"}


# ---- published values ----


def test_nsb_equals_the_values_that_ndd_publishes() -> None:
    """README of ndd 1.8 and later (k = 100, value and deviation), 1.6.1 (k = 100, one count more), 1.4.1 (20 bins).

    ndd integrates to about 5e-6. The deviation that 1.4.1 prints for the last is another one, as it says.
    """
    mean, deviation = nsb_entropy(Fingerprint.of(README_100), 100)
    assert mean == pytest.approx(2.8060922529931225, abs=1e-5)
    assert deviation == pytest.approx(0.11945501149743358, abs=5e-5)
    assert entropy_from_counts(README_100, "nsb", 100) == pytest.approx(2.8060922529931225, abs=1e-5)
    assert entropy_from_counts([12, *README_100], "nsb", 100) == pytest.approx(2.840012048914245, abs=1e-9)
    assert entropy_from_counts(README_20) == pytest.approx(2.623634344888532, abs=1e-9)


def test_the_sums_that_grassberger_prints() -> None:
    """G(1) = -gamma - ln 2, G(2) = 2 - gamma - ln 2, G(2n + 1) = G(2n), G(2n + 2) = G(2n) + 2 / (2n + 1)
    (Grassberger 2003): read off samples of one bin met n times, where H = ln n - G(n)."""

    def g(n: int) -> float:
        return math.log(n) - entropy_from_counts([n], "grassberger_2003")

    assert g(1) == pytest.approx(-np.euler_gamma - math.log(2))
    assert g(2) == pytest.approx(2 - np.euler_gamma - math.log(2))
    for n in range(1, 40):
        assert g(2 * n + 1) == pytest.approx(g(2 * n))
        assert g(2 * n + 2) == pytest.approx(g(2 * n) + 2 / (2 * n + 1))
        definition = digamma(n) + (-1) ** n / 2 * (digamma((n + 1) / 2) - digamma(n / 2))
        assert g(n) == pytest.approx(definition)


# ---- expectations ----


def outcomes(p: np.ndarray, n: int):
    """(probability, counts) of every multinomial outcome."""
    grid = np.indices((n + 1,) * (len(p) - 1)).reshape(len(p) - 1, -1).T
    counts = np.column_stack([grid, n - grid.sum(axis=1)])
    counts = counts[counts[:, -1] >= 0]
    return zip(multinomial(n, p).pmf(counts), counts, strict=True)


@pytest.mark.parametrize("p", [(0.5, 0.5), (0.9, 0.1), (0.2, 0.3, 0.5), (0.7, 0.2, 0.06, 0.04)])
@pytest.mark.parametrize("n", [1, 2, 5, 9])
def test_expectations_of_plug_in_and_miller_madow(p, n) -> None:
    """By enumeration of all outcomes, and by the sum over bins: E H = -sum_i E (c/n) ln (c/n), c binomial(n, p_i), and
    on top (sum_i P(bin i met) - 1) / 2n."""
    p = np.array(p)
    c = np.arange(1, n + 1)
    log_choose = gammaln(n + 1) - gammaln(c + 1) - gammaln(n - c + 1)
    plug_in = 0.0
    for q in p:
        plug_in -= np.sum(np.exp(log_choose + c * np.log(q) + (n - c) * np.log1p(-q)) * c / n * np.log(c / n))
    miller_madow = plug_in + (np.sum(1 - (1 - p) ** n) - 1) / (2 * n)
    for name, expected in (("plug_in", plug_in), ("miller_madow", miller_madow)):
        mean = sum(weight * entropy_from_counts(counts, name) for weight, counts in outcomes(p, n))
        assert mean == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("n", [2, 3, 6, 10])
def test_zhang_has_exactly_the_terms_below_n(n) -> None:
    """E H_z = sum_(v < n) sum_i p (1 - p)^v / v: each term is unbiased (Zhang 2012)."""
    p = np.array([0.55, 0.3, 0.1, 0.05])
    expected = sum((p * (1 - p) ** v).sum() / v for v in range(1, n))
    mean = sum(weight * entropy_from_counts(counts, "zhang") for weight, counts in outcomes(p, n))
    assert mean == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("z", [2.0, 4.0, 8.0])
def test_what_the_terms_of_grassberger_leave_for_poisson_counts(z) -> None:
    """E[n psi(n)] = z ln z + z E1(z); 1988: what is left falls like e^-z / z^2; 2003: like e^-2z."""
    n = np.arange(1, 200)
    weight = np.exp(n * np.log(z) - z - gammaln(n + 1))
    assert weight @ (n * digamma(n)) == pytest.approx(z * np.log(z) + z * exp1(z), rel=1e-12)

    def left(name: str) -> float:
        terms = np.array([m * (math.log(m) - entropy_from_counts([m], name)) for m in n])
        return abs(weight @ terms - z * np.log(z))

    assert left("grassberger_1988") < 3 * np.exp(-z) / z**2
    assert left("grassberger_2003") < np.exp(-2 * z)


# ---- definitions ----


def by_definition(name: str, counts: list[int], size: int) -> float:
    """The formula as its authors print it, term by term."""
    n, met = sum(counts), [c for c in counts if c]
    f1, f2 = met.count(1), met.count(2)
    p = [c / n for c in met]
    if name == "zhang":
        return sum(
            c / n * sum(math.prod(1 - (c - 1) / (n - 1 - j) for j in range(v)) / v for v in range(1, n - c + 1))
            for c in met
        )
    if name == "chao_shen":
        coverage = 1 - (f1 if f1 < n else n - 1) / n
        return -sum(coverage * q * math.log(coverage * q) / (1 - (1 - coverage * q) ** n) for q in p)
    if name == "chao_wang_jost":
        first = sum(c / n * sum(1 / k for k in range(c, n)) for c in met if c < n)
        if f2:
            a = 2 * f2 / ((n - 1) * f1 + 2 * f2)
        else:
            a = 2 / ((n - 1) * (f1 - 1) + 2) if f1 else 1.0
        if a == 1:
            return first
        rest = -math.log(a) - sum((1 - a) ** r / r for r in range(1, n))
        return first + f1 / n * (1 - a) ** (1 - n) * rest
    if name == "james_stein":
        full = p + [0.0] * (size - len(p))
        distance = (n - 1) * sum((1 / size - q) ** 2 for q in full)
        spread = 1 - sum(q * q for q in full)
        weight = 1.0 if spread >= distance else max(spread / distance, 0.0)
        shrunk = [weight / size + (1 - weight) * q for q in full]
        return -sum(q * math.log(q) for q in shrunk if q > 0)
    if name == "bayes":
        x = [c + 0.5 for c in met] + [0.5] * (size - len(met))
        return digamma(sum(x) + 1) - sum(y / sum(x) * digamma(y + 1) for y in x)
    assert name == "grassberger_1988"
    return math.log(n) - sum(c * digamma(c) + (-1) ** c / (c + 1) for c in met) / n


@pytest.mark.parametrize("name", ["zhang", "chao_shen", "chao_wang_jost", "james_stein", "bayes", "grassberger_1988"])
@settings(max_examples=40)
@given(COUNTS)
def test_estimators_equal_their_definitions(name, counts) -> None:
    expected = by_definition(name, counts, len(counts))
    assert entropy_from_counts(counts, name) == pytest.approx(expected, rel=1e-8, abs=1e-9)


@pytest.mark.parametrize("missing", [1e-6, 1e-3, 0.05, 0.5, 0.97])
@pytest.mark.parametrize("n", [2, 10, 1000, 10**6])
def test_the_tail_of_chao_wang_and_jost(missing, n) -> None:
    """Against the integral of t^(n-1) x / (1 - x t) over 0 .. 1, t = e^-s."""
    from scipy.integrate import quad

    x = 1 - missing
    parts = [0, 1 / n, 5 / n, 50 / n]
    integral = sum(
        quad(lambda s: math.exp(-n * s) * x / (1 - x * math.exp(-s)), a, b, epsabs=0, epsrel=1e-11)[0]
        for a, b in itertools.pairwise(parts)
    )
    assert geometric_tail(missing, n) == pytest.approx(integral, rel=1e-8)


def nsb_by_brute_force(counts: list[int], size: int) -> float:
    """The trapezoid rule over ln b on a wide grid, each bin by itself."""
    u = np.linspace(-40, 36, 8001)
    b = np.exp(u)
    n = np.array([c for c in counts if c])
    total = n.sum()
    log_w = np.zeros_like(u)
    for c in n:
        log_w += np.log(b[:, None] + np.arange(c)).sum(axis=1)
    log_w -= np.log(size * b[:, None] + np.arange(total)).sum(axis=1)
    density = size * polygamma(1, size * b + 1) - polygamma(1, b + 1)
    far = b > 1e4
    density[far] = (1 - 1 / size) / (2 * b[far] ** 2) * (1 - (1 + 1 / size) / (3 * b[far]))
    weight = np.exp(log_w - log_w.max()) * density * b
    x = total + size * b
    mean = digamma(x + 1) - ((n[:, None] + b) / x * digamma(n[:, None] + b + 1)).sum(axis=0)
    mean -= (size - len(n)) * b / x * digamma(b + 1)
    return float((weight * mean).sum() / weight.sum())


@pytest.mark.parametrize(
    "counts, size", [([1], 4), ([1, 2], 2), ([50], 3), ([1] * 9, 1000), ([300, 20, 1], 10**5), (README_100, 40)]
)
def test_nsb_equals_a_plain_sum(counts, size) -> None:
    expected = nsb_by_brute_force(counts, size)
    assert entropy_from_counts(counts, "nsb", size) == pytest.approx(expected, abs=2e-8)
    assert nsb_entropy(Fingerprint.of(counts), size)[0] == pytest.approx(expected, abs=2e-8)


@settings(max_examples=40)
@given(COUNTS, COUNTS, st.integers(0, 60))
def test_a_sample_alike_changes_nsb_by_nothing_that_matters(counts, other, empty) -> None:
    """Also where it is not alike at all, and its range of no use."""
    size = float(max(len(counts), len(other)) + empty)
    sample, like = Fingerprint.of(counts), Fingerprint.of(other)
    if sample.total == 0 or like.total == 0:
        return
    assert nsb_mean(sample, size, like) == pytest.approx(nsb_mean(sample, size), abs=1e-6)
    assert nsb_mean(sample, size, like) == nsb_mean(sample, size, like)  # what is kept with it changes nothing


def test_grouped_counts_change_nsb_by_nothing_that_matters() -> None:
    rng = np.random.default_rng(0)
    for size, n in ((1000, 10**6), (5000, 10**7), (3000, 3 * 10**4)):
        sample = Fingerprint.of(rng.multinomial(n, rng.dirichlet(np.full(size, 0.4))))
        assert nsb_mean(sample, size) == pytest.approx(nsb_entropy(sample, size)[0], abs=1e-8)


def test_moments_of_a_dirichlet_posterior() -> None:
    """Against 40 000 draws; the allowance is 6 standard errors (false alarms below 1e-8)."""
    rng = np.random.default_rng(0)
    for counts, size, b in (([3, 1, 0, 0], 4, 0.5), ([40, 7, 2], 30, 0.1), ([0], 6, 2.0)):
        full = np.zeros(size)
        full[: len(counts)] = counts
        p = rng.dirichlet(full + b, 40_000)
        entropies = -(p * np.log(np.maximum(p, 1e-300))).sum(axis=1)
        mean, deviation = dirichlet_entropy(Fingerprint.of(counts), size, b)
        assert abs(entropies.mean() - mean) < 6 * entropies.std() / 200
        kurtosis = np.mean(((entropies - mean) / entropies.std()) ** 4)
        assert abs(entropies.std() - deviation) < 6 * entropies.std() * math.sqrt((kurtosis - 1) / 4) / 200


# ---- what all of them share ----


@pytest.mark.parametrize("name", sorted(ESTIMATORS))
def test_a_constant_sample(name) -> None:
    for n in (2, 17, 10**6):
        value = entropy_from_counts([n, 0, 0], name)
        if name in ZERO_ON_CONSTANT:
            assert value == 0.0
        else:
            assert abs(value) < 3 * math.log(n) / n + 1 / n


@pytest.mark.parametrize("name", sorted(ESTIMATORS))
@settings(max_examples=40)
@given(COUNTS)
def test_order_and_empty_bins_do_not_matter(name, counts) -> None:
    value = entropy_from_counts(counts, name, alphabet_size=20)
    assert value == entropy_from_counts([*reversed(counts), 0, 0], name, alphabet_size=20)
    assert math.isfinite(value)


@pytest.mark.parametrize("name", sorted(ESTIMATORS))
def test_every_estimator_finds_a_well_sampled_law(name) -> None:
    """1e6 draws from 12 bins: the deviation of -ln p is below 1.5, so 6 of its standard errors are below 0.01."""
    rng = np.random.default_rng(1)
    p = rng.dirichlet(np.ones(12))
    counts = rng.multinomial(10**6, p)
    assert entropy_from_counts(counts, name) == pytest.approx(-(p * np.log(p)).sum(), abs=0.01)


def test_coverage_deficit_of_a_known_law() -> None:
    """The unseen probability of 2000 equal bins after 3000 draws is e^-1.5 on average; its deviation over draws is
    below 0.01, and so is the estimate's."""
    rng = np.random.default_rng(2)
    counts = rng.multinomial(3000, np.full(2000, 1 / 2000))
    assert coverage_deficit(Fingerprint.of(counts)) == pytest.approx(math.exp(-1.5), abs=0.06)
    assert coverage_deficit(Fingerprint.of([5, 3])) == 0.0
    assert coverage_deficit(Fingerprint.of([1, 1, 1])) == pytest.approx(2 / 3)
    assert coverage_deficit(Fingerprint.of([1] * 1000)) > 0.999
    assert coverage_deficit(Fingerprint.of([1])) == 1.0
    assert coverage_deficit(Fingerprint.of([0])) == 1.0


def test_the_trust_limit_stops_at_the_first_order_that_is_unseen() -> None:
    seen, unseen = Fingerprint.of([50, 50]), Fingerprint.of([1] * 50)
    assert trust_limit([seen, seen, seen, unseen, seen]) == 1
    assert trust_limit([seen, unseen]) == -1
    assert trust_limit([seen, seen, seen]) == 1


@pytest.mark.parametrize(
    "arguments, said",
    [
        (([1, 2], "nbs"), "there is no 'nbs'; did you mean nsb?"),
        (([1, -2],), "need non-negative integers, given -2"),
        (([1, 0.5],), "need non-negative integers, given 0.5"),
        (([[1, 2]],), "need a list of integers, given int64 of shape (1, 2)"),
        (([1, 2, 3], "nsb", 2), "alphabet_size: given 2, but 3 bins were met"),
        (([1, 2, 3], "nsb", "4"), "alphabet_size: given '4', must be a number"),
        (([1, 2], "bayes", 2, 0.0), "concentration: given 0.0, must be positive"),
    ],
)
def test_what_is_no_sample_is_refused(arguments, said) -> None:
    with pytest.raises(ConfigError, match=".") as error:
        entropy_from_counts(*arguments)
    assert said in str(error.value)


def test_no_counts_no_estimate() -> None:
    assert math.isnan(entropy_from_counts([0, 0]))
