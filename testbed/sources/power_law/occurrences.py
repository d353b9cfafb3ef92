"""Where in its row a symbol came before: sorting in place of a table over the vocabulary."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

CHUNK_TOKENS = 2**21


def by_key(keys: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """For each row its places ordered by key, then time; where each place's group of one key starts in that order; and
    whether it comes after another place of its group."""
    order = np.argsort(keys, axis=1, kind="stable")
    ranked = np.take_along_axis(keys, order, axis=1)
    repeated = np.zeros(keys.shape, dtype=np.bool_)
    repeated[:, 1:] = ranked[:, 1:] == ranked[:, :-1]
    place = np.broadcast_to(np.arange(keys.shape[1]), keys.shape)
    starts = np.maximum.accumulate(np.where(repeated, 0, place), axis=1)
    return order, starts, repeated


def put_back(order: NDArray[np.int64], values: NDArray[np.int64]) -> NDArray[np.int64]:
    """The inverse of ordering: values[i, j] goes to place order[i, j]."""
    result = np.empty_like(values)
    np.put_along_axis(result, order, values, axis=1)
    return result


def row_chunks(n_sequences: int, length: int) -> Iterator[slice]:
    """Slices of rows of about 2^21 tokens, which bounds the scratch memory."""
    step = max(1, CHUNK_TOKENS // max(length, 1))
    for first in range(0, n_sequences if length else 0, step):
        yield slice(first, min(first + step, n_sequences))
