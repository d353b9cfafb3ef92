"""Maps of bounded entropy: the T that tells most of X while H(T) <= R (EBIM, Ebrahimi et al. 2024, 2410.21666).

For a map T = g(X) it tells I(X; T) = H(T), so that the best one is the partition of X's symbols whose entropy comes
closest to R from below. A random map can come closer: given the law of T it is the coupling of least entropy with X,

    max I(X; T)  =  max over laws t with H(t) <= R of  H(p) + H(t) - least coupling entropy of p and t.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from testbed.core import ConfigError
from testbed.measures.couplings.coupling import least_entropies
from testbed.measures.couplings.laws import Floats, checked_law, entropies, entropy

Labels = NDArray[np.int64]
MOST_SYMBOLS = 9
ROOM = 1e-12
"""By how much rounding may lift an entropy above a rate that it equals."""


@lru_cache(maxsize=16)
def set_partitions(n: int) -> Labels:
    """(B, n) every partition of n symbols, as the number of each symbol's cell, cells numbered as they appear.

    Raises ConfigError outside 1 .. 9 symbols (21,147 partitions).

    >>> set_partitions(3).tolist()
    [[0, 0, 0], [0, 0, 1], [0, 1, 0], [0, 1, 1], [0, 1, 2]]
    """
    if not 1 <= n <= MOST_SYMBOLS:
        raise ConfigError(f"partitions are enumerated for 1 .. {MOST_SYMBOLS} symbols, not {n}")
    found: list[tuple[int, ...]] = [(0,)]
    for _ in range(n - 1):
        found = [(*one, cell) for one in found for cell in range(max(one) + 2)]
    return np.array(found, dtype=np.int64)


def membership(labels: Labels) -> Floats:
    """(.., n, n): 1 where symbol x lies in cell t, for labels (.., n)."""
    return (labels[..., None] == np.arange(labels.shape[-1])).astype(np.float64)


def cell_laws(p: ArrayLike, labels: Labels) -> Floats:
    """(.., n) probabilities of the cells, empty ones included, for labels (.., n)."""
    return np.einsum("x,...xt->...t", np.asarray(p, dtype=np.float64), membership(labels))


def best_maps(p: ArrayLike, rate: float, tie: float = 1e-9) -> Labels:
    """(B, n) the maps of largest entropy H(T) <= rate, all that tie within `tie` nats; exact, by enumeration.

    >>> best_maps([0.5, 0.25, 0.25], 0.7).tolist()
    [[0, 1, 1]]
    """
    law = checked_law(p, "p")
    maps = set_partitions(len(law))
    values = entropies(cell_laws(law, maps))
    within = values <= _checked_rate(rate) + ROOM
    return maps[within & (values >= values[within].max() - tie)]


def merge_rarest(p: ArrayLike, rate: float) -> Labels:
    """(n,) the two rarest cells are merged until H(T) <= rate, as in a Huffman tree.

    Its last merge can cost up to 1 bit: eight equal symbols at a rate just below 1 bit end as one.
    """
    law = checked_law(p, "p")
    labels = np.arange(len(law))
    while entropy(cell_laws(law, labels)) > _checked_rate(rate) + ROOM:
        cells = np.unique(labels)
        masses = cell_laws(law, labels)[cells]
        one, other = cells[np.argsort(masses, kind="stable")[:2]]
        labels = np.where(labels == other, one, labels)
    return numbered(labels)


def merge_into_commonest(p: ArrayLike, rate: float) -> Labels:
    """(n,) symbols are added to the cell of the commonest, the rarest first, until H(T) <= rate.

    Where it stops at all, it falls short of the rate by less than h(p_2), the binary entropy of the second largest
    probability: adding a symbol of probability b to a cell of probability a costs (a + b) h(b / (a + b)), which rises
    with a up to h(b) at a = 1 - b, and b <= p_2 <= 1/2. (A guarantee of this form is what the paper's greedy algorithm
    has; the order of merging and the proof are ours.)
    """
    law = checked_law(p, "p")
    order = np.argsort(law, kind="stable")
    labels = np.arange(len(law))
    for symbol in order[:-1]:
        if entropy(cell_laws(law, labels)) <= _checked_rate(rate) + ROOM:
            break
        labels[symbol] = order[-1]
    return numbered(labels)


def numbered(labels: Labels) -> Labels:
    """The same partition with its cells numbered as they appear.

    >>> numbered(np.array([5, 2, 5])).tolist()
    [0, 1, 0]
    """
    _, first, where = np.unique(labels, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(first))[where], dtype=np.int64)


def tempered(laws: Floats, rate: float) -> Floats:
    """(B, n) laws t^b / sum t^b of entropy `rate`, b >= 0 by bisection; those that cannot reach it are left out."""
    kept = laws[(laws > 0).sum(axis=1) > np.exp(rate)]
    logs = np.where(kept > 0, np.log(np.where(kept > 0, kept, 1.0)), -np.inf)
    low, high = np.zeros(len(kept)), np.full(len(kept), 200.0)
    for _ in range(60):
        middle = (low + high) / 2
        above = entropies(_powers(logs, middle)) > rate
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    found = _powers(logs, high)
    return found[np.abs(entropies(found) - rate) < 1e-6]


def _powers(logs: Floats, power: Floats) -> Floats:
    with np.errstate(invalid="ignore"):
        scaled = np.where(np.isfinite(logs), power[:, None] * logs, -np.inf)
    raised = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def random_map_information(
    p: ArrayLike, rate: float, rng: np.random.Generator, n_laws: int = 400, n_rounds: int = 6
) -> float:
    """The most information I(X; T), nats, that a search over laws of T with H(T) <= rate finds: a lower bound of EBIM.

    Every partition within the rate is among the laws tried; the others have H(T) = rate exactly, over as many symbols
    as X has, drawn at random and then, for `n_rounds` rounds, near the best so far. Couplings are exact.
    """
    law = checked_law(p, "p")
    maps = set_partitions(len(law))
    levels = entropies(cell_laws(law, maps))
    best = float(levels[levels <= _checked_rate(rate) + ROOM].max())
    centre, width = np.full(len(law), 1.0 / len(law)), 3.0
    for _ in range(n_rounds + 1):
        drawn = np.log(np.maximum(centre, 1e-9)) + width * rng.standard_normal((n_laws, len(law)))
        tried = tempered(np.exp(drawn - drawn.max(axis=1, keepdims=True)), rate)
        if len(tried):
            told = entropy(law) + rate - least_entropies(law, tried)
            place = int(told.argmax())
            if told[place] > best:
                best, centre = float(told[place]), tried[place]
        width *= 0.4
    return best


def _checked_rate(rate: float) -> float:
    if not rate >= 0:
        raise ConfigError(f"rate: given {rate}, must be at least 0 nats")
    return rate
