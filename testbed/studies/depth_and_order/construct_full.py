"""Two layers of the whole block, one head, built by hand for chains of order k of two symbols (cf. 2508.07208).

Tokens are -1 and 1. The first layer reads m = sum_j w_j x_(t - j), w_j proportional to 2^(-j) over j = 1 .. k: a number
that tells all k tokens before. Its MLP takes them apart, f_j(m) = x_(t - j), by steps between the 2^k values of m, each
of two units. The second layer matches a key i by x_t f_1(i) + sum_j f_j(t) f_(j + 1)(i), which is k where the contexts
are the same; begin symbol and readout are as in `construct`.

A constant coordinate, large beside all others, makes every RMS norm a division by it, up to its inverse square. The MLP
is what one layer of attention lacks: without it m would be matched along a line, on which no value in the middle can be
picked out.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from testbed.models.transformer import Transformer

Floats = NDArray[np.float64]
LARGE = 1000.0
TOKEN, CONSTANT, BEGIN, CODE, FIRST = range(5)
"""Coordinates: x_t, the large one, whether it is the begin symbol, m, and from FIRST on f_1 .. f_k, what is read, and
the weight that the first layer paid to the begin symbol."""
STEEP = 6.0
"""How far a unit's argument is from its kink where a step is complete; GELU is a ramp there."""


def units_needed(order: int) -> int:
    """Hidden units: two for each step between values of m."""
    return 2 * (2**order - 1)


def coordinates_needed(order: int) -> int:
    """Width."""
    return FIRST + order + 2


def codes(order: int) -> tuple[Floats, Floats]:
    """The 2^k values of m in rising order, and (2^k, k) the tokens that they stand for, the nearest first."""
    bits = (np.arange(2**order)[:, None] >> np.arange(order)[::-1]) & 1
    tokens: Floats = 2.0 * bits.astype(np.float64) - 1.0
    shares = 2.0 ** -np.arange(1.0, order + 1)
    values: Floats = tokens @ (shares / shares.sum())
    return values, tokens


def full_weights(model: "Transformer", order: int, sharpness: float, gain: float) -> dict[str, Floats]:
    """Every weight of the model by name, without the member axis."""
    d, out = model.config.width, FIRST + order
    start = out + 1  # weight on the begin symbol: above zero where the last k places reach back to it
    found = {one.name: np.zeros(one.shape) for one in model.layout.entries}
    for name, values in found.items():
        if name.endswith("_norm"):
            values[:] = LARGE / np.sqrt(d)  # undoes the norm, which divides by LARGE / sqrt(d)
    embedding = found["embedding"]
    embedding[0, TOKEN], embedding[1, TOKEN], embedding[2, BEGIN] = -1.0, 1.0, 1.0
    embedding[:, CONSTANT] = LARGE
    embedding[:, FIRST:out] = -1.0  # f_j of the least value of m; steps add to it
    bias = found["method.relative_bias.b"]  # (L, H, T)
    bias[0, 0, 1 : order + 1] = 2.0 * sharpness - np.arange(order) * np.log(2.0)
    first, second = found["0.qkv"], found["1.qkv"]
    first[TOKEN, 2 * d], found["0.attention_out"][0, CODE] = 1.0, 1.0
    first[BEGIN, 2 * d + 1], found["0.attention_out"][1, start] = 1.0, 1.0
    _steps(found, order)
    root = np.sqrt(d) * sharpness
    second[TOKEN, 0] = root
    for j in range(order):
        second[FIRST + j, d + j] = 1.0
        if j:
            second[FIRST + j - 1, j] = root
    # what reaches back to the begin symbol is no match, and sees none: at least 2^(-k) of its weight lies there
    never = order * 2.0**order * sharpness
    second[CONSTANT, order] = np.sqrt(d) * (order * sharpness + np.log(2.0) + never) / LARGE
    second[start, order] = np.sqrt(d) * never
    second[BEGIN, d + order] = 1.0
    second[CONSTANT, order + 1] = -np.sqrt(d) * never / LARGE
    second[start, d + order + 1] = 1.0
    second[TOKEN, 2 * d], found["1.attention_out"][0, out] = 1.0, 1.0
    found["head"][out] = gain / 2 * np.array([-1.0, 1.0])
    return found


def _steps(found: dict[str, Floats], order: int) -> None:
    """The MLP of the first layer: f_j(m) = f_j(least) + sum over steps of its change there times a ramp from 0 to 1."""
    values, tokens = codes(order)
    middles, changes = (values[1:] + values[:-1]) / 2, np.diff(tokens, axis=0)
    half = (values[1] - values[0]) / 8
    steep = STEEP / half
    into, onto = found["0.mlp_in"], found["0.mlp_out"]
    for i, (middle, change) in enumerate(zip(middles, changes, strict=True)):
        for unit, kink, sign in ((2 * i, middle - half, 1.0), (2 * i + 1, middle + half, -1.0)):
            into[CODE, unit] = steep
            into[CONSTANT, unit] = -steep * kink / LARGE
            onto[unit, FIRST : FIRST + order] = sign * change / (2 * half * steep)
