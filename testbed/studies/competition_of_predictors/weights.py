"""How much of each predictor is in a trained model's laws: least squares on the simplex, solved exactly.

    min over w >= 0, sum w = 1 of  sum_places | f(q) - sum_i w_i f(p_i) |^2,       f = identity, or centred logarithms

With f the identity the model is an interpolation of laws (Park et al. 2024, 2412.01003, linear interpolation of
algorithms); with f_x = ln p_x - mean_x ln p_x it is one of log-odds. Both need the inner products of the five alone.
The least is found among the 2^n - 1 faces of the simplex: on each, the stationary point of the quadratic form, kept
where it lies inside.
"""

from itertools import chain, combinations

import numpy as np

from testbed.studies.competition_of_predictors.predictors import Floats

RIDGE = 1e-9
"""Of the mean square of the predictors: predictors that coincide (both retrievals at N = 1) share their weight."""
FLOOR = 1e-12
"""Laws are cut off there before logarithms are taken."""


def centred_logs(laws: Floats) -> Floats:
    """(..., K) ln p_x - mean_x ln p_x."""
    logs = np.log(np.maximum(laws, FLOOR))
    return np.asarray(logs - logs.mean(axis=-1, keepdims=True))


def simplex_weights(predictors: Floats, model: Floats) -> Floats:
    """(n,) weights of predictors (n, ...) in the model (...), by least squares on the simplex."""
    rows = predictors.reshape(len(predictors), -1)
    return quadratic_on_simplex(rows @ rows.T, rows @ model.reshape(-1))


def quadratic_on_simplex(gram: Floats, products: Floats) -> Floats:
    """(n,) the w >= 0 of sum 1 with the least w'Gw - 2 b'w, of a positive semi-definite G (n, n) and b (n,)."""
    n = len(gram)
    gram = gram + RIDGE * max(float(np.trace(gram)) / n, np.finfo(float).tiny) * np.eye(n)
    best, least = np.eye(n)[0], np.inf
    for face in chain.from_iterable(combinations(range(n), size) for size in range(1, n + 1)):
        at = list(face)
        inside = _stationary_point(gram[np.ix_(at, at)], products[at])
        if inside.min() < 0.0:
            continue
        w = np.zeros(n)
        w[at] = inside
        value = float(w @ gram @ w - 2.0 * products @ w)
        if value < least:
            best, least = w, value
    return best


def _stationary_point(gram: Floats, products: Floats) -> Floats:
    """The least of w'Gw - 2 b'w over sum w = 1, of any sign: w = G^-1 (b + mu 1)."""
    solved = np.linalg.solve(gram, np.stack([products, np.ones(len(gram))], axis=1))
    return np.asarray(solved[:, 0] + (1.0 - solved[:, 0].sum()) / solved[:, 1].sum() * solved[:, 1])
