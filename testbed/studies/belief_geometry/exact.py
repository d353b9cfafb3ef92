"""What is exact: beliefs after every token, their factors, and what the next token's law says of them.

b_t       law of the hidden state given t tokens;  next token's law  p_t = b_t E,  E[s, x] = p(x | s)
product   b_t = b_t^1 (x) b_t^2, the outer product of its components' beliefs; with m^i the mean of b^i,
          b = m^1 (x) m^2 + (b^1 - m^1) (x) m^2 + m^1 (x) (b^2 - m^2) + (b^1 - m^1) (x) (b^2 - m^2)
          the last term, the interaction, is what no affine map of (b^1, b^2) gives
"""

import numpy as np
from numpy.typing import NDArray

from testbed.sources import Source
from testbed.sources.combinators.product import ProductSource
from testbed.sources.machine import MachineSource

Floats = NDArray[np.float64]
Tokens = NDArray[np.integer]

DIGITS = 9
"""Laws that agree to so many digits are one."""


def factor_beliefs(source: Source, tokens: Tokens) -> list[Floats]:
    """Beliefs (N, L + 1, S_i) of each component after 0 .. L tokens; of the source itself where it is no product."""
    if isinstance(source, ProductSource):
        parts = zip(source.components, source.decode(tokens), strict=True)
        return [belief for component, part in parts for belief in factor_beliefs(component, part)]
    assert isinstance(source, MachineSource)
    return [source.beliefs(tokens)]


def joint_belief(factors: list[Floats]) -> Floats:
    """(n, S_1 S_2): the outer product of the rows of two beliefs."""
    return np.einsum("ni,nj->nij", *factors).reshape(len(factors[0]), -1)


def interaction(factors: list[Floats], weights: Floats) -> Floats:
    """(n, S_1 S_2): (b^1 - m^1) (x) (b^2 - m^2), m the weighted means."""
    share = weights / weights.sum()
    return joint_belief([one - share @ one for one in factors])


def one_hot_window(tokens: Tokens, vocab_size: int) -> Floats:
    """(N, L + 1, L (V + 1)): for each place, which token stood L, .., 2, 1 places before it, or that none did."""
    n, length = tokens.shape
    padded = np.concatenate([np.full((n, length), vocab_size), tokens.astype(np.int64)], axis=1)
    eye = np.eye(vocab_size + 1)
    seen = np.stack([padded[:, t : t + length] for t in range(length + 1)], axis=1)
    return eye[seen].reshape(n, length + 1, -1)


def factor_laws(source: Source, laws: Floats) -> list[Floats]:
    """(n, V_i) of each component from the law (n, V) of a product's next token, which is their outer product."""
    if not isinstance(source, ProductSource):
        return [laws]
    first, second = (component.vocab_size for component in source.components)
    both = laws.reshape(len(laws), first, second)
    return [both.sum(axis=2), both.sum(axis=1)]


def means_given_law(laws: Floats, beliefs: Floats, weights: Floats) -> Floats:
    """(n, k): E[b | p], the best of all functions of the next token's law p, over rows of these weights.

    laws (n, V), beliefs (n, k), weights (n,); laws that agree to 9 digits are one. It is b itself where the law gives
    the belief, and not where states that look alike now have different futures. Of a product it is taken factor by
    factor, E[b^i | p^i]: the factors are independent, and laws of both together are too many for means over rows.
    """
    _, of_row = np.unique(np.round(laws, DIGITS), axis=0, return_inverse=True)
    of_row = of_row.ravel()
    total = np.bincount(of_row, weights)
    means = np.stack([np.bincount(of_row, weights * column) / total for column in beliefs.T], axis=1)
    return np.asarray(means[of_row])


def explained(found: Floats, truth: Floats, weights: Floats) -> float:
    """1 - E |truth - found|^2 / E |truth - E truth|^2 over rows of these weights."""
    centre = weights @ truth / weights.sum()
    left = weights @ np.sum((truth - found) ** 2, axis=1)
    return float(1.0 - left / (weights @ np.sum((truth - centre) ** 2, axis=1)))


def histories(tokens: Tokens, first: int, vocab_size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The distinct histories of first .. L tokens among all places of sequences (N, L).

    rows    (n,) where each is first met, an index into the places (N, L + 1 - first) flattened
    counts  (n,) how often
    """
    n, length = tokens.shape
    numbers = np.zeros((n, length + 1), dtype=np.uint64)
    for t in range(length):  # digits 1 .. V, so that lengths differ too; wraps only beyond 64 bits
        numbers[:, t + 1] = numbers[:, t] * np.uint64(vocab_size + 1) + tokens[:, t].astype(np.uint64) + np.uint64(1)
    _, rows, counts = np.unique(numbers[:, first:].ravel(), return_index=True, return_counts=True)
    return rows, counts
