"""The forward filter by a list of edges, for machines whose dense tensor would be large or mostly empty.

One sequence at a time, in float64 on the linear scale as in `filters`. Two ways to take a step:

    sweep     all edges of the symbol, in the order of their targets
    follow    where the belief sits on few states: their edges alone. A machine that the tokens synchronise is then
              followed at a cost that does not grow with its size.

`initial` is (1, S), one belief for all, or (N, S). `beliefs` (N, L + 1, S) is filled unless it is empty.
"""

import numpy as np
from numba import njit, prange

from testbed.sources._kernels.logarithm import LEAST, log_probability

FOLLOWED_SHARE = 16  # the list of states is kept while it is shorter than a sixteenth of all


@njit(boundscheck=False)
def first_edge(symbols, first, last, symbol):
    """The first of the edges first .. last - 1, sorted by symbol, with at least this symbol."""
    while first < last:
        middle = (first + last) // 2
        if symbols[middle] < symbol:
            first = middle + 1
        else:
            last = middle
    return first


@njit(boundscheck=False)
def list_support(belief, support):
    """Put the states that have a belief into `support`; returns their number, support.size where they are too many."""
    n_found = 0
    for state in range(belief.size):
        if belief[state] != 0.0:
            if n_found == support.size - 1:
                return support.size
            support[n_found] = state
            n_found += 1
    return n_found


@njit(cache=True, boundscheck=False, error_model="numpy")
def filter_sparse_one(by_symbol, by_state, initial, tokens, log_probs, beliefs):
    """One sequence. by_symbol = (first edge of each symbol, sources, targets, probabilities), by_state = (first edge of
    each state, symbols, targets, probabilities), the first of each with one more entry, past the end."""
    symbol_starts, sources, targets, probabilities = by_symbol
    state_starts, state_symbols, state_targets, state_probabilities = by_state
    few = initial.size // FOLLOWED_SHARE
    belief = initial.copy()
    advanced = np.zeros(initial.size)
    support = np.empty(few + 1, np.int64)
    reached = np.empty(few + 1, np.int64)
    n_support = list_support(belief, support)
    if beliefs.size:
        beliefs[0] = belief
    for t in range(tokens.size):
        symbol = np.int64(tokens[t])
        if n_support <= few:
            n_reached = 0
            for i in range(n_support):
                state = support[i]
                edge = first_edge(state_symbols, state_starts[state], state_starts[state + 1], symbol)
                while edge < state_starts[state + 1] and state_symbols[edge] == symbol:
                    target = state_targets[edge]
                    share = belief[state] * state_probabilities[edge]
                    if advanced[target] == 0.0 and share != 0.0:
                        if n_reached < few:
                            reached[n_reached] = target
                        n_reached += 1
                    advanced[target] += share
                    edge += 1
                belief[state] = 0.0
        else:
            for edge in range(symbol_starts[symbol], symbol_starts[symbol + 1]):
                advanced[targets[edge]] += belief[sources[edge]] * probabilities[edge]
            belief[:] = 0.0
            n_reached = list_support(advanced, reached)
        total = 0.0
        if n_reached <= few:
            for i in range(n_reached):
                total += advanced[reached[i]]
            for i in range(n_reached):
                advanced[reached[i]] /= total
        else:
            total = advanced.sum()
            advanced *= 1.0 / total
        log_probs[t] = log_probability(total)
        if not total >= LEAST:
            log_probs[t + 1 :] = np.nan
            if beliefs.size:
                beliefs[t + 1 :] = np.nan
            break
        belief, advanced = advanced, belief
        support, reached = reached, support
        n_support = n_reached
        if beliefs.size:
            beliefs[t + 1] = belief


@njit(cache=True, parallel=True, boundscheck=False)
def filter_sparse(by_symbol, by_state, initial, tokens, log_probs, beliefs):
    """Fill log_probs (L, N) with ln p(x_t | x_<t); for the lists of edges see `filter_sparse_one`."""
    for sequence in prange(len(tokens)):
        own = initial[sequence] if len(initial) > 1 else initial[0]
        kept = beliefs[sequence] if beliefs.size else beliefs[0]
        filter_sparse_one(by_symbol, by_state, own, tokens[sequence], log_probs[:, sequence], kept)
