"""Estimates of entropy from counts: N draws, n_i of them in bin i, S bins of which K were met, f_n bins met n times.

All are in nats, read the counts of counts alone, and cost O(number of different counts). None has a bound on its error
that holds for every law; what each is good for is said with it.
"""

import math
import numbers
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from testbed.core import ConfigError, did_you_mean
from testbed.measures.entropy.bayesian import dirichlet_entropy, nsb_mean
from testbed.measures.entropy.fingerprint import Fingerprint

LN2 = math.log(2.0)
LARGEST_CONCENTRATION = 1e100

Estimator = Callable[[Fingerprint, float], float]
"""Counts of counts and S, to nats."""


def entropy_from_counts(
    counts: ArrayLike,
    estimator: str = "nsb",
    alphabet_size: float | None = None,
    concentration: float = 0.5,
) -> float:
    """Entropy in nats of the law behind the counts of bins, by the estimator of this name (see `ESTIMATORS`).

    counts           (n_bins,) non-negative integers, zeros among them or left out
    alphabet_size    S, the bins that could have been met: len(counts) unless given. `james_stein`, `nsb` and `bayes`
                     depend on it, the others do not
    concentration    of the Dirichlet prior of `bayes`, for each bin

    The nan of no estimate comes from no counts at all.

    >>> round(entropy_from_counts([4, 2, 3, 0], "plug_in"), 6)
    1.060857
    >>> round(entropy_from_counts([4, 2, 3, 0], "miller_madow"), 6)  # + (3 - 1) / (2 * 9)
    1.171968

    Raises ConfigError for an unknown name, counts that are no counts, an alphabet smaller than the bins met or not
    finite, or a concentration that is not positive.
    """
    return estimate(Fingerprint.of(counts), estimator, _size(counts, alphabet_size), concentration)


def estimate(
    fingerprint: Fingerprint,
    estimator: str,
    alphabet_size: float,
    concentration: float = 0.5,
    like: Fingerprint | None = None,
) -> float:
    """`entropy_from_counts` of counts of counts; `like`: a sample of about the same, which saves `nsb` a search."""
    if estimator not in ESTIMATORS:
        raise ConfigError(f"estimator: there is no {estimator!r}; {did_you_mean(estimator, list(ESTIMATORS))}")
    if not math.isfinite(alphabet_size):
        raise ConfigError(f"alphabet_size: given {alphabet_size}, must be finite")
    if alphabet_size < fingerprint.n_seen:
        raise ConfigError(f"alphabet_size: given {alphabet_size:g}, but {fingerprint.n_seen:g} bins were met")
    if not 0 < concentration <= LARGEST_CONCENTRATION:
        raise ConfigError(f"concentration: given {concentration}, must be positive and at most {LARGEST_CONCENTRATION}")
    if fingerprint.total == 0:
        return math.nan
    if estimator == "bayes":
        return dirichlet_entropy(fingerprint, alphabet_size, concentration)[0]
    if estimator == "nsb":
        return nsb_mean(fingerprint, alphabet_size, like)
    return ESTIMATORS[estimator](fingerprint, alphabet_size)


def _size(counts: ArrayLike, alphabet_size: float | None) -> float:
    if alphabet_size is None:
        return float(np.size(counts))
    if not isinstance(alphabet_size, numbers.Real):
        raise ConfigError(f"alphabet_size: given {alphabet_size!r}, must be a number")
    return float(alphabet_size)


# ---------------------------------------------------------------------------------------------------- corrected sums
def plug_in(sample: Fingerprint, alphabet_size: float) -> float:
    """-sum (n/N) ln(n/N), the entropy of the frequencies: too low by about (S - 1) / 2N, and by much more below N ~ S.

    Zero on a constant sample.
    """
    n = sample.total
    return _not_below_zero(math.log(n) - float(sample.multiplicities @ (sample.counts * sample.log_counts)) / n)


