"""Counts of k-grams of all orders at once from sorted 64-bit codes, for alphabets too large for a table.

A code holds the first token of a window in its highest bits, so that the windows that share a prefix stand together
once the codes are sorted, and two neighbours share as many leading tokens as their exclusive or has leading zeros.
"""

import numpy as np
from numba import njit, uint64


@njit(cache=True, boundscheck=False)
def window_codes(rows, bits, order, low, high, codes, filled):
    """Write the codes between low and high (both within) of all windows of `order` tokens from codes[filled] on; the
    number now filled."""
    kept_bits = bits * order
    mask = ~uint64(0) if kept_bits >= 64 else (uint64(1) << uint64(kept_bits)) - uint64(1)
    bits = uint64(bits)
    low, high = uint64(low), uint64(high)
    for row in range(rows.shape[0]):
        tokens = rows[row]
        code = uint64(0)
        for i in range(tokens.size):
            code = ((code << bits) | uint64(tokens[i])) & mask
            if i >= order - 1 and low <= code and code <= high:
                codes[filled] = code
                filled += 1
    return filled


@njit(cache=True, boundscheck=False)
def tally_sorted(codes, bits, order, shortest, small, large_orders, large_counts):
    """Counts of counts of the prefixes of every order from `shortest` on: small[k, c] += 1 for counts c below its
    width; larger ones go with their order into the two lists, whose number is returned.

    A window that shares more than d leading tokens with neither neighbour is the only one of all its prefixes longer
    than d: one entry says so for all those orders, and only prefixes that come again are followed one by one.
    """
    n = codes.size
    width = small.shape[1]
    starts = np.zeros(order + 1, np.int64)  # where the run of each prefix length began
    alone = np.zeros(order + 2, np.int64)  # alone[d + 1]: windows that are alone beyond d tokens
    shared = np.zeros(65, np.int64)  # by the number of bits of an exclusive or: how many leading tokens are the same
    for n_bits in range(65):
        shared[n_bits] = order - (n_bits + bits - 1) // bits
    n_large = 0
    before = 0
    for i in range(n):
        after = 0
        if i + 1 < n:
            difference = codes[i] ^ codes[i + 1]
            n_bits = 0
            if difference >> uint64(32):
                n_bits = 32
                difference >>= uint64(32)
            if difference >> uint64(16):
                n_bits += 16
                difference >>= uint64(16)
            if difference >> uint64(8):
                n_bits += 8
                difference >>= uint64(8)
            if difference >> uint64(4):
                n_bits += 4
                difference >>= uint64(4)
            if difference >> uint64(2):
                n_bits += 2
                difference >>= uint64(2)
            if difference >> uint64(1):
                n_bits += 1
                difference >>= uint64(1)
            after = shared[n_bits + np.int64(difference)]
        alone[max(before, after) + 1] += 1
        for k in range(max(before, shortest - 1) + 1, after + 1):  # runs that begin here
            starts[k] = i
        for k in range(max(after, shortest - 1) + 1, before + 1):  # runs that end here
            count = i + 1 - starts[k]
            if count < width:
                small[k, count] += 1
            else:
                large_orders[n_large] = k
                large_counts[n_large] = count
                n_large += 1
        before = after
    lonely = np.int64(0)
    for k in range(1, order + 1):
        lonely += alone[k]
        if k >= shortest:
            small[k, 1] += lonely
    return n_large
