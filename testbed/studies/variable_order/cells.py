"""Log-linear blends whose weights depend on how often the present contexts were seen, in any way: fitted cell by cell.

    q ~ exp sum_k w_k(n) f_k,     n = (n_1, .., n_D): how often the last 1 .. D tokens stood before a target

f are functions of the symbol such as the logarithms of the orders' laws. Every combination of bins of n_1 .. n_D is a
cell with weights of its own. The weights minimise

    sum over places of KL(p || q) + PULL / 2 sum over cells of |w - w_0|^2

by Newton's method, a step of its own in every cell; the pull settles what a cell does not tell, such as the weight of
an order whose context was never seen.
"""

from dataclasses import dataclass

import numpy as np

from testbed.studies.variable_order.rivals import Floats, Integers

PULL = 1e-3
NEWTON_STEPS = 40
HALVINGS = 20
GAINED = 1e-9
"""Nats, summed over a cell, below which it is done."""


def cells_of(counts: Integers, edges: tuple[int, ...]) -> Integers:
    """(...) number of the cell for counts (D + 1, ...), bins beginning at `edges`; order 0 tells the place alone and
    is left out."""
    found = np.zeros(counts.shape[1:], dtype=np.int64)
    for count in counts[1:]:
        found = found * (len(edges) + 1) + np.searchsorted(edges, count, side="right")
    return found


@dataclass(frozen=True, eq=False)
class CellBlend:
    """weights (C, K) of the cells `known` (C,), rising; `elsewhere` (K,) where a cell was never seen."""

    known: Integers
    weights: Floats
    elsewhere: Floats

    def log_laws(self, features: Floats, cells: Integers) -> Floats:
        """(..., V) for features (K, ..., V) and cells (...)."""
        at = np.minimum(np.searchsorted(self.known, cells), len(self.known) - 1)
        return _log_blend(np.where((self.known[at] == cells)[..., None], self.weights[at], self.elsewhere), features)


def fit_cells(features: Floats, cells: Integers, law: Floats, elsewhere: Floats) -> CellBlend:
    """The blend nearest to a law (..., V), for features (K, ..., V) and cells (...); `elsewhere` (K,) is w_0."""
    k, v = len(features), law.shape[-1]
    known, cell = np.unique(cells, return_inverse=True)
    cell = cell.ravel()
    flat, target = features.reshape(k, -1, v), law.reshape(-1, v)

    def summed(values: Floats) -> Floats:
        return np.asarray(np.bincount(cell, values, len(known)), dtype=np.float64)

    def scored(at: Floats) -> tuple[Floats, Floats]:
        log_q = _log_blend(at[cell], flat)
        return log_q, -summed((target * log_q).sum(axis=-1)) + PULL / 2 * ((at - elsewhere) ** 2).sum(axis=1)

    weights = np.tile(elsewhere, (len(known), 1))
    log_q, loss = scored(weights)
    for _ in range(NEWTON_STEPS):
        q = np.exp(log_q)
        apart = flat - (q * flat).sum(axis=-1)[..., None]
        slopes = np.stack([summed(one) for one in ((q - target) * flat).sum(axis=-1)], axis=1)
        bent = np.empty((len(known), k, k))
        for i in range(k):
            for j in range(i + 1):
                bent[:, i, j] = bent[:, j, i] = summed((q * apart[i] * apart[j]).sum(axis=-1))
        slopes += PULL * (weights - elsewhere)
        step = np.linalg.solve(bent + PULL * np.eye(k), slopes[..., None])[..., 0]
        for halving in range(HALVINGS + 1):
            new_q, new_loss = scored(weights - step)
            worse = new_loss > loss
            if not worse.any():
                break
            step *= np.where(worse, 0.5 if halving < HALVINGS - 1 else 0.0, 1.0)[:, None]
        gained = loss - new_loss
        weights, log_q, loss = weights - step, new_q, new_loss
        if gained.max() < GAINED:
            break
    return CellBlend(known, weights, elsewhere)


def _log_blend(weights: Floats, features: Floats) -> Floats:
    """(..., V) of weights (..., K) and features (K, ..., V)."""
    found = np.einsum("...k,k...v->...v", weights, features)
    found -= found.max(axis=-1, keepdims=True)
    return np.asarray(found - np.log(np.exp(found).sum(axis=-1, keepdims=True)))
