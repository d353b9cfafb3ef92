"""What is exact about the published parities: Table 1, and whether what is shown is linear in what is known (A3)."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from testbed.sources.parity import SparseParitySource

Floats = NDArray[np.float64]

TABLE_1 = {
    17: (0.4648, 0.4643),
    20: (0.3988, 0.3988),
    23: (0.3438, 0.3437),
    25: (0.3119, 0.3116),
    28: (0.2687, 0.2686),
    30: (0.2429, 0.2429),
    35: (0.1867, 0.1864),
    40: (0.1390, 0.1387),
    50: (0.0613, 0.0612),
}
"""Context length -> (model's cross-entropy, its least possible value), nats, as the authors published them."""

RECOVERED_WITHIN = 1.05e-4
"""How far the recovered task frequencies may leave the published minima, nats; these have four decimals."""


@dataclass(frozen=True)
class LinearFit:
    """The least-squares line of shown entropy h_0 - h_l on state entropy S(l) over some context lengths.

    lengths, state, shown   (n,) the points, nats
    slope, intercept        of the line
    residual                largest distance from it, as a share of the range of `shown`
    pearson                 their correlation
    """

    lengths: tuple[int, ...]
    state: Floats
    shown: Floats
    slope: float
    intercept: float
    residual: float
    pearson: float


def variant(name: Literal["A", "B"]) -> SparseParitySource:
    """Variant A or B of the published parities."""
    return SparseParitySource(variant=name)


def variant_risks(name: Literal["A", "B"], longest: int) -> Floats:
    """(longest + 1,) exact R(l) of l = 0, 1, ..., nats."""
    return np.asarray(variant(name).conditional_entropies(longest).value)


def recovered_risks() -> dict[int, float]:
    """R(l) of variant B at the lengths of Table 1, from its recovered frequencies; nats."""
    risks = variant_risks("B", max(TABLE_1))
    return {length: float(risks[length]) for length in TABLE_1}


def recovery_error() -> float:
    """Largest distance between a recovered and a published minimum, nats."""
    return max(abs(risk - TABLE_1[length][1]) for length, risk in recovered_risks().items())


def linear_fit(name: Literal["A", "B"], lengths: tuple[int, ...] = tuple(TABLE_1)) -> LinearFit:
    """Assumption A3, h_0 - h_l = k S(l) + b, on a variant: the best line and how far it misses.

    In variant A with tasks of equal frequency and independent parities, k = 1 / (number of tasks) exactly.
    """
    source = variant(name)
    state = np.array([float(source.state_entropy(length).value) for length in lengths])
    shown = np.array([float(source.shown_entropy(length).value) for length in lengths])
    slope, intercept = np.polyfit(state, shown, 1)
    residual = float(np.abs(shown - slope * state - intercept).max() / np.ptp(shown))
    pearson = float(np.corrcoef(state, shown)[0, 1])
    return LinearFit(lengths, state, shown, float(slope), float(intercept), residual, pearson)
