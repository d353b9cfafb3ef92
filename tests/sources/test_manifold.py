"""MAN against its own definition: phases added up as angles, hidden coordinates by quadrature and by sampling."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from testbed.core import ConfigError
from testbed.sources.manifold import Manifold
from testbed.sources.sampled_truth import law_entropies

Z = 5.5  # standard errors, a false alarm of 4e-8


def plain_laws(source: Manifold, u: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, C) from u_1 .. u_d0, angle by angle, as the docstring defines them."""
    a, b = source.parameters
    phase = np.full(len(u), np.angle(b))
    for j in range(source.n_relevant):
        z = np.exp(1j * np.pi * u[:, j])
        phase = phase + np.angle((z + a[j]) / (1 + a[j].conjugate() * z))
    logits = np.cos(phase[:, None] - 2 * np.pi * np.arange(source.n_labels) / source.n_labels)
    if source.inverse_noise is None:
        return np.eye(source.n_labels)[logits.argmax(axis=1)]
    powers = np.exp(source.inverse_noise * logits)
    return powers / powers.sum(axis=1, keepdims=True)


def middles(n: int) -> NDArray[np.float64]:
    return (np.arange(n) + 0.5) / n * 2 - 1


SOURCES = [
    Manifold(),
    Manifold(n_relevant=2, n_labels=5, inverse_noise=9.0, retention=0.3, seed=3),
    Manifold(n_relevant=2, n_labels=3, inverse_noise=None, retention=0.6, seed=4),
    Manifold(n_relevant=2, inverse_noise=1.0, retention=0.0),
]


@pytest.mark.parametrize("source", SOURCES)
def test_hidden_coordinates_are_integrated_out(source):
    """One or two hidden coordinates by the midpoint rule: exponentially good for a softmax, 1/n for the argmax."""
    n = 2000
    hidden = middles(n)
    tolerance = 1e-10 if source.inverse_noise is not None else 4 / n
    u = np.array([-0.9, -0.2, 0.31, 0.77])
    assert source.label_laws(np.stack([u, u[::-1]], axis=1)) == pytest.approx(
        plain_laws(source, np.stack([u, u[::-1]], axis=1)), abs=1e-12
    )
    for one in u:
        wanted = plain_laws(source, np.stack([np.full(n, one), hidden], axis=1)).mean(axis=0)
        assert source.label_laws(np.array([[one]]))[0] == pytest.approx(wanted, abs=tolerance)
    grid = middles(400)
    both = np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2)
    wanted = plain_laws(source, both).mean(axis=0)
    assert source.label_laws(np.zeros((1, 0)))[0] == pytest.approx(wanted, abs=max(tolerance, 1e-8))


@pytest.mark.parametrize("source", SOURCES)
def test_entropies_lie_in_their_brackets(source):
    """h_l by averaging over the coordinates themselves, not over the phase."""
    h = source.conditional_entropies(4)
    assert h.kind == "bracket"
    assert (h.upper - h.lower).max() < 1e-6
    tolerance = 1e-8 if source.inverse_noise is not None else 1e-4
    one = law_entropies(source.label_laws(middles(4000)[:, None])).mean()
    assert h.lower[1] - tolerance <= one <= h.upper[1] + tolerance
    grid = middles(400)
    both = np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2)
    two = law_entropies(plain_laws(source, both)).mean()
    assert h.lower[2] - 1e-8 <= two <= h.upper[2] + 1e-8
    assert np.array_equal(h.lower[2:], np.full(3, h.lower[2]))
    none = law_entropies(source.label_laws(np.zeros((1, 0))))[0]
    assert h.lower[0] <= none <= h.upper[0]
    excess = source.excess_entropy()
    assert excess.lower <= (h.value[:2] - h.value[2]).sum() <= excess.upper


