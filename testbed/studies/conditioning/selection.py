"""Which matrices an arm trains, and the changes of weights that leave the function as it is.

A head has six matrices of one shape: its queries, keys and values (D, D / H), its output (D / H, D), and the columns
and rows of an MLP as wide as the residual stream that belong to its share of the hidden units. L blocks of H heads have
6 L H of them; every arm but `all` trains a third, hence as many parameters.

They are not square for a reason: the smallest singular value of a square matrix of normal entries is near zero by
chance, and so is its inverse in kappa, whatever training does to the others.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from testbed.measures.conditioning import condition_number, flatness
from testbed.studies.conditioning.config import KINDS, Arm
from testbed.training.continuing import Part

if TYPE_CHECKING:
    from torch import Tensor

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
N_KINDS = len(KINDS)
PAIRS = ((0, 1), (2, 3))
"""Kinds whose product alone counts: queries with keys, values with output."""
DRAW, SHAM, PLANT, STRETCH = range(4)
"""Purposes of a replicate's draws."""


def rng_of(number: int, purpose: int) -> np.random.Generator:
    """The generator of a replicate and a purpose."""
    return np.random.default_rng([number, 7, purpose])


def part(place: int, width: int, heads: int) -> Part:
    """Matrix number `place`: kind `place % 6` of head `place // 6`, counted through the blocks."""
    head, kind = divmod(place, N_KINDS)
    block, head = divmod(head, heads)
    size = width // heads
    if kind < 3:
        first = kind * width + head * size
        return Part(f"{block}.qkv", first, first + size)
    name = ("attention_out", "mlp_in", "mlp_out")[kind - 3]
    return Part(f"{block}.{name}", head * size, (head + 1) * size, -1 if name == "mlp_in" else -2)


def view_of(weights: "Mapping[str, Tensor]", place: int, width: int, heads: int) -> "Tensor":
    """(D, D / H), or (D / H, D) of output and MLP out: the matrix of one member, whose weights are (1, ...)."""
    one = part(place, width, heads)
    assert one.last is not None
    return weights[one.name][0].narrow(one.axis, one.first, one.last - one.first)


def matrices(weights: "Mapping[str, Tensor]", depth: int, width: int, heads: int) -> Floats:
    """(6 L H, D, D / H), those of outputs transposed, which changes no singular value."""
    found = []
    for place in range(N_KINDS * depth * heads):
        view = view_of(weights, place, width, heads)
        found.append((view.T if len(view) < width else view).detach().cpu().double().numpy())
    return np.stack(found)


def chosen(arm: Arm, given: Floats, number: int) -> Integers:
    """The places of the matrices that an arm trains, rising.

    given    (6 L H, ...) as they are when the new task begins
    number   of the replicate, which decides what is drawn
    """
    n = len(given)
    third, n_heads = n // 3, n // N_KINDS
    if arm == "all":
        return np.arange(n)
    if arm in ("random", "sham"):
        drawn = rng_of(number, DRAW if arm == "random" else SHAM).choice(n, third, replace=False)
        return np.sort(drawn)
    if arm in ("planted_low", "planted_norm", "planted_high"):
        return planted_places(n_heads, number)
    if arm in ("flat", "uneven"):
        order = np.argsort(flatness(given), kind="stable")
        return np.sort(order[-third:] if arm == "flat" else order[:third])
    kappa = condition_number(given)
    if arm in ("low", "high"):
        order = np.argsort(kappa, kind="stable")
        return np.sort(order[:third] if arm == "low" else order[-third:])
    if arm in ("low_in_kind", "high_in_kind"):
        each = n_heads // 3
        order = np.argsort(kappa.reshape(n_heads, N_KINDS), axis=0, kind="stable")
        heads = order[:each] if arm == "low_in_kind" else order[-each:]
        return np.sort((heads * N_KINDS + np.arange(N_KINDS)).ravel())
    raise ValueError(f"arm: {arm} is not known")


def planted_pairs(n_heads: int, number: int) -> list[tuple[int, int]]:
    """Places of half of the 2 L H pairs, drawn."""
    pairs = [(N_KINDS * head + a, N_KINDS * head + b) for head in range(n_heads) for a, b in PAIRS]
    drawn = rng_of(number, PLANT).choice(len(pairs), n_heads, replace=False)
    return [pairs[place] for place in np.sort(drawn)]


def planted_places(n_heads: int, number: int) -> Integers:
    """Their 2 L H matrices: a third of all."""
    return np.sort(np.array(planted_pairs(n_heads, number)).ravel())


def stretch(size: int, kappa: float, rng: np.random.Generator) -> Floats:
    """(K, K) random matrix of condition number kappa and determinant +-1: rotations about log-even stretches."""
    left, right = (np.linalg.qr(rng.standard_normal((size, size)))[0] for _ in range(2))
    return np.asarray(left * np.exp(np.linspace(-0.5, 0.5, size) * np.log(kappa)) @ right)


def plant(
    weights: "Mapping[str, Tensor]", depth: int, width: int, heads: int, kappa: float, number: int, norm_alone: bool
) -> None:
    """Change the drawn pairs in place, the function staying as it is.

    Of a head, with G (K, K):    W_q <- W_q G,  W_k <- W_k G^(-T),   so that q k^T stays;
                                 W_v <- W_v G,  W_o <- G^(-1) W_o,   so that v W_o stays

    G of condition number kappa raises those of both matrices, and the norm of the pair, sqrt(|W_1|^2 + |W_2|^2), by
    which an optimiser's step of given length moves the product. With `norm_alone` G is c or 1 / c, which of them is
    drawn: no condition number changes, and c is such that the norm of the pair rises as it would have done.
    Positions must not stand between queries and keys: added to the embedding they do not, rotations would.
    """
    import torch

    rng, size = rng_of(number, STRETCH), width // heads
    for pair in planted_pairs(depth * heads, number):
        views = [view_of(weights, place, width, heads) for place in pair]
        outer = [len(view) < width for view in views]  # of (K, D)
        old = [(view.T if out else view).double().cpu().numpy() for view, out in zip(views, outer, strict=True)]
        g, upwards = stretch(size, kappa, rng), rng.random() < 0.5
        new = [old[0] @ g, old[1] @ np.linalg.inv(g).T]
        if norm_alone:
            a, b, target = (old[0] ** 2).sum(), (old[1] ** 2).sum(), (new[0] ** 2).sum() + (new[1] ** 2).sum()
            root = np.sqrt(max(target**2 - 4 * a * b, 0.0))
            scale = np.sqrt((target + (root if upwards else -root)) / (2 * a))
            new = [old[0] * scale, old[1] / scale]
        for view, out, matrix in zip(views, outer, new, strict=True):
            view.copy_(torch.from_numpy(matrix.T if out else matrix))
