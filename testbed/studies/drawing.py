"""What the figures of all studies share."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
"""Of intervals in figures and notes, for each number alone."""


def style(place: int) -> dict[str, Any]:
    """Colour, marker and dash number `place` of the cycle; it begins again at the end."""
    import matplotlib

    cycle = matplotlib.rcParams["axes.prop_cycle"].by_key()
    return {name: values[place % len(values)] for name, values in cycle.items()}


def median_interval(values: NDArray[np.float64]) -> tuple[float, float, float]:
    """The median and its two-sided interval by order statistics, of values of which the largest may be infinite; the
    ends of the line where so few values bound it on neither side."""
    from scipy.stats import binom

    ordered = np.sort(values)
    n = len(ordered)
    outside = int(binom.ppf((1 - LEVEL) / 2, n, 0.5))  # the order statistic below which the median lies too rarely
    if outside < 1 or binom.cdf(outside - 1, n, 0.5) > (1 - LEVEL) / 2:
        return float(ordered[0]), float(np.median(ordered)), float(np.inf)
    return float(ordered[outside - 1]), float(np.median(ordered)), float(ordered[n - outside])
