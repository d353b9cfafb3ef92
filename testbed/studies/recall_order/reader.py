"""The best reader of what a network hands on: which of M states, and then the second set.

    guess `common`  where  sum over A with |A & B| = 1 of p(A | c) / (m C(n - m, k - 1))
                     >     sum over A with |A & B| = 0 of p(A | c) / C(n - m, k)

p(A | c) is counted on the windows that the book was made of and the guess tried on others, so that counting cannot make
it err less than it does; ties go to `disjoint`.
"""

import math
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
MOST_FIRSTS = 2000
"""First sets that are told apart."""


def reader_error(
    n: int, m: int, k: int, seen: Ints, seen_codes: Ints, tokens: Ints, codes: Ints, common: NDArray[np.bool_]
) -> float:
    """Mean error rate of the two answers.

    seen, seen_codes   (N, l) windows without a begin symbol, off which p(A | c) is counted, and what is handed on
    tokens, codes      (n, l) those on which the reader is tried
    common             (n,) the answers
    """
    firsts = list(combinations(range(n), m))
    number = {one: i for i, one in enumerate(firsts)}
    holds = np.zeros((len(firsts), n))
    for i, one in enumerate(firsts):
        holds[i, list(one)] = 1.0
    counts = np.zeros((int(max(seen_codes.max(), codes.max())) + 1, len(firsts)))
    which = np.array([number[tuple(sorted(row))] for row in seen[:, :m].tolist()])
    np.add.at(counts, (seen_codes, which), 1.0)
    seconds = np.zeros((len(tokens), n))
    np.put_along_axis(seconds, tokens[:, m + 1 : m + 1 + k], 1.0, axis=1)
    met = seconds @ holds.T
    p = counts[codes]
    shared = (p * (met == 1)).sum(axis=1) / (m * math.comb(n - m, k - 1))
    apart = (p * (met == 0)).sum(axis=1) / math.comb(n - m, k)
    wrong = (shared > apart) != common
    return float(np.mean([wrong[common == one].mean() for one in (False, True) if (common == one).any()]))
