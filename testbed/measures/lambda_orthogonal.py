"""Maps between two spaces of features: a rotation, any affine map, and what lies between.

    minimise  E |(x - mean x) W - (y - mean y)|^2     subject to     |W^T W - I|_F^2 <= lambda

lambda = 0 is the orthogonal Procrustes problem (Schoenemann 1966, Psychometrika 31, 1), lambda = inf least squares.
This is this project's reading of lambda-orthogonality (2509.16664), which bounds the defect |W^T W - I|_F of an adapter
by a threshold; there the adapter is trained by gradients together with a task's loss.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from testbed.core import ConfigError

Floats = NDArray[np.float64]

LEAST, MOST = 1e-10, 1e10
"""Multipliers between which the one of a lambda is looked for, in units of the mean variance of a coordinate of x."""
HALVINGS = 60


@dataclass(frozen=True, eq=False)
class Adapter:
    """x -> mean_y + (x - mean_x) W.

    matrix      (D, D) W
    loss        E |adapted x - y|^2 on what it was fitted to
    gradient    largest entry of the objective's gradient where a search by steps ended (in units of the mean variance
                of a coordinate of x, over 1 + multiplier); 0 for closed forms
    """

    matrix: Floats
    mean_x: Floats
    mean_y: Floats
    loss: float
    gradient: float = 0.0

    @property
    def defect(self) -> float:
        """|W^T W - I|_F^2: 0 for a rotation (or reflection)."""
        return float(np.sum((self.matrix.T @ self.matrix - np.eye(len(self.matrix))) ** 2))

    def __call__(self, x: Floats) -> Floats:
        """(n, D) adapted features."""
        return np.asarray(self.mean_y + (x - self.mean_x) @ self.matrix)

    def there_and_back(self, x: Floats) -> Floats:
        """(n, D) features adapted and turned back by W^T, the inverse of a rotation: what is left of them there."""
        return np.asarray(self.mean_x + (x - self.mean_x) @ self.matrix @ self.matrix.T)


class Pair:
    """Means and second moments of paired features (n, D) each, rows with weights, equal if left out.

    Raises ConfigError for shapes that do not fit, and for weights that are negative or sum to zero.
    """

    def __init__(self, x: ArrayLike, y: ArrayLike, weights: ArrayLike | None = None) -> None:
        a, b = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
        if a.ndim != 2 or a.shape != b.shape or not len(a):
            raise ConfigError(f"x, y: need features of one shape (n, D), given {a.shape} and {b.shape}")
        w = np.ones(len(a)) if weights is None else np.asarray(weights, dtype=np.float64)
        if w.shape != (len(a),) or not (w >= 0).all() or not w.sum() > 0:
            raise ConfigError(f"weights: need {len(a)} numbers >= 0 that do not all vanish, given shape {w.shape}")
        w = w / w.sum()
        self.mean_x, self.mean_y = w @ a, w @ b
        a, b = a - self.mean_x, b - self.mean_y
        self.xx, self.xy, self.yy = (w[:, None] * a).T @ a, (w[:, None] * a).T @ b, float(w @ (b**2).sum(axis=1))

    @property
    def scale(self) -> float:
        """Mean variance of a coordinate of x; 1 if there is none."""
        return float(np.trace(self.xx)) / len(self.xx) or 1.0

    def loss(self, matrix: Floats) -> float:
        """E |(x - mean) W - (y - mean)|^2."""
        return float(np.sum(matrix * (self.xx @ matrix)) - 2 * np.sum(matrix * self.xy) + self.yy)

    def adapter(self, matrix: Floats, gradient: float = 0.0) -> Adapter:
        """The adapter of a matrix."""
        return Adapter(matrix, self.mean_x, self.mean_y, self.loss(matrix), gradient)

    def procrustes(self) -> Adapter:
        """The best rotation or reflection: W = U V^T of the singular vectors of E x^T y."""
        left, _, right = np.linalg.svd(self.xy)
        return self.adapter(left @ right)

    def least_squares(self, ridge: float = 0.0, towards: Floats | None = None) -> Adapter:
        """argmin loss + ridge |W - towards|^2 (towards 0 if left out), ridge in units of `scale`; of several the one
        nearest to `towards`."""
        if not ridge >= 0:
            raise ConfigError(f"ridge: given {ridge}, must be at least 0")
        start = np.zeros_like(self.xx) if towards is None else np.asarray(towards, dtype=np.float64)
        penalised = self.xx + ridge * self.scale * np.eye(len(self.xx))
        step = np.linalg.pinv(penalised, rcond=1e-12, hermitian=True) @ (self.xy - self.xx @ start)
        return self.adapter(start + step)

    def penalised(self, multiplier: float, start: Floats) -> Adapter:
        """A minimum near `start` of loss / 2 + multiplier / 4 |W^T W - I|_F^2, multiplier in units of `scale`.

        The search ends at a gradient of 1e-9 or after 500 steps; the adapter's `gradient` says how far it came.
        """
        from scipy.optimize import minimize

        shape, unit = self.xx.shape, np.eye(len(self.xx))
        xx, xy, size = self.xx / self.scale, self.xy / self.scale, 1.0 + multiplier

        def objective(flat: Floats) -> tuple[float, Floats]:
            w = flat.reshape(shape)
            defect, image = w.T @ w - unit, xx @ w
            value = 0.5 * np.sum(w * image) - np.sum(w * xy) + multiplier / 4 * np.sum(defect**2)
            return value / size, ((image - xy + multiplier * w @ defect) / size).ravel()

        def curvature(flat: Floats, along: Floats) -> Floats:
            """The Hessian times a direction: without it, spaces with small variances take thousands of steps."""
            w, v = flat.reshape(shape), along.reshape(shape)
            bend = v @ (w.T @ w - unit) + w @ (v.T @ w + w.T @ v)
            return np.asarray((xx @ v + multiplier * bend) / size).ravel()

        options = {"maxiter": 500, "gtol": 1e-9}
        found = minimize(objective, start.ravel(), jac=True, hessp=curvature, method="trust-ncg", options=options)
        return self.adapter(found.x.reshape(shape), float(np.abs(found.jac).max()))


def orthogonal_path(pair: Pair, multipliers: Sequence[float]) -> list[Adapter]:
    """Penalised adapters in the order given, each found from where the one of the next larger multiplier is; the
    largest from the rotation. Small multipliers come near least squares, large ones near the rotation."""
    found: dict[float, Adapter] = {}
    start = pair.procrustes().matrix
    for multiplier in sorted(set(multipliers), reverse=True):
        found[multiplier] = pair.penalised(multiplier, start)
        start = found[multiplier].matrix
    return [found[one] for one in multipliers]


def lambda_orthogonal(
    x: ArrayLike, y: ArrayLike, bound: float, weights: ArrayLike | None = None, tolerance: float = 1e-6
) -> Adapter:
    """The adapter of least loss whose defect |W^T W - I|_F^2 is at most `bound` = lambda.

    Where the constraint binds, the penalised adapter whose defect is lambda, by halving the multiplier's logarithm
    (defect within `tolerance` of lambda, relative). The problem is not convex: a local minimum, reached from the
    rotation, with which it shares its minimum as lambda falls to 0.

    Raises ConfigError for a negative bound.

    >>> rng = np.random.default_rng(0)
    >>> x = rng.standard_normal((50, 3))
    >>> free, bound, turned = (lambda_orthogonal(x, 2 * x, one) for one in (np.inf, 1.0, 0.0))
    >>> [round(one.defect, 4) for one in (free, bound, turned)]
    [27.0, 1.0, 0.0]
    """
    if not bound >= 0:
        raise ConfigError(f"bound: given {bound}, must be at least 0")
    pair = Pair(x, y, weights)
    rotation, free = pair.procrustes(), pair.least_squares()
    if bound == 0:
        return rotation
    if free.defect <= bound:
        return free
    low, high = np.log(LEAST), np.log(MOST)
    best, start = rotation, rotation.matrix
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        one = pair.penalised(float(np.exp(middle)), start)
        if one.defect <= bound:
            high, start = middle, one.matrix
            best = min(best, one, key=lambda adapter: adapter.loss)
            if one.defect >= bound * (1 - tolerance):
                break
        else:
            low = middle
    return best
