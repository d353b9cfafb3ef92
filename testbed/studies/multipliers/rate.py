"""How fast proportional fitting converges near its end, from the answer alone."""

import numpy as np
from numpy.typing import NDArray

from testbed.maxent import ConstraintSet

Floats = NDArray[np.float64]
FIT_FROM, FIT_TO = 1e-3, 1e-10
"""The measured rate is fitted to residuals between these."""


def predicted_rate(constraints: ConstraintSet, law: Floats) -> tuple[float, float]:
    """The factor by which one sweep shrinks the error in the end: the spectral radius of

        product over tables c of (I - P_c),     (P_c f)(x) = E_q [f | x_c]

    on the functions spanned by the tables. Near the answer write q_k = q (1 + f): meeting table c divides by the
    marginal 1 + E[f | x_c] on c, which takes P_c f off. In sqrt(q) f the P_c are orthogonal projections, so that this
    is the rate of alternating projections, and of block Gauss-Seidel on the dual's Hessian.

    law  (V,) * n, the answer, with full support

    Also the angle of that eigenvalue, in 0 .. pi: the product is not symmetric, and where the largest eigenvalues are a
    complex pair the error turns as it shrinks, so that residuals swing about their straight line.
    """
    weights = np.sqrt(law.reshape(-1))
    symbols = np.indices(law.shape).reshape(law.ndim, -1)
    sweep = np.eye(len(weights))
    ranges = []
    for number in constraints.maximal:
        positions = constraints.cliques[number]
        cell = np.ravel_multi_index([symbols[p] for p in positions], (law.shape[0],) * len(positions))
        indicators = weights[:, None] * (cell[:, None] == np.arange(law.shape[0] ** len(positions)))
        indicators /= np.linalg.norm(indicators, axis=0)
        ranges.append(indicators)
        sweep -= indicators @ (indicators.T @ sweep)
    left, singular, _ = np.linalg.svd(np.concatenate(ranges, axis=1), full_matrices=False)
    basis = left[:, singular > 1e-9 * singular[0]]
    values = np.linalg.eigvals(basis.T @ sweep @ basis)
    largest = values[np.argmax(np.abs(values))]
    return float(np.abs(largest)), float(np.abs(np.angle(largest)))


def measured_rate(trace: Floats) -> float:
    """The same factor from the residuals of successive sweeps: least squares on their logarithms, over the last third
    of those between FIT_FROM and FIT_TO; nan where fewer than four are."""
    kept = np.flatnonzero((trace < FIT_FROM) & (trace > FIT_TO))
    kept = kept[2 * len(kept) // 3 :]
    if len(kept) < 4:
        return float("nan")
    return float(np.exp(np.polyfit(kept, np.log(trace[kept]), 1)[0]))
