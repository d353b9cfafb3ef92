"""Two-point correlations of chains, exactly, by advancing the law of their contexts.

For a stationary stream whose tokens have the law p,

    kappa(m) = (P(x_t = x_(t-m)) - sum p^2) / (1 - sum p^2),

1 for copies, 0 for independent tokens; for fair bits s = +-1 it is E[s_t s_(t-m)].
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from testbed.core import ConfigError, ResourceError, Truth, UndefinedError
from testbed.sources.randomness import in_range
from testbed.sources.stationary import Floats, advance

MAX_CHAIN_LAG = 2**14
"""The longest lag through which a chain is advanced."""

MAX_WORK = 2**34
"""Multiplications that correlations of a chain may take."""


def check_lags(lags: int | Sequence[int], largest: int) -> NDArray[np.int64]:
    """Lags as an array of the shape given, each 0 .. largest. Raises ConfigError, or ResourceError for longer ones."""
    array = np.asarray(lags)
    if array.dtype.kind not in "ui" and array.size:
        raise ConfigError(f"lags: given {lags!r}, must be integers")
    for lag in array.ravel():
        in_range("lags", int(lag), 2**63 - 1)
    if array.size and int(array.max()) > largest:
        raise ResourceError(f"lags: given {array.max()}; two-point correlations are computed up to lag {largest}")
    return array.astype(np.int64)


def chain_correlations(rows: Floats, law: Floats, lags: int | Sequence[int]) -> Truth:
    """kappa at these lags of an order-k chain, exact; rows (V^k, V) p(x | c), law (V^k,) its stationary law.

    For each symbol a, the law of the contexts that end in a is advanced. Raises UndefinedError where one symbol has
    probability one, ResourceError for more than 2^34 multiplications.
    """
    wanted = check_lags(lags, MAX_CHAIN_LAG)
    n_contexts, vocab_size = rows.shape
    symbols = law @ rows
    same = float(symbols @ symbols)
    if symbols.max() >= 1.0 or same >= 1.0:
        raise UndefinedError("the two-point correlation of a constant stream is 0 / 0")
    longest = int(wanted.max(initial=0))
    if n_contexts > 1 and longest * rows.size * vocab_size > MAX_WORK:
        raise ResourceError(
            f"lags: {longest} steps for each of {vocab_size} symbols through {n_contexts} contexts are more than"
            f" {MAX_WORK} multiplications; give shorter lags"
        )
    matches = np.full(longest + 1, same)
    matches[0] = 1.0
    if n_contexts == vocab_size:  # order 1: all symbols at once
        joint = np.diag(law)
        for lag in range(1, longest + 1):
            joint = joint @ rows
            matches[lag] = np.trace(joint)
    elif n_contexts > 1:
        matches[1:] = 0.0
        last = np.arange(n_contexts) % vocab_size
        for symbol in range(vocab_size):
            ahead = np.where(last == symbol, law, 0.0)
            for lag in range(1, longest + 1):
                ahead = advance(ahead, rows)
                matches[lag] += ahead[last == symbol].sum()
    return Truth.exact((matches[wanted] - same) / (1.0 - same))
