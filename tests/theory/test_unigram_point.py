"""The Hessian at the unigram point against automatic differentiation of the exact loss, and its sign."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.sources import MarkovSource
from testbed.theory import (
    chain_entropy,
    marginal_entropy,
    second_eigenvalue,
    unigram_hessian,
    unigram_point_kind,
)

CHANCE = st.floats(0.02, 0.98)


def plain_loss(p, q, flat, width, tied, positions, value_map):
    """A loop over strings and positions: x_n e + p_n + W mean_(i <= n) (x_i e + p_i), read out with a."""
    e, a, b = flat[:width], flat[:width] if tied else flat[width : 2 * width], flat[-1]
    total = torch.zeros((), dtype=torch.float64)
    length = len(positions)
    for string in itertools.product((0, 1), repeat=length):
        chance = (p if string[0] else q) / (p + q)
        for before, after in itertools.pairwise(string):
            one = q if before else p
            chance *= one if before != after else 1 - one
        for n in range(length):
            seen = [string[i] * e + positions[i] for i in range(n + 1)]
            z = a @ (seen[-1] + value_map @ (sum(seen) / len(seen))) + b
            to_one = 1 - q if string[n] else p
            nats = -to_one * torch.nn.functional.logsigmoid(z) - (1 - to_one) * torch.nn.functional.logsigmoid(-z)
            total = total + chance * nats / length
    return total


@given(p=CHANCE, q=CHANCE, tied=st.booleans(), seed=st.integers(0, 10**6), length=st.integers(1, 3))
@settings(max_examples=6, deadline=None)
def test_loss_gradient_and_hessian_are_those_of_the_exact_loss(p, q, tied, seed, length):
    """With positions and values of any size; p + q = 1 included."""
    width, rng = 2, np.random.default_rng(seed)
    positions, value_map = rng.normal(size=(length, width)), rng.normal(size=(width, width))
    point = torch.zeros(width * (1 if tied else 2) + 1, dtype=torch.float64)
    point[-1] = np.log(p / q)
    parts = (torch.from_numpy(positions), torch.from_numpy(value_map))

    def loss(flat):
        return plain_loss(p, q, flat, width, tied, *parts)

    assert float(loss(point)) == pytest.approx(marginal_entropy(p, q), abs=1e-12)
    gradient = torch.autograd.functional.jacobian(loss, point)
    assert float(gradient.abs().max()) < 1e-12
    found = torch.autograd.functional.hessian(loss, point).numpy()
    np.testing.assert_allclose(found, unigram_hessian(p, q, width, tied, positions, value_map), atol=1e-12)


@given(p=CHANCE, q=CHANCE, tied=st.booleans(), width=st.integers(1, 5))
@settings(max_examples=30)
def test_the_sign_is_that_of_tying_and_of_p_plus_q(p, q, tied, width):
    eigenvalue = second_eigenvalue(p, q)
    assume(abs(eigenvalue) > 1e-6)
    found = np.linalg.eigvalsh(unigram_hessian(p, q, width, tied))
    variance = p * q / (p + q) ** 2
    expected = [variance] + ([-2 * eigenvalue * variance] * width if tied else [eigenvalue * variance] * width)
    expected += [] if tied else [-eigenvalue * variance] * width
    np.testing.assert_allclose(found, np.sort(expected), atol=1e-12)
    assert (found[0] > 0) == (tied and p + q > 1)
    assert unigram_point_kind(p, q, tied) == ("minimum" if found[0] > 0 else "saddle")


@given(p=CHANCE, q=CHANCE)
@settings(max_examples=30)
def test_values_turn_the_signs_round(p, q):
    """W = -s I with s above 1 / kappa makes the minimum of p + q < 1, and takes away that of p + q > 1."""
    eigenvalue = second_eigenvalue(p, q)
    assume(abs(eigenvalue) > 1e-3)
    one_position = np.zeros((1, 2))
    turned = np.linalg.eigvalsh(unigram_hessian(p, q, 2, True, one_position, -2.0 * np.eye(2)))
    assert (turned[0] > 0) == (eigenvalue > 0)


@given(p=CHANCE, q=CHANCE)
@settings(max_examples=15, deadline=None)
def test_levels_are_the_source_s(p, q):
    """Its chain has weights in multiples of 2^-32."""
    levels = MarkovSource([[1 - p, p], [q, 1 - q]]).conditional_entropies(1).value
    assert levels[0] == pytest.approx(marginal_entropy(p, q), abs=1e-7)
    assert levels[1] == pytest.approx(chain_entropy(p, q), abs=1e-7)
    assert chain_entropy(p, q) <= marginal_entropy(p, q) + 1e-15


def test_on_the_line_it_is_flat():
    assert unigram_point_kind(0.25, 0.75, tied=True) == "flat"
    assert np.linalg.eigvalsh(unigram_hessian(0.25, 0.75, 2, True)).tolist() == [0, 0, 0.1875]


def test_impossible_arguments_are_refused():
    with pytest.raises(ConfigError, match=r"p and q: given 1\.0 and 0\.5"):
        second_eigenvalue(1.0, 0.5)
    with pytest.raises(ConfigError, match="width: given 0"):
        unigram_hessian(0.5, 0.8, 0, True)
    with pytest.raises(ConfigError, match=r"need \(T, 2\) and \(2, 2\)"):
        unigram_hessian(0.5, 0.8, 2, True, positions=np.zeros((3, 1)))
