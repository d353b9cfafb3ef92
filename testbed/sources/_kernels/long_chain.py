"""One long sequence of a chain, exactly the serial one, by speculation and repair.

A serial walk waits for the table at every token. But the random word of token t is a function of t alone, so a sequence
can be cut into chunks that walk in lockstep, as `chain` walks many sequences, each from a guessed state. Two walks
through the same random words stay together once they meet. So afterwards the chunks are repaired in their order: each
is walked again from its true first state, which is known by then, until k tokens in a row are those that stand there
already. From then on the rest stands there too. Chains that forget slowly are repaired at length, and one that never
forgets (a cycle, a permutation) is walked serially as a whole: the result is the serial one, always.
"""

import numpy as np
from numba import njit, prange, uint32, uint64

from testbed.sources._kernels.chain import (
    LANES,
    LINE_WORDS,
    TILE_STEPS,
    TOKEN_STREAM,
    aligned_words,
    choose,
    draw_starts,
    shift_left,
    shift_right,
    walk_compact,
    walk_padded,
)
from testbed.sources._kernels.philox import WORD_BITS, WORD_MASK, philox_block

SERIAL_QUADS = 256  # of random words made at a time


@njit(cache=True, boundscheck=False)
def fill_words_of_chunks(words, first_quad, quads_between, substream, sequence, seed):
    """Fill words (4 n_quads, lanes), uint32: row 4 q + i, lane j is word i of quad first_quad + j quads_between + q of
    one sequence. All numbers uint64; see `philox`."""
    key_0 = seed & WORD_MASK
    key_1 = seed >> WORD_BITS
    for q in range(words.shape[0] // 4):
        row_0 = words[4 * q]
        row_1 = words[4 * q + 1]
        row_2 = words[4 * q + 2]
        row_3 = words[4 * q + 3]
        for lane in range(words.shape[1]):
            quad = first_quad + uint64(lane) * quads_between + uint64(q)
            counter = (quad, substream, sequence, sequence >> WORD_BITS)
            word_0, word_1, word_2, word_3 = philox_block(counter, key_0, key_1)
            row_0[lane] = uint32(word_0)
            row_1[lane] = uint32(word_1)
            row_2[lane] = uint32(word_2)
            row_3[lane] = uint32(word_3)


@njit(inline="always")
def next_row(chosen, token, column_bits, compact, row_mask, successor):
    """The table position where the row of the next state begins."""
    if compact:
        vocab_size, tail_states, reciprocal, shift = successor
        row = uint64(shift_right(chosen, column_bits))
        row = (row - ((row * reciprocal) >> shift) * tail_states) * vocab_size + uint64(token)
        return shift_left(uint32(row), column_bits)
    return uint32(shift_left(chosen, column_bits) & row_mask)


@njit(cache=True, boundscheck=False)
def walk_serial(
    table, column_bits, compact, row_mask, successor, row, tokens_per_word, needed, first_word, sequence, seed, out
):
    """Fill out (words,), uint32, with packed tokens, one after the other, from the state whose row begins at `row`.

    out[0] is word `first_word` of the sequence, a multiple of four tokens. Stops as soon as `needed` tokens in a row,
    in whole words, were in `out` already. Returns how many words it wrote.
    """
    column_bits = uint32(column_bits)
    row_mask = uint32(row_mask)
    height_bits = uint32(32 - column_bits)
    column_mask = uint32((uint64(1) << column_bits) - uint64(1))
    height_mask = uint32((uint64(1) << height_bits) - uint64(1))
    token_bits = 32 // tokens_per_word
    random = np.empty((4, SERIAL_QUADS), np.uint32)
    tile_words = 4 * SERIAL_QUADS // tokens_per_word
    met = 0
    for word in range(out.size):
        if word % tile_words == 0:
            first_quad = uint64((first_word + word) * tokens_per_word // 4)
            fill_words_of_chunks(random, first_quad, uint64(1), TOKEN_STREAM, sequence, seed)
        packed = uint32(0)
        for part in range(tokens_per_word):
            t = word % tile_words * tokens_per_word + part
            draw = random[t % 4, t // 4]
            position = uint32(row | shift_right(draw, height_bits))
            chosen = choose(position, table[position], draw, column_bits, column_mask, height_mask)
            token = uint32(chosen & column_mask)
            row = next_row(chosen, token, column_bits, compact, row_mask, successor)
            packed = uint32(packed | shift_left(token, uint32(part * token_bits)))
        met = met + tokens_per_word if packed == out[word] else 0
        out[word] = packed
        if met >= needed:
            return word + 1
    return out.size


@njit(cache=True, boundscheck=False)
def row_after(column_bits, compact, row_mask, successor, order, tokens_per_word, out):
    """Where the row of the state begins in which the packed tokens `out` end; at least `order` of them."""
    column_bits = uint32(column_bits)
    row_mask = uint32(row_mask)
    token_mask = uint32((1 << (32 // tokens_per_word)) - 1)
    row = uint32(0)
    for t in range(out.size * tokens_per_word - order, out.size * tokens_per_word):
        place = uint32(t % tokens_per_word * (32 // tokens_per_word))
        token = uint32(shift_right(out[t // tokens_per_word], place) & token_mask)
        row = next_row(uint32(row | token), token, column_bits, compact, row_mask, successor)
    return row


@njit(cache=True, boundscheck=False)
def speculate_block(
    table, column_bits, compact, row_mask, successor, row, tokens_per_word, first_word, chunk_words, sequence, seed, out
):
    """LANES chunks of a sequence in lockstep, from word `first_word` on, every one from the state at `row`."""
    words = aligned_words(TILE_STEPS * LANES).reshape(TILE_STEPS, LANES)
    packed = aligned_words(LINE_WORDS * LANES).reshape(LINE_WORDS, LANES)
    positions = aligned_words(LANES)
    entries = aligned_words(LANES)
    positions[:] = row
    quads_between = uint64(chunk_words * tokens_per_word // 4)
    for line in range(first_word, first_word + chunk_words, LINE_WORDS):
        packed[:] = 0
        for step in range(0, LINE_WORDS * tokens_per_word, TILE_STEPS):
            first_quad = uint64((line * tokens_per_word + step) // 4)
            fill_words_of_chunks(words, first_quad, quads_between, TOKEN_STREAM, sequence, seed)
            if compact:
                walk_compact(table, column_bits, successor, words, packed, step, tokens_per_word, positions, entries)
            else:
                walk_padded(table, column_bits, row_mask, words, packed, step, tokens_per_word, positions, entries)
        for lane in range(LANES):
            begin = line + lane * chunk_words
            for word in range(min(LINE_WORDS, out.size - begin)):
                out[begin + word] = packed[word, lane]


@njit(cache=True, parallel=True, boundscheck=False)
def speculate(
    table, column_bits, compact, row_mask, successor, row, tokens_per_word, blocks, chunk_words, sequence, seed, out
):
    """Fill out (words,) with LANES chunks of chunk_words, a multiple of LINE_WORDS, for each of the blocks."""
    for block in prange(blocks):
        speculate_block(
            table,
            column_bits,
            compact,
            row_mask,
            successor,
            row,
            tokens_per_word,
            np.int64(block) * LANES * chunk_words,
            chunk_words,
            sequence,
            seed,
            out,
        )


@njit(cache=True, boundscheck=False)
def repair(
    table, column_bits, compact, row_mask, successor, guess, order, tokens_per_word, chunk_words, sequence, seed, out
):
    """Make the speculated chunks the true ones; the first is. Returns how many words were walked again."""
    walked = 0
    for begin in range(chunk_words, out.size, chunk_words):
        before = out[begin - chunk_words : begin]
        row = row_after(column_bits, compact, row_mask, successor, order, tokens_per_word, before)
        if row != guess:
            walked += walk_serial(
                table,
                column_bits,
                compact,
                row_mask,
                successor,
                row,
                tokens_per_word,
                order,
                begin,
                sequence,
                seed,
                out[begin : begin + chunk_words],
            )
    return walked


def sample_long(
    table,
    column_bits,
    compact,
    row_mask,
    successor,
    boundaries,
    starts,
    order,
    tokens_per_word,
    blocks,
    sequence,
    seed,
    out,
):
    """Fill out (words,), uint32, with the packed tokens of one sequence, cut into LANES chunks for each of the blocks.

    Returns how many words had to be walked again, one after the other.
    """
    start = np.empty(1, np.uint32)
    draw_starts(boundaries, starts, sequence, seed, start)
    chain = (table, column_bits, compact, row_mask, successor, start[0])
    chunk_words = -(-out.size // (blocks * LANES * LINE_WORDS)) * LINE_WORDS
    speculate(*chain, tokens_per_word, blocks, chunk_words, sequence, seed, out)
    return repair(*chain, order, tokens_per_word, chunk_words, sequence, seed, out)
