"""Where the descent of a loss ends on a known law: followed numerically, and how far a law is from there.

Written in logarithms of q, with the natural gradient in place of that of the logits:

    d ln q_v / dt = -(g_v - q . g)

Both vanish at the same laws, and where the loss is a function both descend it; this one reaches point masses fast.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from testbed.training.losses.loss import Loss

Floats = NDArray[np.float64]

VANISHED = -60.0
"""ln q below which a token counts as gone."""
TOLERANCE = 1e-13
MOST_STEPS = 2_000
SHORTEST, LONGEST = 1e-9, 1e6
NUDGE = 1e-7
"""Of ln q, for the Jacobian by differences."""


def followed(loss: "Loss", p: Floats, cost: Floats | None = None, start: Floats | None = None) -> Floats:
    """(V,) the law at the end of the flow from `start`, the uniform law where none is given.

    Linearly implicit steps h, (1 - h J) d = h f, which are those of the flow while h is small and Newton's when it is
    large; h grows from step to step (pseudo-transient continuation, Kelley & Keyes 1998). A step that would change ln q
    by more than one, or lead against the flow, as near a law that repels it, is made with half of h.

    Raises ArithmeticError where it has not come to rest after 2,000 steps.
    """
    n = len(p)
    log_q = np.log(np.maximum(np.full(n, 1.0 / n) if start is None else start, np.exp(VANISHED)))
    step, speed = 0.05, _speed(loss, p, log_q, cost)
    for _ in range(MOST_STEPS):
        q, alive = np.exp(log_q), log_q > VANISHED + 1.0
        if np.abs(q * speed).max() < TOLERANCE:
            return _settled(log_q)
        jacobian = _jacobian(loss, p, log_q, speed, cost)
        change: Floats = np.zeros(n)
        while step > SHORTEST:
            change = np.asarray(np.linalg.solve(np.eye(n) - step * jacobian, step * speed))
            change -= q @ change  # sums stay one, to first order
            if np.abs(change[alive]).max() <= 1.0 and q @ (change * speed) > 0:
                break
            step *= 0.5
        log_q = _moved(log_q, change)
        speed = _speed(loss, p, log_q, cost)
        step = min(2.0 * step, LONGEST)
    raise ArithmeticError(f"the flow of {loss.type_name} on the law {p.round(6).tolist()} has not come to rest")


def _jacobian(loss: "Loss", p: Floats, log_q: Floats, speed: Floats, cost: Floats | None) -> Floats:
    """(V, V) d speed / d ln q, by differences."""
    found = np.empty((len(p), len(p)))
    for v in range(len(p)):
        nudged = log_q.copy()
        nudged[v] += NUDGE
        found[:, v] = (_speed(loss, p, nudged, cost) - speed) / NUDGE
    return found


def _speed(loss: "Loss", p: Floats, log_q: Floats, cost: Floats | None) -> Floats:
    q = np.exp(log_q)
    g = p @ loss.slopes(q, cost)
    return np.asarray(-(g - q @ g))


def _moved(log_q: Floats, change: Floats) -> Floats:
    moved = np.maximum(log_q + change, VANISHED)
    top = moved.max()
    return np.asarray(moved - top - np.log(np.exp(moved - top).sum()))


def _settled(log_q: Floats) -> Floats:
    q = np.where(log_q <= VANISHED + 1.0, 0.0, np.exp(log_q))
    return np.asarray(q / q.sum())


def residual(loss: "Loss", p: Floats, q: Floats, cost: Floats | None = None) -> float:
    """Sum over v of |gradient in the logit of v| of the mean loss at q: 0 at a stationary law, and only there."""
    return float(np.abs(loss.field(p, np.maximum(q, 1e-300), cost)).sum())


def falling_root(function: Callable[[Floats], Floats], level: Floats) -> Floats:
    """x in (0, 1) with function(x) = level, elementwise, of a function that falls; by bisection in the logit of x."""
    low, high = np.full(level.shape, -80.0), np.full(level.shape, 35.0)
    for _ in range(62):
        middle = 0.5 * (low + high)
        above = function(_sigmoid(middle)) > level
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return _sigmoid(0.5 * (low + high))


def _sigmoid(x: Floats) -> Floats:
    return np.asarray(1.0 / (1.0 + np.exp(-x)))
