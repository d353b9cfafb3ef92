"""Directed information of two streams: exact from the law of blocks, estimated from samples.

    I(X^n -> Y^n)      =  sum_i I(X^i; Y_i | Y^(i-1))          (Massey 1990)
    I(Y^(n-1) -> X^n)  =  sum_i I(Y^(i-1); X_i | X^(i-1))
    their sum          =  I(X^n; Y^n)                          (Massey & Massey 2005)

The first counts what X's past and present tell of Y, the second what Y's past alone tells of X; so together they are
all that the two streams share. Transfer entropy of order k (Schreiber 2000) cuts the pasts to k symbols,

    I(X_(i-k .. i-1); Y_i | Y_(i-k .. i-1)),

and of a follower without instant influence it is no less than the rate of directed information where k steps of both
streams tell all of Y_i: then it exceeds that rate by what Y's own longer past would have told, h_k(Y) - h(Y).

Streams are the two parts of one symbol, x V_y + y, as `ProductSource` writes them. All in nats.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from testbed.core import ConfigError
from testbed.sources.source import Source

Floats = NDArray[np.float64]
Symbols = NDArray[np.integer]
Parts = tuple[list[int], list[int], list[int]]
"""Axes of A, B and C in I(A; B | C)."""
ERROR = 1e-9


def pair_blocks(source: Source, sizes: tuple[int, int], length: int) -> Floats:
    """(V_x, V_y) * length: the exact law of `length` successive pairs of a stationary source over V_x V_y symbols.

    Raises ConfigError for sizes that do not make up the vocabulary, or a length below 1.
    """
    n_x, n_y = sizes
    if n_x * n_y != source.vocab_size or min(sizes) < 1:
        raise ConfigError(f"sizes: given {sizes}, must multiply to the vocabulary, {source.vocab_size}")
    if length < 1:
        raise ConfigError(f"length: given {length}, must be at least 1")
    law = source.context_law(length)
    size = source.vocab_size
    codes = law.contexts.astype(np.int64) @ size ** np.arange(length - 1, -1, -1)
    blocks = np.bincount(codes, weights=law.probabilities, minlength=size**length)
    return np.asarray(blocks.reshape((n_x, n_y) * length))


def directed_information(blocks: Floats) -> float:
    """I(X^n -> Y^n), nats, of a law (V_x, V_y) * n; exact.

    >>> directed_information(np.full((2, 2, 2, 2), 1 / 16))
    0.0
    """
    return _summed(blocks, _forward_parts)


def feedback_information(blocks: Floats) -> float:
    """I(Y^(n-1) -> X^n), nats, of a law (V_x, V_y) * n: what Y's past tells of X; exact."""
    return _summed(blocks, _feedback_parts)


def block_information(blocks: Floats) -> float:
    """I(X^n; Y^n), nats, of a law (V_x, V_y) * n."""
    axes = range(_checked(blocks).ndim)
    return conditional_information(blocks, list(axes[::2]), list(axes[1::2]), [])


def transfer_entropy(blocks: Floats, order: int, *, forward: bool = True) -> float:
    """I(X_(k steps before); Y_i | Y_(k steps before)), nats, at the last step of a law (V_x, V_y) * n, n > k.

    forward False exchanges the streams. Raises ConfigError unless 1 <= order < n.
    """
    steps = _checked(blocks).ndim // 2
    if not 1 <= order < steps:
        raise ConfigError(f"order: given {order}, must lie in 1 .. {steps - 1} for blocks of {steps}")
    past = range(steps - 1 - order, steps - 1)
    source, target = (0, 1) if forward else (1, 0)
    own = [2 * j + target for j in past]
    return conditional_information(blocks, [2 * j + source for j in past], [2 * (steps - 1) + target], own)


