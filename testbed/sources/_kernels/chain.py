"""Sequences of an order-k Markov chain, many at a time.

Every token is one random word, one load from the alias table and a dozen integer operations; the next load waits for
the token. So LANES chains walk in lockstep, which hides that wait, and a step is two loops over lanes: one of scalar
loads, and one that LLVM vectorises whole (no branch, no load by index). Random words come in tiles small enough for the
nearest caches, and tokens are packed into 32-bit words and stored one cache line a chain.

The table has one row of 2^c columns a state. A state, the last k tokens, is a row number in one of two layouts:

    padded     c bits a symbol: the next row is a shift and a mask, 2^(c (k+1)) entries
    compact    base V: the next row is a product and a remainder, V^k 2^c entries

Token t of sequence i is a function of (table, seed, i, t): of no thread, block or batch.
"""

import numpy as np
from numba import njit, prange, types, uint32, uint64
from numba.extending import intrinsic

from testbed.sources._kernels.philox import fill_random_words

LANES = 256
LANE_GROUP = 16  # 32-bit lanes of the widest vector register
TILE_STEPS = 32  # a multiple of 4; divides the tokens of a cache line for every tokens_per_word
LINE_WORDS = 16  # 32-bit words of a cache line
TOKEN_STREAM = np.uint64(0)
START_STREAM = np.uint64(1)


@intrinsic
def shift_left(typing_context, word, places):
    """word << places in 32 bits; numba's own would widen to 64 and halve the lanes of a vector register."""
    return types.uint32(types.uint32, types.uint32), lambda context, builder, signature, args: builder.shl(*args)


@intrinsic
def shift_right(typing_context, word, places):
    """word >> places in 32 bits."""
    return types.uint32(types.uint32, types.uint32), lambda context, builder, signature, args: builder.lshr(*args)


@njit(inline="always")
def load_entries(table, positions, pairs):
    """Read table[positions] into pairs, two entries a store: the loop that follows can then load them sooner."""
    for pair in range(pairs.size):
        low = uint64(table[positions[2 * pair]])
        high = uint64(table[positions[2 * pair + 1]])
        pairs[pair] = low | (high << uint64(32))


@njit(inline="always")
def choose(position, entry, word, column_bits, column_mask, height_mask):
    """Where in its row a lane ends up: at its own column, to which `position` points already, or at the alias."""
    own = uint32(word & height_mask) < shift_right(entry, column_bits)
    return position if own else uint32((position & ~column_mask) | (entry & column_mask))


