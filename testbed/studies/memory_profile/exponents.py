"""The exponents of the horizon law, read off exact curves, and what the law makes of them.

    h_n - h ~ n^-gamma,   |kappa(n)| ~ n^-beta:     n*(D) ~ D^(1 / (2 beta)),   L(D) - h ~ D^-(gamma / (2 beta))

(Cagnetta et al. 2026, 2602.07488). Over a finite range exponents drift, so they are slopes over the stretch of n that
the horizon kappa(n) = D^(-1/2) crosses between the smallest and the largest dataset.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from testbed.sources.hierarchical.pairs import child_law, pair_law
from testbed.sources.hierarchical.tree import Tree
from testbed.studies.optimal_context_laws.data import slopes

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def slope(x: NDArray[Any], y: NDArray[Any]) -> float:
    """Of ln y on ln x, by least squares."""
    return float(slopes(x.tolist(), np.log(y)[None])[0])


def leaf_correlations(tree: Tree) -> Floats:
    """(T - 1,) of the last leaf with the leaf n places before it, n = 1 .. T - 1, exact:

        kappa(n) = ( sum_xy (P(x, y) - P(x) P(y))^2 / (P(x) P(y)) / (V - 1) )^(1/2)

    for trees of two children: through the lowest common ancestor, down either side.
    """
    v, found = tree.vocab_size, []
    levels = tree.levels
    marginal = np.asarray(tree.root)
    ends = []  # for each height: (law of a node on the rightmost path, how its level branches)
    for level in levels:
        ends.append((marginal, level))
        marginal = marginal @ child_law(level, 1)
    for height in range(1, len(levels) + 1):
        node, branching = ends[len(levels) - height]
        joint = np.einsum("a,axy->xy", node, pair_law(branching, 0, 1))
        below = levels[len(levels) - height + 1 :]
        right = np.eye(v)
        for level in below:
            right = right @ child_law(level, 1)
        for place in range(2 ** (height - 1) - 1, -1, -1):
            left = np.eye(v)
            for depth, level in enumerate(below):
                left = left @ child_law(level, place >> (len(below) - 1 - depth) & 1)
            pair = left.T @ joint @ right
            p, q = pair.sum(axis=1), pair.sum(axis=0)
            product = np.outer(p, q)
            kept = product > 0
            chi2 = float(np.sum((pair - product)[kept] ** 2 / product[kept]))
            found.append(np.sqrt(max(chi2, 0.0) / (v - 1)))
    return np.array(found)


def linear_risks(kappa: Floats, tested: NDArray[np.integer], laws: Floats) -> Floats:
    """(m + 1,) mean KL to the exact laws of the best linear prediction of a bit from its last n, n = 0 .. m.

    Bits as -1, 1; coefficients from the exact correlations kappa (m + 1,) by Levinson's recursion. An upper bound of
    h_n - h, up to the error of the tested contexts; equal to it where E[x_t | last n] is linear.
    """
    signs = 2.0 * np.asarray(tested, dtype=np.float64)[:, ::-1] - 1.0  # nearest first
    longest = signs.shape[1]
    mean = 2.0 * laws[:, 1] - 1.0
    coefficients, error = np.zeros(longest), 1.0
    found = [_divergence(mean, np.zeros_like(mean))]
    for n in range(1, longest + 1):
        reflection = (kappa[n] - coefficients[: n - 1] @ kappa[n - 1 : 0 : -1]) / error
        coefficients[: n - 1] -= reflection * coefficients[: n - 1][::-1]
        coefficients[n - 1] = reflection
        error *= 1.0 - reflection**2
        found.append(_divergence(mean, signs[:, :n] @ coefficients[:n]))
    return np.array(found)


def _divergence(mean: Floats, guess: Floats) -> float:
    """Mean KL of bits of these means."""
    p = np.clip((1.0 + mean) / 2.0, 1e-12, 1 - 1e-12)
    q = np.clip((1.0 + guess) / 2.0, 1e-6, 1 - 1e-6)
    return float(np.mean(p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))))


def law_exponents(
    family: str, missing: Floats, lags: Integers, correlations: Floats, sizes: tuple[int, ...]
) -> tuple[float, float]:
    """gamma and beta, over the stretch that the horizon crosses."""
    first, last = (farthest(lags, correlations, size) for size in (sizes[0], sizes[-1]))
    first = max(1, min(first, last // 4))
    inside = (lags >= first) & (lags <= last)
    points = lags[inside]
    if family != "copy":  # evenly on a logarithmic axis, as lags of copies are
        points = np.unique(np.rint(np.geomspace(first, last, 9)).astype(np.int64))
    known = points[missing[points] > 0]
    kappa = correlations[np.searchsorted(lags, points)]
    return -slope(known, missing[known]), -slope(points, kappa)


def farthest(lags: Integers, correlations: Floats, size: int) -> int:
    """The farthest lag whose correlation exceeds D^(-1/2); the nearest lag if none does."""
    above = np.flatnonzero(correlations > size**-0.5)
    return int(lags[above[-1]] if len(above) else lags[0])
