"""Multinomial logistic regression: ln q(x | f) = (b + W^T f)_x - ln sum, by penalised maximum likelihood."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from testbed.core import ConfigError

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SoftmaxRegression:
    """A fitted affine map and softmax.

    weights (F, V), bias (V,)
    gradient        largest entry of the objective's gradient where the search stopped, nats per example
    """

    weights: Floats
    bias: Floats
    gradient: float

    def log_laws(self, features: Any) -> Floats:
        """(n, V): ln q for features (n, F), dense or scipy sparse."""
        return _log_softmax(np.asarray(features @ self.weights) + self.bias)


def fit_softmax(
    features: Any,
    laws: NDArray[np.floating],
    penalty: float = 1.0,
    multiplicity: NDArray[np.floating] | None = None,
    tolerance: float = 1e-7,
    max_steps: int = 200,
) -> SoftmaxRegression:
    """Minimise  -sum_i m_i sum_x p_i(x) ln q(x | f_i) + penalty / 2 |W|^2  by Newton's method in a trust region.

    Convex, so there is one answer.

    features (n, F), dense or scipy sparse; laws (n, V), each row the target's law (one-hot for an observed target);
    multiplicity m (n,), 1 where left out. The bias is not penalised. With penalty > 0 the answer is unique up to a
    constant in the bias, and the penalty is the Gaussian prior W ~ N(0, 1 / penalty).

    Raises ConfigError for shapes that do not fit, a negative penalty, or a search that did not converge.
    """
    from scipy.optimize import minimize
    from scipy.sparse import issparse

    targets = np.asarray(laws, dtype=np.float64)
    n, n_features = features.shape
    counts = np.ones(n) if multiplicity is None else np.asarray(multiplicity, dtype=np.float64)
    if targets.ndim != 2 or len(targets) != n or counts.shape != (n,) or n == 0:
        raise ConfigError(f"laws: given {targets.shape} and {counts.shape} for features {features.shape}")
    entries = features.data if issparse(features) else np.asarray(features)
    if not np.isfinite(entries).all():
        raise ConfigError("features: must be finite")
    if not np.all((targets >= 0) & np.isfinite(targets)) or not np.all((counts >= 0) & np.isfinite(counts)):
        raise ConfigError("laws and multiplicity: must be finite, none negative")
    if not (counts @ targets).sum() > 0:
        raise ConfigError("laws and multiplicity: all are zero; there is nothing to fit")
    if not penalty >= 0:
        raise ConfigError(f"penalty: given {penalty}, must be at least 0")
    vocab_size, total = targets.shape[1], counts.sum()
    mass = targets.sum(axis=1) * counts

    def log_q_at(flat: Floats) -> Floats:
        weights, bias = flat[vocab_size:].reshape(n_features, vocab_size), flat[:vocab_size]
        return _log_softmax(np.asarray(features @ weights) + bias)

    def gathered(slope: Floats, penalised: Floats) -> Floats:
        of_weights = np.asarray(features.T @ slope).ravel() + penalty * penalised[vocab_size:]
        return np.concatenate([slope.sum(axis=0), of_weights]) / total

    def objective(flat: Floats) -> tuple[float, Floats]:
        log_q = log_q_at(flat)
        loss = -float(counts @ np.sum(targets * log_q, axis=1)) + penalty / 2 * float(np.sum(flat[vocab_size:] ** 2))
        return loss / total, gathered(np.exp(log_q) * mass[:, None] - targets * counts[:, None], flat)

    def curvature_along(flat: Floats, step: Floats) -> Floats:
        q = np.exp(log_q_at(flat))
        moved = np.asarray(features @ step[vocab_size:].reshape(n_features, vocab_size)) + step[:vocab_size]
        centred = moved - np.sum(q * moved, axis=1, keepdims=True)
        return gathered(q * centred * mass[:, None], step)

    start = np.zeros(vocab_size * (n_features + 1))
    mean = (counts @ targets) / mass.sum()
    start[:vocab_size] = np.log(np.maximum(mean, 1e-12))
    options = {"maxiter": max_steps, "gtol": tolerance}
    found = minimize(objective, start, jac=True, hessp=curvature_along, method="trust-ncg", options=options)
    gradient = float(np.abs(found.jac).max())
    if not gradient <= 100 * tolerance:  # rounding may stop the search a little above it
        raise ConfigError(
            f"the regression did not converge in {found.nit} steps (gradient {gradient:.1e}); raise penalty or steps"
        )
    return SoftmaxRegression(found.x[vocab_size:].reshape(n_features, vocab_size), found.x[:vocab_size], gradient)


def _log_softmax(logits: Floats) -> Floats:
    """Over the last axis."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))