@settings(max_examples=30)
@given(st.integers(1, 6), st.integers(2, 5), st.sampled_from([None, 0.5, 8.0]), st.floats(0, 0.9), st.integers(0, 99))
def test_samples_agree_with_brackets(d0, n_labels, inverse_noise, retention, seed):
    source = Manifold(n_relevant=d0, n_labels=n_labels, inverse_noise=inverse_noise, retention=retention, seed=seed)
    batch = source.batch(2000, d0 + 3, seed=seed)
    h = source.conditional_entropies(d0 + 1)
    assert np.all(np.diff(h.upper) <= 1e-6)
    for l in range(d0 + 2):
        laws = source.predict_batch(batch, context=l, positions=[d0 + 2])[:, 0]
        entropies = law_entropies(laws)
        error = entropies.std() / math.sqrt(len(entropies)) + math.log(n_labels) * Z / len(entropies)
        assert h.lower[l] - Z * error <= entropies.mean() <= h.upper[l] + Z * error
        found = np.bincount(batch.tokens[:, -1], minlength=n_labels + 1)
        deviation = np.sqrt((laws * (1 - laws)).sum(axis=0))
        assert np.all(np.abs(found - laws.sum(axis=0)) <= Z * deviation + Z**2)


def test_without_noise_the_label_is_the_argmax():
    source = Manifold(n_relevant=3, n_labels=4, inverse_noise=None, retention=0.8)
    batch = source.batch(500, 6, seed=1)
    assert batch.inputs is not None
    nearest_first = batch.inputs[:, :-1, 0][:, ::-1]
    assert np.array_equal(batch.tokens[:, -1] - 1, plain_laws(source, nearest_first[:, :3]).argmax(axis=1))
    assert source.entropy_rate().upper == 0
    assert not batch.tokens[:, :-1].any()
    assert not batch.inputs[:, -1].any()


def test_noise_is_a_dial_from_uniform_to_none():
    rates = [Manifold(inverse_noise=beta).entropy_rate().value for beta in (0.0, 0.5, 2.0, 8.0, 32.0, None)]
    assert rates[0] == pytest.approx(math.log(2), abs=1e-8)
    assert all(a > b for a, b in itertools.pairwise(rates))
    assert rates[-1] == 0


@pytest.mark.parametrize("source", [*SOURCES, Manifold(n_relevant=4, retention=0.9)])
def test_every_relevant_coordinate_matters_and_no_other(source):
    """dim(l) = min(l, d0): the law moves with each of u_1 .. u_d0, and not with the coordinates beyond."""
    d0 = source.n_relevant
    u = np.random.default_rng(0).uniform(-1, 1, (200, d0 + 2))
    laws = source.label_laws(u)
    for j in range(d0 + 2):
        moved = u.copy()
        moved[:, j] = np.random.default_rng(1).uniform(-1, 1, 200)
        same = np.array_equal(source.label_laws(moved), laws)
        assert same == (j >= d0)
    assert [source.dimension(l) for l in range(d0 + 3)] == [*range(d0 + 1), d0, d0]


def test_longer_sequences_hold_the_same_labels():
    source = Manifold(n_relevant=3, seed=2)
    short, long = source.batch(30, 4, seed=5), source.batch(30, 9, seed=5)
    assert short.inputs is not None
    assert long.inputs is not None
    assert np.array_equal(short.tokens[:, -1], long.tokens[:, -1])
    assert np.array_equal(short.inputs, long.inputs[:, 5:])
    assert np.array_equal(source.batch(30, 2, seed=5).tokens[:, -1], long.tokens[:, -1])


def test_the_error_bound_is_no_guess():
    """The midpoint rule on a grid 128 times as coarse errs by less than its own bound."""
    from testbed.sources import manifold

    fine = [source.conditional_entropies(2) for source in SOURCES]
    grid, manifold.GRID = manifold.GRID, 2**10
    try:
        coarse = [type(source)(**source.model_dump()).conditional_entropies(2) for source in SOURCES]
    finally:
        manifold.GRID = grid
    for one, other in zip(fine, coarse, strict=True):
        assert np.all(other.lower <= one.upper)
        assert np.all(one.lower <= other.upper)
        assert np.all(other.upper - other.lower >= one.upper - one.lower)


def test_what_is_refused():
    with pytest.raises(ConfigError, match="retention"):
        Manifold(retention=1.0)
    source = Manifold()
    with pytest.raises(ConfigError, match="inputs"):
        source.predict(np.zeros((2, 3), dtype=int))
    with pytest.raises(ConfigError, match="max_context"):
        source.conditional_entropies(-1)
