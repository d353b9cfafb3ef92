"""What a state tells of later tokens beyond the next one: the surplus of a history, exact and read off features.

    Surplus_K = I(H_t; W_(t+1 .. t+K-1) | W_t) = sum_(0 < j < K) (h_j - h)         (2507.19247; the sum is ours)

for a state H_t that knows the whole past before W_t: H(W_(t+1 .. t+K-1) | W_t) = h_1 + .. + h_(K-1), and given the past
too every token costs h. Of the last l tokens h is h_(l+j). It is zero without memory and for chains of order 1, and
grows to E - (H(1) - h). It is what a head that drafts K - 1 tokens ahead can gain by the state over the token just
written. All in nats.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from testbed.core import ConfigError
from testbed.sources.source import Source

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
STEPS = 100
FLOOR = 1e-12


def exact_surplus(source: Source, context: int, horizon: int) -> Floats:
    """(K - 1,): h_j - h_(l+j), j = 1 .. K - 1, whose sum is Surplus_K of the last l tokens.

    Raises ConfigError for l below 0, K below 2, or a source whose h_l are not exact.
    """
    if context < 0 or horizon < 2:
        raise ConfigError(f"context, horizon: given {context} and {horizon}, must be at least 0 and 2")
    h = source.conditional_entropies(context + horizon - 1)
    if h.kind != "exact":
        raise ConfigError(f"source: the h_l of {source.type_name} are of kind {h.kind}, must be exact")
    values = np.asarray(h.value)
    j = np.arange(1, horizon)
    return np.asarray(values[j] - values[context + j])


def future_joint(source: Source, context: int, horizon: int) -> tuple[Integers, Floats]:
    """Histories (n, l), all of positive probability, and the law (n, V^K) of each with its next K tokens, oldest first.

    The law sums to one over all; exact, for a stationary source.
    """
    law = source.context_law(context + horizon)
    size = source.vocab_size
    tokens = law.contexts.astype(np.int64)
    past = tokens[:, :context] @ size ** np.arange(context - 1, -1, -1)
    future = tokens[:, context:] @ size ** np.arange(horizon - 1, -1, -1)
    seen, row = np.unique(past, return_inverse=True)
    joint = np.zeros((len(seen), size**horizon))
    np.add.at(joint, (row, future), law.probabilities)
    histories = seen[:, None] // size ** np.arange(context - 1, -1, -1) % size
    return histories, joint


def grouped_surplus(joint: Floats, vocab_size: int, groups: ArrayLike | None = None) -> Floats:
    """(K - 1,): I(group; W_(t+j) | W_t .. W_(t+j-1)), exact, for groups (n,) of histories, all apart by default.

    What any function of the groups can tell: with groups of equal next-token laws, what next-token prediction needs.
    """
    if groups is not None:
        _, of_row = np.unique(np.asarray(groups), return_inverse=True)
        merged = np.zeros((of_row.max() + 1, joint.shape[1]))
        np.add.at(merged, of_row, joint)
        joint = merged
    horizon = _horizon(joint, vocab_size)
    found = []
    for j in range(1, horizon):
        ahead = joint.reshape(len(joint), vocab_size**j, vocab_size, -1).sum(axis=3)
        pooled = ahead.sum(axis=0)
        found.append(_conditional(pooled) - _conditional(ahead.reshape(-1, vocab_size)))
    return np.maximum(np.array(found), 0.0)


def equal_laws(joint: Floats, vocab_size: int, digits: int = 9) -> Integers:
    """(n,) number of each history's class: those in one class have the same law of the next token."""
    laws = joint.reshape(len(joint), vocab_size, -1).sum(axis=2)
    laws = np.round(laws / laws.sum(axis=1, keepdims=True), digits) + 0.0
    _, classes = np.unique(laws, axis=0, return_inverse=True)
    return np.asarray(classes.reshape(-1), dtype=np.int64)


def probed_surplus(
    features: ArrayLike, joint: Floats, folds: Integers, ridges: tuple[float, ...] = (1e-6, 1e-4, 1e-2)
) -> Floats:
    """(K - 1,): h_j less the held-out loss of a drafting head at each step, for two symbols; a lower bound of what the
    features (n, D) of histories tell.

    The head is a logistic regression on the features, one for each start W_t .. W_(t+j-1) that was written, fitted to
    exact laws on all folds but one and judged exactly on that one; ridges are penalties in units of the total weight,
    on features of unit variance, and the one of the least held-out loss over all steps counts.

    Raises ConfigError for shapes that do not fit, or a vocabulary of other than two symbols.
    """
    rows = np.asarray(features, dtype=np.float64)
    horizon = _horizon(joint, 2)
    if rows.ndim != 2 or len(rows) != len(joint) or not np.isfinite(rows).all() or len(folds) != len(joint):
        raise ConfigError(f"features: given shape {rows.shape}, need finite numbers for {len(joint)} histories")
    weights = joint.sum(axis=1)
    centred = rows - weights @ rows / weights.sum()
    spread = np.sqrt(weights @ centred**2 / weights.sum())
    kept = spread > 1e-9 * max(float(spread.max()), FLOOR)
    design = np.concatenate([np.ones((len(rows), 1)), centred[:, kept] / spread[kept]], axis=1)
    gains = np.zeros((len(ridges), horizon - 1))
    for j in range(1, horizon):
        ahead = joint.reshape(len(joint), 2**j, 2, -1).sum(axis=3)
        base = _conditional(ahead.sum(axis=0))
        for place, ridge in enumerate(ridges):
            lost = sum(held_out_loss(design, ahead[:, start], folds, ridge) for start in range(2**j))
            gains[place, j - 1] = base - lost
    return np.asarray(gains[int(gains.sum(axis=1).argmax())])


