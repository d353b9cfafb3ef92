"""Sums and scalings of a dense law (V,) * n by tables over some positions.

The array is seen as (H, L): its first positions make the rows, its last the columns. A table over the positions c is
then (n_high, n_low), the row h reads its row high[c, h] and the column l its column low[c, l]. Expanded once to
(n_high, L), it meets the array row by row, so that the long loops are plain vector operations; sums go the same way
back. One pass over the array scales by one table and sums for the next.

All tables lie behind each other in one vector; `offset` says where each begins.
"""

import numpy as np
from numba import njit


@njit(cache=True, boundscheck=False, error_model="numpy")
def expand(table, low, n_high, n_low, out):
    for a in range(n_high):
        for l in range(low.shape[0]):
            out[a, l] = table[a * n_low + low[l]]


@njit(cache=True, boundscheck=False, error_model="numpy")
def fold(sums, low, n_high, n_low, out):
    out[:] = 0.0
    for a in range(n_high):
        for l in range(low.shape[0]):
            out[a * n_low + low[l]] += sums[a, l]


@njit(cache=True, boundscheck=False, error_model="numpy")
def marginal(law, high, low, n_high, n_low, sums, out):
    """out: `law` summed onto one clique."""
    for a in range(n_high):
        sums[a, :] = 0.0
    for h in range(law.shape[0]):
        row, source = sums[high[h]], law[h]
        for l in range(source.shape[0]):
            row[l] += source[l]
    fold(sums, low, n_high, n_low, out)


@njit(cache=True, boundscheck=False, error_model="numpy")
def scale_and_sum(law, high, factors, next_high, sums, n_next):
    """Multiply `law` by the expanded `factors` and sum it for the next table on the way."""
    for a in range(n_next):
        sums[a, :] = 0.0
    for h in range(law.shape[0]):
        target, factor, row = law[h], factors[high[h]], sums[next_high[h]]
        for l in range(target.shape[0]):
            value = target[l] * factor[l]
            target[l] = value
            row[l] += value


@njit(cache=True, boundscheck=False, error_model="numpy")
def all_marginals(law, high, low, n_high, n_low, offset, sums, out):
    """out: `law` summed onto every clique."""
    for c in range(n_high.shape[0]):
        marginal(law, high[c], low[c], n_high[c], n_low[c], sums, out[offset[c] : offset[c + 1]])


@njit(cache=True, boundscheck=False, error_model="numpy")
def add_tables(law, high, low, n_high, n_low, offset, tables, expanded):
    """law += sum of the tables, each read at its positions."""
    for c in range(n_high.shape[0]):
        expand(tables[offset[c] : offset[c + 1]], low[c], n_high[c], n_low[c], expanded)
        for h in range(law.shape[0]):
            target, row = law[h], expanded[high[c, h]]
            for l in range(target.shape[0]):
                target[l] += row[l]


@njit(cache=True, boundscheck=False, error_model="numpy")
def fit_sweeps(
    law, high, low, n_high, n_low, offset, targets, multipliers, tolerance, residuals, factors, sums, marginals
):
    """Up to len(residuals) sweeps of iterative proportional fitting, law <- law * target / marginal, table by table.

    residuals[s]  largest error that sweep s met before each of its updates
    multipliers   sum of the logarithms of all factors
    Returns the sweeps made, and the number of a table whose target is above `tolerance` where the law has no mass, or
    -1. Stops after a sweep that met no error above `tolerance`.
    """
    n_tables = n_high.shape[0]
    marginal(law, high[0], low[0], n_high[0], n_low[0], sums, marginals[offset[0] : offset[1]])
    for sweep in range(residuals.shape[0]):
        worst = 0.0
        for c in range(n_tables):
            for cell in range(offset[c], offset[c + 1]):
                target, found = targets[cell], marginals[cell]
                worst = max(worst, abs(found - target))
                if target == 0.0:  # such cells are outside the support
                    marginals[cell] = 0.0
                elif found == 0.0:
                    if target > tolerance:
                        return sweep, c
                    marginals[cell] = 1.0  # a tiny target whose mass has underflowed
                else:
                    marginals[cell] = target / found
                    multipliers[cell] += np.log(target / found)
            expand(marginals[offset[c] : offset[c + 1]], low[c], n_high[c], n_low[c], factors)
            following = c + 1 if c + 1 < n_tables else 0
            scale_and_sum(law, high[c], factors, high[following], sums, n_high[following])
            out = marginals[offset[following] : offset[following + 1]]
            fold(sums, low[following], n_high[following], n_low[following], out)
        residuals[sweep] = worst
        if worst <= tolerance:
            return sweep + 1, -1
    return residuals.shape[0], -1
