"""Windows of exactly l tokens: which targets a dataset holds, and what stands before each of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from testbed.core import ConfigError
from testbed.sources.source import Floats, Source, Tokens
from testbed.training.streams import Stream, first_sequence

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class TargetSet:
    """D targets in a buffer of sequences, none of whose windows crosses a sequence.

    Target i is the token at `max_context + i % targets_per_sequence` of row `i // targets_per_sequence`, so it has
    `max_context` tokens before it, and a member of any context length l <= max_context is scored on the same targets.
    """

    tokens: Tokens  # (rows, max_context + targets_per_sequence)
    n_targets: int
    max_context: int
    targets_per_sequence: int

    @classmethod
    def draw(
        cls,
        source: Source,
        stream: Stream,
        seed: int,
        n_targets: int,
        max_context: int,
        targets_per_sequence: int = 1,
        first_row: int = 0,
    ) -> "TargetSet":
        """The first `n_targets` targets of a stream (from its sequence `first_row` on); smaller sets are prefixes."""
        rows = -(-n_targets // targets_per_sequence)
        length = max_context + targets_per_sequence
        tokens = source.sample(rows, length, seed=seed, first_sequence=first_sequence(stream, first_row))
        return cls(tokens, n_targets, max_context, targets_per_sequence)

    def windows(self, context_length: int, index: Integers | None = None) -> tuple[Tokens, Tokens, Integers]:
        """Contexts (n, l), their next tokens (n,), and the sequences (n,) they come from, for these targets or all."""
        if context_length > self.max_context:
            raise ConfigError(
                f"context_length: given {context_length}, the data hold {self.max_context} tokens of context"
            )
        index = np.arange(self.n_targets) if index is None else index
        row, at = index // self.targets_per_sequence, self.max_context + index % self.targets_per_sequence
        contexts = self.tokens[row[:, None], at[:, None] + np.arange(-context_length, 0)]
        return contexts, self.tokens[row, at], row


@dataclass(frozen=True)
class WeightedContexts:
    """Distinct contexts with the weight of every next token: the full-batch loss at a cost that does not grow with D.

    contexts (n, l);  weights (n, V), summing to one:  loss = - sum weights ln q
    """

    contexts: Tokens
    weights: Floats


def distinct_windows(contexts: Tokens, targets: Tokens, vocab_size: int) -> WeightedContexts:
    """Each distinct context once, with the frequency of each token that followed it."""
    unique, row = unique_contexts(contexts, vocab_size)
    counts = np.bincount(row * vocab_size + targets.astype(np.int64), minlength=len(unique) * vocab_size)
    return WeightedContexts(unique, counts.reshape(-1, vocab_size) / max(len(targets), 1))


def unique_contexts(contexts: Tokens, vocab_size: int) -> tuple[Tokens, Integers]:
    """The distinct rows in lexicographic order, and for each row its index among them."""
    length = contexts.shape[1]
    if length == 0:
        return contexts[:1], np.zeros(len(contexts), dtype=np.int64)
    if vocab_size**length >= 2**62:
        unique, row = np.unique(contexts, axis=0, return_inverse=True)
        return unique, row.reshape(-1).astype(np.int64)
    codes = np.zeros(len(contexts), dtype=np.int64)
    for column in range(length):
        codes = codes * vocab_size + contexts[:, column]
    _, first, row = np.unique(codes, return_index=True, return_inverse=True)
    return contexts[first], row.astype(np.int64)
