"""Logistic regression on the nearest l lags, for every l, and on those lags alone that stand out of the noise."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from testbed.studies.optimal_context_laws.teacher import Floats, Teacher

Singles = NDArray[np.float32]

SCREEN = 3.0
"""Lags whose correlation with the target lies above so many standard errors, D^(-1/2) each, are kept by screening."""
CONTEXTS = 4096
"""Fresh contexts over which exact divergences are averaged, the same for every l and D."""
TOLERANCE, MOST_STEPS, MOST_INNER = 1e-5, 30, 40


def fit_logistic(features: Singles, targets: NDArray[np.bool_], start: Floats, penalty: float = 1.0) -> Floats:
    """(1 + l,) bias and weights that minimise  -sum ln q(y_i | x_i) + penalty / 2 |w|^2,  from `start`.

    Newton's method with conjugate gradients, features (D, l) in single precision: binary, warm from a shorter context,
    it is some twenty times as fast as `testbed.predictors.softmax_regression.fit_softmax` on the same problem, whose
    answer it gives to TOLERANCE of the gradient (nats per example).
    """
    n = len(targets)
    y = targets.astype(np.float32)
    flat = start.astype(np.float64).copy()
    damp = np.full(len(flat), penalty)
    damp[0] = 0.0

    def forward(vector: Floats) -> Singles:
        return np.asarray(features @ vector[1:].astype(np.float32) + np.float32(vector[0]))

    def backward(vector: NDArray[np.floating]) -> Floats:
        return np.concatenate([[float(vector.sum(dtype=np.float64))], (vector @ features).astype(np.float64)])

    def objective(logits: Singles, at: Floats) -> float:
        losses = np.logaddexp(0.0, logits) - y * logits
        return float(losses.sum(dtype=np.float64) + 0.5 * np.sum(damp * at**2)) / n

    logits = forward(flat)
    value = objective(logits, flat)
    for _ in range(MOST_STEPS):
        q = 1.0 / (1.0 + np.exp(-logits))
        gradient = (backward(q - y) + damp * flat) / n
        if np.abs(gradient).max() <= TOLERANCE:
            break
        curvature = q * (1.0 - q)
        step = _conjugate(
            lambda v, c=curvature: (backward(c * forward(v)) + damp * v) / n,
            -gradient,
        )
        length = 1.0
        while length > 1e-3:
            tried = flat + length * step
            found = forward(tried)
            cost = objective(found, tried)
            if cost <= value + 1e-9:
                break
            length /= 2
        flat, logits, value = tried, found, cost
    return flat


def _conjugate(product, right: Floats) -> Floats:  # type: ignore[no-untyped-def]
    """x with product(x) = right, to a hundredth of |right|."""
    x, residual = np.zeros_like(right), right.copy()
    direction, size = residual.copy(), float(residual @ residual)
    goal = 1e-4 * size
    for _ in range(MOST_INNER):
        image = product(direction)
        rate = size / float(direction @ image)
        x += rate * direction
        residual -= rate * image
        again = float(residual @ residual)
        if again <= goal:
            break
        direction = residual + again / size * direction
        size = again
    return x


@dataclass(frozen=True, eq=False)
class Examination:
    """Fresh contexts with their exact laws at every l.

    bits    (n, K) +-1;  laws (n_l, n) P_l
    """

    bits: Singles
    laws: Floats

    @classmethod
    def of(cls, teacher: Teacher, lengths: NDArray[np.int64], rng: np.random.Generator) -> "Examination":
        bits, _ = teacher.sample(CONTEXTS, rng)
        partial = np.cumsum(bits * teacher.weights, axis=1)
        laws = [teacher.law(partial[:, l - 1] if l else np.zeros(CONTEXTS), int(l)) for l in lengths]
        return cls(bits, np.array(laws))

    def excess(self, at: int, logits: Floats) -> float:
        """Mean KL(P_l || q), l = lengths[at], nats."""
        p = self.laws[at]
        log_q, log_not = -np.logaddexp(0.0, -logits), -np.logaddexp(0.0, logits)
        tiny = 1e-300
        return float(np.mean(p * (np.log(p + tiny) - log_q) + (1 - p) * (np.log1p(-p + tiny) - log_not)))


def lag_excess(
    teacher: Teacher, sizes: tuple[int, ...], lengths: NDArray[np.int64], rng: np.random.Generator
) -> dict[str, Floats]:
    """Exact excess (n_sizes, n_lengths) of three learners on nested sets of targets:

    plain       regression on the nearest l lags
    screened    on those of them that stand out of the noise
    visible     trained on the most lags, shown l of them: the others are left out of the sum
    """
    exam = Examination.of(teacher, lengths, rng)
    bits, targets = teacher.sample(max(sizes), rng)
    found = {name: np.empty((len(sizes), len(lengths))) for name in ("plain", "screened", "visible")}
    shown = exam.bits.astype(np.float64)
    for row, size in enumerate(sizes):
        x, y = bits[:size], targets[:size]
        flat = np.zeros(1)
        for at, l in enumerate(lengths):
            flat = fit_logistic(np.ascontiguousarray(x[:, :l]), y, np.append(flat, np.zeros(int(l) + 1 - len(flat))))
            found["plain"][row, at] = exam.excess(at, flat[0] + shown[:, :l] @ flat[1:])
        for at, l in enumerate(lengths):
            found["visible"][row, at] = exam.excess(at, flat[0] + shown[:, :l] @ flat[1 : int(l) + 1])
        signal = np.abs((2.0 * y - 1.0).astype(np.float32) @ x[:, : int(lengths.max())]) / size
        kept = np.flatnonzero(signal > SCREEN / np.sqrt(size))
        chosen = np.zeros(1)
        before = -1
        for at, l in enumerate(lengths):
            mine = kept[kept < l]
            if len(mine) != before:
                start = np.append(chosen, np.zeros(len(mine) + 1 - len(chosen)))
                chosen = fit_logistic(np.ascontiguousarray(x[:, mine]), y, start)
                before = len(mine)
            found["screened"][row, at] = exam.excess(at, chosen[0] + shown[:, mine] @ chosen[1:])
    return found
