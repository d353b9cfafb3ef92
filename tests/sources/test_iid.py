"""The i.i.d. source: laws made by Zipf, Dirichlet and tempering."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.sources import IIDSource
from testbed.sources.iid import dirichlet_draw, expected_dirichlet_entropy, zipf_law
from testbed.sources.sampled_truth import law_entropies


@pytest.mark.parametrize(
    "given_keys, key, fingerprint",
    [
        ({"vocab_size": 4}, "81f503e02b5b47d2", "uniform"),
        ({"probabilities": [0.9, 0.1]}, "1facbaffd9819474", None),
        ({"probabilities": [0.5, 0.0, 0.5]}, "17fa2069bae350d0", None),
    ],
)
def test_configs_written_before_the_new_fields_keep_their_key(given_keys, key, fingerprint):
    source = IIDSource(**given_keys)
    assert source.content_key.startswith(key)
    assert set(source.identity()) <= {"type", "probabilities", "vocab_size"}
    if fingerprint == "uniform":
        assert np.array_equal(source.weights, np.full(4, 2**30))


def test_zipf_entropy_is_the_closed_form():
    """h = s sum p ln k + ln sum k^-s; the law is quantised, which moves h by less than V 2^-32 ln."""
    for s, size in ((0.0, 7), (1.0, 1000), (2.5, 300)):
        k = np.arange(1, size + 1)
        p = k**-s / np.sum(k**-s)
        closed = s * np.sum(p * np.log(k)) + math.log(np.sum(k**-s))
        source = IIDSource(vocab_size=size, zipf_exponent=s)
        assert source.entropy_rate().value == pytest.approx(closed, abs=1e-6)
        assert float(law_entropies(zipf_law(s, size))) == pytest.approx(closed, abs=1e-12)
        assert source.excess_entropy().value == 0.0


def test_expected_entropy_of_dirichlet_laws():
    """Golden: K = 5, a = .3: .8723 nats; by formula, by quadrature of the Beta marginal, and by 20,000 drawn laws."""
    from scipy.integrate import quad
    from scipy.stats import beta

    assert expected_dirichlet_entropy(0.3, 5) == pytest.approx(0.8723, abs=5e-5)
    marginal = beta(0.3, 1.2)
    integral = quad(lambda u: 5 * -(u**4) * math.log(u**4) * marginal.pdf(u**4) * 4 * u**3, 0, 1)[0]  # p = u^4
    assert integral == pytest.approx(expected_dirichlet_entropy(0.3, 5), abs=1e-8)
    entropies = [float(law_entropies(dirichlet_draw(0.3, 5, seed))) for seed in range(20_000)]
    error = np.std(entropies) / math.sqrt(len(entropies))
    assert abs(np.mean(entropies) - 0.8723) < 5.5 * error + 5e-5
    assert expected_dirichlet_entropy(2.0, 1) == 0.0
    with pytest.raises(ConfigError, match="concentration"):
        expected_dirichlet_entropy(0.0, 3)


def test_drawn_laws_have_the_dirichlet_marginal():
    """Kolmogorov and Smirnov on p_1 ~ Beta(a, (V - 1) a), at 1e-6."""
    from scipy.stats import beta, kstest

    for a in (0.05, 1.0, 20.0):
        first = [dirichlet_draw(a, 4, seed)[0] for seed in range(3000)]
        assert kstest(first, beta(a, 3 * a).cdf).pvalue > 1e-6


@given(st.floats(0.01, 1.0), st.integers(2, 40), st.floats(0.0, 3.0), st.integers(0, 5))
def test_a_wanted_entropy_is_reached(share, size, exponent, seed):
    wanted = share * math.log(size)
    for base in ({"zipf_exponent": exponent + 0.1}, {"concentration": exponent + 0.1, "seed": seed}):
        source = IIDSource(vocab_size=size, entropy=wanted, **base)
        assert source.entropy_rate().value == pytest.approx(wanted, abs=2e-6)


def test_temperature_is_the_power_of_the_law():
    law = np.array([0.6, 0.3, 0.1])
    for temperature in (0.5, 1.0, 4.0):
        expected = law ** (1 / temperature) / np.sum(law ** (1 / temperature))
        source = IIDSource(law, temperature=temperature)
        assert source.kernel == pytest.approx(expected, abs=2**-32)


def test_entropy_falls_with_inverse_temperature_as_the_variance_says():
    """dH / d(1/T) = -(1/T) Var(ln p): the derivative that makes bisection safe."""
    law = zipf_law(1.3, 50)

    def entropy(inverse: float) -> float:
        powers = law**inverse
        return float(law_entropies(powers / powers.sum()))

    for inverse in (0.3, 1.0, 2.0):
        tempered = law**inverse / np.sum(law**inverse)
        logs = np.log(law)
        variance = tempered @ logs**2 - (tempered @ logs) ** 2
        slope = (entropy(inverse + 1e-5) - entropy(inverse - 1e-5)) / 2e-5
        assert slope == pytest.approx(-inverse * variance, rel=1e-6)


@pytest.mark.parametrize(
    "keys, named",
    [
        ({"vocab_size": 3, "zipf_exponent": 1.0, "concentration": 1.0}, "zipf_exponent and concentration"),
        ({"probabilities": [0.5, 0.5], "zipf_exponent": 1.0}, "probabilities and zipf_exponent"),
        ({"vocab_size": 3, "zipf_exponent": 1.0, "temperature": 2.0, "entropy": 0.5}, "temperature and entropy"),
        ({"vocab_size": 3, "entropy": 0.5}, "entropy: tempering leaves the uniform law"),
        ({"vocab_size": 3, "zipf_exponent": 1.0, "entropy": 1.2}, "entropy: given 1.2"),
        ({"probabilities": [0.5, 0.5, 0.0], "entropy": 0.5}, "entropy: given 0.5"),
        ({"vocab_size": 3, "seed": 1}, "seed"),
        ({"vocab_size": 3, "concentration": 0.0}, "concentration"),
    ],
)
def test_what_conflicts_is_refused_by_name(keys, named):
    with pytest.raises(ConfigError, match=named):
        IIDSource(**keys)
