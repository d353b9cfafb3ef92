"""Cycles that a stationary source keeps for ever: what decides whether products and blocks of it are ergodic.

The period of an ergodic source, `Source.period`, is the number p such that the eigenvalues of modulus one of its shift
are p-th roots of unity: what can be told of the far future at all is the time modulo p. p = 1 is weak mixing. Then

    a product of ergodic sources is ergodic if their periods are pairwise coprime,
    blocks of k tokens of an ergodic source are ergodic if its period and k are coprime.

(Two ergodic systems have an ergodic product if and only if they share no eigenvalue but 1; T^k is ergodic if and only
if T is and has no eigenvalue but 1 that is a k-th root of unity. Walters 1982, An Introduction to Ergodic Theory.)
A multiple of the period serves as well: it may hide that something is ergodic, but never says so wrongly.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from testbed.sources.equivalent_states import EdgeList

if TYPE_CHECKING:
    from testbed.sources.chain import DyadicChain
    from testbed.sources.machine_truths import MachineTruths


def have_ergodic_product(periods: Sequence[int | None]) -> bool:
    """Whether ergodic sources with these periods are known to have an ergodic product; None is a period not known.

    >>> have_ergodic_product([2, 3, 1]), have_ergodic_product([2, 4]), have_ergodic_product([None, 1])
    (True, False, True)
    """
    known = [period for period in periods if period is not None]
    if len(known) < len(periods):
        return len(periods) == len(known) + 1 and all(period == 1 for period in known)
    return math.lcm(*known) == math.prod(known)


def machine_cycle(edges: EdgeList) -> int:
    """The greatest common divisor of the lengths of all cycles of a machine whose states are one closed class.

    It is the period of the output where the next token and the past tell the state, as in a unifilar machine without
    states of equal futures; else a multiple of it.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import dijkstra

    shape = (edges.n_states, edges.n_states)
    graph = csr_array((np.ones(len(edges.origins)), (edges.origins, edges.successors)), shape=shape)
    steps = dijkstra(graph, indices=0, unweighted=True).astype(np.int64)
    return max(1, math.gcd(*np.unique(steps[edges.origins] + 1 - steps[edges.successors]).tolist()))


def causal_states(chain: "DyadicChain") -> "MachineTruths | None":
    """The contexts of positive probability, those with equal futures merged; None where they are too many to compare.

    A chain is unifilar, so these are the states of its epsilon-machine.
    """
    from testbed.sources.as_machine import as_edges
    from testbed.sources.machine_truths import MERGED_EDGES, MachineTruths

    if chain.weights.size > MERGED_EDGES:
        return None
    edges, law = as_edges(chain)
    return MachineTruths.of(edges, chain.vocab_size, law)