def miller_madow(sample: Fingerprint, alphabet_size: float) -> float:
    """Plug-in + (K - 1) / 2N: the bias of first order, with the bins met for those there are (Miller 1955).

    Zero on a constant sample.
    """
    return plug_in(sample, alphabet_size) + (sample.n_seen - 1.0) / (2.0 * sample.total)


def grassberger_1988(sample: Fingerprint, alphabet_size: float) -> float:
    """ln N - (1/N) sum [n psi(n) + (-1)^n / (n + 1)]  (Grassberger 1988, Phys. Lett. A 128, 369).

    For a Poisson count of mean z, n psi(n) alone is z ln z + z E1(z) on average, too much by about e^-z (1 - 1/z); the
    alternating term takes that off, and leaves an error of e^-z / z^2. (Printed elsewhere with the term n times larger,
    which leaves e^-z / z.) Not zero on a constant sample.
    """
    n = sample.counts
    terms = n * sample.digamma_counts + (1.0 - 2.0 * (n % 2)) / (n + 1.0)
    return math.log(sample.total) - float(sample.multiplicities @ terms) / sample.total


def grassberger_2003(sample: Fingerprint, alphabet_size: float) -> float:
    """ln N - (1/N) sum n G(n),  G(n) = psi(n) + (-1)^n/2 [psi((n+1)/2) - psi(n/2)]  (Grassberger 2003, eq. 35).

    Computed as G(n) = psi(floor(n/2) + 1/2) + ln 2, to which its recursion G(2k+1) = G(2k), G(2k+2) = G(2k) + 2/(2k+1)
    leads. Not zero on a constant sample.
    """
    from scipy.special import digamma

    g = digamma(np.floor(sample.counts / 2.0) + 0.5) + LN2
    return math.log(sample.total) - float(sample.multiplicities @ (sample.counts * g)) / sample.total


def zhang(sample: Fingerprint, alphabet_size: float) -> float:
    """sum_(v=1)^(N-1) Z_v / v with Z_v the unbiased estimate of sum p (1 - p)^v  (Zhang 2012, Neural Computation 24).

    Equal to sum (n/N) [psi(N) - psi(n)] (Schuermann 2015, Neural Computation 27, 2097); its bias is what the terms from
    v = N on would add, and it is never above the truth on average. Zero on a constant sample.
    """
    from scipy.special import digamma

    weighted = float(sample.multiplicities @ (sample.counts * sample.digamma_counts)) / sample.total
    return _not_below_zero(float(digamma(sample.total)) - weighted)


# ------------------------------------------------------------------------------------------------------ unseen bins
def chao_shen(sample: Fingerprint, alphabet_size: float) -> float:
    """-sum q ln q / (1 - (1 - q)^N) with q = C n/N and the coverage C = 1 - f_1 / N  (Chao & Shen 2003).

    Where all bins were met once, f_1 = N - 1 stands for it, as in the authors' programs. Zero on a constant sample of
    two draws or more.
    """
    n = sample.total
    alone = sample.number_of(1)
    coverage = 1.0 - (alone if alone < n else n - 1.0) / n
    q = coverage * sample.counts / n
    with np.errstate(divide="ignore"):
        met = -np.expm1(n * np.log1p(-q))
    return _not_below_zero(-float(sample.multiplicities @ (q * np.log(q) / met)))


def chao_wang_jost(sample: Fingerprint, alphabet_size: float) -> float:
    """Zhang's sum, and for its missing terms those of a law whose unseen bins are like the rarest seen ones.

    H = sum (n/N) [psi(N) - psi(n)] + (f_1/N) (1 - A)^(1-N) sum_(r >= N) (1 - A)^r / r,  with
    A = 2 f_2 / ((N - 1) f_1 + 2 f_2), or 2 / ((N - 1) (f_1 - 1) + 2) where f_2 = 0  (Chao, Wang & Jost 2013).
    Zero on a constant sample of two draws or more; for a single draw the sum has no value, and this is nan.
    """
    n = sample.total
    once, twice = sample.number_of(1), sample.number_of(2)
    seen = zhang(sample, alphabet_size)
    if once == 0:
        return seen
    if n == 1:
        return math.nan
    missing = 2.0 * twice / ((n - 1.0) * once + 2.0 * twice) if twice else 2.0 / ((n - 1.0) * (once - 1.0) + 2.0)
    if missing >= 1.0:  # nothing is left for the terms beyond N
        return seen
    return seen + once / n * geometric_tail(missing, n)


