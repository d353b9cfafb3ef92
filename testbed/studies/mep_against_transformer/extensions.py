"""What is made of a trained model's tables, and of counts: laws of 2T tokens, and what they lose.

The model's law of T tokens is laid out by enumerating its contexts. Windows are built from it as they are (`Scheme` on
`WindowMarginals`), every token keeping the model's own conditional. The other sets need tables that agree; they are
read off the law that sliding-window decoding gives, which is the model's own wherever T tokens hold them, up to its
shifts.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from testbed.maxent import (
    ConstraintSet,
    CountMarginals,
    Pairs,
    Scheme,
    WindowMarginals,
    Windows,
    divergence,
    token_divergences,
)
from testbed.maxent.policies import Policy
from testbed.sources import Source
from testbed.studies.mep_extension.schemes import LOOSE, extended

Floats = NDArray[np.float64]
OTHERS = ("pairs_near", "conditional_near", "kirkwood_near", "chain", "unigram")
"""Sets and baselines within T tokens that are no windows."""
COUNTED = ("pairs_all", "back_off", "back_off_all")
"""From counts of sequences of 2T tokens: GMEP, and smoothed back-off over T - 1 tokens and over all before."""
POLICIES: tuple[Policy, ...] = ("autoregressive", "backward", "reconciled", "soft", "ipf")
SOFT = 1e-4
"""Weight of the soft policy: it costs less than the margins wherever the tables agree."""


def window(overlap: int) -> str:
    return f"windows_{overlap}"


def names_of(context_length: int) -> tuple[str, ...]:
    """Every extension of a model's own tables, the sliding window first."""
    return (*(window(s) for s in range(context_length - 1, -1, -1)), *OTHERS)


def true_law(source: Source, length: int) -> Floats:
    """(V,) * n: the exact law of `length` successive tokens."""
    found = source.context_law(length)
    law = np.zeros((source.vocab_size,) * length)
    law[tuple(found.contexts.T.astype(np.int64))] = found.probabilities
    return law


def windows_law(block: Floats, overlap: int, length: int, policy: Policy = "autoregressive") -> Floats:
    """The law of `length` tokens by windows of T that overlap."""
    scheme = Scheme(family=Windows(overlap=overlap), policy=policy, l2=SOFT)
    return scheme.extend(WindowMarginals(block), block.shape[0], block.ndim, length).law.probabilities


def extension_losses(law: Floats, block: Floats) -> Floats:
    """(scheme, 2T): E_p KL(p(x_t | x_<t) || q(x_t | x_<t)) of every extension of a model's law of T tokens."""
    t = block.ndim
    sliding = windows_law(block, t - 1, 2 * t)
    rows = [token_divergences(law, windows_law(block, s, 2 * t)) for s in range(t - 1, -1, -1)]
    rows += [token_divergences(law, extended(name, sliding, t)) for name in OTHERS]
    return np.array(rows)


def policy_losses(law: Floats, block: Floats) -> Floats:
    """(policy,): KL(p || q) of all 2T tokens by windows that overlap by T / 2."""
    t = block.ndim
    return np.array([divergence(law, windows_law(block, t // 2, 2 * t, policy)) for policy in POLICIES])


def order_distance(block: Floats) -> tuple[float, float, float]:
    """Total variation between proportional fitting on two windows in one order and in the other; the same between the
    autoregressive and the backward law; and delta, that between the model's laws of its first and last T / 2 tokens."""
    t = block.ndim
    n = 3 * t // 2
    given = Windows(overlap=t // 2).constraints(WindowMarginals(block), block.shape[0], t, n, allow_disagreement=True)
    turned = ConstraintSet(given.vocab_size, n, given.constraints[::-1], allow_disagreement=True)
    fitted = [one.solve("ipf", max_iterations=200, on_failure="return").probabilities for one in (given, turned)]
    ways = [windows_law(block, t // 2, n, policy) for policy in ("autoregressive", "backward")]
    delta = float(WindowMarginals(block).shift_distances()[t // 2 - 1])
    return distance(*fitted), distance(*ways), delta


def distance(p: Floats, q: Floats) -> float:
    """Total variation."""
    return float(np.abs(p - q).sum() / 2)


def counted_losses(law: Floats, tokens: NDArray[np.integer[Any]], context_length: int) -> Floats:
    """(COUNTED, 2T): the same losses of what is counted in sequences (N, 2T)."""
    v, n = law.shape[0], law.ndim
    cells = np.ravel_multi_index(tuple(tokens.T.astype(np.int64)), law.shape)
    seen = np.bincount(cells, minlength=law.size).reshape(law.shape).astype(np.float64)
    smooth = (seen + 1.0 / seen.size) / (seen.sum() + 1.0)
    pairs = Pairs().constraints(lambda c: _marginal(smooth, c), v, context_length, n)
    laws = [pairs.solve("lbfgs", tolerance=LOOSE).probabilities]
    laws += [pooled_back_off(tokens, v, reach) for reach in (context_length - 1, n - 1)]
    return np.array([token_divergences(law, one) for one in laws])


def _marginal(law: Floats, positions: tuple[int, ...]) -> Floats:
    return law.sum(axis=tuple(p for p in range(law.ndim) if p not in positions))


def pooled_back_off(tokens: NDArray[np.integer[Any]], vocab_size: int, reach: int) -> Floats:
    """(V,) * n: back-off by escapes (method C, blended; Witten & Bell 1991) over up to `reach` tokens, counted at every
    place of sequences (N, n) alike, as a stationary source allows.

    q_k(x | c) = (n(c x) + d q_(k-1)(x | c without its oldest token)) / (n(c) + d),  q_(-1) = 1 / V, d the number of
    different symbols seen after c.
    """
    n = tokens.shape[1]
    laws = []
    law = np.full(vocab_size, 1.0 / vocab_size)
    for depth in range(min(reach, n - 1) + 1):
        counter = CountMarginals(tokens, vocab_size, length=depth + 1)
        seen = np.rint(counter(tuple(range(depth + 1))) * counter.n_stretches)
        total, different = seen.sum(axis=-1, keepdims=True), (seen > 0).sum(axis=-1, keepdims=True)
        law = np.where(total > 0, (seen + different * law) / np.maximum(total + different, 1.0), law)
        laws.append(law)
    joint = np.ones(())
    for t in range(n):
        joint = joint[..., None] * laws[min(t, len(laws) - 1)]
    return joint
