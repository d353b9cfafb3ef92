"""`TreeSource`: independent trees of s^depth leaves laid end to end; the leaves are the tokens."""

import hashlib
import math
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from testbed.core import Truth, UndefinedError
from testbed.sources.dyadic import quantise
from testbed.sources.hierarchical.branching import Branching
from testbed.sources.hierarchical.filter import TreeFilter
from testbed.sources.hierarchical.losses import Losses, tree_losses, window_losses
from testbed.sources.hierarchical.pairs import borders_differ, independent_leaves, two_point
from testbed.sources.hierarchical.tree import Tree
from testbed.sources.hierarchical.unknown_position import (
    START_STREAM,
    affordable_context,
    enumerated_entropies,
    laws_at_unknown_position,
    sampled_entropies,
)
from testbed.sources.randomness import in_range, random_words
from testbed.sources.source import (
    Floats,
    Source,
    Tokens,
    check_positions,
    check_tokens,
    require_law_memory,
    token_dtype,
)
from testbed.sources.truth_sums import sum_truths

MAX_LEAVES = 2**20
MAX_LEAVES_OF_TRUTHS = 2**14
"""Truths that go through a tree leaf by leaf are given for so many."""
MAX_STARTS = 2**10
"""Trees of more leaves are not looked at from an unknown position: that takes a filter for every start."""
CHUNK_ENTRIES = 2**22


