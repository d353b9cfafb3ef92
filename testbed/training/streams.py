"""Which sequence indices train, hold out, evaluate and probe: disjoint ranges of one data seed, fixed here alone."""

from typing import Literal

Stream = Literal["train", "heldout", "evaluation", "probe"]

STREAM_LENGTH = 2**40
"""Sequences in each stream; a source is asked for sequence `first_sequence(stream) + i`."""

_ORDER: tuple[Stream, ...] = ("train", "heldout", "evaluation", "probe")


def first_sequence(stream: Stream, offset: int = 0) -> int:
    """Index of the stream's sequence number `offset`.

    >>> first_sequence("heldout") - first_sequence("train") == STREAM_LENGTH
    True
    """
    if not 0 <= offset < STREAM_LENGTH:
        raise ValueError(f"offset: given {offset}, must lie in 0 .. 2^40 - 1")
    return _ORDER.index(stream) * STREAM_LENGTH + offset
