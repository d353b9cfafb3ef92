"""Couplings of least entropy: the greedy one, and the exact one for small alphabets.

With H the entropy of the pairs, p ^ q the meet and log2(e) / e = 0.5307:

    max(H(p), H(q)) <= H(p ^ q) <= least <= greedy                      (Cicalese & Vaccaro 2002; Kocaoglu et al. 2017)
    least  <= H(p ^ q) + 1 bit                                          (Cicalese, Gargano & Vaccaro 2019, 1901.07530)
    greedy <= H(p ^ q) + log2(e) bit,   for any number of laws          (Compton 2022, 2203.05108)
    greedy <= least + log2(e) / e bit,  for two laws                    (Compton et al. 2023, 2302.11838)

The last bound counts from the least coupling and not from the meet: p = (1/3, 1/3, 1/3) and q = (5/9, 2/9, 2/9) have
no coupling within 0.53 bit of their meet. Least entropy is most information, I(X; Y) = H(p) + H(q) - H(X, Y).
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from testbed.measures.couplings.laws import Floats, checked_law, entropies
from testbed.measures.couplings.trees import spanning_trees

GREEDY_OVER_LEAST = 1.0 / math.e
"""log2(e) / e bit, in nats."""
LEAST_OVER_MEET = math.log(2.0)
"""1 bit, in nats."""
GREEDY_OVER_MEET = 1.0
"""log2(e) bit, in nats."""
NOTHING = 1e-13
"""Mass below which a symbol counts as used up, and an entry as positive."""
BATCH_ENTRIES = 2**22


def greedy_coupling(p: ArrayLike, q: ArrayLike) -> Floats:
    """(n, m): again and again, the largest masses left of p and of q are paired as far as they go.

    Kocaoglu et al. 2017 (1611.04035), algorithm 1; at most n + m - 1 entries. Of equal masses the first is taken.

    >>> greedy_coupling([0.5, 0.5], [0.6, 0.4]).round(6).tolist()
    [[0.5, 0.0], [0.1, 0.4]]
    """
    left, right = checked_law(p, "p").copy(), checked_law(q, "q").copy()
    joint = np.zeros((len(left), len(right)))
    while True:
        i, j = int(left.argmax()), int(right.argmax())
        mass = min(left[i], right[j])
        if mass <= NOTHING:
            return joint
        joint[i, j] += mass
        left[i] -= mass
        right[j] -= mass


def minimum_entropy_coupling(p: ArrayLike, q: ArrayLike) -> Floats:
    """(n, m) the coupling of least entropy, exact: entropy is concave, hence least at a vertex, and all are looked at.

    Raises ConfigError above 2^16 spanning trees, which is 4 x 4, 3 x 7 or 2 x 13 symbols at most.

    >>> minimum_entropy_coupling([0.6, 0.4], [0.6, 0.3, 0.1]).round(6).tolist()
    [[0.6, 0.0, 0.0], [0.0, 0.3, 0.1]]
    """
    one, other = checked_law(p, "p"), checked_law(q, "q")
    cells, flows = spanning_trees(len(one), len(other))
    entries = flows @ np.concatenate([one, other])
    values = np.where((entries >= -NOTHING).all(axis=1), entropies(np.maximum(entries, 0.0)), np.inf)
    best = int(values.argmin())
    joint = np.zeros(len(one) * len(other))
    joint[cells[best]] = np.maximum(entries[best], 0.0)
    return joint.reshape(len(one), len(other))


def least_entropies(p: ArrayLike, others: Floats) -> Floats:
    """(B,) entropies of the least couplings of (B, n) laws, or of one, with (B, m) others, nats; exact, in batches."""
    ones = np.broadcast_to(np.asarray(p, dtype=np.float64), (len(others), np.shape(p)[-1]))
    _, flows = spanning_trees(ones.shape[1], others.shape[1])
    mixed = flows.reshape(-1, flows.shape[2]).astype(np.float64)
    step = max(1, BATCH_ENTRIES // len(mixed))
    found = []
    for first in range(0, len(others), step):
        both = np.concatenate([ones[first : first + step], others[first : first + step]], axis=1)
        entries = (both @ mixed.T).reshape(len(both), *flows.shape[:2])
        row, tree = np.nonzero((entries >= -NOTHING).all(axis=2))
        values = np.full(entries.shape[:2], np.inf)
        values[row, tree] = entropies(np.maximum(entries[row, tree], 0.0))
        found.append(values.min(axis=1))
    return np.concatenate(found) if found else np.zeros(0)


def greedy_entropies(p: Floats, q: Floats) -> Floats:
    """(B,) entropies of the greedy couplings of (B, n) laws with (B, m) others, nats."""
    left, right = p.copy(), q.copy()
    rows = np.arange(len(left))
    found = np.zeros(len(left))
    for _ in range(left.shape[1] + right.shape[1] - 1):
        i, j = left.argmax(axis=1), right.argmax(axis=1)
        mass = np.minimum(left[rows, i], right[rows, j])
        found -= mass * np.log(np.where(mass > 0, mass, 1.0))
        left[rows, i] -= mass
        right[rows, j] -= mass
    return found
