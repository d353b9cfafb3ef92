"""Lambda-orthogonal adapters: their limits, the order between them, and a slow twin."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import orthogonal_procrustes

from testbed.core import ConfigError
from testbed.measures.lambda_orthogonal import Pair, lambda_orthogonal, orthogonal_path

SEEDS = st.integers(0, 10**6)


def features(seed: int, n: int = 30, d: int = 3):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, d)) @ rng.standard_normal((d, d)) + rng.standard_normal(d)
    y = x @ rng.standard_normal((d, d)) + 0.3 * rng.standard_normal((n, d))
    return x, y, rng.uniform(0.1, 1.0, n)


@given(SEEDS)
@settings(max_examples=10, deadline=None)
def test_the_limits_are_procrustes_and_least_squares(seed):
    x, y, w = features(seed)
    p = w / w.sum()
    a, b, root = x - p @ x, y - p @ y, np.sqrt(p)[:, None]
    turned, free = (lambda_orthogonal(x, y, one, w) for one in (0.0, np.inf))
    np.testing.assert_allclose(turned.matrix, orthogonal_procrustes(root * a, root * b)[0], atol=1e-8)
    np.testing.assert_allclose(free.matrix, np.linalg.lstsq(root * a, root * b, rcond=None)[0], atol=1e-8)
    for one in (turned, free):
        assert one.loss == pytest.approx(float(p @ ((one(x) - y) ** 2).sum(axis=1)))
    assert turned.defect < 1e-20
    np.testing.assert_allclose(turned.there_and_back(x), x, atol=1e-10)


@given(SEEDS)
@settings(max_examples=2, deadline=None)
def test_a_looser_bound_never_loses_and_is_kept(seed):
    """The objective falls as lambda grows, from Procrustes' to least squares'; where it binds, lambda is used up."""
    x, y, w = features(seed)
    free = lambda_orthogonal(x, y, np.inf, w)
    bounds = [0.0, *(free.defect * np.array([0.01, 0.5])), np.inf]
    found = [lambda_orthogonal(x, y, one, w) for one in bounds]
    losses = [one.loss for one in found]
    assert all(b <= a + 1e-9 for a, b in pairwise(losses)), losses
    for bound, one in zip(bounds[1:-1], found[1:-1], strict=True):
        assert one.defect == pytest.approx(bound, rel=1e-5)


def test_the_bounded_optimum_is_that_of_a_general_solver():
    from scipy.optimize import NonlinearConstraint, minimize

    x, y, _ = features(3, d=2)
    pair, bound = Pair(x, y), 0.4
    found = lambda_orthogonal(x, y, bound)

    def defect(flat):
        w = flat.reshape(2, 2)
        return np.sum((w.T @ w - np.eye(2)) ** 2)

    slow = min(
        (
            minimize(
                lambda flat: pair.loss(flat.reshape(2, 2)),
                np.random.default_rng(k).standard_normal(4),
                method="SLSQP",
                constraints=NonlinearConstraint(defect, 0.0, bound),
                options={"maxiter": 500, "ftol": 1e-12},
            )
            for k in range(6)
        ),
        key=lambda one: one.fun if defect(one.x) <= bound + 1e-6 else np.inf,
    )
    assert found.loss == pytest.approx(slow.fun, rel=1e-4)


def test_a_path_runs_from_least_squares_to_the_rotation():
    x, y, w = features(5)
    pair, multipliers = Pair(x, y, w), np.logspace(-8, 8, 9)
    path = orthogonal_path(pair, multipliers)
    assert np.all(np.diff([one.defect for one in path]) <= 1e-9)
    assert np.all(np.diff([one.loss for one in path]) >= -1e-9)
    assert path[0].loss == pytest.approx(pair.least_squares().loss, rel=1e-5)
    assert path[-1].loss == pytest.approx(pair.procrustes().loss, rel=1e-5)
    assert 0 < max(one.gradient for one in path) < 1e-6
    assert pair.procrustes().gradient == pair.least_squares().gradient == 0


def test_ridge_goes_to_where_it_is_drawn():
    x, y, w = features(6)
    pair = Pair(x, y, w)
    rotation = pair.procrustes().matrix
    np.testing.assert_allclose(pair.least_squares(1e9, rotation).matrix, rotation, atol=1e-6)
    np.testing.assert_allclose(pair.least_squares(1e9).matrix, 0.0, atol=1e-6)
    np.testing.assert_allclose(pair.least_squares(0.0, rotation).matrix, pair.least_squares().matrix, atol=1e-8)
    size, ridge = pair.scale, 0.7
    slow = np.linalg.solve(pair.xx + ridge * size * np.eye(3), pair.xy + ridge * size * rotation)
    np.testing.assert_allclose(pair.least_squares(ridge, rotation).matrix, slow, atol=1e-10)


def test_what_does_not_fit_is_refused():
    x, y, w = features(0)
    for given_x, given_y, given_w, message in (
        (x, y[:, :2], None, "one shape"),
        (x, y, -w, "weights"),
        (x, y, w[:3], "weights"),
    ):
        with pytest.raises(ConfigError, match=message):
            Pair(given_x, given_y, given_w)
    with pytest.raises(ConfigError, match="bound"):
        lambda_orthogonal(x, y, -1.0)
    with pytest.raises(ConfigError, match="ridge"):
        Pair(x, y).least_squares(-0.1)
