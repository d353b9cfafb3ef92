"""How often intervals for h_k hold the truth, measured on a source whose truth is known."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from testbed.core import ConfigError
from testbed.measures.entropy.profile import entropy_profiles
from testbed.sources.source import Source

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class IntervalCoverage:
    """Of one estimator on draws of one source; arrays are (max_order + 1,), in nats where they have a unit.

    held             share of draws whose interval held h_k
    held_lower, held_upper    exact binomial 99 % interval of that probability
    bias             mean of estimate - h_k
    spread           standard deviation of the estimates over draws
    claimed          root mean square of the standard errors that the intervals rest on; spread / claimed near 1 means
                     that these are right, whatever the bias does to `held`
    trust_limit      the median over draws
    """

    estimator: str
    n_draws: int
    held: Floats
    held_lower: Floats
    held_upper: Floats
    bias: Floats
    spread: Floats
    claimed: Floats
    trust_limit: int


def measure_coverage(
    source: Source,
    length: int,
    max_order: int,
    estimators: Sequence[str],
    n_draws: int = 100,
    interval: str = "jackknife",
    n_blocks: int = 20,
    confidence: float = 0.95,
    n_bootstrap: int = 100,
    seed: int = 0,
) -> list[IntervalCoverage]:
    """Draw `n_draws` streams of `length` tokens, estimate h_0 .. h_max of each, and count the intervals that hold.

    The source must be ergodic and give exact h_k; else ConfigError.
    """
    truth = source.conditional_entropies(max_order)
    if truth.kind != "exact" or not source.ergodic:
        what = "is not ergodic" if not source.ergodic else f"gives h_k of kind {truth.kind}"
        raise ConfigError(f"source: {source.type_name} {what}; need exact h_k of an ergodic source")
    h = np.asarray(truth.value)
    drawn = [
        entropy_profiles(
            source.sample(1, length, seed=seed, first_sequence=i)[0],
            max_order,
            estimators,
            source.vocab_size,
            interval,
            n_blocks,
            confidence,
            n_bootstrap,
            seed=seed + i,
        )
        for i in range(n_draws)
    ]
    results = []
    for i, name in enumerate(estimators):
        profiles = [one[i] for one in drawn]
        values = np.array([one.values for one in profiles])
        holds = np.array([(one.lower <= h) & (h <= one.upper) for one in profiles]).sum(axis=0)
        results.append(
            IntervalCoverage(
                name,
                n_draws,
                holds / n_draws,
                *binomial_interval(holds, n_draws, 0.99),
                values.mean(axis=0) - h,
                values.std(axis=0, ddof=1),
                np.sqrt(np.mean([one.standard_error**2 for one in profiles], axis=0)),
                int(np.median([one.trust_limit for one in profiles])),
            )
        )
    return results


def binomial_interval(successes: NDArray[np.integer], n: int, confidence: float) -> tuple[Floats, Floats]:
    """Exact (Clopper & Pearson 1934) bounds of a probability of which `successes` of n are known.

    >>> [float(bound.round(4)) for bound in binomial_interval(np.array(0), 10, 0.95)]
    [0.0, 0.3085]
    """
    from scipy.stats import beta

    k = np.asarray(successes, dtype=np.float64)
    tail = (1.0 - confidence) / 2.0
    with np.errstate(invalid="ignore"):
        lower = np.where(k > 0, beta.ppf(tail, k, n - k + 1), 0.0)
        upper = np.where(k < n, beta.ppf(1.0 - tail, k + 1, n - k), 1.0)
    return lower, upper
