"""Switchers: scores by which the large model is called, decisions, frontiers and what is read off them.

At each position the small model loses d_S = KL(p || q_S) and the large one d_L = KL(p || q_L), p the exact law of the
source (nats); gain = d_S - d_L. A switcher that calls the large model on a set of positions of share x leaves the
excess

    excess(x) = E d_S - E[gain; called]            kept(x) = E[gain; called] / E[gain]

Calling at random keeps kept(x) = x. The oracle calls where the gain is largest, and no set of the same share keeps
more.

    skill = (integral of kept - 1/2) / (integral of the oracle's kept - 1/2)      1 oracle, 0 random, below 0 worse

Positions of equal score are called in random order: the frontier is straight across them.
"""

import numpy as np
from numpy.typing import NDArray

from testbed.studies.tables import Floats

Bools = NDArray[np.bool_]
SHARES: Floats = np.linspace(0.0, 1.0, 101)
"""Shares of large calls at which frontiers are kept."""
ALIKE = 1e-12
"""Scores this near are one score."""
THRESHOLDS = 40


def entropies(laws: Floats) -> Floats:
    """(...) entropy of laws (..., V), nats."""
    return np.asarray(-np.sum(np.where(laws > 0, laws * np.log(np.where(laws > 0, laws, 1.0)), 0.0), axis=-1))


def divergences(laws: Floats, log_q: Floats) -> Floats:
    """(...) KL(p || q), nats, of laws p and log laws q, (..., V)."""
    log_p = np.log(np.where(laws > 0, laws, 1.0))
    return np.asarray(np.sum(np.where(laws > 0, laws * (log_p - log_q), 0.0), axis=-1))


def rolling(values: Floats, window: int) -> Floats:
    """(N, T - w + 1): means of w successive values of (N, T), the last of them the value at that place."""
    if not 1 <= window <= values.shape[1]:
        raise ValueError(f"window: given {window}, must lie in 1 .. {values.shape[1]}")
    return np.asarray(np.lib.stride_tricks.sliding_window_view(values, window, axis=1).mean(axis=-1))


def staying(wanted: Bools, stay: int) -> Bools:
    """(N, T) decisions: what is wanted, but a switch is made only where the last one was `stay` tokens ago or more.

    The first decision of a sequence is free.
    """
    made = np.empty_like(wanted)
    since = np.full(len(wanted), stay)
    for t in range(wanted.shape[1]):
        before = made[:, t - 1] if t else wanted[:, 0]
        turn = (wanted[:, t] != before) & (since >= stay)
        made[:, t] = before ^ turn
        since = np.where(turn, 1, since + 1)
    return made


def kept_curve(score: Floats, gain: Floats, weights: Floats | None = None) -> Floats:
    """(len(SHARES),) kept(x) of calling where the score (n,) is largest; weights (n,) of positions, else alike."""
    mass = np.full(len(score), 1.0 / len(score)) if weights is None else weights / weights.sum()
    order = np.argsort(-score, kind="stable")
    ends = np.append(np.abs(np.diff(score[order])) > ALIKE, True)
    x = np.append(0.0, np.cumsum(mass[order])[ends])
    y = np.append(0.0, np.cumsum((mass * gain)[order])[ends])
    return np.asarray(np.interp(SHARES, x / x[-1], y / y[-1]))


def staying_curve(score: Floats, gain: Floats, stay: int) -> Floats:
    """(len(SHARES),) kept(x) of a threshold on scores (N, T) with a least stay; thresholds at quantiles, straight lines
    between the shares of calls that they come to."""
    total = gain.sum()
    points = [(0.0, 0.0), (1.0, 1.0)]
    for level in np.quantile(score, np.linspace(0.0, 1.0, THRESHOLDS + 2)[1:-1]):
        called = staying(score > level, stay)
        points.append((float(called.mean()), float(gain[called].sum() / total)))
    x, y = np.array(sorted(points)).T
    return np.asarray(np.interp(SHARES, x, y))


def area(kept: Floats) -> Floats:
    """(...) integral of kept (..., len(SHARES)) over the share of calls, less 1/2, that of calling at random."""
    return np.asarray(np.trapezoid(kept, SHARES, axis=-1) - 0.5)


def skill(kept: Floats, oracle: Floats) -> Floats:
    """(...) area of a frontier over that of the oracle."""
    return np.asarray(area(kept) / area(oracle))


def auroc(score: Floats, gain: Floats, weights: Floats | None = None) -> float:
    """Probability that a position with more gain than the mean scores above one with less; equal scores count half.

    The paper has no such number; that a position counts as one to be called if it gains more than the mean is this
    project's reading.
    """
    mass = np.full(len(score), 1.0 / len(score)) if weights is None else weights / weights.sum()
    called = gain > mass @ gain
    order = np.argsort(score, kind="stable")
    group = np.append(0, np.cumsum(np.diff(score[order]) > ALIKE))
    yes = np.bincount(group, (mass * called)[order])
    no = np.bincount(group, (mass * ~called)[order])
    return float(yes @ (np.cumsum(no) - no / 2) / (yes.sum() * no.sum()))


def probe_scores(features: Floats, target: Floats, ridge: float) -> Floats:
    """(N, T) what a linear probe on features (N, T, D) says of targets (N, T); each half of the sequences is read by
    the probe that was fitted on the other."""
    flat = features.reshape(-1, features.shape[-1])
    spread = flat.std(axis=0)
    z = (features - flat.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    said = np.empty_like(target)
    for half in (0, 1):
        x, y = z[half::2].reshape(-1, z.shape[-1]), target[half::2].ravel()
        middle, level = x.mean(axis=0), y.mean()
        gram = (x - middle).T @ (x - middle) + ridge * len(x) * np.eye(x.shape[1])
        slope = np.linalg.solve(gram, (x - middle).T @ (y - level))
        said[1 - half :: 2] = level + (z[1 - half :: 2] - middle) @ slope
    return said
