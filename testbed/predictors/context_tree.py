"""Context-tree weighting: the Bayes mixture over all context trees up to a depth (Willems, Shtarkov & Tjalkens 1995).

A context tree says how many of the last tokens matter: its leaves are the contexts, each with a law of the next token.
The prior lets every node of depth below D branch with probability b and draws every leaf's law from a symmetric
Dirichlet(a); b = a = 1/2 is the original. The mixture's next-token law is found along one path, from the node s of
depth D up to the root:

    q_D = p_D,      q_d = (B p_d + q_(d+1)) / (B + 1),      p_d(x) = (n_s(x) + a) / (n_s + V a),

where n_s counts what followed the context s of d tokens so far and B = (1 - b) P_leaf(s) / (b prod_c P(c s)) is the
posterior odds that s is a leaf. After each token x, B is multiplied by p_d(x) / q_(d+1)(x) (the ratio form, Willems &
Tjalkens): D + 1 nodes a token, in time O(N L D) and in memory of about one node a token, at any depth.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from testbed.core import ConfigError
from testbed.predictors.windows import (
    MOST_SYMBOLS,
    checked_contexts,
    checked_integer,
    checked_tokens,
    checked_windows,
)

Floats = NDArray[np.float64]
Integers = NDArray[np.int32]

DENSE_VOCABULARY = 16
"""Alphabets up to this size keep a row of counts for every node; larger ones keep the pairs that occur."""
CERTAIN = 2**30  # the scale of odds that no data move
LEAST_CONCENTRATION = 1e-100
"""Beyond it and its inverse, odds would leave float64 in a single step."""


def context_tree_weighting(
    tokens: NDArray[np.integer],
    vocab_size: int,
    depth: int,
    branching: float = 0.5,
    concentration: float = 0.5,
) -> Floats:
    """(N, L) code length of every token, -ln q(x_t | x_0 .. x_(t-1)) in nats; the first `depth` tokens cost ln V each.

    tokens (N, L), each row a sequence of its own, or (L,) for one sequence. Every token's code length uses the tokens
    before it alone; the sum over a row is the sequence's code length.

    >>> lengths = context_tree_weighting(np.array([0, 1] * 8), vocab_size=2, depth=2)
    >>> (lengths[:3] / np.log(2)).round(3).tolist(), lengths[-3:].round(3).tolist()
    ([1.0, 1.0, 1.0], [0.088, 0.075, 0.074])

    Raises ConfigError for tokens outside 0 .. V - 1, a negative depth, a branching outside 0 .. 1, or a concentration
    that is not positive.
    """
    prior = ContextTree(vocab_size, depth, branching, concentration)
    rows = np.atleast_2d(checked_tokens(tokens, vocab_size))
    return prior._code(rows, np.empty((0, 0, vocab_size))).reshape(np.shape(tokens))


def context_tree_law(
    tokens: NDArray[np.integer],
    vocab_size: int,
    depth: int,
    branching: float = 0.5,
    concentration: float = 0.5,
) -> Floats:
    """(N, L, V): q(x | x_0 .. x_(t-1)), whose -ln at the tokens `context_tree_weighting` returns; uniform for t < D."""
    prior = ContextTree(vocab_size, depth, branching, concentration)
    rows = np.atleast_2d(checked_tokens(tokens, vocab_size))
    laws = np.full((*rows.shape, vocab_size), 1.0 / vocab_size)
    judged = np.empty((len(rows), max(rows.shape[1] - depth, 0), vocab_size))
    prior._code(rows, judged)
    laws[:, depth:] = judged
    return laws.reshape(*np.shape(tokens), vocab_size)


@dataclass(frozen=True)
class ContextTree:
    """The prior over trees as a learner of windows; see the module's formula.

    vocab_size      V
    depth           D, the longest context
    branching       b, the prior probability that a node above depth D branches
    concentration   a, of the Dirichlet prior of a leaf's law

    >>> contexts = np.array([[0], [1], [0], [1]])
    >>> ContextTree(vocab_size=2, depth=1).fit(contexts, np.array([1, 0, 1, 0])).laws(contexts[:2]).round(2)
    array([[0.21, 0.79],
           [0.79, 0.21]])
    """

    vocab_size: int
    depth: int
    branching: float = 0.5
    concentration: float = 0.5

    def __post_init__(self) -> None:
        # as Python's own integers, which the kernels take
        object.__setattr__(self, "vocab_size", checked_integer("vocab_size", self.vocab_size, 1, MOST_SYMBOLS))
        object.__setattr__(self, "depth", checked_integer("depth", self.depth, 0))
        if not 0.0 <= self.branching <= 1.0:
            raise ConfigError(f"branching: given {self.branching}, must lie in 0 .. 1")
        if not LEAST_CONCENTRATION <= self.concentration <= 1.0 / LEAST_CONCENTRATION:
            raise ConfigError(
                f"concentration: given {self.concentration}, must be positive, of {LEAST_CONCENTRATION} .. 1e100"
            )

    def fit(self, contexts: NDArray[np.integer], targets: NDArray[np.integer]) -> "FittedContextTree":
        """What is left of the prior after targets (n,), in their order, behind contexts (n, l >= D), oldest first."""
        from testbed.predictors._kernels.context_tree import empty_tree, observe

        given, following = checked_windows(contexts, targets, self.vocab_size, self.depth)
        text = np.column_stack([given[:, given.shape[1] - self.depth :], following]).ravel()
        ends = np.arange(self.depth, len(text), self.depth + 1)
        log_mixture = np.empty(len(ends))
        tree = empty_tree(1024 + 2 * self.depth, self.vocab_size, self.vocab_size <= DENSE_VOCABULARY)
        nothing = np.empty((0, self.vocab_size))
        tree = observe(text, ends, self.vocab_size, self.depth, *self._numbers, log_mixture, nothing, tree)
        return FittedContextTree(self, -log_mixture, text, tree)

    @property
    def _numbers(self) -> tuple[float, int, float]:
        """Prior odds of a leaf, their scale, and the constant, as the kernels take them."""
        if self.branching in (0.0, 1.0):
            return 1.0, CERTAIN if self.branching == 0.0 else -CERTAIN, self.concentration
        fraction, power = math.frexp(self.branching)  # b = fraction 2^power; its inverse may be beyond float64
        scale = round(-power / 512)
        return math.ldexp((1.0 - self.branching) / fraction, -power - 512 * scale), scale, self.concentration

    def _code(self, rows: Integers, laws: Floats) -> Floats:
        """(N, L) code lengths of rows; fills laws (N, L - D, V) unless they are empty."""
        from testbed.predictors._kernels.context_tree import observe_rows

        lengths = np.full(rows.shape, np.log(self.vocab_size))
        if rows.shape[1] > self.depth and len(rows):
            log_mixture = np.empty((len(rows), rows.shape[1] - self.depth))
            dense = self.vocab_size <= DENSE_VOCABULARY
            observe_rows(rows, self.vocab_size, self.depth, *self._numbers, log_mixture, laws, dense)
            lengths[:, self.depth :] = -log_mixture
        return lengths


@dataclass(frozen=True, eq=False)
class FittedContextTree:
    """A context tree after its targets.

    code_lengths    (n,) -ln q of every target given those before it, nats; their sum is -ln of the marginal likelihood
    """

    prior: ContextTree
    code_lengths: Floats
    _text: Integers
    _tree: tuple[Any, ...]

    def laws(self, contexts: NDArray[np.integer]) -> Floats:
        """(n, V): the mixture's next-token law after contexts (n, l >= D), oldest first; the tree stays as it is."""
        from testbed.predictors._kernels.context_tree import predict

        prior = self.prior
        given = checked_contexts(contexts, prior.vocab_size, prior.depth)
        queries = np.ascontiguousarray(given[:, given.shape[1] - prior.depth :])
        laws = np.empty((len(queries), prior.vocab_size))
        predict(self._text, queries, prior.vocab_size, prior.depth, *prior._numbers, self._tree, laws)
        return laws
