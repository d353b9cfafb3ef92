"""From losses of several runs at every size to fitted limits."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from testbed.measures.decay import POWER, STRETCHED
from testbed.studies.irreducible_loss.limits import Limit, limit_of, smoothed_errors

Floats = NDArray[np.float64]

RISE = 3.841458820694124
"""The 95 % quantile of chi^2 with one degree of freedom."""
COLUMNS = ("estimate", "lower", "upper", "exponent", "chi_squared")
FREE = {"power": 3, "stretched": 4}
LAWS = {"power": POWER, "stretched": STRETCHED}


def read(sizes: Floats, losses: Floats, laws: Sequence[str] = ("power",)) -> dict[str, Floats]:
    """{law: (R, 5)} `COLUMNS` of the limit of each draw's curve: sizes (R, n), losses (R, n, S)."""
    return {
        law: np.array([row_of(one_limit(x, runs, law)) for x, runs in zip(sizes, losses, strict=True)]) for law in laws
    }


def one_limit(sizes: Floats, losses: Floats, law: str = "power") -> Limit:
    """The limit of one curve: sizes (n,), losses (n, S)."""
    errors = smoothed_errors(sizes, losses)
    return limit_of(LAWS[law], sizes / sizes[0], losses.mean(axis=1), errors, RISE)


def row_of(limit: Limit) -> tuple[float, ...]:
    """As in `COLUMNS`."""
    return limit.estimate, limit.lower, limit.upper, limit.theta[0], limit.chi_squared


def chosen(fits: dict[str, Floats], n_points: int) -> Floats:
    """(R, 5): of each curve the fit of least AICc, errors known."""
    names = list(fits)
    scores = [fits[one][:, 4] + _penalty(FREE[one], n_points) for one in names]
    best = np.argmin(scores, axis=0)
    return np.stack([fits[one] for one in names])[best, np.arange(len(best))]


def _penalty(free: int, n: int) -> float:
    return 2.0 * free + 2.0 * free * (free + 1) / (n - free - 1) if n > free + 1 else np.inf


def covered(fits: Floats, truth: Floats) -> NDArray[np.bool_]:
    """(R,): the interval is closed and holds the truth (R,). One that is open on a side says too little to be right."""
    closed = np.isfinite(fits[:, 1]) & np.isfinite(fits[:, 2])
    return np.asarray(closed & (fits[:, 1] <= truth) & (truth <= fits[:, 2]))
