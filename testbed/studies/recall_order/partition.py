"""The least error of any reader whose memory has M states between the two sets, exact for small universes.

Whatever is kept of the first set A (m of n elements, uniform) is one of M messages, hence a partition of the C(n, m)
sets into M classes (a reader that draws at random is a mixture of such, and no better). Given the message and the
second set B (k elements, sharing one with A or none, each with probability 1/2, uniform otherwise) the best guess errs
with the smaller of the two joint probabilities:

    error = sum over classes C and sets B of min( sum_{A in C} p(A, B, shared), sum_{A in C} p(A, B, disjoint) )
    p(A, B, shared) = 1 / (2 C(n, m) m C(n - m, k - 1)),      p(A, B, disjoint) = 1 / (2 C(n, m) C(n - m, k))

The best partition is found by dynamic programming over sets of classes: 3^C(n, m) steps. It is 0 from M = C(n, m) on
and, where n >= 2 m + k - 1, not before: for any A, A' some B then meets one of them alone.

For m = 1 classes matter by their size alone; f(s) = error of a class of s elements is least in all by sizes that add up
to n (`least_error_of_one`). For any m, telling the reader all elements of A but one, and that B avoids them, leaves
that problem on n - m + 1 elements, so that its error is a lower bound for large n.

For k = 1 a class's reader guesses `shared` on some Y of the n elements, and a set A with |A & Y| = j errs with
probability e(A) = [(m - j) / m + (|Y| - j) / (n - m)] / (2 C(n, m)). A class of s sets errs no less than the s least of
these, D(s) with the best |Y|, so that M classes err no less than M times the convex hull of D at C(n, m) / M: a bound
as of balls around code words. `lower_bound` is the larger of the two.
"""

import math
from functools import lru_cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
MOST_SETS = 12
"""Sets A whose partitions are gone through."""
MOST_OF_BALLS = 3000
"""Sets A for which balls are counted."""


@lru_cache(maxsize=32)
def least_errors(n: int, m: int, k: int) -> Floats:
    """(C(n, m),) least probability of error with M = 1, 2, .. C(n, m) states; ValueError for more than 12 sets.

    >>> least_errors(4, 1, 1).round(4).tolist()
    [0.5, 0.1667, 0.0833, 0.0]
    """
    n_sets = math.comb(n, m)
    if n_sets > MOST_SETS:
        raise ValueError(f"n, m: given {n}, {m}; {n_sets} sets have too many partitions, at most {MOST_SETS}")
    of_class = class_errors(n, m, k)
    best = np.full((n_sets + 1, 1 << n_sets), np.inf)
    best[0, 0] = 0.0
    for part in range(1, 1 << n_sets):
        lowest = part & -part
        rest = part ^ lowest
        inside = rest
        while True:  # classes that hold the lowest set of the part
            here = inside | lowest
            best[1:, part] = np.minimum(best[1:, part], best[:-1, part ^ here] + of_class[here])
            if not inside:
                break
            inside = (inside - 1) & rest
    return np.asarray(np.minimum.accumulate(best[1:, -1]))


def class_errors(n: int, m: int, k: int) -> Floats:
    """(2^C(n, m),) probability of error within each class, given as bits of the sets in order."""
    firsts, seconds = list(combinations(range(n), m)), list(combinations(range(n), k))
    each = 0.5 / len(firsts)
    met = np.array([[len(set(a) & set(b)) for b in seconds] for a in firsts])
    shared = np.where(met == 1, each / (m * math.comb(n - m, k - 1)), 0.0)
    apart = np.where(met == 0, each / math.comb(n - m, k), 0.0)
    both = np.zeros((2, 1 << len(firsts), len(seconds)))
    for number in range(1, 1 << len(firsts)):
        last = number.bit_length() - 1
        both[:, number] = both[:, number ^ (1 << last)] + (shared[last], apart[last])
    return np.asarray(both.min(axis=0).sum(axis=1))


def least_error_of_one(n: int, k: int, states: int) -> float:
    """Least error for a first set of one element, any n."""
    of_size = [0.0] + [_of_size(n, k, s) for s in range(1, n + 1)]
    best = [0.0] + [math.inf] * n
    for _ in range(min(states, n)):
        best = [
            min([best[total]] + [best[total - s] + of_size[s] for s in range(1, total + 1)]) for total in range(n + 1)
        ]
    return best[n]


def _of_size(n: int, k: int, s: int) -> float:
    """Error within a class of s elements: j of them lie in B."""
    each = 0.5 / n
    total = 0.0
    for j in range(max(0, k - (n - s)), min(s, k) + 1):
        shared = each * j / math.comb(n - 1, k - 1)
        apart = each * (s - j) / math.comb(n - 1, k)
        total += math.comb(s, j) * math.comb(n - s, k - j) * min(shared, apart)
    return total


def lower_bound(n: int, m: int, k: int, states: int) -> float:
    """No reader with so many states errs less."""
    told = least_error_of_one(n - m + 1, k, states)
    return max(told, ball_bound(n, m, states)) if k == 1 and math.comb(n, m) <= MOST_OF_BALLS else told


@lru_cache(maxsize=256)
def ball_bound(n: int, m: int, states: int) -> float:
    """For second sets of one element.

    >>> ball_bound(4, 2, 6), round(ball_bound(10, 5, 8), 4) < 0.25
    (0.0, True)
    """
    n_sets = math.comb(n, m)
    rows = []
    for w in range(n + 1):
        least = sorted(
            ((m - j) / m + (w - j) / (n - m), math.comb(w, j) * math.comb(n - w, m - j))
            for j in range(max(0, w + m - n), min(w, m) + 1)
        )
        costs = np.repeat([cost for cost, _ in least], [count for _, count in least])
        rows.append(np.cumsum(costs))
    of_size = np.concatenate([[0.0], np.min(rows, axis=0)]) / (2.0 * n_sets)
    at = n_sets / states
    if at <= 1.0:
        return 0.0
    below, above = np.arange(int(at) + 1), np.arange(math.ceil(at), n_sets + 1)
    if int(at) == at:
        above = above[1:] if len(above) > 1 else above
    slope = (of_size[above][None] - of_size[below][:, None]) / np.maximum(above[None] - below[:, None], 1)
    hull = (of_size[below][:, None] + slope * (at - below[:, None])).min()
    return float(states * hull)


def needed_bits(n: int, m: int) -> float:
    """log2 C(n, m): the bits from which the error can be 0.

    >>> round(needed_bits(10, 5), 3)
    7.977
    """
    return math.log2(math.comb(n, m))
