"""Does an affine map of the features give the exact Bayes state? Cross-validated, with a shuffled null.

Trained transformers have been found to hold the belief over a source's hidden states as an affine image of the residual
stream (Shai et al. 2405.15943). The source knows that belief exactly, so the fit has a truth and no free scale.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from testbed.core import ConfigError
from testbed.measures.features.spectrum import checked_features

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class BeliefProbe:
    """Held-out fit of beliefs (n, k) by an affine map of features.

    r_squared       1 - sum |b - b_hat|^2 / sum |b - mean of the training folds|^2 over all held-out rows
    r_squared_each  (k,) likewise, of every coordinate; nan for one that never varies
    null            (n_shuffles,) r_squared of the same fit to beliefs dealt out at random
    p_value         (1 + shuffles at least as good) / (1 + n_shuffles): exact where rows (groups) are exchangeable
    predicted       (n, k) held-out b_hat
    """

    r_squared: float
    r_squared_each: Floats
    null: Floats
    p_value: float
    predicted: Floats


def belief_probe(
    features: ArrayLike,
    beliefs: ArrayLike,
    groups: ArrayLike | None = None,
    n_folds: int = 5,
    ridge: float = 1e-6,
    n_shuffles: int = 199,
    seed: int = 0,
) -> BeliefProbe:
    """Fit b_hat = a + W^T f on all folds but one, judge on that one, for every fold in turn.

    features    (n, d)
    beliefs     (n, k) exact Bayes states: posteriors over hidden states, or any coordinates of the state
    groups      (n,) rows that belong together, as the positions of one sequence: never parted by a fold, and the null
                deals out whole groups, which must then be of one size; every row by itself where left out
    ridge       penalty on |W|^2, in units of the mean eigenvalue of the features' covariance

    Raises ConfigError for shapes that do not fit, fewer groups than folds, beliefs that never vary, or groups of
    unequal size.
    """
    rows, targets = checked_features(features), np.asarray(beliefs, dtype=np.float64)
    if targets.ndim != 2 or len(targets) != len(rows) or not np.isfinite(targets).all():
        raise ConfigError(f"beliefs: need finite numbers (n, k) for features {rows.shape}, given {targets.shape}")
    if not np.ptp(targets, axis=0).max() > 0:
        raise ConfigError("beliefs: all rows are equal; there is nothing to predict")
    if n_shuffles < 0:
        raise ConfigError(f"n_shuffles: given {n_shuffles}, must be at least 0")
    if not ridge >= 0:
        raise ConfigError(f"ridge: given {ridge}, must be at least 0")
    of_row, members = grouped_rows(groups, len(rows))
    rng = np.random.Generator(np.random.Philox(key=seed))
    folds = fold_of_groups(len(members), n_folds, rng)[of_row]
    if n_shuffles and len({len(one) for one in members}) > 1:
        raise ConfigError("groups: are of different sizes, so whole groups cannot be dealt out; set n_shuffles = 0")
    k = targets.shape[1]
    order = np.arange(len(rows))
    shuffled = [_dealt(members, rng) if n_shuffles else order for _ in range(n_shuffles)]
    stacked = np.concatenate([targets, *(targets[one] for one in shuffled)], axis=1)
    predicted, squares, total = _held_out(rows, stacked, folds, n_folds, ridge)
    with np.errstate(divide="ignore", invalid="ignore"):
        each = np.where(total[:k] > 0, 1.0 - squares[:k] / total[:k], np.nan)
    pooled = 1.0 - squares.reshape(-1, k).sum(axis=1) / total.reshape(-1, k).sum(axis=1)
    null = pooled[1:]
    p_value = (1.0 + float(np.sum(null >= pooled[0]))) / (1.0 + n_shuffles)
    return BeliefProbe(float(pooled[0]), each, null, p_value, predicted[:, :k])


def _held_out(
    rows: Floats, targets: Floats, folds: Integers, n_folds: int, ridge: float
) -> tuple[Floats, Floats, Floats]:
    """Held-out predictions (n, m), and for each column the squares of residuals and of deviations from the mean."""
    predicted = np.empty_like(targets)
    squares, total = np.zeros(targets.shape[1]), np.zeros(targets.shape[1])
    for fold in range(n_folds):
        held = folds == fold
        seen, known = rows[~held], targets[~held]
        centre, mean = seen.mean(axis=0), known.mean(axis=0)
        _, singular, rotation = np.linalg.svd(seen - centre, full_matrices=False)
        coordinates = (seen - centre) @ rotation.T
        penalty = ridge * np.sum(singular**2) / rows.shape[1]
        scale = singular**2 + penalty
        least = singular[0] * max(seen.shape) * np.finfo(np.float64).eps
        inverse = np.where(singular > least, 1.0 / np.where(singular > least, scale, 1.0), 0.0)
        weights = inverse[:, None] * (coordinates.T @ (known - mean))
        predicted[held] = mean + (rows[held] - centre) @ rotation.T @ weights
        squares += np.sum((targets[held] - predicted[held]) ** 2, axis=0)
        total += np.sum((targets[held] - mean) ** 2, axis=0)
    return predicted, squares, total


def grouped_rows(groups: ArrayLike | None, n: int) -> tuple[Integers, list[Integers]]:
    """The number of every row's group, and the rows of every group."""
    if groups is None:
        return np.arange(n), list(np.arange(n)[:, None])
    labels = np.asarray(groups)
    if labels.shape != (n,):
        raise ConfigError(f"groups: given shape {labels.shape}, need one label for each of {n} rows")
    _, of_row = np.unique(labels, return_inverse=True)
    order = np.argsort(of_row, kind="stable")
    return of_row, np.split(order, np.cumsum(np.bincount(of_row))[:-1])


def fold_of_groups(n_groups: int, n_folds: int, rng: np.random.Generator) -> Integers:
    """(n_groups,) fold of each group: as equal in number as can be, at random."""
    if not 2 <= n_folds <= n_groups:
        raise ConfigError(f"n_folds: given {n_folds}, must lie in 2 .. number of groups = {n_groups}")
    return rng.permutation(np.arange(n_groups) % n_folds)


def _dealt(members: list[Integers], rng: np.random.Generator) -> Integers:
    """(n,) whose row's belief every row is dealt: groups keep their inner order."""
    source = np.empty(sum(len(one) for one in members), dtype=np.int64)
    for at, taken in enumerate(rng.permutation(len(members))):
        source[members[at]] = members[taken]
    return source
