"""Cosine attention: eq. 18's table to its digits, the random-key saturation, and the rotary decay."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from testbed.core import ConfigError
from testbed.theory import (
    aligned_weights,
    cosscale_peak,
    critical_cosine_scale,
    effective_window,
    random_cosine_density,
    rotary_decay,
    rotated_cosine_moments,
    window_mass,
)

ALPHAS = np.array([8, 16, 32, 64, 96, 128, 256])


def test_the_peak_table():
    assert cosscale_peak(ALPHAS, 128) == pytest.approx(
        [0.0637, 0.1260, 0.2411, 0.4212, 0.5422, 0.6246, 0.7852], abs=6e-5
    )
    other = [0.0632, 0.1250, 0.2394, 0.4188, 0.5399, 0.6224, 0.7837]
    assert cosscale_peak(ALPHAS, 128, exponent=126) == pytest.approx(other, abs=6e-5)
    assert cosscale_peak(ALPHAS, 128, exponent=128) == pytest.approx(
        [0.0623, 0.1231, 0.2361, 0.4142, 0.5352, 0.6180, 0.7808], abs=6e-5
    )
    assert cosscale_peak(ALPHAS, 64) == pytest.approx([0.129, 0.246, 0.428, 0.631, 0.732, 0.790, 0.888], abs=6e-4)
    assert cosscale_peak(ALPHAS, 32) == pytest.approx([0.258, 0.443, 0.645, 0.799, 0.860, 0.893, 0.945], abs=6e-4)


@given(st.floats(0.1, 500), st.integers(4, 256))
def test_the_peak_is_the_maximum_of_the_tilted_density(alpha, head_dim):
    """U2: the root against the argmax over a grid; and it grows with alpha."""
    eta = np.linspace(-1 + 1e-6, 1 - 1e-6, 200_001)
    log_density = (head_dim - 3) / 2 * np.log1p(-(eta**2)) + alpha * eta
    assert abs(cosscale_peak(alpha, head_dim) - eta[np.argmax(log_density)]) < 1e-4
    assert cosscale_peak(alpha * 1.01, head_dim) > cosscale_peak(alpha, head_dim)


def test_beyond_the_critical_scale_random_keys_saturate():
    table = [33.5, 36.4, 39.3, 42.0, 44.6, 47.2, 49.7]
    assert critical_cosine_scale(64 * 2 ** np.arange(7), 128) == pytest.approx(table, abs=0.06)
    rng = np.random.default_rng(0)
    keys = rng.normal(size=(60, 1024, 128))
    cosines = keys[..., 0] / np.linalg.norm(keys, axis=-1)
    attended = {}
    for alpha in (16.0, 128.0):
        weights = np.exp(alpha * cosines)
        attended[alpha] = float((weights * cosines).sum(axis=1).mean() / weights.sum(axis=1).mean())
    assert attended[16.0] == pytest.approx(cosscale_peak(16, 128), abs=0.01)
    assert attended[128.0] < 0.4 < cosscale_peak(128, 128)


def test_the_density_is_one():
    for head_dim in (3, 16, 128):
        total, _ = quad(lambda x, d=head_dim: float(random_cosine_density(x, d)), -1, 1, limit=200)
        assert total == pytest.approx(1.0, abs=1e-7)


def test_the_rotary_decay_table():
    distances = [0, 1, 2, 4, 8, 16, 32, 63, 128, 512, 4095]
    table = [1, 0.970, 0.897, 0.759, 0.714, 0.620, 0.558, 0.458, 0.333, 0.219, -0.066]
    assert rotary_decay(distances, 128) == pytest.approx(table, abs=6e-4)


def test_the_window_tables():
    for alpha, masses in ((8, [0.575, 0.309, 0.234]), (16, [0.927, 0.907, 0.904])):
        found = [window_mass(alpha, n, 128, 4) for n in (64, 1024, 4096)]
        assert found == pytest.approx(masses, abs=6e-4)
    assert [window_mass(8, n, 128, 63) for n in (64, 1024, 4096)] == pytest.approx([1, 0.632, 0.479], abs=6e-4)
    for alpha, table in ((8, [3.48, 5.62, 6.72]), (16, [2.03, 2.23, 2.26]), (32, [1.17, 1.17, 1.17])):
        for n, expected in zip((64, 1024, 4096), table, strict=True):
            weights = aligned_weights(alpha, n, 128)
            assert -np.sum(weights * np.log(weights)) == pytest.approx(expected, abs=6e-3)
    assert aligned_weights(128, 1024, 128).max() == pytest.approx(0.958, abs=6e-4)
    assert effective_window(64, 4096, 128) == pytest.approx(effective_window(64, 65_536, 128), abs=1e-6)


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_the_cosine_after_rotation(eta):
    """Mean exact; variance against 40,000 random pairs (5.5 standard errors of a variance, and 2 % for its
    approximate second term)."""
    rng, d, n = np.random.default_rng(3), 32, 40_000
    q = rng.normal(size=(n, d))
    q /= np.linalg.norm(q, axis=1, keepdims=True)
    u = rng.normal(size=(n, d))
    u -= (u * q).sum(axis=1, keepdims=True) * q
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    k = eta * q + np.sqrt(1 - eta**2) * u
    for distance in (1, 10, 200):
        turn = np.exp(1j * distance * 10_000.0 ** (-2 * np.arange(d // 2) / d))
        z = np.real((q[:, ::2] - 1j * q[:, 1::2]) * ((k[:, ::2] + 1j * k[:, 1::2]) * turn)).sum(axis=1)
        mean, variance = rotated_cosine_moments(eta, distance, d)
        assert z.mean() == pytest.approx(float(mean), abs=5.5 * z.std() / np.sqrt(n))
        assert z.var() == pytest.approx(float(variance), rel=5.5 * np.sqrt(2 / n) + 0.02, abs=1e-6)


def test_nonsense_is_refused():
    for call in (
        lambda: cosscale_peak(0, 128),
        lambda: cosscale_peak(8, 3),
        lambda: aligned_weights(8, 4, 16, query=4),
    ):
        with pytest.raises(ConfigError):
            call()
