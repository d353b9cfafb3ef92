"""Intervals for h_k from blocks of the stream: its own dependence decides how wide they are.

The windows are cut into blocks of successive ones. Leaving each out in turn (jackknife), or drawing as many blocks with
replacement (bootstrap), gives replicates of every estimate, each made anew from the counts. Both assume stationarity
and blocks much longer than the memory of the source, and both measure the spread alone: an estimate's bias is not in
them. Beyond the trust limit it is bias that decides.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from testbed.core import ConfigError, did_you_mean
from testbed.measures.entropy.counting import GramCounter, GramCounts

Floats = NDArray[np.float64]
Interval = Literal["jackknife", "bootstrap", "none"]

INTERVALS = ("jackknife", "bootstrap", "none")


def standard_errors(
    counter: GramCounter,
    statistic: Callable[[GramCounts], Floats],
    interval: str = "jackknife",
    n_bootstrap: int = 100,
    seed: int = 0,
    advance: Callable[[float], None] | None = None,
) -> Floats:
    """Of a statistic (any shape) of the counts, from the counter's pieces as blocks; nan for interval `none`.

    jackknife    sqrt((B - 1) / B sum (t_b - mean t)^2) over the B estimates without one block (Kuensch 1989, for
                 blocks that do not overlap)
    bootstrap    standard deviation over `n_bootstrap` draws of B blocks with replacement (Carlstein 1986). Grams that
                 would run across the seams are not counted.

    `advance` is called with 1 after every replicate.
    """
    if interval not in INTERVALS:
        raise ConfigError(f"interval: there is no {interval!r}; {did_you_mean(interval, INTERVALS)}")
    n_blocks = len(counter.pieces)
    if interval == "none" or n_blocks < 2:
        return np.full_like(statistic(counter.counts()), np.nan)
    replicates = []
    if interval == "jackknife":
        for counts in counter.counts_without_each():
            replicates.append(statistic(counts))
            if advance is not None:
                advance(1)
        spread = np.asarray(replicates) - np.mean(replicates, axis=0)
        return np.asarray(np.sqrt((n_blocks - 1) / n_blocks * (spread**2).sum(axis=0)))
    generator = np.random.default_rng(seed)
    for _ in range(n_bootstrap):
        drawn = np.bincount(generator.integers(0, n_blocks, n_blocks), minlength=n_blocks)
        replicates.append(statistic(counter.counts_of(drawn)))
        if advance is not None:
            advance(1)
    counter.counts_of(np.ones(n_blocks, dtype=np.int64))  # as it was
    return np.asarray(np.std(replicates, axis=0, ddof=1))


def half_width(n_blocks: int, interval: str, confidence: float) -> float:
    """Standard errors to each side: Student's t with B - 1 degrees of freedom for the jackknife, else the normal."""
    from scipy.stats import norm, t

    level = (1.0 + confidence) / 2.0
    return float(t.ppf(level, n_blocks - 1)) if interval == "jackknife" else float(norm.ppf(level))
