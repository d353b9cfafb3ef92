"""Places spread over a window."""

import numpy as np
from numpy.typing import NDArray

from testbed.core import ConfigError


def spread_places(n: int, count: int, seed: int = 0) -> NDArray[np.int64]:
    """At most `count` of the places 0 .. n - 1, increasing: one drawn from each of `count` equal parts.

    Drawn, not evenly spaced, so that a period of the data cannot hide between them. All places where count >= n.
    """
    if n < 1 or count < 1:
        raise ConfigError(f"n and count: given {n} and {count}, must be at least 1")
    if count >= n:
        return np.arange(n)
    edges = np.arange(count + 1) * n // count
    rng = np.random.Generator(np.random.Philox(key=seed))
    return edges[:-1] + (rng.random(count) * np.diff(edges)).astype(np.int64)
