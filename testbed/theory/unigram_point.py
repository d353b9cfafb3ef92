"""The unigram point of transformers on binary chains: its loss, and its Hessian in closed form.

The chain has P(1 | 0) = p and P(0 | 1) = q, stationary law pi = (q, p) / (p + q) and second eigenvalue
lambda = 1 - p - q. The network (Makkuva et al. 2024, 2402.04161; its writing here is this project's reading) reads a
symbol x in {0, 1} as x e + p_n in R^d, adds attention and a feed-forward part, and says that the next symbol is 1 with
probability sigmoid(z_n), z_n = <a, last layer> + b; tied means a = e.

At e = a = 0 and b = ln(p/q) it says pi whatever came before: the loss is H(pi), and the gradient is zero.
"""

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from testbed.core import ConfigError

Floats = NDArray[np.float64]
Kind = Literal["minimum", "saddle", "flat"]


def second_eigenvalue(p: float, q: float) -> float:
    """lambda = 1 - p - q: the correlation of two symbols in a row.

    Raises ConfigError unless p and q lie in (0, 1).
    """
    if not (0 < p < 1 and 0 < q < 1):
        raise ConfigError(f"p and q: given {p} and {q}, must lie in (0, 1)")
    return 1.0 - (p + q)


def marginal_entropy(p: float, q: float) -> float:
    """H(pi), nats: the loss of a model that knows how often symbols come, and nothing else."""
    second_eigenvalue(p, q)
    return _entropy(p / (p + q))


def chain_entropy(p: float, q: float) -> float:
    """h = (q H_b(p) + p H_b(q)) / (p + q), nats: the entropy rate.

    >>> marginal_entropy(0.2, 0.8) == chain_entropy(0.2, 0.8)      # p + q = 1: the chain is a coin
    True
    """
    second_eigenvalue(p, q)
    return (q * _entropy(p) + p * _entropy(q)) / (p + q)


def unigram_hessian(
    p: float,
    q: float,
    width: int,
    tied: bool,
    positions: ArrayLike | None = None,
    value_map: ArrayLike | None = None,
) -> Floats:
    """Hessian of the population loss at e = a = 0, b = ln(p/q), W_2 = 0, over (e, b) if tied, else (e, a, b).

    positions    (T, d): p_1 .. p_T; left out: zero. The loss is the mean over T positions
    value_map    (d, d): W = W_O W_V under uniform attention (W_Q or W_K zero); left out: zero

    With u_n = p_n + W mean_(i <= n) p_i, and kappa the mean over n of (1/n) sum_(i <= n) lambda^(n - i),

        tied      e e   pi_0 pi_1 (mean u u^T - lambda (2 I + kappa (W + W^T)))      e b   pi_0 pi_1 mean u
        untied    a e   - pi_0 pi_1 lambda (I + kappa W)       a a   pi_0 pi_1 mean u u^T       a b   pi_0 pi_1 mean u
        both      b b   pi_0 pi_1                              all else 0

    since the logit is <a, (x_n + W mean x_i) e + u_n> + b to second order, its residual is orthogonal to whatever does
    not depend on symbols, and -Cov(x_(n+1), x_i) = -pi_0 pi_1 lambda^(n + 1 - i). Every other second derivative is 0.

    With zero positions and W the eigenvalues are pi_0 pi_1 and, tied, -2 lambda pi_0 pi_1, d times: positive iff
    p + q > 1. Untied they are +- lambda pi_0 pi_1: a saddle unless p + q = 1. W moves the boundary: with W + W^T below
    -2 / kappa the signs are the other way round. So can positions, if they span R^d: their spread must be exceeded.

    >>> np.linalg.eigvalsh(unigram_hessian(0.5, 0.8, width=2, tied=True)).round(4).tolist()      # 0.2367 = pi_0 pi_1
    [0.142, 0.142, 0.2367]
    """
    eigenvalue = second_eigenvalue(p, q)
    if width < 1:
        raise ConfigError(f"width: given {width}, must be at least 1")
    at = np.zeros((1, width)) if positions is None else np.asarray(positions, dtype=np.float64)
    w = np.zeros((width, width)) if value_map is None else np.asarray(value_map, dtype=np.float64)
    if at.ndim != 2 or at.shape[1] != width or w.shape != (width, width):
        raise ConfigError(
            f"positions and value_map: given shapes {at.shape} and {w.shape}, need (T, {width}) and ({width}, {width})"
        )
    variance = p * q / (p + q) ** 2
    n = np.arange(1, len(at) + 1)
    kappa = float(np.mean(np.cumsum(eigenvalue ** np.arange(len(at))) / n))
    u = at + (np.cumsum(at, axis=0) / n[:, None]) @ w.T
    squares, mean = u.T @ u / len(u), u.mean(axis=0)
    if tied:
        coupling = -eigenvalue * (2.0 * np.eye(width) + kappa * (w + w.T))
        blocks = [[squares + coupling, mean[:, None]], [mean[None], np.ones((1, 1))]]
    else:
        coupling = -eigenvalue * (np.eye(width) + kappa * w)
        nothing, column = np.zeros((width, width)), np.zeros((width, 1))
        blocks = [
            [nothing, coupling.T, column],
            [coupling, squares, mean[:, None]],
            [column.T, mean[None], np.ones((1, 1))],
        ]
    return np.asarray(variance * np.block(blocks))


def unigram_point_kind(p: float, q: float, tied: bool) -> Kind:
    """What the unigram point with W_O = W_2 = 0 and p_n = 0 is, among all parameters and at any depth.

    A local minimum where the read-out is tied and p + q > 1, a saddle otherwise, flat to second order where p + q = 1
    (there H(pi) = h and nothing is lost). The loss of the minimum exceeds the least by H(pi) - h > 0: it is bad.

    That it is a minimum in the other, degenerate directions too (Makkuva et al. 2024, for one layer; the argument here
    is this project's): the loss is convex in the logits, so that

        L - H(pi) >= E[(pi_1 - x_(n+1)) z_n] = -Cov(x_(n+1), z_n),

    where the symbol that is read adds -lambda pi_0 pi_1 |e|^2, and all else that depends on symbols is |e|^2 times
    norms of matrices that are small near the point, whatever the depth. Untied, x_n enters with <a, e>, of any sign.

    >>> unigram_point_kind(0.5, 0.8, tied=True), unigram_point_kind(0.5, 0.8, tied=False)
    ('minimum', 'saddle')
    """
    eigenvalue = second_eigenvalue(p, q)
    if eigenvalue == 0:
        return "flat"
    return "minimum" if tied and eigenvalue < 0 else "saddle"


def _entropy(p: float) -> float:
    """Of a coin, nats."""
    return -p * math.log(p) - (1.0 - p) * math.log1p(-p)
