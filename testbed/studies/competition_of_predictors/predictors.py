"""The predictors in closed form: what the context's statistics are used for, retrieval or inference; and none.

Of a family of N chains with transitions P_n and stationary laws pi_n, after tokens x_0 .. x_(t-1), in nats:

    uni_ret   sum_n w_n P_n(. | x_(t-1)),    w_n ~ prod_s pi_n(x_s)                     retrieval by single tokens
    bi_ret    sum_n w_n P_n(. | x_(t-1)),    w_n ~ pi_n(x_0) prod_s P_n(x_s | x_(s-1))  retrieval by pairs
    uni_inf   (n_x + a) / (t + K a)                                                     inference by single tokens
    bi_inf    (n_(x_(t-1), x) + a) / (n_(x_(t-1)) + K a)                                inference by pairs
    uniform   1 / K                                                                     nothing learnt yet

bi_ret is the Bayes law of the family, exactly; bi_inf that of rows drawn anew from a Dirichlet(a) law for each sequence
that starts uniformly, to which bi_ret tends for N -> infinity but for what the first token says of a stationary chain.
For N = 1 both retrievals are the chain itself. Without the uniform law what is not learnt yet would be counted as one
of the four: by single tokens mostly.

Park et al. 2024 (2412.01003). Which law a retrieval by single tokens predicts with is our reading: the rows of the
retrieved chains, so that at N = 1 it is right at once.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from testbed.sources.in_context import MarkovMixtureSource

Floats = NDArray[np.float64]
Name = Literal["uni_ret", "bi_ret", "uni_inf", "bi_inf", "uniform"]
NAMES: tuple[Name, ...] = ("uni_ret", "bi_ret", "uni_inf", "bi_inf", "uniform")
RETRIEVAL, INFERENCE = (0, 1), (2, 3)
"""Places in NAMES."""
CHUNK_ENTRIES = 2**23
"""Numbers of one array, at the most."""


@dataclass(frozen=True, eq=False)
class Family:
    """Chains (N, K, K) with their stationary laws (N, K), and the Dirichlet parameter a that they are drawn with."""

    transitions: Floats
    stationary: Floats
    concentration: float

    @classmethod
    def of(cls, source: MarkovMixtureSource) -> "Family":
        """The family of a source of order 1."""
        if source.order != 1:
            raise ValueError(f"order: given {source.order}, the four predictors are of chains of order 1")
        laws = [component.context_law(1) for component in source.components]
        chains = np.stack([law.laws[np.argsort(law.contexts[:, 0])] for law in laws])
        stationary = np.stack([law.probabilities[np.argsort(law.contexts[:, 0])] for law in laws])
        return cls(chains, stationary, source.concentration)


def predictions(family: Family, tokens: NDArray[np.integer]) -> Floats:
    """(5, M, L - 1, K): each predictor's law of tokens[:, t], t = 1 .. L - 1, for sequences (M, L)."""
    m, length = tokens.shape
    n, k = family.stationary.shape
    found = np.empty((len(NAMES), m, length - 1, k))
    step = max(1, CHUNK_ENTRIES // (length * n))
    for first in range(0, m, step):
        part = slice(first, first + step)
        found[:2, part] = _retrievals(family, tokens[part].astype(np.int64))
    found[2:4] = _inferences(tokens.astype(np.int64), k, family.concentration)
    found[4] = 1.0 / k
    return found


def _retrievals(family: Family, tokens: NDArray[np.int64]) -> Floats:
    """(2, M, L - 1, K) by single tokens and by pairs."""
    before, after = tokens[:, :-1], tokens[:, 1:-1]
    single = np.log(family.stationary)[:, before]  # (N, M, L - 1)
    pairs = single.copy()
    pairs[:, :, 1:] = np.log(family.transitions)[:, before[:, :-1], after]
    found = []
    for scores in (single, pairs):
        logs = np.cumsum(scores, axis=2)
        weights = np.exp(logs - logs.max(axis=0))
        weights /= weights.sum(axis=0)
        table = np.zeros((*before.shape, family.stationary.shape[1]))
        for symbol in range(table.shape[-1]):
            here = before == symbol
            table[here] = weights[:, here].T @ family.transitions[:, symbol]
        found.append(table)
    return np.stack(found)


def _inferences(tokens: NDArray[np.int64], k: int, a: float) -> Floats:
    """(2, M, L - 1, K) by single tokens and by pairs."""
    seen = np.eye(k)[tokens[:, :-1]]  # (M, L - 1, K): token s
    single = np.cumsum(seen, axis=1) + a
    pairs = np.full(seen.shape, a)
    for symbol in range(k):
        follows = np.zeros_like(seen)  # token s, where it follows the symbol
        follows[:, 1:] = seen[:, 1:] * (tokens[:, :-2] == symbol)[:, :, None]
        here = tokens[:, :-1] == symbol
        pairs[here] += np.cumsum(follows, axis=1)[here]
    return np.stack([one / one.sum(axis=-1, keepdims=True) for one in (single, pairs)])
