"""The entropy rate from above: what a universal coder needs, and where that seems to be going.

| from                         | assumes                                         | gives                |
|------------------------------|-------------------------------------------------|----------------------|
| `coding_rate`                | stationarity                                    | h <= its expectation |
| its interval                 | and blocks longer than the memory               | an error of the mean |
| `extrapolate`, power         | rates fall as A n^(b-1) + h: an ansatz          | an estimate of h     |
| .., stretched_exponential    | the logarithms of the rates do: another ansatz  | an estimate of h     |

A coder's law q sums to one at every token, so that the expected sum of -ln q over L tokens is H(L tokens) and their
relative entropy, at least L h. That holds for any coder, source and length, but for expectations: one stream's rate can
lie below h by chance, which the interval is for.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from testbed.core import ConfigError, did_you_mean
from testbed.measures.entropy.pieces import integer
from testbed.predictors.back_off import back_off_code_lengths

Floats = NDArray[np.float64]
Coder = Callable[[NDArray[Any], int, int], Floats]
"""Tokens, V and a depth, to the code length of every token in nats."""
Form = Literal["power", "stretched_exponential"]
FORMS = ("power", "stretched_exponential")
GRID = 400


@dataclass(frozen=True)
class CodingRate:
    """Nats a token that a coder needed.

    rate              mean over all tokens: an upper bound on h in expectation
    standard_error    over blocks of successive tokens; `lower` and `upper` are Student's t interval of the mean
    lengths, rates    the rate of the first n tokens for growing n, of which `extrapolate` makes a limit
    """

    rate: float
    standard_error: float
    lower: float
    upper: float
    lengths: NDArray[np.int64]
    rates: Floats


def coding_rate(
    tokens: NDArray[np.integer],
    vocab_size: int,
    depth: int,
    coder: Coder = back_off_code_lengths,
    n_blocks: int = 20,
    confidence: float = 0.95,
    n_lengths: int = 12,
) -> CodingRate:
    """Code a stream (N,) token by token; see the table above for what the numbers are.

    coder       `back_off_code_lengths`, `context_tree_weighting`, or any function of (tokens, V, depth) to code lengths
    n_blocks    of the interval
    n_lengths   prefixes for which rates are given, from 64 tokens to all, in equal ratios

    Raises ConfigError for fewer tokens than blocks, or a confidence outside 0 .. 1.
    """
    from scipy.stats import t

    n_blocks, n_lengths = integer("n_blocks", n_blocks), integer("n_lengths", n_lengths)
    if not 0 < confidence < 1:
        raise ConfigError(f"confidence: given {confidence}, must lie between 0 and 1")
    if n_lengths < 1:
        raise ConfigError(f"n_lengths: given {n_lengths}, must be at least 1")
    if np.ndim(tokens) != 1 or len(tokens) < n_blocks or n_blocks < 2:
        raise ConfigError(f"tokens: need a stream of at least n_blocks = {n_blocks} >= 2, given {np.shape(tokens)}")
    costs = np.asarray(coder(tokens, vocab_size, depth))
    means = np.array([block.mean() for block in np.array_split(costs, n_blocks)])
    error = float(means.std(ddof=1) / np.sqrt(n_blocks))
    rate = float(costs.mean())
    width = float(t.ppf((1 + confidence) / 2, n_blocks - 1)) * error
    first = min(64, len(costs))
    lengths = np.unique(np.geomspace(first, len(costs), n_lengths).round().astype(np.int64))
    return CodingRate(rate, error, rate - width, rate + width, lengths, np.cumsum(costs)[lengths - 1] / lengths)


@dataclass(frozen=True)
class Extrapolation:
    """A limit of rates and the form that it rests on.

    limit           h in nats; of the power form possibly below zero
    amplitude, exponent    A and b
    residual        root mean square of rates - form, nats
    without_one     (least, largest) limit when one of the points is left out: how much it hangs on single ones
    determined      False where b came out at an end of 0 .. 1 or A is not positive: these points do not curve as the
                    form does, and the limit says nothing
    """

    form: str
    limit: float
    amplitude: float
    exponent: float
    residual: float
    without_one: tuple[float, float]
    determined: bool

    def at(self, n: ArrayLike) -> Floats:
        """The form at n."""
        curve = self.amplitude * np.asarray(n, dtype=np.float64) ** (self.exponent - 1.0)
        if self.form == "power":
            return np.asarray(curve + self.limit)
        return np.asarray(np.exp(curve + np.log(self.limit)))


def extrapolate(n: ArrayLike, rates: ArrayLike, form: str = "power") -> Extrapolation:
    """Fit rates r(n) and go to n -> infinity: A n^(b-1) + h, or exp(A n^(b-1) + ln h), 0 < b < 1, by least squares.

    n, rates    (P >= 4,) lengths of text, or block lengths, and nats a token: coding rates, H(n) / n, or h_(n-1). The
                stretched exponential is fitted to ln r. For each b the rest is linear; b itself is scanned.

    The forms are those of Takahira, Tanaka-Ishii & Debowski (2016, Entropy 18, 364; their f_1 and f_3) after Hilberg
    (1990). No theorem has natural language or any process here obey them, unless its block entropies are of that form
    (a Santa Fe source's are); the two disagree where rates still fall, and that is the error to take seriously.

    >>> n = np.geomspace(10, 1e6, 9)
    >>> fitted = extrapolate(n, 2.0 * n**-0.4 + 0.7)
    >>> round(fitted.limit, 4), round(fitted.exponent, 4), fitted.determined
    (0.7, 0.6, True)

    Raises ConfigError for fewer than four different lengths, lengths below 1, numbers that are not finite, or a
    stretched exponential of rates that are not positive.
    """
    if form not in FORMS:
        raise ConfigError(f"form: there is no {form!r}; {did_you_mean(form, FORMS)}")
    x, y = np.asarray(n, dtype=np.float64), np.asarray(rates, dtype=np.float64)
    if x.shape != y.shape or x.ndim != 1 or len(np.unique(x)) < 4:
        raise ConfigError(f"rates: need four different lengths or more, given {x.shape} lengths and {y.shape} rates")
    if not np.all(np.isfinite(x) & (x >= 1) & np.isfinite(y)) or (form != "power" and np.any(y <= 0)):
        positive = "" if form == "power" else "positive "
        raise ConfigError(f"rates: need lengths from 1 on and {positive}rates, given {x.min()} and {y.min()}")
    target = y if form == "power" else np.log(y)
    b, amplitude, level = _fit(x, target)
    others = [_fit(np.delete(x, i), np.delete(target, i))[2] for i in range(len(x))]
    limits = [level, *others] if form == "power" else [float(np.exp(one)) for one in (level, *others)]
    determined = 2.0 / GRID < b < 1.0 - 2.0 / GRID and amplitude > 0
    found = Extrapolation(form, limits[0], amplitude, b, 0.0, (min(limits[1:]), max(limits[1:])), determined)
    residual = float(np.sqrt(np.mean((found.at(x) - y) ** 2)))
    return Extrapolation(form, limits[0], amplitude, b, residual, found.without_one, determined)


def _fit(x: Floats, y: Floats) -> tuple[float, float, float]:
    """(b, A, h) of least squares of A x^(b-1) + h: a scan over b, then a finer one around its best point, and so on."""
    low, high = 0.5 / GRID, 1.0 - 0.5 / GRID
    for _ in range(5):
        b = np.linspace(low, high, GRID)
        curve = x ** (b[:, None] - 1.0)
        spread = curve - curve.mean(axis=1, keepdims=True)
        amplitude = spread @ (y - y.mean()) / (spread**2).sum(axis=1)
        left = y - y.mean() - amplitude[:, None] * spread
        best = int(np.argmin((left**2).sum(axis=1)))
        low, high = b[max(best - 1, 0)], b[min(best + 1, GRID - 1)]
    return float(b[best]), float(amplitude[best]), float(y.mean() - amplitude[best] * curve[best].mean())
