"""Laws and their order: Shannon entropy, majorisation, and the meet of two laws."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from testbed.core import ConfigError

Floats = NDArray[np.float64]

SUM_ERROR = 1e-9
"""By how much the entries of a law may miss 1."""


def checked_law(law: ArrayLike, name: str) -> Floats:
    """(n,) float64, scaled to sum to one.

    Raises ConfigError unless it is a vector of at least one number >= 0 that sums to 1 within 1e-9.
    """
    found = np.asarray(law, dtype=np.float64)
    if found.ndim != 1 or not len(found) or not np.isfinite(found).all() or found.min() < 0:
        raise ConfigError(f"{name}: given {law!r}, must be a vector of probabilities")
    total = float(found.sum())
    if abs(total - 1.0) > SUM_ERROR:
        raise ConfigError(f"{name}: given numbers that sum to {total:.10g}, must sum to 1")
    return found / total


def entropies(laws: ArrayLike) -> Floats:
    """(..): -sum p ln p over the last axis of (.., n), nats; 0 ln 0 = 0.

    >>> entropies([[0.5, 0.5], [1.0, 0.0]]).round(6).tolist()
    [0.693147, 0.0]
    """
    p = np.asarray(laws, dtype=np.float64)
    return np.asarray(-(p * np.log(np.where(p > 0, p, 1.0))).sum(axis=-1)) + 0.0


def entropy(law: ArrayLike) -> float:
    """H of an array of any shape that sums to one, nats."""
    return float(entropies(np.asarray(law, dtype=np.float64).reshape(-1)))


def mutual_information(joint: ArrayLike) -> float:
    """I = H(rows) + H(columns) - H(joint) of a law (n, m), nats, not below 0."""
    p = np.asarray(joint, dtype=np.float64)
    return max(0.0, entropy(p.sum(axis=1)) + entropy(p.sum(axis=0)) - entropy(p))


def meet(p: ArrayLike, q: ArrayLike) -> Floats:
    """(max(n, m),) p ^ q, the greatest law that both p and q majorise, falling  (Cicalese & Vaccaro 2002).

        sum of its k largest = min(sum of the k largest of p, sum of the k largest of q)

    The law of a coupling's pairs is majorised by either marginal, whose entries are sums of its own; hence by the meet,
    and since entropy falls along majorisation,  max(H(p), H(q)) <= H(p ^ q) <= H(X, Y)  for every coupling.

    >>> meet([0.5, 0.5], [0.6, 0.2, 0.2]).round(6).tolist()
    [0.5, 0.3, 0.2]
    """
    return np.asarray(meets(checked_law(p, "p"), checked_law(q, "q")))


def meets(p: Floats, q: Floats) -> Floats:
    """(.., max(n, m)) `meet` of laws (.., n) and (.., m), which are not checked."""
    size = max(p.shape[-1], q.shape[-1])
    return np.maximum(np.diff(np.minimum(_largest(p, size), _largest(q, size)), prepend=0.0), 0.0)


def _largest(laws: Floats, size: int) -> Floats:
    """(.., size): what the k largest entries weigh together, k = 1 .. size."""
    wide = np.zeros((*laws.shape[:-1], size))
    wide[..., : laws.shape[-1]] = laws
    return np.asarray(np.cumsum(np.sort(wide, axis=-1)[..., ::-1], axis=-1))


def majorises(p: ArrayLike, q: ArrayLike, error: float = 1e-12) -> bool:
    """Whether the k largest entries of p weigh at least what those of q do, for every k, up to `error`."""
    one, other = checked_law(p, "p"), checked_law(q, "q")
    size = max(len(one), len(other))
    return bool((_largest(one, size) >= _largest(other, size) - error).all())
