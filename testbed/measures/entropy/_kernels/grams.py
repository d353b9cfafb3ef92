"""Counts of k-grams in a table of V^k bins, and counts of counts.

Windows are numbered in base V, oldest token first. Neither the tokens nor the codes are checked here.
"""

import numpy as np
from numba import njit, uint32, uint64


@njit(inline="always")
def power(base, exponent):
    """base^exponent in 64 bits."""
    product = np.int64(1)
    for _ in range(exponent):
        product *= base
    return product


@njit(cache=True, boundscheck=False)
def add_windows(rows, vocab_size, order, table, weight):
    """Add `weight` (modulo 2^32) to the bin of every window of `order` tokens of every row (R, L >= order).

    The next code is V c plus what enters and less what leaves; that difference waits for no earlier code.
    """
    leaving = power(vocab_size, order)
    for row in range(rows.shape[0]):
        tokens = rows[row]
        code = np.int64(0)
        for i in range(order):
            code = code * vocab_size + np.int64(tokens[i])
        table[code] += weight
        for i in range(order, tokens.size):
            code = code * vocab_size + (np.int64(tokens[i]) - np.int64(tokens[i - order]) * leaving)
            table[code] += weight


@njit(cache=True, boundscheck=False)
def add_windows_of_bits(rows, bits, order, table, weight):
    """The same for V = 2^bits: the next code is a shift and a mask, and four follow from one without a wait."""
    mask = (uint64(1) << uint64(bits * order)) - uint64(1)
    one, two, three, four = uint64(bits), uint64(2 * bits), uint64(3 * bits), uint64(4 * bits)
    for row in range(rows.shape[0]):
        tokens = rows[row]
        code = uint64(0)
        for i in range(order - 1):
            code = (code << one) | uint64(tokens[i])
        i = order - 1
        while i + 4 <= tokens.size:
            entered = uint64(tokens[i])
            table[((code << one) | entered) & mask] += weight
            entered = (entered << one) | uint64(tokens[i + 1])
            table[((code << two) | entered) & mask] += weight
            entered = (entered << one) | uint64(tokens[i + 2])
            table[((code << three) | entered) & mask] += weight
            entered = (entered << one) | uint64(tokens[i + 3])
            code = ((code << four) | entered) & mask
            table[code] += weight
            i += 4
        while i < tokens.size:
            code = ((code << one) | uint64(tokens[i])) & mask
            table[code] += weight
            i += 1


@njit(cache=True, boundscheck=False)
def add_codes(codes, shift, starts, sorted_codes, table, weight):
    """Add to the bins of the codes, bucket by bucket of 2^shift bins, so that each bucket's bins stay in the cache.

    starts (buckets + 1), sorted_codes (codes): scratch.
    """
    starts[:] = 0
    for i in range(codes.size):
        starts[(codes[i] >> shift) + 1] += 1
    for bucket in range(starts.size - 1):
        starts[bucket + 1] += starts[bucket]
    for i in range(codes.size):
        bucket = codes[i] >> shift
        sorted_codes[starts[bucket]] = codes[i]
        starts[bucket] += 1
    for i in range(codes.size):
        table[sorted_codes[i]] += weight


@njit(cache=True, boundscheck=False)
def add_windows_in_buckets(rows, vocab_size, order, table, weight, shift, codes, sorted_codes):
    """What `add_windows` does, for tables larger than the cache: codes are gathered, bucketed, then counted.

    codes, sorted_codes (uint32, one size): scratch.
    """
    starts = np.zeros(((table.size - 1) >> shift) + 2, np.int64)
    leaving = power(vocab_size, order)
    filled = 0
    for row in range(rows.shape[0]):
        tokens = rows[row]
        code = np.int64(0)
        for i in range(order - 1):
            code = code * vocab_size + np.int64(tokens[i])
        for i in range(order - 1, tokens.size):
            left = np.int64(tokens[i - order]) * leaving if i >= order else np.int64(0)
            code = code * vocab_size + (np.int64(tokens[i]) - left)
            codes[filled] = uint32(code)
            filled += 1
            if filled == codes.size:
                add_codes(codes, shift, starts, sorted_codes, table, weight)
                filled = 0
    add_codes(codes[:filled], shift, starts, sorted_codes, table, weight)


@njit(cache=True, boundscheck=False)
def shorten(table, vocab_size, shorter):
    """shorter[c] = sum over x of table[V c + x]: the last token is summed out."""
    for context in range(shorter.size):
        total = uint32(0)
        for symbol in range(vocab_size):
            total += table[context * vocab_size + symbol]
        shorter[context] = total


@njit(cache=True, boundscheck=False)
def tally_table(table, small, large):
    """Counts of counts: small[c] += 1 for counts below small.size, the others into `large`, while they fit; how many
    there are of those."""
    n_large = 0
    for i in range(table.size):
        count = table[i]
        if count < small.size:
            small[count] += 1
        else:
            if n_large < large.size:
                large[n_large] = count
            n_large += 1
    return n_large
