"""From a wanted curve h_l to the lags and noises of independent bits."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from pydantic import Field

from testbed.core import Config, ConfigError
from testbed.sources.bits import LN2, binary_entropy
from testbed.sources.gf2 import MAX_PRIMITIVE_DEGREE, primitive_taps
from testbed.sources.lags.two_point import impulse_response

MAX_COMPONENTS = 16
ROUNDING = 1e-9
"""Nats; differences below this are rounding."""

RETURN_HORIZON = 2**20
"""Recursions of a degree beyond the primitive ones do not return to their start within this many steps."""


class PowerLaw(Config):
    """h_l - h = amplitude (l + 1)^(-exponent) at l = b_j - 1, lags b_j = first_lag 2^j, j = 0 .. n_lags - 1.

    Between those points the curve is flat; from the last lag on it is the rate h. The rate left out: the smallest one
    that n_lags bits reach, tokens uniform.
    """

    exponent: float = Field(gt=0, description="how fast h_l - h falls")
    amplitude: float = Field(gt=0, description="nats; h_l - h at l = 0, if the first lag is 1")
    n_lags: int = Field(ge=1, le=MAX_COMPONENTS, description="number of lags, each twice the one before")
    rate: float | None = Field(None, ge=0, description="entropy rate h, nats per token")
    first_lag: int = Field(1, ge=1, description="the shortest lag")

    @property
    def lags(self) -> list[int]:
        """b_0 < b_1 < ..."""
        return [self.first_lag * 2**j for j in range(self.n_lags)]

    @property
    def drops(self) -> list[float]:
        """How far h_l falls at each lag, nats."""
        excess = [self.amplitude * float(lag) ** -self.exponent for lag in self.lags]
        return [here - following for here, following in zip(excess, [*excess[1:], 0.0], strict=True)]

    @property
    def start(self) -> float:
        """h_0, nats."""
        if self.rate is not None:
            return self.rate + math.fsum(self.drops)
        return LN2 * sum(_n_bits(drop) for drop in self.drops)


@dataclass(frozen=True)
class Staircase:
    """Component j has the lag lags[j], the noise noises[j] and is 1 with probability marginals[j]; lag 0 is an
    independent bit, 1 with probability noises[j]. marginals is None where all bits with a lag are fair."""

    lags: tuple[int, ...]
    noises: tuple[float, ...]
    marginals: tuple[float, ...] | None = None


def design_staircase(wanted: Sequence[float] | PowerLaw, biased: bool = True) -> Staircase:
    """Lags, noises and marginals with  h_n = sum_j (H_2(m_j) [n < b_j] + h_j [n >= b_j])  equal to the curve wanted.

    Bits are fair where the curve starts high enough, at ln 2 for each of them; else they are biased, if they may be:
    with drops d_j they can start anywhere from d_j to ln 2, and all start at one share of that way.

    Raises ConfigError for a curve that increases, naming the index, for one that takes too many bits, and, where bits
    must be fair, for one that starts too low.
    """
    if isinstance(wanted, PowerLaw):
        start, drops = wanted.start, dict(zip(wanted.lags, wanted.drops, strict=True))
    else:
        start, drops = read_profile(wanted)
    steps = [(lag, drop / _n_bits(drop)) for lag, drop in drops.items() for _ in range(_n_bits(drop))]
    spare = start - len(steps) * LN2
    if spare < -ROUNDING and not biased:
        raise ConfigError(
            f"h_profile: out of reach; its drops at lags {sorted(drops)} take {len(steps)} bits, which start at"
            f" {len(steps)} ln 2 = {len(steps) * LN2:.6f} nats, but h_0 is {start:.6f}; raise the curve by at least"
            f" {-spare:.6f}, let it fall at fewer lags, or leave correlation at copy, which may bias the bits"
        )
    n_bits = len(steps) + max(0, math.ceil(spare / LN2 - ROUNDING))
    if not 1 <= n_bits <= MAX_COMPONENTS:
        raise ConfigError(f"h_profile: takes {n_bits} bits a token, must be 1 .. {MAX_COMPONENTS}; h_0 is {start:.6g}")
    lags = [lag for lag, _ in steps]
    if spare < -ROUNDING:
        total = math.fsum(drop for _, drop in steps)
        share = max(0.0, start - total) / (len(steps) * LN2 - total)
        bits = [_biased_bit(drop + share * (LN2 - drop), drop) for _, drop in steps]
        return Staircase(tuple(lags), tuple(noise for noise, _ in bits), tuple(marginal for _, marginal in bits))
    noises = [noise_of_drop(drop) for _, drop in steps]
    while spare > ROUNDING:  # what no lag explains is in independent bits
        lags.append(0)
        noises.append(noise_of_drop(LN2 - spare if spare < LN2 - ROUNDING else 0.0))
        spare -= LN2
    return Staircase(tuple(lags), tuple(noises))


def _biased_bit(start: float, drop: float) -> tuple[float, float]:
    """Noise e and marginal m <= 1/2 of a bit whose entropy falls from `start` = H_2(m) by `drop`; by bisection of e:
    p = 2 e m, q = 2 e (1 - m)  and  (1 - m) H_2(p) + m H_2(q) = start - drop."""
    m = noise_of_drop(LN2 - start)
    low, high = 0.0, 0.5
    for _ in range(60 if start - drop > ROUNDING / 10 else 0):
        middle = (low + high) / 2
        rate = (1 - m) * binary_entropy(2 * middle * m) + m * binary_entropy(2 * middle * (1 - m))
        low, high = (middle, high) if rate < start - drop else (low, middle)
    return low, m


def read_profile(wanted: Sequence[float]) -> tuple[float, dict[int, float]]:
    """h_0, and how far the curve falls at each lag where it does."""
    h = np.asarray(wanted, dtype=np.float64)
    if h.ndim != 1 or h.size == 0 or not np.isfinite(h).all():
        raise ConfigError(f"h_profile: needs h_0, h_1, ... as finite numbers of nats, given {wanted!r}")
    rises = np.flatnonzero(np.diff(h) > ROUNDING)
    if rises.size:
        at = int(rises[0]) + 1
        raise ConfigError(
            f"h_profile: increases at index {at}, from {h[at - 1]:.9g} to {h[at]:.9g}; more context never adds entropy"
        )
    if h[-1] < -ROUNDING:
        raise ConfigError(f"h_profile: ends at {h[-1]:.9g}; no entropy is below 0")
    return float(h[0]), {lag: float(h[lag - 1] - h[lag]) for lag in range(1, h.size) if h[lag - 1] - h[lag] > 1e-12}


def _n_bits(drop: float) -> int:
    return max(1, math.ceil(drop / LN2 - ROUNDING))


def noise_of_drop(drop: float) -> float:
    """e in [0, 1/2] with ln 2 - H_2(e) = drop, nats; by bisection of d = 1/2 - e, accurate for small drops too.

    >>> noise_of_drop(0.0), noise_of_drop(LN2)
    (0.5, 0.0)
    """
    if drop >= LN2:
        return 0.0
    low, high = 0.0, 0.5
    for _ in range(60):
        middle = (low + high) / 2
        gain = sum((1 + x) * math.log1p(x) for x in (2 * middle, -2 * middle) if x > -1) / 2
        low, high = (middle, high) if gain < drop else (low, middle)
    return 0.5 - high


def check_marginal(j: int, lag: int, noise: float, marginal: float, uncorrelated: bool) -> None:
    """Refuse a marginal that component j cannot have: a biased bit is copied but for fresh draws of chance 2 e."""
    if not 0 < marginal < 1:
        raise ValueError(f"marginals: component {j} is given {marginal}, must lie strictly between 0 and 1")
    if marginal == 0.5:
        return
    if lag == 0:
        raise ValueError(f"marginals: component {j} of lag 0 is given {marginal}; its noise is its bias, leave 0.5")
    if uncorrelated:
        raise ValueError(f"marginals: component {j} is given {marginal}; with correlation off bits are fair, give 0.5")
    if 2 * noise * max(marginal, 1 - marginal) > 1:
        raise ValueError(
            f"noises: component {j} of marginal {marginal} is given {noise}, must be at most"
            f" 1 / (2 max(m, 1 - m)) = {0.5 / max(marginal, 1 - marginal):.6g}"
        )


@lru_cache
def uncorrelated_taps(degree: int) -> tuple[int, ...]:
    """Taps of a parity of this degree whose recursion stays away from its start for long.

    Up to degree 32 a primitive polynomial, which returns after 2^degree - 1 steps. Beyond, taps (a, degree) with the
    smallest a for which running it shows no return within 2^20 steps.
    """
    if degree <= MAX_PRIMITIVE_DEGREE:
        return primitive_taps(degree)
    for inner in range(1, degree):
        taps = (inner, degree)
        visited = np.flatnonzero(impulse_response(taps, 2, RETURN_HORIZON + 1))
        if np.diff(visited).max() < degree:
            return taps
    raise ConfigError(f"lags: no two taps of degree {degree} keep their recursion away from its start")


def smallest_uncorrelated_degree(noise: float, horizon: int, tolerance: float) -> int:
    """The smallest degree at which a primitive parity keeps |kappa(m)| <= tolerance for m = 1 .. horizon.

    kappa is 0 but at the multiples j of 2^degree - 1, where it is (1 - 2 noise)^(j 2^(degree - 1)).
    """
    degree = 1
    while 2**degree - 1 <= horizon and abs(1 - 2 * noise) ** (2 ** (degree - 1)) > tolerance:
        degree += 1
    return degree