def geometric_tail(missing: float, n: float) -> float:
    """sum_(j >= 0) x^(j+1) / (N + j) for x = 1 - missing: the first terms, then Euler and Maclaurin's formula.

    The integral in it is e^(aM) E1(aM) with a = -ln x and M = N + terms summed, and derivatives beyond the third of
    x^j / (M + j) are far below the last digit once M > 64 or a > 1.
    """
    a = -math.log1p(-missing)
    j = np.arange(64.0)
    first = float(np.sum(np.exp(-a * (j + 1.0)) / (n + j)))
    if 64.0 * a > 40.0:
        return first
    m = n + 64.0
    slope = -(a + 1.0 / m) / m
    third = -(a**3 + 3.0 * a**2 / m + 6.0 * a / m**2 + 6.0 / m**3) / m
    rest = _scaled_exponential_integral(a * m) + 0.5 / m - slope / 12.0 + third / 720.0
    return first + math.exp(-65.0 * a) * rest


def _scaled_exponential_integral(x: float) -> float:
    """e^x E1(x); by the continued fraction where e^x would overflow."""
    from scipy.special import exp1

    if x < 50.0:
        return math.exp(x) * float(exp1(x))
    fraction = 0.0
    for k in range(20, 0, -1):
        fraction = k / (1.0 + k / (x + fraction))
    return 1.0 / (x + fraction)


def james_stein(sample: Fingerprint, alphabet_size: float) -> float:
    """Plug-in of frequencies shrunk to the uniform law:  lambda / S + (1 - lambda) n / N  (Hausser & Strimmer 2009).

    lambda = (1 - sum (n/N)^2) / ((N - 1) sum (1/S - n/N)^2), within 0 .. 1. Zero on a constant sample of two draws or
    more; ln S where every bin was met equally often.
    """
    n, size = sample.total, alphabet_size
    p = sample.counts / n
    unseen = size - sample.n_seen
    distance = float(sample.multiplicities @ (p - 1.0 / size) ** 2) + unseen / size**2
    spread = 1.0 - float(sample.multiplicities @ p**2)
    shrunk = 1.0 if spread >= (n - 1.0) * distance else max(0.0, spread / ((n - 1.0) * distance))
    q = shrunk / size + (1.0 - shrunk) * p
    rest = shrunk / size
    entropy = -float(sample.multiplicities @ (q * np.log(q))) - (unseen * rest * math.log(rest) if rest > 0 else 0.0)
    return _not_below_zero(entropy)


def nsb(sample: Fingerprint, alphabet_size: float) -> float:
    """The posterior mean under a prior nearly flat in the entropy (Nemenman, Shafee & Bialek 2002); `nsb_entropy`."""
    return nsb_mean(sample, alphabet_size)


def bayes(sample: Fingerprint, alphabet_size: float) -> float:
    """The posterior mean under a Dirichlet(1/2) prior (Wolpert & Wolf 1995); `dirichlet_entropy` has any other."""
    return dirichlet_entropy(sample, alphabet_size, 0.5)[0]


def _not_below_zero(entropy: float) -> float:
    """Zero instead of rounding errors below it."""
    return max(0.0, entropy)  # in this order, -0.0 becomes 0.0


ESTIMATORS: dict[str, Estimator] = {
    one.__name__: one
    for one in (
        plug_in,
        miller_madow,
        grassberger_1988,
        grassberger_2003,
        chao_shen,
        chao_wang_jost,
        james_stein,
        zhang,
        nsb,
        bayes,
    )
}
"""The estimators by name."""
