"""Philox4x32-10, a random generator without state: word t of a sequence is a function of (seed, sequence, t) alone.

Salmon, Moraes, Dror and Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3". The key is the 64-bit seed, the
counter

    (quad, substream, sequence mod 2^32, sequence div 2^32),        quad = t // 4,

and the four output words belong to t = 4 quad .. 4 quad + 3. Any thread can therefore make any part of any sequence.

All 32-bit words are carried in uint64 variables and masked where they are multiplied: that is the form in which LLVM
recognises the widening product 32 x 32 -> 64 bits and computes it for a whole vector register of lanes at once. For the
same reason the ten rounds are written out and inlined: no inner loop may be left inside the loop over lanes.
"""

import numpy as np
from numba import njit, uint32, uint64

WORD_BITS = np.uint64(32)
WORD_MASK = np.uint64(0xFFFFFFFF)
MULTIPLIER_0 = np.uint64(0xD2511F53)
MULTIPLIER_1 = np.uint64(0xCD9E8D57)
WEYL_0 = np.uint64(0x9E3779B9)
WEYL_1 = np.uint64(0xBB67AE85)


@njit(inline="always")
def philox_round(number, counter, key_0, key_1):
    """Round `number` (0 .. 9). Its key is the seed's plus `number` times a Weyl constant. Upper halves are left
    unmasked.
    """
    counter_0, counter_1, counter_2, counter_3 = counter
    product_0 = (counter_0 & WORD_MASK) * MULTIPLIER_0
    product_1 = (counter_2 & WORD_MASK) * MULTIPLIER_1
    round_key_0 = (key_0 + uint64(number) * WEYL_0) & WORD_MASK
    round_key_1 = (key_1 + uint64(number) * WEYL_1) & WORD_MASK
    return (
        (product_1 >> WORD_BITS) ^ counter_1 ^ round_key_0,
        product_1,
        (product_0 >> WORD_BITS) ^ counter_3 ^ round_key_1,
        product_0,
    )


@njit(inline="always")
def philox_block(counter, key_0, key_1):
    """The four output words of a counter of four words under a key of two; each in the lower half of a uint64."""
    counter = philox_round(0, counter, key_0, key_1)
    counter = philox_round(1, counter, key_0, key_1)
    counter = philox_round(2, counter, key_0, key_1)
    counter = philox_round(3, counter, key_0, key_1)
    counter = philox_round(4, counter, key_0, key_1)
    counter = philox_round(5, counter, key_0, key_1)
    counter = philox_round(6, counter, key_0, key_1)
    counter = philox_round(7, counter, key_0, key_1)
    counter = philox_round(8, counter, key_0, key_1)
    return philox_round(9, counter, key_0, key_1)


@njit(cache=True, boundscheck=False)
def fill_random_words(words, first_quad, substream, first_sequence, seed):
    """Fill words (4 n_quads, lanes), uint32: row 4 q + i, lane j is word i of quad first_quad + q of sequence
    first_sequence + j. The last three arguments are uint64."""
    key_0 = seed & WORD_MASK
    key_1 = seed >> WORD_BITS
    for q in range(words.shape[0] // 4):
        row_0 = words[4 * q]
        row_1 = words[4 * q + 1]
        row_2 = words[4 * q + 2]
        row_3 = words[4 * q + 3]
        quad = uint64(first_quad + q)
        for lane in range(words.shape[1]):
            sequence = first_sequence + uint64(lane)
            counter = (quad, substream, sequence, sequence >> WORD_BITS)
            word_0, word_1, word_2, word_3 = philox_block(counter, key_0, key_1)
            row_0[lane] = uint32(word_0)
            row_1[lane] = uint32(word_1)
            row_2[lane] = uint32(word_2)
            row_3[lane] = uint32(word_3)
