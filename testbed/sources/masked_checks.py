"""What may be masked: arguments of the laws and losses of masked tokens, checked."""

import numpy as np
from numpy.typing import NDArray

from testbed.core import ConfigError, UndefinedError
from testbed.sources.randomness import LONGEST, in_range
from testbed.sources.source import Source, Tokens, check_tokens


def check_masked(
    tokens: Tokens, masked: NDArray[np.bool_], vocab_size: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """`tokens` (N, L) as int64 with zeros where they are masked, and the mask; what is masked need be no symbol."""
    given, hidden = np.asarray(tokens), np.asarray(masked)
    if hidden.dtype != np.bool_ or hidden.shape != given.shape or hidden.ndim != 2:
        raise ConfigError(
            f"masked: need booleans of the shape of tokens, {given.shape}; given {hidden.dtype} of shape {hidden.shape}"
        )
    return check_tokens(np.where(hidden, given.dtype.type(0), given), vocab_size), hidden


def check_sites(source: Source, length: int, n_masked: int) -> tuple[int, int]:
    """Both as integers, if so many tokens of such a sequence can be masked."""
    length, n_masked = in_range("length", length, LONGEST), in_range("n_masked", n_masked, LONGEST)
    if not (1 <= n_masked <= length or length == 0):
        raise ConfigError(f"n_masked: given {n_masked}, must be 1 .. {length}, the tokens of the sequence")
    if not source.writes_length(length):
        raise ConfigError(f"length: {source.type_name} writes no sequences of {length} tokens")
    if n_masked > 1 and not source.judges_all:
        raise UndefinedError(
            f"masked_losses: {source.type_name} judges some positions only, and which others are masked with one of"
            " them depends on the sequence; take n_masked = 1"
        )
    return length, n_masked
