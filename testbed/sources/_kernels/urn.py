"""Polya urns: tokens from laws drawn per sequence, without ever drawing the laws.

A context's urn starts with weight p for each of V symbols (concentration p / q) and gains q for every symbol drawn from
it, so all weights are integers and u, uniform below their sum, decides the symbol exactly. u comes from a 32-bit word w
by Lemire's method (2019): the upper half of w * total, unless the lower half falls below 2^32 mod total; then the word
is rejected and the next stream's word of the same position is taken.
"""

import numpy as np
from numba import njit, uint64

from testbed.sources._kernels.philox import WORD_BITS, WORD_MASK, philox_block

TWO_32 = np.uint64(2**32)
ONE = np.uint64(1)


@njit(cache=True)
def word_of(position, stream, sequence, seed):
    """Word `position` of a sequence's stream: what `random_words` gives. All uint64."""
    counter = (position >> uint64(2), stream, sequence, sequence >> WORD_BITS)
    words = philox_block(counter, seed & WORD_MASK, seed >> WORD_BITS)
    place = position & uint64(3)
    if place == uint64(0):
        return words[0] & WORD_MASK
    if place == uint64(1):
        return words[1] & WORD_MASK
    if place == uint64(2):
        return words[2] & WORD_MASK
    return words[3] & WORD_MASK


@njit(cache=True)
def uniform_below(total, word, position, stream, sequence, seed):
    """An exactly uniform integer of 0 .. total - 1, 1 <= total < 2^32, from the first word that is not rejected."""
    product = word * total
    if product & WORD_MASK < total:
        rejected = (TWO_32 - total) % total
        while product & WORD_MASK < rejected:
            stream += ONE
            product = word_of(position, stream, sequence, seed) * total
    return product >> WORD_BITS


@njit(cache=True)
def draw_urns(tokens, words, rows, vocab_size, order, p, q, stream, first_sequence, seed):
    """Fill tokens (N, L), uint16: the first `order` are uniform, each later one comes from the urn of its context.

    words  (N, L) uint32    the first word of every position, of stream `stream`
    rows   (1 or N, S)      the urn of every context, contexts numbered in base V with the last token lowest
    The last three arguments are uint64.
    """
    n_contexts = rows.shape[1]
    counts = np.zeros((n_contexts, vocab_size), np.int64)
    drawn = np.zeros(n_contexts, np.int64)
    used = np.empty(tokens.shape[1], np.int64)
    for i in range(tokens.shape[0]):
        own = rows[i if rows.shape[0] > 1 else 0]
        sequence = first_sequence + uint64(i)
        context = 0
        for t in range(tokens.shape[1]):
            row = own[context]
            total = uint64(vocab_size) if t < order else uint64(q * drawn[row] + p * vocab_size)
            left = np.int64(uniform_below(total, uint64(words[i, t]), uint64(t), stream, sequence, seed))
            if t < order:
                symbol = left
            else:
                symbol = 0
                weight = q * counts[row, 0] + p
                while left >= weight:
                    left -= weight
                    symbol += 1
                    weight = q * counts[row, symbol] + p
                counts[row, symbol] += 1
                drawn[row] += 1
                used[t] = row
            tokens[i, t] = symbol
            context = (context * vocab_size + symbol) % n_contexts
        for t in range(order, tokens.shape[1]):  # empty the urns that were used, rather than all
            counts[used[t], tokens[i, t]] = 0
            drawn[used[t]] = 0
