"""The probability gap from samples: what can be told of G_m (`testbed.measures.probability_gap`), and what cannot.

The plug-in test of "the gap grows with the context" is vacuous: the empirical law is itself a law, so that on one fixed
set of positions its gap never falls, for any data at all. A rising curve is no evidence; compare with `plug_in_noise`,
or read the bracket of plug-in and split-sample estimates.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from testbed.core import ConfigError, UndefinedError
from testbed.measures.probability_gap import Floats, check_size


@dataclass(frozen=True, eq=False)
class SampledGap:
    """Estimates of G_m, m = 0 .. M, from N positions (the same ones for every m).

    plug_in    of the empirical law: never falls with m, whatever the data, i.i.d. noise included (the empirical law is
               a law); biased up
    split      likeliest and least likely symbol found on one half of the sequences, their frequencies read on the
               other, averaged over both ways; biased down where the choice is wrong, and contexts not seen on the first
               half count 0. The two bracket G_m in expectation
    shrunk     plug-in with each context's law shrunk towards that of the context without its oldest token, by a
               Dirichlet prior of strength V
    noise      what the plug-in would be, on average, were the tokens uniform and independent (`plug_in_noise`)
    bootstrap  (B, M + 1) plug-in gaps of resampled sequences (they keep windows that overlap together)
    n          N
    """

    plug_in: Floats
    split: Floats
    shrunk: Floats
    noise: Floats
    bootstrap: Floats
    n: int

    @property
    def bias_corrected(self) -> Floats:
        """2 plug-in - mean of the bootstrap; poor where the likeliest symbol is nearly tied: report the bracket."""
        if not len(self.bootstrap):
            raise UndefinedError("bias_corrected: needs resamples > 0")
        return 2 * self.plug_in - self.bootstrap.mean(axis=0)

    def interval(self, level: float = 0.95) -> Floats:
        """(2, M + 1): the bootstrap's basic interval around the plug-in, which inherits the plug-in's bias."""
        if not len(self.bootstrap) or not 0 < level < 1:
            raise UndefinedError(f"interval: needs resamples > 0 and a level in 0 .. 1, given {level}")
        tails = np.quantile(self.bootstrap, [(1 + level) / 2, (1 - level) / 2], axis=0)
        return 2 * self.plug_in - tails


def sampled_gap(
    tokens: NDArray[np.integer[Any]], vocab_size: int, max_context: int, *, resamples: int = 0, seed: int = 0
) -> SampledGap:
    """Estimates from sequences (N, L): every position with max_context tokens before it counts once, for every m.

    resamples  bootstrap samples of whole sequences, of which there should then be many

    Raises ConfigError for tokens out of range or sequences too short, ResourceError where V^(M + 1) is over 2^24.
    """
    read = np.asarray(tokens)
    numbers = (("vocab_size", vocab_size, 2), ("max_context", max_context, 0), ("resamples", resamples, 0))
    for name, value, least in numbers:
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
            raise ConfigError(f"{name}: given {value!r}, must be a whole number, at least {least}")
    vocab_size, max_context = int(vocab_size), int(max_context)
    check_size(vocab_size, max_context)
    if read.ndim != 2 or read.dtype.kind not in "ui" or read.shape[1] <= max_context or len(read) < 2:
        raise ConfigError(
            f"tokens: need integers (N, L) with N >= 2 and L > max_context = {max_context}, given {read.dtype} of"
            f" shape {read.shape}"
        )
    if read.min() < 0 or read.max() >= vocab_size:
        raise ConfigError(f"tokens: given {read.min()} .. {read.max()}, must lie in 0 .. {vocab_size - 1}")
    read = read.astype(np.int64)  # unsigned 64-bit ones would make it a float
    stretches = np.zeros((len(read), read.shape[1] - max_context), dtype=np.int64)
    for place in range(max_context + 1):
        stretches = stretches * vocab_size + read[:, place : place + stretches.shape[1]]

    def counts(rows: NDArray[np.int64] | slice) -> list[Floats]:
        """Counts (V^m, V) for m = 0 .. M."""
        tables = [np.bincount(stretches[rows].reshape(-1), minlength=vocab_size ** (max_context + 1)).astype(float)]
        for _ in range(max_context):
            tables.append(tables[-1].reshape(vocab_size, -1).sum(axis=0))
        return [table.reshape(-1, vocab_size) for table in tables[::-1]]

    whole = counts(slice(None))
    halves = counts(slice(0, None, 2)), counts(slice(1, None, 2))
    rng = np.random.default_rng(seed)
    resampled = [_plug_in(counts(rng.integers(len(read), size=len(read)))) for _ in range(resamples)]
    return SampledGap(
        plug_in=_plug_in(whole),
        split=(_split(*halves) + _split(*halves[::-1])) / 2,
        shrunk=_shrunk(whole),
        noise=np.asarray(plug_in_noise(vocab_size, np.arange(max_context + 1), stretches.size)),
        bootstrap=np.array(resampled).reshape(resamples, max_context + 1),
        n=stretches.size,
    )


def _plug_in(counts: list[Floats]) -> Floats:
    return np.array([(table.max(axis=1) - table.min(axis=1)).sum() / table.sum() for table in counts])


def _split(chosen_on: list[Floats], read_on: list[Floats]) -> Floats:
    """Choose the extreme symbols on one half, read their frequencies on the other."""
    found = []
    for choice, table in zip(chosen_on, read_on, strict=True):
        rows = np.arange(len(table))
        found.append((table[rows, choice.argmax(axis=1)] - table[rows, choice.argmin(axis=1)]).sum() / table.sum())
    return np.array(found)


def _shrunk(counts: list[Floats]) -> Floats:
    vocab_size = counts[0].shape[1]
    law = np.full((1, vocab_size), 1.0 / vocab_size)
    found = []
    for m, table in enumerate(counts):
        prior = law if m == 0 else np.tile(law, (vocab_size, 1))
        weights = table.sum(axis=1, keepdims=True)
        law = (table + vocab_size * prior) / (weights + vocab_size)
        found.append(float(weights[:, 0] @ (law.max(axis=1) - law.min(axis=1))) / table.sum())
    return np.array(found)


def plug_in_noise(vocab_size: int, context_length: NDArray[np.int64] | int, n: int) -> Floats | float:
    """The plug-in gap of N uniform independent tokens, where the true gap is 0, to leading order:

        d_2(V) sqrt(V^(m - 1) / N)

    with d_2 the mean range of V independent standard normals: a count's frequency has standard deviation close to
    sqrt(V^m / (V N)), and the common part of a context's V frequencies drops out of their range. Good while V^(m + 1)
    is well below N. To tell a gap of delta from noise takes N >= d_2^2 V^(m - 1) / delta^2.

    >>> plug_in_noise(4, np.arange(3), 10_000).round(4).tolist()
    [0.0103, 0.0206, 0.0412]
    """
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
        raise ConfigError(f"n: given {n!r}, must be a whole number, at least 1")
    lengths = np.asarray(context_length, dtype=np.float64)
    found = mean_normal_range(vocab_size) * np.sqrt(vocab_size ** (lengths - 1) / n)
    return float(found) if found.ndim == 0 else found


def mean_normal_range(n: int) -> float:
    """d_2: the mean of largest less smallest of n independent standard normals,

        integral of 1 - F(x)^n - (1 - F(x))^n dx      (Tippett 1925)

    >>> [round(mean_normal_range(n), 3) for n in (2, 3, 4)]
    [1.128, 1.693, 2.059]
    """
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
        raise ConfigError(f"n: given {n!r}, must be a whole number, at least 1")
    x = np.linspace(-10.0, 10.0, 4001)
    below = np.array([0.5 * math.erfc(-value / math.sqrt(2.0)) for value in x])
    return float(np.trapezoid(1.0 - below**n - (1.0 - below) ** n, x))
