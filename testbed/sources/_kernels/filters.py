"""The forward filter of a hidden Markov machine: beliefs about the state, carried from token to token.

    n(s') = sum_s belief(s) T[x, s, s'],     z = sum_s' n(s') = p(x | what stands before),     belief = n / z

in float64 on the linear scale. Multiplying by 1/z at every step keeps the belief near one, so that nothing underflows,
however long the sequence. An impossible token has z = 0, and all that follows is nan.

Two kernels for dense tensors T; `sparse_filter` is the third. A block of sequences goes through time together, so that
the wait of one, for its z, hides behind the work of the others:

    few      up to 8 states: 4, 2 or 1 beliefs stand side by side in a vector register
    dense    more: sequences that read the same symbol are advanced four at a time by the same panel of 16 targets

What a sequence gets does not depend on what stands beside it. Beliefs are kept as n with 1/z beside it, which is
multiplied in at the next step. Results go to log_probs (L, N), time first: a block then writes lines, not columns.

`initial` is (1, S), one belief for all, or (N, S). `words` are the tokens, tokens_per_word (2 or 4) in 32 bits, first
in the lowest. `beliefs` (N, L + 1, S) is filled unless it is empty.
"""

import numpy as np
from numba import int64, njit, prange, uint32

from testbed.sources._kernels.chain import LINE_WORDS, aligned_words
from testbed.sources._kernels.logarithm import LEAST, log_probability
from testbed.sources._kernels.vectors import REGISTER, make_advance_beliefs, make_advance_rows

FEW_LANES = 256
PANEL = 2 * REGISTER

advance_four_of_2_states = make_advance_beliefs(2)
advance_two_of_4_states = make_advance_beliefs(4)
advance_one_of_8_states = make_advance_beliefs(8)
advance_row = make_advance_rows(1)
advance_four_rows = make_advance_rows(4)


@njit(inline="always")
def aligned_reals(n):
    """Zeros that start on a cache line."""
    return aligned_words(2 * n).view(np.float64)


@njit(cache=True, boundscheck=False)
def read_step(words, t, tokens_per_word, places, tile, symbols):
    """symbols[lane] = token t of row `lane` of words, << places.

    tile (LINE_WORDS, lanes) holds the words around; it is read anew, a cache line a row, at the first step of a line,
    so that t must go up from 0. Lanes beyond the rows keep what they were.
    """
    word = t // tokens_per_word
    if t % (LINE_WORDS * tokens_per_word) == 0:
        for lane in range(len(words)):
            for place in range(min(LINE_WORDS, words.shape[1] - word)):
                tile[place, lane] = words[lane, word + place]
    bits = 32 // tokens_per_word
    shift = uint32(t % tokens_per_word * bits)
    mask = uint32((1 << bits) - 1)
    line = tile[word % LINE_WORDS]
    for lane in range(symbols.size):
        symbols[lane] = int64((line[lane] >> shift) & mask) << places


@njit(boundscheck=False)
def start_beliefs(initial, width, belief, factors):
    """Put the initial beliefs into rows of `width` numbers."""
    for lane in range(factors.size):
        own = initial[min(lane, len(initial) - 1)]
        factors[lane] = 1.0
        for state in range(own.size):
            belief[lane * width + state] = own[state]


@njit(boundscheck=False)
def keep_beliefs(belief, factors, width, beliefs, t):
    """Write beliefs[:, t], if it is wanted."""
    if beliefs.size:
        for lane in range(len(beliefs)):
            for state in range(beliefs.shape[2]):
                beliefs[lane, t, state] = belief[lane * width + state] * factors[lane]


@njit(inline="always")
def read_totals(totals, factors, log_probs):
    """log_probs = ln totals, and factors = 1 / totals, nan where the token was impossible."""
    for lane in range(log_probs.size):
        log_probs[lane] = log_probability(totals[lane])
    for lane in range(factors.size):
        factors[lane] = 1.0 / totals[lane] if totals[lane] >= LEAST else np.nan


@njit(cache=True, boundscheck=False, error_model="numpy", fastmath={"contract"})
def filter_few_block(table, width_bits, initial, words, tokens_per_word, first, log_probs, beliefs):
    """At most FEW_LANES sequences, from number `first` of log_probs on. table (V * width^2,): T with states padded to
    width = 2^width_bits: 2, 4 or 8."""
    length, n_sequences = len(log_probs), len(words)
    lanes = (n_sequences + REGISTER - 1) // REGISTER * REGISTER
    width = 1 << width_bits
    belief = aligned_reals(lanes * width)
    factors = aligned_reals(lanes)
    totals = aligned_reals(lanes)
    tile = aligned_words(LINE_WORDS * lanes).reshape(LINE_WORDS, lanes)
    tables = aligned_words(2 * lanes).view(np.int64)
    start_beliefs(initial, width, belief, factors)
    keep_beliefs(belief, factors, width, beliefs, 0)
    for t in range(length):
        read_step(words, t, tokens_per_word, 2 * width_bits, tile, tables)
        if width == 2:
            for lane in range(0, lanes, 4):
                advance_four_of_2_states(table, tables, belief, factors, totals, lane)
        elif width == 4:
            for lane in range(0, lanes, 2):
                advance_two_of_4_states(table, tables, belief, factors, totals, lane)
        else:
            for lane in range(lanes):
                advance_one_of_8_states(table, tables, belief, factors, totals, lane)
        read_totals(totals, factors, log_probs[t, first : first + n_sequences])
        keep_beliefs(belief, factors, width, beliefs, t + 1)


