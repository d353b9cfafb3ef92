"""The exact side: a read-out whose weights are the prior itself, and the price of lags that it does not see.

Of a mixture transition source with weights w_l, at place t (lags 1 .. t visible), with W_t = sum_{l <= t} w_l:

    Bayes law     p = (1 - W_t) mu + W_t sum_l (w_l / W_t) [x = x_(t-l)]
    read-out      q = (1 - W_t) mu + W_t sum_l pi_l [x = x_(t-l)],     pi the prior over lags, normalised on 1 .. t

q is what one layer of attention gives at best whose logits are the bias alone, with the share of fresh draws known. At
lag l the key is l - 1 places from the query, so that a bias -m Harm(d) weighs lag l by exp(-m Harm(l - 1)).

    Brier excess  E |p - q|^2 = W_t^2 (1 - 1/V) d' C_t d,   d = w / W_t - pi,  C_t(l, l') = corr(x_(t-l), x_(t-l')),
                  mu uniform; C_t from the recursion C(t, j) = sum_{l <= t} w_l C(t - l, j), which is that of Yule and
                  Walker with a cold start: fresh draws before it are independent of everything. Exact.
    excess        E KL(p || q): no closed form; a mean over sampled contexts of exact divergences

Lags of a set S of mass D = sum_S w_l are dropped and the rest renormalised: q has pi_l = w_l / (W - D) off S. Then
p - q = D (r - a), r the law of the symbols at dropped lags, a that at kept ones, and with u = (1 - W) min mu

    total variation(p, q) <= D
    KL(p || q) <= min( D ln(1 + W / u),  ln(1 + D^2 (1 / u + 1 / (u + W))) )

First bound: p = (1 - D/W) q + (D/W) s, s = (1 - W) mu + W r, so KL(p || q) <= (D/W) KL(s || q), which is jointly convex
in (r, a), hence largest at point masses: at x and y != x it is h(u_x) - g(u_y), h(u) = (u + W) ln(1 + W/u) falling and
g(u) = u ln(1 + W/u) rising in u, so at most h(u) - g(u) = W ln(1 + W/u). Second: KL <= ln(1 + chi^2), and chi^2 =
sum D^2 (r - a)^2 / ((1 - W) mu + W a) is jointly convex too. Where nothing is kept, a is mu and both still hold.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from testbed.studies.positional_prior.config import Arm

if TYPE_CHECKING:
    from testbed.sources import Source

Floats = NDArray[np.float64]


def weights(source: "Source", length: int) -> Floats:
    """(T,) w_0 .. w_(T - 1) of a mixture transition source, all that places of a sequence of T tokens see; 0 beyond its
    longest lag."""
    given = source.lag_weights / 2.0**32  # type: ignore[attr-defined]
    found: Floats = np.zeros(length)
    found[: len(given)] = given[:length]
    return found


def prior(arm: Arm, slopes: ArrayLike, n_lags: int) -> Floats:
    """(n_lags, M) weights of lags 1 .. n under the bias of ALiBi or of the harmonic numbers, not normalised."""
    distance = np.arange(n_lags, dtype=np.float64)
    if arm == "harmonic":
        distance = np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, n_lags))])
    found: Floats = np.exp(-distance[:, None] * np.asarray(slopes, dtype=np.float64)[None])
    return found


def excesses(source: "Source", tokens: NDArray[np.int64], laws: Floats, priors: Floats) -> Floats:
    """(N, M) mean KL(p || q) of each sequence over its places, nats, for M priors (n_lags, M); the first place is free.

    tokens (N, T), laws (N, T, V) the Bayes laws
    """
    n, length = tokens.shape
    v, w = source.vocab_size, weights(source, length)
    hot = np.eye(v)[tokens]
    total = np.zeros((n, priors.shape[1]))
    for t in range(1, length):
        visible = w[1 : t + 1].sum()
        pi = priors[:t] / priors[:t].sum(axis=0)
        read = np.einsum("nlv,lm->nmv", hot[:, :t][:, ::-1], pi, optimize=True)
        q = (1.0 - visible) / v + visible * read
        total += np.einsum("nv,nmv->nm", laws[:, t], np.log(laws[:, t])[:, None] - np.log(q), optimize=True)
    return total / length


def correlations(source: "Source", length: int) -> Floats:
    """(T, T) correlation of tokens t and j of a sequence with a cold start."""
    w, found = weights(source, length), np.eye(length)
    for t in range(1, length):
        found[t, :t] = found[:t, t] = w[1 : t + 1] @ found[:t, :t][::-1]
    return found


def brier_excesses(source: "Source", length: int, priors: Floats) -> Floats:
    """(M,) exact mean of |p - q|^2 over the places of sequences, mu uniform."""
    w, v, c = weights(source, length), source.vocab_size, correlations(source, length)
    total = np.zeros(priors.shape[1])
    for t in range(1, length):
        visible = w[1 : t + 1].sum()
        if visible > 0:
            d = w[1 : t + 1, None] / visible - priors[:t] / priors[:t].sum(axis=0)
            total += visible**2 * (1 - 1 / v) * np.einsum("lm,lk,km->m", d, c[:t, :t][::-1, ::-1], d, optimize=True)
    return np.asarray(total / length)


def vertex(slopes: ArrayLike, values: ArrayLike) -> Floats:
    """(...,) the least point of the parabola through the smallest of values (..., M) and its neighbours in `slopes`.

    Where the smallest stands at an end, that end.

    >>> round(float(vertex([0.0, 1.0, 3.0], [1.0, 0.0, 4.0])), 9)
    1.0
    """
    x, y = np.asarray(slopes, dtype=np.float64), np.asarray(values, dtype=np.float64)
    flat = y.reshape(-1, len(x))
    found = np.empty(len(flat))
    for row, one in enumerate(flat):
        least = int(one.argmin())
        if 0 < least < len(x) - 1:
            near = slice(least - 1, least + 2)
            a, b, _ = np.polyfit(x[near] - x[least], one[near], 2)
            found[row] = x[least] - b / (2 * a) if a > 0 else x[least]
        else:
            found[row] = x[least]
    return found.reshape(y.shape[:-1])


def divergence_bound(dropped: ArrayLike, visible: ArrayLike, least: float) -> Floats:
    """The bound on KL(p || q), nats, for dropped mass D of visible mass W; least = min mu.

    >>> [round(float(one), 4) for one in divergence_bound([0.0, 0.01, 0.5], 0.7, 0.25)]
    [0.0, 0.0015, 1.1677]
    """
    d, w = np.asarray(dropped, dtype=np.float64), np.asarray(visible, dtype=np.float64)
    u = (1.0 - w) * least
    return np.asarray(np.minimum(d * np.log1p(w / u), np.log1p(d**2 * (1 / u + 1 / (u + w)))))