def conditional_information(law: Floats, a: Sequence[int], b: Sequence[int], given: Sequence[int]) -> float:
    """I(A; B | C) = H(A, C) + H(B, C) - H(A, B, C) - H(C), nats, of axes of a joint law; not below 0."""
    told = _entropy(law, [*a, *given]) + _entropy(law, [*b, *given])
    return max(0.0, told - _entropy(law, [*a, *b, *given]) - _entropy(law, given))


def plug_in_transfer(x: Symbols, y: Symbols, sizes: tuple[int, int], order: int = 1) -> tuple[float, float]:
    """Transfer entropy from x to y with frequencies in place of probabilities, and the same less its bias, nats.

    x, y (n, L) texts, counted together. Where x tells nothing, 2 N times the first is about chi-square with

        (V_x^k - 1) (V_y - 1) V_y^k

    degrees of freedom for N counted steps (Wilks 1938), so that its mean is that number over 2 N, which the second
    lacks; the second can be negative.

    Raises ConfigError for shapes that differ, symbols outside the sizes, or texts of no more than k symbols.
    """
    if x.shape != y.shape or x.ndim != 2 or order < 1 or x.shape[1] <= order:
        raise ConfigError(f"x, y: given the shapes {x.shape} and {y.shape}, must be (n, L) alike with L > {order}")
    for name, text, size in (("x", x, sizes[0]), ("y", y, sizes[1])):
        if text.size and not 0 <= int(text.min()) <= int(text.max()) < size:
            raise ConfigError(f"{name}: given {text.min()} .. {text.max()}, must lie in 0 .. {size - 1}")
    n_x, n_y = sizes
    shape = (n_x,) * order + (n_y,) * (order + 1)
    steps = x.shape[1] - order
    parts = [x[:, i : i + steps] for i in range(order)] + [y[:, i : i + steps] for i in range(order + 1)]
    codes = np.ravel_multi_index([part.ravel().astype(np.int64) for part in parts], shape)
    counts = np.bincount(codes, minlength=math.prod(shape)).reshape(shape)
    total = int(counts.sum())
    past, own, now = range(order), range(order, 2 * order), [2 * order]
    raw = conditional_information(counts / total, list(past), now, list(own))
    freedom = (n_x**order - 1) * (n_y - 1) * n_y**order
    return raw, raw - freedom / (2 * total)


def _forward_parts(i: int) -> Parts:
    """X's first i symbols, Y's i-th, and Y's before it."""
    return [2 * j for j in range(i)], [2 * i - 1], [2 * j + 1 for j in range(i - 1)]


def _feedback_parts(i: int) -> Parts:
    """Y's first i - 1 symbols, X's i-th, and X's before it."""
    return [2 * j + 1 for j in range(i - 1)], [2 * i - 2], [2 * j for j in range(i - 1)]


def _summed(blocks: Floats, parts: Callable[[int], Parts]) -> float:
    """sum_i I(A_i; B_i | C_i) over steps i = 1 .. n; later steps are summed out of each term's law."""
    n = _checked(blocks).ndim // 2
    laws = [blocks.sum(axis=tuple(range(2 * i, 2 * n))) for i in range(1, n + 1)]
    return sum(conditional_information(law, *parts(i)) for i, law in enumerate(laws, start=1))


def _entropy(law: Floats, axes: Sequence[int]) -> float:
    if not axes:
        return 0.0
    others = tuple(axis for axis in range(law.ndim) if axis not in set(axes))
    p = law.sum(axis=others)
    return float(-(p * np.log(np.where(p > 0, p, 1.0))).sum())


def _checked(blocks: Floats) -> Floats:
    sizes = set(blocks.shape[::2]), set(blocks.shape[1::2])
    if blocks.ndim < 2 or blocks.ndim % 2 or len(sizes[0]) != 1 or len(sizes[1]) != 1:
        raise ConfigError(f"blocks: given the shape {blocks.shape}, must be (V_x, V_y) * n")
    if blocks.min() < 0 or abs(float(blocks.sum()) - 1.0) > ERROR:
        raise ConfigError(f"blocks: given numbers that sum to {blocks.sum():.10g}, must be probabilities")
    return blocks
