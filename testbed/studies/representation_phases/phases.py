"""When does a path fall, rise and fall again? A detector, with its own noise.

Of a path r_0, r_1, .. of ln RankMe, smoothed by a running median of three points, so that no single point makes a leg:

    D = max over j < k of min( max_{i <= j} r_i - r_j,   r_k - r_j,   r_k - min_{l >= k} r_l )

the smallest of the three legs of the best fall, rise, fall. A path counts if D is at least `leg` and at least `jitter`
standard deviations of its jitter, which is read off second differences of the raw path,

    sigma = 1.4826 median |r_(t-1) - 2 r_t + r_(t+1)| / sqrt(6)

exact for independent normal noise on a straight line; curvature makes it larger, hence the detector stricter. It holds
what the noise of gradients does from point to point; evaluation windows are the same all along. It is read after the
warm-up alone: before it the rate is next to nothing, points are free of noise, and the median would be too small.

A path without phases has at most one turn (`one_turn`). How often the detector finds phases in such paths is tried on
each path's own best fit of one turn, with its own second differences dealt out as noise (`by_chance`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Phases:
    """The best fall, rise, fall of a path: points of its trough and peak, its three legs, and its jitter sigma.

    The second fall is what the path has lost between the peak and its lowest later point.
    """

    trough: int
    peak: int
    legs: tuple[float, float, float]
    sigma: float

    def found(self, leg: float, jitter: float) -> bool:
        """All three legs are long enough."""
        return min(self.legs) >= max(leg, jitter * self.sigma)


def smoothed(path: ArrayLike) -> Floats:
    """Running median of three points; the ends stay."""
    r = np.asarray(path, dtype=np.float64)
    found = r.copy()
    found[1:-1] = np.median(np.stack([r[:-2], r[1:-1], r[2:]]), axis=0)
    return found


def differences(path: ArrayLike) -> Floats:
    """Second differences over sqrt(6): of independent noise on a line, as wide as the noise."""
    r = np.asarray(path, dtype=np.float64)
    return np.asarray((r[:-2] - 2 * r[1:-1] + r[2:]) / np.sqrt(6.0))


def jitter_of(path: ArrayLike) -> float:
    """sigma of a path."""
    return float(1.4826 * np.median(np.abs(differences(path))))


def three_legs(path: ArrayLike, warm: int = 0) -> Phases:
    """The fall, rise and fall whose smallest leg is largest, of a path of at least four points.

    warm   first point that counts for the jitter; at least three do
    """
    raw = np.asarray(path, dtype=np.float64)
    r = smoothed(raw)
    down = np.maximum.accumulate(r) - r  # first leg, by trough
    fallen = r - np.minimum.accumulate(r[::-1])[::-1]  # second fall, by peak
    rise = r[None, :] - r[:, None]
    least = np.minimum(np.minimum(down[:, None], rise), fallen[None, :])
    least[np.tril_indices(len(r))] = -np.inf
    trough, peak = (int(one) for one in np.unravel_index(int(np.argmax(least)), least.shape))
    legs = (float(down[trough]), float(rise[trough, peak]), float(fallen[peak]))
    return Phases(trough, peak, legs, jitter_of(raw[warm:]))


def two_legs(path: ArrayLike, warm: int = 0) -> Phases:
    """The fall and rise whose smaller leg is larger; its third leg is infinite."""
    raw = np.asarray(path, dtype=np.float64)
    r = smoothed(raw)
    down = np.maximum.accumulate(r) - r
    up = np.maximum.accumulate(r[::-1])[::-1] - r
    trough = int(np.argmax(np.minimum(down, up)))
    peak = trough + int(np.argmax(r[trough:]))
    return Phases(trough, peak, (float(down[trough]), float(up[trough]), np.inf), jitter_of(raw[warm:]))


def pending(path: ArrayLike, half: int, warm: int, leg: float, jitter: float, rising: float) -> bool:
    """The path ends before it is known whether it has phases.

    half     the point at half the steps; the change from there to the end is that of the last doubling, read off the
             median of the points beside it and that of the last three
    rising   a larger rise over it: what comes after the peak has not been seen

    Otherwise it is pending if one more such doubling, falling as the last one did, would complete its phases.
    """
    r = np.asarray(path, dtype=np.float64)
    found = three_legs(r, warm)
    if found.found(leg, jitter):
        return False
    change = float(np.median(r[-3:]) - np.median(r[max(half - 1, 0) : half + 2]))
    if change > rising:
        return True
    further = np.concatenate([r, np.full(2, r[-1] + min(change, 0.0))])  # two points outlast the running median
    legs = three_legs(further, warm).legs
    return min(legs) >= max(leg, jitter * found.sigma)


def one_turn(path: ArrayLike) -> Floats:
    """The least-squares path with at most one turn: it falls and then rises, or rises and then falls."""
    from scipy.optimize import isotonic_regression

    r = np.asarray(path, dtype=np.float64)
    best, least = r, np.inf
    for sign in (1.0, -1.0):
        for turn in range(len(r) + 1):
            parts = [
                isotonic_regression(part, increasing=up).x
                for part, up in ((sign * r[:turn], False), (sign * r[turn:], True))
                if len(part)
            ]
            fit = sign * np.concatenate(parts)
            error = float(np.sum((fit - r) ** 2))
            if error < least:
                best, least = fit, error
    return np.asarray(best)


def by_chance(path: ArrayLike, warm: int, leg: float, jitter: float, n: int, rng: np.random.Generator) -> float:
    """Share of n paths of one turn at most, noisy after the warm-up as this one is, in which phases are found."""
    raw = np.asarray(path, dtype=np.float64)
    fit, noise = one_turn(raw), differences(raw[warm:])
    found = 0
    for _ in range(n):
        drawn = fit.copy()
        drawn[warm:] += rng.choice(noise, len(drawn) - warm) * rng.choice([-1.0, 1.0], len(drawn) - warm)
        found += three_legs(drawn, warm).found(leg, jitter)
    return found / n