def held_out_loss(design: Floats, pairs: Floats, folds: Integers, ridge: float) -> float:
    """sum over rows of -pairs . ln q, q fitted on the other folds; pairs (n, 2) are weights of the two symbols."""
    total = 0.0
    for fold in np.unique(folds):
        held = folds == fold
        seen = pairs[~held].sum(axis=1) > 0
        if not seen.any():  # nothing to go by: a fair coin
            total += float(pairs[held].sum()) * np.log(2.0)
            continue
        beta = logistic_fit(design[~held][seen], pairs[~held][seen], ridge)
        logits = design[held] @ beta
        total += float(pairs[held, 1] @ np.logaddexp(0.0, -logits) + pairs[held, 0] @ np.logaddexp(0.0, logits))
    return total


def logistic_fit(design: Floats, pairs: Floats, ridge: float) -> Floats:
    """(D,) minimum of the mean loss + ridge |beta|^2 / 2, the first column's coefficient free: Newton with halving."""
    weight = pairs.sum(axis=1)
    total = float(weight.sum())
    target = pairs[:, 1] / np.maximum(weight, 1e-300)
    weight = weight / total
    penalty = np.full(design.shape[1], ridge)
    penalty[0] = 1e-9

    def loss(beta: Floats) -> float:
        z = design @ beta
        return float(weight @ (np.logaddexp(0.0, z) - target * z) + 0.5 * penalty @ beta**2)

    beta = np.zeros(design.shape[1])
    value = loss(beta)
    for _ in range(STEPS):
        q = 0.5 * (1.0 + np.tanh(0.5 * (design @ beta)))
        gradient = design.T @ (weight * (q - target)) + penalty * beta
        curved = (design * (weight * q * (1.0 - q))[:, None]).T @ design + np.diag(penalty)
        step = np.linalg.solve(curved, gradient)
        length = 1.0
        while length > 1e-6 and loss(beta - length * step) > value:
            length /= 2.0
        beta = beta - length * step
        new = loss(beta)
        if value - new < 1e-12:
            break
        value = new
    return beta


def _conditional(counts: Floats) -> float:
    """sum over rows of H, weighted: -sum c ln(c / row sum), nats."""
    rows = counts.sum(axis=1, keepdims=True)
    shares = np.where(counts > 0, counts / np.where(rows > 0, rows, 1.0), 1.0)
    return float(-(counts * np.log(shares)).sum())


def _horizon(joint: Floats, vocab_size: int) -> int:
    """K of a law (n, V^K)."""
    found = round(np.log(joint.shape[1]) / np.log(vocab_size))
    if joint.ndim != 2 or vocab_size**found != joint.shape[1] or found < 2:
        raise ConfigError(f"joint: given the shape {joint.shape}, must be (n, {vocab_size}^K) with K of 2 or more")
    return int(found)


# ---- predictive similarity ----


def predictive_eigenvectors(laws: Floats, weights: Floats, k: int) -> Floats:
    """(n, k) orthonormal: the top eigenvectors of the centred operator K(x, x') = <p(. | x), p(. | x')> over histories.

    laws (n, V) of the next token, weights (n,) how probable each history is. V - 1 of its eigenvalues are not zero at
    most; as an operator on functions of the weighted histories, so that vectors carry the root of the weight.
    """
    return principal_directions(laws, weights, k)


def principal_directions(features: ArrayLike, weights: Floats, k: int | None = None) -> Floats:
    """(n, k) orthonormal: the top k left singular vectors of sqrt(w) (f - mean f), all that are not zero by default.

    All of them together span what every linear map of the features can give: whitening changes nothing of it.

    Raises ConfigError for shapes that do not fit, or fewer than k directions in which the features vary.
    """
    rows = np.asarray(features, dtype=np.float64)
    if rows.ndim != 2 or weights.shape != rows.shape[:1] or not np.isfinite(rows).all():
        raise ConfigError(f"features: given shape {rows.shape}, need finite numbers for {weights.shape} weights")
    share = weights / weights.sum()
    left, singular, _ = np.linalg.svd(np.sqrt(share)[:, None] * (rows - share @ rows), full_matrices=False)
    rank = int(np.sum(singular > 1e-6 * max(float(singular[0]), FLOOR)))
    if k is not None and k > rank:
        raise ConfigError(f"k: given {k}, but the features vary in {rank} directions")
    return np.asarray(left[:, : rank if k is None else k])


def subspace_overlap(target: Floats, other: Floats) -> float:
    """Mean squared cosine of the principal angles from the span of `target` (n, k) to that of `other` (n, m).

    Columns are orthonormal. 1 where the target lies in the other span; m / n on average for a random one.

    >>> round(subspace_overlap(np.eye(3)[:, :2], np.eye(3)[:, 1:]), 6)
    0.5
    """
    return float(np.sum((target.T @ other) ** 2) / target.shape[1])
