"""Cutting a text into tokens."""

import numpy as np
from numba import njit


@njit(cache=True, boundscheck=False)
def merge_pair(tokens, n, first, second, merged):
    """In place: where `first` stands before `second` in tokens[:n], from left to right, they become `merged`.

    Returns the new n.
    """
    write = 0
    read = 0
    while read < n:
        if tokens[read] == first and read + 1 < n and tokens[read + 1] == second:
            tokens[write] = merged
            read += 2
        else:
            tokens[write] = tokens[read]
            read += 1
        write += 1
    return write


@njit(cache=True, boundscheck=False)
def longest_matches(text, children):
    """(n,) the tokens of a text (N,): children (V + 1, n_symbols) as in `Dictionary.children`."""
    root = children.shape[0] - 1
    tokens = np.empty(len(text), dtype=np.int64)
    n = 0
    node = root
    for symbol in text:
        following = children[node, symbol]
        if following < 0:
            tokens[n] = node
            n += 1
            following = children[root, symbol]
        node = following
    if node != root:
        tokens[n] = node
        n += 1
    return tokens[:n].copy()
