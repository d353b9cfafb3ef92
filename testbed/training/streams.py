"""Which sequence indices train, hold out, evaluate and probe: disjoint ranges of one data seed, fixed here alone."""

from typing import Literal

import numpy as np

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


def step_generator(seed: int, number: int, step: int) -> np.random.Generator:
    """The generator of a data seed, a purpose (0: which targets a step takes; 1 to 4, which tokens of a stream are
    hidden; 5, which position of a window counts) and a step; no state is carried from one step to the next."""
    return np.random.Generator(np.random.Philox(key=seed, counter=[0, 0, number, step]))
