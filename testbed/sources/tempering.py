"""Tempering: sharpen or flatten a kernel, p -> p^b / sum p^b, until its chain has a wanted entropy rate."""

from collections.abc import Callable

import numpy as np

from testbed.core import ConfigError
from testbed.sources.dyadic import quantise
from testbed.sources.source import Floats
from testbed.sources.stationary import stationary_law

TOLERANCE = 1e-6  # nats; weights over 2^32 allow no finer promise in general
MAX_DOUBLINGS = 12


def temper(kernel: Floats, inverse_temperature: float) -> Floats:
    """p^b / sum p^b along the last axis, in log space. Zeros stay zero, and nothing else becomes zero."""
    support = kernel > 0
    logs = np.log(kernel, out=np.full(kernel.shape, -np.inf), where=support) * inverse_temperature
    powers = np.exp(logs - logs.max(axis=-1, keepdims=True))
    powers = np.where(support, np.maximum(powers, np.finfo(np.float64).tiny), 0.0)
    return powers / powers.sum(axis=-1, keepdims=True)


def entropy_rate_of(kernel: Floats) -> float:
    """h = -sum_c pi(c) sum_x p(x | c) ln p(x | c) of the quantised kernel, nats per token."""
    rows = quantise(kernel).reshape(-1, kernel.shape[-1]).astype(np.float64) / 2.0**32
    logs = np.log(rows, out=np.zeros_like(rows), where=rows > 0)
    return float(-(stationary_law(rows) @ (rows * logs).sum(axis=1)))


def temper_to_rate(kernel: Floats, entropy_rate: float, rate_of: Callable[[Floats], float] = entropy_rate_of) -> Floats:
    """The tempered kernel whose chain has this entropy rate, to 1e-6 nats.

    `rate_of` gives the entropy rate of a kernel: of a chain's, unless something else has these rows.
    The rate goes from that of the support's uniform law (b -> 0) down to that of the argmax map (b -> infinity). It is
    continuous in b but need not be monotone, so the crossing nearest to b = 1 is bracketed by doubling or halving b.
    Raises ConfigError with the range that can be reached.
    """
    from scipy.optimize import brentq

    def gap(log_b: float) -> float:
        return rate_of(temper(kernel, float(np.exp(log_b)))) - entropy_rate

    near, seen = 0.0, [gap(0.0)]
    if abs(seen[0]) <= TOLERANCE / 100:
        return temper(kernel, 1.0)
    flat = (kernel > 0) / (kernel > 0).sum(axis=-1, keepdims=True)  # the limit b -> 0
    if abs(rate_of(flat) - entropy_rate) <= TOLERANCE:
        return flat
    step = np.log(2.0) * (1.0 if seen[0] > 0 else -1.0)
    for _ in range(MAX_DOUBLINGS):
        far = near + step
        seen.append(gap(far))
        if seen[-1] * seen[0] <= 0:
            log_b = brentq(gap, near, far, xtol=1e-9, rtol=1e-12)
            if abs(gap(log_b)) <= TOLERANCE:
                return temper(kernel, float(np.exp(log_b)))
            break
        near = far
    for doublings, missed in enumerate(seen):
        if abs(missed) <= TOLERANCE:  # as near as the smallest weights let it come, on one side
            return temper(kernel, float(np.exp(doublings * step)))
    lowest = rate_of(temper(kernel, 2.0**MAX_DOUBLINGS))
    highest = rate_of(flat)
    raise ConfigError(
        f"entropy_rate: given {entropy_rate}, but tempering this kernel reaches {lowest:.6f} to {highest:.6f} nats"
    )
