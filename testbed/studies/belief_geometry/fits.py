"""Held-out affine fits of several feature blocks to several targets at once, from moments.

What `testbed.measures.features.belief_probe` does by a singular value decomposition for one block and one target, with
the same penalty, for weighted rows: second moments of [features, targets] are summed once for each fold, and each
block's fit is a small system in them. The residual's square on the held-out fold follows from that fold's moments.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Moments:
    """Weighted count, sums and second moments of rows z = [x, y], one a fold; `folds` (n,) deals the rows.

    rows (n, d + k), n_features = d
    """

    counts: Floats
    sums: Floats
    squares: Floats
    n_features: int

    @classmethod
    def of(cls, features: Floats, targets: Floats, weights: Floats, folds: Integers, n_folds: int) -> "Moments":
        rows = np.concatenate([features, targets], axis=1)
        rows = rows - weights @ rows / weights.sum()  # centred first: differences of large moments would lose digits
        parts = [folds == fold for fold in range(n_folds)]
        weighted = rows * weights[:, None]
        return cls(
            np.array([weights[part].sum() for part in parts]),
            np.stack([weighted[part].sum(axis=0) for part in parts]),
            np.stack([weighted[part].T @ rows[part] for part in parts]),
            features.shape[1],
        )

    def r_squared(self, block: Integers, target: Integers, ridge: float, rank: int | None = None) -> float:
        """1 - residual / deviation from the seen mean, squares summed over all held-out folds.

        block   columns of the features; target: columns of the targets
        rank    if given, the fitted map is cut to its leading directions in the space of the target (reduced rank)
        """
        left = total = 0.0
        for fold in range(len(self.counts)):
            residual, deviation = self._fold(fold, block, target + self.n_features, ridge, rank)
            left += residual
            total += deviation
        return 1.0 - left / total

    def best(
        self, block: Integers, target: Integers, ridges: Sequence[float], rank: int | None = None
    ) -> tuple[float, float]:
        """The largest R^2 over penalties, and its penalty: what these features give at their best."""
        return max((self.r_squared(block, target, ridge, rank), ridge) for ridge in ridges)

    def _fold(
        self, fold: int, block: Integers, target: Integers, ridge: float, rank: int | None
    ) -> tuple[float, float]:
        columns = np.concatenate([block, target])
        d = len(block)
        here = np.ix_(columns, columns)
        count = self.counts.sum() - self.counts[fold]
        mean = (self.sums.sum(axis=0) - self.sums[fold])[columns] / count
        seen = (self.squares.sum(axis=0) - self.squares[fold])[here] - count * np.outer(mean, mean)
        weights = ridge_map(seen[:d, :d], seen[:d, d:], ridge)
        if rank is not None:
            _, directions = np.linalg.eigh(weights.T @ seen[:d, :d] @ weights)
            leading = directions[:, -rank:]
            weights = weights @ leading @ leading.T
        sums = self.sums[fold][columns]
        held = self.squares[fold][here] - np.outer(mean, sums) - np.outer(sums, mean)
        held = held + self.counts[fold] * np.outer(mean, mean)
        change = np.concatenate([-weights, np.eye(len(target))])
        return float(np.sum(change * (held @ change))), float(np.trace(held[d:, d:]))


def ridge_map(covariance: Floats, cross: Floats, ridge: float) -> Floats:
    """(d, k): (C + penalty I)^-1 c, penalty = ridge x the mean eigenvalue of C."""
    penalty = ridge * np.trace(covariance) / len(covariance)
    found: Floats = np.linalg.solve(covariance + penalty * np.eye(len(covariance)), cross)
    return found


def held_out_predictions(
    features: Floats, targets: Floats, weights: Floats, folds: Integers, n_folds: int, ridge: float
) -> Floats:
    """(n, k): every row's target as the fit on the other folds gives it."""
    predicted = np.empty_like(targets)
    for fold in range(n_folds):
        seen = folds != fold
        w = weights[seen] / weights[seen].sum()
        x_mean, y_mean = w @ features[seen], w @ targets[seen]
        x, y = features[seen] - x_mean, targets[seen] - y_mean
        found = ridge_map((x * w[:, None]).T @ x, (x * w[:, None]).T @ y, ridge)
        predicted[~seen] = y_mean + (features[~seen] - x_mean) @ found
    return predicted
