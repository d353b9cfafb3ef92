"""What needs no clock: counts of tables, entries and equations, and floating-point operations of a transformer."""

import numpy as np
from numpy.typing import NDArray

from testbed.maxent import AnyFamily, Pairs, Windows
from testbed.studies.mep_cost.config import Counts
from testbed.studies.mep_cost.shapes import SHAPES

Floats = NDArray[np.float64]
PAIRS: dict[str, AnyFamily] = {"pairs_all": Pairs(), "pairs_lag_2": Pairs(max_lag=2)}
WINDOWS: dict[str, AnyFamily] = {"windows": Windows(), "half_windows": Windows(overlap=0)}
NUMBERS = ("tables", "cells", "rank")


def forward_operations(length: int, width: int, depth: int, vocab_size: int) -> float:
    """F(n) = n L (24 d^2 + 2 n d) + 2 n d V: multiplications and additions of a forward pass, causal average.

    >>> round(forward_operations(32, 64, 2, 16) / forward_operations(16, 64, 2, 16), 2)
    2.04
    """
    attention = 2.0 * length * width
    return length * depth * (24.0 * width**2 + attention) + 2.0 * length * width * vocab_size


def saved_share(length: int, width: int, depth: int, vocab_size: int) -> float:
    """1 - 2 F(T) / F(2T): what two passes over T tokens save against one over 2T."""
    shape = (width, depth, vocab_size)
    return 1.0 - 2.0 * forward_operations(length, *shape) / forward_operations(2 * length, *shape)


def window_dearness(length: int, width: int, depth: int, vocab_size: int) -> float:
    """Operations of decoding T .. 2T by a pass over T tokens for each, over those of a model of 2T that keeps its keys:
    T F(T) / (F(2T) - F(T))."""
    shape = (width, depth, vocab_size)
    short, long = forward_operations(length, *shape), forward_operations(2 * length, *shape)
    return length * short / (long - short)


def counted(settings: Counts) -> dict[str, Floats]:
    """pairs (family, V, T, number), windows (family, V, T, number): tables, cells, rank. operations (shape, 3): F(2T) /
    F(T), saved share, how much dearer window decoding is."""

    def table(families: dict[str, AnyFamily], lengths: tuple[int, ...]) -> Floats:
        sizes = [[[one.size(v, t) for t in lengths] for v in settings.vocab_sizes] for one in families.values()]
        return np.array([[[[float(s.sets), float(s.cells), float(s.rank)] for s in r] for r in f] for f in sizes])

    operations = [
        (
            forward_operations(2 * t, d, depth, v) / forward_operations(t, d, depth, v),
            saved_share(t, d, depth, v),
            window_dearness(t, d, depth, v),
        )
        for d, depth, v, t in SHAPES
    ]
    return {
        "pairs": table(PAIRS, settings.lengths),
        "windows": table(WINDOWS, settings.window_lengths),
        "operations": np.array(operations),
    }
