"""Laws of masked tokens of a finite machine, by the forward-backward algorithm on its list of edges.

    a_0 = initial,    a_(t+1)(s') ~ sum over edges s -> s' that may be taken of a_t(s) p
    b_L = 1,          b_t(s)      ~ sum over edges s -> s' that may be taken of p b_(t+1)(s')
    p(x_t = v | what is seen) ~ sum over edges s -> s' of symbol v of a_t(s) p b_(t+1)(s')

Of a token that is seen the edges of its symbol may be taken, of a masked one all. Both vectors are brought back near
one at every step, so that nothing underflows, however long the sequence. They live on the states that the tokens before
leave possible, kept as lists: where the tokens synchronise the machine, a step costs the edges of one state.
"""

import numpy as np
from numba import njit

from testbed.sources._kernels.sparse_filter import first_edge


@njit(boundscheck=False)
def edges_taken(starts, symbols, state, token):
    """(first, past the last) of a state's edges, sorted by symbol, that a token allows; -1 allows all."""
    first, last = starts[state], starts[state + 1]
    if token < 0:
        return first, last
    return first_edge(symbols, first, last, token), first_edge(symbols, first, last, token + 1)


@njit(boundscheck=False)
def grown(array, needed):
    """The array itself if it holds so many entries, else a copy with room for twice as many."""
    if array.size >= needed:
        return array
    larger = np.empty(2 * needed, array.dtype)
    larger[: array.size] = array
    return larger


@njit(cache=True, boundscheck=False, error_model="numpy")
def forward_backward(starts, symbols, targets, probabilities, initial, tokens, laws, evidence):
    """Fill laws (n, V), zero before, at the masked tokens in the order of np.nonzero, and evidence (N,).

    starts    (S + 1,) the first edge of each state and one past the last; the edges of a state sorted by symbol
    tokens    (N, L) int64, -1 where masked
    evidence  ln p(the tokens seen); -inf where they are impossible, and the laws of that row nan
    """
    n_sequences, length = tokens.shape
    n_states = initial.size
    place = np.full(n_states, -1, np.int64)
    offsets = np.empty(length + 2, np.int64)
    states = np.empty(n_states, np.int64)
    weights = np.empty(n_states)
    law = 0
    for row in range(n_sequences):
        n_masked, first_masked = 0, length
        for t in range(length - 1, -1, -1):
            if tokens[row, t] < 0:
                n_masked += 1
                first_masked = t
        offsets[0], offsets[1] = 0, 0
        for state in range(n_states):
            if initial[state] > 0.0:
                states[offsets[1]], weights[offsets[1]] = state, initial[state]
                offsets[1] += 1
        evidence[row] = 0.0
        for t in range(length):
            begin, end = offsets[t], offsets[t + 1]
            states, weights = grown(states, end + n_states), grown(weights, end + n_states)
            n_reached = end
            total = 0.0
            for i in range(begin, end):
                first, last = edges_taken(starts, symbols, states[i], tokens[row, t])
                for edge in range(first, last):
                    target = targets[edge]
                    if place[target] < 0:
                        place[target] = n_reached
                        states[n_reached], weights[n_reached] = target, 0.0
                        n_reached += 1
                    share = weights[i] * probabilities[edge]
                    weights[place[target]] += share
                    total += share
            offsets[t + 2] = n_reached
            for i in range(end, n_reached):
                place[states[i]] = -1
                weights[i] /= total
            evidence[row] += np.log(total) if total > 0.0 else -np.inf
            if not total > 0.0:
                break
        if evidence[row] == -np.inf:
            laws[law : law + n_masked] = np.nan
            law += n_masked
            continue
        behind = np.ones(offsets[length + 1] - offsets[length])
        at = law + n_masked
        for t in range(length - 1, first_masked - 1, -1):
            begin, end = offsets[t], offsets[t + 1]
            for i in range(end, offsets[t + 2]):
                place[states[i]] = i - end
            masked = tokens[row, t] < 0
            if masked:
                at -= 1
            before = np.zeros(end - begin)
            largest = 0.0
            for i in range(begin, end):
                first, last = edges_taken(starts, symbols, states[i], tokens[row, t])
                for edge in range(first, last):
                    share = probabilities[edge] * behind[place[targets[edge]]]
                    before[i - begin] += share
                    if masked:
                        laws[at, symbols[edge]] += weights[i] * share
                largest = max(largest, before[i - begin])
            for i in range(end, offsets[t + 2]):
                place[states[i]] = -1
            before /= largest
            behind = before
            if masked:
                laws[at] /= laws[at].sum()
        law += n_masked
