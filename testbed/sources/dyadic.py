"""Laws on a dyadic grid: probabilities become integer weights once, and what is sampled is what is analysed.

A finite law is kept as integers over 2^32 (transitions) or 2^64 (the initial state). Every truth is computed from these
integers and the alias tables hold them exactly, so no rounding stands between a source's entropies and its tokens.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from testbed.core.errors import ConfigError

TOTAL_BITS = 32
ROW_SUM_TOLERANCE = 1e-6
CERTAIN_64 = np.uint64(2**64 - 1)
_CHUNK = 2**20  # entries quantised at a time, which bounds the scratch memory


def check_rows(probabilities: ArrayLike, name: str) -> NDArray[np.float64]:
    """Return `probabilities` (..., V) as float64 if every row is a law; else raise.

    Raises ConfigError, naming the parameter `name` and the first row at fault, for NaN, infinite or negative entries
    and for rows whose sum differs from one by more than 1e-6.
    """
    array = np.asarray(probabilities, dtype=np.float64)
    if array.ndim == 0 or array.shape[-1] == 0:
        raise ConfigError(f"{name}: needs at least one probability a row, got an array of shape {array.shape}")
    for problem, bad in (("is not finite", ~np.isfinite(array)), ("is negative", array < 0)):
        if bad.any():
            place = tuple(int(i) for i in np.argwhere(bad)[0])
            raise ConfigError(f"{name}: entry {list(place)} is {array[place]}, which {problem}; probabilities are >= 0")
    sums = array.sum(axis=-1)
    wrong = np.abs(sums - 1) > ROW_SUM_TOLERANCE
    if wrong.any():
        row = tuple(int(i) for i in np.argwhere(wrong)[0])
        where = f"row {list(row)}" if row else "the law"
        raise ConfigError(
            f"{name}: {where} sums to {sums[row]:.9g}; every row must sum to 1 (within {ROW_SUM_TOLERANCE:g})"
        )
    return array


def quantise(probabilities: ArrayLike, *, total_bits: int = TOTAL_BITS) -> NDArray[np.int64]:
    """Integer weights (..., V) over 2^total_bits for the laws `probabilities` (..., V); every row's sum is exact.

    Weights are p 2^total_bits rounded down, but at least 1 where p > 0 and 0 where p = 0. What is missing goes, one
    each, to the largest remainders; what the forced ones take too much comes off the largest weights. Ties go to the
    lower index.

    >>> quantise([0.5, 0.3, 0.2], total_bits=4)
    array([8, 5, 3])
    >>> quantise([1.0 - 1e-30, 1e-30, 0.0])
    array([4294967295,          1,          0])

    Raises ConfigError for rows that are no laws, or with more than 2^total_bits outcomes.
    """
    if not 1 <= total_bits <= 52:
        raise ConfigError(f"total_bits: must be 1 .. 52 (exact in float64), got {total_bits}")
    array = check_rows(probabilities, "probabilities")
    rows = array.reshape(-1, array.shape[-1])
    if np.count_nonzero(rows, axis=-1).max(initial=0) > 2**total_bits:
        raise ConfigError(f"probabilities: a row has more than 2^{total_bits} outcomes of positive probability")
    weights = np.empty(rows.shape, dtype=np.int64)
    step = max(1, _CHUNK // rows.shape[-1])
    for first in range(0, len(rows), step):
        weights[first : first + step] = _quantise_rows(rows[first : first + step], 2**total_bits)
    return weights.reshape(array.shape)


def _quantise_rows(rows: NDArray[np.float64], total: int) -> NDArray[np.int64]:
    scaled = rows / rows.sum(axis=-1, keepdims=True) * total
    possible = rows > 0
    weights = np.maximum(np.floor(scaled).astype(np.int64), possible)
    missing = total - weights.sum(axis=-1, keepdims=True)
    remainders = np.where(possible, scaled - weights, -np.inf)
    weights += _rank_descending(remainders) < missing
    for row in np.flatnonzero(missing < 0):
        _take_back(weights[row], -int(missing[row, 0]))
    return weights


def _rank_descending(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Rank of every entry within its row, 0 for the largest; ties in the order of their index."""
    order = np.argsort(-values, axis=-1, kind="stable")
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(values.shape[-1])[np.newaxis], axis=-1)
    return ranks


def _take_back(weights: NDArray[np.int64], excess: int) -> None:
    """Lower one row of weights by `excess` in all, from the largest down, leaving at least 1 of each."""
    order = np.argsort(-weights, kind="stable")
    room = np.maximum(weights[order] - 1, 0)
    weights[order] -= np.clip(excess - (np.cumsum(room) - room), 0, room)


def quantise64(probabilities: ArrayLike) -> NDArray[np.uint64]:
    """uint64 weights (n,) over 2^64 for one law (n,), to draw by inverse CDF; the sum is 2^64 (0 in uint64).

    Weights are p 2^64 rounded, but at least 1 where p > 0 and 0 where p = 0; the largest takes what is left over, some
    thousand units, since float64 itself resolves no more than 2^-53. Convention: a law with one outcome of positive
    probability has the weight 2^64 - 1 there, since 2^64 doesn't fit. The sampler reads a single positive weight as
    certainty, and weights / 2^64 in float64 is 1.0.

    >>> quantise64([0.5, 0.5, 0.0]).tolist()
    [9223372036854775808, 9223372036854775808, 0]

    Raises ConfigError where `probabilities` is no law.
    """
    law = check_rows(probabilities, "initial probabilities")
    if law.ndim != 1:
        raise ConfigError(f"initial probabilities: must be one law of shape (n,), got shape {law.shape}")
    possible = law > 0
    if np.count_nonzero(possible) == 1:
        return np.where(possible, CERTAIN_64, np.uint64(0))
    share = np.minimum(law / law.sum(), np.nextafter(1.0, 0.0))  # 2^64 itself would overflow
    weights = np.maximum(np.rint(np.ldexp(share, 64)).astype(np.uint64), possible.astype(np.uint64))
    # uint64 wraps around at 2^64: this adds 2^64 - sum, be it positive or negative.
    largest = slice(np.argmax(weights), np.argmax(weights) + 1)
    weights[largest] -= weights.sum(dtype=np.uint64)
    return weights
