"""Alias tables in exact integer arithmetic: the law that is sampled is the law that was given, to the last bit.

Walker 1974, Vose 1991. A law over V outcomes with integer weights of sum 2^32 becomes 2^c >= V columns of height
2^(32-c). Column j holds threshold_j units of outcome j, and above them units of one other outcome, alias_j. One random
32-bit word picks the column with its upper c bits and the height with the rest:

    outcome = column            where height < threshold[column]
              alias[column]     elsewhere

An entry is one 32-bit word, threshold << c | alias. A column full of its own outcome is stored as threshold 0, alias
itself.
"""

import numpy as np
from numba import int64, njit, uint32

WORD_BITS = 32


@njit(cache=True, boundscheck=False)
def alias_build(weights, row_numbers, column_bits, table):
    """Fill table (n_rows, 2^c), uint32: row row_numbers[s] from weights[s]; weights (S, V), int64, rows of sum 2^32.

    1 <= c <= 16, so that no shift reaches 32: a single outcome has two columns too.
    """
    n_laws, vocab_size = weights.shape
    n_columns = 1 << column_bits
    height = int64(1) << (WORD_BITS - column_bits)
    units = np.empty(n_columns, np.int64)
    short = np.empty(n_columns, np.int64)  # stacks of the columns below and above their height
    tall = np.empty(n_columns, np.int64)
    for law in range(n_laws):
        entries = table[row_numbers[law]]
        n_short = 0
        n_tall = 0
        for column in range(n_columns):
            units[column] = weights[law, column] if column < vocab_size else 0
            if units[column] < height:
                short[n_short] = column
                n_short += 1
            elif units[column] > height:
                tall[n_tall] = column
                n_tall += 1
            else:
                entries[column] = uint32(column)
        while n_short > 0:
            n_short -= 1
            column = short[n_short]
            donor = tall[n_tall - 1]
            entries[column] = uint32((units[column] << column_bits) | donor)
            units[donor] -= height - units[column]
            if units[donor] <= height:
                n_tall -= 1
                if units[donor] < height:
                    short[n_short] = donor
                    n_short += 1
                else:
                    entries[donor] = uint32(donor)