class TreeSource(Source):
    """Independent trees of T = s^depth leaves laid end to end; a sequence is cut off at its length.

    phase "aligned"  a sequence starts with a tree; `predict` and `position_losses` know the position. h_l, h and E are
                     those of the stationary process, and `predict(context=l)` is its law: the position is not known
    phase "random"   a sequence starts anywhere in a tree, uniformly (to 2^-64): the stationary process itself
    """

    vocab_size: int = Field(ge=2, le=4096, description="number of symbols V, the same at every level")
    branching: int = Field(2, ge=2, le=64, description="children of a node, s")
    depth: int = Field(3, ge=1, le=20, description="levels below the root; a tree has s^depth leaves")
    phase: Literal["aligned", "random"] = Field(
        "aligned", description="aligned: a sequence starts with a tree; random: anywhere in one (stationary)"
    )

    @abstractmethod
    def _make_levels(self) -> list[Branching]:
        """How the nodes of each level branch, the root's first."""

    @model_validator(mode="after")
    def _check_leaves(self) -> Self:
        largest = MAX_LEAVES if self.phase == "aligned" else MAX_STARTS
        if self.tree_length > largest:
            remedy = " (with phase random)" if self.phase == "random" else ""
            raise ValueError(
                f"depth: given {self.depth}; {self.branching}^{self.depth} leaves a tree are over the limit of"
                f" {largest}{remedy}"
            )
        return self

    # -- the law
    @property
    def stationary(self) -> bool:  # type: ignore[override]
        """The law of a stretch of tokens does not depend on where it is taken."""
        return self.phase == "random"

    @property
    def period(self) -> int | None:  # type: ignore[override]
        """At a random phase T, which is a multiple where the position cannot be told; 1 for independent tokens."""
        if not self.stationary:
            return None
        return 1 if independent_leaves(self.tree) else self.tree_length

    @property
    def tree_length(self) -> int:
        """T = s^depth, leaves of a tree."""
        return int(self.branching**self.depth)

    @cached_property
    def tree(self) -> Tree:
        """The law of one tree; the root's symbol is uniform, to 2^-32 where V is no power of two."""
        return Tree(quantise(np.full(self.vocab_size, 1.0 / self.vocab_size)), self._make_levels())

    @property
    def fingerprint(self) -> str:
        head = f"tree:{self.vocab_size}:{self.branching}:{self.depth}:{self.phase}:"
        digest = hashlib.sha256(head.encode() + self.tree.root_weights.astype("<i8").tobytes())
        for level in self.tree.levels:
            digest.update(type(level).__name__.encode() + level.weights_bytes)
        return digest.hexdigest()

    # -- samples
    def sample(self, n_sequences: int, length: int, seed: int = 0, first_sequence: int = 0) -> Tokens:
        """(N, L) tokens, each tree drawn from its root down; row i depends on (source, seed, first_sequence + i)."""
        length = in_range("length", length, 2**32)
        random_words(n_sequences, 0, seed, first_sequence)  # checks them before any tree is drawn
        tokens = np.empty((n_sequences, length), dtype=token_dtype(self.vocab_size))
        drawn = length + (self.tree_length - 1 if self.phase == "random" else 0)
        rows = max(1, CHUNK_ENTRIES // max(1, drawn))
        for first in range(0, n_sequences if length else 0, rows):
            n = min(rows, n_sequences - first)
            leaves = self.tree.draw(n, drawn, seed, first_sequence + first)
            if self.phase == "random":
                starts = self._starts(n, seed, first_sequence + first)
                leaves = np.take_along_axis(leaves, starts[:, None] + np.arange(length), axis=1)
            tokens[first : first + n] = leaves
        return tokens

    def _starts(self, n: int, seed: int, first_sequence: int) -> NDArray[np.int64]:
        """(n,) floor(T u) for 64-bit fractions u, made of two words each."""
        words = random_words(n, 2, seed, first_sequence, START_STREAM).astype(np.uint64)
        size, half = np.uint64(self.tree_length), np.uint64(32)
        return ((words[:, 0] * size + (words[:, 1] * size >> half)) >> half).astype(np.int64)

    # -- prediction
    def predict(self, tokens: Tokens, context: int | None = None, positions: Sequence[int] | None = None) -> Floats:
        """(N, L, V) exact laws by belief propagation; with `context` the position in the tree is not known."""
        tokens = check_tokens(tokens, self.vocab_size, context)
        at = check_positions(positions, tokens.shape[1])
        require_law_memory(len(tokens), len(at), self.vocab_size)
        if context is not None:
            self._require_few_starts()
        laws = np.empty((len(tokens), len(at), self.vocab_size))
        for rows in self._row_chunks(len(tokens)):
            if context is None and self.phase == "aligned":
                laws[rows] = self._aligned_laws(tokens[rows], at)
            else:
                laws[rows] = self._laws_of_windows(tokens[rows], at, tokens.shape[1] if context is None else context)
        return laws

    def _row_chunks(self, n: int) -> Iterator[slice]:
        rows = max(1, CHUNK_ENTRIES // ((self.tree.width + self.vocab_size) * self.depth))
        return (slice(first, min(first + rows, n)) for first in range(0, n, rows))

    def _aligned_laws(self, tokens: NDArray[np.int64], at: list[int]) -> Floats:
        laws = np.empty((len(tokens), len(at), self.vocab_size))
        state = TreeFilter(self.tree, len(tokens))
        wanted = np.array(at, dtype=np.int64)
        for t in range(max(at, default=-1) + 1):
            laws[:, wanted == t] = state.law()[:, None]
            state.observe(tokens[:, t])
        return laws

    def _laws_of_windows(self, tokens: NDArray[np.int64], at: list[int], context: int) -> Floats:
        """Position t given the last min(t, context) tokens: those before the first full window share one pass."""
        laws = np.empty((len(tokens), len(at), self.vocab_size))
        early = sorted({t for t in at if t <= context})
        found = laws_at_unknown_position(self.tree, tokens, early)
        for column, t in enumerate(at):
            if t <= context:
                laws[:, column] = found[:, early.index(t)]
            else:
                window = tokens[:, t - context : t + 1]
                laws[:, column] = laws_at_unknown_position(self.tree, window, [context])[:, 0]
        return laws

    # -- truths of known positions
    def position_losses(self, length: int) -> Truth:
        """(length,): aligned: of period T; exact where the beliefs can be enumerated, else sampled. Random: h_t."""
        length = in_range("length", length, 2**32)
        if self.phase == "random":
            return self.conditional_entropies(length - 1) if length else Truth.exact(np.empty(0))
        known = min(length, self.tree_length)
        self._require_few_leaves(known)
        return self._losses(self.tree, known).positions[np.arange(length) % max(known, 1)]

    def last_token_entropies(self, max_context: int) -> Truth:
        """H(last leaf of a tree | the nearest l leaves), l = 0 .. max_context, position known; exact, or else sampled.

        The quantity of the hierarchical theory of next-token prediction (Cagnetta & Wyart 2024, 2406.00048), whose
        plateaus lie at l = s^j - 1, where one more subtree is seen whole. From l = T - 1 on it does not change.
        """
        max_context = in_range("max_context", max_context, 2**32)
        longest = min(max_context, self.tree_length - 1)
        self._require_few_leaves(longest)
        return window_losses(self.tree, longest)[np.minimum(np.arange(max_context + 1), longest)]

    def _losses(self, tree: Tree, n: int) -> Losses:
        """`tree_losses`, kept once computed."""
        kept: dict[tuple[int, bool], Losses] = self.__dict__.setdefault("_kept_losses", {})
        key = (n, tree is self.tree)
        if key not in kept:
            kept[key] = tree_losses(tree, n)
        return kept[key]

    def _require_few_leaves(self, n: int) -> None:
        if n > MAX_LEAVES_OF_TRUTHS:
            raise UndefinedError(
                f"{self.type_name}: truths that go through a tree leaf by leaf are given up to {MAX_LEAVES_OF_TRUTHS}"
                f" leaves, and this takes {n}"
            )

    # -- truths of the stationary process
    def tree_entropy(self) -> Truth:
        """H(leaves of a tree), the sum of its position losses: exact or sampled, as they are."""
        self._require_few_leaves(self.tree_length)
        return self._losses(self.tree, self.tree_length).total

    def conditional_entropies(self, max_context: int) -> Truth:
        """h_l of the stationary process: the position in the tree is not known, but told more and more by the context.

        Exact, over all strings, while these are few; else sampled: means of exact conditional entropies.
        """
        max_context = in_range("max_context", max_context, 2**32)
        self._require_few_starts()
        few = affordable_context(self.tree, max_context)
        exact = enumerated_entropies(self.tree, few) if few >= 0 else np.empty(0)
        if few == max_context:
            return Truth.exact(exact)
        sampled = sampled_entropies(self.tree, max_context)
        mean, error = sampled.lower.copy(), sampled.standard_error.copy()
        mean[: few + 1], error[: few + 1] = exact, 0.0
        return Truth.sampled(mean, error)

    def _require_few_starts(self) -> None:
        if self.tree_length > MAX_STARTS:
            raise UndefinedError(
                f"{self.type_name} has trees of {self.tree_length} leaves; laws at an unknown position are given up to"
                f" {MAX_STARTS}. predict without context and position_losses know the position"
            )

    def entropy_rate(self) -> Truth:
        """h = H(tree) / T: not to know the position costs at most ln T nats, once."""
        tree, size = self.tree_entropy(), self.tree_length
        return Truth(tree.lower / size, tree.upper / size, tree.kind, tree.standard_error / size)

    def excess_entropy(self) -> Truth:
        """E = mean over r < T of [H(first r leaves) - r h] + [H(last r leaves) - r h], plus what the position is worth.

        The first two are what the parts of a tree that the present cuts share. The infinite past tells the position,
        which is worth ln T, if no other one looks the same; where that is not seen, E is a bracket, from nothing to
        ln T of it.
        """
        self._require_few_leaves(self.tree_length)
        if independent_leaves(self.tree):
            return Truth.exact(0.0)
        shared = sum_truths([self._losses(one, self.tree_length).ramp for one in (self.tree, self.tree.mirrored())])
        worth = math.log(self.tree_length)
        if self._position_is_told():
            return sum_truths([shared, Truth.exact(worth)])
        if shared.kind == "sampled":
            raise UndefinedError(
                f"{self.type_name}: it is not known whether the position in these trees can be told, and their losses"
                " are sampled"
            )
        return Truth.bracket(max(0.0, float(shared.lower) - 1e-12), float(shared.upper) + worth + 1e-12)

    def _position_is_told(self) -> bool:
        """The stream has no period below T: a period that divides T divides T / p for a prime factor p of s, and then
        neither pairs of neighbours nor losses T / p apart differ."""
        losses = self._losses(self.tree, self.tree_length).positions
        return all(
            differ or (losses.kind == "exact" and np.ptp(losses.lower.reshape(prime, -1), axis=0).max() > 1e-9)
            for prime, differ in borders_differ(self.tree).items()
        )

    def two_point(self, lags: int | Sequence[int]) -> Truth:
        """kappa(m) = (P(x_t = x_(t-m)) - sum p^2) / (1 - sum p^2) of the stationary process, p its marginal; exact."""
        self._require_few_leaves(self.tree_length)
        return two_point(self.tree, lags)
