"""Vertices of the couplings of two laws: one for each spanning tree of the complete bipartite graph on their symbols.

The couplings of p (n,) and q (m,) are a polytope. The pairs of positive probability of a vertex form no cycle, so that
they lie in a spanning tree of K_(n,m); and given a tree, the marginals fix every entry: what an edge carries is p less
q of the symbols on its side.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from testbed.core import ConfigError

MAX_TREES = 2**16


def n_trees(n: int, m: int) -> int:
    """n^(m-1) m^(n-1), the number of spanning trees of K_(n,m)  (Scoins 1962).

    >>> n_trees(3, 4)
    432
    """
    return int(n ** (m - 1) * m ** (n - 1))


@lru_cache(maxsize=32)
def spanning_trees(n: int, m: int) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
    """Cells (T, n + m - 1) as row * m + column, and flows (T, n + m - 1, n + m): entries = flows @ [p, q].

    Raises ConfigError above 2^16 trees.
    """
    if n < 1 or m < 1 or n_trees(n, m) > MAX_TREES:
        raise ConfigError(
            f"couplings of {n} and {m} symbols have {n_trees(max(n, 1), max(m, 1)):,} trees, over {MAX_TREES:,}"
        )
    cells: list[tuple[int, ...]] = []
    _grow(0, (), tuple(range(n + m)), n, m, cells)
    chosen = np.array(cells, dtype=np.int64).reshape(len(cells), n + m - 1)
    rows, columns = np.divmod(chosen, m)
    ends = np.zeros((len(chosen), n + m, n + m - 1))
    tree, edge = np.indices(chosen.shape)
    ends[tree, rows, edge] = 1.0
    ends[tree, n + columns, edge] = 1.0
    # the last symbol of q follows from the others; what remains is square and unimodular, so its inverse is integer
    inverse = np.rint(np.linalg.inv(ends[:, :-1])).astype(np.int8)
    return chosen, np.concatenate([inverse, np.zeros((*chosen.shape, 1), np.int8)], axis=2)


def _grow(
    cell: int, kept: tuple[int, ...], part: tuple[int, ...], n: int, m: int, found: list[tuple[int, ...]]
) -> None:
    """Every way to choose from the cells from `cell` on without a cycle; `part` names each symbol's component."""
    if len(kept) == n + m - 1:
        found.append(kept)
        return
    if n * m - cell < n + m - 1 - len(kept):
        return
    one, other = part[cell // m], part[n + cell % m]
    if one != other:
        joined = tuple(one if name == other else name for name in part)
        _grow(cell + 1, (*kept, cell), joined, n, m, found)
    _grow(cell + 1, kept, part, n, m, found)