@njit(cache=True, boundscheck=False)
def walk_padded(table, column_bits, row_mask, words, packed, first_step, tokens_per_word, positions, entries):
    """Advance all lanes by one tile of random words (steps, lanes).

    positions (lanes): table positions, of which only the row counts between tiles; entries (lanes): scratch. Tokens are
    added to packed (.., lanes) from step `first_step` on, where it must be zero.
    """
    column_bits = uint32(column_bits)
    height_bits = uint32(32 - column_bits)
    column_mask = uint32((uint64(1) << column_bits) - uint64(1))
    height_mask = uint32((uint64(1) << height_bits) - uint64(1))
    row_mask = uint32(row_mask)
    pairs = entries.view(np.uint64)
    steps, lanes = words.shape
    for lane in range(lanes):
        positions[lane] = uint32((positions[lane] & ~column_mask) | shift_right(words[0, lane], height_bits))
    for step in range(steps):
        word = words[step]
        next_word = words[min(step + 1, steps - 1)]
        slot = packed[(first_step + step) // tokens_per_word]
        place = uint32((first_step + step) % tokens_per_word * (32 // tokens_per_word))
        load_entries(table, positions, pairs)
        for lane in range(lanes):
            chosen = choose(positions[lane], entries[lane], word[lane], column_bits, column_mask, height_mask)
            row = uint32(shift_left(chosen, column_bits) & row_mask)
            positions[lane] = uint32(row | shift_right(next_word[lane], height_bits))
            slot[lane] = uint32(slot[lane] | shift_left(uint32(chosen & column_mask), place))


@njit(cache=True, boundscheck=False)
def walk_compact(table, column_bits, successor, words, packed, first_step, tokens_per_word, positions, entries):
    """The same with rows numbered in base V: next row = (row mod V^(k-1)) V + token.

    successor = (V, V^(k-1), reciprocal, shift) with row div V^(k-1) = (row * reciprocal) >> shift, exact for rows below
    2^31 (Granlund and Montgomery 1994, "Division by invariant integers using multiplication", theorem 4.2).
    """
    column_bits = uint32(column_bits)
    height_bits = uint32(32 - column_bits)
    column_mask = uint32((uint64(1) << column_bits) - uint64(1))
    height_mask = uint32((uint64(1) << height_bits) - uint64(1))
    vocab_size, tail_states, reciprocal, shift = successor
    pairs = entries.view(np.uint64)
    steps, lanes = words.shape
    for lane in range(lanes):
        positions[lane] = uint32((positions[lane] & ~column_mask) | shift_right(words[0, lane], height_bits))
    for step in range(steps):
        word = words[step]
        next_word = words[min(step + 1, steps - 1)]
        slot = packed[(first_step + step) // tokens_per_word]
        place = uint32((first_step + step) % tokens_per_word * (32 // tokens_per_word))
        load_entries(table, positions, pairs)
        for lane in range(lanes):
            chosen = choose(positions[lane], entries[lane], word[lane], column_bits, column_mask, height_mask)
            token = uint32(chosen & column_mask)
            row = uint64(shift_right(chosen, column_bits))
            oldest = (row * reciprocal) >> shift
            row = (row - oldest * tail_states) * vocab_size + uint64(token)
            positions[lane] = uint32(shift_left(uint32(row), column_bits) | shift_right(next_word[lane], height_bits))
            slot[lane] = uint32(slot[lane] | shift_left(token, place))


@njit(cache=True, boundscheck=False)
def draw_starts(boundaries, starts, first_sequence, seed, positions):
    """Set positions[j] to starts[i], where i of the boundaries (uint64, increasing) are at most the 64-bit word that
    sequence first_sequence + j draws from its start stream: inverse CDF, exact."""
    words = np.empty((4, positions.size), np.uint32)
    fill_random_words(words, 0, START_STREAM, first_sequence, seed)
    for lane in range(positions.size):
        draw = (uint64(words[0, lane]) << uint64(32)) | uint64(words[1, lane])
        low, high = 0, boundaries.size
        while low < high:
            middle = (low + high) // 2
            if boundaries[middle] <= draw:
                low = middle + 1
            else:
                high = middle
        positions[lane] = starts[low]


@njit(inline="always")
def aligned_words(n_words):
    """Zeros that start on a cache line: vector loads that straddle two cost half as much again."""
    space = np.zeros(n_words + LINE_WORDS, np.uint32)
    start = (64 - space.ctypes.data % 64) % 64 // 4
    return space[start : start + n_words]


@njit(cache=True, boundscheck=False)
def sample_block(
    table, column_bits, compact, row_mask, successor, boundaries, starts, tokens_per_word, first_sequence, seed, out
):
    """Fill out (n <= LANES, words), uint32: the packed tokens of sequences first_sequence .. first_sequence + n - 1."""
    n_sequences, n_words = out.shape
    lanes = (n_sequences + LANE_GROUP - 1) // LANE_GROUP * LANE_GROUP
    words = aligned_words(TILE_STEPS * lanes).reshape(TILE_STEPS, lanes)
    packed = aligned_words(LINE_WORDS * lanes).reshape(LINE_WORDS, lanes)
    positions = aligned_words(lanes)
    entries = aligned_words(lanes)
    draw_starts(boundaries, starts, first_sequence, seed, positions)
    for first_word in range(0, n_words, LINE_WORDS):
        packed[:] = 0
        for step in range(0, LINE_WORDS * tokens_per_word, TILE_STEPS):
            first_quad = (first_word * tokens_per_word + step) // 4
            fill_random_words(words, first_quad, TOKEN_STREAM, first_sequence, seed)
            if compact:
                walk_compact(table, column_bits, successor, words, packed, step, tokens_per_word, positions, entries)
            else:
                walk_padded(table, column_bits, row_mask, words, packed, step, tokens_per_word, positions, entries)
        for sequence in range(n_sequences):
            for word in range(min(LINE_WORDS, n_words - first_word)):
                out[sequence, first_word + word] = packed[word, sequence]


@njit(cache=True, parallel=True, boundscheck=False)
def sample_chain(
    table, column_bits, compact, row_mask, successor, boundaries, starts, tokens_per_word, first_sequence, seed, out
):
    """Fill out (N, words), uint32, with packed tokens, first token in the lowest bits; blocks of LANES sequences in
    parallel.

    The block is a function of its own: inside the parallel loop the same code compiles to something a fifth slower.
    """
    for block in prange((out.shape[0] + LANES - 1) // LANES):
        first = block * LANES
        sample_block(
            table,
            column_bits,
            compact,
            row_mask,
            successor,
            boundaries,
            starts,
            tokens_per_word,
            first_sequence + uint64(first),
            seed,
            out[first : first + LANES],
        )
