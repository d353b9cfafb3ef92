"""Laws drawn per sequence: Bayes laws against loops, truths against other methods and published numbers."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.core import UndefinedError
from testbed.sources.in_context import (
    BiasedCoinSource,
    DirichletIIDSource,
    DirichletMarkovSource,
    DoublyStochasticMarkovSource,
)
from testbed.sources.in_context.binary_chain import binary_chain_losses
from testbed.sources.in_context.dirichlet_entropies import (
    BetaBinomial,
    binary_rate_integral,
    expected_binary_chain_rate,
    expected_entropy,
    urn_entropies,
)
from testbed.sources.in_context.drawn_chains import enumerated_losses, mean_rate
from testbed.sources.sampled_truth import law_entropies, sampled_position_losses

Z = 5.5  # false-alarm rate 4e-8, two-sided
seeds = st.integers(0, 10_000)
ratios = st.sampled_from([Fraction(1), Fraction(1, 2), Fraction(7, 3), Fraction(1, 16)])


# ------------------------------------------------------------------------------------------------ laws
@settings(max_examples=30, deadline=None)
@given(seeds, st.integers(2, 4), st.integers(0, 3), ratios, st.integers(0, 12))
def test_laws_are_smoothed_counts(seed, vocab_size, order, a, length):
    source = DirichletMarkovSource(vocab_size=vocab_size, order=order, concentration=str(a))
    tokens = np.random.default_rng(seed).integers(vocab_size, size=(3, length))
    laws = source.predict(tokens)
    for i, t in np.ndindex(3, length):
        counts = np.zeros(vocab_size)
        for s in range(order, t):
            counts[tokens[i, s]] += t >= order and np.array_equal(tokens[i, s - order : s], tokens[i, t - order : t])
        expected = (counts + float(a)) / (counts.sum() + vocab_size * float(a))
        assert laws[i, t] == pytest.approx(expected, abs=1e-12)
    read = np.take_along_axis(laws, tokens[..., None], axis=2)[..., 0]
    assert source.log_probs(tokens) == pytest.approx(np.log(read), abs=1e-12)


def test_chunks_and_positions_are_the_same_laws(monkeypatch):
    sources = DirichletMarkovSource(vocab_size=3, order=2), DoublyStochasticMarkovSource(vocab_size=3)
    for source in sources:
        tokens = source.sample(30, 20)
        whole = source.predict(tokens)
        monkeypatch.setattr(f"{type(source).__module__}.CHUNK_ENTRIES", 100)
        assert np.array_equal(source.predict(tokens, positions=[19, 0, 1, 2]), whole[:, [19, 0, 1, 2]])


def test_context_is_refused_where_it_has_no_meaning():
    source = DirichletMarkovSource(vocab_size=2, order=1)
    for call in (
        lambda: source.predict(np.zeros((1, 4), dtype=int), context=2),
        lambda: source.log_probs(np.zeros((1, 4), dtype=int), context=2),
        lambda: source.conditional_entropies(3),
    ):
        with pytest.raises(UndefinedError, match="not stationary"):
            call()
    assert not source.stationary
    assert not source.ergodic
    assert BiasedCoinSource().stationary


# ------------------------------------------------------------------------------------------------ order 0
def hb(p):
    return -p * np.log(p) - (1 - p) * np.log(1 - p)


def test_biased_coin_is_the_published_closed_form():
    """h_l = mean of hb((n + 1) / (l + 2)) over n = 0 .. l; excess over 1/2 at l = 1, 4, 16, 64, 256, 1024, nats."""
    at = np.array([1, 4, 16, 64, 256, 1024])
    coin = BiasedCoinSource()
    h = coin.conditional_entropies(1024).lower
    closed = [np.mean(hb((np.arange(l + 1) + 1) / (l + 2))) for l in at]
    assert h[at] == pytest.approx(closed, abs=1e-13)
    assert coin.entropy_rate().value == 0.5
    assert coin.excess_entropy().value == math.inf
    golden = [0.136514, 0.073460, 0.026212, 0.007414, 0.001924, 0.000486]
    assert h[at] - 0.5 == pytest.approx(golden, abs=5.1e-7)


@pytest.mark.parametrize("vocab_size, a", [(2, Fraction(1)), (2, Fraction(1, 2)), (5, Fraction(3)), (30, Fraction(1))])
def test_what_is_left_to_learn_falls_as_parameters_over_2l(vocab_size, a):
    """h_l - h ~ (V - 1) / (2 l) nats (Rissanen 1986)."""
    excess = urn_entropies(vocab_size, a, 2000)[-1] - expected_entropy(vocab_size, float(a))
    assert 2 * 2000 * excess / (vocab_size - 1) == pytest.approx(1.0, abs=0.03)


@given(st.integers(0, 40), ratios, ratios)
def test_beta_binomial_is_scipys(l, a, b):
    from scipy.stats import betabinom

    for n in {0, l // 2, l}:
        expected = betabinom(n, float(a), float(b)).pmf(range(n + 1))
        assert BetaBinomial(l, float(a), float(b)).law(n) == pytest.approx(expected)


def test_expected_entropies():
    """psi(V a + 1) - psi(a + 1): .8723 bit for V = 5, a = .3, and the mean over drawn laws."""
    assert expected_entropy(5, 0.3) == pytest.approx(0.8723, abs=5e-5)
    laws = np.random.default_rng(1).dirichlet([0.3] * 5, size=200_000)
    drawn = law_entropies(laws)
    assert abs(drawn.mean() - expected_entropy(5, 0.3)) < Z * drawn.std() / math.sqrt(len(drawn))


def test_order_0_by_three_names():
    general = DirichletMarkovSource(vocab_size=2, order=0)
    for other in (DirichletIIDSource(vocab_size=2), BiasedCoinSource()):
        assert other.fingerprint == general.fingerprint
        assert np.array_equal(other.sample(5, 20, seed=3), general.sample(5, 20, seed=3))


# ------------------------------------------------------------------------------------------------ order 1, V = 2
@pytest.mark.parametrize("a", [1, "1/2", 3])
def test_binary_losses_are_the_sum_over_all_strings(a):
    source = DirichletMarkovSource(vocab_size=2, order=1, concentration=a)
    assert source.position_losses(12).kind == "exact"
    assert source.position_losses(12).lower == pytest.approx(enumerated_losses(source, 12).lower, abs=1e-12)
    assert [len(binary_chain_losses(source.alpha, n)) for n in range(4)] == [0, 1, 2, 3]


def test_binary_losses_are_the_mean_of_samples():
    source = DirichletMarkovSource(vocab_size=2, order=1)
    exact, sampled = source.position_losses(80), sampled_position_losses(source, 80)
    assert np.all(np.abs(exact.lower - sampled.lower) <= Z * sampled.standard_error + 1e-12)
    assert np.all(np.diff(exact.lower) <= 1e-12)
    assert exact.lower[-1] > source.entropy_rate().value


def test_binary_rate_by_closed_form_quadrature_and_drawn_chains():
    """.4809 nats for a = 1, not psi(3) - psi(2) = 1/2: rows count by how often they are visited."""
    closed = expected_binary_chain_rate(Fraction(1))
    assert closed == pytest.approx(0.4809, abs=5e-5)
    assert expected_entropy(2, 1.0) == 0.5
    assert binary_rate_integral(1.0) == pytest.approx(closed, abs=1e-13)
    for a in (2.0**-16, 0.01, 0.5, 1.0, 7.0, 2.0**16):
        assert binary_rate_integral(a, 200) == pytest.approx(binary_rate_integral(a, 300), abs=1e-12)
        drawn = mean_rate(2, 2, a)
        assert abs(drawn.value - binary_rate_integral(a)) < Z * drawn.standard_error
        assert drawn.standard_error < 0.04 * drawn.value


def test_the_rate_is_below_every_loss():
    for source in (DirichletMarkovSource(vocab_size=3, order=2), DirichletMarkovSource(vocab_size=2, order=3)):
        assert [len(source.position_losses(n)) for n in (0, 1, 2)] == [0, 1, 2]
        rate, losses = source.entropy_rate(), source.position_losses(150)
        assert rate.value < losses.lower[-1] + Z * (losses.standard_error[-1] + rate.standard_error)
        assert source.excess_entropy().value == math.inf
        assert losses.lower[: source.order] == pytest.approx(np.full(source.order, math.log(source.vocab_size)))


# ------------------------------------------------------------------------------------------------ doubly stochastic
def unigram_losses(tokens, vocab_size, length):
    """Mean surprise of counting tokens plus one, at positions 1 .. length - 1."""
    coin = DirichletIIDSource(vocab_size=vocab_size)
    return -coin.log_probs(tokens[:, :length])[:, 1:]


def test_doubly_stochastic_has_no_unigram_level():
    """Counting tokens does not beat ln V: the control of the published simplicity bias."""
    source = DoublyStochasticMarkovSource(vocab_size=3)
    tokens = source.sample(4000, 101, seed=2)
    assert unigram_losses(tokens, 3, 101).mean() > math.log(3)
    assert -source.log_probs(tokens)[:, 100].mean() < 0.9
    free = DirichletMarkovSource(vocab_size=3, order=1)
    assert unigram_losses(free.sample(4000, 101, seed=2), 3, 101).mean() < math.log(3) - 0.05


def test_steps_are_an_urn():
    source = DoublyStochasticMarkovSource(vocab_size=4, concentration="1/2")
    tokens = source.sample(3000, 9, seed=4).astype(int)
    steps = np.diff(tokens, axis=1) % 4
    inner = DirichletIIDSource(vocab_size=4, concentration="1/2")
    assert source.log_probs(tokens)[:, 1:] == pytest.approx(inner.log_probs(steps), abs=1e-12)
    h, urn = source.conditional_entropies(5).lower, inner.conditional_entropies(4).lower
    assert h[0] == math.log(4)
    assert np.array_equal(h[1:], urn)
