"""Bounds on h_l for long contexts from a bounded number of beliefs: near ones merged, or near ones told apart further.

Replacing the beliefs of a cell by their mean forgets which it was: H(X_l | less) >= h_l. Replacing a belief by a
mixture of laws that average to it reveals something of the state: H(X_l | more) <= h_l. Done at every step, with the
first state given too where the entropy rate is to be bounded from below, both stay rigorous for any l. A cell is a cube
in the coordinates arcsin(sqrt(b)), in which information is distance squared everywhere; what is revealed is the vertex
of the smallest simplex {b >= m} around its beliefs. (Upper and lower bounds of a concave function of beliefs on a grid:
Lovejoy 1991.) With two states the bounds come within about 1e-7 of each other; every further state costs digits.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from testbed.sources.equivalent_states import EdgeList, scramble
from testbed.sources.sampled_truth import law_entropies

Floats = NDArray[np.float64]

REACH = {2: 1e-10, 3: 1e-5, 4: 1e-4}  # brackets that may be narrowed, by the number of states; no others
N_CELLS = 2048
MAX_LEVELS = 512
PATIENCE = 16  # levels after which bounds that came no nearer are left alone


@dataclass(frozen=True)
class LongBounds:
    """lower[l] <= h_l <= upper[l], rate_lower <= h, and I(S_0; S_l | X^l) <= mutual[l] (one entry more)."""

    lower: Floats
    upper: Floats
    rate_lower: float
    mutual: Floats


def long_bounds(edges: EdgeList, vocab_size: int, law: Floats) -> LongBounds:
    """Bounds for the stationary process from `law`, over as many tokens as bring them nearer."""
    merged = CoarseLevels(edges, vocab_size, law[None], np.ones(1), reveal=False)
    shown = CoarseLevels(edges, vocab_size, law[None], np.ones(1), reveal=True)
    told = CoarseLevels(edges, vocab_size, np.eye(edges.n_states), law, reveal=True)
    width = np.inf
    for level in range(MAX_LEVELS):
        for chain in (merged, shown, told):
            chain.grow()
        if level % PATIENCE == PATIENCE - 1:
            now = min(merged.entropies) - max(told.entropies)
            if now > 0.98 * width or now < 1e-13:
                break
            width = now
    upper = np.minimum.accumulate(merged.entropies)
    mutual = np.maximum(np.array(merged.uncertainties) - told.uncertainties, 0.0)
    lower = np.minimum(shown.entropies, upper)  # they may cross by rounding
    return LongBounds(lower, upper, min(max(told.entropies), float(upper[-1])), mutual)


class CoarseLevels:
    """The law over a bounded number of beliefs after l tokens. `entropies[l]` bounds H(X_l | what is known) from above,
    or with `reveal` from below; `uncertainties[l]` the mean entropy of the state likewise."""

    def __init__(self, edges: EdgeList, vocab_size: int, beliefs: Floats, weights: Floats, reveal: bool) -> None:
        n = edges.n_states
        self._step = np.zeros((n, vocab_size * n))
        self._step[edges.origins, edges.symbols * n + edges.successors] = edges.probabilities
        self._beliefs, self._weights, self._reveal = beliefs, weights, reveal
        self._side = np.pi / 2 / N_CELLS
        self.entropies: list[float] = []
        self.uncertainties = [self._uncertainty()]

    def grow(self) -> None:
        """One token more."""
        n, n_states = self._beliefs.shape
        joint = (self._beliefs @ self._step).reshape(n, -1, n_states)
        laws = joint.sum(axis=-1)
        laws /= laws.sum(axis=1, keepdims=True)
        self.entropies.append(float((self._weights * law_entropies(laws)).sum()))
        weights = (self._weights[:, None] * laws).ravel()
        possible = np.flatnonzero(weights > 0)
        beliefs = joint.reshape(-1, n_states)[possible]
        beliefs /= beliefs.sum(axis=1, keepdims=True)
        self._beliefs, self._weights = self._coarsen(beliefs, weights[possible] / weights.sum())
        self.uncertainties.append(self._uncertainty())

    def _uncertainty(self) -> float:
        return float((self._weights * law_entropies(self._beliefs)).sum())

    def _coarsen(self, beliefs: Floats, weights: Floats) -> tuple[Floats, Floats]:
        """Fewer beliefs with the same mean: one a cell, or the vertices of the simplex around those of a cell."""
        if len(weights) <= N_CELLS:
            return beliefs, weights
        order, first = self._cells(beliefs)
        beliefs, weights = beliefs[order], weights[order]
        total = np.add.reduceat(weights, first)
        mean = np.add.reduceat(beliefs * weights[:, None], first) / total[:, None]
        mean /= mean.sum(axis=1, keepdims=True)
        if not self._reveal:
            return mean, total
        n_states = beliefs.shape[1]
        least = np.minimum.reduceat(beliefs, first)
        room = 1.0 - least.sum(axis=1)
        wide = room > 1e-15
        vertices = least[wide, None, :] + room[wide, None, None] * np.eye(n_states)
        shares = np.maximum(mean[wide] - least[wide], 0.0)
        shares *= (total[wide] / shares.sum(axis=1))[:, None]
        used = shares.ravel() > 0
        kept = np.concatenate([vertices.reshape(-1, n_states)[used], mean[~wide]])
        return kept, np.concatenate([shares.ravel()[used], total[~wide]])

    def _cells(self, beliefs: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The order that puts beliefs of a cell together, and where each cell begins; cells grow until few enough."""
        place = np.arcsin(np.sqrt(np.minimum(beliefs, 1.0)))
        columns = np.arange(beliefs.shape[1], dtype=np.uint64)
        while True:
            cells = np.floor(place / self._side).astype(np.int64)
            keys = scramble(scramble(cells) + columns).sum(axis=1, dtype=np.uint64)
            order = np.argsort(keys, kind="stable")
            first = np.flatnonzero(np.append(True, np.diff(keys[order]) != 0))
            if len(first) <= N_CELLS:
                return order, first
            self._side *= 1.25
