"""Activations: their values are compared in training/test_equals_plain_models.py; here, what theory says of them."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from testbed.core import ConfigError
from testbed.models import ModelConfig
from testbed.models.activations import activations
from testbed.models.transformer import Transformer

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(200)


def moments(name: str, mean: float, variance: float) -> tuple[float, float]:
    """Mean and variance of the activation of a normal variable, by Gauss-Hermite quadrature."""
    x = torch.from_numpy(mean + np.sqrt(variance) * NODES)[None, :, None]
    y = activations.build(name).apply(x, {})[0, :, 0].numpy()
    share = WEIGHTS / WEIGHTS.sum()
    first = float(share @ y)
    return first, float(share @ y**2) - first**2


def test_selu_keeps_mean_zero_and_variance_one():
    assert moments("selu", 0.0, 1.0) == pytest.approx((0.0, 1.0), abs=2e-3)  # the kink limits the quadrature


@given(st.floats(-0.1, 0.1), st.floats(0.8, 1.5), st.floats(-0.1, 0.1))
def test_selu_draws_moments_back(mean, variance, total):
    """Weights of sum w and squared norm 1 make units of mean w mu and variance nu of those of the layer before, of mean
    mu and variance nu; the map of the moments stays in its domain and contracts, to (0, 1) where w = 0 (Klambauer et
    al. 2017, Theorem 1). Weights of mean 0 and fixed units of a layer give E y^2 in place of nu, to the same end."""
    other, second = (0.05, 1.2), variance
    for _ in range(30):
        mean, variance = moments("selu", total * mean, variance)
        other = moments("selu", total * other[0], other[1])
        second = sum_of_squares("selu", second)
        assert abs(mean) <= 0.1
        assert 0.8 <= variance <= 1.5
    assert (mean, variance) == pytest.approx(other, abs=1e-3)
    assert moments("selu", 0.0, second) == pytest.approx((0.0, 1.0), abs=0.02)
    assert abs(mean) + abs(variance - 1.0) < 0.02 + abs(total)


def sum_of_squares(name: str, variance: float) -> float:
    first, second = moments(name, 0.0, variance)
    return second + first**2


@pytest.mark.parametrize("name", ["relu", "gelu", "silu"])
def test_others_let_the_variance_shrink(name):
    variance = 1.0
    for _ in range(30):
        variance = sum_of_squares(name, variance)
    assert variance < 0.1


@given(st.floats(0.05, 20), st.sampled_from(["gelu", "relu", "selu"]))
def test_after_a_norm_only_the_direction_of_the_matrix_counts(factor, inner):
    config = ModelConfig(width=8, depth=2, heads=2, activation={"type": "normalised", "inner": inner})
    model = Transformer(config, 3, 6)
    views = model.layout.views(model.layout.initial_row(0)[None])
    views = {name: one * (3.0 if name.endswith("mlp_in") else 1.0) for name, one in views.items()}
    scaled = {name: one * (factor if name.endswith("mlp_in") else 1.0) for name, one in views.items()}
    seen = torch.randint(0, 3, (1, 4, 5), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(model.logits(scaled, seen), model.logits(views, seen), rtol=1e-2, atol=2e-4)


@pytest.mark.parametrize(
    "fault, message",
    [
        ({"activation": "gleu"}, "there is no activation 'gleu'; did you mean gelu"),
        ({"activation": {"type": "relu", "power": 0}}, "activation.power: given 0"),
        ({"activation": {"type": "normalised", "inner": "normalised"}}, "inner: given normalised, which learns a gain"),
        ({"activation": "relu", "mlp_ratio": 0}, "activation: given relu, but mlp_ratio = 0 leaves out the MLP"),
        ({"activation": "relu", "block": "gau"}, "activation: given relu, but block = gau has none"),
    ],
)
def test_what_does_not_fit_is_refused(fault, message):
    with pytest.raises(ConfigError, match=message):
        ModelConfig(width=8, **fault)
