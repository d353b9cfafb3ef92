"""The network of the theory, without norms, and its exact population loss: what is differentiated at the unigram point.

    x_n = s_n e + p_n,   y_n = x_n + W_O sum_(i <= n) softmax(<W_Q x_n, W_K x_i>) W_V x_i,   y_n + W_2 relu(W_1 y_n)

once or twice over, then z_n = <a, y_n> + b, and the next symbol is 1 with probability sigmoid(z_n); tied means a = e
(Makkuva et al. 2024, 2402.04161; this writing of it is this project's reading). float64 throughout.

Axes   N strings   T positions   d width   m hidden units
"""

import itertools
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

Shapes = dict[str, tuple[int, ...]]


def shapes(width: int, hidden: int, length: int, depth: int, tied: bool) -> Shapes:
    """Every parameter by its name, embedding, read-out and bias first."""
    found: Shapes = {"e": (width,)}
    if not tied:
        found["a"] = (width,)
    found["b"] = ()
    found["positions"] = (length, width)
    for block in range(depth):
        found |= {f"{block}.{name}": (width, width) for name in ("query", "key", "value", "out")}
        found |= {f"{block}.in": (hidden, width), f"{block}.back": (width, hidden)}
    return found


def named(flat: "Tensor", shape: Shapes) -> "dict[str, Tensor]":
    """A flat vector of parameters, by name."""
    found, first = {}, 0
    for name, one in shape.items():
        size = int(np.prod(one, dtype=int))
        found[name] = flat[first : first + size].reshape(one)
        first += size
    return found


def unigram_point(p: float, q: float, shape: Shapes, seed: int) -> "Tensor":
    """e = a = 0, W_O = W_2 = 0, no positions, b = ln(p / q); the matrices that are then of no effect are drawn."""
    import torch

    rng = np.random.default_rng(seed)
    parts = []
    for name, one in shape.items():
        free = name.endswith(("query", "key", "value", "in"))
        values = rng.normal(size=one) if free else np.zeros(one)
        parts.append(np.ravel(np.log(p / q) if name == "b" else values))
    return torch.from_numpy(np.concatenate(parts))


def logits(parameters: "dict[str, Tensor]", symbols_NT: "Tensor", depth: int) -> "Tensor":
    """(N, T): z_n after every symbol."""
    import torch

    length = symbols_NT.shape[1]
    x = symbols_NT[..., None] * parameters["e"] + parameters["positions"]
    future = torch.ones(length, length, dtype=torch.bool).triu(1)
    for block in range(depth):
        w = {name: parameters[f"{block}.{name}"] for name in ("query", "key", "value", "out", "in", "back")}
        scores = (x @ w["query"].T) @ (x @ w["key"].T).transpose(1, 2)
        mixed = scores.masked_fill(future, -torch.inf).softmax(dim=-1) @ (x @ w["value"].T)
        x = x + mixed @ w["out"].T
        x = x + torch.relu(x @ w["in"].T) @ w["back"].T
    return x @ parameters.get("a", parameters["e"]) + parameters["b"]


def population_loss(flat: "Tensor", p: float, q: float, shape: Shapes, depth: int) -> "Tensor":
    """Mean over positions of the expected cross-entropy, over all strings of the stationary chain; nats."""
    import torch

    length = shape["positions"][0]
    strings = np.array(list(itertools.product((0, 1), repeat=length)))
    step = np.array([[1.0 - p, p], [q, 1.0 - q]])
    chance = np.array([q, p])[strings[:, 0]] / (p + q)
    for t in range(1, length):
        chance = chance * step[strings[:, t - 1], strings[:, t]]
    z = logits(named(flat, shape), torch.from_numpy(strings).double(), depth)
    to_one = torch.from_numpy(step[:, 1][strings])
    softplus = torch.nn.functional.softplus
    losses = to_one * softplus(-z) + (1.0 - to_one) * softplus(z)
    return (torch.from_numpy(chance)[:, None] * losses).sum() / length
