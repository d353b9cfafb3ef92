"""The unigram level for two symbols when sequences start from the chain's own stationary law, as the paper's do."""

from functools import lru_cache

import numpy as np


@lru_cache(maxsize=4)
def unigram_by_quadrature(length: int, stationary: bool, n: int = 48) -> float:
    """Mean loss of unigrams plus one at positions 1 .. length, nats, K = 2, rows from Dirichlet(1).

    Gauss-Legendre with n nodes over both switching probabilities p, q, and for each pair of them the law of the number
    of zeros and the last symbol. With a stationary start, P(first = 0) = q / (p + q), and p, q are cubes of the nodes,
    for the kink at 0. A uniform start, `stationary` false, is there to be checked against sums over states.
    """
    nodes, weights = np.polynomial.legendre.leggauss(n)
    g = (nodes + 1) / 2
    change, weight = (g**3, 1.5 * weights * g**2) if stationary else (g, weights / 2)
    p, q = (one.ravel() for one in np.meshgrid(change, change))
    mass = np.outer(weight, weight).T.ravel()
    law = np.zeros((length + 2, 2, len(p)))
    law[1, 0] = q / (p + q) if stationary else 0.5
    law[0, 1] = 1 - law[1, 0]
    loss = 0.0
    for t in range(1, length + 1):
        zeros = np.arange(t + 1)
        guess = (np.stack([zeros, t - zeros]) + 1) / (t + 2)
        to = np.stack([law[:, 0] * (1 - p) + law[:, 1] * q, law[:, 0] * p + law[:, 1] * (1 - q)])
        loss -= float(np.einsum("xzi,xz,i->", to[:, : t + 1], np.log(guess), mass))
        law = np.stack([np.concatenate([0 * to[0][:1], to[0][:-1]]), to[1]], axis=1)
    return loss / length
