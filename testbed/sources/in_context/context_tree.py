"""Variable-order chains drawn per sequence: how many of the past tokens matter depends on those tokens."""

import hashlib
from collections.abc import Sequence
from fractions import Fraction
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from testbed.core import Truth, UndefinedError
from testbed.predictors.context_tree import context_tree_law, context_tree_weighting
from testbed.sources.in_context.dirichlet_entropies import expected_binary_chain_rate, expected_entropy
from testbed.sources.in_context.drawn_chains import enumerable, enumerated_losses, mean_rate
from testbed.sources.in_context.trees import Branching, branching_weight, tree_rows
from testbed.sources.in_context.urn import Ratio, check_urns, sample_urns
from testbed.sources.randomness import in_range
from testbed.sources.sampled_truth import TRUTH_SEED, sampled_position_losses
from testbed.sources.source import (
    Floats,
    Source,
    Tokens,
    check_positions,
    check_tokens,
    require_law_memory,
    source,
)

MAX_CONTEXT = 2**31
CHUNK_ENTRIES = 2**22
TOTAL = 2**32


@source("context_tree")
class ContextTreeSource(Source):
    """Every sequence has its own random context tree, and its own Dirichlet law at every leaf.

    A node branches with probability b, up to depth D.

        leaves  0, 01, 11 (the last token last):   after ...0 one law, after ...01 another, after ...11 a third

    The first D tokens are uniform. The Bayes law is context-tree weighting with the same prior (Willems, Shtarkov &
    Tjalkens 1995; transformers on such chains: Zhou, Tian & Diggavi 2024, 2410.05493):
    `testbed.predictors.context_tree`. With branching 1 it is `dirichlet_markov` of order D. `branching` is quantised to
    2^-32; `concentration` is a rational number.

    Sequences start from uniform tokens and are not stationary: `position_losses` takes the place of h_l. It is ln V for
    t < D, exact where all strings can be listed, else sampled. The rate is E[h] over drawn trees and laws: exact
    without branching and for two symbols at D = 1, where it is (1 - b) E[H] + b E[h of the order-1 chain]; else
    sampled. The excess entropy is infinite.

    >>> round(ContextTreeSource(vocab_size=2, depth=1, branching=0.5).entropy_rate().value, 9)
    0.490444624
    """

    stationary = False
    ergodic = False

    vocab_size: int = Field(ge=2, le=65536, description="number of symbols V")
    depth: int = Field(ge=1, le=20, description="longest context D")
    branching: Branching = 0.5
    concentration: Ratio = Field(1, description="Dirichlet parameter a of every leaf's law, rational")

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_urns(self.vocab_size, self.depth, "depth")
        return self

    @classmethod
    def examples(cls) -> list[Self]:
        return [
            cls(vocab_size=2, depth=3),
            cls(vocab_size=3, depth=2, branching=0.75, concentration="1/2"),
            cls(vocab_size=2, depth=1, branching=0.0),
            cls(vocab_size=3, depth=1, branching=1.0),
        ]

    @property
    def alpha(self) -> Fraction:
        """The concentration a as a fraction."""
        return Fraction(str(self.concentration))

    @property
    def branching_weight(self) -> int:
        """b as an integer over 2^32."""
        return branching_weight(self.branching)

    @property
    def fingerprint(self) -> str:
        text = f"context_tree:{self.vocab_size}:{self.depth}:{self.branching_weight}:{self.alpha}"
        return hashlib.sha256(text.encode()).hexdigest()

    def sample(self, n_sequences: int, length: int, seed: int = 0, first_sequence: int = 0) -> Tokens:
        """(N, L): a tree for each sequence, then an urn for each leaf."""
        n_sequences = in_range("n_sequences", n_sequences, 2**63)
        step = max(1, CHUNK_ENTRIES // self.vocab_size**self.depth)
        parts = [self._sample(0, length, seed, first_sequence)]  # refuses what is wrong, whatever N is
        for first in range(0, n_sequences, step):
            parts.append(self._sample(min(step, n_sequences - first), length, seed, first_sequence + first))
        return np.concatenate(parts)

    def _sample(self, n_sequences: int, length: int, seed: int, first_sequence: int) -> Tokens:
        rows = self.trees(n_sequences, seed, first_sequence)
        urns = self.vocab_size, self.depth, self.alpha
        return sample_urns(*urns, n_sequences, length, seed, first_sequence, rows=rows)

    def trees(self, n_sequences: int, seed: int = 0, first_sequence: int = 0) -> NDArray[np.int32]:
        """(N, V^D): the leaf of every context in each sequence's tree; see `testbed.sources.in_context.trees`."""
        return tree_rows(self.vocab_size, self.depth, self.branching_weight, n_sequences, seed, first_sequence)

    # -- prediction
    def predict(self, tokens: Tokens, context: int | None = None, positions: Sequence[int] | None = None) -> Floats:
        """(N, L, V) exact laws, by context-tree weighting; `context` is refused."""
        given = check_tokens(tokens, self.vocab_size, context)
        self._refuse_context(context)
        at = check_positions(positions, given.shape[1])
        require_law_memory(len(given), len(at), self.vocab_size)
        laws = np.empty((len(given), len(at), self.vocab_size))
        step = max(1, CHUNK_ENTRIES // max(given.shape[1] * self.vocab_size, 1))
        for first in range(0, len(given), step):
            part = slice(first, first + step)
            laws[part] = context_tree_law(given[part], *self._prior)[:, at]
        return laws

    def log_probs(self, tokens: Tokens, context: int | None = None) -> Floats:
        """(N, L) ln p(tokens[:, t] | what stands before), without an (N, L, V) array."""
        given = check_tokens(tokens, self.vocab_size, context)
        self._refuse_context(context)
        return -context_tree_weighting(given, *self._prior)

    @property
    def _prior(self) -> tuple[int, int, float, float]:
        return self.vocab_size, self.depth, self.branching_weight / TOTAL, float(self.alpha)

    def _refuse_context(self, context: int | None) -> None:
        if context is not None:
            raise UndefinedError(
                f"context: a sequence of {self.type_name} starts from uniform tokens and is not stationary, so there is"
                " no law given the last l tokens at an unknown time; give context=None"
            )

    # -- truths
    def conditional_entropies(self, max_context: int) -> Truth:
        """Refused: sequences are not stationary."""
        in_range("max_context", max_context, MAX_CONTEXT)
        raise UndefinedError(
            f"h_l: a sequence of {self.type_name} is not stationary; position_losses gives the Bayes loss of every"
            " position"
        )

    def entropy_rate(self) -> Truth:
        """E[h] over drawn trees and laws; exact without branching, and for two symbols at depth 1."""
        b = self.branching_weight / TOTAL
        unbranched = expected_entropy(self.vocab_size, float(self.alpha))
        if b == 0.0:
            return Truth.exact(unbranched)
        if self.depth == 1 and self.vocab_size == 2:
            return Truth.exact((1 - b) * unbranched + b * expected_binary_chain_rate(self.alpha))
        return self._drawn_rate()

    def _drawn_rate(self) -> Truth:
        return mean_rate(
            self.vocab_size,
            self.vocab_size**self.depth,
            float(self.alpha),
            trees=lambda n, first: self.trees(n, TRUTH_SEED, first),
        )

    def excess_entropy(self) -> Truth:
        """Infinite: at least V - 1 parameters are learnt without end."""
        return Truth.exact(np.inf)

    def position_losses(self, length: int) -> Truth:
        """(length,) Bayes losses: exact where at most 4096 strings stand before the last position, else sampled."""
        length = in_range("length", length, MAX_CONTEXT)
        if enumerable(self.vocab_size, length):
            return enumerated_losses(self, length)
        return sampled_position_losses(self, length)
