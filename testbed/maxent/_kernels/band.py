"""Forward-backward over windows of w + 1 positions, and iterative proportional fitting within it.

Window k covers the positions k .. k + w; its cell i = s V + x reads the state s of its first w positions and leads to
the state i mod S of its last w, S = V^w. Everything is in logarithms; each message has its largest entry taken off.
"""

import numpy as np
from numba import njit


@njit(cache=True, boundscheck=False, error_model="numpy")
def step_forward(message, factor, vocab_size, out):
    """out(s') = ln sum over the oldest symbol of exp(message(s) + factor), less its maximum, returned."""
    n_states = message.shape[0]
    for s in range(n_states):
        largest = -np.inf
        for oldest in range(vocab_size):
            i = oldest * n_states + s
            largest = max(largest, message[i // vocab_size] + factor[i])
        total = 0.0
        if largest > -np.inf:
            for oldest in range(vocab_size):
                i = oldest * n_states + s
                total += np.exp(message[i // vocab_size] + factor[i] - largest)
            out[s] = largest + np.log(total)
        else:
            out[s] = -np.inf
    return lower(out)


@njit(cache=True, boundscheck=False, error_model="numpy")
def step_backward(message, factor, vocab_size, out):
    """out(s) = ln sum over the newest symbol of exp(factor + message), less its maximum, returned."""
    n_states = message.shape[0]
    for s in range(n_states):
        largest = -np.inf
        for x in range(vocab_size):
            i = s * vocab_size + x
            largest = max(largest, factor[i] + message[i % n_states])
        total = 0.0
        if largest > -np.inf:
            for x in range(vocab_size):
                i = s * vocab_size + x
                total += np.exp(factor[i] + message[i % n_states] - largest)
            out[s] = largest + np.log(total)
        else:
            out[s] = -np.inf
    return lower(out)


@njit(cache=True, boundscheck=False, error_model="numpy")
def lower(message):
    """Take the largest entry off, which is returned."""
    largest = -np.inf
    for s in range(message.shape[0]):
        largest = max(largest, message[s])
    if largest > -np.inf:
        for s in range(message.shape[0]):
            message[s] -= largest
    return largest


@njit(cache=True, boundscheck=False, error_model="numpy")
def window_law(before, factor, after, vocab_size, out):
    """out: the law of one window, from the messages on both sides."""
    n_states = before.shape[0]
    largest = -np.inf
    for i in range(factor.shape[0]):
        out[i] = before[i // vocab_size] + factor[i] + after[i % n_states]
        largest = max(largest, out[i])
    total = 0.0
    for i in range(factor.shape[0]):
        out[i] = np.exp(out[i] - largest) if largest > -np.inf else 0.0
        total += out[i]
    for i in range(factor.shape[0]):
        out[i] = out[i] / total if total > 0.0 else 0.0


@njit(cache=True, boundscheck=False, error_model="numpy")
def messages(factors, vocab_size, forward, backward):
    """Fill the messages on both sides of every window; returns ln Z."""
    n_windows = factors.shape[0]
    forward[0] = 0.0
    log_partition = 0.0
    for k in range(n_windows):
        log_partition += step_forward(forward[k], factors[k], vocab_size, forward[k + 1])
    backward[n_windows] = 0.0
    for k in range(n_windows - 1, -1, -1):
        step_backward(backward[k + 1], factors[k], vocab_size, backward[k])
    total = 0.0
    for s in range(forward.shape[1]):
        total += np.exp(forward[n_windows, s])
    return log_partition + np.log(total)


@njit(cache=True, boundscheck=False, error_model="numpy")
def add_band_tables(factors, index, pattern, window, offset, tables):
    """factors += every table at the cells of its window; index[pattern] says which entry a cell reads."""
    for c in range(pattern.shape[0]):
        row, factor = index[pattern[c]], factors[window[c]]
        for i in range(row.shape[0]):
            factor[i] += tables[offset[c] + row[i]]


@njit(cache=True, boundscheck=False, error_model="numpy")
def band_marginals(factors, vocab_size, index, pattern, window, offset, forward, backward, out):
    """out: the marginal of every clique, given the messages."""
    law = np.empty(factors.shape[1])
    out[:] = 0.0
    current = -1
    for c in range(pattern.shape[0]):
        if window[c] != current:
            current = window[c]
            window_law(forward[current], factors[current], backward[current + 1], vocab_size, law)
        row = index[pattern[c]]
        for i in range(row.shape[0]):
            out[offset[c] + row[i]] += law[i]


@njit(cache=True, boundscheck=False, error_model="numpy")
def fit_window(law, factor, row, targets, multipliers, table, tolerance):
    """Scale one window's law and factor so that one clique has its target; returns the error met, inf if no mass."""
    n_cells = targets.shape[0]
    table[:n_cells] = 0.0
    for i in range(row.shape[0]):
        table[row[i]] += law[i]
    worst = 0.0
    for cell in range(n_cells):
        target, found = targets[cell], table[cell]
        worst = max(worst, abs(found - target))
        if target == 0.0:
            table[cell] = 0.0
        elif found == 0.0:
            if target > tolerance:
                return np.inf
            table[cell] = 0.0  # a tiny target whose mass has underflowed
        else:
            table[cell] = np.log(target / found)
            multipliers[cell] += table[cell]
    for i in range(row.shape[0]):
        if law[i] > 0.0:
            change = table[row[i]]
            law[i] *= np.exp(change)
            factor[i] += change
        elif factor[i] > -np.inf:
            factor[i] += table[row[i]]
    return worst


@njit(cache=True, boundscheck=False, error_model="numpy")
def fit_band(
    factors,
    vocab_size,
    index,
    pattern,
    first_clique,
    offset,
    targets,
    multipliers,
    tolerance,
    residuals,
    forward,
    backward,
):
    """Sweeps of proportional fitting, forwards and back, with the messages kept up to date on the way.

    Cliques of window k are first_clique[k] .. first_clique[k + 1] - 1. Returns the sweeps made, and a clique without
    mass where its target is above `tolerance`, or -1.
    """
    n_windows = factors.shape[0]
    law, table = np.empty(factors.shape[1]), np.empty(factors.shape[1])
    messages(factors, vocab_size, forward, backward)
    for sweep in range(residuals.shape[0]):
        worst = 0.0
        for place in range(2 * n_windows):
            k = place if place < n_windows else 2 * n_windows - 1 - place
            window_law(forward[k], factors[k], backward[k + 1], vocab_size, law)
            for c in range(first_clique[k], first_clique[k + 1]):
                part = slice(offset[c], offset[c + 1])
                row = index[pattern[c]]
                error = fit_window(law, factors[k], row, targets[part], multipliers[part], table, tolerance)
                if error == np.inf:
                    return sweep, c
                worst = max(worst, error)
            if place < n_windows:
                step_forward(forward[k], factors[k], vocab_size, forward[k + 1])
            else:
                step_backward(backward[k + 1], factors[k], vocab_size, backward[k])
        residuals[sweep] = worst
        if worst <= tolerance:
            return sweep + 1, -1
    return residuals.shape[0], -1
