"""A token stream cut into pieces of windows, each of which can be counted alone, left out, or counted twice."""

import operator
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from testbed.core import ConfigError

Tokens = NDArray[Any]

CHUNK_TOKENS = 2**22
"""Tokens that are copied from a mapped file at a time."""
MOST_SYMBOLS = 2**26
NUMBER_ANEW = "number the tokens anew, as np.unique(.., return_inverse) does"


@dataclass(frozen=True, eq=False)
class Piece:
    """Windows of `order` tokens: all of the rows (R, L) together; windows never run across rows.

    at_end    the rows end where their sequences do, so that the shorter grams of their last tokens count here too
    """

    rows: Tokens
    order: int
    at_end: bool

    @property
    def n_windows(self) -> int:
        return self.rows.shape[0] * (self.rows.shape[1] - self.order + 1)

    def shortened(self, order: int) -> "Piece":
        """The windows of fewer tokens that begin at the same places, and at the ends of sequences all that are left."""
        rows = self.rows if self.at_end else self.rows[:, : self.rows.shape[1] - self.order + order]
        return Piece(rows, order, self.at_end)

    def tails(self, length: int) -> NDArray[np.int64]:
        """(R, length): the last tokens of the sequences that end here; no rows elsewhere."""
        rows = self.rows[:, self.rows.shape[1] - length :] if self.at_end else self.rows[:0, :length]
        return rows.astype(np.int64)

    def chunks(self) -> Iterator[Tokens]:
        """The rows in parts (r, l) of 8 or 32 bits a token, which hold each window once."""
        n_rows, length = self.rows.shape
        if length > CHUNK_TOKENS:
            step = CHUNK_TOKENS - self.order + 1
            for row in range(n_rows):
                for first in range(0, length - self.order + 1, step):
                    yield _narrow(self.rows[row : row + 1, first : first + step + self.order - 1])
        else:
            step = max(1, CHUNK_TOKENS // length)
            for first in range(0, n_rows, step):
                yield _narrow(self.rows[first : first + step])


def _narrow(rows: Tokens) -> Tokens:
    """Two types for the kernels, instead of eight."""
    return np.ascontiguousarray(rows, dtype=np.uint8 if rows.dtype.itemsize == 1 else np.uint32)


def cut(rows: Tokens, order: int, n_pieces: int) -> list[Piece]:
    """Cut the windows of all rows into pieces of nearly equal numbers of windows, each of successive ones."""
    n_rows, length = rows.shape
    if n_pieces <= n_rows:
        borders = np.linspace(0, n_rows, n_pieces + 1).round().astype(int)
        return [Piece(rows[a:b], order, True) for a, b in pairwise(borders)]
    n_windows = length - order + 1
    pieces = []
    for row, share in enumerate(np.diff(np.linspace(0, n_pieces, n_rows + 1).round().astype(int))):
        borders = np.linspace(0, n_windows, min(int(share), n_windows) + 1).round().astype(int)
        for a, b in pairwise(borders):
            pieces.append(Piece(rows[row : row + 1, a : b + order - 1], order, b == n_windows))
    return pieces


def checked_rows(tokens: Tokens, max_order: int, vocab_size: int | None) -> tuple[Tokens, int]:
    """The tokens as rows (R, L), and V: one more than the largest token, unless given.

    Raises ConfigError for tokens that are no integers, negative or above V - 1 (with the place), or for sequences
    shorter than `max_order`.
    """
    array = np.asarray(tokens)
    if array.ndim not in (1, 2) or array.dtype.kind not in "ui":
        raise ConfigError(f"tokens: need integers (N,) or (N, L), given {array.dtype} of shape {array.shape}")
    if integer("max_order", max_order) < 1:
        raise ConfigError(f"max_order: given {max_order}, must be at least 1")
    rows = array if array.ndim == 2 else array[np.newaxis]
    if rows.shape[0] == 0 or rows.shape[1] < max_order:
        raise ConfigError(
            f"tokens: given {rows.shape[0]} sequences of {rows.shape[1]}; grams of {max_order} need as many tokens"
        )
    largest = check_tokens(rows, vocab_size)
    size = largest + 1 if vocab_size is None else integer("vocab_size", vocab_size)
    if size > MOST_SYMBOLS:
        raise ConfigError(f"vocab_size: {size}, at most {MOST_SYMBOLS}; {NUMBER_ANEW}")
    return rows, size


def check_tokens(tokens: Tokens, vocab_size: int | None) -> int:
    """The largest of the tokens (N,) or (R, L); ConfigError names the first below 0 or above V - 1 and its place.

    Where V is not given it is 2^26 at most, which is what can be counted.
    Rows are looked at in parts, never all at once: a mapped file stays on the disk, whatever its order in there.
    """
    if vocab_size is not None and integer("vocab_size", vocab_size) < 1:
        raise ConfigError(f"vocab_size: given {vocab_size}, must be at least 1")
    largest, most = 0, MOST_SYMBOLS if vocab_size is None else vocab_size
    rows = tokens if tokens.ndim == 2 else tokens[np.newaxis]
    for first, chunk in _parts(rows):
        smallest, greatest = (int(chunk.min()) if chunk.dtype.kind == "i" else 0), int(chunk.max())
        if smallest < 0 or greatest >= most:
            wrong = (chunk < 0) | (chunk >= most)
            row, column = np.unravel_index(int(np.argmax(wrong)), chunk.shape)
            at = first + int(row) * rows.shape[1] + int(column)
            token = int(chunk[row, column])
            if vocab_size is not None:
                limit = f" .. {vocab_size - 1}"
            else:
                limit = " or above" if token < 0 else f" .. {most - 1}; {NUMBER_ANEW}"
            raise TokenError(f"token {at} is {token}, must lie in 0{limit}", at)
        largest = max(largest, greatest)
    return largest


def _parts(rows: Tokens) -> Iterator[tuple[int, Tokens]]:
    """The rows (R, L) in parts, none of them empty, each with the number of its first token."""
    n_rows, length = rows.shape
    if length > CHUNK_TOKENS:
        for row in range(n_rows):
            for first in range(0, length, CHUNK_TOKENS):
                yield row * length + first, rows[row : row + 1, first : first + CHUNK_TOKENS]
    elif length:
        step = CHUNK_TOKENS // length
        for row in range(0, n_rows, step):
            yield row * length, rows[row : row + step]


def integer(name: str, value: int) -> int:
    """`value` as a Python integer, which never overflows; ConfigError names it where it is none."""
    try:
        return operator.index(value)
    except TypeError:
        raise ConfigError(f"{name}: given {value!r}, must be an integer") from None


class TokenError(ConfigError):
    """A token outside the alphabet; `place` is its number in the stream."""

    def __init__(self, message: str, place: int) -> None:
        super().__init__(message)
        self.place = place
