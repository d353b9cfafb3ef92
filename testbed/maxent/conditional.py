"""Conditional maximum entropy: what pairs say of the next token, where V^n is out of reach.

Of all conditional laws with the given statistics of (x_i, x_new) for every place i of the context, under the contexts
as they are, the one of largest conditional entropy is

    q(x | c) = exp(b(x) + sum_i W_i(c_i, x)) / Z(c)

a softmax regression on one-hot contexts, and its fit is the maximum of the likelihood (Berger, Della Pietra & Della
Pietra 1996). Its conditional divergence is never above that of the joint pair law on that token. Cost N n V a step.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from testbed.core import ConfigError, ResourceError
from testbed.maxent.checks import real, whole
from testbed.maxent.constraint import Floats

if TYPE_CHECKING:
    from scipy.sparse import csr_array

MAX_FEATURES = 2**26
"""The most non-zero features, N times n (about 768 MiB), and the most logits, N times V."""
MAX_WEIGHTS = 2**22
"""The most weights, m V^2 (32 MiB, of which the optimiser keeps some forty)."""
WEIGHTS = tuple(10.0**-k for k in range(1, 8))
"""The penalties tried, from strong to weak."""


@dataclass(frozen=True, eq=False)
class ConditionalLaw:
    """q(x | c) for contexts c of m tokens.

    bias            (V,)
    weights         (m, V, V): W[i, c_i, x], oldest place first
    l2              penalty that was chosen, on the mean loss: l2 / 2 * sum W^2
    loss            cross-entropy on the data fitted, nats per token
    held_out_losses by penalty tried, where held-out data were given
    iterations      steps of the optimiser, and `gradient`, the largest entry where it stopped
    """

    bias: Floats
    weights: Floats
    l2: float
    loss: float
    held_out_losses: dict[float, float]
    iterations: int
    gradient: float

    def laws(self, contexts: NDArray[np.integer[Any]]) -> Floats:
        """(N, V): q(. | c) for contexts (N, m)."""
        read = _contexts(contexts, self.bias.size)
        if read.shape[1] != len(self.weights):
            raise ConfigError(f"contexts: given {read.shape[1]} tokens, this law reads {len(self.weights)}")
        logits = np.broadcast_to(self.bias, (len(read), self.bias.size)).copy()
        for place, table in enumerate(self.weights):
            logits += table[read[:, place]]
        return np.exp(_log_softmax(logits))


def fit_conditional(
    contexts: NDArray[np.integer[Any]],
    targets: NDArray[Any],
    vocab_size: int,
    *,
    l2: float | None = None,
    held_out: tuple[NDArray[np.integer[Any]], NDArray[Any]] | None = None,
    penalties: Sequence[float] = WEIGHTS,
    tolerance: float = 1e-7,
    max_steps: int = 5000,
) -> ConditionalLaw:
    """Fit q(x | c) to contexts and what follows them.

    contexts   (N, m) tokens, oldest first
    targets    (N,) tokens, or (N, V) weights: counts after each context, or the exact joint law p(c) p(x | c)
    l2         the penalty; left out, the one of `penalties` with the least loss on `held_out`, a pair of contexts and
               targets of other sequences; without those, no penalty
    tolerance  on the largest gradient entry; rounding allows about 1e-8

    Raises ConfigError for bad shapes and where the gradient stays above the tolerance, ResourceError for N m or N V
    above 2^26 and m V^2 above 2^22.
    """
    vocab_size, max_steps = whole("vocab_size", vocab_size, 1), whole("max_steps", max_steps, 1)
    tolerance = real("tolerance", tolerance, above=0.0)
    read = _contexts(contexts, vocab_size)
    n, places = read.shape
    if n * vocab_size > MAX_FEATURES or (places * vocab_size + 1) * vocab_size > MAX_WEIGHTS:
        raise ResourceError(
            f"vocab_size: {vocab_size} symbols, {n} contexts of {places} tokens: over the limits of {MAX_FEATURES:.3g}"
            f" logits (N V) and {MAX_WEIGHTS:.3g} weights (m V^2); fit fewer places or symbols"
        )
    given = _target_weights(targets, len(read), vocab_size)
    features = _one_hot(read, vocab_size)
    if held_out is None or l2 is not None:
        tried: Sequence[float] = [0.0 if l2 is None else real("l2", l2, least=0.0)]
    else:
        tried = sorted({real("penalties", one, least=0.0) for one in penalties}, reverse=True)
        if not tried:
            raise ConfigError("penalties: given none; with held-out data at least one must be tried")
    test = None
    if held_out is not None:
        if len(held_out) != 2:
            raise ConfigError(f"held_out: given {len(held_out)} arrays, must be a pair of contexts and targets")
        test_contexts = _contexts(held_out[0], vocab_size)
        if test_contexts.shape[1] != read.shape[1]:
            raise ConfigError(f"held_out: contexts of {test_contexts.shape[1]} tokens, those fitted {read.shape[1]}")
        test = _one_hot(test_contexts, vocab_size), _target_weights(held_out[1], len(test_contexts), vocab_size)
    start = np.zeros((read.shape[1] * vocab_size + 1, vocab_size))
    losses: dict[float, float] = {}
    best: tuple[float, float, Floats, int, float] | None = None
    for penalty in tried:  # from strong to weak, each from the one before
        start, steps, gradient = _fit(features, given, penalty, start, tolerance, max_steps)
        if test is not None:
            losses[penalty] = _loss(test[0], test[1], start)
        score = losses.get(penalty, 0.0)
        if best is None or score < best[0]:
            best = (score, penalty, start, steps, gradient)
    assert best is not None
    _, penalty, found, steps, gradient = best
    if not gradient <= tolerance:
        cure = "max_steps: allow more" if steps >= max_steps else f"tolerance: rounding stops short of {tolerance:g}"
        raise ConfigError(f"{cure}, or raise l2; after {steps} steps the gradient is still {gradient:.3g}")
    shape = (read.shape[1], vocab_size, vocab_size)
    return ConditionalLaw(
        found[-1], found[:-1].reshape(shape), penalty, _loss(features, given, found), losses, steps, gradient
    )


def _fit(
    features: "csr_array", targets: Floats, l2: float, start: Floats, tolerance: float, max_steps: int
) -> tuple[Floats, int, float]:
    from scipy.optimize import minimize

    shape = start.shape
    totals = targets.sum(axis=1, keepdims=True)
    transposed = features.T.tocsr()
    penalised = np.ones(shape[0])[:, None]
    penalised[-1] = 0.0  # the bias is free

    def objective(flat: Floats) -> tuple[float, Floats]:
        weights = flat.reshape(shape)
        logs = _log_softmax(features @ weights)
        value = -float(np.sum(targets * logs)) + l2 / 2 * float(np.sum(penalised * weights**2))
        gradient = transposed @ (np.exp(logs) * totals - targets) + l2 * penalised * weights
        return value, gradient.reshape(-1)

    options = {"maxiter": max_steps, "maxfun": 2 * max_steps, "ftol": 0.0, "gtol": tolerance, "maxcor": 20}
    found = minimize(objective, start.reshape(-1), jac=True, method="L-BFGS-B", options=options)
    return found.x.reshape(shape), int(found.nit), float(np.abs(objective(found.x)[1]).max())


def _loss(features: "csr_array", targets: Floats, weights: Floats) -> float:
    return -float(np.sum(targets * _log_softmax(features @ weights)))


def _one_hot(contexts: NDArray[np.int64], vocab_size: int) -> "csr_array":
    """(N, m V + 1): a one for the symbol at every place, and one for the bias."""
    from scipy.sparse import csr_array

    n, places = contexts.shape
    if n * (places + 1) > MAX_FEATURES:
        raise ResourceError(f"{n} contexts of {places} tokens have over {MAX_FEATURES:.3g} features; fit fewer")
    columns = np.concatenate(
        [contexts + vocab_size * np.arange(places), np.full((n, 1), vocab_size * places)], axis=1, dtype=np.int64
    )
    starts = np.arange(n + 1) * (places + 1)
    return csr_array((np.ones(columns.size), columns.reshape(-1), starts), shape=(n, vocab_size * places + 1))


def _log_softmax(logits: Floats) -> Floats:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def _contexts(contexts: NDArray[np.integer[Any]], vocab_size: int) -> NDArray[np.int64]:
    read = np.asarray(contexts)
    if read.ndim != 2 or len(read) == 0 or (read.size and read.dtype.kind not in "ui"):
        raise ConfigError(f"contexts: need integers of shape (N, m), given {read.dtype} of shape {read.shape}")
    if read.size and not 0 <= read.min() <= read.max() < vocab_size:
        raise ConfigError(f"contexts: given {read.min()} .. {read.max()}, must lie in 0 .. {vocab_size - 1}")
    return read.astype(np.int64)


def _target_weights(targets: NDArray[Any], n: int, vocab_size: int) -> Floats:
    """(N, V), sums to one."""
    read = np.asarray(targets)
    if read.shape == (n,) and read.dtype.kind in "ui":
        if not 0 <= read.min() <= read.max() < vocab_size:
            raise ConfigError(f"targets: given {read.min()} .. {read.max()}, must lie in 0 .. {vocab_size - 1}")
        weights = np.zeros((n, vocab_size))
        weights[np.arange(n), read] = 1.0
    elif read.shape == (n, vocab_size) and read.dtype.kind in "uif" and read.min() >= 0 and 0 < read.sum() < np.inf:
        weights = read.astype(np.float64)
    else:
        raise ConfigError(f"targets: need ({n},) tokens or ({n}, {vocab_size}) weights from 0, given {read.shape}")
    return weights / weights.sum()
