"""Is this text by that model? Tests by log-perplexity: their concentration, their power, and what they cannot see.

A model A writes with laws q_i = q_A(. | what stands before). The statistic of N tokens is

    G = (1/N) sum_i [-ln q_i(x_i) - H(q_i)],

log-perplexity less its conditional expectation (Radvand et al. 2025, 2501.02406). If A wrote the text, N G is a
martingale, and G is small with an explicit probability. If B wrote it, G tends to the drift E_B[-ln q_A - H(q_A)], and
a test of fixed size errs with a probability that falls as exp(-N times an exponent): unless the drift is zero, which
laws B unlike A can be made to have. All in nats.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from testbed.core import ConfigError
from testbed.measures.entropy.interval_coverage import binomial_interval

Floats = NDArray[np.float64]


# ---- the statistic and its tails under the model itself ----


def perplexity_gaps(laws: Floats, tokens: NDArray[np.integer], lengths: ArrayLike | None = None) -> Floats:
    """(N, P): G of the first n tokens of every text, for each n of lengths (P,); of whole texts by default.

    laws (N, L, V), the model's law of every token given those before it in the text; tokens (N, L).

    Raises ConfigError for shapes that do not fit, tokens outside 0 .. V - 1, or lengths outside 1 .. L.
    """
    if tokens.ndim != 2 or laws.shape[:-1] != tokens.shape:
        raise ConfigError(f"laws: need one for each of tokens (N, L), given {laws.shape} and {tokens.shape}")
    if tokens.size and not 0 <= int(tokens.min()) <= int(tokens.max()) < laws.shape[-1]:
        raise ConfigError(f"tokens: given {tokens.min()} .. {tokens.max()}, must lie in 0 .. {laws.shape[-1] - 1}")
    n = np.atleast_1d(tokens.shape[1] if lengths is None else np.asarray(lengths))
    if n.dtype.kind not in "ui" or np.any((n < 1) | (n > tokens.shape[1])):
        raise ConfigError(f"lengths: given {lengths!r}, must be integers of 1 .. {tokens.shape[1]}")
    with np.errstate(divide="ignore", invalid="ignore"):
        log_laws = np.log(laws)
        entropy = -np.where(laws > 0, laws * log_laws, 0.0).sum(axis=-1)
    surprise = -np.take_along_axis(log_laws, tokens[..., None].astype(np.int64), axis=-1)[..., 0]
    sums = np.cumsum(surprise - entropy, axis=1)
    return np.asarray(sums[:, n - 1] / n)


def surprise_span(laws: Floats) -> float:
    """c: the largest ln(max q / min q) of any law (.., V), over the symbols that it writes.

    With c = ln(1 / p_min), as it is often written, the bound is the same or weaker.
    """
    least = np.where(laws > 0, laws, np.inf).min(axis=-1)
    return float(np.max(np.log(laws.max(axis=-1)) - np.log(least), initial=0.0))


def varentropy(laws: Floats) -> Floats:
    """(..): the variance of -ln q under q, for laws (.., V); nats^2."""
    with np.errstate(divide="ignore", invalid="ignore"):
        log_laws = np.where(laws > 0, np.log(laws), 0.0)
    mean = (laws * log_laws).sum(axis=-1)
    return np.asarray((laws * log_laws**2).sum(axis=-1) - mean**2)


def azuma_bound(threshold: ArrayLike, n: ArrayLike, span: float) -> Floats:
    """P(|G| >= t) <= 2 exp(-2 N t^2 / c^2) if the model wrote the N tokens  (Azuma and Hoeffding, for increments that
    lie in an interval of width c given the past).

    >>> float(azuma_bound(0.1, 1000, 1.0).round(12))
    4.122e-09
    """
    _check_span(span)
    t, size = np.asarray(threshold, dtype=np.float64), np.asarray(n, dtype=np.float64)
    return np.asarray(np.minimum(1.0, 2.0 * np.exp(-2.0 * size * (np.maximum(t, 0.0) / span) ** 2)))


def freedman_bound(threshold: ArrayLike, n: ArrayLike, span: float, variance: float) -> Floats:
    """P(|G| >= t) <= 2 exp(-N t^2 / (2 v + 2 c t / 3)), v the largest varentropy given any past  (Freedman 1975).

    Far below Azuma's where surprise varies much less than it can, as with rare symbols.
    """
    _check_span(span)
    t, size = np.maximum(np.asarray(threshold, dtype=np.float64), 0.0), np.asarray(n, dtype=np.float64)
    return np.asarray(np.minimum(1.0, 2.0 * np.exp(-size * t**2 / (2.0 * variance + 2.0 * span * t / 3.0))))


def _check_span(span: float) -> None:
    if not span > 0:
        raise ConfigError(f"span: given {span}, must be positive; where no token is random, G is zero")


@dataclass(frozen=True)
class Tails:
    """P(|G| >= t) for thresholds (T,) and lengths (P,): shares of texts and exact binomial bounds, each (T, P)."""

    share: Floats
    lower: Floats
    upper: Floats


def tail_probabilities(gaps: Floats, thresholds: ArrayLike, confidence: float = 0.99) -> Tails:
    """Of gaps (n_texts, P). A bound is refuted where it lies below `lower`."""
    t = np.asarray(thresholds, dtype=np.float64)
    hits = (np.abs(gaps)[None] >= t[:, None, None]).sum(axis=1)
    return Tails(hits / len(gaps), *binomial_interval(hits, len(gaps), confidence))


# ---- power against another writer, order-k Markov ----


def stein_exponent(null: Floats, alternative: Floats) -> float:
    """The best exponent that any test of fixed size has: the rate of KL(A || B), nats a token  (Stein's lemma).

    null, alternative: laws of A and B, arrays (V,) * (k + 1) of p(next | k tokens, oldest first); k = 0 is i.i.d. The
    probability of taking B's text for A's falls as exp(-N D(A || B)) at best: the null comes first. Infinite where B
    never writes what A does.

    >>> round(stein_exponent(np.array([0.5, 0.5]), np.array([0.9, 0.1])), 4)
    0.5108
    """
    a, b = _kernel(null), _kernel(alternative)
    _same(a, b)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(a > 0, a * (np.log(a) - np.log(b)), 0.0)
    pi = _stationary(a)
    met = pi > 0  # a context that A never stands in says nothing, whatever B does there
    return float(pi[met] @ ratio[met].sum(axis=1))


def perplexity_drift(null: Floats, alternative: Floats) -> float:
    """The limit of G when B writes: E_B[-ln q_A - H(q_A)], nats; zero is the blind spot."""
    a, b = _kernel(null), _kernel(alternative)
    return float(_stationary(b) @ (b * _increments(a, b)).sum(axis=1))


def perplexity_exponent(null: Floats, alternative: Floats) -> float:
    """The exponent of the perplexity test: B's texts pass as A's with probability exp(-N I), I = -min_s ln rho(M_s),

        M_s(c, c') = P_B(x | c) exp(s g(c, x)),   g = -ln q_A(x | c) - H(q_A(. | c)),

    rho the spectral radius, c' the context after x: the rate at which G of B's text is near 0 (Gaertner and Ellis).
    At most `stein_exponent`; equal for two symbols i.i.d.; zero where the drift is. Infinite where g never changes its
    sign.
    """
    from scipy.optimize import minimize_scalar

    a, b = _kernel(null), _kernel(alternative)
    g = _increments(a, b)
    drift = perplexity_drift(null, alternative)
    if abs(drift) < 1e-13:
        return 0.0
    scale = float(np.abs(g[b > 0]).max())

    def log_radius(s: float) -> float:
        with np.errstate(over="ignore"):
            weights = np.where(b > 0, np.log(np.maximum(b, 1e-300)) + s * g, -np.inf)
        top = weights.max()
        matrix = np.zeros((len(b), len(b)))
        np.add.at(matrix, (np.arange(len(b))[:, None], _successors(b)), np.exp(weights - top))
        return float(top + np.log(np.abs(np.linalg.eigvals(matrix)).max()))

    reach = 1.0 / scale
    while log_radius(-np.sign(drift) * reach) < log_radius(
        -np.sign(drift) * reach / 2
    ):  # convex: the minimum is beyond
        reach *= 2.0
        if reach * scale > 1e4:
            return float("inf")
    bounds = (-reach, 0.0) if drift > 0 else (0.0, reach)
    found = minimize_scalar(log_radius, bounds=bounds, method="bounded", options={"xatol": 1e-10 * reach})
    return max(0.0, -float(found.fun))


def blind_laws(null: Floats, fraction: float = 0.9) -> Floats:
    """Laws B unlike A (.., V) with the same expected surprise in each context, E_B[-ln q_A | c] = H(q_A(. | c)).

    Each row moves by `fraction` of the way to the simplex's edge along a direction v with sum v = sum v ln q = 0, the
    last singular vector of those two conditions; of both signs the one that goes further. The perplexity test has no
    drift against B, whatever its stationary law, while KL(A || B) is positive.

    Raises ConfigError for fewer than three symbols, where no such direction is, or laws with zeros.
    """
    laws = np.asarray(null, dtype=np.float64)
    if laws.shape[-1] < 3 or np.any(laws <= 0) or not 0 < fraction < 1:
        raise ConfigError(f"null: need laws of three symbols or more without zeros, given shape {laws.shape}")
    moved = []
    for q in laws.reshape(-1, laws.shape[-1]):
        v = np.linalg.svd(np.stack([np.ones_like(q), np.log(q)]))[2][-1]
        room = [float(np.min(np.where(w < 0, q / np.maximum(-w, 1e-300), np.inf))) for w in (v, -v)]
        moved.append(q + fraction * (room[0] * v if room[0] >= room[1] else -room[1] * v))
    return np.asarray(moved).reshape(laws.shape)


def _kernel(laws: Floats) -> Floats:
    """(V^k, V) rows of an array (V,) * (k + 1); ConfigError if they are no laws."""
    array = np.asarray(laws, dtype=np.float64)
    if array.ndim == 0 or len(set(array.shape)) != 1:
        raise ConfigError(f"laws: need an array (V,) * (k + 1), given shape {array.shape}")
    rows = array.reshape(-1, array.shape[-1])
    if np.any(rows < 0) or np.any(np.abs(rows.sum(axis=1) - 1) > 1e-9):
        raise ConfigError("laws: every row must be non-negative and sum to one")
    return rows


def _same(a: Floats, b: Floats) -> None:
    if a.shape != b.shape:
        raise ConfigError(f"alternative: {len(b)} contexts of {b.shape[1]} symbols, null has {a.shape}; repeat rows")


def _increments(a: Floats, b: Floats) -> Floats:
    """g (V^k, V); zero where B never goes."""
    _same(a, b)
    if np.any((a <= 0) & (b > 0)):
        raise ConfigError("null: gives no probability to what the alternative writes; any such token tells them apart")
    with np.errstate(divide="ignore", invalid="ignore"):
        log_a = np.where(a > 0, np.log(a), 0.0)
    entropy = -(a * log_a).sum(axis=1, keepdims=True)
    return np.asarray(np.where(b > 0, -log_a - entropy, 0.0))


def _successors(kernel: Floats) -> NDArray[np.int64]:
    """(V^k, V): the context after each token."""
    n_contexts, vocab_size = kernel.shape
    contexts = np.arange(n_contexts)[:, None] * vocab_size + np.arange(vocab_size)
    return contexts % n_contexts


def _stationary(kernel: Floats) -> Floats:
    """(V^k,) of a kernel with one closed class, by least squares on pi P = pi, sum pi = 1; zero where transient."""
    n = len(kernel)
    matrix = np.zeros((n, n))
    np.add.at(matrix, (np.arange(n)[:, None], _successors(kernel)), kernel)
    system = np.vstack([matrix.T - np.eye(n), np.ones(n)])
    pi, *_ = np.linalg.lstsq(system, np.append(np.zeros(n), 1.0), rcond=None)
    return np.where(pi > 1e-13, pi, 0.0)
