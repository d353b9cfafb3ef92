"""Losses of a plain stream by summing over all contexts while these are few, and by sampling beyond."""

import numpy as np

from testbed.core import Truth
from testbed.sources.sampled_truth import law_entropies, sampled_position_losses
from testbed.sources.source import Source

ENUMERATED = 2**16  # contexts and next tokens that an exact sum runs over


def stream_losses(source: Source, length: int, known: Truth | None = None) -> Truth:
    """(length,): the source's loss at positions 0 .. length - 1, from its `predict`: exact if there are at most 2^16
    strings of that length, else sampled, with the first ones still exact. `known` is given for as many as it has."""
    values = np.empty(0) if known is None else np.asarray(known.value)[:length]
    enumerable = enumerable_length(source.vocab_size)
    for l in range(len(values), length if enumerable is None else min(length, enumerable)):
        law = source.context_law(l)
        values = np.append(values, law.probabilities @ law_entropies(law.laws))
    if len(values) == length:
        return Truth.exact(values)
    sampled = sampled_position_losses(source, length)
    mean, error = sampled.lower.copy(), sampled.standard_error.copy()
    mean[: len(values)], error[: len(values)] = values, 0.0
    return Truth.sampled(mean, error)


def enumerable_length(vocab_size: int) -> int | None:
    """The largest n with V^n <= 2^16; None where every n will do.

    >>> enumerable_length(2), enumerable_length(256)
    (16, 2)
    """
    if vocab_size == 1:
        return None
    n = 0
    while vocab_size ** (n + 1) <= ENUMERATED:
        n += 1
    return n