@njit(cache=True, parallel=True, boundscheck=False)
def filter_few(table, width_bits, initial, words, tokens_per_word, log_probs, beliefs):
    """Fill log_probs (L, N) with ln p(x_t | x_<t) of machines of up to 8 states."""
    for block in prange((len(words) + FEW_LANES - 1) // FEW_LANES):
        first = np.int64(block) * FEW_LANES
        rows = slice(first, first + FEW_LANES)
        own = initial if len(initial) == 1 else initial[rows]
        kept = beliefs[rows] if beliefs.size else beliefs
        filter_few_block(table, width_bits, own, words[rows], tokens_per_word, first, log_probs, kept)


@njit(boundscheck=False)
def link_by_symbol(symbols, n_sequences, first_lane, next_lane):
    """Chain the lanes that read the same symbol: first_lane[symbol], then next_lane of each."""
    for lane in range(n_sequences - 1, -1, -1):
        next_lane[lane] = first_lane[symbols[lane]]
        first_lane[symbols[lane]] = lane


@njit(cache=True, boundscheck=False, error_model="numpy", fastmath={"contract"})
def filter_dense_block(table, lanes, vocab_size, initial, words, tokens_per_word, first, log_probs, beliefs):
    """At most `lanes` sequences, from number `first` of log_probs on. table (V * panels * S * PANEL,): T by panels of
    targets, padded to PANEL."""
    length, n_sequences = len(log_probs), len(words)
    n_states = initial.shape[1]
    panel_size = n_states * PANEL
    panels = (n_states + PANEL - 1) // PANEL
    width = panels * PANEL
    nobody = lanes  # a row of its own, that fills up groups of fewer than four
    belief = aligned_reals((lanes + 1) * width)
    advanced = aligned_reals((lanes + 1) * width)
    factors = aligned_reals(lanes + 1)
    totals = aligned_reals(lanes + 1)
    tile = aligned_words(LINE_WORDS * lanes).reshape(LINE_WORDS, lanes)
    symbols = aligned_words(2 * lanes).view(np.int64)
    first_lane = np.full(vocab_size, nobody)
    next_lane = np.full(lanes + 1, nobody)
    start_beliefs(initial, width, belief, factors[:lanes])
    keep_beliefs(belief, factors, width, beliefs, 0)
    for t in range(length):
        read_step(words, t, tokens_per_word, 0, tile, symbols)
        link_by_symbol(symbols, n_sequences, first_lane, next_lane)
        totals[:] = 0.0
        for lane in range(n_sequences):
            entry = symbols[lane] * panels * panel_size
            a = first_lane[symbols[lane]]
            first_lane[symbols[lane]] = nobody
            while a != nobody:
                b = next_lane[a]
                c = next_lane[b]
                d = next_lane[c]
                rows = (a * width, b * width, c * width, d * width)
                shares = (factors[a], factors[b], factors[c], factors[d])
                for panel in range(panels):
                    place, target = entry + panel * panel_size, panel * PANEL
                    if b == nobody:
                        alone = advance_row(table, place, n_states, belief, advanced, rows[:1], shares[:1], target)
                        totals[a] += alone[0]
                    else:
                        sums = advance_four_rows(table, place, n_states, belief, advanced, rows, shares, target)
                        totals[a] += sums[0]
                        totals[b] += sums[1]
                        totals[c] += sums[2]
                        totals[d] += sums[3]
                a = next_lane[d]
        belief, advanced = advanced, belief
        read_totals(totals, factors[:lanes], log_probs[t, first : first + n_sequences])
        keep_beliefs(belief, factors, width, beliefs, t + 1)


@njit(cache=True, parallel=True, boundscheck=False)
def filter_dense(table, lanes, vocab_size, initial, words, tokens_per_word, log_probs, beliefs):
    """Fill log_probs (L, N) with ln p(x_t | x_<t), blocks of `lanes` sequences in parallel."""
    for block in prange((len(words) + lanes - 1) // lanes):
        first = np.int64(block) * lanes
        rows = slice(first, first + lanes)
        own = initial if len(initial) == 1 else initial[rows]
        kept = beliefs[rows] if beliefs.size else beliefs
        filter_dense_block(table, lanes, vocab_size, own, words[rows], tokens_per_word, first, log_probs, kept)
