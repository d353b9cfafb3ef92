"""Sequences of an edge machine, many at a time: a state draws an edge, the edge emits a symbol and leads to a state.

As in `chain`, LANES machines walk in lockstep, random words come in tiles, tokens are packed into 32-bit words. What
differs is that the next state cannot be computed from the edge's number, so that a token takes two loads, the second
where the first one said:

    alias table    a row of 2^c columns for every state, an edge each: threshold and alias, as in `alias`
    arrivals       at the same places, 32 bits each: next state << symbol_bits | symbol

The two stand side by side, so that with up to eight edges a token needs one cache line. Where a state and a symbol do
not fit into 32 bits, symbol_bits is 0, and the symbols have a table of their own.

Token t of sequence i is a function of (edges, initial law, seed, i, t): of no thread, block or batch.
"""

import numpy as np
from numba import njit, prange, uint32, uint64

from testbed.sources._kernels.chain import (
    LANE_GROUP,
    LANES,
    LINE_WORDS,
    TILE_STEPS,
    TOKEN_STREAM,
    aligned_words,
    choose,
    draw_starts,
    shift_left,
    shift_right,
)
from testbed.sources._kernels.philox import fill_random_words

ENTRY, ARRIVAL = 0, 1  # fields of the table


@njit(inline="always")
def load_fields(table, positions, field, pairs):
    """Read table[positions, field] into pairs, two a store: the loop that follows can then load them sooner."""
    for pair in range(pairs.size):
        low = uint64(table[positions[2 * pair], field])
        high = uint64(table[positions[2 * pair + 1], field])
        pairs[pair] = low | (high << uint64(32))


@njit(cache=True, boundscheck=False)
def walk_machine(
    table, symbols, symbol_bits, column_bits, words, packed, first_step, tokens_per_word, positions, entries
):
    """Advance all lanes by one tile of random words (steps, lanes).

    positions (lanes): table positions, of which only the row counts between tiles; entries (lanes): scratch. Tokens are
    added to packed (.., lanes) from step `first_step` on, where it must be zero.
    """
    column_bits = uint32(column_bits)
    symbol_bits = uint32(symbol_bits)
    height_bits = uint32(32 - column_bits)
    column_mask = uint32((uint64(1) << column_bits) - uint64(1))
    height_mask = uint32((uint64(1) << height_bits) - uint64(1))
    symbol_mask = uint32((uint64(1) << symbol_bits) - uint64(1))
    pairs = entries.view(np.uint64)
    steps, lanes = words.shape
    for lane in range(lanes):
        positions[lane] = uint32((positions[lane] & ~column_mask) | shift_right(words[0, lane], height_bits))
    for step in range(steps):
        word = words[step]
        next_word = words[min(step + 1, steps - 1)]
        slot = packed[(first_step + step) // tokens_per_word]
        place = uint32((first_step + step) % tokens_per_word * (32 // tokens_per_word))
        load_fields(table, positions, ENTRY, pairs)
        for lane in range(lanes):
            positions[lane] = choose(positions[lane], entries[lane], word[lane], column_bits, column_mask, height_mask)
        load_fields(table, positions, ARRIVAL, pairs)
        if symbols.size:
            for lane in range(lanes):
                slot[lane] = uint32(slot[lane] | shift_left(uint32(symbols[positions[lane]]), place))
        for lane in range(lanes):
            row = shift_left(shift_right(entries[lane], symbol_bits), column_bits)
            positions[lane] = uint32(row | shift_right(next_word[lane], height_bits))
            slot[lane] = uint32(slot[lane] | shift_left(uint32(entries[lane] & symbol_mask), place))


@njit(cache=True, boundscheck=False)
def sample_machine_block(
    table,
    symbols,
    symbol_bits,
    column_bits,
    boundaries,
    starts,
    tokens_per_word,
    first_sequence,
    seed,
    out,
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
            walk_machine(
                table,
                symbols,
                symbol_bits,
                column_bits,
                words,
                packed,
                step,
                tokens_per_word,
                positions,
                entries,
            )
        for sequence in range(n_sequences):
            for word in range(min(LINE_WORDS, n_words - first_word)):
                out[sequence, first_word + word] = packed[word, sequence]


@njit(cache=True, parallel=True, boundscheck=False)
def sample_machine(
    table,
    symbols,
    symbol_bits,
    column_bits,
    boundaries,
    starts,
    tokens_per_word,
    first_sequence,
    seed,
    out,
):
    """Fill out (N, words), uint32, with packed tokens, first token in the lowest bits; blocks of LANES sequences in
    parallel.
    """
    for block in prange((out.shape[0] + LANES - 1) // LANES):
        first = block * LANES
        sample_machine_block(
            table,
            symbols,
            symbol_bits,
            column_bits,
            boundaries,
            starts,
            tokens_per_word,
            first_sequence + uint64(first),
            seed,
            out[first : first + LANES],
        )
