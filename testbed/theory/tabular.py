"""What a table of counts pays for context, and the context length it should choose."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from testbed.core import ConfigError

Floats = NDArray[np.float64]

TRUSTED_COUNT = 10
"""The leading-order excess is trusted where D >= 10 V^(l+1): ten targets for each number in the table."""


def kt_excess(context_length: ArrayLike, vocab_size: int, n_tokens: ArrayLike) -> Floats | float:
    """Expected excess of the order-l table learner (add one half) on D targets, to leading order, in nats:

        V^l (V - 1) / (2 D)

    half a nat per free parameter and target (Rissanen 1986; intrinsic to any regular V^l (V - 1)-parameter family).
    Good to a few per cent where D >= 10 V^(l+1) (`kt_excess_is_trusted`); far below that it overstates: the true excess
    of add-one-half is bounded, the formula is not.

    >>> kt_excess(2, 3, 9000)
    0.001
    """
    lengths, sizes = np.asarray(context_length, dtype=np.float64), np.asarray(n_tokens, dtype=np.float64)
    if vocab_size < 2 or np.any(lengths < 0) or np.any(sizes <= 0):
        raise ConfigError(
            "kt_excess needs context_length >= 0, vocab_size >= 2 and n_tokens > 0, given"
            f" {context_length!r}, {vocab_size}, {n_tokens!r}"
        )
    excess = vocab_size**lengths * (vocab_size - 1) / (2.0 * sizes)
    return float(excess) if excess.ndim == 0 else excess


def kt_excess_is_trusted(context_length: ArrayLike, vocab_size: int, n_tokens: ArrayLike) -> NDArray[np.bool_]:
    """Where the leading order may be drawn solid: D >= 10 V^(l+1)."""
    lengths = np.asarray(context_length, dtype=np.float64)
    return np.asarray(n_tokens) >= TRUSTED_COUNT * vocab_size ** (lengths + 1)


def tabular_change_points(conditional_entropies: ArrayLike, vocab_size: int) -> Floats:
    """(m,): dataset sizes D_l at which the table of order l + 1 overtakes that of order l, from h_0 .. h_m:

        D_l = V^l (V - 1)^2 / (2 (h_l - h_(l+1)))

    infinite where the extra token carries nothing. From  h_l + V^l (V - 1) / (2 D) = h_(l+1) + V^(l+1) (V - 1) / (2 D).
    """
    h = np.asarray(conditional_entropies, dtype=np.float64)
    lengths = np.arange(len(h) - 1)
    with np.errstate(divide="ignore"):
        return vocab_size**lengths * (vocab_size - 1) ** 2 / (2.0 * np.maximum(-np.diff(h), 0.0))


def tabular_optimal_context(
    conditional_entropies: ArrayLike, vocab_size: int, n_tokens: ArrayLike
) -> NDArray[np.int64]:
    """The l that minimises h_l + V^l (V - 1) / (2 D), the smallest where several do; one for each D."""
    h = np.asarray(conditional_entropies, dtype=np.float64)
    sizes = np.atleast_1d(np.asarray(n_tokens, dtype=np.float64))
    loss = h + kt_excess(np.arange(len(h)), vocab_size, sizes[:, None])
    return np.argmin(loss, axis=1)
