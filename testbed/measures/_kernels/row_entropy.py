"""Entropy of the softmax of rows of scores, each number of a row read twice: for its maximum, then for both sums.

Scores come times log2 e, so that weights are powers of two, which LLVM computes for a whole vector register at a time:

    2^x = 2^k 2^f,  k an integer, |f| <= 1/2,      2^f by its series to f^6, whose error is below float32's rounding
"""

import math

import numpy as np
from numba import njit

LN_2 = np.float32(math.log(2.0))
C1, C2, C3, C4, C5, C6 = (np.float32(math.log(2.0) ** n / math.factorial(n)) for n in range(1, 7))
ONE, HALF = np.float32(1.0), np.float32(0.5)
LEAST = np.float32(-126.0)  # smaller weights count as 2^-126 of the largest
EXPONENT_BIAS, MANTISSA_BITS = np.int32(127), np.int32(23)
SIGN_BIT, OTHER_BITS = np.int32(31), np.int32(0x7FFFFFFF)
SMALLEST_INTEGER = np.int32(-(2**31))


@njit(inline="always")
def power_of_two(x):
    """2^x for x <= 0."""
    x = max(x, LEAST)
    k = np.int32(x - HALF)  # rounds towards zero: to the nearest integer
    f = x - np.float32(k)
    p = ((((C6 * f + C5) * f + C4) * f + C3) * f + C2) * f + C1
    return (p * f + ONE) * np.int32((k + EXPONENT_BIAS) << MANTISSA_BITS).view(np.float32)


@njit(inline="always")
def ordered(bits):
    """Integers in the order of the numbers whose bits are given, and back: numbers compared would be no vectors."""
    return np.int32(bits ^ ((bits >> SIGN_BIT) & OTHER_BITS))


@njit(cache=True, fastmath=True, boundscheck=False, error_model="numpy")
def row_entropies(scores, bits, first, entropies):
    """entropies (N, R), nats, of rows of finite float32 scores (N, R, C) times log2 e; row r has min(C, first + r + 1)
    of them. `bits` is the same array read as int32."""
    n_rows, n_columns = scores.shape[1:]
    for n in range(scores.shape[0]):
        for r in range(n_rows):
            seen = min(n_columns, first + r + 1)
            row, row_bits = scores[n, r], bits[n, r]
            largest = SMALLEST_INTEGER
            for j in range(seen):
                largest = max(largest, ordered(row_bits[j]))
            top = ordered(largest).view(np.float32)
            total, moment = np.float32(0.0), np.float32(0.0)
            for j in range(seen):
                x = row[j] - top
                weight = power_of_two(x)
                total += weight
                moment += weight * x
            entropies[n, r] = np.log(total) - LN_2 * moment / total
