"""Two-point correlations of linear recursions over Z_V, exactly, by characters.

For the definition of kappa see `testbed.sources.correlations`; for fair bits s = +-1 it is E[s_t s_(t-m)].
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from testbed.core import Truth
from testbed.sources.correlations import check_lags
from testbed.sources.source import Floats, token_dtype

MAX_LAG = 2**22
"""The longest lag for which a recursion is run through."""


@dataclass(frozen=True)
class Return:
    """The multiples k, all with one gcd(k, V), for which k (1 - D^period) is divisible by P over Z_V: the first such
    period, and for each k the mean of its character over the noise in between."""

    period: int
    amplitudes: NDArray[np.complex128]


def impulse_response(taps: Sequence[int], vocab_size: int, length: int) -> NDArray[np.unsignedinteger]:
    """(length,): the power series 1 / P(D) over Z_V, P(D) = 1 - sum over taps of D^a: 1, then each term the sum of
    those `taps` before it."""
    if vocab_size == 2:
        return _binary_response(taps, length)
    from testbed.sources._kernels.lags import run_recursion

    longest = max(taps)
    series = np.zeros((1, longest + length), dtype=token_dtype(vocab_size))
    series[0, longest : longest + 1] = 1
    run_recursion(series, np.asarray(taps, dtype=np.int64), vocab_size, longest)
    return series[0, longest:]


def _binary_response(taps: Sequence[int], length: int) -> NDArray[np.uint8]:
    """1 / P over GF(2) by doubling, without a compiler: if Q P = 1 mod D^k, then Q^2 P is 1 / P mod D^(2k)."""
    series = np.ones(1, dtype=np.uint8)
    while len(series) < length:
        square = np.zeros(2 * len(series), dtype=np.uint8)
        square[::2] = series  # (sum q_i D^i)^2 = sum q_i D^(2i)
        series = square.copy()
        for tap in taps:
            series[tap:] ^= square[: max(0, len(square) - tap)]
    return series[:length]


def first_returns(taps: Sequence[int], noise: Floats, horizon: int) -> list[Return]:
    """What correlates tokens up to `horizon` apart, for x_t = sum over taps of x_(t-a) + noise (mod V).

    The character exp(2 pi i k (x_t - x_(t-m)) / V) is k (1 - D^m) applied to the stream. Division by P replaces the
    latest token by its noise and its taps, again and again:  k (1 - D^m) = Q(D) P(D) + remainder, the remainder on the
    b earliest of the tokens reached. Those are uniform and independent, so the mean is zero unless the remainder is;
    then it is the product of phi(Q_s) over the noises n_(t-s), phi(j) = E exp(2 pi i j n / V). Q begins like the power
    series k / P, and the remainder vanishes if b - 1 zeros and a k follow at m: the recursion is back where it began.
    That happens at the multiples of a first m, the same for all k of one gcd(k, V).

    Over GF(2):  kappa(m) = (1 - 2 e)^weight(Q)  where 1 + D^m = Q(D) P(D), else 0.
    """
    vocab_size, longest = len(noise), max(taps)
    series = impulse_response(taps, vocab_size, horizon + 1)
    phi = np.fft.fft(noise)
    returns = []
    for divisor in (d for d in range(2, vocab_size + 1) if vocab_size % d == 0):
        reduced = series % divisor
        visited = np.flatnonzero(reduced)
        back = (np.diff(visited) >= longest) & (reduced[visited[1:]] == 1)
        if not back.any():
            continue
        period = int(visited[1:][back][0])
        counts = np.bincount(series[: period - longest + 1], minlength=vocab_size)
        steps = np.flatnonzero(counts)
        multiples = [k for k in range(1, vocab_size) if vocab_size // math.gcd(k, vocab_size) == divisor]
        amplitudes = [_power_product(phi[k * steps % vocab_size], counts[steps]) for k in multiples]
        returns.append(Return(period, np.array(amplitudes)))
    return returns


def _power_product(values: NDArray[np.complex128], counts: NDArray[np.int64]) -> complex:
    if not np.any(values.imag):  # bits: real powers keep their sign and their last digit
        return complex(np.prod(values.real**counts))
    return complex(np.prod(values**counts))


def recursion_two_point(taps: Sequence[int], noise: Floats, lags: int | Sequence[int]) -> Truth:
    """kappa at these lags, exact, for x_t = sum over taps of x_(t-a) + noise (mod V) from a uniform start."""
    wanted = check_lags(lags, MAX_LAG)
    kappa = np.zeros(wanted.shape)
    for one in first_returns(taps, noise, int(wanted.max(initial=0))):
        times, rest = np.divmod(wanted, one.period)
        powers = (one.amplitudes[:, None] ** times.reshape(1, -1)).sum(axis=0).real.reshape(wanted.shape)
        kappa = kappa + np.where(rest == 0, powers, 0.0) / (len(noise) - 1)
    return Truth.exact(np.where(wanted == 0, 1.0, kappa))


def recursion_certificate(taps: Sequence[int], noise: Floats, horizon: int) -> float:
    """max |kappa(m)| over m = 1 .. horizon, exact."""
    horizon = int(check_lags(horizon, MAX_LAG))
    periods = [one.period for one in first_returns(taps, noise, horizon)]
    # between and beyond first returns kappa is a sum of powers of the amplitudes: it is read off at every multiple
    lags = sorted({m for period in periods for m in range(period, horizon + 1, period)})
    if not lags:
        return 0.0
    return float(np.abs(np.asarray(recursion_two_point(taps, noise, lags).value)).max())
