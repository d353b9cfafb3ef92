"""What numpy can do of the work of `benchmarks.sources`: the opponents, each as fast as we know how to write it.

Sequences go through time together, every array operation over all of them; results are made time first and returned
transposed, so that no step writes a column.
"""

import numpy as np
from numpy.typing import NDArray

from testbed.sources.edges import Edges
from testbed.sources.machine_sampling import MachineSampler

Floats = NDArray[np.float64]
Tokens = NDArray[np.uint8]


# ---- edge machines ---------------------------------------------------------------------------------------------------


def machine_arrivals(sampler: MachineSampler, n_sequences: int, length: int, seed: int) -> Tokens:
    """Alias draws from the same table: one load of the entry, one of next row and symbol together."""
    generator = np.random.Generator(np.random.SFC64(seed))
    entries, arrivals, bits = _tables(sampler)
    shift, column_mask = np.uint32(32 - bits), np.uint32((1 << bits) - 1)
    height_mask, height_shift = np.uint32((1 << (32 - bits)) - 1), np.uint32(bits)
    tokens = np.empty((length, n_sequences), dtype=np.uint8)
    rows = np.zeros(n_sequences, dtype=np.int64)
    drawn = np.empty(n_sequences, dtype=np.uint32)
    for t in range(length):
        words = generator.integers(0, 2**64, n_sequences // 2, dtype=np.uint64).view(np.uint32)
        chosen = words >> shift
        entries.take(rows + chosen, out=drawn, mode="clip")
        words &= height_mask
        np.copyto(chosen, drawn & column_mask, where=words >= (drawn >> height_shift))
        rows += chosen
        arrivals.take(rows, out=rows, mode="clip")
        tokens[t] = rows
        rows >>= 16
    return np.ascontiguousarray(tokens.T)


def machine_resolved(sampler: MachineSampler, n_sequences: int, length: int, seed: int) -> Tokens:
    """The same with a table of twice the size that needs no alias: the arrivals of a column's own edge and its alias
    side by side, to be chosen between by one comparison."""
    generator = np.random.Generator(np.random.SFC64(seed))
    entries, arrivals, bits = _tables(sampler)
    shift, height_mask = np.uint32(32 - bits), np.uint32((1 << (32 - bits)) - 1)
    thresholds = entries >> np.uint32(bits)
    own = np.arange(arrivals.size)
    alias = own >> bits << bits | (entries & np.uint32((1 << bits) - 1))
    either = arrivals[np.stack([own, alias], axis=1)].ravel()
    tokens = np.empty((length, n_sequences), dtype=np.uint8)
    rows = np.zeros(n_sequences, dtype=np.int64)
    limits = np.empty(n_sequences, dtype=np.uint32)
    for t in range(length):
        words = generator.integers(0, 2**64, n_sequences // 2, dtype=np.uint64).view(np.uint32)
        rows += words >> shift
        thresholds.take(rows, out=limits, mode="clip")
        words &= height_mask
        rows <<= 1
        rows += words >= limits
        either.take(rows, out=rows, mode="clip")
        tokens[t] = rows
        rows >>= 16
    return np.ascontiguousarray(tokens.T)


def machine_inverse_cdf(edges: Edges, n_sequences: int, length: int, seed: int) -> Tokens:
    """One searchsorted a step: row s of the flat table is the CDF of state s, plus s."""
    generator = np.random.Generator(np.random.SFC64(seed))
    steps = edges.probabilities.cumsum(axis=1) + np.arange(edges.n_states)[:, None]
    steps[:, -1] = np.arange(1, edges.n_states + 1)
    flat = steps.ravel()
    symbols, successors = edges.symbols.ravel().astype(np.uint8), edges.successors.ravel().astype(np.int64)
    tokens = np.empty((length, n_sequences), dtype=np.uint8)
    states = np.zeros(n_sequences, dtype=np.int64)
    for t in range(length):
        draws = generator.random(n_sequences)
        draws += states
        found = flat.searchsorted(draws, side="right")
        symbols.take(found, out=tokens[t], mode="clip")
        successors.take(found, out=states, mode="clip")
    return np.ascontiguousarray(tokens.T)


def _tables(sampler: MachineSampler) -> tuple[NDArray[np.uint32], NDArray[np.int64], int]:
    """Entries, next row << 16 | symbol, column bits; for symbols that stand beside the state."""
    tables = sampler._tables
    entries, arrivals = np.ascontiguousarray(tables.table.T)
    states, symbols = np.divmod(arrivals.astype(np.int64), 1 << tables.symbol_bits)
    return entries, states << tables.column_bits << 16 | symbols, tables.column_bits


# ---- filters: transitions (V, S, S), initial (S,), tokens (N, L); ln p(x_t | x_<t) into totals (L, N)


def filter_gather(transitions: Floats, initial: Floats, tokens: Tokens, totals: Floats) -> Floats:
    """Every sequence's own matrix, picked and multiplied."""
    belief = np.repeat(initial[None], len(tokens), axis=0)
    for t, symbols in enumerate(np.ascontiguousarray(tokens.T)):
        belief = np.matmul(belief[:, None], transitions[symbols])[:, 0]
        totals[t] = belief.sum(axis=1)
        belief /= totals[t][:, None]
    return np.log(totals, out=totals)


def filter_all_symbols(transitions: Floats, initial: Floats, tokens: Tokens, totals: Floats) -> Floats:
    """One matrix product for all symbols, of which each sequence picks its own."""
    vocab_size, n_states, _ = transitions.shape
    side_by_side = np.ascontiguousarray(transitions.transpose(1, 0, 2)).reshape(n_states, -1)
    belief = np.repeat(initial[None], len(tokens), axis=0)
    advanced = np.empty((len(tokens), vocab_size * n_states))
    by_symbol = advanced.reshape(-1, n_states)
    first, ones = np.arange(len(tokens)) * vocab_size, np.ones(n_states)
    for t, symbols in enumerate(np.ascontiguousarray(tokens.T, dtype=np.int64)):
        np.matmul(belief, side_by_side, out=advanced)
        belief = by_symbol.take(first + symbols, axis=0)
        np.matmul(belief, ones, out=totals[t])
        belief /= totals[t][:, None]
    return np.log(totals, out=totals)


def filter_by_symbol(transitions: Floats, initial: Floats, tokens: Tokens, totals: Floats) -> Floats:
    """Sequences sorted by their symbol at every step, and one matrix product for each symbol."""
    vocab_size, n_states, _ = transitions.shape
    belief = np.repeat(initial[None], len(tokens), axis=0)
    advanced, ones = np.empty_like(belief), np.ones(n_states)
    for t, symbols in enumerate(np.ascontiguousarray(tokens.T)):
        order = np.argsort(symbols, kind="stable")
        ends = symbols[order].searchsorted(np.arange(vocab_size + 1))
        belief = belief.take(order, axis=0)
        for symbol in np.flatnonzero(np.diff(ends)):
            rows = slice(ends[symbol], ends[symbol + 1])
            np.matmul(belief[rows], transitions[symbol], out=advanced[rows])
        belief[order] = advanced
        np.matmul(belief, ones, out=totals[t])
        belief /= totals[t][:, None]
    return np.log(totals, out=totals)


def filter_by_state(transitions: Floats, initial: Floats, tokens: Tokens, totals: Floats) -> Floats:
    """S^2 vector operations over all sequences, for few states."""
    n_states = len(initial)
    entries = np.ascontiguousarray(transitions.transpose(1, 2, 0))
    belief = np.repeat(initial[:, None], len(tokens), axis=1)
    advanced, term = np.empty_like(belief), np.empty(len(tokens))
    for t, symbols in enumerate(np.ascontiguousarray(tokens.T, dtype=np.int64)):
        for target in range(n_states):
            entries[0, target].take(symbols, out=advanced[target], mode="clip")
            advanced[target] *= belief[0]
            for state in range(1, n_states):
                entries[state, target].take(symbols, out=term, mode="clip")
                term *= belief[state]
                advanced[target] += term
        advanced.sum(axis=0, out=totals[t])
        np.divide(advanced, totals[t], out=belief)
    return np.log(totals, out=totals)


FILTERS = {
    "gather": filter_gather,
    "all symbols": filter_all_symbols,
    "by symbol": filter_by_symbol,
    "by state": filter_by_state,
}
