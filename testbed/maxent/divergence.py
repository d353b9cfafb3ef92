"""How far one law of n tokens is from another, in all and token by token."""

import numpy as np

from testbed.core import ConfigError
from testbed.maxent.constraint import Floats


def divergence(p: Floats, q: Floats) -> float:
    """KL(p || q) = sum p ln (p / q), nats; infinite where q is zero and p is not.

    Raises ConfigError for different shapes, and for entries that are negative or not finite: a law with a hole in it
    would otherwise look as if it lost nothing there.

    >>> float(round(divergence(np.array([1.0, 0.0]), np.array([0.5, 0.5])), 6))
    0.693147
    """
    if p.shape != q.shape:
        raise ConfigError(f"p, q: given the shapes {p.shape} and {q.shape}, must be equal")
    for name, law in (("p", p), ("q", q)):
        if not (np.isfinite(law).all() and law.min(initial=0.0) >= 0):
            worst = law[~np.isfinite(law)][0] if not np.isfinite(law).all() else law.min()
            raise ConfigError(f"{name}: has the entry {worst:g}; entries must be finite and not negative")
    some = p > 0
    with np.errstate(divide="ignore"):
        return float(np.sum(p[some] * (np.log(p[some]) - np.log(q[some]))))


def token_divergences(p: Floats, q: Floats) -> Floats:
    """(n,): E_p KL(p(x_t | x_<t) || q(x_t | x_<t)) for every token; they add up to KL(p || q) (chain rule), nats.
    Infinite at the first token at which q excludes a prefix that p has, nan after it.

    The mean over t >= T is what a scheme loses per new token behind a true prefix of T tokens.
    """
    prefixes = []
    while p.ndim > 0:
        prefixes.append(divergence(p, q))
        p, q = p.sum(axis=-1), q.sum(axis=-1)
    cumulative = np.array(prefixes[::-1])
    with np.errstate(invalid="ignore"):
        return np.diff(cumulative, prepend=0.0)
