"""What predictors take: tokens, or contexts (n, l) with the target that followed each."""

import operator

import numpy as np
from numpy.typing import NDArray

from testbed.core import ConfigError

Integers = NDArray[np.int32]

MOST_SYMBOLS = 2**31
"""Tokens are kept in 32 bits."""


def checked_tokens(tokens: NDArray[np.integer], vocab_size: int) -> Integers:
    """Tokens (N, L) or (L,), 0 .. V - 1."""
    array = np.asarray(tokens)
    if array.ndim not in (1, 2):
        raise ConfigError(f"tokens: need integers (N, L) or (L,), given {array.dtype} of shape {array.shape}")
    return _symbols(array, vocab_size, "tokens")


def checked_contexts(contexts: NDArray[np.integer], vocab_size: int, needed: int) -> Integers:
    """Contexts (n, l), l >= needed, oldest token first."""
    array = np.asarray(contexts)
    if array.ndim != 2 or array.shape[1] < needed:
        raise ConfigError(f"contexts: given shape {array.shape}, need (n, l) with l >= {needed}")
    return _symbols(array, vocab_size, "contexts")


def checked_windows(
    contexts: NDArray[np.integer], targets: NDArray[np.integer], vocab_size: int, needed: int
) -> tuple[Integers, Integers]:
    """Contexts (n, l) and their targets (n,)."""
    following = np.asarray(targets)
    if following.shape != np.shape(contexts)[:1]:
        raise ConfigError(f"targets: given shape {following.shape}, need one for each of contexts {np.shape(contexts)}")
    return checked_contexts(contexts, vocab_size, needed), _symbols(following, vocab_size, "targets")


def checked_integer(name: str, value: int, least: int, most: int | None = None) -> int:
    """`value` as a Python integer of least .. most; ConfigError names it where it is none."""
    try:
        number = operator.index(value)
    except TypeError:
        raise ConfigError(f"{name}: given {value!r}, must be an integer") from None
    if number < least:
        raise ConfigError(f"{name}: given {number}, must be at least {least}")
    if most is not None and number > most:
        raise ConfigError(f"{name}: given {number}, must be at most {most}")
    return number


def _symbols(array: NDArray[np.integer], vocab_size: int, name: str) -> Integers:
    vocab_size = checked_integer("vocab_size", vocab_size, 1, MOST_SYMBOLS)
    if array.size and array.dtype.kind not in "ui":
        raise ConfigError(f"{name}: need integers, given {array.dtype}")
    if array.size and not 0 <= int(array.min()) <= int(array.max()) < vocab_size:
        raise ConfigError(f"{name}: given {array.min()} .. {array.max()}, must lie in 0 .. V - 1 = {vocab_size - 1}")
    return np.ascontiguousarray(array, dtype=np.int32)
