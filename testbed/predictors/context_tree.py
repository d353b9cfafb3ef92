"""Context-tree weighting: the Bayes mixture over all context trees up to a depth (Willems, Shtarkov & Tjalkens 1995).

A context tree says how many of the last tokens matter: its leaves are the contexts, each with a law of the next token.
The prior lets every node of depth below D branch with probability b and draws every leaf's law from a symmetric
Dirichlet(a); b = a = 1/2 is the original. The mixture's next-token law is found along one path, from the node s of
depth D up to the root:

    q_D = p_D,      q_d = (B p_d + q_(d+1)) / (B + 1),      p_d(x) = (n_s(x) + a) / (n_s + V a),

where n_s counts what followed the context s of d tokens so far and B = (1 - b) P_leaf(s) / (b prod_c P(c s)) is the
posterior odds that s is a leaf. After each token x, B is multiplied by p_d(x) / q_(d+1)(x) (the ratio form, Willems &
Tjalkens). Since that needs depth d + 1 alone, a whole depth is computed at once, for all positions and sequences.
"""

import numpy as np
from numpy.typing import NDArray

from testbed.core import ConfigError
from testbed.predictors.grouping import context_groups, earlier_counts, earlier_sums, earlier_symbols

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

CHUNK_ENTRIES = 2**22


def context_tree_weighting(
    tokens: NDArray[np.integer],
    vocab_size: int,
    depth: int,
    branching: float = 0.5,
    concentration: float = 0.5,
) -> Floats:
    """(N, L) code length of every token, -ln q(x_t | x_0 .. x_(t-1)) in nats; the first `depth` tokens cost ln V each.

    tokens (N, L), each row a sequence of its own, or (L,) for one sequence. Every token's code length uses the tokens
    before it alone; the sum over a row is the sequence's code length. Time O(N L D log(N L)), memory O(N L D).

    >>> lengths = context_tree_weighting(np.array([0, 1] * 8), vocab_size=2, depth=2)
    >>> (lengths[:3] / np.log(2)).round(3).tolist(), lengths[-3:].round(3).tolist()
    ([1.0, 1.0, 1.0], [0.088, 0.075, 0.074])

    Raises ConfigError for tokens outside 0 .. V - 1, a negative depth, a branching outside 0 .. 1, or a concentration
    that is not positive.
    """
    rows = _checked(tokens, vocab_size, depth, branching, concentration)
    lengths = np.full(rows.shape, np.log(vocab_size))
    if rows.shape[1] > depth:
        for part in _chunks(rows, depth + 1):
            levels = _levels(rows[part], vocab_size, depth, branching, concentration)
            lengths[part, depth:] = -levels[0].log_mixture
    return lengths.reshape(np.shape(tokens))


def context_tree_law(
    tokens: NDArray[np.integer],
    vocab_size: int,
    depth: int,
    branching: float = 0.5,
    concentration: float = 0.5,
) -> Floats:
    """(N, L, V): q(x | x_0 .. x_(t-1)), whose -ln at the tokens `context_tree_weighting` returns; uniform for t < D."""
    rows = _checked(tokens, vocab_size, depth, branching, concentration)
    laws = np.full((*rows.shape, vocab_size), 1.0 / vocab_size)
    if rows.shape[1] > depth:
        for part in _chunks(rows, max(vocab_size, depth + 1)):
            laws[part, depth:] = _mixed_laws(rows[part], vocab_size, depth, branching, concentration)
    return laws.reshape(*np.shape(tokens), vocab_size)


class _Level:
    """One depth of the tree at all positions.

    groups         (N, L - D) the node of every position
    leaf_weight    (N, L - D) posterior probability that the node is a leaf, given that the tree has it
    log_mixture    (N, L - D) ln q_d(x_t)
    """

    def __init__(self, groups: Integers, tokens: Integers, vocab_size: int, concentration: float) -> None:
        self.groups = groups
        pairs = earlier_counts(groups * vocab_size + tokens)
        self.log_leaf = np.log((pairs + concentration) / (earlier_counts(groups) + vocab_size * concentration))
        self.leaf_weight = np.ones(groups.shape)
        self.log_mixture = self.log_leaf

    def mix_with(self, below: "_Level", branching: float) -> None:
        with np.errstate(divide="ignore"):
            prior = np.log1p(-branching) - np.log(branching)  # infinite where the prior is certain
        log_odds = prior + earlier_sums(self.groups, self.log_leaf - below.log_mixture)
        self.leaf_weight = np.exp(-np.logaddexp(0.0, -log_odds))
        self.log_mixture = np.logaddexp(
            self.log_leaf - np.logaddexp(0.0, -log_odds), below.log_mixture - np.logaddexp(0.0, log_odds)
        )


def _levels(tokens: Integers, vocab_size: int, depth: int, branching: float, concentration: float) -> list[_Level]:
    """The levels of depth 0 .. D, mixed from the deepest upwards."""
    following = tokens[:, depth:]
    levels = [_Level(groups, following, vocab_size, concentration) for groups in context_groups(tokens, depth)]
    for d in range(depth - 1, -1, -1):
        levels[d].mix_with(levels[d + 1], branching)
    return levels


def _mixed_laws(tokens: Integers, vocab_size: int, depth: int, branching: float, concentration: float) -> Floats:
    """(N, L - D, V)."""
    following = tokens[:, depth:]
    laws = np.zeros((*following.shape, vocab_size))
    for level in reversed(_levels(tokens, vocab_size, depth, branching, concentration)):
        smoothed = earlier_symbols(level.groups, following, vocab_size) + concentration
        smoothed /= smoothed.sum(axis=-1, keepdims=True)
        laws += level.leaf_weight[..., None] * (smoothed - laws)
    return laws


def _chunks(rows: Integers, width: int) -> list[slice]:
    """Slices of sequences whose (n, L, width) arrays stay small."""
    step = max(1, CHUNK_ENTRIES // max(rows.shape[1] * width, 1))
    return [slice(first, first + step) for first in range(0, len(rows), step)]


def _checked(
    tokens: NDArray[np.integer], vocab_size: int, depth: int, branching: float, concentration: float
) -> Integers:
    array = np.asarray(tokens)
    if array.ndim not in (1, 2) or (array.size and array.dtype.kind not in "ui"):
        raise ConfigError(f"tokens: need integers (N, L) or (L,), given {array.dtype} of shape {array.shape}")
    if vocab_size < 1 or (array.size and not 0 <= int(array.min()) <= int(array.max()) < vocab_size):
        raise ConfigError(f"tokens: given {array.min()} .. {array.max()}, must lie in 0 .. V - 1 = {vocab_size - 1}")
    if depth < 0:
        raise ConfigError(f"depth: given {depth}, must be at least 0")
    if not 0.0 <= branching <= 1.0:
        raise ConfigError(f"branching: given {branching}, must lie in 0 .. 1")
    if not concentration > 0.0:
        raise ConfigError(f"concentration: given {concentration}, must be positive")
    return np.atleast_2d(array).astype(np.int64)
