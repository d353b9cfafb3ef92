"""Copies of copies: which fresh draw each place of a sequence goes back to, found by doubling pointers."""

import numpy as np
from numpy.typing import NDArray

from testbed.core import ResourceError
from testbed.sources.power_law.occurrences import CHUNK_TOKENS, row_chunks
from testbed.sources.randomness import choose, in_range, random_words
from testbed.sources.source import Floats

LAG_STREAM, FRESH_STREAM, PAST_LAG_STREAM, PAST_FRESH_STREAM = 10, 11, 12, 13
LONGEST_PAST = 2**24
MAX_TWO_POINT = 2**20


def cold_copies(
    lag_weights: NDArray[np.int64], n_sequences: int, length: int, seed: int, first_sequence: int
) -> NDArray[np.uint32]:
    """(N, L) the random word of the fresh draw that each place copies; places before the start are fresh draws of the
    place that points to them."""
    words = np.empty((in_range("n_sequences", n_sequences, 2**40), in_range("length", length, 2**34)), dtype=np.uint32)
    random_words(0, length, seed, first_sequence)  # checks the other arguments, also where nothing is drawn
    place = np.arange(length)
    for rows in row_chunks(*words.shape):
        n, first = rows.stop - rows.start, first_sequence + rows.start
        lag = choose(random_words(n, length, seed, first, LAG_STREAM), lag_weights)
        origin = _follow(np.where(lag <= place, place - lag, place))
        words[rows] = np.take_along_axis(random_words(n, length, seed, first, FRESH_STREAM), origin, axis=1)
    return words


def stationary_copies(
    lag_weights: NDArray[np.int64], n_sequences: int, length: int, seed: int, first_sequence: int
) -> NDArray[np.uint32]:
    """(N, L) as `cold_copies`, with pointers followed as far before the start as it takes.

    Place j = 0 is the last one, and j counts into the past: word j of a stream belongs to that time whatever the depth,
    so looking further back changes nothing that was seen, and what comes out is exactly stationary.
    """
    words = np.empty((in_range("n_sequences", n_sequences, 2**40), in_range("length", length, 2**34)), dtype=np.uint32)
    random_words(0, length, seed, first_sequence)
    first, depth = 0, 4 * (length + len(lag_weights))
    while first < len(words) and length:
        if depth > LONGEST_PAST:
            raise ResourceError(
                f"copies reach more than {LONGEST_PAST} tokens into the past; make fresh larger or n_lags smaller"
            )
        n = min(max(1, CHUNK_TOKENS // depth), len(words) - first)
        lag = choose(random_words(n, depth, seed, first_sequence + first, PAST_LAG_STREAM), lag_weights)
        pointer = np.full((n, depth + 1), depth)  # place `depth` stands for all that is further back
        pointer[:, :depth] = np.minimum(np.arange(depth) + lag, depth)
        origin = _follow(pointer)[:, :length]
        if (origin == depth).any():
            depth *= 2
            continue
        fresh = random_words(n, depth, seed, first_sequence + first, PAST_FRESH_STREAM)
        words[first : first + n] = np.take_along_axis(fresh, origin, axis=1)[:, ::-1]
        first += n
    return words


def correlations(lags: Floats, max_lag: int) -> Floats:
    """(max + 1,): rho(0) = 1 and rho(m) = sum_j w_j rho(|m - j|), for `lags` = (w_0, w_1, ..., w_n)."""
    n_lags = len(lags) - 1
    weights = lags[1:]
    rows = np.arange(1, n_lags + 1)[:, None]
    system, known = np.eye(n_lags), weights.copy()  # the copy from lag m itself: rho(0) = 1
    column = np.abs(rows - np.arange(1, n_lags + 1)) - 1
    row, lag = np.nonzero(column >= 0)
    np.add.at(system, (row, column[row, lag]), -weights[lag])
    rho = np.empty(max(max_lag, n_lags) + 1)
    rho[0] = 1.0
    rho[1 : n_lags + 1] = np.linalg.solve(system, known)
    for m in range(n_lags + 1, max_lag + 1):
        rho[m] = weights @ rho[m - n_lags : m][::-1]
    return rho[: max_lag + 1]


def _follow(pointer: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each place ends up, by following pointers until they point to themselves: log2 of the longest path."""
    while True:
        further = np.take_along_axis(pointer, pointer, axis=1)
        if np.array_equal(further, pointer):
            return pointer
        pointer = further
