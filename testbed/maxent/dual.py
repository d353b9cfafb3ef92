"""The dual by L-BFGS, exact or soft.

    exact     min D(lam)
    l2 = a    min D(lam) + a / 2 sum lam^2        the answer misses each target by  q_c - mu_c = -a lam_c
    box = b   min D(lam) + sum b |lam|            the law of largest entropy with  |q_c - mu_c| <= b  in every cell

(Dudik, Phillips & Schapire 2007). The soft ones have an answer whatever the targets, contradictory ones too.
"""

from collections.abc import Sequence

import numpy as np

from testbed.core import ConfigError
from testbed.maxent.checks import exceeds
from testbed.maxent.constraint import Floats
from testbed.maxent.constraint_set import ConstraintSet
from testbed.maxent.dense import MAX_CELLS
from testbed.maxent.inference import BandInference, DenseInference, Inference, dual, table_support
from testbed.maxent.law import Law

HISTORY = 20


def inference_for(constraints: ConstraintSet, *, hard_zeros: bool = True) -> Inference:
    """Dense where V^n fits and the band is no smaller, else by forward-backward."""
    size = constraints.vocab_size, constraints.length
    windows, width = constraints.length - constraints.bandwidth, constraints.bandwidth + 1
    if not exceeds(*size, MAX_CELLS) and 8 * windows * size[0] ** width >= size[0] ** size[1]:
        return DenseInference(constraints, table_support(constraints) if hard_zeros else None)
    return BandInference(constraints, hard_zeros)


def lbfgs(constraints: ConstraintSet, tolerance: float, max_steps: int) -> Law:
    """The exact dual. Float64 stalls at a residual of about 1e-9."""
    inference = inference_for(constraints)
    multipliers, trace = _minimise(inference, np.zeros(len(inference.targets)), None, 0.0, tolerance, max_steps)
    found = inference.law(multipliers, solver="lbfgs", iterations=len(trace), trace=trace, rank=constraints.rank)
    return found.with_report(status="converged" if found.residual <= tolerance else "not converged")


def soft(constraints: ConstraintSet, tolerance: float, max_steps: int, l2: float, box: float | Sequence[Floats]) -> Law:
    """The dual with a penalty: `l2`, or `box`, a number or one table for each constraint of the set.

    `residual` is then how far the answer stays from the targets, as it should; the stopping rule is on the gradient.
    Tables of zeros are no hard zeros here. Tables within others have neither weight nor box of their own.
    """
    inference = inference_for(constraints, hard_zeros=False)
    widths = _widths(constraints, inference, box)
    if l2 < 0 or (l2 == 0) == (widths is None):
        raise ConfigError(f"l2, box: given {l2!r} and {widths!r}; the soft solver needs one of them, above 0")
    start = np.zeros(len(inference.targets))
    multipliers, trace = _minimise(inference, start, widths, l2, tolerance, max_steps)
    found = inference.law(multipliers, solver="soft", iterations=len(trace), trace=trace, rank=constraints.rank)
    left = _distance(inference, multipliers, widths, l2)
    return found.with_report(status="soft" if left <= tolerance else "not converged")


def _widths(constraints: ConstraintSet, inference: Inference, box: float | Sequence[Floats]) -> Floats | None:
    """The half-width of every cell's box, in the order of the targets."""
    if isinstance(box, int | float):
        width = float(box)
        if width < 0:
            raise ConfigError(f"box: given {box}, must not be negative")
        return np.full(len(inference.targets), width) if width > 0 else None
    try:
        tables = [np.asarray(table, dtype=np.float64) for table in box]
    except (TypeError, ValueError):
        raise ConfigError("box: needs one number, or a table of each constraint's shape") from None
    if [table.shape for table in tables] != [one.table.shape for one in constraints.constraints]:
        raise ConfigError("box: needs one number, or a table of each constraint's shape")
    chosen = [tables[i] for i in constraints.maximal]
    widths = inference.flatten(chosen)
    if not (np.isfinite(widths).all() and widths.min() >= 0):
        raise ConfigError(f"box: given the widths {widths.min():g} .. {widths.max():g}; must be finite, not negative")
    return widths


def _minimise(
    inference: Inference, start: Floats, widths: Floats | None, l2: float, tolerance: float, max_steps: int
) -> tuple[Floats, Floats]:
    """The minimiser, and the largest gradient entry after every step."""
    from scipy.optimize import minimize

    value_and_gradient = dual(inference)
    n = len(start)
    last = [np.inf]
    trace: list[float] = []

    def objective(given: Floats) -> tuple[float, Floats]:
        multipliers = given if widths is None else given[:n] - given[n:]
        value, gradient = value_and_gradient(multipliers)
        value += l2 / 2 * float(multipliers @ multipliers)
        gradient = gradient + l2 * multipliers
        last[0] = float(np.abs(gradient).max(initial=0.0))
        if widths is None:
            return value, gradient
        # lam = up - down with both >= 0: |lam| is then linear
        return value + float(widths @ (given[:n] + given[n:])), np.concatenate([gradient + widths, widths - gradient])

    options = {"maxiter": max_steps, "maxfun": 4 * max_steps, "ftol": 0.0, "gtol": tolerance, "maxcor": HISTORY}
    given = start if widths is None else np.zeros(2 * n)
    bounds = None if widths is None else [(0.0, None)] * (2 * n)
    found = minimize(
        objective,
        given,
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options=options,
        callback=lambda _: trace.append(last[0]),
    )
    return (found.x if widths is None else found.x[:n] - found.x[n:]), np.array(trace)


def _distance(inference: Inference, multipliers: Floats, widths: Floats | None, l2: float) -> float:
    """How far the optimality conditions are from being met."""
    _, gradient = dual(inference)(multipliers)
    if widths is None:
        return float(np.abs(gradient + l2 * multipliers).max(initial=0.0))
    outside = np.maximum(np.abs(gradient) - widths, 0.0)
    idle = np.where(multipliers == 0, 0.0, np.abs(gradient + widths * np.sign(multipliers)))
    return float(np.maximum(outside, idle).max(initial=0.0))
